//! `sidelight iris` of a build without the feature `iris`: what it has not.

use std::net::SocketAddr;

use anyhow::bail;

const MISSING: &str = "this build has no Iris server (it was built without the feature `iris`)";

/// Says that there is none.
///
/// # Errors
/// Always.
pub fn serve(_: SocketAddr) -> anyhow::Result<()> {
    bail!(MISSING)
}

/// Says that there is none.
///
/// # Errors
/// Always.
pub fn serve_as_child() -> anyhow::Result<()> {
    bail!(MISSING)
}
