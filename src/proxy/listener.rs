//! Data threads: each has a runtime, a listening socket and a pool of its own.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    thread::JoinHandle,
    time::Duration,
};

use socket2::{Domain, Socket as RawSocket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::LocalSet,
};

use super::{
    connection::{Connection, Http, a_look_at_the_sockets},
    io::Client,
    keepalive,
    thread::{Limits, Parts, Thread},
};
use crate::{
    config,
    drain::Phase,
    http,
    panics::{contain, hook},
};

/// Time between two looks at idle upstream connections.
const TICK: Duration = Duration::from_secs(1);
/// Pause after an accept that failed for want of resources: they come back when others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running data threads.
pub struct Proxy {
    /// Where they listen.
    pub address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    runtimes: Vec<Handle>,
}

impl Proxy {
    /// Binds `settings.listen` and starts the data threads.
    ///
    /// # Errors
    /// When the address is taken or not ours, or the system gives no more threads or sockets.
    pub fn start(settings: &config::Proxy, parts: &Parts) -> io::Result<Self> {
        let count = settings.threads.unwrap_or_else(available_threads);
        let listeners = bind(settings.listen, count)?;
        let address = listeners[0].local_addr()?;
        let mut proxy = Self {
            address,
            threads: Vec::new(),
            runtimes: Vec::new(),
        };
        for (i, listener) in listeners.into_iter().enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            proxy.runtimes.push(runtime.handle().clone());
            let (settings, parts) = (settings.clone(), parts.clone());
            let thread = std::thread::Builder::new()
                .name(format!("data-{i}"))
                .spawn(move || run(&runtime, listener, &settings, parts))?;
            proxy.threads.push(thread);
        }
        Ok(proxy)
    }

    /// The runtimes, to ask each for a sign of life.
    pub fn runtimes(&self) -> Vec<Handle> {
        self.runtimes.clone()
    }

    /// Waits until every data thread has ended, which the drain's phase makes them do.
    pub fn join(self) {
        for thread in self.threads {
            // a data thread that panicked has ended as well
            let _ = thread.join();
        }
    }
}

/// The CPU quota of the container, at least 1.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One listening socket per thread on the same address; the kernel spreads connections.
///
/// `SO_REUSEPORT` would also let a second agent in: a first socket without it finds out whether
/// the address is taken.
fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<StdListener>> {
    let only = open(address, false)?;
    if count <= 1 {
        return Ok(vec![listening(only)?]);
    }
    let address = StdListener::from(only).local_addr()?;
    let shared = |_| listening(open(address, true)?);
    (0..count).map(shared).collect()
}

fn listening(socket: RawSocket) -> io::Result<StdListener> {
    socket.listen(http::BACKLOG)?;
    Ok(socket.into())
}

fn open(address: SocketAddr, share: bool) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    // both are inherited by the connections. Small answers must not wait for an acknowledgement, and
    // a client that vanished must not be held for ever by what it asked for.
    socket.set_tcp_nodelay(true)?;
    keepalive::ask(&socket);
    socket.bind(&address.into())?;
    Ok(socket)
}

fn run(runtime: &Runtime, listener: StdListener, settings: &config::Proxy, parts: Parts) {
    let local = LocalSet::new();
    local.block_on(runtime, async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept(listener, settings, parts).await,
            Err(error) => tracing::error!(%error, "data thread cannot use its socket"),
        }
    });
}

/// Accepts until the drain begins, then waits for those in flight.
async fn accept(listener: TcpListener, settings: &config::Proxy, parts: Parts) {
    let drain = parts.drain.clone();
    let mut changes = parts.settings.clone();
    let thread = Thread::new(parts, settings);
    let http = Rc::new(Http::new(settings, thread.counts.panics.clone()));
    let max = u32::try_from(settings.max_connections)
        .unwrap_or(u32::MAX)
        .min(1 << 20);
    let room = Arc::new(Semaphore::new(max as usize));
    let mut tick = tokio::time::interval(TICK);
    let panics = thread.counts.accept_panics.clone();
    let serve = |(stream, address): (TcpStream, SocketAddr), permit| {
        hook("accept");
        let address = address.ip().to_canonical();
        let connection = Connection {
            client: Client::new(stream, address, Rc::clone(&thread)),
            thread: Rc::clone(&thread),
            _permit: permit,
        };
        tokio::task::spawn_local(connection.serve(Rc::clone(&http)));
    };
    let relay = Rc::clone(&thread.relay);
    tokio::task::spawn_local(async move { relay.follow(drain).await });
    loop {
        tokio::select! {
            () = thread.reached(Phase::Draining) => break,
            Ok(()) = changes.changed() => {
                let settings = Arc::clone(&changes.borrow_and_update());
                let _ = contain(&panics, || thread.apply(settings));
            }
            _ = tick.tick() => {
                let _ = contain(&panics, || thread.tidy());
            }
            (stream, permit) = next(&listener, &room, &thread.counts.limits) => {
                let _ = contain(&panics, || serve(stream, permit));
            }
        }
    }
    // who has connected by now is not reset
    a_look_at_the_sockets().await;
    while let Some((stream, permit)) = at_once(next(&listener, &room, &thread.counts.limits)).await
    {
        let _ = contain(&panics, || serve(stream, permit));
    }
    drop(listener);
    tokio::select! {
        _ = room.acquire_many(max) => {}
        () = thread.reached(Phase::Stopped) => {}
    }
}

/// What `waiting` gives without waiting.
async fn at_once<F: Future>(waiting: F) -> Option<F::Output> {
    let mut waiting = pin!(waiting);
    poll_fn(|cx| match waiting.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The next connection, once there is room for it.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    limits: &Limits,
) -> ((TcpStream, SocketAddr), OwnedSemaphorePermit) {
    loop {
        let was_full = room.available_permits() == 0;
        let permit = Arc::clone(room)
            .acquire_owned()
            .await
            .expect("it is never closed");
        let mut accepting = pin!(listener.accept());
        let waiting = at_once(accepting.as_mut()).await;
        if was_full && waiting.is_some() {
            limits.connections.increment(1);
        }
        let accepted = match waiting {
            Some(accepted) => accepted,
            None => accepting.await,
        };
        match accepted {
            Ok(accepted) => return (accepted, permit),
            Err(error) => {
                limits.sockets.increment(1);
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
