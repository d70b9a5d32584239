//! Paths below a mount: resolved by their text alone, which is right because no links are followed.
//!
//! A resolved path has plain segments between single `/`; the empty path is the directory itself.

use crate::limits::PATH_BYTES;

/// Bytes of one segment, as most file systems bound it.
const SEGMENT_BYTES: usize = 255;

/// Airlock's own directory at the root of a mount.
pub(crate) const RESERVED: &str = ".airlock";

/// A path that was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Below the directory that it was resolved in.
    pub path: String,
    /// Whether it can only mean a directory: it ended in `/`, `/.` or `..`.
    pub directory: bool,
}

/// Why a path was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// It is empty.
    Empty,
    /// It holds a NUL or a backslash.
    Invalid,
    /// It or one of its segments is too long.
    TooLong,
    /// It is absolute, or a `..` leads above the root.
    Escape,
}

/// Resolves `path` in the directory `base`, which is a resolved path.
pub(crate) fn resolve(base: &str, path: &str) -> Result<Resolved, PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > PATH_BYTES {
        return Err(PathError::TooLong);
    }
    if path.contains(['\0', '\\']) {
        return Err(PathError::Invalid);
    }
    if path.starts_with('/') {
        return Err(PathError::Escape);
    }
    let mut segments: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(PathError::Escape)?;
            }
            name if name.len() > SEGMENT_BYTES => return Err(PathError::TooLong),
            name => segments.push(name),
        }
    }
    let directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let path = segments.join("/");
    if path.len() > PATH_BYTES {
        return Err(PathError::TooLong);
    }
    Ok(Resolved { path, directory })
}

/// The absolute path that `path` in the absolute directory `base` means, as far as it means anything: for people.
pub(crate) fn absolute(base: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { base };
    let mut segments: Vec<&str> = Vec::new();
    for segment in base.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Whether `path` is as [`resolve`] gives it and leads to something that a call may own.
pub(crate) fn is_plain(path: &str) -> bool {
    resolve("", path).is_ok_and(|resolved| resolved.path == path) && !is_reserved(path)
}

/// Whether the path lies in Airlock's own directory, of this mount or of one within it, also on a file system that
/// ignores case or characters that cannot be seen.
pub(crate) fn is_reserved(path: &str) -> bool {
    let visible = |c: &char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    path.split('/').any(|segment| segment.chars().filter(visible).flat_map(char::to_lowercase).eq(RESERVED.chars()))
}

/// How many segments a path has.
pub(crate) fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.split('/').count() }
}

/// The directory that holds `path`; none for the root.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((parent, _)) => Some(parent),
        None if path.is_empty() => None,
        None => Some(""),
    }
}

/// The last segment.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path of `name` in `directory`.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// The directories between the root and `path`, outermost first, without either.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(end, _)| path.get(..end))
}

/// What of `path` lies below `directory`; none where it does not.
pub(crate) fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    if directory.is_empty() {
        return (!path.is_empty()).then_some(path);
    }
    path.strip_prefix(directory)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, path: &str) -> Result<String, PathError> {
        resolve(base, path).map(|resolved| resolved.path)
    }

    #[test]
    fn dots_and_double_slashes_go() {
        assert_eq!(resolved("", "a//./b/../c/"), Ok("a/c".to_owned()));
        assert_eq!(resolved("a/b", "../c"), Ok("a/c".to_owned()));
        assert_eq!(resolved("a", ".."), Ok(String::new()));
        assert_eq!(resolved("a", "."), Ok("a".to_owned()));
    }

    #[test]
    fn nothing_leads_above_the_root() {
        for path in ["..", "../x", "a/../../x", "./../x", "/", "/etc/passwd", "//x"] {
            assert_eq!(resolved("", path), Err(PathError::Escape), "{path}");
        }
        assert_eq!(resolved("a", "../../x"), Err(PathError::Escape));
    }

    #[test]
    fn names_that_no_file_can_have_are_invalid() {
        assert_eq!(resolved("", ""), Err(PathError::Empty));
        assert_eq!(resolved("", "a\0b"), Err(PathError::Invalid));
        assert_eq!(resolved("", "..\\x"), Err(PathError::Invalid));
        assert_eq!(resolved("", &"x".repeat(256)), Err(PathError::TooLong));
        assert_eq!(resolved("", &"x/".repeat(3000)), Err(PathError::TooLong));
    }

    #[test]
    fn a_path_that_ends_in_a_slash_or_dot_means_a_directory() {
        let directory = |path| resolve("a", path).unwrap().directory;
        assert!(directory("b/") && directory("b/.") && directory("..") && directory("."));
        assert!(!directory("b") && !directory("../b") && !directory("b."));
    }

    #[test]
    fn the_reserved_directory_is_known_in_every_spelling() {
        for path in [
            ".airlock",
            ".airlock/x",
            ".AIRLOCK",
            ".aIrLoCk/locks",
            ".airloc\u{212a}",
            ".air\u{200c}lock",
            "a/.airlock/b",
        ] {
            assert!(is_reserved(path), "{path}");
        }
        for path in ["", "a/airlock", ".airlocks", "airlock"] {
            assert!(!is_reserved(path), "{path}");
        }
    }

    #[test]
    fn people_see_where_an_escape_leads() {
        assert_eq!(absolute("/data", "../etc/passwd"), "/etc/passwd");
        assert_eq!(absolute("/data/a", "../../../x"), "/x");
        assert_eq!(absolute("/data", "/etc//passwd"), "/etc/passwd");
        assert_eq!(absolute("/data", "."), "/data");
    }

    #[test]
    fn a_path_is_taken_apart() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!((parent("a/b"), parent("a"), parent("")), (Some("a"), Some(""), None));
        assert_eq!((below("a/b/c", "a"), below("ab", "a"), below("a", "a")), (Some("b/c"), None, None));
        assert_eq!((below("a", ""), below("", "")), (Some("a"), None));
        assert_eq!((depth(""), depth("a/b")), (0, 2));
    }
}
