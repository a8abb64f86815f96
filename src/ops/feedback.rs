//! Labels: `POST /feedback` takes them, `GET /feedback` says what they say.

use ::http::StatusCode;
use serde_json::json;

use super::Ops;
use crate::{
    feedback::{NoAnswer, posted},
    http::{Request, Response, error_json, json},
};

/// `POST /feedback`
pub(super) async fn post(ops: &Ops, request: &Request) -> Response {
    let Some(desk) = &ops.desk else {
        return not_enabled();
    };
    let body = request.body.clone();
    // some megabytes of labels would keep probes waiting
    let reading = tokio::task::spawn_blocking(move || posted(&body));
    let posted = match reading.await {
        Ok(Ok(posted)) => posted,
        Ok(Err(error)) => {
            return error_json(StatusCode::UNPROCESSABLE_ENTITY, error.reason(), error);
        }
        Err(_) => return no_answer(NoAnswer::Failed),
    };
    // whoever got an answer may have its label at once; a busy observer is not waited for
    let _ = ops.observer.settle().await;
    match desk.join(posted).await {
        Ok(taken) => {
            let is_nothing_valid = taken.invalid > 0
                && taken.joined + taken.duplicate + taken.contradicting == 0
                && taken.late + taken.unknown == 0;
            let status = if is_nothing_valid {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::OK
            };
            json(status, &taken)
        }
        Err(error) => no_answer(error),
    }
}

/// `GET /feedback`
pub(super) async fn get(ops: &Ops, request: &Request) -> Response {
    let Some(desk) = &ops.desk else {
        return not_enabled();
    };
    let [model, version] = ["model", "version"].map(|name| request.query_value(name));
    match desk.stated().await {
        Ok(mut models) => {
            models.retain(|stated| {
                model.as_ref().is_none_or(|model| *model == stated.model)
                    && version.as_ref().is_none_or(|v| *v == stated.model_version)
            });
            json(StatusCode::OK, &json!({ "models": models }))
        }
        Err(error) => no_answer(error),
    }
}

fn not_enabled() -> Response {
    let detail = "predictions are not kept for labels; set feedback.enabled: true and restart";
    error_json(StatusCode::CONFLICT, "not_enabled", detail)
}

fn no_answer(error: NoAnswer) -> Response {
    let (status, reason) = match error {
        NoAnswer::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        NoAnswer::NotSaved => (StatusCode::INSUFFICIENT_STORAGE, "not_saved"),
        NoAnswer::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    };
    error_json(status, reason, error)
}
