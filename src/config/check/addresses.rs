//! Addresses that get in each other's way.

use std::net::{IpAddr, SocketAddr};

use super::Findings;
use crate::config::{Config, Upstream};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let (proxy, ops) = (config.proxy.listen, config.ops.listen);
    if overlap(proxy, ops) {
        findings.refuse_pair(
            "ops.listen",
            "proxy.listen",
            format_args!("expected another address than that of proxy.listen, found {ops}"),
        );
    }
    let Some(upstream) = &config.proxy.upstream else {
        return;
    };
    for (key, listen) in [("proxy.listen", proxy), ("ops.listen", ops)] {
        if leads_to(upstream, listen) {
            findings.refuse_pair(
                "proxy.upstream",
                key,
                format_args!("expected the model server, found {key}, which is Sidelight itself"),
            );
        }
    }
}

/// Whether both cannot be listened on. Port 0 is a new one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (any || a.ip() == b.ip())
}

/// Whether a connection to `upstream` arrives at `listen`; known for this host's own names only.
fn leads_to(upstream: &Upstream, listen: SocketAddr) -> bool {
    if upstream.port != listen.port() {
        return false;
    }
    let listens_locally = listen.ip().is_unspecified() || listen.ip().is_loopback();
    match upstream.host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => listens_locally,
        Ok(ip) => ip == listen.ip() || (ip.is_loopback() && listen.ip().is_unspecified()),
        Err(_) => upstream.host.eq_ignore_ascii_case("localhost") && listens_locally,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_that_is_the_agent_itself_is_recognised() {
        for (upstream, listen, same) in [
            ("http://localhost:8080", "0.0.0.0:8080", true),
            ("http://127.0.0.1:8080", "0.0.0.0:8080", true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://0.0.0.0:8080", "127.0.0.1:8080", true),
            ("http://[::1]:8080", "[::]:8080", true),
            ("http://localhost:8000", "0.0.0.0:8080", false),
            ("http://127.0.0.2:8080", "127.0.0.1:8080", false),
            ("http://model:8080", "0.0.0.0:8080", false),
            ("http://localhost:8080", "10.0.0.7:8080", false),
        ] {
            let upstream: Upstream = upstream.parse().unwrap();
            let found = leads_to(&upstream, listen.parse().unwrap());
            assert_eq!(found, same, "{upstream:?} {listen}");
        }
    }

    #[test]
    fn two_addresses_overlap_where_one_port_serves_both() {
        for (a, b, same) in [
            ("0.0.0.0:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("0.0.0.0:1", "0.0.0.0:2", false),
            ("0.0.0.0:0", "0.0.0.0:0", false),
        ] {
            assert_eq!(
                overlap(a.parse().unwrap(), b.parse().unwrap()),
                same,
                "{a} {b}"
            );
        }
    }
}
