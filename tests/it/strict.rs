//! HTTP/1.1 as its RFCs have it, seen from both ends of a live proxy.
//!
//! The conformance runner has many more cases; these are the ones that the books must agree with.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::path::{Counted, Path, config};

/// Long enough for anything that is not stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// An upstream that does as it is told with each connection; ends with the process.
pub(super) fn upstream(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// What comes until it contains `end`; what was there when the other side closed, if it does not.
pub(super) fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(end.as_bytes()) {
        match stream.read(&mut byte) {
            Ok(1) => all.push(byte[0]),
            Ok(_) => break,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e} after {:?}", String::from_utf8_lossy(&all)),
        }
    }
    String::from_utf8(all).unwrap()
}

pub(super) fn head(stream: &mut TcpStream) -> String {
    until(stream, "\r\n\r\n")
}

pub(super) fn connect(path: &Path) -> TcpStream {
    let stream = TcpStream::connect(path.proxy.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One request on a connection of its own; everything that comes back until it closes.
fn ask(path: &Path, request: &str) -> String {
    let mut client = connect(path);
    client.write_all(request.as_bytes()).unwrap();
    until(&mut client, "no end")
}

pub(super) fn finish(path: Path) -> Counted {
    let counted = path.finish(&config(1000));
    counted.assert_books_balance();
    counted
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers the first request of each connection; what happens to the second is `second`.
fn stale(seen: &Arc<AtomicUsize>, second: &'static [u8]) -> SocketAddr {
    let seen = Arc::clone(seen);
    upstream(move |mut stream| {
        head(&mut stream);
        seen.fetch_add(1, Ordering::Relaxed);
        stream.write_all(OK).unwrap();
        if !head(&mut stream).is_empty() {
            seen.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(second);
        }
    })
}

fn ask_twice(path: &Path, second: &str) -> String {
    let mut client = connect(path);
    client
        .write_all(b"GET /a HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    client.write_all(second.as_bytes()).unwrap();
    head(&mut client)
}

const AGAIN: &str = "GET /b HTTP/1.1\r\nHost: m\r\n\r\n";

#[test]
fn a_get_goes_out_once_more_when_its_pooled_connection_was_closed_under_it() {
    let seen = Arc::new(AtomicUsize::new(0));
    let path = Path::start(&config(1000), stale(&seen, b""));
    let answer = ask_twice(&path, AGAIN);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(seen.load(Ordering::Relaxed), 3, "the second of them twice");
    let counted = finish(path);
    assert_eq!(counted.sum("ml_api_requests_total{"), 2.0);
    assert_eq!(counted.sum("sidelight_request_failures_total{"), 0.0);
}

#[test]
fn a_get_of_whose_answer_a_byte_was_there_does_not_go_out_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let path = Path::start(&config(1000), stale(&seen, b"HTTP/1.1 2"));
    let answer = ask_twice(&path, AGAIN);
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    finish(path);
}

#[test]
fn a_post_and_a_put_with_a_body_never_go_out_again() {
    for method in ["POST", "PUT"] {
        let seen = Arc::new(AtomicUsize::new(0));
        let path = Path::start(&config(1000), stale(&seen, b""));
        let request = format!("{method} /b HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\n\r\nx");
        let answer = ask_twice(&path, &request);
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        assert_eq!(seen.load(Ordering::Relaxed), 2, "{method}");
        finish(path);
    }
}

#[test]
fn a_websocket_keeps_what_came_with_either_head_and_is_counted_once() {
    let address = upstream(|mut stream| {
        let request = head(&mut stream).to_ascii_lowercase();
        assert!(request.contains("upgrade: websocket\r\n"), "{request}");
        assert!(request.contains("connection: upgrade\r\n"), "{request}");
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst";
        stream.write_all(agreed.as_bytes()).unwrap();
        assert_eq!(until(&mut stream, "early"), "early");
        stream.write_all(b"second").unwrap();
        assert_eq!(until(&mut stream, "late"), "late");
    });
    let path = Path::start(&config(1000), address);
    let mut client = connect(&path);
    let request =
        "GET /ws HTTP/1.1\r\nHost: m\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly";
    client.write_all(request.as_bytes()).unwrap();
    let answer = head(&mut client).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    assert_eq!(until(&mut client, "firstsecond"), "firstsecond");
    client.write_all(b"late").unwrap();
    assert_eq!(until(&mut client, "no end"), "", "closed with the upstream");
    drop(client);
    let counted = finish(path);
    assert_eq!(counted.sum("ml_api_requests_total{"), 1.0);
    assert_eq!(counted.sum("ml_api_active_requests"), 0.0);
}

#[test]
fn hints_come_before_the_answer_and_not_to_an_old_client() {
    let address = upstream(|mut stream| {
        while !head(&mut stream).is_empty() {
            let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            stream.write_all(&hint.repeat(40)).unwrap();
            stream.write_all(OK).unwrap();
        }
    });
    let path = Path::start(&config(1000), address);
    let request = |version| format!("GET / {version}\r\nHost: m\r\nConnection: close\r\n\r\n");
    let answer = ask(&path, &request("HTTP/1.1"));
    assert_eq!(
        answer
            .matches("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
            .count(),
        32
    );
    let last = answer.rfind("103 Early").unwrap();
    assert!(last < answer.find("200 OK").unwrap(), "{answer}");
    assert!(answer.ends_with("ok"));
    assert!(!ask(&path, &request("HTTP/1.0")).contains("103"));
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 2.0);
}

#[test]
fn a_bad_chunk_is_a_400_and_the_clients_fault() {
    let address = upstream(|mut stream| {
        until(&mut stream, "no end");
    });
    let path = Path::start(&config(1000), address);
    let bad = [
        "5;a=\0\r\nhello\r\n0\r\n\r\n",
        "x\r\n",
        "5\r\nhelloXX0\r\n\r\n",
    ];
    for chunk in bad {
        let head = "POST /predict HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n";
        for pause in [false, true] {
            let mut client = connect(&path);
            client.write_all(head.as_bytes()).unwrap();
            if pause {
                // so that the chunk is read when the upstream has the head
                thread::sleep(Duration::from_millis(50));
            }
            client.write_all(chunk.as_bytes()).unwrap();
            let answer = until(&mut client, "no end");
            assert!(answer.starts_with("HTTP/1.1 400"), "{chunk:?} {answer}");
            assert!(answer.contains("x-sidelight-reason: request_body_broken"));
            assert!(answer.contains("x-request-id: "));
        }
    }
    let counted = finish(path);
    let client = r#"sidelight_request_failures_total{fault="client""#;
    assert_eq!(counted.sum(client), 6.0);
    assert_eq!(counted.sum("sidelight_request_failures_total{"), 6.0);
}

#[test]
fn what_is_refused_is_answered_with_its_reason_and_counted() {
    let address = upstream(|mut stream| {
        assert_eq!(head(&mut stream), "", "nothing goes to the upstream");
    });
    let path = Path::start(&config(1000), address);
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", "400", "bad_host"),
        ("GET foo HTTP/1.1\r\nHost: a\r\n\r\n", "400", "bad_target"),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
            "501",
            "connect_refused",
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
            "501",
            "max_forwards",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "501",
            "unknown_transfer_encoding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "400",
            "bad_transfer_encoding",
        ),
    ];
    for (request, status, reason) in cases {
        let answer = ask(&path, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(
            answer.contains(&format!("x-sidelight-reason: {reason}\r\n")),
            "{answer}"
        );
        assert!(answer.contains("x-request-id: "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    let counted = finish(path);
    for (_, _, reason) in cases {
        let series =
            format!(r#"sidelight_request_failures_total{{fault="client",reason="{reason}"}}"#);
        assert_eq!(counted.sum(&series), 1.0, "{reason}");
    }
}

#[test]
fn a_head_that_takes_too_long_is_answered_with_408_and_counted() {
    let mut config = config(1000);
    config.proxy.head_timeout = Duration::from_millis(300);
    let path = Path::start(&config, upstream(|_| {}));
    let mut client = connect(&path);
    let began = Instant::now();
    for part in ["GET / HTTP", "/1.1\r\n", "Host: m\r\n"] {
        client.write_all(part.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    let answer = until(&mut client, "no end");
    assert!(began.elapsed() >= config.proxy.head_timeout);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("x-sidelight-reason: head_timeout\r\n"),
        "{answer}"
    );
    assert!(answer.contains("x-request-id: "), "{answer}");
    drop(client);
    let counted = finish(path);
    assert_eq!(counted.sum("ml_api_requests_total{"), 1.0);
    let series = r#"sidelight_request_failures_total{fault="client",reason="head_timeout"}"#;
    assert_eq!(counted.sum(series), 1.0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word_and_a_slow_answer_is_waited_for() {
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_millis(200);
    config.proxy.head_timeout = Duration::from_millis(100);
    let address = upstream(|mut stream| {
        while !head(&mut stream).is_empty() {
            thread::sleep(Duration::from_millis(600));
            stream.write_all(OK).unwrap();
        }
    });
    let path = Path::start(&config, address);
    let mut client = connect(&path);
    for _ in 0..2 {
        client.write_all(AGAIN.as_bytes()).unwrap();
        assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
        thread::sleep(Duration::from_millis(100));
    }
    let began = Instant::now();
    assert_eq!(until(&mut client, "no end"), "");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(ask(&path, ""), "", "nor one that never asked");
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 2.0);
}

#[test]
fn an_answer_reaches_a_client_that_still_sends() {
    let address = upstream(|mut stream| {
        head(&mut stream);
        let big =
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig";
        stream.write_all(big).unwrap();
        thread::sleep(Duration::from_millis(100));
    });
    let path = Path::start(&config(1000), address);
    let piece = vec![b'x'; 50_000];
    for (host, expected) in [("Host: m\r\n", "413"), ("", "400")] {
        let mut client = connect(&path);
        let head = format!("POST / HTTP/1.1\r\n{host}Content-Length: 3000000\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        for _ in 0..30 {
            client.write_all(&piece).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("no reset");
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{answer}"
        );
    }
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 2.0);
}

#[test]
fn a_body_that_outlives_its_answer_is_no_late_head() {
    let mut config = config(1000);
    config.proxy.head_timeout = Duration::from_millis(100);
    let address = upstream(|mut stream| {
        head(&mut stream);
        stream.write_all(OK).unwrap();
        assert_eq!(until(&mut stream, "slowly"), "slowly");
    });
    let path = Path::start(&config, address);
    let mut client = connect(&path);
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 6\r\n\r\n")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    for byte in "slowly".bytes() {
        thread::sleep(Duration::from_millis(60));
        client.write_all(&[byte]).unwrap();
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        until(&mut client, "no end"),
        "",
        "one answer to one request"
    );
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 1.0);
}

#[test]
fn an_answer_with_two_lengths_passes_whole_and_is_the_last_of_its_connection() {
    let seen = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&seen);
    let address = upstream(move |mut stream| {
        connections.fetch_add(1, Ordering::Relaxed);
        while !head(&mut stream).is_empty() {
            let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(both.as_bytes()).unwrap();
            for chunk in ["5\r\nhello\r\n", "5\r\nworld\r\n", "0\r\n\r\n"] {
                thread::sleep(Duration::from_millis(20));
                stream.write_all(chunk.as_bytes()).unwrap();
            }
        }
    });
    let path = Path::start(&config(1000), address);
    for _ in 0..2 {
        let answer = ask(
            &path,
            "GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
        );
        assert!(!answer.contains("content-length"), "{answer}");
        assert!(
            answer.ends_with("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"),
            "{answer}"
        );
    }
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    finish(path);
}

#[test]
fn a_body_is_not_asked_for_before_the_upstream_wants_it() {
    let address = upstream(|mut stream| {
        let request = head(&mut stream);
        if request.starts_with("POST /refused") {
            let refused = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(refused).unwrap();
            return;
        }
        if request.starts_with("POST /wanted") {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        assert_eq!(until(&mut stream, "body"), "body");
        // to close without a word would lose the next POST, where it is sent before that is seen
        let last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(last).unwrap();
    });
    let path = Path::start(&config(1000), address);
    let send = |target: &str| {
        let mut client = connect(&path);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        );
        client.write_all(head.as_bytes()).unwrap();
        client
    };
    let answer = head(&mut send("/refused"));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for (target, least) in [("/wanted", 0), ("/silent", 1)] {
        let began = Instant::now();
        let mut client = send(target);
        let answer = head(&mut client);
        assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
        assert!(began.elapsed() >= Duration::from_secs(least), "{target}");
        client.write_all(b"body").unwrap();
        let answer = head(&mut client);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 3.0);
}

#[test]
fn pipelined_requests_are_answered_in_order_whatever_they_are() {
    let address = upstream(|mut stream| {
        loop {
            let request = head(&mut stream);
            let Some(target) = request.split(' ').nth(1) else {
                return;
            };
            if request.starts_with("POST") {
                let end = if request.contains("chunked") {
                    "0\r\n\r\n"
                } else {
                    "body"
                };
                until(&mut stream, end);
            }
            let length = target.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{target}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let path = Path::start(&config(1000), address);
    let request = |i| match i % 4 {
        0 => format!("GET /{i}; HTTP/1.1\r\nHost: m\r\n\r\n"),
        1 => {
            format!("GET /{i}; HTTP/1.1\r\nHost: m\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        }
        2 => format!("POST /{i}; HTTP/1.1\r\nHost: m\r\nContent-Length: 4\r\n\r\nbody"),
        _ => format!(
            "POST /{i}; HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n"
        ),
    };
    let all: String = (0..100).map(request).collect();
    let mut client = connect(&path);
    client.write_all(all.as_bytes()).unwrap();
    for i in 0..100 {
        let answer = until(&mut client, ";");
        assert!(answer.starts_with("HTTP/1.1 200"), "{i} {answer}");
        assert!(answer.ends_with(&format!("/{i};")), "{i} {answer}");
    }
    drop(client);
    assert_eq!(finish(path).sum("ml_api_requests_total{"), 100.0);
}

#[test]
fn declared_trailers_pass_both_ways() {
    let address = upstream(|mut stream| {
        let request = head(&mut stream).to_ascii_lowercase();
        assert!(request.contains("te: trailers\r\n"), "{request}");
        let body = until(&mut stream, "\r\n\r\n");
        assert!(
            body.to_ascii_lowercase().ends_with("0\r\nx-up: 1\r\n\r\n"),
            "{body}"
        );
        let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Down\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Down: 2\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let path = Path::start(&config(1000), address);
    let request = "POST / HTTP/1.1\r\nHost: m\r\nTE: trailers\r\nConnection: TE, close\r\nTrailer: X-Up\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Up: 1\r\n\r\n";
    let answer = ask(&path, request).to_ascii_lowercase();
    assert!(
        answer.ends_with("2\r\nok\r\n0\r\nx-down: 2\r\n\r\n"),
        "{answer}"
    );
    finish(path);
}

#[test]
fn a_refusal_over_http1_is_one_of_http1_whatever_its_content_type() {
    let seen = Arc::new(AtomicUsize::new(0));
    let path = Path::start(&config(1000), stale(&seen, OK));
    for fields in [
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
    ] {
        let refused = format!("POST / HTTP/1.1\r\nContent-Type: application/grpc\r\n{fields}\r\n");
        let answer = ask(
            &path,
            &format!("{refused}GET /second HTTP/1.1\r\nHost: m\r\n\r\n"),
        );
        let status = &answer[..12];
        assert!(
            ["HTTP/1.1 400", "HTTP/1.1 501"].contains(&status),
            "{answer}"
        );
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(seen.load(Ordering::Relaxed), 0, "nothing may go on");
    drop(finish(path));
}

#[test]
fn a_body_that_goes_on_behind_its_answer_is_not_cut() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let address = upstream(move |mut stream| {
        head(&mut stream);
        stream.write_all(OK).unwrap();
        let mut bytes = 0;
        let mut room = [0; 1000];
        while let Ok(count @ 1..) = stream.read(&mut room) {
            bytes += count;
        }
        tell.send(bytes).unwrap();
    });
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_secs(1);
    let path = Path::start(&config, address);
    let mut client = connect(&path);
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 3000\r\n\r\n")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    for _ in 0..30 {
        client.write_all(&[b'x'; 100]).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    client
        .write_all(b"GET /next HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), 3000);
    drop(finish(path));
}

#[test]
fn a_client_that_stops_in_its_body_after_a_slow_answer_is_let_go() {
    let address = upstream(|mut stream| {
        head(&mut stream);
        stream.write_all(OK).unwrap();
        head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        // around the moment at which a client that says nothing would be parked
        for (pause, part) in [(50, "4\r\nslow\r\n"), (250, "2\r\nok\r\n0\r\n\r\n")] {
            thread::sleep(Duration::from_millis(pause));
            stream.write_all(part.as_bytes()).unwrap();
        }
        // it keeps the connection for as long as the other side does
        stream.set_read_timeout(None).unwrap();
        while let Ok(1..) = stream.read(&mut [0; 1000]) {}
    });
    let mut config = config(1000);
    config.proxy.upstream_idle = Duration::from_hours(1);
    config.proxy.client_idle = Duration::from_secs(1);
    let path = Path::start(&config, address);
    let mut client = connect(&path);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000\r\n\r\n0123456789")
        .unwrap();
    assert!(until(&mut client, "ok").starts_with("HTTP/1.1 200"));
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    assert!(client.read_to_end(&mut rest).is_ok(), "it is closed");
    drop(finish(path));
}

#[test]
fn a_client_that_takes_nothing_is_let_go_and_others_have_its_room() {
    let address = upstream(|mut stream| {
        while !head(&mut stream).is_empty() {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 64000000\r\n\r\n";
            if stream.write_all(head).is_err() || stream.write_all(&vec![0; 64_000_000]).is_err() {
                return;
            }
        }
    });
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_secs(1);
    config.proxy.max_requests = 1;
    config.proxy.queue_timeout = PATIENCE;
    let path = Path::start(&config, address);
    let get = b"GET / HTTP/1.1\r\nHost: m\r\n\r\n";
    let mut deaf = connect(&path);
    deaf.write_all(get).unwrap();
    while path.counted().sum("ml_api_active_requests") < 1.0 {
        thread::sleep(Duration::from_millis(1));
    }
    let mut other = connect(&path);
    other.write_all(get).unwrap();
    assert!(head(&mut other).starts_with("HTTP/1.1 200"));
    drop((deaf, other));
    let counted = finish(path);
    let let_go = r#"sidelight_connection_limits_total{limit="client_idle"}"#;
    assert!(counted.sum(let_go) >= 1.0);
}

#[test]
fn what_has_arrived_when_the_drain_begins_is_answered() {
    for round in 0..20 {
        let address = upstream(|mut stream| {
            while !head(&mut stream).is_empty() {
                stream.write_all(OK).unwrap();
            }
        });
        let path = Path::start(&config(1000), address);
        let get = b"GET / HTTP/1.1\r\nHost: m\r\n\r\n";
        let mut clients: Vec<TcpStream> = (0..30).map(|_| connect(&path)).collect();
        // some have never spoken, some have, some of those are parked
        for client in &mut clients[..20] {
            client.write_all(get).unwrap();
            assert!(until(client, "ok").starts_with("HTTP/1.1 200"));
        }
        if round % 2 == 0 {
            thread::sleep(Duration::from_millis(150));
        }
        for client in &mut clients {
            client.write_all(get).unwrap();
        }
        path.leave();
        for client in &mut clients {
            let answer = until(client, "ok");
            assert!(answer.starts_with("HTTP/1.1 200"), "{round}: {answer:?}");
        }
        drop(finish(path));
    }
}
