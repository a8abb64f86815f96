//! `drift.notify`: who is told that a drift begins or ends.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Given, PemFile, Upstream, units};

/// One entry of `drift.notify`. One that is a text alone is its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where notices are posted: [`address`](Self::address) takes it apart. A secret, for some receivers
    /// know senders by it.
    pub url: Given,
    /// Fields of the request's head besides its own.
    pub headers: Vec<(String, Given)>,
    /// Who signs the receiver's certificate; `None`: the roots of the system.
    pub ca_file: Option<PemFile>,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// How long a notice is tried again.
    pub give_up_after: Duration,
    /// Most notices that wait; beyond it the oldest is dropped.
    pub max_queued: usize,
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Scheme, host and port, which may be shown.
    pub server: Upstream,
    /// Path and query, which may hold a secret.
    pub path: super::Secret,
}

/// Why a URL leads nowhere. Carries no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http:// or https:// with HOST or HOST:PORT and a path{0}, found something else")]
pub struct NoAddress(&'static str);

impl Target {
    /// Where its URL leads.
    ///
    /// # Errors
    /// When it is none.
    pub fn address(&self) -> Result<Address, NoAddress> {
        self.url.as_str().parse()
    }

    /// Every text that may come from a file, with its key below the entry.
    pub(super) fn given_mut(&mut self) -> impl Iterator<Item = (String, &mut Given)> {
        let headers = self.headers.iter_mut();
        let headers = headers.map(|(name, value)| (format!("headers.{name}"), value));
        std::iter::once(("url".to_owned(), &mut self.url)).chain(headers)
    }

    /// The files that its texts come from.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let values = self.headers.iter().map(|(_, value)| value);
        std::iter::once(&self.url)
            .chain(values)
            .filter_map(Given::file)
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(url: &str) -> Result<Self, NoAddress> {
        let (scheme, rest) = url.split_once("://").ok_or(NoAddress(""))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            let instead = ", without user name or password (headers may have an Authorization)";
            return Err(NoAddress(instead));
        }
        let is_sent = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !path.bytes().all(is_sent) {
            return Err(NoAddress(" as it is sent: visible ASCII without #"));
        }
        let server = format!("{scheme}://{authority}").parse();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{path}");
        if path.parse::<http::uri::PathAndQuery>().is_err() {
            return Err(NoAddress(" as it is sent"));
        }
        Ok(Self {
            server: server.map_err(|_| NoAddress(""))?,
            path: path.into(),
        })
    }
}

/// The keys of an entry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    url: Given,
    #[serde(default, deserialize_with = "headers")]
    headers: Vec<(String, Given)>,
    #[serde(default)]
    ca_file: Option<PemFile>,
    #[serde(default = "timeout", with = "units::duration")]
    timeout: Duration,
    #[serde(default = "give_up_after", with = "units::duration")]
    give_up_after: Duration,
    #[serde(default = "max_queued")]
    max_queued: usize,
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}

fn give_up_after() -> Duration {
    Duration::from_hours(1)
}

fn max_queued() -> usize {
    1000
}

impl From<Given> for Target {
    fn from(url: Given) -> Self {
        Self {
            url,
            headers: Vec::new(),
            ca_file: None,
            timeout: timeout(),
            give_up_after: give_up_after(),
            max_queued: max_queued(),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or url and other keys with their values")
            }

            fn visit_str<E>(self, url: &str) -> Result<Target, E> {
                Ok(Target::from(Given::from(url)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                let keys = Keys::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Target {
                    url: keys.url,
                    headers: keys.headers,
                    ca_file: keys.ca_file,
                    timeout: keys.timeout,
                    give_up_after: keys.give_up_after,
                    max_queued: keys.max_queued,
                })
            }
        }

        deserializer.deserialize_any(AsWritten)
    }
}

/// A list. What stands there instead may be a URL, which is not shown.
pub(super) fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    struct AsWritten;

    impl<'de> Visitor<'de> for AsWritten {
        type Value = Vec<Target>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of targets")
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom("expected a list of targets, found a text"))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut targets = Vec::new();
            while let Some(target) = list.next_element()? {
                targets.push(target);
            }
            Ok(targets)
        }
    }

    deserializer.deserialize_any(AsWritten)
}

/// Names with values. What stands there instead may be a value, which is not shown.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Given)>, D::Error> {
    struct AsWritten;

    impl<'de> Visitor<'de> for AsWritten {
        type Value = Vec<(String, Given)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("names of fields with their values")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom(
                "expected names of fields with their values, found a text",
            ))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Err(de::Error::custom(
                "expected names of fields with their values, found a list",
            ))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut named = Vec::new();
            while let Some(entry) = map.next_entry()? {
                named.push(entry);
            }
            Ok(named)
        }
    }

    deserializer.deserialize_any(AsWritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::documented;

    fn address(url: &str) -> Result<(String, String), String> {
        let address = Target::from(Given::from(url)).address();
        let shown = |a: Address| (a.server.url(), a.path.to_string());
        address.map(shown).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_leads_to_a_server_and_a_path() {
        for (url, server, path) in [
            ("http://hook", "http://hook:80", "/"),
            ("https://hook/a/b?c=d", "https://hook:443", "/a/b?c=d"),
            ("https://hook:8443?c=d", "https://hook:8443", "/?c=d"),
            ("http://[::1]:1/a", "http://[::1]:1", "/a"),
        ] {
            let expected = Ok((server.to_owned(), path.to_owned()));
            assert_eq!(address(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_and_not_shown() {
        for url in [
            "",
            "hook/hunter2",
            "ftp://hook/hunter2",
            "http://me:hunter2@hook/",
            "http://hook/a b?hunter2",
            "http://hook/#hunter2",
            "http:///hunter2",
        ] {
            let error = address(url).expect_err(url);
            assert!(error.starts_with("expected http:// or https://"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_default_file_has_the_defaults_of_an_entry() {
        let comment = documented::comment("drift.notify");
        let target = Target::from(Given::from("x"));
        for (key, value) in [
            ("timeout", units::written(target.timeout)),
            ("give_up_after", units::written(target.give_up_after)),
            ("max_queued", target.max_queued.to_string()),
        ] {
            assert!(comment.contains(&format!("{key}: {value} ")), "{key}");
        }
    }
}
