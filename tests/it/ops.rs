//! The operator's port under whoever reaches it: one rule, one test, over a live port.

#[path = "ops/page.rs"]
mod page;
#[path = "ops/port.rs"]
mod port;

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use port::{Port, Talk};
use sidelight::drain::Phase;

const BASELINE: &str = "[0.5,0.75,1.0]";

/// Asks for a change with these fields on top, from this machine.
fn change(port: &Port, fields: &str) -> Talk {
    let length = BASELINE.len();
    port.ask(&format!(
        "POST /drift/baseline HTTP/1.1\r\nContent-Length: {length}\r\n{fields}\r\n{BASELINE}"
    ))
}

#[test]
fn this_machine_changes_things_and_pages_and_names_from_elsewhere_do_not() {
    let port = Port::start(None);
    let own = format!("Host: {}\r\n", port.address);
    assert_eq!(change(&port, &own).status(), 200);
    for (fields, error) in [
        ("Host: evil.example\r\n".to_owned(), "not_local"),
        ("Host: 127.0.0.1.evil.example\r\n".to_owned(), "not_local"),
        ("Host: 127.0.0.6\r\n".to_owned(), "not_local"),
        (
            format!("{own}Origin: http://evil.example\r\n"),
            "cross_origin",
        ),
        (format!("{own}Origin: null\r\n"), "cross_origin"),
        (
            format!("{own}Sec-Fetch-Site: same-site\r\n"),
            "cross_origin",
        ),
        (format!("{own}X-Forwarded-For: 127.0.0.1\r\n"), "not_local"),
        (format!("{own}Via: 1.1 proxy\r\n"), "not_local"),
    ] {
        let refused = change(&port, &fields);
        assert_eq!(refused.status(), 403, "{fields}");
        assert!(
            refused.body().contains(error),
            "{fields} {}",
            refused.body()
        );
    }
    let refused = port.ask("POST /admin/reload HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(refused.status(), 403);
    let refused = port.ask("DELETE /drift/baseline HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(refused.status(), 403);
}

#[test]
fn who_is_on_this_machine_has_it_leave_and_nobody_else() {
    let port = Port::start(None);
    let leave = |host: &str| {
        let asked = port.ask(&format!(
            "POST /admin/leave HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ));
        (asked.status(), port.drain.phase())
    };
    let serving = "\"serving\":true";
    let ready = || port.ask("GET /ready HTTP/1.1\r\n\r\n");
    assert_eq!(leave("evil.example"), (403, Phase::Serving));
    assert!(ready().body().contains(serving));
    assert_eq!(leave("127.0.0.1"), (200, Phase::Leaving));
    assert!(!ready().body().contains(serving));
    assert!(ready().body().contains("\"leaving\""), "{}", ready().body());
    assert_eq!(ready().status(), 503);
    port.drain.advance(Phase::Draining);
    assert_eq!(leave("127.0.0.1"), (200, Phase::Draining));
}

#[test]
fn whoever_knows_the_token_changes_things_by_any_name_and_nobody_else() {
    let port = Port::start(Some("correct-horse-battery"));
    let given = |token: &str| format!("Host: ops.example\r\nAuthorization: {token}\r\n");
    let right = "Bearer correct-horse-battery";
    assert_eq!(change(&port, &given(right)).status(), 200);
    for wrong in [
        "Bearer correct-horse-batterx",
        "Bearer correct-horse-batteryy",
        "Bearer correct-horse-batter",
        "Bearer",
        "Basic correct-horse-battery",
        "Bearer correct-horse-battery\r\nAuthorization: Bearer x",
        "Bearer x\r\nAuthorization: Bearer correct-horse-battery",
    ] {
        let refused = change(&port, &given(wrong));
        assert_eq!(refused.status(), 401, "{wrong}");
        assert_eq!(
            refused.field("www-authenticate"),
            "Bearer realm=\"sidelight\""
        );
    }
}

#[test]
fn a_baseline_is_listed_for_all_and_given_as_a_file_to_whoever_may_change_it() {
    let port = Port::start(Some("correct-horse-battery"));
    let own = format!("Host: {}\r\n", port.address);
    let set = |target: &str, body: &str| {
        let length = body.len();
        port.ask(&format!(
            "POST {target} HTTP/1.1\r\nContent-Length: {length}\r\n{own}\r\n{body}"
        ))
    };
    let get =
        |target: &str, fields: &str| port.ask(&format!("GET {target} HTTP/1.1\r\n{fields}\r\n"));
    let body = r#"{"confidence":[0.5,0.75],"features":{"city":["Bern",null]}}"#;
    assert_eq!(
        set("/drift/baseline?model=churn&version=7", body).status(),
        200
    );
    let listed = get("/drift/baselines", "Host: pod.example\r\n");
    assert_eq!(listed.status(), 200);
    let listed: serde_json::Value = serde_json::from_str(listed.body()).unwrap();
    let entry = &listed["baselines"][0];
    assert_eq!(
        (
            &entry["model"],
            &entry["version"],
            &entry["origin"],
            &entry["rows"]
        ),
        (&"churn".into(), &"7".into(), &"posted".into(), &2.into())
    );
    let city = serde_json::json!({
        "series": "city", "kind": "categorical", "missing": 0.5, "tau": null
    });
    assert_eq!(
        (&entry["series"][1], &entry["configured"]),
        (&city, &false.into())
    );

    let target = "/drift/baseline?model=churn&version=7";
    let elsewhere = "Host: pod.example\r\n";
    assert_eq!(get(target, elsewhere).status(), 401);
    let token = format!("{elsewhere}Authorization: Bearer correct-horse-battery\r\n");
    let file = get(target, &token);
    assert_eq!(file.status(), 200);
    assert_eq!(get(target, &own).body(), file.body());
    assert_eq!(get("/drift/baseline?model=churn", &own).status(), 404);

    // it says itself whose it is, unless the request does
    assert_eq!(
        set("/drift/baseline?model=other", file.body()).status(),
        200
    );
    assert_eq!(get("/drift/baseline?model=other", &own).status(), 200);
    let removed = port.ask(&format!("DELETE {target} HTTP/1.1\r\n{own}\r\n"));
    assert_eq!(removed.status(), 200);
    assert_eq!(get(target, &own).status(), 404);
    assert_eq!(set("/drift/baseline", file.body()).status(), 200);
    assert_eq!(get(target, &own).body(), file.body());

    // an empty name is nobody's
    for target in ["/drift/baseline?model=", "/drift/baseline?model=a&version="] {
        for method in ["GET", "DELETE"] {
            let refused = port.ask(&format!("{method} {target} HTTP/1.1\r\n{own}\r\n"));
            assert_eq!(refused.status(), 422, "{method} {target}");
        }
        let refused = set(target, body);
        assert_eq!(refused.status(), 422);
        assert!(refused.body().contains("empty_name"));
    }
}

#[test]
fn a_name_from_elsewhere_may_read() {
    let port = Port::start(None);
    for path in ["/metrics", "/live", "/health", "/drift"] {
        let answer = port.ask(&format!("GET {path} HTTP/1.1\r\nHost: pod.example\r\n\r\n"));
        assert_eq!(answer.status(), 200, "{path}");
    }
}

#[test]
fn a_change_that_is_refused_is_not_read() {
    let port = Port::start(None);
    let refused = port.ask(
        "POST /drift/baseline HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 8000000\r\n\r\n",
    );
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.field("connection"), "close");
    let nowhere = port.ask("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    assert_eq!(nowhere.status(), 404);
    let read = port.ask("GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    assert_eq!(read.status(), 413);
}

#[test]
fn heads_and_bodies_beyond_their_bounds_are_refused() {
    let port = Port::start(None);
    let host = port.address;
    let long = "x".repeat(20_000);
    let head = port.ask(&format!(
        "GET /live HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"
    ));
    assert_eq!(head.status(), 431);
    let target = port.ask(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(matches!(target.status(), 414 | 431), "{}", target.status());
    let many = "a: b\r\n".repeat(200);
    let fields = port.ask(&format!("GET /live HTTP/1.1\r\nHost: a\r\n{many}\r\n"));
    assert_eq!(fields.status(), 431);
    let body = port.ask(&format!(
        "POST /drift/baseline HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999\r\n\r\n"
    ));
    assert_eq!(body.status(), 413);
}

#[test]
fn what_two_readers_would_end_elsewhere_is_refused_or_is_the_last_of_its_connection() {
    let port = Port::start(None);
    let smuggled = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = smuggled.len() + 5;
    for (fields, status) in [
        (
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            200,
        ),
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            200,
        ),
        ("Content-Length: 5\r\nContent-Length: 6".to_owned(), 400),
        ("Transfer-Encoding: chunked, identity".to_owned(), 400),
        ("Transfer-Encoding: gzip".to_owned(), 400),
        ("Content-Length: +5".to_owned(), 400),
    ] {
        let head = format!("GET /live HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        let answer = port.talk(&format!("{head}0\r\n\r\n{smuggled}"));
        assert_eq!(answer.status(), status, "{fields}");
        assert!(!answer.0.contains("healthy"), "{fields}: {}", answer.0);
    }
    let two = port.ask("GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(two.status(), 400);
}

#[test]
fn only_the_exact_path_is_a_route() {
    let port = Port::start(None);
    for path in [
        "/live/",
        "//live",
        "/./live",
        "/x/../live",
        "/%6cive",
        "/live%00",
        "/live;a",
        "/LIVE",
        "/..%2f..%2fetc%2fpasswd",
        "/../../etc/passwd",
        "/drift/..",
        "/\\live",
    ] {
        let answer = port.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(
            matches!(answer.status(), 404 | 400),
            "{path}: {}",
            answer.status()
        );
    }
    let absolute = port.ask("GET http://other/live HTTP/1.1\r\nHost: other\r\n\r\n");
    assert_eq!(absolute.status(), 200);
}

#[test]
fn another_method_is_told_which_there_are() {
    let port = Port::start(None);
    for (method, path, allow) in [
        ("POST", "/live", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("TRACE", "/metrics", "GET, HEAD"),
        ("BREW", "/", "GET, HEAD"),
        ("GET", "/admin/reload", "POST"),
        ("PUT", "/drift/baseline", "GET, HEAD, POST, DELETE"),
    ] {
        let answer = port.ask(&format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(
            (answer.status(), answer.field("allow")),
            (405, allow),
            "{method} {path}"
        );
    }
    let head = port.ask("HEAD /live HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.status(), head.body()), (200, ""));
    assert_eq!(head.field("content-length"), "18");
}

#[test]
fn every_answer_has_the_fields_that_a_browser_needs() {
    let port = Port::start(None);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("HEAD /drift HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("PUT /live HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (
            "POST /admin/reload HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            403,
        ),
        (
            "GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
            413,
        ),
        (
            "GET /live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            400,
        ),
    ] {
        let answer = port.ask(request);
        assert_eq!(answer.status(), status, "{request}");
        for (field, value) in [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.field(field), value, "{request}");
        }
        assert!(!answer.0.to_ascii_lowercase().contains("access-control-"));
    }
    let metrics = port.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        metrics.field("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

/// Whatever else is there.
fn assert_probes_are_answered(port: &Port) {
    for _ in 0..20 {
        let live = port.ask("GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(live.status(), 200);
        let metrics = port.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(metrics.status(), 200);
        assert!(metrics.body().ends_with('\n'), "whole");
    }
}

#[test]
fn probes_are_answered_among_240_clients_that_say_nothing() {
    let port = Port::start(None);
    let crowd: Vec<_> = (0..240).map(|_| port.connect()).collect();
    assert_probes_are_answered(&port);
    drop(crowd);
}

#[test]
fn probes_are_answered_among_240_clients_that_ask_and_never_read_and_they_share_their_memory() {
    let port = Port::start(None);
    // more than the buffers between the two ends hold
    port.fill(24 << 20);
    let before = port::resident();
    let crowd: Vec<_> = (0..240)
        .map(|_| {
            let mut client = port.connect();
            client
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            client
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    for _ in 0..3 {
        let live = port.ask("GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(live.status(), 200);
    }
    let grown = port::resident().saturating_sub(before);
    // a rendering each would be 5 GiB
    assert!(grown < 1 << 30, "{grown}");
    drop(crowd);
}

#[test]
fn probes_are_answered_among_240_clients_that_never_end_their_request() {
    let port = Port::start(None);
    let requests = [
        "GET /metrics HTTP/1.1\r\nHost: a\r\nX: ",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
    ];
    for request in requests {
        let crowd: Vec<_> = (0..240)
            .map(|_| {
                let mut client = port.connect();
                client.write_all(request.as_bytes()).unwrap();
                client
            })
            .collect();
        assert_probes_are_answered(&port);
        drop(crowd);
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_answer_costs_nothing() {
    let port = Port::start(None);
    port.fill(4 << 20);
    for _ in 0..50 {
        let mut client = port.connect();
        client
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        client.read_exact(&mut [0; 64]).unwrap();
    }
    assert_probes_are_answered(&port);
}
