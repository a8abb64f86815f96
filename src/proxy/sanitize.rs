//! What may be forwarded: one rule per function, each with its source.
//!
//! hyper has read the head by then: names are tokens, values hold no control characters, lines
//! end as they must. These rules are about what a readable head means. A request that breaks one
//! is refused, not repaired: what one reader repairs, the next reads otherwise.

mod coding;
mod connection;
mod expect;
mod forwards;
mod host;
mod http2;
mod target;
mod upgrade;

use http::{HeaderValue, Version, request, response};

use super::failure::Failure;

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// An answer.
    Answer,
    /// A WebSocket: a tunnel, once the upstream agrees.
    Tunnel,
}

/// The bounds of a head, which hyper keeps for HTTP/1 alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) max_head: usize,
    pub(super) max_fields: usize,
}

#[cfg(any(test, fuzzing, feature = "bench"))]
impl Bounds {
    pub(super) const NONE: Self = Self {
        max_head: usize::MAX,
        max_fields: usize::MAX,
    };
}

/// Makes a request's head fit for a connection of HTTP/1.1 to the upstream.
///
/// `authority`: gives `Host` to a client of HTTP/1.0 that sent none.
pub(super) fn request(
    head: &mut request::Parts,
    has_body: bool,
    bounds: Bounds,
    authority: impl FnOnce() -> HeaderValue,
) -> Result<Wants, Failure> {
    if head.version == Version::HTTP_2 {
        of_http2(head, bounds)?;
    }
    target::refuse_connect(&head.method)?;
    host::refuse_unclear(head.version, &head.headers)?;
    target::refuse_invalid(&head.method, &head.uri)?;
    forwards::count_down(&head.method, &mut head.headers)?;
    let wants = if connection::is_named(&head.headers) {
        of_connection(head, has_body)?
    } else {
        Wants::Answer
    };
    coding::delimit(&mut head.headers, has_body);
    target::use_origin_form(head);
    host::ensure(&mut head.headers, authority);
    expect::ignore_of_old(head.version, &mut head.headers);
    head.version = Version::HTTP_11;
    Ok(wants)
}

/// What only concerns heads with fields of their connection, which most are without.
fn of_connection(head: &mut request::Parts, has_body: bool) -> Result<Wants, Failure> {
    coding::refuse_unknown(&head.headers)?;
    connection::refuse_unreadable(&head.headers)?;
    let wants = upgrade::wanted(head, has_body);
    let takes_trailers = connection::takes_trailers(&head.headers);
    connection::remove(&mut head.headers);
    match wants {
        Wants::Tunnel => upgrade::ask(&mut head.headers),
        Wants::Answer if takes_trailers => connection::ask_for_trailers(&mut head.headers),
        Wants::Answer => {}
    }
    Ok(wants)
}

fn of_http2(head: &mut request::Parts, bounds: Bounds) -> Result<(), Failure> {
    http2::refuse_large(head, bounds.max_head, bounds.max_fields)?;
    http2::refuse_padded(&head.headers)?;
    http2::refuse_another_host(head)?;
    http2::refuse_empty_host(&head.headers)?;
    http2::join_cookies(&mut head.headers);
    if let Some(authority) = head.uri.authority() {
        host::take(&mut head.headers, authority)?;
    }
    Ok(())
}

/// Makes an answer's head fit for the connection to the client.
pub(super) fn response(head: &mut response::Parts) -> Result<(), Failure> {
    upgrade::refuse_unasked(head.status)?;
    coding::settle_length(&mut head.headers)?;
    connection::remove(&mut head.headers);
    head.version = Version::HTTP_11;
    Ok(())
}

/// Makes the head that agrees to a tunnel fit for the client, which asked for it.
pub(super) fn agreement(head: &mut response::Parts) -> Result<(), Failure> {
    upgrade::refuse_another(&head.headers)?;
    connection::remove(&mut head.headers);
    upgrade::ask(&mut head.headers);
    head.version = Version::HTTP_11;
    Ok(())
}

pub(super) use coding::is_ambiguous;
pub(super) use connection::remove as remove_hop_by_hop;
pub(super) use connection::takes_trailers;
pub(super) use expect::waits;
pub(super) use http2::translate;

/// The comma-separated members of all values, without the empty ones (RFC 9110, section 5.6.1).
///
/// As bytes: one member that is no text must not hide the others.
pub(super) fn members<'a>(
    fields: &'a http::HeaderMap,
    name: &http::HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Request, Response, request::Builder};

    use super::*;

    fn tried(builder: Builder) -> Result<request::Parts, Failure> {
        let mut head = builder.body(()).unwrap().into_parts().0;
        let authority = || HeaderValue::from_static("model:8000");
        request(&mut head, false, Bounds::NONE, authority).map(|_| head)
    }

    fn names(head: &request::Parts) -> Vec<&str> {
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn connection_fields_and_those_it_nominates_end_here() {
        let head = tried(
            Request::get("/")
                .header("host", "a")
                .header("connection", "keep-alive, X-One")
                .header("connection", "x-two")
                .header("keep-alive", "timeout=5")
                .header("upgrade", "h2c")
                .header("http2-settings", "AAMAAABk")
                .header("te", "gzip;q=0.5")
                .header("x-one", "1")
                .header("x-two", "2")
                .header("x-two", "22")
                .header("x-three", "3"),
        );
        assert_eq!(names(&head.unwrap()), ["host", "x-three"]);
    }

    #[test]
    fn a_member_that_is_no_text_hides_none_of_the_others() {
        let codings = http::HeaderValue::from_bytes(b"\xcb, trailers").unwrap();
        let head = tried(Request::get("/").header("host", "a").header("te", codings));
        assert_eq!(head.unwrap().headers["te"], "trailers");
        let length = http::HeaderValue::from_bytes(b"5, \xb5").unwrap();
        let answer = Response::builder().header("content-length", length);
        let mut head = answer.body(()).unwrap().into_parts().0;
        assert_eq!(super::response(&mut head), Err(Failure::BadAnswer));
    }

    #[test]
    fn framing_cannot_be_nominated_away() {
        let head = tried(
            Request::post("/")
                .header("connection", "host, content-length")
                .header("host", "a")
                .header("content-length", "3"),
        );
        assert_eq!(names(&head.unwrap()), ["content-length", "host"]);
    }

    #[test]
    fn an_absolute_target_becomes_origin_form_and_names_the_host() {
        let head = tried(Request::get("http://a.example/x?y=1").header("host", "b.example"));
        let head = head.unwrap();
        assert_eq!(head.uri, "/x?y=1");
        assert_eq!(head.headers["host"], "a.example");
    }

    #[test]
    fn an_absolute_target_of_a_host_and_a_fragment_becomes_a_path() {
        let head = tried(Request::get("http://a.example#x").header("host", "a.example"));
        assert_eq!(head.unwrap().uri.to_string(), "/");
        let head = tried(Request::get("http://a.example?x").header("host", "a.example"));
        assert_eq!(head.unwrap().uri.to_string(), "/?x");
    }

    #[test]
    fn who_takes_trailers_still_does() {
        let head = tried(
            Request::get("/")
                .header("host", "a")
                .header("te", "gzip;q=0.5, Trailers"),
        );
        let head = head.unwrap();
        assert_eq!(head.headers["te"], "trailers");
        assert_eq!(head.headers["connection"], "te");
    }

    #[test]
    fn only_a_websocket_may_be_switched_to() {
        let wants = |upgrade: &str, connection: &str, has_body| {
            let builder = Request::get("/")
                .header("host", "a")
                .header("upgrade", upgrade)
                .header("connection", connection);
            let mut head = builder.body(()).unwrap().into_parts().0;
            request(&mut head, has_body, Bounds::NONE, || unreachable!()).unwrap()
        };
        assert_eq!(
            wants("WebSocket", "keep-alive, Upgrade", false),
            Wants::Tunnel
        );
        assert_eq!(
            wants("h2c", "Upgrade, HTTP2-Settings", false),
            Wants::Answer
        );
        assert_eq!(wants("websocket", "keep-alive", false), Wants::Answer);
        assert_eq!(wants("websocket", "upgrade", true), Wants::Answer);
    }

    #[test]
    fn a_stream_of_http2_becomes_a_request_of_http1() {
        let head = tried(
            Request::get("http://a.test/x")
                .version(Version::HTTP_2)
                .header("te", "trailers")
                .header("cookie", "a=1")
                .header("cookie", "b=2"),
        );
        let head = head.unwrap();
        assert_eq!(
            (head.uri.to_string().as_str(), head.version),
            ("/x", Version::HTTP_11)
        );
        assert_eq!(head.headers["host"], "a.test");
        assert_eq!(head.headers["te"], "trailers");
        assert_eq!(head.headers["cookie"], "a=1; b=2");
    }

    #[test]
    fn a_stream_without_authority_or_host_is_refused() {
        let bare = tried(Request::get("/x").version(Version::HTTP_2));
        assert_eq!(bare.err(), Some(Failure::BadHost));
        let with_user = tried(Request::get("http://u@a.test/x").version(Version::HTTP_2));
        assert_eq!(with_user.err(), Some(Failure::BadHost));
    }

    #[test]
    fn an_answer_loses_the_fields_of_its_connection() {
        let response = Response::builder()
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=1")
            .header("proxy-connection", "close")
            .header("x-end", "1");
        let mut head = response.body(()).unwrap().into_parts().0;
        super::response(&mut head).unwrap();
        assert_eq!(head.headers.len(), 1);
    }
}
