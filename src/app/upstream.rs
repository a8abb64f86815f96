//! Where requests go: to the configured model server, or to the bundled one, kept running.

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::Upstream,
    iris::{Supervisor, child},
};

/// The upstream's address, as it is now.
pub(super) struct Origin {
    upstream: watch::Sender<Option<Upstream>>,
    bundled: Option<(Supervisor, JoinHandle<()>)>,
}

impl Origin {
    /// `None`: starts the bundled Iris server.
    pub(super) fn new(configured: Option<Upstream>) -> Self {
        let bundled = configured.is_none();
        let (upstream, _) = watch::channel(configured);
        let bundled = bundled.then(|| {
            let supervisor = Supervisor::start(child::command);
            let follower = tokio::spawn(follow(supervisor.port(), upstream.clone()));
            (supervisor, follower)
        });
        Self { upstream, bundled }
    }

    pub(super) fn upstream(&self) -> watch::Receiver<Option<Upstream>> {
        self.upstream.subscribe()
    }

    /// Ends the bundled server, where there is one.
    pub(super) async fn stop(self) {
        if let Some((supervisor, follower)) = self.bundled {
            supervisor.stop().await;
            follower.abort();
        }
    }
}

/// Each start of the child brings another port; while there is none, requests are refused.
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
