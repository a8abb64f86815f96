//! `sidelight probe`: for containers without a shell.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};

use crate::http;

/// Longest wait for an answer: what container engines allow by default is far more.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const BODY_LIMIT: usize = 64 * 1024;

/// Asks the agent at `address` for `path` and returns what it says, on a line of its own.
///
/// # Errors
/// When it does not answer, or not with 2xx: then with what it said.
pub fn probe(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let host = address.ip().to_string();
    let asking = http::get(&host, address.port(), path, PATIENCE, BODY_LIMIT);
    let (status, _, body) = runtime
        .block_on(asking)
        .with_context(|| format!("no answer from {address}{path}"))?;
    let body = String::from_utf8_lossy(&body);
    if !status.is_success() {
        bail!("{address}{path} answers {status}: {body}");
    }
    Ok(format!("{body}\n"))
}
