//! Behind the queue: one thread, `observe`, that reads, counts, logs and remembers.
//!
//! It owns all state of the model's monitoring, so nothing here takes a lock. [`worker`] takes
//! exchanges out of the queue; `record` counts what they say, `access_log` writes their lines,
//! `cardinality` bounds the names that become labels, `series` holds what can be taken back, `watch`
//! what is kept of one version of a model, `gauges` shows it, `tasks` what asynchronous tasks were asked,
//! `numbers` which models give values, `labels` shows what labels say, `kept` offers predictions to
//! [`feedback`](crate::feedback), `models` lists what was seen of each model, `board` is what a live page shows of
//! them, `recent` the last requests while somebody looks.
//! [`command`] is the operator's only way in.
//! Emits `ml_model_*`, `ml_drift_*`, `sidelight_exchanges_total{outcome="observed"}`,
//! `sidelight_observed_total`, `sidelight_faults_total`, `sidelight_decode_failures_total`,
//! `sidelight_no_confidence_total`, `sidelight_class_unknown_total`, `sidelight_unread_total`,
//! `sidelight_tasks_forgotten_total`, `sidelight_labels_*`, `sidelight_feedback_*`.

mod access_log;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
pub mod board;
mod cardinality;
pub mod command;
#[cfg(feature = "otlp")]
mod export;
mod gauges;
mod kept;
pub mod labels;
pub mod models;
mod numbers;
pub mod recent;
mod record;
mod redact;
mod series;
mod tasks;
mod watch;
pub mod worker;
