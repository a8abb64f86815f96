//! The arguments as `clap` reads them. The comments are the help text.

#![expect(clippy::doc_markdown, reason = "the comments are printed as they are")]

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand as Commands};

use super::Target;
use crate::config;

#[cfg(feature = "iris")]
const EXAMPLES: &str = "\
Examples:
  sidelight demo                                what it does, in a minute
  sidelight                                     with a small model of its own, to try it
  sidelight --upstream http://127.0.0.1:8000    in front of your model server
  sidelight config > sidelight.yaml             every setting, documented
  sidelight check sidelight.yaml                what that file would do, or all that is wrong

Exit codes: 0 done, 1 failed, 64 wrong usage or configuration.";

#[cfg(not(feature = "iris"))]
const EXAMPLES: &str = "\
Examples:
  sidelight --upstream http://127.0.0.1:8000    in front of your model server
  sidelight config > sidelight.yaml             every setting, documented
  sidelight check sidelight.yaml                what that file would do, or all that is wrong

Exit codes: 0 done, 1 failed, 64 wrong usage or configuration.";

const ABOUT: &str = "\
Monitors a machine-learning model from the outside. A proxy in front of any inference
server that forwards every byte unchanged, and turns what passes into Prometheus
metrics, a JSON log and a drift verdict.";

#[derive(Debug, Parser)]
#[command(
    name = "sidelight",
    version,
    about = ABOUT,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) run: Run,
    #[command(subcommand)]
    pub(super) command: Option<Subcommand>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Settings in YAML; `sidelight config` prints them all [env: SIDELIGHT_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where clients connect, such as 0.0.0.0:8080 [env: SIDELIGHT_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// The model server; without one, the bundled Iris server, if this build has it [env: SIDELIGHT_UPSTREAM]
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    /// Where Prometheus and probes connect, such as 0.0.0.0:9464 [env: SIDELIGHT_OPS_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(super) ops_listen: Option<String>,
}

#[derive(Debug, Commands)]
pub(super) enum Subcommand {
    /// Forward and monitor; the same as no command
    Run(Run),
    /// Serve a small model that classifies iris flowers
    #[cfg_attr(not(feature = "iris"), command(hide = true))]
    Iris {
        /// Where it listens
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = config::listen)]
        listen: SocketAddr,
        #[arg(long, hide = true)]
        child: bool,
    },
    /// See it work in a minute: the Iris server, Sidelight, and a client whose traffic goes wrong
    #[cfg_attr(not(feature = "iris"), command(hide = true))]
    #[command(after_help = DEMO)]
    Demo(Demo),
    /// Say what a configuration would do, or everything that is wrong with it
    Check {
        /// The file; without one, that of `SIDELIGHT_CONFIG`, else the built-in one
        file: Option<PathBuf>,
    },
    /// Print the default configuration: every setting with its meaning
    Config,
    /// Build a baseline file from rows: CSV with a header line, JSON lines, or Sidelight's own log
    #[command(after_help = COLUMNS)]
    Baseline(Baseline),
    /// The drift detector over files of rows: CSV with a header line, JSON lines or a log; exit 1 if any drifts
    Drift(Drift),
    /// Say what would be read of recorded exchanges, and why: one JSON line for each
    Explain {
        /// The configuration whose routes and bounds count [env: SIDELIGHT_CONFIG]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Exchanges as JSON lines; `-` or none: those of the standard input
        file: Option<PathBuf>,
    },
    /// Show what the live page would show of a log: a report as text, and as one HTML file
    #[command(after_help = LOGS)]
    Replay {
        /// The configuration that the log was written by [env: SIDELIGHT_CONFIG]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        logs: Logs,
    },
    /// Ask the agent on this host how it is: exit 0 if well, else 1
    Probe {
        /// What to ask
        #[arg(value_enum)]
        target: Target,
        /// The file that the agent was started with [env: SIDELIGHT_CONFIG]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where the agent's operator port is [env: SIDELIGHT_OPS_LISTEN]
        #[arg(long, value_name = "ADDR")]
        ops_listen: Option<String>,
    },
    /// Put Sidelight beside the models of Kubernetes manifests: YAML or JSON in, the same out
    #[command(after_help = MANIFESTS)]
    Inject(Inject),
    /// Take out of manifests what `inject` put into them
    Uninject(Uninject),
    /// Put Sidelight into pods as they are created: a webhook of the API server, over TLS
    Webhook(Webhook),
    /// Make a certificate for the webhook: prints its Secret and its configuration with who signed it
    GenCerts(GenCerts),
    /// Have the agent on this host leave: it is not ready any more, closes connections behind answers, and serves until
    /// it is told to end; for preStop hooks of containers without a shell
    Leave {
        /// How long to do nothing then, such as 5s
        #[arg(default_value = "0s", value_parser = seconds)]
        time: Duration,
        /// The file that the agent was started with [env: SIDELIGHT_CONFIG]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where the agent's operator port is [env: SIDELIGHT_OPS_LISTEN]
        #[arg(long, value_name = "ADDR")]
        ops_listen: Option<String>,
    },
    /// Show the state of the agent on this host in the terminal until Ctrl-C, or line by line where there is none
    Top {
        /// Between two looks, at least 1s
        #[arg(long, value_name = "TIME", default_value = "2s", value_parser = pause)]
        every: Duration,
        /// Show it once
        #[arg(long)]
        once: bool,
        /// Show this model alone
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// The file that the agent was started with [env: SIDELIGHT_CONFIG]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where the agent's operator port is [env: SIDELIGHT_OPS_LISTEN]
        #[arg(long, value_name = "ADDR")]
        ops_listen: Option<String>,
    },
}

const DEMO: &str = "\
What is told of Sidelight is what it says itself, in its notices and under /drift. The same seed sends the
same rows. It ends with Ctrl-C, or behind the summary with --once.

  sidelight demo
  sidelight demo --scenario stuck-sensor --speed 5
  sidelight demo --once --speed 20 --seed 7 > story.txt";

/// `sidelight demo`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Demo {
    /// What happens to the traffic
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Scenario::Story)]
    pub scenario: Scenario,
    /// Of the rows, their order and their noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many times as fast, from 0.1 to 100: as many predictions, sent faster
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Where clients connect [default: 127.0.0.1:8080, or any port where that is taken]
    #[arg(long, value_name = "ADDR", value_parser = config::listen)]
    pub listen: Option<SocketAddr>,
    /// Where the live page, Prometheus and curl connect [default: 127.0.0.1:9464, or any port where that is taken]
    #[arg(long, value_name = "ADDR", value_parser = config::listen)]
    pub ops_listen: Option<SocketAddr>,
    /// Sidelight's log, which is nowhere else
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// End behind the summary
    #[arg(long)]
    pub once: bool,
}

/// What the demo tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// All of these, one after the other
    Story,
    /// The client sends two lengths in inches
    Inches,
    /// One class of flowers comes no more
    MissingClass,
    /// One feature keeps its value
    StuckSensor,
    /// Nothing goes wrong
    None,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|x| (0.1..=100.0).contains(x));
    speed.ok_or_else(|| "expected a number from 0.1 to 100".to_owned())
}

const MANIFESTS: &str = "\
Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and CronJobs get a sidecar, Services of
the same run lead to it; alone or in a List. What is not changed leaves byte for byte. The report goes to
the standard error: a line for each object, with the reason why it was left alone.

  kubectl get deployment iris -o yaml | sidelight inject | kubectl apply -f -
  sidelight inject -f manifests/ > injected.yaml

Annotations of the template of a pod win over the flags: sidelight.dev/inject, upstream-port, port,
ops-port, config, format, image, app-port-env.

Exit codes: 0 done, whatever was left alone; 1 a file cannot be read, 64 wrong usage.";

/// `sidelight inject`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Inject {
    /// A file, a folder of .yaml, .yml and .json, or `-`: standard input; may be given several times
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    pub file: Vec<PathBuf>,
    /// What the sidecars are like.
    #[command(flatten)]
    pub sidecar: Sidecar,
}

/// `sidelight uninject`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Uninject {
    /// A file, a folder of .yaml, .yml and .json, or `-`: standard input; may be given several times
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    pub file: Vec<PathBuf>,
}

/// `sidelight gen-certs`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct GenCerts {
    /// The Service of the webhook
    #[arg(long, value_name = "NAME", default_value = "sidelight-webhook", value_parser = object)]
    pub service: String,
    /// The namespace of that Service and of the Secret
    #[arg(long, value_name = "NAME", default_value = "sidelight", value_parser = object)]
    pub namespace: String,
    /// The Secret that the webhook mounts
    #[arg(long, value_name = "NAME", default_value = "sidelight-webhook-tls", value_parser = object)]
    pub secret: String,
    /// How many days the certificate holds
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    /// Have no pod start while the webhook is away (failurePolicy: Fail)
    #[arg(long)]
    pub strict: bool,
}

/// A name that stands in a name of DNS.
fn object(text: &str) -> Result<String, String> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=63).contains(&text.len())
        && text.bytes().all(known)
        && !text.starts_with('-')
        && !text.ends_with('-');
    let expected = || "expected up to 63 of a-z, 0-9 and -".to_owned();
    is_name.then(|| text.to_owned()).ok_or_else(expected)
}

/// `sidelight webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Webhook {
    /// Where the API server posts reviews: /mutate, over TLS
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8443", value_parser = config::listen)]
    pub listen: SocketAddr,
    /// Its certificate, then those between it and a root, in PEM; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// The private key of that certificate, in PEM; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Where Prometheus and probes connect, without TLS: /metrics, /healthz, /ready
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:9465", value_parser = config::listen)]
    pub ops_listen: SocketAddr,
    /// Seconds in which it goes on behind SIGTERM, already not ready, so that the API server notices
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub drain_delay: u64,
    /// What the sidecars are like.
    #[command(flatten)]
    pub sidecar: Sidecar,
}

/// What the sidecars are like where a pod does not say.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Sidecar {
    /// Their image [default: sidelight and this version]
    #[arg(long)]
    pub image: Option<String>,
    /// As init containers that go on running, for which Kubernetes 1.33 is needed; false: as the last container
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub native_sidecar: bool,
    /// The model's port, by number or name [default: that of the Service, else the only one]
    #[arg(long, value_name = "PORT")]
    pub upstream_port: Option<String>,
    /// Where they listen, unless they take the model's place; the first free port from here on [default: 18080]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..))]
    pub port: Option<u16>,
    /// Where Prometheus reaches them; the first free port from here on [default: 9464]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..))]
    pub ops_port: Option<u16>,
    /// The variable that tells a model its port, such as PORT: the model is moved by it
    #[arg(long, value_name = "NAME")]
    pub app_port_env: Option<String>,
    /// The ConfigMap whose sidelight.yaml is their configuration
    #[arg(long, value_name = "NAME")]
    pub config_map: Option<String>,
    /// Most bytes that may wait to be read; the limit of memory is twice that and 64 MiB [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub queue_bytes: Option<u64>,
    /// A limit of CPUs such as 500m or 2; as many threads carry requests [default: none]
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    pub cpu_limit: Option<String>,
}

fn size(text: &str) -> Result<u64, String> {
    let size: bytesize::ByteSize = text.parse().map_err(|_| "expected a size such as 32MiB")?;
    let size = size.as_u64();
    let known = 1 << 20..=16 << 30;
    known
        .contains(&size)
        .then_some(size)
        .ok_or_else(|| "expected 1MiB to 16GiB".to_owned())
}

fn cpus(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('m').unwrap_or(text);
    let is_number = number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && number.parse().is_ok_and(|cpus: f64| cpus > 0.0);
    let expected = || "expected CPUs such as 500m or 2".to_owned();
    is_number.then(|| text.to_owned()).ok_or_else(expected)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').and_then(|text| text.parse().ok());
    let expected = || "expected seconds such as 5s".to_owned();
    seconds.map(Duration::from_secs).ok_or_else(expected)
}

fn pause(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|pause| {
        let expected = || "expected at least 1s".to_owned();
        (!pause.is_zero()).then_some(pause).ok_or_else(expected)
    })
}

const COLUMNS: &str = "\
Columns: `confidence` is that of the predictions; `class`, `predicted_class` or `prediction` the
predicted class; `value` the predicted number of a regression; all others are features, by the
names that pass through the proxy. Of a log, lines of exchanges that predicted are rows, one for
each item (of more than 64 in a request 64, evenly spaced); its other lines are skipped. Its rows
are in their order, unless its times say otherwise.

A column with words is one of classes; empty, null and NaN are missing. Of more than 100,000 rows
a sample of all is kept.

Exit codes: 0 done, 2 failed, 64 wrong usage.";

/// `sidelight baseline`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Baseline {
    /// Rows as they should be; `-`: standard input
    pub file: PathBuf,
    /// Whose baseline it is; of a log, only what this model predicted [default: every model's, or the log's]
    #[arg(long, value_name = "M", value_parser = name)]
    pub model: Option<String>,
    /// Of which version; of a log, only what this version predicted [default: each of them]
    #[arg(long, value_name = "V", value_parser = name)]
    pub version: Option<String>,
    /// The rows are in the order in which they came, so that they tell how dependent neighbours are
    #[arg(long)]
    pub ordered: bool,
    /// A column whose numbers are classes; may be given several times
    #[arg(long, value_name = "NAME")]
    pub categorical: Vec<String>,
    /// Take the first N rows alone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Where the baseline goes, whole or not at all [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `sidelight drift`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Drift {
    /// Rows as they should be, or what `sidelight baseline` wrote; `-`: standard input
    pub baseline: PathBuf,
    /// Rows that may have drifted; `-`: standard input
    pub stream: PathBuf,
    /// The rows of BASELINE are in the order in which they came; or it has tau, and it counts
    #[arg(long)]
    pub ordered: bool,
    /// False alarms per million rows that are accepted, from 0.001 to 1000 [default: 0.6]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// A column whose numbers are classes, where BASELINE is rows; may be given several times
    #[arg(long, value_name = "NAME")]
    pub categorical: Vec<String>,
    /// One JSON object a line instead of a table
    #[arg(long)]
    pub json: bool,
}

const LOGS: &str = "\
LOG is what the agent wrote (log.lines: one or separate), or exchanges as `sidelight explain` takes them;
its events between are passed over. Several files are read in the order of their times. Without a baseline
the first predictions of a version become one, 1,000 or drift.capture: compare with it what came behind.

  sidelight replay agent.log --baseline good.json --html incident.html
  kubectl logs iris-0 -c sidelight | sidelight replay -

What the log does not say (log.features, log.redact, log.sample) is reported as missing.

Exit codes: 0 done, 1 failed, 64 wrong usage or configuration.";

/// `sidelight replay`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Logs {
    /// A file of the log, or `-`: standard input; may be given several times
    #[arg(required = true)]
    pub log: Vec<PathBuf>,
    /// What `sidelight baseline` wrote; may be given several times [default: drift.baseline_files, else the
    /// log's first predictions]
    #[arg(long, value_name = "FILE")]
    pub baseline: Vec<PathBuf>,
    /// Where the page goes, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Take the predictions of this model alone
    #[arg(long, value_name = "M", value_parser = name)]
    pub model: Option<String>,
    /// Take the predictions of this version alone
    #[arg(long, value_name = "V", value_parser = name)]
    pub version: Option<String>,
}

/// A name of a model or version.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected a name".to_owned());
    }
    Ok(text.to_owned())
}

/// A number of false alarms, as `drift.false_alarms_per_million` takes it.
fn rate(text: &str) -> Result<f64, String> {
    let known = config::FALSE_ALARMS;
    let rate = text.parse().ok().filter(|rate| known.contains(rate));
    rate.ok_or_else(|| {
        format!(
            "expected a number from {} to {}",
            known.start(),
            known.end()
        )
    })
}
