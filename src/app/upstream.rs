//! Where requests go: to the configured model server, or to the bundled one, kept running.

use tokio::sync::watch;
#[cfg(feature = "iris")]
use tokio::task::JoinHandle;

use crate::config::{Config, Findings, Upstream};
#[cfg(feature = "iris")]
use crate::iris::{Supervisor, child};

/// The upstream's address, as it is now.
pub(super) struct Origin {
    upstream: watch::Sender<Option<Upstream>>,
    #[cfg(feature = "iris")]
    bundled: Option<(Supervisor, JoinHandle<()>)>,
}

/// Refuses a configuration that names no model server, where none is bundled.
pub(super) fn examine(config: &Config, findings: &mut Findings<'_>) {
    if config.proxy.upstream.is_none() && !cfg!(feature = "iris") {
        findings.refuse(
            "proxy.upstream",
            "expected the address of a model server, as this build has no Iris server, found null",
        );
    }
}

impl Origin {
    /// `None`: starts the bundled Iris server, where there is one.
    pub(super) fn new(configured: Option<Upstream>) -> Self {
        #[cfg(feature = "iris")]
        let is_bundled = configured.is_none();
        let (upstream, _) = watch::channel(configured);
        #[cfg(feature = "iris")]
        let bundled = is_bundled.then(|| {
            let supervisor = Supervisor::start(child::command);
            let follower = tokio::spawn(follow(supervisor.port(), upstream.clone()));
            (supervisor, follower)
        });
        Self {
            upstream,
            #[cfg(feature = "iris")]
            bundled,
        }
    }

    pub(super) fn upstream(&self) -> watch::Receiver<Option<Upstream>> {
        self.upstream.subscribe()
    }

    /// Ends the bundled server, where there is one.
    #[cfg_attr(
        not(feature = "iris"),
        expect(clippy::unused_async, reason = "there is none to end")
    )]
    pub(super) async fn stop(self) {
        #[cfg(feature = "iris")]
        if let Some((supervisor, follower)) = self.bundled {
            supervisor.stop().await;
            follower.abort();
        }
    }
}

/// Each start of the child brings another port; while there is none, requests are refused.
#[cfg(feature = "iris")]
async fn follow(mut port: watch::Receiver<Option<u16>>, known: watch::Sender<Option<Upstream>>) {
    loop {
        let address = port.borrow_and_update().map(|port| Upstream {
            host: "127.0.0.1".to_owned(),
            port,
            tls: false,
        });
        known.send_replace(address);
        if port.changed().await.is_err() {
            return;
        }
    }
}
