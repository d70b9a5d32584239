//! Sizes and times as people write them.

use std::time::Duration;

/// Units of size and their bytes.
const SIZES: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];
/// Units of time and their milliseconds.
const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The bytes of `"256MiB"`, more than 0.
pub fn size(text: &str) -> Option<u64> {
    quantity(text, &SIZES)
}

/// The time of `"30s"`, more than 0.
pub fn time(text: &str) -> Option<Duration> {
    quantity(text, &TIMES).map(Duration::from_millis)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|quantity| *quantity > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_a_unit() {
        assert_eq!(size("256MiB"), Some(256 << 20));
        assert_eq!(size("1 kB"), Some(1000));
        assert_eq!(size("10B"), Some(10));
        assert_eq!(time("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(time("2h"), Some(Duration::from_hours(2)));
        for wrong in
            ["", "256", "MiB", "-1MiB", "1.5MiB", "0MiB", "1mib", "99999999999999999999B", "18446744073709551615KiB"]
        {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        for wrong in ["30", "s", "0s", "30 sec", "1d"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
