//! TLS towards clients and the upstream, from the files that the configuration names.
//!
//! [`Server`] and [`Client`] are made whole or not at all and never change: a renewed certificate
//! makes new ones, which those who start a handshake pick up; connections that are open keep what
//! they began with. [`examine`] finds beforehand what would keep them from being made, so that a
//! reload is refused and the certificate in use stays. The cryptography is that of `ring`; TLS 1.2
//! and 1.3, no early data (it could be replayed). Nothing here shows the content of a key.

mod client;
mod error;
mod examine;
mod identity;
mod pinned;
mod roots;
mod server;
mod unverified;
mod validity;

pub use client::{Alpn, Client};
pub use error::{TlsError, Why};
pub use examine::examine;
pub use server::Server;
pub use tokio_rustls::{client::TlsStream as ClientStream, server::TlsStream as ServerStream};

use std::{io, sync::Arc};

use rustls::{CommonState, crypto::CryptoProvider};

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
const HTTP_1_0: &[u8] = b"http/1.0";

/// Whether HTTP/2 was agreed upon: `speaks_http2(stream.get_ref().1)`. Where nothing was agreed
/// upon, HTTP/1 is spoken.
pub fn speaks_http2(connection: &CommonState) -> bool {
    connection.alpn_protocol() == Some(H2)
}

/// Whether TLS is why reading or writing failed: in TLS 1.3 an upstream refuses a certificate, or asks
/// for one in vain, only behind the handshake.
pub fn broke(error: &io::Error) -> bool {
    let cause = error.get_ref();
    cause
        .and_then(|cause| cause.downcast_ref::<rustls::Error>())
        .is_some()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
pub(crate) mod tests;
