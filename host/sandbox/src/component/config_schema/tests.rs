use serde_json::{Value, json};

use super::*;

fn schema(words: Value) -> ConfigSchema {
    serde_json::from_value(words).unwrap()
}

/// What is told of `config`, a line each.
fn told(words: Value, config: &Value) -> Vec<String> {
    schema(words).check(config, &[]).into_iter().map(|mistake| mistake.message).collect()
}

/// As a manifest is read.
fn refusal(text: &str) -> String {
    serde_json::from_str::<ConfigSchema>(text).unwrap_err().to_string()
}

#[test]
fn what_fits_is_told_nothing_of() {
    let words = json!({
        "type": "object",
        "properties": {
            "format": { "enum": ["parquet", "csv"], "default": "parquet" },
            "level": { "type": "integer", "minimum": 1, "maximum": 9 },
            "names": { "type": "array", "items": { "type": "string", "maxLength": 3 }, "minItems": 1 },
            "store": { "type": "object", "additionalProperties": { "type": "boolean" } },
            "limit": { "anyOf": [{ "type": "null" }, { "type": "number" }] },
        },
        "required": ["level"],
        "additionalProperties": false,
    });
    for config in [
        json!({ "level": 1 }),
        json!({ "level": 9.0, "format": "csv", "names": ["üüü"], "store": { "a": true }, "limit": 0.5 }),
        json!({ "level": 3, "limit": null, "store": {} }),
    ] {
        assert_eq!(told(words.clone(), &config), [""; 0], "{config}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_place_and_without_its_value() {
    for (words, config, expected) in [
        (json!({ "type": "string" }), json!(3), "it is a text, and this is an integer"),
        (json!({ "type": ["integer", "null"] }), json!(0.5), "it is an integer or null, and this is a number"),
        (json!({ "type": "object" }), json!([]), "it is a table, and this is an array"),
        (
            json!({ "properties": { "a": { "type": "array" } } }),
            json!({ "a": true }),
            "`/a` is an array, and this is a boolean",
        ),
        (json!({ "enum": ["a", 1] }), json!("secret"), "it is \"a\" or 1, and this is something else"),
        (json!({ "const": { "a": [1] } }), json!({ "a": [2] }), "it is {\"a\":[1]}, and this is something else"),
        (json!({ "minimum": 2 }), json!(1), "it is at least 2, and this is less"),
        (json!({ "maximum": 0.5 }), json!(1), "it is at most 0.5, and this is more"),
        (json!({ "minLength": 2 }), json!("ü"), "it has at least 2 characters, and this has fewer"),
        (json!({ "maxLength": 0 }), json!("ü"), "it has at most 0 characters, and this has more"),
        (json!({ "minItems": 1 }), json!([]), "it has at least 1 entries, and this has fewer"),
        (json!({ "maxItems": 1 }), json!([1, 2]), "it has at most 1 entries, and this has more"),
        (
            json!({ "items": { "items": { "type": "null" } } }),
            json!([[], [null, 1]]),
            "`/1/1` is null, and this is an integer",
        ),
        (json!({ "required": ["a"] }), json!({ "b": 1 }), "it lacks `a`"),
        (json!({ "properties": { "a": false } }), json!({ "a": 1 }), "`/a` is not taken"),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            json!({ "a/b~": 1 }),
            "`/a~1b~0` is a text, and this is an integer",
        ),
    ] {
        assert_eq!(told(words, &config), [expected]);
    }
}

#[test]
fn a_key_that_is_not_taken_is_told_with_those_that_are() {
    let words = json!({ "properties": { "format": {}, "level": {} }, "additionalProperties": false });
    let [mistake] = schema(words).check(&json!({ "fromat": 1 }), &[]).try_into().unwrap();
    assert_eq!(mistake.message, "`/fromat` is not a key that is taken");
    assert_eq!(mistake.path, ["fromat"]);
    assert_eq!(mistake.known_keys.unwrap(), ["format", "level"]);
}

#[test]
fn words_say_nothing_of_values_of_another_type() {
    let words = json!({ "minLength": 2, "minimum": 2, "minItems": 2, "required": ["a"] });
    assert_eq!(told(words, &json!(true)), [""; 0]);
}

#[test]
fn numbers_are_the_same_whatever_they_are_written_as() {
    assert_eq!(told(json!({ "enum": [1, [2.0]] }), &json!(1.0)), [""; 0]);
    assert_eq!(told(json!({ "enum": [1, [2.0]] }), &json!([2])), [""; 0]);
    assert_eq!(told(json!({ "maximum": u64::MAX }), &json!(u64::MAX)), [""; 0]);
    assert_eq!(told(json!({ "maximum": i64::MAX }), &json!(u64::MAX)).len(), 1);
}

#[test]
fn of_several_forms_one_must_fit() {
    let words = json!({ "anyOf": [{ "type": "integer" }, { "type": "string", "minLength": 2 }] });
    assert_eq!(told(words.clone(), &json!(1)), [""; 0]);
    // Only one of the forms is of its type, so that is what was meant.
    assert_eq!(told(words.clone(), &json!("a")), ["it has at least 2 characters, and this has fewer"]);
    assert_eq!(told(words, &json!(true)), ["it has none of the forms that it may have"]);
    let titled = json!({ "oneOf": [{ "title": "few", "maximum": 5 }, { "title": "odd", "enum": [7, 9] }] });
    assert_eq!(told(titled, &json!(8)), ["it has none of the forms that it may have: few; odd"]);
}

#[test]
fn of_forms_that_exclude_one_another_only_one_may_fit() {
    let words = json!({ "oneOf": [{ "title": "few", "maximum": 5 }, { "title": "many", "minimum": 5 }] });
    assert_eq!(told(words.clone(), &json!(4)), [""; 0]);
    assert_eq!(told(words, &json!(5)), ["it has 2 forms of which it may have only one: few; many"]);
}

#[test]
fn what_is_wrong_by_itself_is_not_told_again_by_each_form() {
    let words = json!({ "required": ["a"], "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] });
    assert_eq!(told(words, &json!({})), ["it lacks `a`"]);
}

#[test]
fn of_a_value_that_is_not_known_only_the_type_is_checked() {
    let words = json!({
        "properties": {
            "token": { "type": "string", "minLength": 8, "oneOf": [{ "minLength": 8 }, { "const": "" }, {}] },
            "level": { "type": "integer", "minimum": 1 },
        },
        "enum": [{}],
    });
    let unknown = |key: &str| vec![vec![key.to_owned()]];
    let check = |config: Value, unknown: &[Vec<String>]| schema(words.clone()).check(&config, unknown);
    assert_eq!(check(json!({ "token": "" }), &unknown("token")), []);
    assert_eq!(check(json!({ "level": 0 }), &unknown("level")), []);
    let [mistake] = check(json!({ "level": "" }), &unknown("level")).try_into().unwrap();
    assert_eq!(mistake.message, "`/level` is an integer, and this is a text");
    // Whether all of it is one of few is not known either, and what is beside it is.
    let [mistake] = check(json!({ "token": "", "level": 0 }), &unknown("token")).try_into().unwrap();
    assert_eq!(mistake.message, "`/level` is at least 1, and this is less");
}

#[test]
fn where_nothing_is_given_the_keys_are_missing_that_are_required() {
    let of = |words: Value| schema(words).check_absent().into_iter().map(|mistake| mistake.message).collect::<Vec<_>>();
    assert_eq!(of(json!({ "type": "object", "required": ["a", "b"] })), ["it lacks `a`", "it lacks `b`"]);
    assert_eq!(of(json!({ "type": "object", "minItems": 1 })), [""; 0]);
    assert_eq!(of(json!(false)), [""; 0]);
}

#[test]
fn a_word_that_is_not_checked_is_refused_where_it_stands() {
    let refused = refusal("{\n  \"type\": \"string\",\n  \"pattern\": \"^a\"\n}");
    assert!(refused.starts_with("unknown field `pattern`, expected one of `$schema`, `title`"), "{refused}");
    assert!(refused.ends_with("at line 3 column 11"), "{refused}");
    for text in [
        r##"{ "$ref": "#" }"##,
        r#"{ "$ref": "https://example.org/schema.json" }"#,
        r##"{ "items": { "$ref": "#/$defs/a" } }"##,
        r#"{ "$defs": {} }"#,
        r#"{ "properties": { "a": { "format": "uri" } } }"#,
        r#"{ "anyOf": [{ "patternProperties": {} }] }"#,
    ] {
        assert!(refusal(text).starts_with("unknown field `"), "{text}");
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for (text, expected) in [
        ("3", "invalid type: integer `3`, expected a schema, which is an object, `true` or `false`"),
        (r#"{ "type": "text" }"#, "unknown variant `text`, expected one of `null`, `boolean`,"),
        (r#"{ "type": 3 }"#, "invalid type: integer `3`, expected the name of a type, or an array of such names"),
        (r#"{ "type": null }"#, "invalid type: null, expected the name of a type"),
        (r#"{ "minLength": -1 }"#, "invalid value: integer `-1`, expected u64"),
        (r#"{ "minimum": "1" }"#, "invalid type: string \"1\", expected a JSON number"),
        (r#"{ "anyOf": [] }"#, "`anyOf` and `oneOf` have at least one schema"),
        (r#"{ "type": "null", "type": "object" }"#, "duplicate field `type`"),
        (r#"{ "items": null }"#, "invalid type: null, expected a schema"),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with(expected), "{text}: {refused}");
    }
}

#[test]
fn a_schema_is_shown_as_it_was_written() {
    let words = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "t", "description": "d", "default": null, "examples": [1],
        "type": ["object", "null"],
        "properties": { "a": true, "b": { "type": "string", "minLength": 1, "maxLength": 2 } },
        "required": ["a"],
        "additionalProperties": { "const": null },
        "items": false, "minItems": 1, "maxItems": 2, "minimum": 1, "maximum": 2.5,
        "enum": [[], {}], "anyOf": [{}], "oneOf": [{}],
    });
    assert_eq!(serde_json::to_value(schema(words.clone())).unwrap(), words);
}

#[test]
fn text_of_a_schema_is_safe_to_show_and_bounded() {
    let long = "\u{1b}[2J".repeat(1000);
    let told =
        told(json!({ "required": [long], "enum": [long], "anyOf": [{ "title": long, "type": "null" }] }), &json!({}));
    for line in &told {
        assert!(!line.contains('\u{1b}') && line.len() < 500, "{line}");
    }
    assert_eq!(told.len(), 2);
    let many: Vec<u32> = (0..1000).collect();
    let listed = self::told(json!({ "enum": many }), &json!("x"));
    assert_eq!(listed, ["it is 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 or 988 others, and this is something else"]);
}

#[test]
fn mistakes_are_told_up_to_a_number() {
    let config: Vec<u32> = (0..1000).collect();
    assert_eq!(told(json!({ "items": { "type": "string" } }), &json!(config)).len(), 20);
}

#[test]
fn a_schema_that_is_nested_too_deeply_is_refused_and_one_that_is_not_is_checked() {
    let nested = |depth: usize| format!("{}true{}", r#"{"items":"#.repeat(depth), "}".repeat(depth));
    assert!(refusal(&nested(200)).starts_with("recursion limit exceeded"));
    let deep: ConfigSchema = serde_json::from_str(&nested(100)).unwrap();
    let config: Value = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    assert_eq!(deep.check(&config, &[]), []);
}

#[test]
fn forms_within_forms_cost_no_more_than_the_schema_is_long() {
    // 60 levels, of which each asks for the next in two ways: what is written once is checked once.
    let mut words = json!({ "type": "null" });
    for _ in 0..60 {
        words = json!({ "anyOf": [{ "type": "string" }, words] });
    }
    assert_eq!(told(words, &json!(1)), ["it has none of the forms that it may have"]);
}
