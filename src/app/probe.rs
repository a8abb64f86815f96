//! `sidelight probe` and `sidelight leave`: for containers without a shell.

use std::{net::SocketAddr, time::Duration};

use ::http::{HeaderMap, StatusCode};
use anyhow::{Context, bail};
use bytes::Bytes;

use crate::http::{self, ClientError};

/// Longest wait for an answer: what container engines allow by default is far more.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const BODY_LIMIT: usize = 64 * 1024;

/// Asks the agent at `address` for `path` and returns what it says, on a line of its own.
///
/// # Errors
/// When it does not answer, or not with 2xx: then with what it said.
pub fn probe(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let host = address.ip().to_string();
    let asking = http::get(&host, address.port(), path, PATIENCE, BODY_LIMIT);
    Ok(format!("{}\n", said(asking, address, path)?))
}

/// Has the agent at `address` leave: it serves on, and is not ready.
///
/// # Errors
/// When it does not answer, or not with 2xx: then with what it said.
pub fn leave(address: SocketAddr) -> anyhow::Result<()> {
    let path = "/admin/leave";
    let host = address.ip().to_string();
    let at = (host.as_str(), address.port());
    let (fields, body) = (HeaderMap::new(), Bytes::new());
    let connecting = http::connect(at.0, at.1);
    let asking = http::post_over(connecting, at, path, &fields, body, PATIENCE);
    said(asking, address, path).map(drop)
}

type Answer = Result<(StatusCode, HeaderMap, Bytes), ClientError>;

/// The body of an answer that is a good one.
fn said(
    asking: impl Future<Output = Answer>,
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (status, _, body) = runtime
        .block_on(asking)
        .with_context(|| format!("no answer from {address}{path}"))?;
    let body = String::from_utf8_lossy(&body);
    if !status.is_success() {
        bail!("{address}{path} answers {status}: {body}");
    }
    Ok(body.into_owned())
}
