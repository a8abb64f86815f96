//! A template of a pod as injection reads it: its containers and their ports.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde_json::Value;

/// The name of our container.
pub(super) const CONTAINER: &str = "sidelight";

/// Sidecars of meshes: their ports are nobody's model.
const MESH: [&str; 2] = ["istio-proxy", "linkerd-proxy"];

/// A port by number or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRef {
    /// As a container listens on it.
    Number(u16),
    /// As a container declares it.
    Name(String),
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for PortRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match number(text) {
            Some(number) => Ok(Self::Number(number)),
            None if is_port_name(text) => Ok(Self::Name(text.to_owned())),
            None => Err("a port's number or name"),
        }
    }
}

impl PortRef {
    /// As manifests have it: a number, or a text that is a name.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => Some(Self::Name(name.clone())),
            value => port_number(value).map(Self::Number),
        }
    }
}

/// A port's number from 1 on, written as people do.
pub(super) fn number(text: &str) -> Option<u16> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&n: &u16| is_digits && n > 0)
}

/// Up to 15 of `a-z0-9-` with a letter, as Kubernetes wants it (RFC 6335, 5.1).
fn is_port_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=15).contains(&text.len())
        && text.bytes().all(known)
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

pub(super) fn port_number(value: &Value) -> Option<u16> {
    let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
    number.filter(|&n| n > 0)
}

/// A TCP port that a container declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) container: usize,
    /// Among the ports of the container.
    pub(super) index: usize,
    pub(super) number: u16,
    pub(super) name: Option<String>,
}

impl Port {
    pub(super) fn is(&self, wanted: &PortRef) -> bool {
        match wanted {
            PortRef::Number(number) => self.number == *number,
            PortRef::Name(name) => self.name.as_ref() == Some(name),
        }
    }

    /// The pointer to it.
    pub(super) fn path(&self) -> String {
        format!("{}/ports/{}", container_path(self.container), self.index)
    }
}

/// Whether a name of a port, or a protocol, says that TLS is spoken: `https`, `https-api`, `HTTPS`.
pub(super) fn is_https(text: &str) -> bool {
    let begin = text.get(..5);
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case("https"))
}

pub(super) fn container_path(container: usize) -> String {
    format!("/spec/containers/{container}")
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let list = value.pointer(path).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

pub(super) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}

/// Its containers but not those of meshes, with their places.
pub(super) fn app_containers(pod: &Value) -> impl Iterator<Item = (usize, &Value)> {
    let all = list(pod, "/spec/containers").iter().enumerate();
    all.filter(|(_, container)| text(container, "/name").is_none_or(|name| !MESH.contains(&name)))
}

/// The TCP ports that could be the model's.
pub(super) fn tcp_ports(pod: &Value) -> Vec<Port> {
    let mut ports = Vec::new();
    for (container, value) in app_containers(pod) {
        for (index, port) in list(value, "/ports").iter().enumerate() {
            let is_tcp = text(port, "/protocol").is_none_or(|protocol| protocol == "TCP");
            if let Some(number) = port.get("containerPort").and_then(port_number)
                && is_tcp
            {
                let name = text(port, "/name").map(str::to_owned);
                ports.push(Port {
                    container,
                    index,
                    number,
                    name,
                });
            }
        }
    }
    ports
}

/// Every container, those that run first too.
pub(super) fn all_containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let init = list(pod, "/spec/initContainers").iter();
    list(pod, "/spec/containers").iter().chain(init)
}

/// Numbers and names of all ports that any container declares.
pub(super) fn taken(pod: &Value) -> (BTreeSet<u16>, BTreeSet<String>) {
    let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
    for port in all_containers(pod).flat_map(|container| list(container, "/ports")) {
        numbers.extend(port.get("containerPort").and_then(port_number));
        numbers.extend(port.get("hostPort").and_then(port_number));
        names.extend(text(port, "/name").map(str::to_owned));
    }
    (numbers, names)
}

/// The first from `from` on that is not taken; of all that are none, `from`.
pub(super) fn free(from: u16, taken: &BTreeSet<u16>) -> u16 {
    (from..=u16::MAX)
        .find(|number| !taken.contains(number))
        .unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_a_name_as_kubernetes_takes_them() {
        for (text, expected) in [
            ("1", Some(PortRef::Number(1))),
            ("65535", Some(PortRef::Number(65535))),
            ("http", Some(PortRef::Name("http".to_owned()))),
            ("8080-tcp", Some(PortRef::Name("8080-tcp".to_owned()))),
            ("0", None),
            ("65536", None),
            ("+80", None),
            ("", None),
            ("Http", None),
            ("a--b", None),
            ("-a", None),
            ("a-", None),
            ("sixteen-letters-", None),
            ("sixteen-letter-s", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
