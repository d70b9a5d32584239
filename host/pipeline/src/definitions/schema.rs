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
            ("/$defs/retry", keys::RETRY),
            ("/$defs/partitions", keys::PARTITIONS),
            ("/$defs/dimension", keys::DIMENSION),
            ("/$defs/minute_partitions", keys::MINUTE_PARTITIONS),
            ("/$defs/hour_partitions", keys::HOUR_PARTITIONS),
            ("/$defs/day_partitions", keys::DAY_PARTITIONS),
            ("/$defs/cron_partitions", keys::CRON_PARTITIONS),
            ("/$defs/partition_mapping_table", keys::PARTITION_MAPPING),
            ("/$defs/time_window", keys::TIME_WINDOW),
            ("/$defs/mount", keys::MOUNT),
            ("/$defs/op_mount", keys::OP_MOUNT),
            ("/$defs/limits", keys::LIMITS),
            ("/$defs/asset_keys", keys::ASSET),
            ("/$defs/op_component", keys::OP_COMPONENT),
            ("/$defs/input", keys::INPUT),
            ("/$defs/step_input", keys::STEP_INPUT),
            ("/$defs/multi_asset", keys::MULTI_ASSET),
            ("/$defs/member", keys::MEMBER),
            ("/$defs/job", keys::JOB),
            ("/$defs/graph", keys::GRAPH),
            ("/$defs/graph_step", keys::GRAPH_STEP),
            ("/$defs/op", keys::OP),
            ("/$defs/step", keys::STEP),
            ("/$defs/step_output", keys::OUTPUT),
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

    /// Whether `value` is what `schema` says, for the words of JSON Schema that the schema uses.
    fn is_valid(value: &Value, schema: &Value, root: &Value) -> bool {
        let Some(words) = schema.as_object() else { return schema == &Value::Bool(true) };
        words.iter().all(|(word, argument)| match word.as_str() {
            "$ref" => is_valid(value, root.pointer(argument.as_str().unwrap().trim_start_matches('#')).unwrap(), root),
            "type" => {
                let has = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    other => panic!("unknown type {other}"),
                };
                argument.as_array().map_or_else(|| has(argument), |names| names.iter().any(has))
            }
            "properties" => {
                let properties = argument.as_object().unwrap();
                let fields = value.as_object().into_iter().flatten();
                fields.filter_map(|(key, field)| Some((field, properties.get(key)?))).all(|(f, s)| is_valid(f, s, root))
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let is_known = |key: &str| known.is_some_and(|known| known.contains_key(key));
                let mut fields = value.as_object().into_iter().flatten();
                fields.all(|(key, field)| is_known(key) || is_valid(field, argument, root))
            }
            "required" => {
                let mut keys = argument.as_array().unwrap().iter();
                keys.all(|key| value.as_object().is_none_or(|fields| fields.contains_key(key.as_str().unwrap())))
            }
            "items" => value.as_array().into_iter().flatten().all(|item| is_valid(item, argument, root)),
            "anyOf" => argument.as_array().unwrap().iter().any(|schema| is_valid(value, schema, root)),
            "oneOf" => argument.as_array().unwrap().iter().filter(|schema| is_valid(value, schema, root)).count() == 1,
            "enum" => argument.as_array().unwrap().contains(value),
            "const" => value == argument,
            "minimum" => value.as_i64().is_none_or(|value| value >= argument.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|value| value <= argument.as_i64().unwrap()),
            "not" => !is_valid(value, argument, root),
            "minProperties" => value.as_object().is_none_or(|fields| fields.len() as u64 >= argument.as_u64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|fields| fields.len() as u64 <= argument.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= argument.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap()),
            // Patterns are for editors; the reader checks what they mean.
            "pattern" | "propertyNames" | "description" | "title" | "default" | "$schema" | "$defs" => true,
            other => panic!("unknown word {other}"),
        })
    }

    /// What the schema says of the TOML text.
    fn says_valid(text: &str) -> bool {
        let root = parsed();
        let source = crate::definitions::SourceFile::new("airlock.toml".into(), text.to_owned());
        let node = super::super::tree::parse(&source.into()).unwrap();
        let value = super::super::fields::setting(&node, &super::super::fields::Problems::default());
        is_valid(&serde_json::to_value(value).unwrap(), &root, &root)
    }

    #[test]
    fn the_examples_are_what_the_schema_says() {
        let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut found = 0;
        for example in std::fs::read_dir(examples).unwrap() {
            for file in std::fs::read_dir(example.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    found += 1;
                    assert!(says_valid(&std::fs::read_to_string(&path).unwrap()), "{}", path.display());
                }
            }
        }
        assert!(found > 0);
    }

    #[test]
    fn the_schema_and_the_reader_agree() {
        let head = "defaults.io = \"lake\"\nio.lake.component = \"builtin:files\"\n\
                    templates.t = { type = \"json\" }\n\
                    partitions.days.daily.start = \"2024-01-01\"\n";
        for (body, expected) in [
            ("command = [\"x\"]\ntype = \"json\"", true),
            ("command = [\"x\", { \"$env\" = \"X\" }]\ntype = \"json\"\nconfig = { a = [1, { b = true }] }", true),
            (
                "component = { path = \"builtin:files\", limits = { memory = \"1MiB\", files = 3 } }\ntype = \"text\"",
                true,
            ),
            ("component = { path = \"builtin:files\", mounts.\"/a\" = { memory = true } }\ntype = \"text\"", true),
            ("component = { path = \"builtin:files\", mounts.\"/a\" = { scope = \"mount\" } }\ntype = \"text\"", false),
            ("component = { path = \"builtin:files\", mounts.\"/a\" = { memory = false } }\ntype = \"text\"", false),
            ("command = []\ntype = \"json\"", false),
            ("command = [\"x\"]", false),
            ("command = [\"x\"]\ncomponent = \"builtin:files\"\ntype = \"json\"", false),
            ("command = [\"x\"]\ntype = \"tables\"", false),
            ("command = [\"x\"]\ntype = \"table\"\nas = \"parquet\"\nschema = { day = \"date\" }", true),
            ("command = [\"x\"]\ntype = \"table\"\nas = \"excel\"", false),
            ("command = [\"x\"]\ntype = \"table\"\nschema = {}", false),
            ("command = [\"x\"]\ntype = \"table\"\nschema = { day = \"day\" }", false),
            ("template = \"t\"\ncommand = [\"x\"]", true),
            ("template = \"t\"\ncommand = [\"x\"]\ncomponent = \"builtin:files\"", false),
            ("command = [\"x\"]\ntype = \"none\"\nkinds = [\"a\", \"b\", \"c\", \"d\"]", false),
            ("command = [\"x\"]\ntype = \"none\"\ntags = { a = 1 }", false),
            ("command = [\"x\"]\ntype = \"none\"\nchecks = {}", false),
            ("command = [\"x\"]\ntype = \"json\"\npartitions = \"days\"", true),
            ("command = [\"x\"]\ntype = \"json\"\npartitions = [\"days\"]", false),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\nhourly.start = 2024-01-01", true),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\nhourly = {}", false),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ncron.start = \"2024-01-01\"", false),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\nstatic = [\"a\"]\ndaily.start = 2024-01-01", false),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\nstatic = []", false),
            (
                "command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ndimensions = { a = \"days\", b = { static = [\"x\"] } }",
                true,
            ),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ndimensions = { a = \"days\" }", false),
            (
                "command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ndimensions = { a = \"days\", b = { static = [] } }",
                false,
            ),
            (
                "command = [\"x\"]\ntype = \"none\"\n[partitions.x]\n\
                 dimensions = { a = \"days\", b = { dimensions = { c = \"days\", d = \"days\" } } }",
                false,
            ),
            (
                "command = [\"x\"]\ntype = \"none\"\npartitions = \"both\"\n\
                 inputs.x = { asset = \"b\", partition_mapping = { dimensions = { day = { time_window = { start_offset = -1 } } } } }\n\
                 [partitions.both]\ndimensions = { day = \"days\", region = { static = [\"eu\"] } }\n\
                 [assets.b]\npartitions = \"days\"\ncommand = [\"x\"]\ntype = \"json\"",
                true,
            ),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ndynamic = true", true),
            ("command = [\"x\"]\ntype = \"none\"\n[partitions.x]\ndynamic = false", false),
            (
                "command = [\"x\"]\ntype = \"none\"\n[partitions.x]\n\
                 dimensions = { a = \"days\", b = { dynamic = true } }",
                false,
            ),
            ("command = [\"x\"]\ntype = \"none\"\n[templates.u]\ntemplate = \"t\"", false),
            ("command = [\"x\"]\ntype = \"none\"\n[profile.p.assets.a]\ntemplate = \"t\"", false),
            ("command = [\"x\"]\ntype = \"none\"\n[io.x]\ncomponent = \"builtin:files\"\nretry.attempts = 1", false),
            ("command = [\"x\"]\ntype = \"json\"\ninputs.x = 3", false),
        ] {
            let text = format!("{head}[assets.a]\n{body}\n");
            let project = crate::definitions::tests::Project::new(&[("airlock.toml", &text)]);
            assert_eq!(project.read(None).is_ok(), expected, "the reader of {body}");
            assert_eq!(says_valid(&text), expected, "the schema of {body}");
        }
    }
}
