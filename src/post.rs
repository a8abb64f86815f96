//! What is posted to receivers that the configuration names: where they are, whom they are believed to be,
//! and how long to wait before another try.
//!
//! Nothing here logs, and nothing of a URL's path or of a field is shown.

mod pause;
mod retry_after;

pub use pause::pause;
pub use retry_after::retry_after;

use std::{future::Future, io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    config::{Address, Given, PemFile},
    http::{ClientError, connect, post_over},
    tls::{Alpn, Client, Why},
};

/// Why a receiver cannot be reached, whatever is there. Carries nothing of its URL.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A field cannot stand in a request.
    #[error("headers: {0}")]
    Field(#[from] http::Error),
    /// Who signs its certificate is not known.
    #[error(transparent)]
    Tls(#[from] Why),
}

/// One receiver, ready for use.
pub struct Peer {
    /// Where it is.
    pub address: Address,
    fields: HeaderMap,
    tls: Option<Client>,
    timeout: Duration,
}

impl Peer {
    /// The receiver at `address`, that gets bodies of `content_type` with `headers`, and has `timeout` for
    /// an answer. May read the roots of the system: not on a thread that others wait for.
    ///
    /// # Errors
    /// When it cannot be reached, whatever is there.
    pub fn new(
        address: Address,
        content_type: &'static str,
        headers: &[(String, Given)],
        ca_file: Option<&PemFile>,
        timeout: Duration,
    ) -> Result<Self, Unusable> {
        let mut fields = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(http::Error::from)?;
            let mut value = HeaderValue::from_str(value.as_str()).map_err(http::Error::from)?;
            value.set_sensitive(true);
            fields.insert(name, value);
        }
        let content_type = HeaderValue::from_static(content_type);
        fields.insert(header::CONTENT_TYPE, content_type);
        let server = &address.server;
        let tls = server.tls.then(|| Client::of_host(&server.host, ca_file));
        Ok(Self {
            tls: tls.transpose()?,
            address,
            fields,
            timeout,
        })
    }

    /// One try: what it says to `body`, posted to `path` with one more field.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn post(
        &self,
        path: &str,
        field: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
        let server = &self.address.server;
        let tcp = connect(&server.host, server.port);
        match &self.tls {
            Some(tls) => {
                let encrypted = async { tls.connect(tcp.await?, Alpn::Http1).await };
                self.post_over(encrypted, path, field, body).await
            }
            None => self.post_over(tcp, path, field, body).await,
        }
    }

    async fn post_over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connecting: impl Future<Output = io::Result<S>>,
        path: &str,
        field: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
        let server = (self.address.server.host.as_str(), self.address.server.port);
        let mut fields = self.fields.clone();
        fields.extend(field);
        post_over(connecting, server, path, &fields, body, self.timeout).await
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address.server.url())
    }
}
