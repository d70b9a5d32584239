//! Loading some of the columns.

use airlock_sdk::BuiltInput;

use super::*;

fn with_columns(output: &BuiltOutput, config: &Value, columns: &[&str]) -> BuiltInput {
    let columns = columns.iter().copied();
    build_input_context().asset_key(["people"]).root(root(output)).config(config.clone()).columns(columns).build()
}

#[test]
fn columns_come_in_the_order_of_the_table() {
    for config in formats() {
        let output = stored(&config, &[people()]);
        let loaded = loaded(&with_columns(&output, &config, &["score", "name"])).unwrap();
        assert_eq!(loaded, people().project(&[0, 2]).unwrap(), "{config}");
    }
}

#[test]
fn an_unknown_column_is_named_beside_those_that_there_are() {
    for config in formats() {
        let output = stored(&config, &[people()]);
        let error = with_columns(&output, &config, &["name", "nmae"]).load::<Tables>().unwrap_err();
        let Error::Other(error) = error else { panic!("{error:?}") };
        assert_eq!(error.code, "unknown-column");
        assert_eq!(error.message, "the table has no column \"nmae\"; it has \"name\", \"age\", \"score\"", "{config}");
    }
}

#[test]
fn columns_that_are_not_asked_for_are_not_looked_at() {
    for (format, file, wrong) in [
        ("csv", "people.csv", "name,age,score\nAda,old,1.5\n"),
        ("jsonl", "people.jsonl", "{\"name\":\"Ada\",\"age\":\"old\",\"score\":1.5}\n"),
    ] {
        let config = json!({ "format": format });
        let output = stored(&config, &[people()]);
        std::fs::write(output.directory("/data").join(file), wrong).unwrap();
        assert!(message(&loaded(&input(&output, &config)).unwrap_err()).contains("age"));
        let loaded = loaded(&with_columns(&output, &config, &["name"])).unwrap();
        assert_eq!(loaded, people().project(&[0]).unwrap().slice(0, 1), "{format}");
    }
}
