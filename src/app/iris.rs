//! `sidelight iris`: the bundled model server on its own, or as the agent's child.

use std::{future::Future, net::SocketAddr};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::iris;

/// Serves on `listen` until SIGTERM or SIGINT.
///
/// # Errors
/// When the address is taken or not ours.
pub fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| super::taken(e, listen, "--listen ADDR"))?;
        eprintln!("iris: listening on http://{}", listener.local_addr()?);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        iris::server::run(listener, stop).await;
        Ok(())
    })
}

/// Serves on a free port, told on stdout, until stdin closes.
///
/// # Errors
/// When there is no free port, or nobody to tell it to.
pub fn serve_as_child() -> anyhow::Result<()> {
    block_on(async { Ok(iris::run_as_child().await?) })
}

fn block_on(serving: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serving);
    // a read of stdin that never returns must not keep the process
    runtime.shutdown_background();
    outcome
}
