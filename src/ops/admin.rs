//! Changes to the agent itself.

use ::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::Ops;
use crate::{
    drain::Phase,
    http::{self, Response, error_json},
};

/// Asks for a reload; the answer goes through it.
pub type ReloadRequest = oneshot::Sender<ReloadOutcome>;

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum ReloadOutcome {
    /// The settings that changed are in use.
    Applied {
        /// Full keys.
        changed: Vec<String>,
        /// Full keys of those that wait for a restart.
        needs_restart: Vec<String>,
    },
    /// Nothing that can change live has changed.
    Unchanged {
        /// Full keys of those that wait for a restart.
        needs_restart: Vec<String>,
    },
    /// It holds errors; the settings in use stay.
    Refused {
        /// Each with its full key.
        errors: Vec<String>,
    },
}

impl ReloadOutcome {
    /// Every label value.
    pub const LABELS: [&'static str; 3] = ["applied", "unchanged", "refused"];

    /// The label value.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Applied { .. } => Self::LABELS[0],
            Self::Unchanged { .. } => Self::LABELS[1],
            Self::Refused { .. } => Self::LABELS[2],
        }
    }
}

/// Reads the configuration again.
pub(super) async fn reload(ops: &Ops) -> Response {
    let (reply, answer) = oneshot::channel();
    if ops.reload.try_send(reply).is_err() {
        return error_json(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "the agent is reloading already, or leaves",
        );
    }
    match answer.await {
        Ok(refused @ ReloadOutcome::Refused { .. }) => {
            http::json(StatusCode::UNPROCESSABLE_ENTITY, &refused)
        }
        Ok(outcome) => http::json(StatusCode::OK, &outcome),
        Err(_) => error_json(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "the reload panicked, or the agent leaves",
        ),
    }
}

/// Begins to leave: whoever told this ends the process later. Where the pod goes, the model may go first, and a
/// client that had kept its connection would be told that it is not there.
pub(super) fn leave(ops: &Ops) -> Response {
    if ops.drain.phase() == Phase::Serving {
        tracing::info!("asked to leave: not ready any more");
    }
    ops.drain.advance(Phase::Leaving);
    http::json(StatusCode::OK, &json!({"serving": false}))
}
