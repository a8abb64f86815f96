//! The live page over a live port: who gets it, how many may look, and how it ends.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sidelight::drain::Phase;

use super::port::Port;

/// Pages that may be open at once, as `GET /` says.
const PAGES: usize = 100;

/// A page that reads its stream line by line.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(port: &Port) -> Self {
        let mut stream = port.connect();
        let request = "GET /events HTTP/1.1\r\nHost: pod.example\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next line; `None`: the stream has ended.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    fn status(&mut self) -> u16 {
        let line = self.line().unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// What is behind `start` in the next line that begins so.
    fn after(&mut self, start: &str) -> Option<String> {
        loop {
            if let Some(rest) = self.line()?.strip_prefix(start) {
                return Some(rest.to_owned());
            }
        }
    }

    fn state(&mut self) -> Option<serde_json::Value> {
        let data = self.after("data: {\"schema\"")?;
        Some(serde_json::from_str(&format!("{{\"schema\"{data}")).unwrap())
    }
}

fn get(port: &Port, target: &str, fields: &str) -> super::port::Talk {
    port.ask(&format!(
        "GET {target} HTTP/1.1\r\nHost: pod.example\r\n{fields}\r\n"
    ))
}

#[test]
fn browsers_get_the_page_under_its_own_policy_and_others_the_list() {
    let port = Port::start(None);
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    let page = get(&port, "/", accept);
    assert_eq!(page.status(), 200);
    assert_eq!(page.field("content-type"), "text/html; charset=utf-8");
    assert!(page.body().starts_with("<!doctype html>"));
    let policy = page.field("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'sha256-",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.field("x-content-type-options"), "nosniff");
    assert_eq!(page.field("vary"), "accept");
    for others in ["", "Accept: */*\r\n", "Accept: application/json\r\n"] {
        let list = get(&port, "/", others);
        assert_eq!(list.field("content-type"), "text/plain; charset=utf-8");
        assert!(list.body().contains("GET    /events "), "{}", list.body());
        assert!(
            list.field("content-security-policy")
                .starts_with("default-src 'none'; frame")
        );
        assert_eq!(list.field("vary"), "accept");
    }
}

#[test]
fn recent_requests_are_for_who_may_read_a_baseline() {
    let token = "correct-horse-battery";
    let port = Port::start(Some(token));
    assert_eq!(get(&port, "/recent", "").status(), 401);
    let given = format!("Authorization: Bearer {token}\r\n");
    let listed = get(&port, "/recent", &given);
    assert_eq!(listed.status(), 200);
    let listed: serde_json::Value = serde_json::from_str(listed.body()).unwrap();
    let nothing = serde_json::json!({"requests": [], "most": 50, "skipped": 0});
    assert_eq!(listed, nothing);
    let own = format!("GET /recent HTTP/1.1\r\nHost: {}\r\n\r\n", port.address);
    assert_eq!(port.ask(&own).status(), 200);
    let framed = get(&port, "/recent", "Origin: http://evil.example\r\n");
    assert_eq!(framed.status(), 403);
    assert_eq!(
        get(&port, "/state", "").status(),
        200,
        "figures are for all"
    );
}

#[test]
fn a_hundred_pages_cost_as_one_and_leave_room_for_scrapes() {
    let port = Port::start(None);
    let renderings = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&renderings);
    port.metrics.add_collector(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let start = Instant::now();
    let mut pages: Vec<Stream> = (0..PAGES).map(|_| Stream::open(&port)).collect();
    for page in &mut pages {
        assert_eq!(page.status(), 200);
        assert_eq!(page.after("retry: ").as_deref(), Some("2000"));
        assert!(page.state().is_some());
    }
    let refused = get(&port, "/events", "");
    assert_eq!((refused.status(), refused.field("retry-after")), (503, "5"));
    assert!(refused.body().contains("too_many_pages"));
    // everybody else is answered: as many connections as ever, and then some
    let kept: Vec<_> = (0..130).map(|_| port.connect()).collect();
    assert_eq!(get(&port, "/metrics", "").status(), 200);
    assert_eq!(get(&port, "/live", "").status(), 200);
    assert_eq!(get(&port, "/state", "").status(), 200);
    drop(kept);
    // each gets the next state, and none of them twice
    let numbers: Vec<u64> = pages
        .iter_mut()
        .map(|page| {
            let first: u64 = page.after("id: ").unwrap().parse().unwrap();
            let second: u64 = page.after("id: ").unwrap().parse().unwrap();
            assert!(second > first);
            second
        })
        .collect();
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
    let made = renderings.load(Ordering::Relaxed);
    assert!(
        made <= seconds + 3,
        "{made} in {seconds} s, one of them scraped"
    );
    assert!(numbers.iter().all(|number| *number <= made as u64));
    // who leaves makes room
    drop(pages.pop());
    let deadline = Instant::now() + Duration::from_mins(1);
    while Stream::open(&port).status() != 200 {
        assert!(Instant::now() < deadline, "nobody else gets in");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stream_ends_at_once_when_the_agent_leaves_and_says_so() {
    let port = Port::start(None);
    let mut page = Stream::open(&port);
    assert_eq!(page.status(), 200);
    assert_eq!(page.state().unwrap()["agent"]["phase"], "serving");
    port.advance(Phase::Leaving);
    let last = loop {
        let state = page.state().unwrap();
        if state["agent"]["phase"] == "leaving" {
            break state;
        }
    };
    assert_eq!(last["agent"]["ready"], false);
    assert_eq!(page.after("event: ").as_deref(), Some("leaving"));
    assert_eq!(page.after("id: "), None, "that was the last");
    // who comes back sees how it goes on, a state at a time
    let mut again = Stream::open(&port);
    assert_eq!(again.state().unwrap()["agent"]["phase"], "leaving");
    assert_eq!(again.after("event: leaving"), Some(String::new()));
}
