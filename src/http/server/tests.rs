use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    task::JoinHandle,
};

use super::*;
use crate::http::{Request, Response, client, full, text};

/// Far beyond what a slow machine needs.
const LONG: Duration = Duration::from_mins(1);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(handler: impl Handler, limits: Limits) -> Self {
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

/// Limits that alone would keep a newcomer waiting for far too long.
fn patient(connections: usize) -> Limits {
    Limits {
        connections,
        body_timeout: 2 * LONG,
        write_timeout: 2 * LONG,
        ..Limits::default()
    }
}

#[tokio::test]
async fn clients_that_never_read_their_answers_keep_nobody_out() {
    let handler = |request: Request| async move {
        // more than all buffers between the two ends hold
        let size = if request.path == "/much" { 32 << 20 } else { 1 };
        Response::new(full(vec![b'x'; size]))
    };
    let server = Running::start(handler, patient(3)).await;
    let mut stuck = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        client
            .write_all(b"GET /much HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        stuck.push(client);
    }
    assert_eq!(server.ask("/probe").await.1, "x");
}

#[tokio::test]
async fn clients_that_never_send_their_bodies_keep_nobody_out() {
    let server = Running::start(echo, patient(3)).await;
    let mut stuck = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        client
            .write_all(b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
            .await
            .unwrap();
        stuck.push(client);
    }
    assert_eq!(server.ask("/probe").await.1, "/probe 0");
}

/// Refuses every change, and says that it did on all answers.
struct ReadOnly;

impl Handler for ReadOnly {
    fn refuse(&self, request: &Request) -> Option<Response> {
        (!request.is_read()).then(|| text(StatusCode::FORBIDDEN, "no"))
    }

    async fn answer(&self, request: Request) -> Response {
        echo(request).await
    }

    fn dress(&self, response: &mut Response) {
        let seen = http::HeaderValue::from_static("seen");
        response.headers_mut().insert("x-dressed", seen);
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_before_its_body_comes() {
    let server = Running::start(ReadOnly, patient(3)).await;
    for (request, status, answer) in [
        ("POST / HTTP/1.1\r\ncontent-length: 9", "403", "no"),
        ("GET /a HTTP/1.1\r\nconnection: close", "200", "/a 0"),
        ("GET /panic HTTP/1.1\r\nconnection: close", "500", "}"),
        ("GET / HTTP/1.1\r\ncontent-length: 20000", "413", "}"),
    ] {
        let mut client = server.connect().await;
        let head = format!("{request}\r\nhost: a\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let mut said = String::new();
        let reading = client.read_to_string(&mut said);
        tokio::time::timeout(LONG, reading).await.unwrap().unwrap();
        assert_eq!(said.split(' ').nth(1), Some(status), "{said}");
        assert!(said.contains("x-dressed: seen\r\n"), "{said}");
        assert!(said.contains("connection: close\r\n"), "{said}");
        assert!(said.ends_with(answer), "{said}");
    }
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
