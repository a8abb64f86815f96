//! TLS towards clients.

use std::{fmt, io, sync::Arc};

use rustls::{
    ConfigBuilder, ServerConfig, WantsVerifier,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    H2, HTTP_1_0, HTTP_1_1, TlsError, Why,
    identity::{LISTENER, identity},
    provider, roots,
};
use crate::config;

const CLIENT_CA: &str = "proxy.tls.client_ca_file";

/// What the proxy is to its clients. Cheap to clone: all share one store of 256 sessions.
#[derive(Clone)]
pub struct Server(pub(super) Arc<ServerConfig>);

impl Server {
    /// By `tls`; `None`: without files there is no TLS.
    ///
    /// # Errors
    /// The first thing that is wrong with a file.
    pub fn new(tls: &config::Tls) -> Result<Option<Self>, TlsError> {
        let identity = identity(LISTENER, tls.cert_file.as_ref(), tls.key_file.as_ref())?;
        let Some(identity) = identity else {
            return Ok(None);
        };
        let builder = match clients(tls)? {
            Some(verifier) => builder().with_client_cert_verifier(verifier),
            None => builder().with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        // by preference; who offers nothing speaks HTTP/1
        config.alpn_protocols = [H2, HTTP_1_1, HTTP_1_0].map(<[u8]>::to_vec).into();
        Ok(Some(Self(Arc::new(config))))
    }

    /// The same for a server that speaks HTTP/1 alone, and must not agree on anything else.
    #[must_use]
    pub fn only_http1(&self) -> Self {
        let mut config = (*self.0).clone();
        config.alpn_protocols.retain(|protocol| protocol != H2);
        Self(Arc::new(config))
    }

    /// Whether both are one, and share their sessions.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What shakes hands with clients; cheap.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }

    /// Shakes hands with the client at the other end of `stream`. Bound the time: it waits for as
    /// long as the client does.
    ///
    /// # Errors
    /// The client speaks no TLS or nothing that is known here, has not the certificate it needs, or
    /// has left. Where it can be told, it has been.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor().accept(stream).await
    }
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has suites for both versions")
}

/// Who looks at the certificates of clients; `None` where they need none.
pub(super) fn clients(tls: &config::Tls) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(file) = &tls.client_ca_file else {
        return Ok(None);
    };
    let roots = roots::of_file(file).map_err(|why| why.of(CLIENT_CA))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
    verifier
        .map(Some)
        .map_err(|_| Why::Certificate.of(CLIENT_CA))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}
