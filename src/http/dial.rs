//! A connection to a host that may be a name.
//!
//! A lookup blocks a thread for as long as the resolver is silent, often half a minute. So it gets
//! a thread that nobody else needs and that no shutdown waits for, all who want the same name wait
//! for the same lookup, and there is a limit to how many are under way.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, sync::watch, time::timeout};

/// A lookup that takes longer is joined by another: the resolver may have come back meanwhile.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest wait for one of several addresses, the last aside: one that swallows what is sent to it
/// must not use up the patience that the others would have deserved.
const ONE_OF_MANY: Duration = Duration::from_millis(300);
/// Lookups of one name at once: enough to go on asking for as long as resolvers usually take.
const AT_ONCE: usize = 16;

/// Connects to `host`, a name or an address (IPv6 without brackets); tries its addresses in turn.
///
/// Waits for as long as the resolver and the system do: put a deadline around it.
///
/// # Errors
/// When the name has no address, or nobody accepts at any.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let (stream, _) = first_of(&resolve(host).await?, port).await?;
    Ok(stream)
}

/// The addresses of `host`, a name or an address itself.
///
/// Waits for as long as the resolver does: put a deadline around it.
///
/// # Errors
/// When the name has no address, or nobody can be asked.
pub async fn resolve(host: &str) -> io::Result<Arc<[IpAddr]>> {
    static LOOKUPS: LazyLock<Lookups> = LazyLock::new(|| Lookups::new(AGAIN, system));
    match host.parse() {
        Ok(address) => Ok(Arc::new([address])),
        Err(_) => LOOKUPS.find(host).await,
    }
}

/// A connection to the first of `addresses` that accepts, and which that is.
///
/// # Errors
/// When none does: why the last did not.
pub async fn first_of(addresses: &[IpAddr], port: u16) -> io::Result<(TcpStream, IpAddr)> {
    let (last, others) = addresses.split_last().ok_or(io::ErrorKind::NotFound)?;
    for address in others {
        if let Ok(Ok(stream)) = timeout(ONE_OF_MANY, TcpStream::connect((*address, port))).await {
            return Ok((stream, *address));
        }
    }
    Ok((TcpStream::connect((*last, port)).await?, *last))
}

/// What the system's resolver says; blocks.
fn system(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = (host, 0).to_socket_addrs()?;
    Ok(found.map(|address| address.ip()).collect())
}

type Found = Option<Result<Arc<[IpAddr]>, Arc<io::Error>>>;
type Resolve = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// The lookups that are under way, by name.
#[derive(Clone)]
struct Lookups {
    asked: Arc<Mutex<HashMap<String, Asked>>>,
    again: Duration,
    resolve: Arc<Resolve>,
}

struct Asked {
    found: watch::Sender<Found>,
    /// When the youngest was begun; `None`: one has ended since, so the resolver speaks.
    since: Option<Instant>,
    under_way: usize,
}

impl Lookups {
    fn new(
        again: Duration,
        resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            asked: Arc::default(),
            again,
            resolve: Arc::new(resolve),
        }
    }

    async fn find(&self, host: &str) -> io::Result<Arc<[IpAddr]>> {
        let mut found = self.join(host)?;
        // that nobody says anything new is no reason to forget what was found a moment ago
        let _ = found.changed().await;
        let found = found.borrow();
        match &*found {
            Some(Ok(addresses)) => Ok(Arc::clone(addresses)),
            Some(Err(error)) => Err(again(error)),
            None => Err(io::Error::other("the resolver panicked")),
        }
    }

    /// Takes part in the lookup of `host` that is under way; starts one where none is, or none that
    /// is young.
    fn join(&self, host: &str) -> io::Result<watch::Receiver<Found>> {
        let mut asked = self.lock();
        let entry = asked.entry(host.to_owned()).or_insert_with(|| Asked {
            found: watch::Sender::new(None),
            since: None,
            under_way: 0,
        });
        let is_old = entry
            .since
            .is_none_or(|since| since.elapsed() >= self.again);
        if entry.under_way == 0 || is_old && entry.under_way < AT_ONCE {
            match self.start(host) {
                Ok(()) => {
                    entry.since = Some(Instant::now());
                    entry.under_way += 1;
                }
                Err(error) if entry.under_way == 0 => {
                    asked.remove(host);
                    return Err(error);
                }
                // those under way may still find it
                Err(_) => {}
            }
        }
        Ok(entry.found.subscribe())
    }

    fn start(&self, host: &str) -> io::Result<()> {
        let (lookups, host) = (self.clone(), host.to_owned());
        let thread = std::thread::Builder::new().name("resolve".to_owned());
        thread.spawn(move || {
            let ended = Ended {
                lookups: &lookups,
                host: &host,
            };
            let found = (lookups.resolve)(&host);
            ended.tell(found);
        })?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a lookup as ended when it is dropped, also by a panic.
struct Ended<'a> {
    lookups: &'a Lookups,
    host: &'a str,
}

impl Ended<'_> {
    /// Tells everyone who waits. A failure is told only by the last, and only if none has found it:
    /// a lookup that was begun into the silence fails long after the resolver has come back.
    fn tell(self, found: io::Result<Vec<IpAddr>>) {
        let mut asked = self.lookups.lock();
        let Some(entry) = asked.get_mut(self.host) else {
            return;
        };
        entry.since = None;
        let is_last = entry.under_way == 1 && !matches!(*entry.found.borrow(), Some(Ok(_)));
        if found.is_ok() || is_last {
            let found = found.map(Arc::from).map_err(Arc::new);
            entry.found.send_replace(Some(found));
        }
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut asked = self.lookups.lock();
        if let Some(entry) = asked.get_mut(self.host) {
            entry.under_way -= 1;
            if entry.under_way == 0 {
                asked.remove(self.host);
            }
        }
    }
}

/// The same error for one more who waited.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests;
