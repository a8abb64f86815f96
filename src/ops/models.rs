//! `GET /models`: what was seen of each model, and what of it is not known.

use ::http::StatusCode;

use super::Ops;
use crate::http::{Response, error_json, json};

pub(super) async fn get(ops: &Ops) -> Response {
    match ops.observer.models().await {
        Ok(listing) => json(StatusCode::OK, &listing),
        Err(error) => error_json(
            StatusCode::SERVICE_UNAVAILABLE,
            "observer_unavailable",
            error,
        ),
    }
}
