//! A small HTTP/1.1 server for the agent's own ports, and a client: scrapes, probes, JSON.
//!
//! [`server::serve`] hands whole requests to one [`Handler`] and bounds everything a client may take:
//! head, body, time and connections. Bodies of responses may be streams. [`client::get`] asks an
//! upstream how it is, [`client::post_over`] brings something to a receiver, [`client::http2`] one that speaks HTTP/2 alone, [`client::grpc`] one of gRPC. Of
//! all this only [`resolve`] and [`first_of`] are on the path of a proxied request.

mod answer;
pub mod client;
mod connection;
mod dial;
mod handler;
mod request;
pub mod response;
mod seat;
pub mod server;
mod socket;
mod stream;

pub use client::{ClientError, get, get_over, post_over};
pub use dial::{connect, first_of, resolve};
pub use handler::Handler;
pub use request::Request;
pub use response::{Body, Response, content, empty, error_json, full, json, text};
pub use server::{BACKLOG, serve};
pub use stream::{Parts, stream};

use std::time::Duration;

/// What one server gives to its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest request line and fields together, in bytes; longer: 431.
    pub head: usize,
    /// Longest request body, in bytes; longer: 413. Those of GET and HEAD mean nothing: 16 KiB.
    pub body: usize,
    /// Time for a head to come, also the longest a kept connection may be silent; longer: closed.
    pub head_timeout: Duration,
    /// Time for a body to come whole; longer: 408.
    pub body_timeout: Duration,
    /// Longest time without the client taking a byte of what is being sent; longer: closed.
    pub write_timeout: Duration,
    /// Connections at once; beyond it the one that is idle longest is closed for the newcomer, or
    /// else the one that has been longest, and more than a second, at sending or taking its bytes.
    pub connections: usize,
}

impl Default for Limits {
    /// 16 KiB head, 1 MiB body, 30 s for a head, 10 s for a body and a stalled write, 256
    /// connections.
    fn default() -> Self {
        Self {
            head: 16 << 10,
            body: 1 << 20,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            connections: 256,
        }
    }
}
