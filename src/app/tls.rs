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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::{authority::Authority, configured, listener};

    #[tokio::test]
    async fn an_end_is_made_anew_only_when_its_own_settings_change() {
        let authority = Authority::new();
        let files = authority.issue("model");
        let [cert, key] = listener(&files);
        let upstream = [
            ("upstream", "https://model"),
            ("upstream_tls.ca_file", authority.path()),
        ];
        let of = |more: (&'static str, &'static str)| {
            configured(&[cert, key, upstream[0], upstream[1], more])
        };
        let kept = |old: &Ends, new: &Ends| {
            let servers = old.server.as_ref().zip(new.server.as_ref());
            let clients = old.upstream.as_ref().zip(new.upstream.as_ref());
            (
                servers.is_some_and(|(old, new)| old.is_same(new)),
                clients.is_some_and(|(old, new)| old.is_same(new)),
            )
        };
        let first = of(("head_timeout", "1s"));
        let ends = Ends::new(&first).unwrap();

        let other = of(("head_timeout", "2s"));
        let new = ends.renewed(&first, &other).await.unwrap();
        assert_eq!(kept(&ends, &new), (true, true));
        let named = of(("upstream_tls.server_name", "other"));
        let new = ends.renewed(&first, &named).await.unwrap();
        assert_eq!(kept(&ends, &new), (true, false));
        files.renew(&authority, "model");
        let renewed = of(("head_timeout", "1s"));
        let new = ends.renewed(&first, &renewed).await.unwrap();
        assert_eq!(kept(&ends, &new), (false, true));
        let plain = configured(&[]);
        let new = ends.renewed(&first, &plain).await.unwrap();
        assert!(new.server.is_none() && new.upstream.is_none());
    }
}
