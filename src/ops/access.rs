//! Who may change something: whoever is on this machine, and who knows the token.
//!
//! A browser on this machine is on this machine too, and runs the scripts of any site. So a
//! request of a page from elsewhere is refused, and one that comes by a name that only claims to
//! be this machine, and one that a proxy passed on for somebody else.

use std::net::IpAddr;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use subtle::ConstantTimeEq;

use crate::http::{Request, Response, error_json};

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a page of another origin may not change anything")]
    CrossOrigin,
    #[error("changes are for this machine alone until ops.token or ops.token_file is set")]
    NotLocal,
    #[error("changes from elsewhere need the header Authorization: Bearer TOKEN")]
    NoToken,
}

impl Refusal {
    pub(super) fn response(self) -> Response {
        match self {
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

/// Whether `request` may change something.
pub(super) fn may_change(request: &Request, token: Option<&str>) -> Result<(), Refusal> {
    let fields = &request.headers;
    if token.is_some_and(|token| knows(fields, token)) {
        return Ok(());
    }
    if is_cross_origin(fields) {
        return Err(Refusal::CrossOrigin);
    }
    let is_local = is_loopback(request.peer.ip()) && !is_passed_on(fields) && is_own_name(fields);
    match token {
        _ if is_local => Ok(()),
        Some(_) => Err(Refusal::NoToken),
        None => Err(Refusal::NotLocal),
    }
}

fn knows(fields: &HeaderMap, token: &str) -> bool {
    let given = text(fields, &header::AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(given.trim())
    });
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

fn is_cross_origin(fields: &HeaderMap) -> bool {
    let host = text(fields, &header::HOST).unwrap_or_default();
    let of_origin = fields.get(header::ORIGIN).map(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").map_or(origin, |(_, host)| host)
    });
    let site = fields.get("sec-fetch-site").map(HeaderValue::as_bytes);
    of_origin.is_some_and(|origin| origin != host)
        || site.is_some_and(|site| site != b"same-origin" && site != b"none")
}

fn is_passed_on(fields: &HeaderMap) -> bool {
    fields.contains_key(header::FORWARDED) || fields.contains_key("x-forwarded-for")
}

/// A name that resolves to this machine is not enough: anybody can make one.
fn is_own_name(fields: &HeaderMap) -> bool {
    let Some(host) = text(fields, &header::HOST) else {
        return true;
    };
    let Ok(authority) = host.parse::<::http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(is_loopback)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn text<'a>(fields: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    fields.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use ::http::Method;
    use bytes::Bytes;

    use super::*;

    const LOCAL: [u8; 4] = [127, 0, 0, 1];
    const REMOTE: [u8; 4] = [10, 1, 2, 3];

    fn asked(
        peer: [u8; 4],
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
            peer: (peer, 40_000).into(),
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
        for wrong in ["Bearer", "Bearer ", "Bearer tt", "Basic t", "t"] {
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
    }
}
