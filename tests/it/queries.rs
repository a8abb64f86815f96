//! Predictions that are asked for by a query: Seldon's messages, and the results of tasks.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use super::path::{Client, Path, config};

/// Answers whatever is asked, connection by connection; ends with the process.
fn scripted() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                while let Some(target) = asked(&mut reader) {
                    let body = answer(&target);
                    let length = body.len();
                    write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
                    )
                    .unwrap();
                }
            });
        }
    });
    address
}

/// The target of the next request, whose body is read too.
fn asked(reader: &mut impl BufRead) -> Option<String> {
    let mut target = None;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if target.is_none() {
            target = line.split(' ').nth(1).map(str::to_owned);
        } else if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    target
}

fn answer(target: &str) -> &'static str {
    match target {
        "/classify/submit" => r#"{"task_id":"7f","status":"in_progress"}"#,
        "/classify/get?task_id=7f" => r#"["b"]"#,
        _ if target.contains("predictions") => {
            r#"{"data":{"names":["a","b"],"ndarray":[[0.25,0.75]]}}"#
        }
        _ => r#"{"status":"ok"}"#,
    }
}

#[test]
fn results_and_messages_of_queries_are_predictions_and_no_other_get_is_read() {
    let config = config(1000);
    let path = Path::start(&config, scripted());
    let mut client = Client::connect(path.proxy.address);
    client.post("/classify/submit", r#"{"input_data":[[1,2]]}"#);
    for target in [
        "/classify/status?task_id=7f",
        "/predict?x=1",
        "/orders?json=1",
        "/api/v1.0/predictions?json=%7B%22data%22:%7B%22ndarray%22:%5B%5B1,2%5D%5D%7D%7D",
        "/classify/get?task_id=7f",
        "/classify/get?task_id=7f",
    ] {
        let (head, body) = client.send(format!("GET {target} HTTP/1.1\r\nHost: model\r\n\r\n"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, answer(target).as_bytes());
    }
    drop(client);
    let counted = path.finish(&config);
    // the task's result is asked for twice and counts once
    assert_eq!(counted.sum("ml_model_predictions_total{"), 2.0);
    let decoded = counted.sum(r#"sidelight_observed_total{result="decoded"}"#);
    assert_eq!(decoded, 4.0);
    let unwanted = counted.sum(r#"sidelight_exchanges_total{outcome="not_wanted"}"#);
    assert_eq!(unwanted, 3.0);
    counted.assert_books_balance();
}
