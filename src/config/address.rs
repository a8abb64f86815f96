//! Addresses as people write them: `0.0.0.0:8080`, `localhost:8080`, `https://model:8000`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de};

use super::Upstream;

/// Why a text is no address to listen on.
#[derive(Debug, thiserror::Error)]
#[error("expected HOST:PORT such as 0.0.0.0:8080")]
pub struct ListenError;

/// An address to listen on: `IP:PORT`, `[IPv6]:PORT`, `localhost:PORT`, or `:PORT` for all of IPv4.
///
/// No other name is looked up: what one listens on must not depend on a name server.
///
/// # Errors
/// When it is none of these.
pub fn listen(text: &str) -> Result<SocketAddr, ListenError> {
    let port = |text: &str| text.parse::<u16>().map_err(|_| ListenError);
    let at = |ip: Ipv4Addr, text| Ok(SocketAddr::new(IpAddr::V4(ip), port(text)?));
    match text.rsplit_once(':') {
        Some(("", digits)) => at(Ipv4Addr::UNSPECIFIED, digits),
        Some(("localhost", digits)) => at(Ipv4Addr::LOCALHOST, digits),
        _ => text.parse().map_err(|_| ListenError),
    }
}

pub(super) fn deserialize_listen<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from).map_err(|_| de::Error::custom(ListenError))?;
    listen(&text).map_err(de::Error::custom)
}

/// Why a text is no upstream. Carries no part of it: a user name and password may stand in it.
#[derive(Debug, thiserror::Error)]
#[error("expected http://HOST or http://HOST:PORT, or the same with https://{reason}")]
pub struct UpstreamError {
    reason: &'static str,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let refuse = |reason| UpstreamError { reason };
        let (scheme, rest) = text.split_once("://").ok_or(refuse(""))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(refuse("")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(refuse(" (without user name or password)"));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(refuse(" (without a path: paths pass as clients send them)"));
        }
        let parsed: http::uri::Authority = authority.parse().map_err(|_| refuse(""))?;
        let port = match authority.strip_prefix(parsed.host()) {
            Some("") => Some(if tls { 443 } else { 80 }),
            Some(port) => port.trim_start_matches(':').parse().ok(),
            None => None,
        };
        let port = port.filter(|port| *port != 0).ok_or(refuse(""))?;
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(refuse(""));
        }
        Ok(Upstream {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)
            .map_err(|_| de::Error::custom(UpstreamError { reason: "" }))?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_on_is_a_literal_localhost_or_a_port() {
        for (text, expected) in [
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            ("[::]:80", "[::]:80"),
            ("localhost:1", "127.0.0.1:1"),
            (":8080", "0.0.0.0:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            let address = listen(text).map(|address| address.to_string());
            assert_eq!(address.ok().as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "x",
            "8080",
            "0.0.0.0",
            "model:8080",
            "0.0.0.0:65536",
            "::1",
        ] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_upstream_is_an_http_address() {
        for (text, url) in [
            ("http://model", "http://model:80"),
            ("http://model:8000/", "http://model:8000"),
            ("HTTP://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("http://[::1]", "http://[::1]:80"),
            ("https://model", "https://model:443"),
            ("HTTPS://model:80/", "https://model:80"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            let upstream: Result<Upstream, _> = text.parse();
            let found = upstream.map(|upstream| upstream.url());
            assert_eq!(found.ok().as_deref(), Some(url), "{text}");
        }
    }

    #[test]
    fn what_is_no_upstream_is_refused_with_a_reason_and_without_its_password() {
        let cases = [
            ("model:8000", "expected http://HOST"),
            ("ftp://model", "https://"),
            ("http://model/v1", "without a path"),
            ("http://me:hunter2@model", "without user name"),
            ("http://", "expected"),
            ("http://:80", "expected"),
            ("http://model:", "expected"),
            ("http://model:0", "expected"),
            ("http://model:99999", "expected"),
            ("http://a b", "expected"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Upstream>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"));
        }
    }
}
