//! TLS at both ends, as the configuration in use says.

use crate::{
    config::Config,
    tls::{Client, Server, TlsError},
};

/// What handshakes are made with from now on.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// Towards clients; `None`: without TLS.
    pub(super) server: Option<Server>,
    /// Towards the upstream; `None`: it is not `https://`.
    pub(super) upstream: Option<Client>,
}

impl Ends {
    /// Those of `config`. May read the roots of the system.
    pub(super) fn new(config: &Config) -> Result<Self, TlsError> {
        Ok(Self {
            server: Server::new(&config.proxy.tls)?,
            upstream: Client::new(&config.proxy)?,
        })
    }

    /// Those of `new`, after those of `old`: an end of which nothing has changed keeps its sessions,
    /// so that clients resume them whatever else is reloaded.
    pub(super) async fn renewed(&self, old: &Config, new: &Config) -> anyhow::Result<Self> {
        let (old, new) = (&old.proxy, new.proxy.clone());
        let mut ends = self.clone();
        if old.tls != new.tls {
            ends.server = Server::new(&new.tls)?;
        }
        if old.upstream != new.upstream || old.upstream_tls != new.upstream_tls {
            let making = tokio::task::spawn_blocking(move || Client::new(&new));
            ends.upstream = making.await??;
        }
        Ok(ends)
    }
}
