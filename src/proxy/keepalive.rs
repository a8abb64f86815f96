//! Signs of life, asked of the other end of a connection on which nothing moves.
//!
//! A machine that loses its power or its network says no goodbye. A request that waits for its
//! answer would wait for ever, and so would the model for a client that is gone.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Silence after which a sign of life is asked for.
const SILENCE: Duration = Duration::from_secs(15);
/// Time between two questions.
const INTERVAL: Duration = Duration::from_secs(5);
/// Questions without an answer after which nobody is there.
const QUESTIONS: u32 = 3;

/// Has the system ask for signs of life, and break the connection where there are none.
///
/// Connections that a listening socket accepts inherit it.
pub(super) fn ask<'a>(socket: impl Into<SockRef<'a>>) {
    let keepalive = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(INTERVAL)
        .with_retries(QUESTIONS);
    // without it a dead connection is only found when someone writes
    let _ = socket.into().set_tcp_keepalive(&keepalive);
}
