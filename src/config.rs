//! Every setting, as plain data: one struct per section, each part of the agent takes its own.
//!
//! Defaults stand only in `config/sidelight.yaml`, which is compiled in: a field that the file
//! does not name is a failing test, a key that no field knows is a start-up error.

mod address;
mod budget;
mod cgroup;
mod check;
mod closest;
mod documented;
mod env;
mod error;
mod fill;
mod fit;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod given;
mod json_path;
mod load;
mod misfit;
mod notify;
mod otlp;
mod pem_file;
pub mod reload;
mod route;
mod secret;
mod tls;
mod tree;
pub mod units;
mod watch;
mod yaml;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

pub use address::{ListenError, UpstreamError, listen};
pub use budget::memory_for;
pub use cgroup::Cgroup;
pub use check::{
    FALSE_ALARMS, Findings, LONGEST_DRAIN, LONGEST_PROBE, are_routes, holds, is_ready_path,
};
pub use documented::{DEFAULT_FILE, defaults};
pub use env::{CONFIG, POD, variables};
pub use error::{ConfigErrors, Origin, Problem};
pub use given::Given;
pub use json_path::{JsonPath, NoPath, is_singular};
pub use load::{Flags, Loaded, Setting, Sources};
pub use notify::{Address, NoAddress, Target};
pub use otlp::{Compression, Otlp, Signal};
pub use pem_file::PemFile;
pub use route::{FORMATS, FeaturePaths, Identity, MAPPED, Paths, Route, RouteKind};
pub use secret::Secret;
pub use tls::{Tls, UpstreamTls};
pub use watch::Watch;

/// Predictions of the bundled model that become its baseline; the default file says the same.
const BUNDLED_CAPTURE: usize = 1000;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The request path.
    pub proxy: Proxy,
    /// The operator's port.
    pub ops: Ops,
    /// What is copied from the traffic, and how much of it may wait.
    pub capture: Capture,
    /// What is kept of what bodies say.
    pub decode: Decode,
    /// What the agent is told about paths; the first entry that matches decides.
    pub routes: Vec<Route>,
    /// Identity of the model and how its readiness is found out.
    pub model: Model,
    /// Bounds of the label sets.
    pub metrics: Metrics,
    /// The JSON log.
    pub log: Log,
    /// Export to an OpenTelemetry collector.
    pub otlp: Otlp,
    /// The confidence drift verdict.
    pub drift: Drift,
    /// Predictions that wait for their labels.
    pub feedback: Feedback,
    /// What survives a restart.
    pub state: State,
    /// How the agent leaves.
    pub drain: Drain,
}

/// `proxy`: the request path.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Where clients connect.
    #[serde(deserialize_with = "address::deserialize_listen")]
    pub listen: SocketAddr,
    /// TLS towards clients.
    pub tls: Tls,
    /// The model server; `None`: start the bundled Iris server and forward to it.
    pub upstream: Option<Upstream>,
    /// TLS towards an upstream that is `https://`.
    pub upstream_tls: UpstreamTls,
    /// Which version of HTTP requests go out in.
    pub upstream_protocol: UpstreamProtocol,
    /// Data threads; `None`: the CPU quota of the container, at least 1.
    pub threads: Option<usize>,
    /// Longest wait for a connection to the upstream.
    #[serde(with = "units::duration")]
    pub connect_timeout: Duration,
    /// Longest wait for the start of an answer; `None`: no limit.
    #[serde(with = "units::optional_duration")]
    pub response_timeout: Option<Duration>,
    /// How long an idle upstream connection is kept; below the keep-alive of the model server.
    #[serde(with = "units::duration")]
    pub upstream_idle: Duration,
    /// Idle upstream connections kept, per data thread.
    pub upstream_idle_connections: usize,
    /// Longest time from the first byte of a request's head to its last; beyond it 408.
    #[serde(with = "units::duration")]
    pub head_timeout: Duration,
    /// How long a client's connection is kept without a request.
    #[serde(with = "units::duration")]
    pub client_idle: Duration,
    /// Client connections accepted at once, per data thread.
    pub max_connections: usize,
    /// Requests under way at once; beyond it they wait.
    pub max_requests: usize,
    /// Requests that wait for that at once; beyond it 503.
    pub max_queued: usize,
    /// Longest wait for that; beyond it 503.
    #[serde(with = "units::duration")]
    pub queue_timeout: Duration,
    /// Requests at once on one connection of HTTP/2.
    pub max_streams: usize,
    /// Largest request head in bytes; beyond it 431.
    #[serde(with = "units::bytes")]
    pub max_head: usize,
    /// Most fields in a request head; beyond it 431.
    pub max_fields: usize,
    /// Keep the letter case of field names as received.
    pub preserve_header_case: bool,
}

/// `proxy.upstream_protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    /// As the client's, where the upstream speaks that.
    Auto,
    /// HTTP/1.1 for all.
    Http1,
    /// HTTP/2 for all.
    Http2,
}

/// The address of a model server, from `http://HOST[:PORT]` or `https://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Host name or literal address, without brackets.
    pub host: String,
    /// Port; where the URL names none 80, or 443 with TLS.
    pub port: u16,
    /// Whether it is `https://`.
    pub tls: bool,
}

impl Upstream {
    /// As it was written, with the port.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// `HOST:PORT` as in the field `Host`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// `ops`: the operator's port.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Where Prometheus, probes and people connect.
    #[serde(deserialize_with = "address::deserialize_listen")]
    pub listen: SocketAddr,
    /// Bearer token for mutating routes from other than loopback; `None`: loopback only.
    pub token: Option<Secret>,
    /// File that holds the token, read at start and reload; wins over `token`.
    pub token_file: Option<PathBuf>,
    /// Largest request body in bytes; beyond it 413.
    #[serde(with = "units::bytes")]
    pub body_limit: usize,
    /// Requests that are listed while somebody looks; 0: none.
    pub recent: usize,
}

/// `capture`: what is copied from the traffic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Most bytes of a body that are kept, per direction.
    #[serde(with = "units::bytes")]
    pub body_limit: usize,
    /// Most bytes that a compressed body may inflate to, at each of its codings.
    #[serde(with = "units::bytes")]
    pub inflate_limit: usize,
    /// Most times its size that it may inflate to, above `body_limit`.
    pub inflate_ratio: usize,
    /// Most exchanges that wait for the observer.
    pub queue_exchanges: usize,
    /// Most bytes of exchanges that wait for the observer.
    #[serde(with = "units::bytes")]
    pub queue_bytes: usize,
}

/// `decode`: what is kept of what bodies say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// Most rows of a request whose features are kept; classes, values and confidences all are.
    pub max_items: usize,
}

/// `model`: identity and readiness of the model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Model name where neither the wire nor a route names one.
    pub name: String,
    /// Model version where neither the wire nor a route names one.
    pub version: String,
    /// Path that tells whether the model is loaded; `None`: the first known one that answers 2xx.
    pub ready_path: Option<String>,
    /// Time between two probes of the upstream.
    #[serde(with = "units::duration")]
    pub probe_interval: Duration,
    /// Longest wait for the answer to a probe.
    #[serde(with = "units::duration")]
    pub probe_timeout: Duration,
}

/// `metrics`: bounds of the label sets; what is beyond them is counted as `other`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Series of the exporter altogether.
    pub max_series: usize,
    /// Values of `endpoint`.
    pub max_endpoints: usize,
    /// Values of `model`.
    pub max_models: usize,
    /// Versions per model that keep recent confidences, verdicts and gauges.
    pub max_versions: usize,
    /// Values of `predicted_class` per model.
    pub max_classes: usize,
    /// Upper edges of the histogram of predicted values, ascending.
    pub value_edges: Vec<f64>,
}

/// `log`: the JSON log, on stdout and in a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Lines per exchange.
    pub lines: Lines,
    /// Least important level of the agent's own events.
    pub level: Level,
    /// Value of the field `logger` in exchange lines.
    pub logger: String,
    /// Which features are logged.
    pub features: Features,
    /// Features and fields whose value is replaced by a keyed hash.
    pub redact: Vec<String>,
    /// Key of that hash; `None`: a random one per start.
    pub redact_key: Option<Secret>,
    /// Share of exchanges logged, by hash of the request id; failures always are. In `[0, 1]`.
    #[serde(deserialize_with = "units::share")]
    pub sample: f64,
    /// The same lines in a file.
    pub file: LogFile,
}

/// `log.file`: a file beside stdout, and the older ones that it became.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// Where; `None`: there is none.
    pub path: Option<PathBuf>,
    /// Largest size in bytes.
    #[serde(with = "units::bytes")]
    pub max_size: usize,
    /// Older files that are kept.
    pub keep: usize,
}

/// `log.lines`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lines {
    /// One line per exchange with everything.
    One,
    /// Four lines per prediction: started, prediction request, prediction result, completed.
    Separate,
    /// None; the agent's own events remain.
    Off,
}

/// `log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    #[serde(alias = "warn")]
    Warning,
    Info,
    Debug,
}

/// `log.features`: `all`, `none` or a list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Features {
    /// Every feature.
    All,
    /// No feature.
    None,
    /// Those named.
    Named(Vec<String>),
}

impl Config {
    /// Predictions of a version without a baseline that become one; `None`: they do not. Of the bundled model,
    /// which is for trying out, they do unless something else is said.
    pub fn captured_baseline(&self) -> Option<usize> {
        let is_bundled = self.proxy.upstream.is_none();
        let wanted = self.drift.capture;
        let wanted = wanted.or(is_bundled.then_some(BUNDLED_CAPTURE));
        wanted.filter(|count| *count > 0)
    }
}

/// `drift`: what baselines are and when something has drifted from them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Recent predictions compared with the baseline; half of it is enough for a verdict.
    pub window: usize,
    /// Drift is reported when the p-value is below it. In `[0, 1]`.
    #[serde(deserialize_with = "units::share")]
    pub threshold: f64,
    /// Time between two scheduled checks.
    #[serde(with = "units::duration")]
    pub check_interval: Duration,
    /// Most values of a baseline.
    pub max_baseline: usize,
    /// What the scan may cost in false alarms per million predictions of a series; `None`: its default
    /// threshold. Above 0.
    pub false_alarms_per_million: Option<f64>,
    /// Least difference of two shares that the scan takes for drift. In `[0, 1]`.
    #[serde(deserialize_with = "units::share")]
    pub min_effect: f64,
    /// Series of one model that are watched.
    pub max_series: usize,
    /// Of these, series whose counts and gauges are exported.
    pub export_series: usize,
    /// Predictions of a version without a baseline that become one; 0: they do not. `None`: it depends on the
    /// model server, see [`Config::captured_baseline`].
    pub capture: Option<usize>,
    /// Files that `sidelight baseline` wrote.
    pub baseline_files: Vec<PathBuf>,
    /// Who is told that a drift begins or ends.
    #[serde(deserialize_with = "notify::targets")]
    pub notify: Vec<Target>,
}

/// `feedback`: predictions that wait for their labels.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Whether predictions are kept for labels.
    pub enabled: bool,
    /// How long one waits.
    #[serde(with = "units::duration")]
    pub retention: Duration,
    /// Most bytes of the files.
    #[serde(with = "units::bytes")]
    pub max_bytes: usize,
    /// Labels of a version that its figures are of.
    pub window: usize,
    /// Labels that the estimate of what has none needs.
    pub calibration_labels: usize,
    /// Accuracy that a drop is from; `None`: that of the first labels. In `[0, 1]`.
    pub baseline_accuracy: Option<f64>,
    /// How many first labels that is.
    pub baseline_labels: usize,
    /// Least drop that is told of. In `[0, 1]`.
    #[serde(deserialize_with = "units::share")]
    pub min_drop: f64,
    /// False alarms that are accepted, per million labels. Above 0.
    pub false_alarms_per_million: f64,
    /// Labels in a row that end a drop when enough of them are right.
    pub recovery_labels: usize,
    /// Largest error of a regression that counts as right; `None`: it is learnt. Above 0.
    pub tolerance: Option<f64>,
}

/// `state`: what survives a restart.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Folder for baselines; `None`: memory only.
    pub dir: Option<PathBuf>,
    /// Time between two savings of windows.
    #[serde(with = "units::duration")]
    pub save_interval: Duration,
}

/// `drain`: how the agent leaves.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// How long it goes on accepting after SIGTERM; `None`: 5 s in Kubernetes, 0 elsewhere.
    #[serde(with = "units::optional_duration")]
    pub delay: Option<Duration>,
    /// How long requests in flight may take after that.
    #[serde(with = "units::duration")]
    pub deadline: Duration,
}
