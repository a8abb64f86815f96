//! In which version of HTTP a request goes out.

use std::rc::Rc;

use http::{HeaderMap, Version};

use super::{
    failure::Failure,
    thread::Thread,
    upstream::{Found, spoken::Tongue},
};
pub(super) use crate::capture::grpc::is_call as is_grpc;
use crate::config::UpstreamProtocol;

/// The version of one request to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Http1,
    Http2,
}

/// Chooses for a request that came in `version` with `fields`.
///
/// A message keeps its version where it can: an upstream that was asked in HTTP/1.1 before is asked
/// so with Sidelight in front of it. Whether it speaks HTTP/2 is found out on a connection, when a
/// request wants that and nobody knows; gRPC is HTTP/2 by definition.
pub(super) async fn choose(
    thread: &Rc<Thread>,
    version: Version,
    fields: &HeaderMap,
) -> Result<Way, Failure> {
    let protocol = thread.settings.borrow().upstream_protocol;
    match protocol {
        UpstreamProtocol::Http1 => return Ok(Way::Http1),
        UpstreamProtocol::Http2 => return Ok(Way::Http2),
        UpstreamProtocol::Auto if is_grpc(fields) => return Ok(Way::Http2),
        UpstreamProtocol::Auto => {}
    }
    let is_http2 = version == Version::HTTP_2;
    match thread.spoken.get() {
        Tongue::OnlyHttp2 => Ok(Way::Http2),
        Tongue::Http2 if is_http2 => Ok(Way::Http2),
        Tongue::Unknown if is_http2 => Box::pin(find_out(thread)).await,
        Tongue::Http1 | Tongue::Http2 | Tongue::Unknown => Ok(Way::Http1),
    }
}

async fn find_out(thread: &Rc<Thread>) -> Result<Way, Failure> {
    let patience = thread.settings.borrow().connect_timeout;
    let (tongue, way) = match thread.multiplexed.find_out(thread, patience).await? {
        Found::Http2 => (Tongue::Http2, Way::Http2),
        Found::Http1 => (Tongue::Http1, Way::Http1),
        // the next one asks again
        Found::Nothing => return Ok(Way::Http1),
    };
    thread.spoken.found(tongue);
    Ok(way)
}
