//! Bytes both ways, after both sides agreed to switch protocols.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use super::upstream::Leftover;

/// Silence after which the other side is asked for a sign of life: a tunnel may be quiet for
/// hours, and must not be held for ever by someone who is gone.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Copies until both sides have ended or one has failed.
///
/// `early`: what the client sent behind its request, before it knew.
pub(super) async fn run(mut near: TcpStream, early: &[u8], far: Leftover) {
    let Ok(parts) = far.await else {
        return;
    };
    let mut far = parts.io.into_inner().into_stream();
    for stream in [&near, &far] {
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
        // without it a dead tunnel is only found when someone writes
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
    // hyper has read these already
    let begun = near.write_all(&parts.read_buf).await.is_ok() && far.write_all(early).await.is_ok();
    if begun {
        // who broke it off does not matter: both ends are closed now
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
