//! Confidence drift with the course page's fields: `GET /drift`, `POST /drift/baseline`.

use std::{error::Error, fmt::Display, sync::Arc};

use ::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::{Ops, keeper::Unchanged};
use crate::{
    drift::{Baseline, Key},
    http::{Request, Response, error_json, json},
    observe::command::{Unavailable, Which},
};

/// `GET /drift`
pub(super) async fn get(ops: &Ops, request: &Request) -> Response {
    let version = request.query_value("version");
    let which = match (request.query_value("model"), version) {
        (None, None) => Which::Latest,
        (model, version) => Which::Of {
            model: model.unwrap_or_else(|| ops.settings.borrow().model.name.clone()),
            version,
        },
    };
    match ops.verdicts(which).await.as_deref() {
        Ok([judged]) => json(StatusCode::OK, &judged.verdict),
        Ok(_) => error_json(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "the check failed",
        ),
        Err(error) => unavailable(*error),
    }
}

/// `POST /drift/baseline`
pub(super) async fn set_baseline(ops: &Ops, request: &Request) -> Response {
    let limit = ops.settings.borrow().drift.max_baseline;
    let values: Vec<f64> = match serde_json::from_slice(&request.body) {
        Ok(values) => values,
        Err(error) => {
            let detail = format_args!("expected a JSON list of numbers: {error}");
            return refused("not_a_list_of_numbers", detail);
        }
    };
    let samples = values.len();
    let baseline = match Baseline::new(values, limit, Timestamp::now()) {
        Ok(baseline) => baseline,
        Err(error) => return refused(error.reason(), error),
    };
    let (key, mean, std) = (key(request), baseline.mean(), baseline.std());
    if let Err(unchanged) = change(ops, key.clone(), Some(baseline)).await {
        return of_unchanged(&unchanged);
    }
    let (model, model_version) = (key.model.as_deref(), key.version.as_deref());
    tracing::info!(samples, mean, std, model, model_version, "Baseline set");
    renew(ops).await;
    json(
        StatusCode::OK,
        &json!({"status": "baseline_set", "samples": samples}),
    )
}

/// `DELETE /drift/baseline`
pub(super) async fn remove_baseline(ops: &Ops, request: &Request) -> Response {
    let key = key(request);
    if let Err(unchanged) = change(ops, key.clone(), None).await {
        return of_unchanged(&unchanged);
    }
    let (model, model_version) = (key.model.as_deref(), key.version.as_deref());
    tracing::info!(model, model_version, "Baseline removed");
    renew(ops).await;
    json(StatusCode::OK, &json!({"status": "baseline_removed"}))
}

/// Whose baseline is meant: without a model every model's, without a version each of its versions'.
fn key(request: &Request) -> Key {
    Key {
        model: request.query_value("model"),
        version: request.query_value("version"),
    }
}

/// Sets the baseline of `key`, or takes it away, on a task of its own: a client that leaves must
/// not leave it half done.
async fn change(ops: &Ops, key: Key, baseline: Option<Baseline>) -> Result<(), Unchanged> {
    let keeper = Arc::clone(&ops.keeper);
    let changing = tokio::spawn(async move {
        let mut keeper = keeper.lock_owned().await;
        match baseline {
            Some(baseline) => keeper.set(key, baseline).await,
            None => keeper.remove(&key).await,
        }
    });
    changing.await.unwrap_or(Err(Unchanged::Panicked))
}

/// Verdicts against the baselines as they are now; the next scheduled check may be long away.
async fn renew(ops: &Ops) {
    if let Err(error) = ops.verdicts(Which::All).await {
        tracing::warn!(%error, "drift check put off");
    }
}

fn of_unchanged(unchanged: &Unchanged) -> Response {
    match unchanged {
        Unchanged::Refused(error) => refused(error.reason(), error),
        Unchanged::Missing => error_json(StatusCode::NOT_FOUND, "no_such_baseline", unchanged),
        Unchanged::NotSaved(error) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "baseline not saved");
            let detail = format_args!("{unchanged}: {error}: {cause}");
            error_json(StatusCode::INSUFFICIENT_STORAGE, "not_saved", detail)
        }
        Unchanged::Panicked => {
            error_json(StatusCode::INTERNAL_SERVER_ERROR, "not_saved", unchanged)
        }
        Unchanged::Observer(error) => unavailable(*error),
    }
}

fn refused(reason: &str, detail: impl Display) -> Response {
    error_json(StatusCode::UNPROCESSABLE_ENTITY, reason, detail)
}

fn unavailable(error: Unavailable) -> Response {
    error_json(
        StatusCode::SERVICE_UNAVAILABLE,
        "observer_unavailable",
        error,
    )
}
