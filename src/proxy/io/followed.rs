//! The framing beside hyper, on the same bytes: two readers that must agree.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io,
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};

use super::{
    super::fuzzing::{Wire, run},
    BodyEnd,
    framing::Framing,
};

/// What became of a connection.
struct Outcome {
    /// Targets and bodies, as hyper read them; `None`: the body broke.
    read: Vec<(String, Option<Vec<u8>>)>,
    /// A chunk line was not as it must be.
    is_bad: bool,
    /// hyper read all that it began to read.
    is_whole: bool,
}

/// A client's bytes, whole and in pieces: the first says how many of the next are their lengths.
///
/// # Panics
/// When hyper and the framing do not agree where a message ends, or pieces change what is read.
pub fn framing(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let count = usize::from(count % 8).min(rest.len());
    let (pieces, bytes) = rest.split_at(count);
    let whole = follow(bytes, &[]);
    let split = follow(bytes, pieces);
    let told = bytes.escape_ascii();
    if whole.is_bad == split.is_bad {
        // what hyper cannot read may break it sooner or later
        let is_whole = whole.is_whole && split.is_whole;
        assert!(!is_whole || whole.read == split.read, "{told}");
    } else {
        let other = if whole.is_bad { split } else { whole };
        assert!(!other.is_whole, "{told}");
    }
}

fn follow(bytes: &[u8], pieces: &[u8]) -> Outcome {
    let framing = RefCell::new(Framing::new());
    let is_bad = Cell::new(false);
    let read = RefCell::new(Vec::new());
    let broken = |_| {
        is_bad.set(true);
        io::Error::other("bad chunk")
    };
    let wire = Wire {
        bytes,
        pieces: pieces.iter().cycle(),
        seen: |piece: &[u8]| framing.borrow_mut().read(piece).map_err(broken),
    };
    let service = service_fn(|request: Request<Incoming>| {
        // as `Client::head_read` does; when the framing has not seen a head end, it is in no head
        let agrees = framing.borrow().is_in_head();
        assert!(agrees || is_bad.get(), "{}", bytes.escape_ascii());
        let outcome = framing.borrow_mut().head_read(end(&request));
        is_bad.set(is_bad.get() || outcome.is_err());
        let (framing, read) = (&framing, &read);
        async move {
            let target = request.uri().to_string();
            let body = request.into_body().collect().await;
            let body = body.ok().map(|body| body.to_bytes().to_vec());
            // what is not asked to switch stays
            let _ = framing.borrow_mut().stay();
            read.borrow_mut().push((target, body));
            Ok::<_, Infallible>(Response::new(Empty::<&[u8]>::new()))
        }
    });
    let connection = http1::Builder::new()
        .max_headers(200)
        .serve_connection(wire, service);
    let ended = run(connection, bytes.len());
    let read = read.into_inner();
    let framing = framing.into_inner();
    let is_whole = ended.is_ok() && read.iter().all(|(_, body)| body.is_some());
    if is_whole && !is_bad.get() {
        assert!(!framing.is_in_body(), "{}", bytes.escape_ascii());
    }
    Outcome {
        read,
        is_bad: is_bad.get(),
        is_whole,
    }
}

fn end(request: &Request<Incoming>) -> BodyEnd {
    let fields = request.headers();
    let length = request.body().size_hint().exact();
    match length {
        _ if fields.contains_key(http::header::TRANSFER_ENCODING) => BodyEnd::Chunked,
        Some(0) if fields.contains_key(http::header::UPGRADE) => BodyEnd::Undecided,
        length => BodyEnd::Length(length.unwrap_or_default()),
    }
}
