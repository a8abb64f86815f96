//! From HTTP/2 to HTTP/1.1 and back.
//!
//! hyper keeps the rules of RFC 9113 on frames, pseudo-fields and names. These are about what is
//! left: what a readable head of one version means in the other.

use http::{
    HeaderMap, HeaderValue, Uri, Version, header, request,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::super::failure::Failure;

/// What a field takes beside its name and value (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// A head has the bounds of HTTP/1: `max_head` bytes and `max_fields` fields (RFC 6585, section 5).
pub(super) fn refuse_large(
    head: &request::Parts,
    max_head: usize,
    max_fields: usize,
) -> Result<(), Failure> {
    let size_of = |(name, value): (&http::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + FIELD_OVERHEAD
    };
    let size: usize = head.headers.iter().map(size_of).sum();
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if head.headers.len() > max_fields || size + target > max_head {
        return Err(Failure::HeadTooLarge);
    }
    Ok(())
}

/// A value neither begins nor ends with white space, which HTTP/1 would take away
/// (RFC 9113, section 8.2.1).
pub(super) fn refuse_padded(fields: &HeaderMap) -> Result<(), Failure> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_padded = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        is_blank(bytes.first()) || is_blank(bytes.last())
    };
    if fields.values().any(is_padded) {
        return Err(Failure::BadRequest);
    }
    Ok(())
}

/// `:authority` and `Host` name the same, if both are there (RFC 9113, section 8.3.1).
pub(super) fn refuse_another_host(head: &request::Parts) -> Result<(), Failure> {
    let (Some(authority), Some(host)) = (head.uri.authority(), head.headers.get(header::HOST))
    else {
        return Ok(());
    };
    let is_same = host
        .as_bytes()
        .eq_ignore_ascii_case(authority.as_str().as_bytes());
    is_same.then_some(()).ok_or(Failure::BadHost)
}

/// A `Host` that is there is not empty, as it may be in HTTP/1.1 (RFC 9113, section 8.3.1).
pub(super) fn refuse_empty_host(fields: &HeaderMap) -> Result<(), Failure> {
    let is_empty = fields.get(header::HOST).is_some_and(HeaderValue::is_empty);
    (!is_empty).then_some(()).ok_or(Failure::BadHost)
}

/// Crumbs of cookies are one field again (RFC 9113, section 8.2.3).
pub(super) fn join_cookies(fields: &mut HeaderMap) {
    let mut crumbs = fields.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut all = [first.as_bytes(), second.as_bytes()].join(&b"; "[..]);
    for crumb in crumbs {
        all.extend_from_slice(b"; ");
        all.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_maybe_shared(bytes::Bytes::from(all)) {
        fields.insert(header::COOKIE, joined);
    }
}

/// Makes a head that fits HTTP/1.1 fit HTTP/2: `Host` becomes `:authority`, and there are no fields
/// of the connection (RFC 9113, sections 8.2.2 and 8.3.1).
///
/// `authority`: the upstream's, for a `Host` that is empty.
pub(in crate::proxy) fn translate(head: &mut request::Parts, scheme: Scheme, authority: &str) {
    head.headers.remove(header::CONNECTION);
    head.headers.remove(header::TRANSFER_ENCODING);
    let host = head.headers.remove(header::HOST);
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = http::uri::Parts::default();
    parts.authority = host.or_else(|| authority.parse().ok());
    parts.scheme = Some(scheme);
    parts.path_and_query = head
        .uri
        .path_and_query()
        .cloned()
        .or_else(|| Some(PathAndQuery::from_static("/")));
    if let Ok(uri) = Uri::from_parts(parts) {
        head.uri = uri;
    }
    head.version = Version::HTTP_2;
}

#[cfg(test)]
mod tests {
    use http::{Request, request::Builder};

    use super::*;

    fn head(builder: Builder) -> request::Parts {
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_head_is_measured_as_http2_does() {
        let one = head(Request::get("/abc").header("x-a", "1234"));
        let size = 3 + 4 + 32 + 4;
        assert_eq!(refuse_large(&one, size, 1), Ok(()));
        assert_eq!(refuse_large(&one, size - 1, 1), Err(Failure::HeadTooLarge));
        assert_eq!(refuse_large(&one, size, 0), Err(Failure::HeadTooLarge));
    }

    #[test]
    fn a_value_with_blanks_at_an_end_is_refused() {
        for (value, expected) in [
            ("a b", Ok(())),
            ("", Ok(())),
            (" a", Err(Failure::BadRequest)),
            ("a\t", Err(Failure::BadRequest)),
        ] {
            let one = head(Request::get("/").header("x-a", value));
            assert_eq!(refuse_padded(&one.headers), expected, "{value:?}");
        }
    }

    #[test]
    fn host_and_authority_may_not_differ() {
        let judge = |uri: &str, host: &str| {
            refuse_another_host(&head(Request::get(uri).header("host", host)))
        };
        assert_eq!(judge("http://a.test/", "A.test"), Ok(()));
        assert_eq!(judge("/", "b.test"), Ok(()));
        assert_eq!(judge("http://a.test/", "b.test"), Err(Failure::BadHost));
    }

    #[test]
    fn an_empty_host_is_refused() {
        let judge =
            |host: &str| refuse_empty_host(&head(Request::get("/").header("host", host)).headers);
        assert_eq!(judge("a"), Ok(()));
        assert_eq!(judge(""), Err(Failure::BadHost));
    }

    #[test]
    fn cookies_come_together_in_their_order() {
        let mut one = head(
            Request::get("/")
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .header("cookie", "c=3"),
        );
        join_cookies(&mut one.headers);
        let all: Vec<_> = one.headers.get_all("cookie").iter().collect();
        assert_eq!(all, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn host_becomes_the_authority_and_an_empty_one_the_upstreams() {
        let translated = |host: &str, path: &str| {
            let builder = Request::get(path)
                .header("host", host)
                .header("connection", "te");
            let mut one = head(builder);
            translate(&mut one, Scheme::HTTP, "model:8000");
            assert!(one.headers.is_empty());
            one.uri.to_string()
        };
        assert_eq!(translated("a.test:1", "/x?y"), "http://a.test:1/x?y");
        assert_eq!(translated("", "/"), "http://model:8000/");
    }
}
