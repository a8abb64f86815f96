//! Answers an API server, and tells of it: the two doors of `sidelight webhook`.
//!
//! Emits `sidelight_admissions_total` and `sidelight_admission_duration_seconds`, and a log line for
//! each review.

use std::{future::ready, sync::Arc, time::Instant};

use ::http::{Method, StatusCode};

use super::{
    Options, REASONS,
    review::{self, Reviewed},
};
use crate::{
    drain::{Phase, Watch},
    http::{Handler, Request, Response, content, error_json, text},
    metrics::{Metrics, catalogue},
};

/// Where reviews are posted.
pub const PATH: &str = "/mutate";
/// Largest review. An object of Kubernetes has at most 1.5 MiB, and a review little more.
pub const MAX_REVIEW: usize = 2 << 20;

/// The door of the API server.
pub struct Reviews {
    options: Options,
    metrics: Arc<Metrics>,
}

impl Reviews {
    /// Answers by `options`.
    pub fn new(options: Options, metrics: Arc<Metrics>) -> Self {
        // so that each is there from the start, with 0
        let _ = metrics.counter(&catalogue::ADMISSIONS, &["patched", ""]);
        let _ = metrics.counter(&catalogue::ADMISSIONS, &["refused", "no_review"]);
        for reason in REASONS {
            let _ = metrics.counter(&catalogue::ADMISSIONS, &["skipped", reason]);
        }
        Self { options, metrics }
    }

    fn review(&self, request: &Request) -> Response {
        let began = Instant::now();
        let answer = match review::reviewed(&request.body, &self.options) {
            Ok(reviewed) => {
                self.tell(&reviewed);
                content("application/json", reviewed.body)
            }
            Err(none) => {
                let counter = self
                    .metrics
                    .counter(&catalogue::ADMISSIONS, &["refused", "no_review"]);
                counter.increment(1);
                tracing::warn!(reason = %none, "review refused");
                error_json(StatusCode::BAD_REQUEST, "no_review", none)
            }
        };
        let duration = self.metrics.histogram(&catalogue::ADMISSION_DURATION, &[]);
        duration.record(began.elapsed());
        answer
    }

    fn tell(&self, reviewed: &Reviewed) {
        let labels @ [outcome, reason] = reviewed.labels();
        self.metrics
            .counter(&catalogue::ADMISSIONS, &labels)
            .increment(1);
        let (namespace, pod) = (reviewed.namespace.as_str(), reviewed.pod.as_str());
        tracing::info!(namespace, pod, outcome, reason, "pod reviewed");
    }
}

impl Handler for Reviews {
    fn refuse(&self, request: &Request) -> Option<Response> {
        if request.path != PATH {
            let detail = "reviews are posted to /mutate";
            return Some(error_json(StatusCode::NOT_FOUND, "not_found", detail));
        }
        (request.method != Method::POST).then(|| {
            let detail = "reviews are posted";
            error_json(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
    }

    async fn answer(&self, request: Request) -> Response {
        self.review(&request)
    }
}

/// The door of Prometheus and probes.
pub fn ops(metrics: Arc<Metrics>, leaving: Watch) -> impl Handler {
    move |request: Request| {
        let answer = match request.path.as_str() {
            "/metrics" => content("text/plain; version=0.0.4; charset=utf-8", metrics.render()),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/ready" if leaving.phase() == Phase::Serving => text(StatusCode::OK, "ready\n"),
            "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "leaving\n"),
            _ => {
                let detail = "/metrics, /healthz and /ready are here";
                error_json(StatusCode::NOT_FOUND, "not_found", detail)
            }
        };
        ready(answer)
    }
}
