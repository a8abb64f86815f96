//! TLS towards the upstream.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, WantsVerifier, client::WebPkiServerVerifier,
    client::danger::ServerCertVerifier, pki_types::ServerName, sign::SingleCertAndKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    H2, HTTP_1_1, TlsError, Why,
    identity::{UPSTREAM, certificates, identity},
    pinned::Pinned,
    provider, roots,
    unverified::Unverified,
};
use crate::config::{self, PemFile};

const CA: &str = "proxy.upstream_tls.ca_file";
const SERVER_NAME: &str = "proxy.upstream_tls.server_name";

/// What is offered to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
    /// Either; the upstream chooses: [`speaks_http2`](super::speaks_http2).
    Either,
}

/// How the upstream is reached over TLS. Cheap to clone: all share the sessions to resume, at most
/// 256 for each [`Alpn`].
#[derive(Clone)]
pub struct Client {
    name: ServerName<'static>,
    /// By [`Alpn`].
    configs: [Arc<ClientConfig>; 3],
}

impl Client {
    /// For the upstream of `proxy`; `None`: it is not `https://`. Reads the system's roots where
    /// the configuration names none: not on a data thread.
    ///
    /// # Errors
    /// The first thing that is wrong with a file or the name.
    pub fn new(proxy: &config::Proxy) -> Result<Option<Self>, TlsError> {
        let tls = &proxy.upstream_tls;
        let Some(upstream) = proxy.upstream.as_ref().filter(|upstream| upstream.tls) else {
            return Ok(None);
        };
        let name = server_name(tls, upstream)?;
        let builder = builder()
            .dangerous()
            .with_custom_certificate_verifier(verifier(tls)?);
        let identity = identity(UPSTREAM, tls.cert_file.as_ref(), tls.key_file.as_ref())?;
        let config = match identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        let configs = [Alpn::Http1, Alpn::Http2, Alpn::Either].map(|alpn| offering(&config, alpn));
        Ok(Some(Self { name, configs }))
    }

    /// For `host`, which shows itself by a certificate that those of `ca` have signed; `None`: the roots of
    /// the system, which are read: not on a thread that others wait for.
    ///
    /// # Errors
    /// What is wrong with the file or the name.
    pub fn of_host(host: &str, ca: Option<&PemFile>) -> Result<Self, Why> {
        let config = builder()
            .dangerous()
            .with_custom_certificate_verifier(believing(ca)?)
            .with_no_client_auth();
        let configs = [Alpn::Http1, Alpn::Http2, Alpn::Either].map(|alpn| offering(&config, alpn));
        Ok(Self {
            name: name_of(host)?,
            configs,
        })
    }

    /// Shakes hands with the upstream at the other end of `stream`. Bound the time.
    ///
    /// # Errors
    /// It speaks no TLS, nothing of `alpn`, has no certificate for its name from who is believed,
    /// or has left.
    pub async fn connect<S>(&self, stream: S, alpn: Alpn) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = Arc::clone(&self.configs[alpn as usize]);
        let connector = TlsConnector::from(config);
        let stream = connector.connect(self.name.clone(), stream).await?;
        // who answers without a choice speaks HTTP/1, as ever
        if alpn == Alpn::Http2 && !super::speaks_http2(stream.get_ref().1) {
            return Err(io::Error::other("the upstream does not speak HTTP/2"));
        }
        Ok(stream)
    }
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has suites for both versions")
}

fn offering(config: &ClientConfig, alpn: Alpn) -> Arc<ClientConfig> {
    let protocols: &[&[u8]] = match alpn {
        Alpn::Http1 => &[HTTP_1_1],
        Alpn::Http2 => &[H2],
        Alpn::Either => &[H2, HTTP_1_1],
    };
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.resumption = rustls::client::Resumption::default();
    Arc::new(config)
}

/// The name that must stand in the upstream's certificate.
pub(super) fn server_name(
    tls: &config::UpstreamTls,
    upstream: &config::Upstream,
) -> Result<ServerName<'static>, TlsError> {
    let (name, key) = match &tls.server_name {
        Some(name) => (name, SERVER_NAME),
        None => (&upstream.host, "proxy.upstream"),
    };
    name_of(name).map_err(|why| why.of(key))
}

/// Who looks at the certificate of the upstream.
pub(super) fn verifier(tls: &config::UpstreamTls) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if !tls.verify {
        return Ok(Arc::new(Unverified::new(provider())));
    }
    believing(tls.ca_file.as_ref()).map_err(|why| why.of(CA))
}

/// Who believes what those of `ca` sign, and those themselves; `None`: the roots of the system.
pub(super) fn believing(ca: Option<&PemFile>) -> Result<Arc<dyn ServerCertVerifier>, Why> {
    let roots = match ca {
        Some(file) => roots::of_file(file)?,
        None => roots::of_system()?,
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
    let verifier = verifier.map_err(|_| Why::Certificate)?;
    Ok(match ca {
        Some(file) => Arc::new(Pinned::new(certificates(file)?, verifier)),
        None => verifier,
    })
}

/// `host` as it must stand in a certificate.
pub(super) fn name_of(host: &str) -> Result<ServerName<'static>, Why> {
    ServerName::try_from(host.to_owned()).map_err(|_| Why::ServerName)
}

#[cfg(test)]
impl Client {
    /// Whether both are one, and share their sessions.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.configs[0], &other.configs[0])
    }

    /// Speaks one version alone.
    pub(super) fn only(&mut self, version: &'static rustls::SupportedProtocolVersion) {
        for config in &mut self.configs {
            let narrow = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[version])
                .expect("ring has suites for it")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unverified::new(provider())))
                .with_no_client_auth();
            *config = offering(&narrow, Alpn::Http1);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.name.to_str())
    }
}
