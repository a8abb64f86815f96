//! Answers: what passes is canonical.

use http::{HeaderMap, StatusCode, Version, header, response};
use http_body_util::Empty;
use hyper::{Request, client::conn::http1};

use super::{super::sanitize, Wire, run};

pub(super) fn check(bytes: &[u8]) {
    let Some(head) = head(bytes) else { return };
    let mut answer = copy(&head);
    if sanitize::response(&mut answer).is_ok() {
        assert_ne!(answer.status, StatusCode::SWITCHING_PROTOCOLS);
        is_canonical(&head.headers, &answer);
        assert!(!answer.headers.contains_key("upgrade"));
        let mut again = copy(&answer);
        assert_eq!(sanitize::response(&mut again), Ok(()));
        assert_eq!(again.headers, answer.headers);
    }
    let mut agreement = copy(&head);
    if sanitize::agreement(&mut agreement).is_ok() {
        assert_eq!(agreement.headers["upgrade"], "websocket");
        assert_eq!(agreement.headers["connection"], "upgrade");
        assert_eq!(agreement.headers.get_all("connection").iter().count(), 1);
        assert_eq!(agreement.headers.get_all("upgrade").iter().count(), 1);
    }
}

/// The head that hyper reads as the answer to a `GET`.
fn head(bytes: &[u8]) -> Option<response::Parts> {
    let wire = Wire {
        bytes,
        pieces: [].iter().cycle(),
        seen: |_: &[u8]| Ok(()),
    };
    let exchange = async {
        let handshake = http1::Builder::new().handshake(wire).await;
        let (mut sender, connection) = handshake.ok()?;
        let request = Request::get("/").body(Empty::<&[u8]>::new()).ok()?;
        let mut connection = Box::pin(connection);
        let mut answer = Box::pin(sender.send_request(request));
        std::future::poll_fn(|cx| {
            use std::task::Poll;
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.ok());
            }
            let ended = Future::poll(connection.as_mut(), cx).is_ready();
            match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer.ok()),
                Poll::Pending if ended => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    };
    let (head, _) = run(exchange, bytes.len())?.into_parts();
    Some(head)
}

fn copy(head: &response::Parts) -> response::Parts {
    let (mut copy, ()) = hyper::Response::new(()).into_parts();
    copy.status = head.status;
    copy.version = head.version;
    copy.headers = head.headers.clone();
    copy
}

fn is_canonical(before: &HeaderMap, answer: &response::Parts) {
    assert_eq!(answer.version, Version::HTTP_11);
    for name in ["connection", "keep-alive", "proxy-connection", "te"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    let lengths = answer.headers.get_all(header::CONTENT_LENGTH);
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    assert!(lengths.iter().count() <= 1);
    assert!(lengths.iter().all(|length| is_number(length.as_bytes())));
    assert!(!answer.headers.contains_key(header::TRANSFER_ENCODING));
    if before.contains_key(header::TRANSFER_ENCODING) {
        assert!(!answer.headers.contains_key(header::CONTENT_LENGTH));
    }
}
