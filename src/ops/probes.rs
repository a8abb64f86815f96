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

#[derive(Serialize)]
struct Checks {
    model_loaded: bool,
    model_version: Option<String>,
    data_threads: bool,
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
    let model = ops.health.model();
    let is_serving = ops.drain.phase() == Phase::Serving;
    let threads_answer = ops.health.data_threads_answer(PATIENCE).await;
    let is_ready = model.loaded && is_serving && threads_answer;
    let readiness = Readiness {
        ready: is_ready,
        checks: Checks {
            model_loaded: model.loaded,
            model_version: model.version.filter(|_| model.loaded),
            data_threads: threads_answer,
            serving: is_serving,
        },
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &readiness)
}

/// The process answers: all that its restart could mend.
pub(super) fn live() -> Response {
    json(StatusCode::OK, &json!({"status": "alive"}))
}
