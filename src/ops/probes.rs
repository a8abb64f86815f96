//! Health, readiness, liveness, with the course page's fields.

use std::time::Duration;

use ::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Ops;
use crate::{
    drain::Phase,
    http::{Response, json},
    telemetry::Utc,
};

/// How long a data thread may take to show that it lives: below the probes' usual second.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    timestamp: Utc,
    version: &'static str,
    checks: NoChecks,
}

#[derive(Serialize)]
struct NoChecks {}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    checks: Checks,
}

/// What readiness depends on.
#[derive(Serialize)]
pub(super) struct Checks {
    pub(super) model_loaded: bool,
    pub(super) model_version: Option<String>,
    pub(super) data_threads: bool,
    serving: bool,
}

/// The agent runs, whatever the model does.
pub(super) fn health() -> Response {
    let health = Health {
        status: "healthy",
        timestamp: Utc(Timestamp::now()),
        version: env!("CARGO_PKG_VERSION"),
        checks: NoChecks {},
    };
    json(StatusCode::OK, &health)
}

/// A request sent now would be answered by the model.
pub(super) async fn ready(ops: &Ops) -> Response {
    let checks = checks(ops).await;
    let readiness = Readiness {
        ready: checks.model_loaded && checks.serving && checks.data_threads,
        checks,
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &readiness)
}

/// What readiness depends on, now.
pub(super) async fn checks(ops: &Ops) -> Checks {
    let model = ops.health.model();
    let serving = ops.drain.phase() == Phase::Serving;
    Checks {
        data_threads: ops.health.data_threads_answer(PATIENCE).await,
        model_loaded: model.loaded,
        model_version: model.version.filter(|_| model.loaded),
        serving,
    }
}

/// The process answers: all that its restart could mend.
pub(super) fn live() -> Response {
    json(StatusCode::OK, &json!({"status": "alive"}))
}
