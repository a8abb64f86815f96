//! Copies of what passed through the proxy, small enough to keep.
//!
//! Nothing here parses a body, takes a lock shared with the observer, or waits: when the
//! observer is behind, [`queue::Offer::offer`] drops the exchange and says why, so a slow
//! observer costs visibility and never latency.

pub mod exchange;
pub mod grpc;
pub mod name;
pub mod policy;
pub mod queue;
pub mod recorded;
pub mod route;
pub mod tee;
#[cfg(feature = "otlp")]
pub mod trace;

pub use exchange::{Exchange, Fault};
