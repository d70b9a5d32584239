//! The JSON schema of the definitions file.

/// The JSON schema of the definitions file, for editors.
pub fn schema() -> &'static str {
    include_str!("../../schema.json")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::keys;
    use super::*;

    fn parsed() -> Value {
        serde_json::from_str(schema()).unwrap()
    }

    /// The keys of the object schema at `pointer`, which takes no others.
    fn keys_at(pointer: &str) -> BTreeSet<String> {
        let schema = parsed();
        let object = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        assert_eq!(object["additionalProperties"], false, "{pointer}");
        object["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_the_reader_takes() {
        for (pointer, known) in [
            ("", keys::FILE),
            ("/$defs/profile", keys::PROFILE),
            ("/$defs/defaults", keys::DEFAULTS),
            ("/$defs/io_manager_keys", keys::IO_MANAGER),
            ("/$defs/mount", keys::MOUNT),
            ("/$defs/op_mount", keys::OP_MOUNT),
            ("/$defs/limits", keys::LIMITS),
            ("/$defs/asset_keys", keys::ASSET),
            ("/$defs/op_component", keys::OP_COMPONENT),
            ("/$defs/input", keys::INPUT),
            ("/$defs/environment_reference", keys::ENVIRONMENT),
        ] {
            let known: BTreeSet<String> = known.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(keys_at(pointer), known, "{pointer}");
        }
    }

    #[test]
    fn every_reference_of_the_schema_leads_somewhere() {
        fn visit(value: &Value, root: &Value) {
            match value {
                Value::Object(entries) => {
                    if let Some(reference) = entries.get("$ref").and_then(Value::as_str) {
                        assert!(root.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                    }
                    entries.values().for_each(|value| visit(value, root));
                }
                Value::Array(values) => values.iter().for_each(|value| visit(value, root)),
                _ => {}
            }
        }
        let schema = parsed();
        visit(&schema, &schema);
    }
}
