//! Values as people write them: `3s`, `64 KiB`, `http://model:8000`, `all`.

use std::{fmt, str::FromStr, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

use super::{Features, Upstream};

/// Longest duration that is taken for meant: a year.
const LONGEST: Duration = Duration::from_hours(366 * 24);

const UNITS: [(&str, f64); 5] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

/// A number directly followed by its unit: `100ms`, `2.5s`, `1h`; a bare `0` needs none.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let seconds = digits.trim_end().parse::<f64>().ok()? * scale;
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= LONGEST).then_some(duration)
}

const DURATION: &str = "a duration such as 100ms, 5s or 1m, up to 366d";

/// A scalar of the file as text: YAML reads `0` as a number and `5s` as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Whole(u64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Whole(number) => number.fmt(f),
            Scalar::Text(text) => text.fmt(f),
        }
    }
}

pub(super) mod duration {
    use super::{DURATION, Deserialize, Deserializer, Duration, Scalar, de, parse_duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = Scalar::deserialize(from)
            .map_err(|_| de::Error::custom(format_args!("expected {DURATION}")))?
            .to_string();
        parse_duration(&text)
            .ok_or_else(|| de::Error::custom(format_args!("expected {DURATION}, found {text:?}")))
    }
}

pub(super) mod optional_duration {
    use super::{DURATION, Deserialize, Deserializer, Duration, Scalar, de, parse_duration};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let expected = || de::Error::custom(format_args!("expected {DURATION}, or null"));
        Option::<Scalar>::deserialize(from)
            .map_err(|_| expected())?
            .map(|text| parse_duration(&text.to_string()).ok_or_else(expected))
            .transpose()
    }
}

pub(super) mod bytes {
    use super::{ByteSize, Deserialize, Deserializer, FromStr, Scalar, de};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        let expected = || de::Error::custom("expected a size such as 65536, 64KiB or 8MiB");
        let text = Scalar::deserialize(from)
            .map_err(|_| expected())?
            .to_string();
        let size = ByteSize::from_str(&text).map_err(|_| expected())?;
        usize::try_from(size.as_u64()).map_err(|_| expected())
    }
}

/// A number in `[0, 1]`.
pub(super) fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(from)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(de::Error::custom(format_args!(
            "expected a number from 0 to 1, found {share}"
        )))
    }
}

/// Why a text is no upstream.
#[derive(Debug, thiserror::Error)]
#[error("expected http://HOST or http://HOST:PORT, found {found:?}{reason}")]
pub struct UpstreamError {
    found: String,
    reason: &'static str,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let refuse = |reason| UpstreamError {
            found: text.to_owned(),
            reason,
        };
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err(refuse(" (TLS to the upstream is not supported)")),
            _ => return Err(refuse("")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(refuse(" (no user name may be given)"));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(refuse(
                " (paths pass as the client sends them, so none may be given)",
            ));
        }
        let parsed: http::uri::Authority = authority.parse().map_err(|_| refuse(""))?;
        let port = match parsed.port() {
            Some(port) => port
                .as_str()
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| refuse(""))?,
            None if authority.ends_with(':') => return Err(refuse("")),
            None => 80,
        };
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(refuse(""));
        }
        Ok(Upstream {
            host: host.to_owned(),
            port,
        })
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            Names(Vec<String>),
        }
        match Written::deserialize(from) {
            Ok(Written::Word(word)) if word == "all" => Ok(Features::All),
            Ok(Written::Word(word)) if word == "none" => Ok(Features::None),
            Ok(Written::Names(names)) => Ok(Features::Named(names)),
            _ => Err(de::Error::custom(
                "expected all, none or a list of feature names",
            )),
        }
    }
}
