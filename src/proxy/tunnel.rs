//! Bytes both ways, after both sides agreed to switch protocols.

use tokio::io::{AsyncWriteExt, copy_bidirectional};

use super::{transport::Transport, upstream::Leftover};

/// Copies until both sides have ended or one has failed. A tunnel may be quiet for hours: that both
/// are still there is what the system's keepalive finds out.
///
/// `early`: what the client sent behind its request, before it knew.
pub(super) async fn run(mut near: Transport, early: &[u8], far: Leftover) {
    let Ok(parts) = far.await else {
        return;
    };
    let mut far = parts.io.into_inner();
    // hyper has read these already
    let begun = near.write_all(&parts.read_buf).await.is_ok() && far.write_all(early).await.is_ok();
    if begun {
        // who broke it off does not matter: both ends are closed now
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
