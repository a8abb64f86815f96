//! The path of a request. Data threads run this and nothing else.
//!
//! [`listener`] accepts, `connection` is one client from its first byte to its close, `io` its socket
//! as hyper sees it, `service` is one request from start to end: read that first. A request goes
//! through `sanitize` and `way` to `forward`, and over a `link` of `upstream` to the model;
//! `outgoing` is its body, read from the client by a `patient` reader, `interim` what comes before
//! the answer, `trailers` what comes behind it, `tunnel` what may follow it. `near` is the client's
//! end of it, alone on its connection or one of the `streams` of HTTP/2; `room` bounds how many are
//! under way. Both sockets are a `transport`, `keepalive` finds out that one leads nowhere, `local`
//! runs what HTTP/2 does at once, and `wake` keeps connections from working for nothing. `record`
//! keeps what the exchange was and counts it when the last of its parts is gone; `failure` says
//! whose fault a missing answer was. `past` counts what a log says of requests that passed.
//!
//! Emits `ml_api_*`, `sidelight_overhead_seconds`, `sidelight_request_failures_total`,
//! `sidelight_connection_limits_total`, `sidelight_tls_handshake_failures_total`,
//! `sidelight_not_forwarded_total`, `sidelight_exchanges_total{outcome="shed"|"not_wanted"}`,
//! `sidelight_shed_total`, `sidelight_panics_total`.

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod connection;
mod endpoint;
mod failure;
mod forward;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod interim;
mod io;
mod keepalive;
mod link;
pub mod listener;
mod local;
mod near;
mod outgoing;
pub mod past;
mod patient;
mod record;
mod request_id;
mod room;
mod sanitize;
mod service;
mod streams;
mod thread;
mod trailers;
mod transport;
mod tunnel;
mod upstream;
mod wake;
mod way;

pub use listener::available_threads;
pub use thread::{Parts, Settings, Shared};
