//! File descriptors: each request in flight takes two, and the operator's port must keep some.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config;

/// Kept for the operator's port, the log, files and the bundled server.
const RESERVED: u64 = 160;

/// Raises the soft limit to the hard one, and lowers `proxy.max_connections` to what it allows:
/// beyond it clients wait to be accepted, instead of taking the last descriptor of the probes.
pub(super) fn fit(proxy: &mut config::Proxy) {
    let limit = raise();
    let threads = proxy
        .threads
        .unwrap_or_else(crate::proxy::available_threads);
    let most = connections(limit, threads);
    if proxy.max_connections > most {
        tracing::info!(
            descriptors = limit,
            max_connections = most,
            "fewer connections than configured, per data thread: the limit of open files is lower"
        );
        proxy.max_connections = most;
    }
}

/// The limit that holds now.
fn raise() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    // where it may not be raised, the one before holds
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    let holds = if raised { limit.maximum } else { soft };
    holds.unwrap_or(u64::MAX)
}

/// Client connections of one of `threads`, each of which may need another to the upstream.
fn connections(limit: u64, threads: usize) -> usize {
    let threads = u64::try_from(threads).unwrap_or(u64::MAX).max(1);
    let most = limit.saturating_sub(RESERVED) / 2 / threads;
    usize::try_from(most.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_every_connection_fit_beside_what_is_reserved() {
        assert_eq!(connections(1024, 2), 216);
        assert_eq!(connections(100, 2), 1, "there is always one");
        assert!(connections(1 << 20, 2) > 100_000);
    }
}
