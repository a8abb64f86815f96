//! Accepts connections, as many as may be, until it is told to stop.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use ::metrics::Counter;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
};

use super::{Limits, Request, Response, answer::Desk, connection, seat::Seat};
use crate::panics::{contained, hook};

/// Pause after an accept that failed for want of resources: they come back when others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers every request with what `handler` makes of it, until `stop` is ready; then accepts no
/// more, closes idle connections and returns when what is in hand has been answered. Dropping the
/// future cuts everything off, so whoever needs a deadline puts one around it.
///
/// Runs in any tokio runtime with time and io, also a current-thread one; a handler that panics
/// answers 500. Where `limits.connections` are open, the one that is idle longest is closed for a
/// newcomer; where none is idle, the newcomer waits. `panics` counts those of handlers, and of
/// what serves a connection, which are lost with it.
pub async fn serve<H, F>(
    listener: TcpListener,
    handler: H,
    limits: Limits,
    panics: Counter,
    stop: impl Future<Output = ()>,
) where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let room = limits.connections.max(1);
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
                let served = connection::serve(stream, peer, desk, Arc::clone(&seat), stop);
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
            if self.seats.len() < room || self.close_longest_idle() {
                return;
            }
            tokio::select! {
                () = self.freed.notified() => {}
                _ = self.tasks.join_next() => {}
            }
        }
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.seats.retain(|(_, task)| !task.is_finished());
    }

    /// Whether there was one.
    fn close_longest_idle(&mut self) -> bool {
        let idle = self.seats.iter().enumerate();
        let longest = idle
            .filter_map(|(i, (seat, _))| Some((seat.idle_since()?, i)))
            .min();
        if let Some((_, i)) = longest {
            let (_, task) = self.seats.swap_remove(i);
            task.abort();
        }
        longest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
        task::JoinHandle,
    };

    use super::*;
    use crate::http::{client, text};

    /// Far beyond what a slow machine needs.
    const LONG: Duration = Duration::from_mins(1);

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    }

    impl Running {
        async fn start<H, F>(handler: H, limits: Limits) -> Self
        where
            H: Fn(Request) -> F + Send + Sync + 'static,
            F: Future<Output = Response> + Send + 'static,
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            let stopped = async { stopped.await.unwrap_or(()) };
            let panics = Counter::noop();
            let task = tokio::spawn(serve(listener, handler, limits, panics, stopped));
            Self {
                address,
                stop,
                task,
            }
        }

        async fn ask(&self, path: &str) -> (StatusCode, String) {
            let port = self.address.port();
            let answer = client::get("127.0.0.1", port, path, LONG, 1 << 20).await;
            let (status, _, body) = answer.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        async fn end(self) {
            self.stop.send(()).unwrap();
            self.task.await.unwrap();
        }
    }

    async fn echo(request: Request) -> Response {
        assert_ne!(request.path, "/panic", "as the test wants");
        text(
            StatusCode::OK,
            format!("{} {}", request.path, request.body.len()),
        )
    }

    #[tokio::test]
    async fn a_handler_that_panics_answers_500_and_the_server_goes_on() {
        let server = Running::start(echo, Limits::default()).await;
        let (status, body) = server.ask("/panic").await;
        assert_eq!(status, 500);
        assert!(body.contains("\"error\":\"panic\""), "{body}");
        assert_eq!(server.ask("/next?q=1").await.1, "/next 0");
        server.end().await;
    }

    #[tokio::test]
    async fn a_newcomer_gets_in_where_a_thousand_idle_clients_sit() {
        let limits = Limits {
            connections: 20,
            ..Limits::default()
        };
        let server = Running::start(echo, limits).await;
        let mut idle = Vec::new();
        for _ in 0..1000 {
            idle.push(server.connect().await);
        }
        assert_eq!(server.ask("/probe").await.0, 200);
        // those who came first were closed first
        assert_eq!(idle[0].read(&mut [0; 1]).await.unwrap_or(0), 0);
        let last = idle.last_mut().unwrap();
        last.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(last.read(&mut [0; 1]).await.unwrap(), 1);
        server.end().await;
    }

    #[tokio::test]
    async fn where_all_are_busy_a_newcomer_waits_until_one_is_not() {
        let (enter, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inside, go) = (Arc::clone(&entered), Arc::clone(&enter));
        let handler = move |request: Request| {
            let (inside, go) = (Arc::clone(&inside), Arc::clone(&go));
            async move {
                if request.path == "/slow" {
                    inside.notify_one();
                    go.notified().await;
                }
                text(StatusCode::OK, request.path)
            }
        };
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let server = Running::start(handler, limits).await;
        // this one stays connected after its answer
        let mut kept = server.connect().await;
        kept.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        entered.notified().await;
        let (newcomer, ()) = tokio::join!(server.ask("/new"), async {
            tokio::task::yield_now().await;
            enter.notify_one();
        });
        assert_eq!(newcomer.1, "/new");
        let mut answer = String::new();
        kept.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("/slow"), "{answer}");
        server.end().await;
    }

    #[tokio::test]
    async fn stopping_closes_the_idle_and_finishes_what_is_in_hand() {
        let (enter, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inside, go) = (Arc::clone(&entered), Arc::clone(&enter));
        let handler = move |request: Request| {
            let (inside, go) = (Arc::clone(&inside), Arc::clone(&go));
            async move {
                inside.notify_one();
                go.notified().await;
                text(StatusCode::OK, request.path)
            }
        };
        let server = Running::start(handler, Limits::default()).await;
        let mut idle = server.connect().await;
        let mut busy = server.connect().await;
        busy.write_all(b"GET /in-hand HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        entered.notified().await;
        server.stop.send(()).unwrap();
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(TcpStream::connect(server.address).await.is_err());
        assert!(!server.task.is_finished());
        enter.notify_one();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("/in-hand"), "{answer}");
        drop((idle, busy));
        server.task.await.unwrap();
    }
}
