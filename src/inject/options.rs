//! What is the same for every pod.

use super::pod::PortRef;
use crate::config;

/// What injection goes by where a pod does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The image of the sidecar.
    pub image: String,
    /// As an init container that goes on running, which Kubernetes starts first and stops last;
    /// else as the last of the containers.
    pub native: bool,
    /// Where the sidecar listens; of ports that nobody asked for, the first free one from here on.
    pub port: u16,
    /// Where Prometheus and probes reach it; likewise.
    pub ops_port: u16,
    /// The port of the model.
    pub upstream_port: Option<PortRef>,
    /// The variable that tells the model its port.
    pub app_port_env: Option<String>,
    /// The `ConfigMap` with `sidelight.yaml`.
    pub config: Option<String>,
    /// Most bytes that may wait to be read (`capture.queue_bytes`); `None`: 32 MiB, or what the
    /// `ConfigMap` says. The limit of the sidecar's memory follows from it.
    pub queue_bytes: Option<u64>,
    /// A limit of CPUs such as `500m` or `2`: as many threads carry requests. Without one they are
    /// as many as the node has.
    pub cpu_limit: Option<String>,
}

/// Where nobody says how many bytes may wait.
pub(super) const QUEUE_BYTES: u64 = 32 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            image: concat!("sidelight:", env!("CARGO_PKG_VERSION")).to_owned(),
            native: true,
            // not 8080, which model servers take, often without declaring it
            port: 18080,
            ops_port: 9464,
            upstream_port: None,
            app_port_env: None,
            config: None,
            queue_bytes: None,
            cpu_limit: None,
        }
    }
}

impl Options {
    /// The limit of the sidecar's memory, in bytes.
    pub fn memory_limit(&self) -> u64 {
        config::memory_for(self.queue_bytes.unwrap_or(QUEUE_BYTES))
    }
}
