//! Accepts connections, as many as may be, until it is told to stop.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ::metrics::Counter;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{Handler, Limits, answer::Desk, connection, seat::Seat};
use crate::panics::{contained, hook};

/// Connections that may wait to be accepted, at every port of ours.
pub const BACKLOG: i32 = 1024;
/// Pause after an accept that failed for want of resources: they come back when others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may keep its place by keeping the server waiting, once others need it.
const GRACE: Duration = Duration::from_secs(1);

/// Answers every request with what `handler` makes of it, until `stop` is ready; then accepts no
/// more, closes idle connections and returns when what is in hand has been answered. Dropping the
/// future cuts everything off, so whoever needs a deadline puts one around it.
///
/// Runs in any tokio runtime with time and io, also a current-thread one; a handler that panics
/// answers 500. Where `limits.connections` are open, the one that is idle longest is closed for a
/// newcomer; where none is idle, the one that keeps the server waiting longest; where all are being
/// answered, the newcomer waits. `panics` counts those of handlers, and of
/// what serves a connection, which are lost with it.
pub async fn serve(
    listener: TcpListener,
    handler: impl Handler,
    limits: Limits,
    panics: Counter,
    stop: impl Future<Output = ()>,
) {
    let plain = |stream| std::future::ready(Ok(stream));
    serve_over(listener, handler, limits, panics, stop, plain).await;
}

/// The same over what `secure` makes of each connection, such as TLS: one of which it makes nothing in
/// `limits.head_timeout` is closed.
pub async fn serve_over<S, F>(
    listener: TcpListener,
    handler: impl Handler,
    limits: Limits,
    panics: Counter,
    stop: impl Future<Output = ()>,
    secure: impl Fn(TcpStream) -> F,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let room = limits.connections.max(1);
    // the standard library lets 128 wait, which a burst of a proxy fills: who finds it full asks again a
    // second later
    let _ = SockRef::from(&listener).listen(BACKLOG);
    let desk = Arc::new(Desk {
        handler,
        limits,
        panics: panics.clone(),
    });
    let (stopping, _) = watch::channel(false);
    let mut hall = Hall::default();
    let accepting = async {
        loop {
            let newcomer = async {
                let (stream, peer) = hall.next(&listener).await;
                hall.make_room(room).await;
                hook("ops_accept");
                let seat = Seat::new(Arc::clone(&hall.freed));
                let stop = stopping.subscribe();
                let (desk, panics) = (Arc::clone(&desk), panics.clone());
                let securing = secure(stream);
                let at_desk = Arc::clone(&seat);
                let served = async move {
                    if let Some(stream) = secured(securing, &desk.limits, stop.clone()).await {
                        connection::serve(stream, peer, desk, at_desk, stop).await;
                    }
                };
                hall.seat(seat, async move {
                    let _ = contained(&panics, served).await;
                });
            };
            let _ = contained(&panics, newcomer).await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = accepting => {}
    }
    drop(listener);
    stopping.send_replace(true);
    while hall.tasks.join_next().await.is_some() {}
}

/// What comes of a handshake, if something does in time and before the end.
async fn secured<S>(
    securing: impl Future<Output = io::Result<S>>,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) -> Option<S> {
    tokio::select! {
        outcome = timeout(limits.head_timeout, securing) => outcome.ok()?.ok(),
        _ = stop.wait_for(|stop| *stop) => None,
    }
}

/// The connections that are being served.
#[derive(Default)]
struct Hall {
    seats: Vec<(Arc<Seat>, AbortHandle)>,
    tasks: JoinSet<()>,
    /// Told when a seat may have become idle.
    freed: Arc<Notify>,
}

impl Hall {
    fn seat(&mut self, seat: Arc<Seat>, served: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(served);
        self.seats.push((seat, handle));
    }

    async fn next(&mut self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // small answers must not wait for an acknowledgement; without it they are
                    // only slower
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
                }
                Err(error) => self.refused(&error).await,
            }
        }
    }

    /// Files or memory ran out: the connection that is idle longest gives its own back.
    async fn refused(&mut self, error: &io::Error) {
        tracing::warn!(%error, "cannot accept");
        self.forget_ended();
        self.close_longest_idle();
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    /// Waits until fewer than `room` connections are open, and sees to it.
    async fn make_room(&mut self, room: usize) {
        loop {
            self.forget_ended();
            if self.seats.len() < room || self.close_longest_idle() || self.close_longest_stalled()
            {
                return;
            }
            tokio::select! {
                () = self.freed.notified() => {}
                _ = self.tasks.join_next() => {}
                () = tokio::time::sleep(GRACE / 4) => {}
            }
        }
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.seats.retain(|(_, task)| !task.is_finished());
    }

    /// Whether there was one.
    fn close_longest_idle(&mut self) -> bool {
        self.close_longest(Seat::idle_since)
    }

    /// Whether there was one.
    fn close_longest_stalled(&mut self) -> bool {
        self.close_longest(|seat| {
            let since = seat.waited_for_since()?;
            (since.elapsed() >= GRACE).then_some(since)
        })
    }

    fn close_longest(&mut self, since: impl Fn(&Seat) -> Option<Instant>) -> bool {
        let seats = self.seats.iter().enumerate();
        let longest = seats
            .filter_map(|(i, (seat, _))| Some((since(seat)?, i)))
            .min();
        if let Some((_, i)) = longest {
            let (_, task) = self.seats.swap_remove(i);
            task.abort();
        }
        longest.is_some()
    }
}

#[cfg(test)]
mod tests;
