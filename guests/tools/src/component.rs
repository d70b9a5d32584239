//! Makes a component of a core module, and puts a manifest into a component.

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::contract::{Contract, World};

/// The custom section that has what a guest says of itself.
const MANIFEST_SECTION: &str = "airlock:manifest";
/// What names of sections begin with in which bindings for C leave the types of a world.
const TYPE_SECTION: &str = "component-type";
/// What the names of the functions begin with that only an op exports.
const OP_INTERFACE: &str = "airlock:io/op@";

/// Makes a component of a core module for WASI 0.1 or 0.2, and puts the manifest into it. Of what is a component
/// already, only the manifest is added.
///
/// # Errors
/// Where `bytes` are neither a module nor a component, the module does not meet `contract`, the manifest is no JSON
/// object, or there is a manifest already.
pub fn componentize(contract: &Contract, bytes: &[u8], manifest: Option<&[u8]>) -> Result<Vec<u8>> {
    let sections = custom_sections(bytes)?;
    let mut component = if Parser::is_component(bytes) {
        bytes.to_vec()
    } else {
        wrapped(contract, bytes, sections.iter().any(|name| name.starts_with(TYPE_SECTION)))?
    };
    if let Some(manifest) = manifest {
        if sections.iter().any(|name| name == MANIFEST_SECTION) {
            bail!("it has a manifest already, in its section {MANIFEST_SECTION}");
        }
        let parsed: serde_json::Value = serde_json::from_slice(manifest).context("the manifest is no JSON")?;
        if !parsed.is_object() {
            bail!("the manifest is no JSON object");
        }
        let section = CustomSection { name: MANIFEST_SECTION.into(), data: manifest.into() };
        section.append_to_component(&mut component);
    }
    Ok(component)
}

/// The names of the custom sections, also of modules and components within.
fn custom_sections(bytes: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload.context("it is no WebAssembly")? {
            names.push(section.name().to_owned());
        }
    }
    Ok(names)
}

/// The world of a module that does not say it, by what it exports.
fn world_of(module: &[u8]) -> Result<World> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(exports) = payload? {
            for export in exports {
                if export?.name.starts_with(OP_INTERFACE) {
                    return Ok(World::OpComponent);
                }
            }
        }
    }
    Ok(World::IoManager)
}

fn wrapped(contract: &Contract, module: &[u8], has_types: bool) -> Result<Vec<u8>> {
    let mut module = module.to_vec();
    if !has_types {
        let world = contract.world(world_of(&module)?)?;
        embed_component_metadata(&mut module, &contract.resolve, world, StringEncoding::UTF8, false)
            .context("cannot say in the module what it exports")?;
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .context("it does not meet the contract")?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        .context("cannot adapt it to WASI 0.2")?
        .encode()
        .context("cannot make a component of it")
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection, MemoryType, Module,
        TypeSection, ValType,
    };

    use super::*;

    /// The smallest component.
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 13, 0, 1, 0];

    #[test]
    fn a_manifest_is_added_to_a_component_once() {
        let contract = Contract::embedded().unwrap();
        let manifest = br#"{ "name": "a", "version": "0.1.0" }"#;
        let component = componentize(&contract, &COMPONENT, Some(manifest)).unwrap();
        assert_eq!(custom_sections(&component).unwrap(), [MANIFEST_SECTION]);
        assert!(component.ends_with(manifest));
        let error = componentize(&contract, &component, Some(manifest)).unwrap_err();
        assert!(error.to_string().contains("has a manifest already"), "{error}");
    }

    #[test]
    fn what_is_no_webassembly_or_no_manifest_is_refused() {
        let contract = Contract::embedded().unwrap();
        assert!(componentize(&contract, b"text", None).is_err());
        assert!(componentize(&contract, &COMPONENT, Some(b"[]")).is_err());
        assert!(componentize(&contract, &COMPONENT, Some(b"{")).is_err());
    }

    #[test]
    fn a_module_that_exports_nothing_of_the_contract_is_refused() {
        let module = [0, b'a', b's', b'm', 1, 0, 0, 0];
        let error = componentize(&Contract::embedded().unwrap(), &module, None).unwrap_err();
        assert!(format!("{error:#}").contains("airlock:io/output@0.1.0"), "{error:#}");
    }
    /// A module with a memory and a function that is exported as `name`, which takes and gives an address.
    fn module(name: &str) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32], [ValType::I32]);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut exports = ExportSection::new();
        exports.export(name, ExportKind::Func, 0).export("memory", ExportKind::Memory, 0);
        let mut function = Function::new([]);
        function.instructions().local_get(0).end();
        let mut code = CodeSection::new();
        code.function(&function);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn a_module_that_exports_what_an_op_does_is_made_an_op() {
        let contract = Contract::embedded().unwrap();
        let component = componentize(&contract, &module("airlock:io/op@0.1.0#run"), None).unwrap();
        let exports: Vec<String> = Parser::new(0)
            .parse_all(&component)
            .filter_map(|payload| match payload.unwrap() {
                Payload::ComponentExportSection(exports) => Some(exports),
                _ => None,
            })
            .flat_map(|exports| exports.into_iter().map(|export| export.unwrap().name.name.to_owned()))
            .collect();
        assert!(exports.contains(&"airlock:io/op@0.1.0".to_owned()), "{exports:?}");
        let error = componentize(&contract, &module("airlock:io/op@0.1.0#walk"), None).unwrap_err();
        assert!(format!("{error:#}").contains("airlock:io/op@0.1.0"), "{error:#}");
    }
}
