//! `sidelight top`: until a signal ends it.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

pub use crate::top::Options;
use crate::top::{self, TopError};

/// Shows the state of a running agent.
///
/// # Errors
/// When it does not answer at first, or what it answers cannot be shown.
pub fn top(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
        let mut hang_up = signal(SignalKind::hangup()).context("signals")?;
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        anyhow::Ok(top::run(options, stop).await)
    })?;
    match outcome {
        // whoever read it has seen enough
        Err(TopError::Writing(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
