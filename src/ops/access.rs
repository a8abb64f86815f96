//! Who may change something, or read a baseline or recent requests: whoever is on this machine, and
//! who knows the token.
//!
//! A browser on this machine is on this machine too, and runs the scripts of any site. So a
//! request of a page from elsewhere is refused, and one that comes by a name that only claims to
//! be this machine, and one that a proxy passed on for somebody else.
//!
//! Reading is for everybody who reaches the port, by whatever name: scrapers and probes of a mesh
//! come from loopback with the pod's name, and what is read is figures, never a body or a secret. Only
//! a baseline and recent requests hold words that passed in bodies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::http::{Request, Response, error_json};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Host may be there once")]
    TwoHosts,
    #[error("a page of another origin may neither change anything nor read a baseline or requests")]
    CrossOrigin,
    #[error(
        "changes, baselines and requests are for this machine alone until ops.token or ops.token_file is set"
    )]
    NotLocal,
    #[error(
        "changes, baselines and requests need from elsewhere the header Authorization: Bearer TOKEN"
    )]
    NoToken,
}

impl Refusal {
    pub(super) fn response(self) -> Response {
        match self {
            Self::TwoHosts => error_json(StatusCode::BAD_REQUEST, "bad_host", self),
            Self::CrossOrigin => error_json(StatusCode::FORBIDDEN, "cross_origin", self),
            Self::NotLocal => error_json(StatusCode::FORBIDDEN, "not_local", self),
            Self::NoToken => {
                let mut response = error_json(StatusCode::UNAUTHORIZED, "token_needed", self);
                let challenge = HeaderValue::from_static("Bearer realm=\"sidelight\"");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
        }
    }
}

/// Whether all who read `request` would say that it is for the same host.
pub(super) fn has_one_host(request: &Request) -> Result<(), Refusal> {
    match request.headers.get_all(header::HOST).iter().count() {
        0 | 1 => Ok(()),
        _ => Err(Refusal::TwoHosts),
    }
}

/// Whether `request` may change something, or read a baseline or recent requests.
pub(super) fn may_change(request: &Request, token: Option<&str>) -> Result<(), Refusal> {
    let fields = &request.headers;
    if token.is_some_and(|token| knows(fields, token)) {
        return Ok(());
    }
    if is_cross_origin(fields) {
        return Err(Refusal::CrossOrigin);
    }
    let is_local =
        is_this_machine(request.peer.ip()) && !is_passed_on(fields) && is_own_name(fields);
    match token {
        _ if is_local => Ok(()),
        Some(_) => Err(Refusal::NoToken),
        None => Err(Refusal::NotLocal),
    }
}

/// Compares in a time that tells neither where they differ nor how long the token is.
fn knows(fields: &HeaderMap, token: &str) -> bool {
    let given = only(fields, &header::AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(given.trim())
    });
    given.is_some_and(|given| Sha256::digest(given).ct_eq(&Sha256::digest(token)).into())
}

fn is_cross_origin(fields: &HeaderMap) -> bool {
    let host = only(fields, &header::HOST).unwrap_or_default();
    let is_foreign = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").map_or(origin, |(_, host)| host) != host
    };
    let is_from_elsewhere =
        |site: &HeaderValue| site.as_bytes() != b"same-origin" && site.as_bytes() != b"none";
    fields.get_all(header::ORIGIN).iter().any(is_foreign)
        || fields
            .get_all("sec-fetch-site")
            .iter()
            .any(is_from_elsewhere)
}

fn is_passed_on(fields: &HeaderMap) -> bool {
    let known = ["forwarded", "via", "x-real-ip", "l5d-client-id"];
    fields.keys().any(|name| {
        let name = name.as_str();
        known.contains(&name) || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-")
    })
}

/// A name that resolves to this machine is not enough: anybody can make one.
fn is_own_name(fields: &HeaderMap) -> bool {
    if !fields.contains_key(header::HOST) {
        return true;
    }
    let Some(host) = only(fields, &header::HOST) else {
        return false;
    };
    let Ok(authority) = host.parse::<::http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(is_this_machine)
}

/// Not all of 127.0.0.0/8: the proxy of a mesh passes on what comes from elsewhere as 127.0.0.6.
fn is_this_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address == IpAddr::V4(Ipv4Addr::LOCALHOST) || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

/// The value of a field that is there once.
fn only<'a>(fields: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = fields.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use ::http::Method;
    use bytes::Bytes;

    use super::*;

    const LOCAL: [u8; 4] = [127, 0, 0, 1];
    const REMOTE: [u8; 4] = [10, 1, 2, 3];

    fn asked(
        peer: impl Into<IpAddr>,
        fields: &[(&'static str, &str)],
        token: Option<&str>,
    ) -> Result<(), Refusal> {
        let headers = fields
            .iter()
            .map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        let request = Request {
            method: Method::POST,
            path: "/drift/baseline".to_owned(),
            query: None,
            headers,
            body: Bytes::new(),
            peer: (peer.into(), 40_000).into(),
        };
        may_change(&request, token)
    }

    #[test]
    fn this_machine_may_and_others_need_the_token() {
        assert_eq!(asked(LOCAL, &[("host", "localhost:9464")], None), Ok(()));
        assert_eq!(asked(LOCAL, &[("host", "[::1]:9464")], Some("t")), Ok(()));
        assert_eq!(asked(REMOTE, &[], None), Err(Refusal::NotLocal));
        assert_eq!(asked(REMOTE, &[], Some("t")), Err(Refusal::NoToken));
        let given = |value| [("authorization", value)];
        assert_eq!(asked(REMOTE, &given("Bearer t"), Some("t")), Ok(()));
        assert_eq!(asked(REMOTE, &given("bearer t"), Some("t")), Ok(()));
        for wrong in ["Bearer", "Bearer ", "Bearer tt", "Bearer T", "Basic t", "t"] {
            assert_eq!(
                asked(REMOTE, &given(wrong), Some("t")),
                Err(Refusal::NoToken)
            );
        }
        assert_eq!(
            asked(REMOTE, &given("Bearer t"), None),
            Err(Refusal::NotLocal)
        );
    }

    #[test]
    fn a_page_of_another_site_may_not_even_from_this_machine() {
        let own = [
            ("host", "localhost:9464"),
            ("origin", "http://localhost:9464"),
        ];
        assert_eq!(asked(LOCAL, &own, None), Ok(()));
        let other = [
            ("host", "localhost:9464"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(asked(LOCAL, &other, None), Err(Refusal::CrossOrigin));
        let opaque = [("host", "localhost:9464"), ("origin", "null")];
        assert_eq!(asked(LOCAL, &opaque, None), Err(Refusal::CrossOrigin));
        let fetch = [("host", "localhost:9464"), ("sec-fetch-site", "cross-site")];
        assert_eq!(asked(LOCAL, &fetch, None), Err(Refusal::CrossOrigin));
    }

    #[test]
    fn a_name_that_was_pointed_at_this_machine_is_not_this_machine() {
        let rebound = [
            ("host", "evil.example:9464"),
            ("origin", "http://evil.example:9464"),
        ];
        assert_eq!(asked(LOCAL, &rebound, None), Err(Refusal::NotLocal));
    }

    #[test]
    fn what_a_proxy_passed_on_is_not_local() {
        let passed = [("host", "localhost"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(asked(LOCAL, &passed, None), Err(Refusal::NotLocal));
        assert_eq!(asked(LOCAL, &passed, Some("t")), Err(Refusal::NoToken));
        for field in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-proto",
            "l5d-client-id",
        ] {
            let passed = [("host", "localhost"), (field, "127.0.0.1")];
            assert_eq!(
                asked(LOCAL, &passed, None),
                Err(Refusal::NotLocal),
                "{field}"
            );
        }
    }

    #[test]
    fn what_claims_to_come_from_this_machine_does_not() {
        let claims = [("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")];
        assert_eq!(asked(REMOTE, &claims, None), Err(Refusal::NotLocal));
    }

    #[test]
    fn this_machine_has_three_addresses_and_a_mesh_uses_others() {
        let local = [("host", "localhost:9464")];
        for (peer, expected) in [
            ("127.0.0.1", Ok(())),
            ("::1", Ok(())),
            ("::ffff:127.0.0.1", Ok(())),
            ("127.0.0.6", Err(Refusal::NotLocal)),
            ("::ffff:10.0.0.1", Err(Refusal::NotLocal)),
            ("::6", Err(Refusal::NotLocal)),
        ] {
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(asked(peer, &local, None), expected, "{peer}");
        }
    }

    #[test]
    fn a_field_that_is_there_twice_proves_nothing() {
        let tokens = [("authorization", "Bearer t"), ("authorization", "Bearer x")];
        for tokens in [tokens, [tokens[1], tokens[0]]] {
            assert_eq!(asked(REMOTE, &tokens, Some("t")), Err(Refusal::NoToken));
        }
        let hosts = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(asked(LOCAL, &hosts, None), Err(Refusal::NotLocal));
        let origins = [
            ("host", "localhost"),
            ("origin", "http://localhost"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(asked(LOCAL, &origins, None), Err(Refusal::CrossOrigin));
    }
}
