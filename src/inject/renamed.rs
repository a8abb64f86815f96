//! The model's port under another name, or number, and everything of its container that goes by it.

use serde_json::Value;

use super::{
    pod::{Port, container_path},
    status::Edits,
};

/// Where a container refers to its own ports.
const REFERENCES: [&str; 10] = [
    "/livenessProbe/httpGet/port",
    "/livenessProbe/tcpSocket/port",
    "/livenessProbe/grpc/port",
    "/readinessProbe/httpGet/port",
    "/readinessProbe/tcpSocket/port",
    "/readinessProbe/grpc/port",
    "/startupProbe/httpGet/port",
    "/startupProbe/tcpSocket/port",
    "/startupProbe/grpc/port",
    "/lifecycle/preStop/httpGet/port",
];

/// The longest name of a port.
const LONGEST: usize = 15;

/// A name for the port that gives its own away.
pub(super) fn other_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let with = |tail: &str| {
        let room = LONGEST - tail.len();
        let head = name.get(..room.min(name.len())).unwrap_or_default();
        format!("{}{tail}", head.trim_end_matches('-'))
    };
    let numbered = (1..1000).map(|n| with(&format!("-app{n}")));
    std::iter::once(with("-app"))
        .chain(numbered)
        .find(|name| !is_taken(name))
        .expect("a pod has fewer than 1000 ports of one name")
}

/// Puts `now` wherever probes and hooks of the port's container say `before`, and tells which they are.
pub(super) fn follow(edits: &mut Edits, port: &Port, before: &Value, now: &Value) -> Vec<String> {
    let container = container_path(port.container);
    let mut followed = Vec::new();
    for reference in REFERENCES {
        let path = format!("{container}{reference}");
        if edits.object().pointer(&path) == Some(before) {
            edits.set(&path, now.clone());
            let what = reference.split('/').nth(1).unwrap_or_default();
            followed.push(what.to_owned());
        }
    }
    followed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_and_meets_no_other() {
        assert_eq!(other_name("http", |_| false), "http-app");
        assert_eq!(other_name("a-very-long-one", |_| false), "a-very-long-app");
        assert_eq!(other_name("abcdefghij-long", |_| false), "abcdefghij-app");
        assert_eq!(other_name("http", |name| name == "http-app"), "http-app1");
    }
}
