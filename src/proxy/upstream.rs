//! Connections to the model server; each data thread has its own.
//!
//! `names` finds its addresses, `dial` connects, `pool` keeps the connections of HTTP/1, which carry
//! one request at a time, `multiplexed` those of HTTP/2; `spoken` knows which of both the upstream
//! understands. `payload` is the body of an answer, with the connection that it comes on.

pub(super) mod dial;
pub(super) mod multiplexed;
mod names;
mod payload;
mod pool;
pub(super) mod spoken;

pub(super) use dial::Leftover;
pub(super) use multiplexed::{Found, Multiplexed};
pub(super) use names::Names;
pub(super) use payload::{Lease, Payload};
pub(super) use pool::{Connection, Pool};
pub(super) use spoken::Spoken;
