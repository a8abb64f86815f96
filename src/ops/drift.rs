//! Confidence drift with the course page's fields: `GET /drift`, `POST /drift/baseline`.

use std::{error::Error, fmt::Display, sync::Arc};

use ::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    Ops,
    keeper::{Keeper, Unchanged},
};
use crate::{
    drift::{
        self, Baseline, Fields, InUse, Key,
        report::{Report, SeriesReport},
    },
    http::{Request, Response, error_json, json},
    metrics::catalogue,
    observe::command::{Judged, Unavailable, Which},
    panics::hook,
};

/// The course page's fields as they are, then what decided, and what the scan knows.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    page: Fields<'a>,
    model: &'a str,
    model_version: &'a str,
    /// `ks` or `scan`: which of them `drift_detected` is of.
    decision: &'static str,
    /// Whose it is and where it comes from.
    baseline: Option<&'a InUse>,
    scan: Option<&'a Report>,
    series: &'a [SeriesReport],
}

impl<'a> Answer<'a> {
    fn of(judged: &'a Judged) -> Self {
        Self {
            page: judged.verdict.fields(judged.drift_detected()),
            model: &judged.model,
            model_version: &judged.version,
            decision: if judged.is_of_scan() { "scan" } else { "ks" },
            baseline: judged.in_use.as_ref(),
            scan: judged.scan.as_ref(),
            series: judged.scan.as_ref().map_or(&[], |scan| &scan.series),
        }
    }
}

/// `GET /drift/{model}/{series}`
pub(super) async fn histograms(ops: &Ops, request: &Request) -> Response {
    let mut names = request.segments().into_iter().skip(1);
    let (model, series) = (
        names.next().unwrap_or_default(),
        names.next().unwrap_or_default(),
    );
    let which = Which::Of {
        model,
        version: request.query_value("version"),
    };
    match ops.observer.histograms(which, series).await {
        Ok(Some(histograms)) => json(StatusCode::OK, &histograms),
        Ok(None) => {
            let detail = "no such series; GET /drift?model= lists those of a model";
            error_json(StatusCode::NOT_FOUND, "no_such_series", detail)
        }
        Err(error) => unavailable(error),
    }
}

/// Sets what was captured as the baseline of its version, unless somebody has set one since.
pub(super) async fn keep_captured(ops: &Ops) {
    // a busy observer is asked again with the next check
    for (key, baseline) in ops.observer.captured().await.unwrap_or_default() {
        let (rows, series) = (baseline.rows(), baseline.profiles().len());
        let (model, model_version) = (key.model.clone(), key.version.clone());
        match change(&ops.keeper, key, Some(baseline)).await {
            Ok(()) => tracing::info!(
                model,
                model_version,
                rows,
                series,
                reviewed = false,
                "Baseline captured"
            ),
            Err(Unchanged::Taken) => {}
            Err(unchanged) => {
                let error: &dyn Error = &unchanged;
                tracing::error!(model, model_version, error, "captured baseline not kept");
            }
        }
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
        Ok([judged]) => json(StatusCode::OK, &Answer::of(judged)),
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
    let (named, baseline) = match drift::posted(&request.body, limit, Timestamp::now()) {
        Ok(posted) => posted,
        Err(error) => return refused(error.reason(), error),
    };
    let asked = match key(request) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    // a file says whose it is where the request does not
    let key = match (asked, named) {
        (asked, Some(named)) if asked == Key::default() => named,
        (asked, _) => asked,
    };
    let samples = baseline.rows();
    let (mean, std) = match baseline.sample() {
        Some(sample) => (Some(sample.mean()), Some(sample.std())),
        None => (None, None),
    };
    let series = baseline.profiles().len();
    if let Err(unchanged) = change(&ops.keeper, key.clone(), Some(baseline)).await {
        return of_unchanged(ops, &unchanged);
    }
    let (model, model_version) = (key.model.as_deref(), key.version.as_deref());
    tracing::info!(
        samples,
        series,
        mean,
        std,
        model,
        model_version,
        "Baseline set"
    );
    renew(ops).await;
    json(
        StatusCode::OK,
        &json!({"status": "baseline_set", "samples": samples}),
    )
}

/// `DELETE /drift/baseline`
pub(super) async fn remove_baseline(ops: &Ops, request: &Request) -> Response {
    let key = match key(request) {
        Ok(key) => key,
        Err(response) => return response,
    };
    if let Err(unchanged) = change(&ops.keeper, key.clone(), None).await {
        return of_unchanged(ops, &unchanged);
    }
    let (model, model_version) = (key.model.as_deref(), key.version.as_deref());
    tracing::info!(model, model_version, "Baseline removed");
    renew(ops).await;
    json(StatusCode::OK, &json!({"status": "baseline_removed"}))
}

/// Whose baseline is meant: without a model every model's, without a version each of its versions'.
/// No model has an empty name: a script's variable was empty, and every model's is not what it meant.
#[expect(clippy::result_large_err, reason = "it is the answer")]
pub(super) fn key(request: &Request) -> Result<Key, Response> {
    let [model, version] = ["model", "version"].map(|name| request.query_value(name));
    if [&model, &version]
        .into_iter()
        .flatten()
        .any(String::is_empty)
    {
        let detail = "expected a name behind model= and version=, or to leave them out";
        return Err(refused("empty_name", detail));
    }
    Ok(Key { model, version })
}

/// Sets the baseline of `key`, or takes it away, on a task of its own: a client that leaves must
/// not leave it half done.
async fn change(
    keeper: &Arc<Mutex<Keeper>>,
    key: Key,
    baseline: Option<Baseline>,
) -> Result<(), Unchanged> {
    let keeper = Arc::clone(keeper);
    let changing = tokio::spawn(async move {
        hook("baseline");
        let mut keeper = keeper.lock_owned().await;
        match baseline {
            Some(baseline) if baseline.origin().is_reviewed() => keeper.set(key, baseline).await,
            Some(captured) => keeper.set_captured(key, captured).await,
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

fn of_unchanged(ops: &Ops, unchanged: &Unchanged) -> Response {
    match unchanged {
        Unchanged::Refused(error) => refused(error.reason(), error),
        Unchanged::Missing => error_json(StatusCode::NOT_FOUND, "no_such_baseline", unchanged),
        Unchanged::Taken | Unchanged::OfFile => {
            error_json(StatusCode::CONFLICT, "configured", unchanged)
        }
        Unchanged::NotSaved(error) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "baseline not saved");
            let detail = format_args!("{unchanged}: {error}: {cause}");
            error_json(StatusCode::INSUFFICIENT_STORAGE, "not_saved", detail)
        }
        Unchanged::Panicked => {
            let panics = ops.metrics.counter(&catalogue::PANICS, &["ops"]);
            panics.increment(1);
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

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;
    use crate::{
        drift::{Baselines, Origin, Sample, Store},
        observe::worker,
    };

    fn keeper(store: Option<Store>) -> Arc<Mutex<Keeper>> {
        let keeper = Keeper::new(Baselines::new(), store.map(Arc::new), worker::idle());
        Arc::new(Mutex::new(keeper))
    }

    fn baseline() -> Option<Baseline> {
        Baseline::of_confidences([0.5, 0.75], 10, Timestamp::now()).ok()
    }

    fn of_model(name: &str) -> Key {
        Key {
            model: Some(name.to_owned()),
            version: None,
        }
    }

    #[tokio::test]
    async fn a_client_that_leaves_leaves_no_change_half_made() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let keeper = keeper(Some(store));
        {
            let left = std::pin::pin!(change(&keeper, of_model("a"), baseline()));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(left.poll(&mut cx).is_pending());
        }
        change(&keeper, of_model("b"), baseline()).await.unwrap();
        drop(keeper);
        let (_, loaded) = Store::open(dir.path()).unwrap();
        assert_eq!(
            loaded.baselines.len(),
            2,
            "both are saved, that of who left as well"
        );
    }

    #[tokio::test]
    async fn what_was_captured_takes_the_place_of_nothing_that_was_set_meanwhile() {
        let keeper = keeper(None);
        let key = |model: &str| Key {
            version: Some("1".to_owned()),
            ..of_model(model)
        };
        let captured = || {
            let sample = Sample::new([0.5, 0.75], 10).ok();
            Baseline::new(sample, Vec::new(), Origin::Captured, Timestamp::now()).unwrap()
        };
        for set in [key("a"), of_model("b"), of_model("c")] {
            change(&keeper, set, baseline()).await.unwrap();
        }
        for model in ["a", "b"] {
            let outcome = change(&keeper, key(model), Some(captured())).await;
            assert!(matches!(outcome, Err(Unchanged::Taken)), "{model}");
        }
        change(&keeper, key("d"), Some(captured())).await.unwrap();
        assert_eq!(keeper.lock().await.all().len(), 4);
    }

    #[tokio::test]
    async fn only_what_was_set_can_be_taken_away() {
        let keeper = keeper(None);
        change(&keeper, of_model("a"), baseline()).await.unwrap();
        let missing = change(&keeper, of_model("b"), None).await;
        assert!(matches!(missing, Err(Unchanged::Missing)));
        change(&keeper, of_model("a"), None).await.unwrap();
        let gone = change(&keeper, of_model("a"), None).await;
        assert!(matches!(gone, Err(Unchanged::Missing)));
    }

    #[tokio::test]
    async fn what_was_set_comes_before_a_file_and_only_it_is_saved_and_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let keeper = keeper(Some(store));
        let mut files = Baselines::new();
        for model in ["a", "b"] {
            let of_file = Baseline::of_confidences([0.1], 10, Timestamp::now()).unwrap();
            files.set(of_model(model), of_file).unwrap();
        }
        keeper.lock().await.use_files(files).await.unwrap();
        change(&keeper, of_model("a"), baseline()).await.unwrap();
        let rows = |all: &Baselines| all.iter().map(|(_, b)| b.rows()).collect::<Vec<_>>();
        assert_eq!(rows(&keeper.lock().await.all()), [2, 1]);
        let refused = change(&keeper, of_model("b"), None).await;
        assert!(matches!(refused, Err(Unchanged::OfFile)));
        change(&keeper, of_model("a"), None).await.unwrap();
        assert_eq!(rows(&keeper.lock().await.all()), [1, 1]);
        change(&keeper, of_model("b"), baseline()).await.unwrap();
        drop(keeper);
        let (_, loaded) = Store::open(dir.path()).unwrap();
        assert_eq!(rows(&loaded.baselines), [2]);
    }
}
