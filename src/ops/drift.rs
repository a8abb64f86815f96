//! Confidence drift with the course page's fields: `GET /drift`, `POST /drift/baseline`.

use ::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::Ops;
use crate::{
    drift::{Baseline, Baselines, Key, Store, StoreError},
    http::{Request, Response, error_json, json},
    observe::command::{Unavailable, Which},
};

/// The baselines as they were last set, and where they outlive the process.
///
/// Behind one lock, which nothing on the path or in the observer takes: a change is saved before
/// it is used, so what is in use is always what a restart would find.
#[derive(Debug)]
pub struct Keeper {
    baselines: Baselines,
    store: Option<Store>,
}

impl Keeper {
    /// `store`: `None` keeps baselines in memory only.
    pub fn new(baselines: Baselines, store: Option<Store>) -> Self {
        Self { baselines, store }
    }

    /// `baselines` in place of those before, once they are saved.
    async fn replace(&mut self, baselines: Baselines) -> Result<(), StoreError> {
        if let Some(store) = self.store.take() {
            let saving = baselines.clone();
            let saved = tokio::task::spawn_blocking(move || {
                let outcome = store.save(&saving);
                (store, outcome)
            });
            if let Ok((store, outcome)) = saved.await {
                self.store = Some(store);
                outcome?;
            }
        }
        self.baselines = baselines;
        Ok(())
    }
}

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
    let key = Key {
        model: request.query_value("model"),
        version: request.query_value("version"),
    };
    let (mean, std) = (baseline.mean(), baseline.std());

    let mut keeper = ops.keeper.lock().await;
    let mut baselines = keeper.baselines.clone();
    if let Err(error) = baselines.set(key.clone(), baseline) {
        return refused(error.reason(), error);
    }
    if let Err(error) = keeper.replace(baselines.clone()).await {
        tracing::error!(%error, "baseline not saved");
        let detail =
            format_args!("the baseline could not be saved, the one before stays in use: {error}");
        return error_json(StatusCode::INSUFFICIENT_STORAGE, "not_saved", detail);
    }
    if let Err(error) = ops.observer.use_baselines(baselines) {
        return unavailable(error);
    }
    let (model, model_version) = (key.model.as_deref(), key.version.as_deref());
    tracing::info!(samples, mean, std, model, model_version, "Baseline set");
    json(
        StatusCode::OK,
        &json!({"status": "baseline_set", "samples": samples}),
    )
}

fn refused(reason: &str, detail: impl std::fmt::Display) -> Response {
    error_json(StatusCode::UNPROCESSABLE_ENTITY, reason, detail)
}

fn unavailable(error: Unavailable) -> Response {
    error_json(
        StatusCode::SERVICE_UNAVAILABLE,
        "observer_unavailable",
        error,
    )
}
