//! Media types and the extensions of their files.

/// The media type of what has no other name.
pub const BYTES: &str = "application/octet-stream";

/// The extension of what has no other.
const OTHER: &str = "bin";

/// Storing and loading look at every extension, so the list is short.
const TABLE: [(&str, &str); 12] = [
    (BYTES, OTHER),
    ("application/json", "json"),
    ("text/csv", "csv"),
    ("text/plain", "txt"),
    ("application/x-ndjson", "jsonl"),
    ("application/vnd.apache.arrow.stream", "arrows"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("image/svg+xml", "svg"),
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("application/pdf", "pdf"),
];

/// The extension of a media type, whatever its parameters and its case.
pub fn extension(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let entry = TABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(essence));
    entry.map_or(OTHER, |(_, extension)| extension)
}

/// The media type of an extension.
pub fn of_extension(extension: &str) -> &'static str {
    let entry = TABLE.iter().find(|(_, known)| *known == extension);
    entry.map_or(BYTES, |(media_type, _)| media_type)
}

/// All extensions, in the order in which they are looked for.
pub fn extensions() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(_, extension)| *extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(extension("text/csv; charset=utf-8"), "csv");
        assert_eq!(extension("Application/JSON"), "json");
        assert_eq!(extension("application/x-custom"), "bin");
        assert_eq!(extension(""), "bin");
    }

    #[test]
    fn every_extension_stands_for_one_media_type() {
        for (media_type, known) in TABLE {
            assert_eq!(extension(media_type), known);
            assert_eq!(of_extension(known), media_type);
        }
        assert_eq!(of_extension("dat"), BYTES);
    }
}
