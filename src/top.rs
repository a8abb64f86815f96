//! `sidelight top`: the state of a running agent in a terminal, for machines without a browser.
//!
//! `state` is what is read of the answer to `GET /state`, `between` what two of them say of the time between,
//! `view` makes lines of both, `screen` puts them on a terminal. Where the output is no terminal, one view follows
//! the other. It knows nothing of the agent but that answer.

mod between;
mod screen;
mod state;
mod view;

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    time::Duration,
};

use ::http::StatusCode;

use self::{between::Between, screen::Screen, state::State};
use crate::http::{self, ClientError};

/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest state that is read: what it lists is bounded, and far from this.
const BODY_LIMIT: usize = 8 << 20;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The operator's port of the agent.
    pub address: SocketAddr,
    /// Between two looks.
    pub every: Duration,
    /// One look, and no more.
    pub once: bool,
    /// The model to show; `None`: all.
    pub model: Option<String>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopError {
    /// The agent does not answer.
    #[error("no answer from {address}/state")]
    Asking {
        /// Where it was asked.
        address: SocketAddr,
        /// Why not.
        source: ClientError,
    },
    /// It answers otherwise.
    #[error("{address}/state answers {status}: is it the operator's port of Sidelight?")]
    Status {
        /// Where it was asked.
        address: SocketAddr,
        /// Its status.
        status: StatusCode,
    },
    /// What it answers is no state, or that of another version.
    #[error("{address}/state is not what this version of sidelight reads: {why}")]
    Unread {
        /// Where it was asked.
        address: SocketAddr,
        /// What is wrong with it.
        why: String,
    },
    /// The terminal, or whatever reads this, is gone.
    #[error("cannot write")]
    Writing(#[from] io::Error),
}

/// Shows the state until `stop`, or once. An agent that is away for a while is waited for.
///
/// # Errors
/// When the first look fails, or nobody reads any more.
pub async fn run(options: &Options, stop: impl Future<Output = ()>) -> Result<(), TopError> {
    let mut state = ask(options.address).await?;
    let is_live = !options.once && io::stdout().is_terminal();
    let mut screen = Screen::new(io::stdout(), is_live)?;
    let mut before: Option<State> = None;
    tokio::pin!(stop);
    loop {
        let between = Between::new(before.as_ref(), &state);
        screen.show(&view::lines(&state, &between, options.model.as_deref()))?;
        if options.once {
            return Ok(());
        }
        let next = async {
            loop {
                tokio::time::sleep(options.every).await;
                match ask(options.address).await {
                    Ok(next) => return Ok(next),
                    Err(error) => screen.note(&away(&error))?,
                }
            }
        };
        let next: Result<State, TopError> = tokio::select! {
            next = next => next,
            () = &mut stop => return Ok(()),
        };
        // an agent that began anew has counted from 0
        let next = next?;
        before = Some(std::mem::replace(&mut state, next)).filter(|b| b.is_of_run(&state));
    }
}

async fn ask(address: SocketAddr) -> Result<State, TopError> {
    let host = address.ip().to_string();
    let asking = http::get(&host, address.port(), "/state", PATIENCE, BODY_LIMIT);
    let (status, _, body) = asking
        .await
        .map_err(|source| TopError::Asking { address, source })?;
    if !status.is_success() {
        return Err(TopError::Status { address, status });
    }
    State::read(&body).map_err(|why| TopError::Unread { address, why })
}

fn away(error: &TopError) -> String {
    match error {
        TopError::Asking { source, .. } => format!("{error}: {source}. Waiting for it"),
        error => format!("{error}. Waiting for it"),
    }
}
