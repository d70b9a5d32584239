use super::*;

const OUTPUT: &str = r#"(component
    (instance $i)
    (export "airlock:io/output@0.1.0" (instance $i))
)"#;

fn inspected(text: &str) -> Result<Inspection, ComponentError> {
    inspect(&wat::parse_str(text).unwrap())
}

/// What a newcomer reads.
fn message(text: &str) -> String {
    inspected(text).and_then(|inspection| inspection.check_imports()).unwrap_err().to_string()
}

#[test]
fn a_component_is_known_by_what_it_exports() {
    let inspection = inspected(OUTPUT).unwrap();
    assert_eq!(inspection.exports, Exports { output: true, input: false, op: false });
    let exports = |interface: &str| inspected(&OUTPUT.replace("io/output@", interface)).unwrap().exports;
    assert_eq!(exports("io/input@"), Exports { output: false, input: true, op: false });
    assert_eq!(exports("io/op@"), Exports { output: false, input: false, op: true });
    assert_eq!(inspection.contract, "0.1.0");
    assert!(inspection.digest.starts_with("sha256:") && inspection.digest.len() == 71);
}

#[test]
fn a_later_version_of_the_same_track_is_taken() {
    assert!(inspected(&OUTPUT.replace("0.1.0", "0.1.7")).is_ok());
}

#[test]
fn what_is_not_webassembly_is_told_apart() {
    let told = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
    assert_eq!(told(b""), "this is not a WebAssembly component: the file is empty");
    assert_eq!(
        told(b"  (component)"),
        "this is not a WebAssembly component: it is WebAssembly text; translate it with `wasm-tools parse`"
    );
    assert_eq!(
        told(b"\x7fELF\x02\x01"),
        "this is not a WebAssembly component: it is a native program or compiled code; only components are taken, and \
         compiled here"
    );
    assert_eq!(
        told(b"#!/usr/bin/env python3"),
        "this is not a WebAssembly component: it does not begin as WebAssembly does"
    );
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    assert_eq!(
        message("(module)"),
        "this is a core WebAssembly module, not a component; build for wasm32-wasip2, or wrap it with `wasm-tools \
         component new`"
    );
}

#[test]
fn broken_webassembly_is_malformed() {
    let mut bytes = wat::parse_str(OUTPUT).unwrap();
    bytes.truncate(bytes.len() - 1);
    assert!(matches!(inspect(&bytes), Err(ComponentError::Malformed(_))));
}

#[test]
fn a_component_without_our_exports_is_told_what_it_exports() {
    assert_eq!(
        message(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#),
        "the component exports none of airlock:io/output, airlock:io/input and airlock:io/op, so it is neither an I/O \
         manager nor an op (it exports wasi:cli/run@0.2.0)"
    );
}

#[test]
fn another_version_of_the_contract_is_told_which_side_is_old() {
    assert_eq!(
        message(&OUTPUT.replace("0.1.0", "0.2.0")),
        "the component speaks airlock:io@0.2.0, and this Airlock speaks airlock:io@0.1.0; use a newer Airlock"
    );
    assert!(message(&OUTPUT.replace("0.1.0", "0.10.0")).ends_with("; use a newer Airlock"));
    assert_eq!(
        message(&OUTPUT.replace("0.1.0", "0.0.9")),
        "the component speaks airlock:io@0.0.9, and this Airlock speaks airlock:io@0.1.0; build it anew against this \
         version"
    );
}

#[test]
fn imports_that_the_host_lacks_are_named() {
    let component = OUTPUT.replace(
        "(instance $i)\n",
        r#"(import "wasi:http/types@0.2.0" (instance)) (import "wasi:io/poll@0.2.3" (instance))
           (import "wasi:cli/exit@0.3.0" (instance)) (import "env" (instance)) (instance $i)
        "#,
    );
    assert_eq!(
        message(&component),
        "the component imports what Airlock does not provide: wasi:http/types@0.2.0, wasi:cli/exit@0.3.0, env; build \
         it without them (a guest gets WASI 0.2 and airlock:io, and no HTTP)"
    );
}

#[test]
fn too_many_modules_and_functions_are_refused_before_compiling() {
    let modules = OUTPUT.replace("(instance $i)\n", &format!("{} (instance $i)\n", "(core module)".repeat(65)));
    assert_eq!(message(&modules), "the component has 65 core modules; 64 are allowed");
    let functions = format!("(core module {})", "(func)".repeat(200_001));
    let functions = OUTPUT.replace("(instance $i)\n", &format!("{functions} (instance $i)\n"));
    assert_eq!(message(&functions), "the component has 200001 functions; 200000 are allowed");
}

#[test]
fn a_component_that_is_too_large_is_not_looked_into() {
    let bytes = vec![0; usize::try_from(COMPONENT_BYTES).unwrap() + 1];
    assert_eq!(inspect(&bytes).unwrap_err().to_string(), "the component is larger than 64 MiB");
}

#[test]
fn a_manifest_that_is_too_large_is_refused() {
    let section = format!("(@custom \"airlock:manifest\" \"{}\")", "x".repeat(MANIFEST_BYTES + 1));
    let component = OUTPUT.replace("(instance $i)\n", &format!("(instance $i) {section}\n"));
    assert_eq!(message(&component), "the component has 262145 bytes of manifest; 262144 are allowed");
}

#[test]
fn components_that_instantiate_one_another_are_counted_as_what_they_stand_for() {
    let twice = |index: usize| {
        let inner = index - 1;
        format!(
            "(component $c{index} (alias outer 1 $c{inner} (component $i)) (instance (instantiate $i)) (instance (instantiate $i)))"
        )
    };
    let chain = |length: usize| {
        let components: String = (1..length).map(twice).collect();
        let last = length - 1;
        OUTPUT.replace(
            "(instance $i)\n",
            &format!("(component $c0) {components} (instance (instantiate $c{last})) (instance $i)\n"),
        )
    };
    assert!(inspected(&chain(8)).is_ok());
    assert!(message(&chain(30)).ends_with(" instances; 1024 are allowed"));
}

#[test]
fn what_a_component_names_is_counted_before_it_is_kept() {
    let each = |text: fn(usize) -> String| (0..=COMPONENT_NAMES).map(text).collect::<String>();
    let imports = each(|number| format!("(import \"i{number}\" (func))"));
    let exports = each(|number| format!("(export \"e{number}\" (instance $i))"));
    let components = "(component)".repeat(COMPONENT_NAMES + 1);
    for (text, what) in [(imports, "imports"), (exports, "exports"), (components, "components")] {
        // Imports come first, and exports after what they export.
        let component = match what {
            "imports" => OUTPUT.replace("(instance $i)\n", &format!("{text} (instance $i)\n")),
            _ => OUTPUT.replace("(instance $i)\n", &format!("(instance $i) {text}\n")),
        };
        assert_eq!(message(&component), format!("the component has 10001 {what}; 10000 are allowed"));
    }
}

#[test]
fn components_are_not_nested_without_end() {
    let nested = format!("{}{}", "(component ".repeat(20), ")".repeat(20));
    let component = OUTPUT.replace("(instance $i)\n", &format!("{nested} (instance $i)\n"));
    assert_eq!(message(&component), "the component has 17 nested components; 16 are allowed");
}

#[test]
fn a_function_that_is_too_large_is_refused() {
    let body = "(drop (i32.const 1))".repeat(700_001);
    let component = OUTPUT.replace("(instance $i)\n", &format!("(core module (func {body})) (instance $i)\n"));
    assert!(message(&component).ends_with("bytes in one function; 2097152 are allowed"));
}

#[test]
fn a_manifest_is_read_wherever_a_linker_left_it_and_made_safe() {
    let manifest = r#"(@custom "airlock:manifest" "{\"name\":\"a\\u001b[2J\",\"values\":[\"text/csv\"]}")"#;
    let own = OUTPUT.replace("(instance $i)\n", &format!("(instance $i) {manifest}\n"));
    let of_module = OUTPUT.replace("(instance $i)\n", &format!("(core module {manifest}) (instance $i)\n"));
    for component in [own, of_module] {
        let manifest = inspected(&component).unwrap().manifest.unwrap();
        assert_eq!((manifest.name.as_str(), manifest.values.as_slice()), ("a\\u{1b}[2J", &["text/csv".to_owned()][..]));
    }
}

/// The component with a manifest.
fn with_manifest(manifest: &str) -> String {
    let manifest = manifest.replace('"', "\\\"");
    OUTPUT.replace("(instance $i)\n", &format!("(instance $i) (@custom \"airlock:manifest\" \"{manifest}\")\n"))
}

#[test]
fn a_schema_that_says_more_than_is_checked_is_refused_before_anything_of_it_is_used() {
    let pattern = format!("(a{{1000}}){{{}}}", "9".repeat(1000));
    for (key, words) in [
        ("config", format!(r#"{{ "properties": {{ "a": {{ "pattern": "{pattern}" }} }} }}"#)),
        ("output_config", r##"{ "$ref": "#" }"##.to_owned()),
        ("input_config", r#"{ "anyOf": [{ "$ref": "https://example.org/schema.json" }] }"#.to_owned()),
    ] {
        let told = message(&with_manifest(&format!(r#"{{ "name": "x", "{key}": {words} }}"#)));
        let begin = "the component's airlock:manifest section is not a manifest: unknown field `";
        assert!(told.starts_with(begin) && told.contains(" at line 1 column ") && told.len() < 1024, "{told}");
    }
}

#[test]
fn a_schema_is_neither_nested_nor_long_without_end() {
    let nested = format!("{}true{}", r#"{"items":"#.repeat(200), "}".repeat(200));
    let told = message(&with_manifest(&format!(r#"{{ "name": "x", "config": {nested} }}"#)));
    assert!(told.contains("recursion limit exceeded"), "{told}");
    let long = format!(r#"{{ "name": "x", "config": {{ "title": "{}" }} }}"#, "x".repeat(256 << 10));
    assert!(message(&with_manifest(&long)).ends_with(" bytes of manifest; 262144 are allowed"));
}

/// A file of the repository.
fn file(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn the_published_schema_of_manifests_has_what_is_read() {
    let published: serde_json::Value = serde_json::from_str(&file("wit/manifest.schema.json")).unwrap();
    let keys = |value: &serde_json::Value| {
        let keys = value.as_object().unwrap().keys().filter(|key| key.as_str() != "$schema");
        keys.cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(keys(&published["properties"]), keys(&serde_json::to_value(Manifest::default()).unwrap()));
    // A word that is not known is refused with those that are.
    let refused = serde_json::from_str::<ConfigSchema>(r#"{ "pattern": "" }"#).unwrap_err().to_string();
    let words = refused.split('`').skip(3).step_by(2).filter(|word| *word != "$schema");
    let words = words.map(str::to_owned).collect();
    assert_eq!(keys(&published["$defs"]["config_schema"]["properties"]), words);
}

#[test]
fn the_manifest_that_the_guide_shows_and_those_of_this_repository_are_read() {
    let guide = file("docs/guests.md");
    let (_, shown) = guide.split_once("```json\n").unwrap();
    let manifests = [
        shown.split_once("```").unwrap().0.to_owned(),
        file("guests/files/manifest.json"),
        file("guests/tables/manifest.json"),
        file("examples/weather/monthly/manifest.json"),
        file("examples/weather/snoop/manifest.json"),
    ];
    for manifest in manifests {
        parse_manifest(manifest.as_bytes()).unwrap_or_else(|error| panic!("{error}: {manifest}"));
    }
}

#[test]
fn a_broken_manifest_is_an_error() {
    let component = OUTPUT.replace("(instance $i)\n", "(instance $i) (@custom \"airlock:manifest\" \"{}\")\n");
    assert!(
        message(&component).starts_with("the component's airlock:manifest section is not a manifest: missing field")
    );
}
