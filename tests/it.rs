//! Tests from the outside: one binary, so that the library is linked once.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "it/coded.rs"]
mod coded;
#[path = "it/drops.rs"]
mod drops;
#[path = "it/estimates.rs"]
mod estimates;
#[path = "it/feedback_vectors.rs"]
mod feedback_vectors;
#[path = "it/http2.rs"]
mod http2;
#[path = "it/inject.rs"]
mod inject;
#[path = "it/log_file.rs"]
mod log_file;
#[path = "it/notify.rs"]
mod notify;
#[path = "it/ops.rs"]
mod ops;
#[path = "it/parking.rs"]
mod parking;
#[path = "it/path.rs"]
mod path;
#[path = "it/queries.rs"]
mod queries;
#[path = "it/readme.rs"]
mod readme;
#[path = "it/routes.rs"]
mod routes;
#[path = "it/scan_traces.rs"]
mod scan_traces;
#[path = "it/stats_vectors.rs"]
mod stats_vectors;
#[path = "it/strict.rs"]
mod strict;
