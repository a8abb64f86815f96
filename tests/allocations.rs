//! How often a request makes the thread that carries it ask for memory: no more often than it did.
//!
//! A live proxy with its observer in this process, one kept connection, an upstream that allocates
//! nothing. Allocations are counted for each thread apart; those of the data threads have a bound.
//! The build is the one of tests: optimised, a few may be gone.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "allocations/counting.rs"]
mod counting;
#[path = "mutations/live.rs"]
mod live;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use counting::Counting;
use live::Live;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Of a request on its data thread, as last accepted. It goes up only with its reason in the commit.
const ACCEPTED: f64 = 15.0;
/// For what happens now and then, such as the growth of a buffer.
const TOLERANCE: f64 = 0.5;
const WARM: u32 = 500;
/// At most as many parts are tried, up to one within the bound: where the observer is behind, as on a busy
/// machine, what it would have given back is allocated.
const PARTS: u32 = 30;
const REQUESTS: u32 = 1000;

const REQUEST: &[u8] =
    b"POST /predict HTTP/1.1\r\nHost: model\r\nUser-Agent: count\r\nAccept: */*\r\n\
    Content-Type: application/json\r\nContent-Length: 75\r\n\r\n\
    {\"sepal_length\":5.1,\"sepal_width\":3.5,\"petal_length\":1.4,\"petal_width\":0.2}";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: fixed\r\ncontent-type: application/json\r\n\
    content-length: 140\r\n\r\n\
    {\"prediction\":\"setosa\",\"confidence\":0.9700,\"probabilities\":{\"setosa\":0.9700,\
    \"versicolor\":0.0200,\"virginica\":0.0100},\"model_version\":\"1.0.0\"}";

/// A model server on threads of its own; ends with the process.
fn fixed_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || while exchange(&mut stream) {});
        }
    });
    address
}

/// One answer; `false` when the connection has ended.
fn exchange(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    read_to(stream, &mut buffer, b"0.2}") && stream.write_all(ANSWER).is_ok()
}

/// Reads one message, which ends in `end` and nothing before it does.
fn read_to(stream: &mut TcpStream, buffer: &mut [u8], end: &[u8]) -> bool {
    let mut filled = 0;
    while !buffer[..filled].ends_with(end) {
        match stream.read(&mut buffer[filled..]) {
            Ok(count) if count > 0 => filled += count,
            _ => return false,
        }
    }
    true
}

fn predict(client: &mut TcpStream, count: u32) {
    let mut buffer = [0; 4096];
    for _ in 0..count {
        client.write_all(REQUEST).unwrap();
        assert!(read_to(client, &mut buffer, b"\"1.0.0\"}"));
        assert!(buffer.starts_with(b"HTTP/1.1 200"));
    }
}

/// Allocations per request on the data threads.
fn of_a_part(client: &mut TcpStream) -> f64 {
    // the observer catches up
    thread::sleep(Duration::from_millis(100));
    let before = counting::by_thread();
    predict(client, REQUESTS);
    let mut on_data_threads = 0.0;
    for (name, count) in &counting::by_thread() {
        let each = f64::from(count - before.get(name).unwrap_or(&0)) / f64::from(REQUESTS);
        if name.starts_with("data-") {
            on_data_threads += each;
        }
        println!("allocations per request on {name}: {each:.2}");
    }
    on_data_threads
}

#[test]
fn a_request_asks_for_memory_no_more_often_than_it_did() {
    let live = Live::start(fixed_server(), Duration::from_mins(1));
    let mut client = TcpStream::connect(live.address).unwrap();
    client.set_nodelay(true).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    predict(&mut client, WARM);
    let (mut parts, mut on_data_threads) = (0, f64::MAX);
    while parts < PARTS && on_data_threads > ACCEPTED + TOLERANCE {
        on_data_threads = on_data_threads.min(of_a_part(&mut client));
        parts += 1;
    }
    drop(client);
    assert_eq!(
        live.finish().sum("sidelight_observed_total{"),
        i64::from(WARM + parts * REQUESTS)
    );
    assert!(
        on_data_threads <= ACCEPTED + TOLERANCE,
        "{on_data_threads:.2} allocations per request, {ACCEPTED} accepted"
    );
    assert!(
        on_data_threads >= ACCEPTED - TOLERANCE,
        "better, which ACCEPTED should hold: {on_data_threads:.1}"
    );
}
