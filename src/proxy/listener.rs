//! Data threads: each has a runtime, a listening socket and a pool of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use ::metrics::Counter;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket as RawSocket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::LocalSet,
};

use super::{
    io::{Client, Socket},
    keepalive, service,
    thread::{Parts, Thread},
};
use crate::{config, drain::Phase};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
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
        return Ok(vec![only]);
    }
    let address = only.local_addr()?;
    drop(only);
    (0..count).map(|_| open(address, true)).collect()
}

fn open(address: SocketAddr, share: bool) -> io::Result<StdListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
    let mut drain = parts.drain.clone();
    let mut stop = parts.drain.clone();
    let mut changes = parts.settings.clone();
    let thread = Thread::new(parts, settings);
    let http = Rc::new(http(settings));
    let max = u32::try_from(settings.max_connections)
        .unwrap_or(u32::MAX)
        .min(1 << 20);
    let room = Arc::new(Semaphore::new(max as usize));
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = drain.reached(Phase::Draining) => break,
            Ok(()) = changes.changed() => {
                let settings = Arc::clone(&changes.borrow_and_update());
                thread.apply(settings);
            }
            _ = tick.tick() => {
                let limit = thread.settings.borrow().upstream_idle;
                thread.pool.prune(limit);
            }
            (stream, permit) = next(&listener, &room) => {
                let (stream, address) = stream;
                // small answers must not wait for an acknowledgement; without it they are only slower
                let _ = stream.set_nodelay(true);
                keepalive::ask(&stream);
                let address = address.ip().to_canonical();
                let connection = Connection {
                    client: Client::new(stream, address, Rc::clone(&thread)),
                    thread: Rc::clone(&thread),
                    drain: stop.clone(),
                    _permit: permit,
                };
                tokio::task::spawn_local(connection.serve(Rc::clone(&http)));
            }
        }
    }
    drop(listener);
    tokio::select! {
        _ = room.acquire_many(max) => {}
        () = stop.reached(Phase::Stopped) => {}
    }
}

/// The next connection, once there is room for it.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> ((TcpStream, SocketAddr), OwnedSemaphorePermit) {
    loop {
        let permit = Arc::clone(room)
            .acquire_owned()
            .await
            .expect("it is never closed");
        match listener.accept().await {
            Ok(accepted) => return (accepted, permit),
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn http(settings: &config::Proxy) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.auto_date_header(false)
        .preserve_header_case(settings.preserve_header_case)
        .max_headers(settings.max_fields)
        .max_header_size(settings.max_head)
        // a client that closes its sending end has left, as far as anyone can tell
        .half_close(false)
        .header_read_timeout(None);
    http
}

/// Counts itself when it is dropped by a panic: the connection is lost, the thread goes on.
struct PanicCount(Counter);

impl Drop for PanicCount {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.increment(1);
        }
    }
}

struct Connection {
    client: Rc<Client>,
    thread: Rc<Thread>,
    drain: crate::drain::Watch,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Serves one client until it leaves or the drain ends it.
    async fn serve(mut self, http: Rc<http1::Builder>) {
        let _count = PanicCount(self.thread.counts.panics.clone());
        let mut stop = self.drain.clone();
        let serving = async {
            self.speak(&http).await;
            self.client.end().await;
        };
        tokio::select! {
            () = serving => {}
            () = stop.reached(Phase::Stopped) => {}
        }
    }

    /// HTTP, for as long as it is that.
    async fn speak(&mut self, http: &http1::Builder) {
        let socket = TokioIo::new(Socket::new(Rc::clone(&self.client)));
        let (thread, client) = (Rc::clone(&self.thread), Rc::clone(&self.client));
        let service = service_fn(move |request| {
            service::answer(Rc::clone(&thread), Rc::clone(&client), request)
        });
        let mut connection = pin!(http.serve_connection(socket, service));
        // what goes wrong with a request is in its record; the rest is a client that left
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.drain.reached(Phase::Draining) => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = connection => {}
            // a head that does not end must not hold up the drain
            () = self.client.quiet() => {}
        }
    }
}
