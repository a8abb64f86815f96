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
    /// Why not: `model_not_loaded`, `data_thread_stuck`, `leaving`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<&'static str>,
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

impl Checks {
    /// What is in the way.
    pub(super) fn not_ready(&self) -> Vec<&'static str> {
        let all = [
            (self.model_loaded, "model_not_loaded"),
            (self.data_threads, "data_thread_stuck"),
            (self.serving, "leaving"),
        ];
        let wrong = all.into_iter().filter(|(is_well, _)| !is_well);
        wrong.map(|(_, why)| why).collect()
    }
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
    let reasons = checks.not_ready();
    let readiness = Readiness {
        ready: reasons.is_empty(),
        reasons,
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
