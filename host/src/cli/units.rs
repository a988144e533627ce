//! How times and sizes are written, on the command line and in `insula.toml`.

use std::time::Duration;

/// What a time may be written in, and how many nanoseconds that is.
const TIMES: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What a size may be written in, and how many bytes that is. Powers of 1,000 are not among them: who writes one of
/// them for memory means these.
const SIZES: [(&str, u64); 7] =
    [("", 1), ("K", 1 << 10), ("KiB", 1 << 10), ("M", 1 << 20), ("MiB", 1 << 20), ("G", 1 << 30), ("GiB", 1 << 30)];

/// A time: `2s`, `100ms`; a number alone is seconds, as wasmtime's flags have it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let nanos = quantity(text, &TIMES);
    nanos.map(Duration::from_nanos).ok_or_else(|| "a time is written as 10, 10s, 100ms, 5m or 1h".to_owned())
}

/// A number of bytes: `65536`, `64K`, `64MiB`, `1G`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    quantity(text, &SIZES).ok_or_else(|| "a size is written as 65536, 64K, 64MiB or 1G".to_owned())
}

/// A number that is at least one.
pub(super) fn count(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "a number of at least 1 is wanted".to_owned())
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_seconds() {
        for (text, time) in [
            ("3", Duration::from_secs(3)),
            ("3s", Duration::from_secs(3)),
            ("250ms", Duration::from_millis(250)),
            ("7us", Duration::from_micros(7)),
            ("9ns", Duration::from_nanos(9)),
            ("2m", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(duration(text), Ok(time), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1 s", "10d", "99999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_a_power_of_1024() {
        for (text, bytes) in [("512", 512), ("64K", 64 << 10), ("64KiB", 64 << 10), ("3MiB", 3 << 20), ("4G", 4 << 30)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "1KB", "1kb", "-1", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
