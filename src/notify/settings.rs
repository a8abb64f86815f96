//! Who is told, ready for use.

use std::{io, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};

use super::letter::Letter;
use crate::{
    config::{Address, NoAddress, Target},
    http::{ClientError, connect, post_over},
    tls::{Alpn, Client, Why},
};

/// The receivers of `drift.notify`.
#[derive(Debug, Default)]
pub struct Settings {
    pub(super) receivers: Vec<Arc<Receiver>>,
}

/// Why a receiver cannot be reached. Carries nothing of its URL.
#[derive(Debug, thiserror::Error)]
#[error("drift.notify[{place}]: {why}")]
pub struct Unusable {
    place: usize,
    why: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Address(#[from] NoAddress),
    #[error("headers: {0}")]
    Field(#[from] http::Error),
    #[error(transparent)]
    Tls(#[from] Why),
}

/// One receiver.
pub(super) struct Receiver {
    /// Such as `drift.notify[0]`.
    pub(super) key: String,
    pub(super) address: Address,
    fields: HeaderMap,
    tls: Option<Client>,
    timeout: Duration,
    pub(super) give_up_after: Duration,
    pub(super) max_queued: usize,
}

impl Settings {
    /// Those of `targets`. May read the roots of the system: not on a thread that others wait for.
    ///
    /// # Errors
    /// The first that cannot be reached, whatever is there.
    pub fn new(targets: &[Target]) -> Result<Self, Unusable> {
        let targets = targets.iter().enumerate();
        let receivers = targets.map(|(place, target)| {
            let receiver = Receiver::new(place, target);
            receiver
                .map(Arc::new)
                .map_err(|why| Unusable { place, why })
        });
        Ok(Self {
            receivers: receivers.collect::<Result<_, _>>()?,
        })
    }
}

impl Receiver {
    fn new(place: usize, target: &Target) -> Result<Self, Reason> {
        let address = target.address()?;
        let mut fields = HeaderMap::new();
        for (name, value) in &target.headers {
            let name: HeaderName = name.parse().map_err(http::Error::from)?;
            let mut value = HeaderValue::from_str(value.as_str()).map_err(http::Error::from)?;
            value.set_sensitive(true);
            fields.insert(name, value);
        }
        let json = HeaderValue::from_static("application/json");
        fields.insert(header::CONTENT_TYPE, json);
        let tls = address.server.tls.then(|| {
            let host = &address.server.host;
            Client::of_host(host, target.ca_file.as_ref())
        });
        Ok(Self {
            key: format!("drift.notify[{place}]"),
            tls: tls.transpose()?,
            address,
            fields,
            timeout: target.timeout,
            give_up_after: target.give_up_after,
            max_queued: target.max_queued,
        })
    }

    /// One try.
    pub(super) async fn post(
        &self,
        letter: &Letter,
    ) -> Result<(StatusCode, HeaderMap), ClientError> {
        let server = &self.address.server;
        let tcp = connect(&server.host, server.port);
        match &self.tls {
            Some(tls) => {
                let encrypted = async { tls.connect(tcp.await?, Alpn::Http1).await };
                self.post_over(encrypted, letter).await
            }
            None => self.post_over(tcp, letter).await,
        }
    }

    async fn post_over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connecting: impl Future<Output = io::Result<S>>,
        letter: &Letter,
    ) -> Result<(StatusCode, HeaderMap), ClientError> {
        let server = (self.address.server.host.as_str(), self.address.server.port);
        let mut fields = self.fields.clone();
        let id = HeaderValue::from_str(&letter.id).expect("it is hexadecimal digits and a word");
        fields.insert("idempotency-key", id);
        let body = letter.body.clone();
        let path = &self.address.path;
        post_over(connecting, server, path, &fields, body, self.timeout).await
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.key, self.address.server.url())
    }
}
