//! Text that a guest wrote, made safe to show.
//!
//! A guest's text may hold escape sequences that rewrite a terminal, characters that turn the direction of a line
//! round, and commands that a CI system obeys at the start of a line. It becomes safe once, where it enters the host.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// `text`, cut after `limit` bytes, with control, direction and invisible characters written out and what a CI system
/// would obey made harmless: `::` at the start of a line, `##[` and its like anywhere. Line breaks and tabs stay.
///
/// ```
/// use airlock_sandbox::text::safe;
/// assert_eq!(safe("\u{1b}[31mred", 100), "\\u{1b}[31mred");
/// assert_eq!(safe("::set-output name=x::y", 100), "\\::set-output name=x::y");
/// assert_eq!(safe("123456", 3), "123… (3 bytes more)");
/// ```
pub fn safe(text: &str, limit: usize) -> String {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, cut) = text.split_at(end);
    let mut shown = String::with_capacity(kept.len());
    let mut line_start = true;
    let mut rest = kept;
    while let Some(character) = rest.chars().next() {
        let anywhere = ["##[", "##vso[", "##teamcity["].iter().any(|command| rest.starts_with(command));
        // One that has a backslash is harmless already, so that what is safe stays as it is.
        if (anywhere && !shown.ends_with('\\')) || (line_start && rest.starts_with("::")) {
            shown.push('\\');
        }
        line_start = character == '\n' || (line_start && character.is_whitespace());
        push_safe(&mut shown, character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    if !cut.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(shown, "… ({} bytes more)", cut.len());
    }
    shown
}

/// As [`safe`], on one line.
pub fn safe_line(text: &str, limit: usize) -> String {
    safe(text, limit).replace('\n', "\\n").replace('\t', "\\t")
}

/// `sha256:` and the hexadecimal digits of `digest`.
pub(crate) fn sha256_text(digest: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digits = digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    "sha256:".chars().chain(digits).collect()
}

fn push_safe(shown: &mut String, character: char) {
    let directional = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let control = character.is_control() && character != '\n' && character != '\t';
    let invisible = matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    );
    if directional || control || invisible {
        shown.extend(character.escape_unicode());
    } else {
        shown.push(character);
    }
}

/// `sha256:` and the SHA-256 of `bytes` in lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    sha256_text(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_text_round_is_written_out() {
        let hostile = "a\u{9b}2Jb\rc\u{202e}d\u{2066}e\u{0}f\u{7f}";
        assert_eq!(safe(hostile, 100), "a\\u{9b}2Jb\\u{d}c\\u{202e}d\\u{2066}e\\u{0}f\\u{7f}");
    }

    #[test]
    fn commands_of_ci_systems_are_harmless_on_every_line() {
        let hostile = "ok\n::add-mask::x\n  ::stop-commands::y\nz ##[command]z\na ##vso[task]b\na::b";
        let harmless = "ok\n\\::add-mask::x\n  \\::stop-commands::y\nz \\##[command]z\na \\##vso[task]b\na::b";
        assert_eq!(safe(hostile, 1000), harmless);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(safe("üü", 3), "ü… (2 bytes more)");
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(safe_line("a\n\tb", 10), "a\\n\\tb");
    }
}
