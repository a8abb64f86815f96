//! The path of a request. Data threads run this and nothing else.
//!
//! [`listener`] accepts, `io` is the socket as hyper sees it, `service` is one request from start
//! to end: read that first. It goes through `sanitize` and `forward` to `upstream`, whose socket
//! is a `link`; `outgoing` is the request's body, `interim` what comes before the answer, `tunnel`
//! what may follow it. `record` keeps what the exchange was and counts it when the last of its parts is gone; `failure` says
//! whose fault a missing answer was.
//! Emits `ml_api_*`, `sidelight_overhead_seconds`, `sidelight_request_failures_total`,
//! `sidelight_exchanges_total{outcome="shed"|"not_wanted"}`, `sidelight_shed_total`.

mod endpoint;
mod failure;
mod forward;
mod interim;
mod io;
mod keepalive;
mod link;
pub mod listener;
mod outgoing;
mod record;
mod request_id;
mod sanitize;
mod service;
mod thread;
mod tunnel;
mod upstream;

pub use endpoint::Learned;
pub use listener::available_threads;
pub use thread::{Parts, Settings};
