use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

/// The key of a segment that holds no hash.
fn decode(segment: &str) -> Option<String> {
    if segment == "%-" {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(rest.next()?.to_ascii_uppercase()),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            plain => bytes.push(plain),
        }
    }
    String::from_utf8(bytes).ok()
}

fn is_safe(segment: &str) -> bool {
    !segment.is_empty()
        && segment.len() <= SEGMENT_BYTES
        && !segment.starts_with('-')
        && !is_device_name(segment)
        && segment.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'+' | b'%'))
}

#[test]
fn awkward_keys_have_safe_segments_that_differ() {
    let long = "x".repeat(201);
    let longer = "x".repeat(202);
    let keys = [
        "",
        ".",
        "..",
        "...",
        "/",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "a.b",
        "a=b",
        "-a",
        "A",
        "a",
        "+a",
        "%41",
        "con",
        "CON",
        "Con",
        "com1",
        "COM1",
        "lpt9",
        "nul",
        "nul.txt",
        " ",
        "a ",
        "ü",
        "u\u{308}",
        "\u{202e}",
        "\0",
        "\n",
        "%-",
        "%_",
        &long,
        &longer,
    ];
    let mut seen = HashMap::new();
    for key in keys {
        let segment = segment(key);
        assert!(is_safe(&segment), "{key:?} became {segment:?}");
        assert_eq!(seen.insert(segment, key), None, "{key:?}");
    }
}

#[test]
fn the_published_vectors_hold() {
    let document = include_str!("../../../../docs/layout.md");
    let (_, vectors) = document.split_once("## Test vectors").unwrap();
    let mut rows = 0;
    for row in vectors.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('`').collect();
        let key: String = serde_json::from_str(cells[1]).unwrap();
        assert_eq!(segment(&key), cells[3], "{row}");
        rows += 1;
    }
    assert!(rows > 20);
}

#[test]
fn a_long_key_ends_in_its_hash() {
    let segment = segment(&"k".repeat(5000));
    assert_eq!(segment.len(), SEGMENT_BYTES);
    assert_eq!(segment.find("%_"), Some(SEGMENT_BYTES - HASH_DIGITS - 2));
}

#[test]
fn a_long_partition_has_a_segment_of_its_own_that_a_file_can_have() {
    let output = Location::asset(&["a"]);
    let place = |name: &str, key: &str| output.partition(&[(name, key)]).as_str().to_owned();
    let (name, key) = ("n".repeat(60), "K".repeat(120));
    let long = place(&name, &key);
    assert!(long.starts_with(&format!("a/{name}=")) && long.len() == "a/".len() + SEGMENT_BYTES, "{long}");
    assert_ne!(long, place(&name, &"K".repeat(121)));
    assert_ne!(place(&"n".repeat(500), "k"), place(&"n".repeat(501), "k"));
}

#[test]
fn paths_always_have_an_extension() {
    let location = Location::asset(&["sales", "orders"]);
    assert_eq!(location.path("parquet").as_deref(), Ok("sales/orders.parquet"));
    assert_eq!(location.path("csv.gz").as_deref(), Ok("sales/orders.csv.gz"));
    for extension in ["", ".", ".csv", "csv.", "a..b", "a/b", "../x", "CSV", &"x".repeat(33)] {
        assert_eq!(location.path(extension), Err(BadExtension), "{extension:?}");
    }
}

#[test]
fn the_published_places_of_partitions_hold() {
    let document = include_str!("../../../../docs/layout.md");
    let (_, vectors) = document.split_once("## Partitions").unwrap();
    let mut rows = 0;
    for row in vectors.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('`').collect();
        let key: Vec<String> = serde_json::from_str(cells[1]).unwrap();
        let dimensions: Vec<(String, String)> = serde_json::from_str(cells[3]).unwrap();
        assert_eq!(Location::asset(&key).partition(&dimensions).as_str(), cells[5], "{row}");
        rows += 1;
    }
    assert!(rows > 3);
}

/// What no name of a file may hold on some system, and what means something in a path.
const AWKWARD: [&str; 27] = [
    "a", "A", "z", "Z", "0", "-", "_", ".", " ", "/", "\\", ":", "*", "?", "\"", "<", ">", "|", "%", "+", "=", "~",
    "$", "\0", "\n", "\u{7f}", "\u{e9}",
];
/// Pieces that turn into one another by case folding or normalization, that show as nothing or turn a line round, and what
/// the encoder itself writes.
const PIECES: [&str; 40] = [
    "e\u{301}",
    "\u{c5}",
    "A\u{30a}",
    "\u{212b}",
    "\u{df}",
    "ss",
    "\u{1e9e}",
    "SS",
    "\u{130}",
    "i\u{307}",
    "\u{131}",
    "I",
    "\u{17f}",
    "s",
    "K",
    "\u{212a}",
    "\u{fb01}",
    "fi",
    "\u{ff21}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{2024}",
    "\u{ff0e}",
    "\u{1f600}",
    "\u{10ffff}",
    "%41",
    "%2e",
    "+a",
    "%-",
    "%_",
    "..",
    "./",
    "con",
    "NUL",
    "\u{b9}",
    "com",
    "LPT1",
    ".txt",
    "\u{3000}",
];
/// Names that Windows takes for devices, whatever follows a dot.
const DEVICES: [&str; 8] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$", "com\u{b9}"];
/// What a name on Linux, macOS and Windows can have at most, in bytes as in units of UTF-16.
const NAME_BYTES: usize = 255;
/// What every one of them takes in a name, and no folding of case and no normalization changes. A dot or a `=` is not among
/// it: they stand where a path has an extension, a partition or something of Airlock's own.
const PLAIN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_-+%";

/// Whether a file or directory can be called `segment` on Linux, macOS and Windows, with any extension and without one.
fn is_name_everywhere(segment: &str) -> bool {
    let is_port = |rest: &str| rest.len() == 1;
    let is_device = segment.len() < 8
        && (DEVICES.contains(&segment)
            || ["com", "lpt"].iter().any(|name| segment.strip_prefix(name).is_some_and(is_port)));
    !segment.is_empty()
        && segment.len() + 1 + EXTENSION_BYTES <= NAME_BYTES
        && !segment.starts_with('-')
        && !is_device
        && segment.bytes().all(|byte| PLAIN.contains(&byte))
}

/// Keys without end: every short one of awkward characters, devices in every case, keys around the length at which
/// segments are cut, and long ones; of the first and of rows of pieces every `step`th.
fn awkward_keys(step: usize) -> impl Iterator<Item = String> {
    let short = (0..AWKWARD.len().pow(4)).map(|number| spelled(number, &AWKWARD));
    let pieces = (0..PIECES.len().pow(3)).map(|number| format!("{}\u{1}", spelled(number, &PIECES)));
    let ports = ["com", "lpt"].into_iter().flat_map(|device| ('0'..='9').map(move |port| format!("{device}{port}")));
    let devices = DEVICES.into_iter().map(str::to_owned).chain(ports);
    let devices = devices.flat_map(|device| (0..1_usize << device.len()).map(move |cases| in_case(&device, cases)));
    let devices = devices.flat_map(|device| ["", ".", " ", ".a", "%"].map(|end| format!("{device}{end}")));
    let long = (0..500).flat_map(|length| ["k", "K", ".", "\u{e9}", "\u{1f600}"].map(|text| text.repeat(length)));
    // What differs only where a segment is cut off.
    let ends = (0..).map(|number: usize| format!("{}{number}", "x.".repeat(60)));
    devices.chain(long).chain(short.chain(pieces).step_by(step)).chain(ends)
}

/// The row of `pieces` that `number` stands for: its digits, of which the highest is not written where it is zero.
fn spelled(mut number: usize, pieces: &[&str]) -> String {
    let mut key = String::new();
    while number > 0 {
        key.push_str(pieces[number % pieces.len()]);
        number /= pieces.len();
    }
    key
}

/// `text` with those letters in upper case whose bits `cases` has.
fn in_case(text: &str, cases: usize) -> String {
    let letter =
        |(place, letter): (usize, char)| if cases >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
    text.chars().enumerate().map(letter).collect()
}

/// Checks so many of the awkward keys.
fn check_keys(count: usize, step: usize) {
    let mut keys: HashMap<String, String> = HashMap::with_capacity(count);
    for key in awkward_keys(step) {
        let segment = segment(&key);
        assert!(is_name_everywhere(&segment), "{key:?} became {segment:?}");
        if let Some(other) = keys.insert(segment, key.clone()) {
            assert_eq!(other, key, "they have the same segment");
        }
        if keys.len() == count {
            return;
        }
    }
}

#[test]
fn many_keys_have_segments_that_differ_and_that_every_system_takes() {
    check_keys(100_000, 10);
}

#[test]
#[ignore = "it takes some ten seconds where nothing is optimized; `make hostile` runs it"]
fn a_million_keys_have_segments_that_differ_and_that_every_system_takes() {
    check_keys(1_000_000, 1);
}

proptest! {
    #[test]
    fn a_segment_gives_its_key_back(key in "\\PC{0,60}") {
        let segment = segment(&key);
        prop_assert!(is_safe(&segment));
        if segment.len() < SEGMENT_BYTES {
            prop_assert_eq!(decode(&segment), Some(key));
        }
    }
}

#[test]
fn segments_of_different_keys_differ_whatever_the_case() {
    let mut keys = vec![String::new()];
    for length in 0..4 {
        let longest: Vec<String> = keys.iter().filter(|key| key.len() == length).cloned().collect();
        keys.extend(longest.iter().flat_map(|key| "aA.%+-".chars().map(move |last| format!("{key}{last}"))));
    }
    let segments: HashSet<String> = keys.iter().map(|key| segment(key).to_lowercase()).collect();
    assert_eq!((keys.len(), segments.len()), (1555, 1555));
}
