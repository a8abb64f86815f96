//! Values as people write them: `3s`, `64 KiB`, `0.05`, `all`.

use std::{fmt, str::FromStr, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

use super::Features;

/// Longest duration that is taken for meant: a year.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Each unit in milliseconds, longest first.
const UNITS: [(&str, u32); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// A number directly followed by its unit: `100ms`, `2.5s`, `1h`; a bare `0` needs none.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let seconds = digits.trim_end().parse::<f64>().ok()? * f64::from(*millis) / 1000.0;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= LONGEST).then_some(duration)
}

/// A duration in the largest unit that leaves a whole number, as it would be written: `90s`, `1h`.
pub fn written(duration: Duration) -> String {
    let millis = duration.as_millis();
    let whole = |(_, unit): &&(&str, u32)| millis.is_multiple_of(u128::from(*unit));
    match UNITS.iter().find(whole) {
        Some((name, unit)) if millis > 0 => format!("{}{name}", millis / u128::from(*unit)),
        _ => "0s".to_owned(),
    }
}

/// A size in the largest binary unit that leaves a whole number: `64KiB`, `100B`.
pub fn written_bytes(bytes: usize) -> String {
    match bytes {
        0 => "0B".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{}GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

const DURATION: &str = "a duration such as 100ms, 5s or 1m, up to 366d";

pub(super) mod duration {
    use super::{DURATION, Deserialize, Deserializer, Duration, de, parse_duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let expected = || de::Error::custom(format_args!("expected {DURATION}"));
        let text = String::deserialize(from).map_err(|_| expected())?;
        parse_duration(&text).ok_or_else(expected)
    }
}

pub(super) mod optional_duration {
    use super::{DURATION, Deserialize, Deserializer, Duration, de, parse_duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let expected = || de::Error::custom(format_args!("expected {DURATION}, or null"));
        Option::<String>::deserialize(from)
            .map_err(|_| expected())?
            .map(|text| parse_duration(&text).ok_or_else(expected))
            .transpose()
    }
}

pub(super) mod bytes {
    use super::{ByteSize, Deserialize, Deserializer, FromStr, de};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        let expected = || de::Error::custom("expected a size such as 65536, 64KiB or 8MiB");
        let text = String::deserialize(from).map_err(|_| expected())?;
        let size = ByteSize::from_str(text.trim()).map_err(|_| expected())?;
        usize::try_from(size.as_u64()).map_err(|_| expected())
    }
}

/// A number in `[0, 1]`.
pub(super) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = || de::Error::custom("expected a number from 0 to 1");
    f64::deserialize(from)
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(expected)
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FeaturesVisitor)
    }
}

struct FeaturesVisitor;

impl<'de> de::Visitor<'de> for FeaturesVisitor {
    type Value = Features;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all, none or a list of feature names")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Features, E> {
        match word {
            "all" => Ok(Features::All),
            "none" => Ok(Features::None),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Features, A::Error> {
        let mut list = Vec::new();
        while let Some(name) = names.next_element()? {
            list.push(name);
        }
        Ok(Features::Named(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("100ms", 100),
            ("2.5s", 2500),
            (" 1m ", 60_000),
            ("1h", 3_600_000),
            ("366d", 366 * 86_400_000),
        ];
        for (text, millis) in cases {
            let expected = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "5", "s", "-1s", "1 week", "1S", "1e400s", "nans", "infs", "367d", "5s5s", "0x1s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_as_it_would_be_read() {
        for (millis, text) in [
            (0, "0s"),
            (1500, "1500ms"),
            (90_000, "90s"),
            (86_400_000, "1d"),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(written(duration), text);
            assert_eq!(parse_duration(text), Some(duration));
        }
    }

    fn read_bytes(text: &str) -> Result<usize, de::value::Error> {
        bytes::deserialize(de::IntoDeserializer::into_deserializer(text))
    }

    #[test]
    fn a_size_may_have_a_unit() {
        for (text, expected) in [("0", 0), ("65536", 65_536), ("64KiB", 65_536)] {
            assert_eq!(read_bytes(text), Ok(expected));
        }
        assert_eq!(read_bytes("64 KiB"), Ok(65_536));
        assert_eq!(read_bytes("1kB"), Ok(1000));
        for text in ["", "-1", "64 apples", "KiB"] {
            assert!(read_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_written_as_it_would_be_read() {
        for size in [0, 1, 1000, 65_536, 8 << 20, 1 << 30] {
            assert_eq!(read_bytes(&written_bytes(size)), Ok(size));
        }
    }
}
