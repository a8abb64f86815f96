//! Baselines as they are in use: all of them in figures, each as a file that can be posted again.

use ::http::StatusCode;
use serde_json::{Value, json};

use super::{Ops, drift};
use crate::{
    drift::{Baseline, Key, Profile, SeriesName, file},
    http::{Request, Response, content, error_json, json},
};

/// `GET /drift/baselines`
pub(super) async fn list(ops: &Ops) -> Response {
    let keeper = ops.keeper.lock().await;
    let all = keeper.all();
    let entries = all.iter().map(|(key, baseline)| {
        let is_configured = keeper.is_of_file(key);
        entry(key, baseline, is_configured)
    });
    let entries: Vec<_> = entries.collect();
    json(StatusCode::OK, &json!({ "baselines": entries }))
}

/// `GET /drift/baseline`
pub(super) async fn get(ops: &Ops, request: &Request) -> Response {
    let key = match drift::key(request) {
        Ok(key) => key,
        Err(response) => return response,
    };
    let all = ops.keeper.lock().await.all();
    match all.iter().find(|(known, _)| **known == key) {
        Some((key, baseline)) => content("application/x-ndjson", file::render(key, baseline)),
        None => error_json(
            StatusCode::NOT_FOUND,
            "no_such_baseline",
            "there is no baseline of exactly this model and version; GET /drift/baselines lists them",
        ),
    }
}

fn entry(key: &Key, baseline: &Baseline, is_configured: bool) -> Value {
    let series = baseline.profiles().iter();
    let series: Vec<_> = series
        .map(|(name, profile)| of_series(name, profile))
        .collect();
    json!({
        "model": key.model,
        "version": key.version,
        "origin": baseline.origin().name(),
        "configured": is_configured,
        "set_at": baseline.set_at().to_string(),
        "hash": baseline.hash(),
        "rows": baseline.rows(),
        "series": series,
    })
}

fn of_series(name: &SeriesName, profile: &Profile) -> Value {
    let reference = &profile.reference;
    let missing = reference.bins().last().copied().unwrap_or(0);
    json!({
        "series": name.label(),
        "kind": profile.bins.kind(),
        "missing": f64::from(missing) / f64::from(reference.total().max(1)),
        "tau": profile.tau,
    })
}
