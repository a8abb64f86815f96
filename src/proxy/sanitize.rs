//! What may be forwarded: one rule per function, each with its source.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version,
    header::{self, Entry},
    request, response,
    uri::PathAndQuery,
};

/// Fields that belong to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Makes a request's head fit for the connection to the upstream.
pub(super) fn request(head: &mut request::Parts, authority: &HeaderValue) {
    remove_hop_by_hop(&mut head.headers);
    use_origin_form(head);
    ensure_host(&mut head.headers, authority);
    head.version = Version::HTTP_11;
}

/// Makes an answer's head fit for the connection to the client.
pub(super) fn response(head: &mut response::Parts) {
    remove_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
}

/// Connection-nominated and hop-by-hop fields end here (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(fields: &mut HeaderMap) {
    let nominated: Vec<HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in HOP_BY_HOP.iter().chain(&nominated) {
        if let Entry::Occupied(entry) = fields.entry(name) {
            entry.remove_entry_mult();
        }
    }
}

/// An origin server is asked in origin-form; the authority of an absolute-form target replaces
/// `Host` (RFC 9112, sections 3.2.1 and 3.2.2).
fn use_origin_form(head: &mut request::Parts) {
    if head.uri.authority().is_none() {
        return;
    }
    if let Some(host) = head
        .uri
        .authority()
        .and_then(|a| HeaderValue::from_str(a.as_str()).ok())
    {
        head.headers.insert(header::HOST, host);
    }
    let target = head.uri.path_and_query().cloned();
    head.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
}

/// HTTP/1.1 requires `Host`, which an HTTP/1.0 client may leave out (RFC 9112, section 3.2).
fn ensure_host(fields: &mut HeaderMap, authority: &HeaderValue) {
    if !fields.contains_key(header::HOST) {
        fields.insert(header::HOST, authority.clone());
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn sanitized(builder: http::request::Builder) -> request::Parts {
        let mut head = builder.body(()).unwrap().into_parts().0;
        request(&mut head, &HeaderValue::from_static("model:8000"));
        head
    }

    #[test]
    fn connection_fields_and_those_it_nominates_end_here() {
        let head = sanitized(
            Request::get("/")
                .header("connection", "keep-alive, X-One")
                .header("connection", "x-two")
                .header("keep-alive", "timeout=5")
                .header("upgrade", "h2c")
                .header("te", "trailers")
                .header("x-one", "1")
                .header("x-two", "2")
                .header("x-three", "3"),
        );
        let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.contains(&"x-three") && names.contains(&"host"));
    }

    #[test]
    fn framing_cannot_be_nominated_away() {
        let head = sanitized(
            Request::post("/")
                .header("connection", "host, content-length")
                .header("host", "a")
                .header("content-length", "3"),
        );
        assert_eq!(head.headers["host"], "a");
        assert_eq!(head.headers["content-length"], "3");
    }

    #[test]
    fn an_absolute_target_becomes_origin_form_and_names_the_host() {
        let head = sanitized(Request::get("http://a.example/x?y=1").header("host", "b.example"));
        assert_eq!(head.uri, "/x?y=1");
        assert_eq!(head.headers["host"], "a.example");
    }

    #[test]
    fn a_missing_host_is_filled_in() {
        assert_eq!(sanitized(Request::get("/")).headers["host"], "model:8000");
    }
}
