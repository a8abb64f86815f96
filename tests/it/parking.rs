//! What a client has to do with a connection that is parked: nothing.
//!
//! 100 ms after its last answer a connection gives back what hyper keeps for it. These clients do
//! what they do at that moment, thousands of times, and each answer must be their own.

use std::{
    cell::Cell,
    collections::HashSet,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    task::LocalSet,
    time::sleep,
};

use super::path::{Path, config};

/// When a connection is parked.
const PARKING: Duration = Duration::from_millis(100);

/// Paths that reached the upstream.
type Seen = Arc<Mutex<HashSet<String>>>;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// An upstream that answers with the path, `size` times in a row for `/SIZE/...`; ends with the process.
fn upstream() -> (SocketAddr, Seen) {
    let (tell, told) = mpsc::sync_channel(1);
    let seen = Seen::default();
    thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            LocalSet::new().block_on(&runtime(), async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::task::spawn_local(serve(stream, Arc::clone(&seen)));
                }
            });
        }
    });
    (told.recv().unwrap(), seen)
}

async fn serve(stream: TcpStream, seen: Seen) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if let Some(path) = line.strip_prefix("GET ") {
            let path = path.split(' ').next().unwrap().to_owned();
            let body = body(&path);
            seen.lock().unwrap().insert(path);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

fn body(path: &str) -> String {
    let times = path.split('/').nth(1).and_then(|size| size.parse().ok());
    path.repeat(times.unwrap())
}

/// One connection.
struct Client(BufReader<TcpStream>);

impl Client {
    /// `room`: bytes that the system keeps for the client before it reads them.
    async fn connect(address: SocketAddr, room: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        Self(BufReader::new(socket.connect(address).await.unwrap()))
    }

    async fn send(&mut self, bytes: &str) -> io::Result<()> {
        self.0.write_all(bytes.as_bytes()).await
    }

    /// The body of the next answer; `None`: the connection was closed before its first byte.
    async fn answer(&mut self) -> Option<String> {
        let (mut length, mut line) = (0, String::new());
        match self.0.read_line(&mut line).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => assert_eq!(line, "HTTP/1.1 200 OK\r\n"),
        }
        while line != "\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).await.unwrap() > 0);
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Some(String::from_utf8(body).unwrap())
    }

    async fn get(&mut self, path: &str) {
        self.send(&request(path)).await.unwrap();
        self.expect(path).await;
    }

    async fn expect(&mut self, path: &str) {
        let answer = self.answer().await;
        assert!(answer.as_deref() == Some(&body(path)), "{path}: {answer:?}");
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: m\r\n\r\n")
}

/// About when a connection is parked: 4 ms around [`PARKING`].
fn about_parking() -> Duration {
    Duration::from_micros(fastrand::u64(96_000..104_000))
}

/// Runs `clients` at once, each with a number of its own.
fn together<F: Future<Output = ()> + 'static>(clients: usize, run: impl Fn(usize) -> F) {
    LocalSet::new().block_on(&runtime(), async {
        let tasks: Vec<_> = (0..clients)
            .map(|number| tokio::task::spawn_local(run(number)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Runs `clients` against a live path, which then has counted `requests`.
fn check<F: Future<Output = ()> + 'static>(
    clients: usize,
    requests: u32,
    run: impl Fn(SocketAddr, usize) -> F,
) {
    let config = config(10_000);
    let path = Path::start(&config, upstream().0);
    let address = path.proxy.address;
    together(clients, |number| run(address, number));
    let counted = path.finish(&config);
    let total = counted.sum("ml_api_requests_total{");
    assert!((total - f64::from(requests)).abs() < 0.5, "{total}");
    counted.assert_books_balance();
}

#[test]
fn a_request_at_the_moment_of_parking_is_answered() {
    check(300, 300 * 20, |address, number| async move {
        let mut client = Client::connect(address, None).await;
        for round in 0..20 {
            client.get(&format!("/1/{number}/{round}")).await;
            sleep(about_parking()).await;
        }
    });
}

#[test]
fn a_head_that_trickles_in_while_its_connection_would_be_parked_is_read() {
    check(300, 300 * 5, |address, number| async move {
        let mut client = Client::connect(address, None).await;
        for round in 0..5 {
            let path = format!("/1/{number}/{round}");
            for byte in request(&path).split_inclusive(|_| true) {
                client.send(byte).await.unwrap();
                // the first byte comes about when parking does in some rounds, the last in others
                sleep(Duration::from_micros(fastrand::u64(..6000))).await;
            }
            client.expect(&path).await;
            sleep(fastrand::bool().then(about_parking).unwrap_or_default()).await;
        }
    });
}

#[test]
fn pipelined_requests_at_the_moment_of_parking_are_answered_in_order() {
    check(200, 200 * 10 * 4, |address, number| async move {
        let mut client = Client::connect(address, None).await;
        for round in 0..10 {
            let paths: Vec<_> = (0..4).map(|i| format!("/1/{number}/{round}/{i}")).collect();
            let requests: String = paths.iter().map(|path| request(path)).collect();
            // some end in the middle of a head
            let cut = fastrand::usize(1..requests.len());
            client.send(&requests[..cut]).await.unwrap();
            sleep(fastrand::bool().then(about_parking).unwrap_or_default()).await;
            client.send(&requests[cut..]).await.unwrap();
            for path in &paths {
                client.expect(path).await;
            }
            sleep(about_parking()).await;
        }
    });
}

#[test]
fn an_answer_that_its_client_has_not_read_survives_parking() {
    check(60, 60 * 4 * 2, |address, number| async move {
        // 8 KiB: most of the answer waits at the proxy, or at its end of the connection
        let room = (number % 2 == 0).then_some(8192);
        let mut client = Client::connect(address, room).await;
        for (round, times) in [1_000, 20_000, 100_000, 400_000].into_iter().enumerate() {
            let path = format!("/{times}/{number}/{round}");
            client.send(&request(&path)).await.unwrap();
            sleep(PARKING * 3).await;
            client.expect(&path).await;
            client.get(&format!("/1/{number}/{round}/next")).await;
        }
    });
}

#[test]
fn a_request_at_the_drain_is_answered_or_was_not_taken() {
    let config = config(10_000);
    let (upstream, seen) = upstream();
    for attempt in 0..8 {
        let path = Rc::new(Path::start(&config, upstream));
        let answered = Rc::new(Cell::new(0));
        together(CLIENTS, |number| {
            let drained = Drained {
                path: Rc::clone(&path),
                seen: Arc::clone(&seen),
                answered: Rc::clone(&answered),
            };
            drained.talk(attempt, number)
        });
        let path = Rc::into_inner(path).unwrap();
        path.finish(&config).assert_books_balance();
    }
}

const CLIENTS: usize = 200;

/// What a client needs that talks until the proxy leaves.
struct Drained {
    path: Rc<Path>,
    seen: Seen,
    answered: Rc<Cell<usize>>,
}

impl Drained {
    /// The first client begins the drain once all are connected.
    async fn talk(self, attempt: usize, number: usize) {
        let mut client = Client::connect(self.path.proxy.address, None).await;
        for round in 0.. {
            let path = format!("/1/{attempt}/{number}/{round}");
            let is_sent = client.send(&request(&path)).await.is_ok();
            match client.answer().await {
                Some(answer) => assert!(is_sent && answer == body(&path), "{answer}"),
                None => return assert!(!self.seen.lock().unwrap().contains(&path), "{path}"),
            }
            self.answered.set(self.answered.get() + 1);
            sleep(about_parking()).await;
            if number == 0 && self.answered.get() > 2 * CLIENTS {
                self.path.leave();
            }
        }
    }
}
