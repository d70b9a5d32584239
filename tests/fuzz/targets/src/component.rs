//! Components before they are compiled, and the manifests in them.

use airlock_sandbox::component::inspect;

use crate::Target;

/// A component that stores, in text.
pub(crate) const STORES: &str = r#"(component
    (core module $m (memory 1) (func (export "f") (result i32) i32.const 1))
    (core instance $c (instantiate $m))
    (type $t (func (result u32)))
    (func $f (type $t) (canon lift (core func $c "f")))
    (instance $i (export "handle-output" (func $f)))
    (export "airlock:io/output@0.1.0" (instance $i)))"#;

/// A component.
pub fn components() -> Target {
    Box::new(|input| inspect(input).map_err(|error| error.to_string()).is_ok())
}

/// A manifest, in a component that is sound.
pub fn manifests() -> Target {
    let component = wat::parse_str(STORES).unwrap();
    Box::new(move |input| {
        let name = b"airlock:manifest";
        let content = [&leb(name.len())[..], name, input].concat();
        let with_manifest = [&component[..], &[0], &leb(content.len()), &content].concat();
        let inspected = inspect(&with_manifest).map_err(|error| error.to_string());
        inspected.is_ok_and(|inspection| inspection.manifest.is_some())
    })
}

/// `number` as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}
