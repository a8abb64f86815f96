//! `sidelight demo` of a build without the feature `iris`: what it has not.

use anyhow::bail;

use crate::cli;

/// Says that there is none.
///
/// # Errors
/// Always.
pub fn run(_: &cli::Demo) -> anyhow::Result<()> {
    bail!(
        "this build has no Iris server to show something with (it was built without the feature `iris`); \
         --upstream URL, without `demo`, starts Sidelight in front of your own model"
    )
}
