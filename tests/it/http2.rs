//! HTTP/2 through a live proxy: what the books and a caller see of it. Frames are the business of
//! `tests/http/h2_cases.py`.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{
    convert::Infallible,
    error::Error,
    io::Write,
    net::{SocketAddr, TcpListener as TcpListenerStd, TcpStream as TcpStreamStd},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::{
    path::{Path, config, nobody},
    strict::{connect, finish, head, until, upstream},
};

type Body = BoxBody<Bytes, Infallible>;
type Caller = SendRequest<Body>;

fn full(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes())).boxed()
}

/// Runs `test` with a connection of HTTP/2 to the proxy.
fn call<T>(path: &Path, test: impl AsyncFnOnce(Caller) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = TcpStream::connect(path.proxy.address).await.unwrap();
        let io = TokioIo::new(stream);
        let (caller, connection) = Builder::new(TokioExecutor::new())
            .handshake(io)
            .await
            .unwrap();
        tokio::spawn(connection);
        test(caller).await
    })
}

fn request(path: &str, content_type: &str, body: Body) -> Request<Body> {
    Request::post(format!("http://m{path}"))
        .header("content-type", content_type)
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

fn grpc(path: &str) -> Request<Body> {
    request(path, "application/grpc", full("\0\0\0\0\0"))
}

/// A model server of HTTP/2: what it does depends on the path. Ends with the process.
fn model() -> SocketAddr {
    model_seen(&Seen::default())
}

/// Paths that were asked for.
type Seen = Arc<Mutex<Vec<String>>>;

fn model_seen(seen: &Seen) -> SocketAddr {
    let seen = Arc::clone(seen);
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let io = TokioIo::new(stream);
                let seen = Arc::clone(&seen);
                let service = service_fn(move |request: Request<Incoming>| {
                    let path = request.uri().path().to_owned();
                    seen.lock().unwrap().push(path);
                    act(request)
                });
                let serving =
                    http2::Builder::new(TokioExecutor::new()).serve_connection(io, service);
                tokio::spawn(serving);
            }
        });
    });
    told.recv().unwrap()
}

async fn act(request: Request<Incoming>) -> Result<Response<Body>, h2::Error> {
    let is_http2 = request.version() == http::Version::HTTP_2;
    let (head, body) = request.into_parts();
    assert!(is_http2 && !head.headers.contains_key("host"));
    if head.uri.path() == "/ticks" {
        tokio::spawn(body.collect());
        return Ok(Response::new(ticks()));
    }
    let body = body.collect().await;
    let sent = body.ok().and_then(|body| body.trailers().cloned());
    match head.uri.path() {
        "/calm" => Err(h2::Reason::ENHANCE_YOUR_CALM.into()),
        "/refuses" => Err(h2::Reason::REFUSED_STREAM.into()),
        "/cancels" => Err(h2::Reason::CANCEL.into()),
        "/fails" => Err(h2::Reason::INTERNAL_ERROR.into()),
        "/only-trailers" => {
            let head = Response::builder().header("grpc-status", "5");
            Ok(head.body(full("")).unwrap())
        }
        _ => Ok(Response::new(with_trailers("ok", sent.unwrap_or_default()))),
    }
}

fn with_trailers(text: &'static str, trailers: HeaderMap) -> Body {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    body.with_trailers(async { Some(Ok(trailers)) }).boxed()
}

fn trailer(name: &'static str, value: &'static str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(name, value.parse().unwrap());
    fields
}

#[test]
fn grpc_goes_to_a_model_of_http2_with_its_trailers_and_is_counted_once() {
    let path = Path::start(&config(1000), model());
    call(&path, async |mut caller| {
        let body = with_trailers("hello", trailer("grpc-status", "7"));
        let sent = request("/echo", "application/grpc", body);
        let answer = caller.send_request(sent).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "7");
        assert_eq!(body.to_bytes(), "ok");

        let answer = caller.send_request(grpc("/only-trailers")).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "5");
        assert!(answer.headers().contains_key("x-request-id"));
    });
    let counted = finish(path);
    assert_eq!(counted.sum("ml_api_requests_total{"), 2.0);
    assert_eq!(counted.sum("sidelight_not_forwarded_total{"), 0.0);
}

#[test]
fn a_stream_that_the_model_ends_is_ended_with_the_same_code() {
    let path = Path::start(&config(1000), model());
    call(&path, async |mut caller| {
        let error = caller.send_request(grpc("/calm")).await.unwrap_err();
        let cause = error.source().unwrap().downcast_ref::<h2::Error>();
        assert_eq!(cause.unwrap().reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
        // the connection goes on
        let answer = caller.send_request(grpc("/echo")).await.unwrap();
        assert_eq!(answer.status(), 200);
    });
    let counted = finish(path);
    assert_eq!(counted.sum("ml_api_requests_total{"), 2.0);
    let reset = r#"sidelight_request_failures_total{fault="upstream",reason="upstream_reset"}"#;
    assert_eq!(counted.sum(reset), 1.0);
}

#[test]
fn a_caller_of_grpc_reads_in_its_own_way_that_the_model_is_not_there() {
    let path = Path::start(&config(1000), nobody());
    call(&path, async |mut caller| {
        let answer = caller.send_request(grpc("/any")).await.unwrap();
        let fields = answer.headers();
        assert_eq!(
            (answer.status().as_u16(), &fields["grpc-status"]),
            (200, &"14".parse().unwrap())
        );
        assert_eq!(fields["grpc-message"], "upstream_refused");
    });
    let counted = finish(path);
    let refused = r#"ml_api_requests_total{method="POST",endpoint="other",status_code="502"}"#;
    assert_eq!(counted.sum(refused), 1.0);
}

/// A model server of HTTP/1 that tells what it was sent.
fn model_of_http1() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let address = upstream(move |mut stream| {
        loop {
            let head = head(&mut stream);
            if head.is_empty() {
                return;
            }
            let is_http2 = head.starts_with("PRI ");
            told.lock().unwrap().push(head);
            if is_http2 {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                return;
            }
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-end\r\n\r\n\
                2\r\nok\r\n0\r\nX-End: 1\r\nX-Other: 2\r\n\r\n";
            stream.write_all(&[&hints[..], answer].concat()).unwrap();
        }
    });
    (address, seen)
}

#[test]
fn a_model_of_http1_gets_requests_of_http1_and_is_asked_once_whether_it_speaks_more() {
    let (address, seen) = model_of_http1();
    let mut config = config(1000);
    config.proxy.threads = Some(1);
    let path = Path::start(&config, address);
    call(&path, async |mut caller| {
        for _ in 0..3 {
            let sent = request("/a?b", "text/plain", full("")).map(|_| full(""));
            let answer = caller.send_request(sent).await.unwrap();
            let body = answer.into_body().collect().await.unwrap();
            assert_eq!(body.trailers().unwrap().len(), 2);
            assert_eq!(body.to_bytes(), "ok");
        }
    });
    let heads = seen.lock().unwrap().join("");
    assert_eq!(heads.matches("PRI * HTTP/2.0\r\n").count(), 1, "{heads}");
    assert_eq!(
        heads.matches("POST /a?b HTTP/1.1\r\n").count(),
        3,
        "{heads}"
    );
    assert_eq!(heads.matches("host: m\r\n").count(), 3, "{heads}");
    let counted = finish(path);
    let hints = r#"sidelight_not_forwarded_total{part="interim_answer"}"#;
    assert_eq!(counted.sum(hints), 3.0, "over HTTP/2 they are not told");
    assert_eq!(counted.sum("ml_api_requests_total{"), 3.0);
}

#[test]
fn trailers_that_a_client_of_http1_cannot_get_are_counted() {
    let (address, _) = model_of_http1();
    let path = Path::start(&config(1000), address);
    for (te, lost) in [("TE: trailers\r\nConnection: te\r\n", 1.0), ("", 2.0)] {
        let before = path.counted().sum("sidelight_not_forwarded_total{");
        let mut client = connect(&path);
        let request = format!("GET /a HTTP/1.1\r\nHost: m\r\n{te}\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let end = if te.is_empty() { "\r\n" } else { "\r\n\r\n" };
        let answer = until(&mut client, "\r\n0\r\n") + &until(&mut client, end);
        assert_eq!(answer.contains("x-end: 1"), !te.is_empty(), "{answer}");
        let after = path.counted().sum("sidelight_not_forwarded_total{");
        assert_eq!(after - before, lost, "{te:?}");
    }
    drop(finish(path));
}

#[test]
fn requests_beyond_the_bound_are_told_to_come_back_and_the_connection_stays() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let address = upstream(move |mut stream| {
        while !head(&mut stream).is_empty() {
            let _ = gone.lock().unwrap().recv();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let mut config = config(1000);
    config.proxy.max_requests = 1;
    config.proxy.max_queued = 0;
    let path = Path::start(&config, address);
    let get = b"GET /a HTTP/1.1\r\nHost: m\r\n\r\n";
    let (mut first, mut second) = (connect(&path), connect(&path));
    first.write_all(get).unwrap();
    while path.counted().sum("ml_api_active_requests") < 1.0 {
        thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..3 {
        let post = b"POST /a HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\nhi";
        second.write_all(post).unwrap();
        let answer = head(&mut second) + &until(&mut second, "\n");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
        assert!(answer.contains("too_many_requests"), "{answer}");
    }
    go.send(()).unwrap();
    assert!(until(&mut first, "ok").starts_with("HTTP/1.1 200 "));
    // there is room again
    second.write_all(get).unwrap();
    go.send(()).unwrap();
    assert!(until(&mut second, "ok").starts_with("HTTP/1.1 200 "));
    let counted = finish(path);
    let refused =
        r#"sidelight_request_failures_total{fault="sidelight",reason="too_many_requests"}"#;
    assert_eq!(counted.sum(refused), 3.0);
}

#[test]
fn a_stream_that_stops_in_its_body_ends_and_others_go_on() {
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_secs(1);
    let path = Path::start(&config, model());
    call(&path, async |mut caller| {
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
        sender.send_data(Bytes::from_static(b"half")).await.unwrap();
        let stalled = caller.send_request(request("/stalls", "application/grpc", body.boxed()));
        let others = async {
            // a connection that is used is not idle
            for _ in 0..20 {
                let mut other = caller.clone();
                let answer = other.send_request(grpc("/echo")).await.unwrap();
                assert_eq!(answer.status(), 200);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (stalled, ()) = tokio::join!(stalled, others);
        // it gets an answer or an end, and does not hang
        drop(stalled);
        drop(sender);
    });
    let counted = finish(path);
    let stopped =
        r#"sidelight_request_failures_total{fault="client",reason="request_body_broken"}"#;
    assert_eq!(counted.sum(stopped), 1.0);
    assert_eq!(counted.sum("ml_api_requests_total{"), 21.0);
}

/// Sends `path` with `method` on a connection that is in use, to a model that counts.
fn sent_to_a_model_that(answers: &'static str, method: &'static str) -> usize {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let path = Path::start(&config(1000), model_seen(&seen));
    call(&path, async |mut caller| {
        assert_eq!(
            caller.send_request(grpc("/echo")).await.unwrap().status(),
            200
        );
        let sent = Request::builder().method(method);
        let sent = sent.uri(format!("http://m{answers}"));
        let sent = sent.header("content-type", "application/grpc");
        let _ = caller.send_request(sent.body(full("")).unwrap()).await;
    });
    drop(finish(path));
    let seen = seen.lock().unwrap();
    seen.iter().filter(|path| *path == answers).count()
}

#[test]
fn a_stream_goes_out_once_more_only_if_the_model_says_that_it_did_nothing() {
    assert_eq!(sent_to_a_model_that("/refuses", "GET"), 2);
    assert_eq!(sent_to_a_model_that("/refuses", "POST"), 1);
    for answers in ["/calm", "/cancels", "/fails"] {
        for method in ["GET", "DELETE", "POST"] {
            assert_eq!(
                sent_to_a_model_that(answers, method),
                1,
                "{method} {answers}"
            );
        }
    }
}

#[test]
fn all_who_want_a_connection_wait_for_one_dial_and_no_longer_than_for_their_own() {
    // nobody accepts: connections fill its queue and the next is not answered
    let full_up = TcpListenerStd::bind("127.0.0.1:0").unwrap();
    let address = full_up.local_addr().unwrap();
    let waiting = fill(address);
    let mut config = config(1000);
    config.proxy.connect_timeout = Duration::from_millis(500);
    let path = Path::start(&config, address);
    let began = Instant::now();
    call(&path, async |caller| {
        let calls = (0..20).map(|_| {
            let mut caller = caller.clone();
            tokio::spawn(async move { caller.send_request(grpc("/any")).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let answer = call.await.unwrap().unwrap();
            assert_eq!(answer.headers()["grpc-message"], "upstream_connect_timeout");
        }
    });
    // one after the other they would take 10 s
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    drop((waiting, finish(path)));
}

/// Connections to `address` until it takes no more.
fn fill(address: SocketAddr) -> Vec<TcpStreamStd> {
    let patience = Duration::from_millis(300);
    std::iter::from_fn(|| TcpStreamStd::connect_timeout(&address, patience).ok()).collect()
}

#[test]
fn a_caller_may_listen_for_as_long_as_the_model_goes_on() {
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_secs(1);
    let path = Path::start(&config, model());
    call(&path, async |mut caller| {
        // its own side stays open, and it says nothing more
        let (sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
        let sent = request("/ticks", "application/grpc", body.boxed());
        let answer = caller.send_request(sent).await.unwrap();
        let heard = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(heard.len(), TICKS);
        drop(sender);
    });
    let counted = finish(path);
    assert_eq!(counted.sum("sidelight_request_failures_total{"), 0.0);
}

/// Events of `/ticks`, one in a tenth of a second.
const TICKS: usize = 25;

fn ticks() -> Body {
    let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        for _ in 0..TICKS {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if sender.send_data(Bytes::from_static(b".")).await.is_err() {
                return;
            }
        }
    });
    body.boxed()
}
