//! Requests: what passes is canonical, and the next reader reads the same.

use std::{cell::RefCell, convert::Infallible, mem};

use http::{HeaderMap, HeaderValue, Method, Version, header, request};
use http_body_util::Empty;
use hyper::{Request, Response, body::Body, server::conn::http1, service::service_fn};

use super::{
    super::sanitize::{self, Bounds, Wants},
    Wire, run,
};

/// Fields that a proxy must not pass on, but for the two that it may write itself.
const HOP_BY_HOP: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// A head as hyper read it, and whether a body follows.
struct Read {
    head: request::Parts,
    has_body: bool,
}

pub(super) fn check(bytes: &[u8]) {
    for read in heads(bytes) {
        let before = read.head.headers.clone();
        let mut head = read.head;
        let outcome = sanitize::request(&mut head, read.has_body, Bounds::NONE, authority);
        let Ok(wants) = outcome else { continue };
        is_canonical(&head, wants);
        ends_in_one_way(&head.headers, read.has_body);
        nothing_nominated_is_left(&before, &head.headers);
        reads_the_same(&head, wants);
    }
}

fn authority() -> HeaderValue {
    HeaderValue::from_static("model:8000")
}

/// Every head that hyper reads.
fn heads(bytes: &[u8]) -> Vec<Read> {
    let heads = RefCell::new(Vec::new());
    let wire = Wire {
        bytes,
        pieces: [].iter().cycle(),
        seen: |_: &[u8]| Ok(()),
    };
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let has_body = !request.body().is_end_stream();
        let (head, _) = request.into_parts();
        heads.borrow_mut().push(Read { head, has_body });
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new())))
    });
    let connection = http1::Builder::new()
        .max_headers(200)
        .serve_connection(wire, service);
    let _ = run(connection, bytes.len());
    heads.into_inner()
}

fn is_canonical(head: &request::Parts, wants: Wants) {
    assert_eq!(head.version, Version::HTTP_11);
    assert_ne!(head.method, Method::CONNECT);
    assert!(head.uri.scheme().is_none() && head.uri.authority().is_none());
    let is_star = head.uri == "*" && head.method == Method::OPTIONS;
    assert!(head.uri.path().starts_with('/') || is_star, "{}", head.uri);
    assert_eq!(count(&head.headers, "host"), 1);
    let host = head.headers["host"].as_bytes();
    let is_host = |b: &u8| b.is_ascii_graphic() && !b"/?#@\\\"<>^`{|},".contains(b);
    assert!(host.iter().all(|b| is_host(b) || *b == b','), "{host:?}");
    assert!(count(&head.headers, "content-length") <= 1);
    if let Some(length) = head.headers.get(header::CONTENT_LENGTH) {
        assert!(length.as_bytes().iter().all(u8::is_ascii_digit));
    }
    for name in HOP_BY_HOP {
        assert!(!head.headers.contains_key(name), "{name}");
    }
    let own = |name| head.headers.get(name).map(HeaderValue::as_bytes);
    let written = [own("connection"), own("te"), own("upgrade")];
    match wants {
        Wants::Tunnel => {
            assert_eq!(written, [Some(&b"upgrade"[..]), None, Some(b"websocket")]);
        }
        Wants::Answer => {
            let trailers = [Some(&b"te"[..]), Some(b"trailers"), None];
            assert!(written == [None; 3] || written == trailers, "{written:?}");
        }
    }
}

/// A length, or `chunked`, and neither where there is no body but a length of it.
fn ends_in_one_way(fields: &HeaderMap, has_body: bool) {
    let codings: Vec<_> = fields.get_all(header::TRANSFER_ENCODING).iter().collect();
    let is_chunked = has_body && !fields.contains_key(header::CONTENT_LENGTH);
    let expected: &[&str] = if is_chunked { &["chunked"] } else { &[] };
    assert_eq!(codings, expected);
}

fn count(fields: &HeaderMap, name: &str) -> usize {
    fields.get_all(name).iter().count()
}

fn nothing_nominated_is_left(before: &HeaderMap, after: &HeaderMap) {
    let kept = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "upgrade",
    ];
    for value in before.get_all(header::CONNECTION) {
        // what is no text is no name either
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for name in text.split(',').map(str::trim).filter(|n| !kept.contains(n)) {
            assert!(!after.contains_key(name), "{name}");
        }
    }
}

/// The head on the next connection is one request, and nothing is left for the rules to do.
fn reads_the_same(head: &request::Parts, wants: Wants) {
    if head.headers.contains_key(header::MAX_FORWARDS) {
        // is counted down by each who passes it on
        return;
    }
    let mut bytes = format!("{} {} HTTP/1.1\r\n", head.method, head.uri).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    let mut again = heads(&bytes);
    assert_eq!(again.len(), 1, "{}", bytes.escape_ascii());
    let mut read = again.remove(0);
    assert_eq!(mem::take(&mut read.head.headers), head.headers);
    assert_eq!(
        (&read.head.method, &read.head.uri),
        (&head.method, &head.uri)
    );
    read.head.headers = head.headers.clone();
    let outcome = sanitize::request(&mut read.head, read.has_body, Bounds::NONE, authority);
    assert_eq!(outcome, Ok(wants));
    assert_eq!(read.head.headers, head.headers);
}
