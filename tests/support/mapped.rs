//! A job with a dynamic output, for the tests of jobs.

/// A job that gives three files, does something with each, and collects it.
pub fn mapped(check: &str) -> String {
    format!(
        r#"
        [jobs.files.steps.list]
        command = ["python3", "-c", """
import airlock
for key in ("b", "a", "c"):
    airlock.store_text(key * 2, "files", mapping_key=key)
"""]
        outputs.files = {{ type = "text", dynamic = true }}

        [jobs.files.steps.double]
        type = "text"
        inputs.file = {{ each = "list.files" }}
        command = ["sh", "-c", '{check} && cat "$AIRLOCK_INPUT_FILE" "$AIRLOCK_INPUT_FILE" > "$AIRLOCK_OUTPUT"']

        [jobs.files.steps.name]
        type = "text"
        inputs.doubled = {{ each = "double" }}
        command = ["sh", "-c", 'printf "$AIRLOCK_MAPPING_KEY:" > "$AIRLOCK_OUTPUT"; cat "$AIRLOCK_INPUT_DOUBLED" >> "$AIRLOCK_OUTPUT"']

        [jobs.files.steps.all]
        type = "text"
        inputs.names = "name"
        inputs.files = "list.files"
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_NAMES"/* "$AIRLOCK_INPUT_FILES"/* > "$AIRLOCK_OUTPUT"']
        "#
    )
}
