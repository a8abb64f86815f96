//! The command line: what is asked for, and what is printed of it.
//!
//! Nothing is done here but reading arguments and describing a configuration, with a trial of whether its
//! folder can be made.

mod arguments;
pub mod check;
mod folder;
mod report;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser as _;

pub use arguments::{
    Baseline, Demo, Drift, GenCerts, Inject, Logs, Scenario, Sidecar, Uninject, Webhook,
};
pub use report::Report;

use crate::config::{self, Cgroup, ConfigErrors, Flags, Sources};
use arguments::{Arguments, Subcommand};

/// Exit code: done.
pub const OK: u8 = 0;
/// Exit code: it was understood, and failed; of `drift`, that something drifts.
pub const FAILED: u8 = 1;
/// Exit code of `drift` and `baseline`: it failed.
pub const DRIFT_FAILED: u8 = 2;
/// Exit code: wrong usage or configuration (`EX_USAGE` of BSD's `sysexits`).
pub const USAGE: u8 = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Forward and monitor.
    Run(Sources),
    /// Serve the bundled model.
    Iris(Iris),
    /// Show in a minute what all this is for.
    Demo(Demo),
    /// Say what a configuration would do.
    Check(Sources),
    /// Print the documented default file.
    Config,
    /// Build a baseline file.
    Baseline(Baseline),
    /// Look for drift in files.
    Drift(Drift),
    /// Say what would be read of recorded exchanges.
    Explain(Explain),
    /// Show what the live page would show of a log.
    Replay(Replay),
    /// Ask a running agent how it is.
    Probe(Probe),
    /// Put the sidecar into manifests.
    Inject(Inject),
    /// Take it out of them.
    Uninject(Uninject),
    /// Put it into pods as they are created.
    Webhook(Webhook),
    /// Make the certificate of that.
    GenCerts(GenCerts),
    /// Have a running agent leave, slowly.
    Leave(Leave),
    /// Show its state.
    Top(Top),
}

/// `sidelight explain`.
#[derive(Debug, Clone)]
pub struct Explain {
    /// What exchanges are read by.
    pub sources: Sources,
    /// Where they are; `None`: on the standard input.
    pub file: Option<PathBuf>,
}

/// `sidelight replay`.
#[derive(Debug, Clone)]
pub struct Replay {
    /// What lines are read by.
    pub sources: Sources,
    /// What is read, and what is made of it.
    pub logs: Logs,
}

/// `sidelight iris`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iris {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Started by the agent: it reports its port on stdout and ends when stdin closes.
    pub child: bool,
}

/// `sidelight probe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is asked.
    pub target: Target,
    /// The operator's port of the agent on this host.
    pub address: SocketAddr,
}

/// `sidelight leave`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The operator's port of the agent on this host.
    pub address: SocketAddr,
    /// How long nothing is done then.
    pub time: Duration,
}

/// `sidelight top`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The operator's port of the agent on this host.
    pub address: SocketAddr,
    /// Between two looks.
    pub every: Duration,
    /// One look, and no more.
    pub once: bool,
    /// The model to show; `None`: all.
    pub model: Option<String>,
}

/// What a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Is it running?
    Live,
    /// May it be sent requests?
    Ready,
    /// How is it altogether?
    Health,
}

impl Target {
    /// The path on the operator's port.
    pub fn path(self) -> &'static str {
        match self {
            Target::Live => "/live",
            Target::Ready => "/ready",
            Target::Health => "/health",
        }
    }
}

/// Reads the command line and environment of the process, and which cgroups it is in. Ends the process where there is nothing
/// to do: 0 after `--help` and `--version`, 64 after wrong usage.
pub fn parse() -> Command {
    let parsed = parse_from(std::env::args_os(), config::variables());
    let mut command = parsed.unwrap_or_else(|report| std::process::exit(i32::from(report.print())));
    if let Command::Run(sources) | Command::Check(sources) = &mut command {
        sources.cgroup = Cgroup::own();
    }
    command
}

/// The command of `arguments` (the first is the program's name) in an environment.
///
/// # Errors
/// What is printed instead: help, version, or what was wrong.
pub fn parse_from(
    arguments: impl IntoIterator<Item = OsString>,
    env: Vec<(String, String)>,
) -> Result<Command, Report> {
    let Arguments { run, command } = Arguments::try_parse_from(arguments)?;
    Ok(match command {
        None => Command::Run(run.sources(env)),
        Some(Subcommand::Run(run)) => Command::Run(run.sources(env)),
        Some(Subcommand::Iris { listen, child }) => Command::Iris(Iris { listen, child }),
        Some(Subcommand::Demo(demo)) => Command::Demo(demo),
        Some(Subcommand::Check { file }) => Command::Check(sources(file, Flags::default(), env)),
        Some(Subcommand::Config) => Command::Config,
        Some(Subcommand::Baseline(baseline)) => Command::Baseline(baseline),
        Some(Subcommand::Drift(drift)) => {
            if [&drift.baseline, &drift.stream].map(|file| file.as_os_str() == "-") == [true; 2] {
                let text = "BASELINE and STREAM cannot both be `-`, the standard input\n";
                return Err(Report::error(text, USAGE));
            }
            Command::Drift(drift)
        }
        Some(Subcommand::Explain { config, file }) => Command::Explain(Explain {
            sources: sources(config, Flags::default(), env),
            file: file.filter(|file| file.as_os_str() != "-"),
        }),
        Some(Subcommand::Replay { config, logs }) => {
            let is_stdin = |file: &&PathBuf| file.as_os_str() == "-";
            if logs.log.iter().filter(is_stdin).count() > 1 {
                let text = "LOG can be `-`, the standard input, only once\n";
                return Err(Report::error(text, USAGE));
            }
            Command::Replay(Replay {
                sources: sources(config, Flags::default(), env),
                logs,
            })
        }
        Some(Subcommand::Inject(inject)) => Command::Inject(inject),
        Some(Subcommand::Uninject(uninject)) => Command::Uninject(uninject),
        Some(Subcommand::Webhook(webhook)) => Command::Webhook(webhook),
        Some(Subcommand::GenCerts(certs)) => Command::GenCerts(certs),
        Some(Subcommand::Leave {
            time,
            config,
            ops_listen,
        }) => {
            let address = probed(config, ops_listen, env)?;
            Command::Leave(Leave { address, time })
        }
        Some(Subcommand::Top {
            every,
            once,
            model,
            config,
            ops_listen,
        }) => {
            let address = probed(config, ops_listen, env)?;
            Command::Top(Top {
                address,
                every,
                once,
                model,
            })
        }
        Some(Subcommand::Probe {
            target,
            config,
            ops_listen,
        }) => {
            let address = probed(config, ops_listen, env)?;
            Command::Probe(Probe { target, address })
        }
    })
}

impl arguments::Run {
    fn sources(self, env: Vec<(String, String)>) -> Sources {
        let flags = Flags {
            listen: self.listen,
            upstream: self.upstream,
            ops_listen: self.ops_listen,
        };
        sources(self.config, flags, env)
    }
}

/// The file of the command line, else that of the environment.
fn sources(file: Option<PathBuf>, flags: Flags, env: Vec<(String, String)>) -> Sources {
    let named = env
        .iter()
        .find(|(name, value)| name == config::CONFIG && !value.is_empty());
    let file = file.or_else(|| named.map(|(_, path)| PathBuf::from(path)));
    Sources {
        file,
        env,
        flags,
        ..Sources::default()
    }
}

/// Where the agent that was started so is reached from its own host.
fn probed(
    config: Option<PathBuf>,
    ops_listen: Option<String>,
    env: Vec<(String, String)>,
) -> Result<SocketAddr, Report> {
    let flags = Flags {
        ops_listen,
        ..Flags::default()
    };
    let listen = sources(config, flags, env).ops_listen()?;
    if listen.port() == 0 {
        let text = "ops.listen has port 0: say with --ops-listen which port it got\n";
        return Err(Report::error(text, USAGE));
    }
    let ip = match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        _ => listen.ip(),
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

/// Whether whoever has started the process wants no colours (<https://no-color.org>), or has a terminal without.
pub fn is_plain() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// `sidelight config`.
pub fn documented() -> Report {
    Report::text(config::DEFAULT_FILE)
}

impl From<clap::Error> for Report {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        if error.use_stderr() {
            Report::error(text, USAGE)
        } else {
            Report::text(text)
        }
    }
}

impl From<ConfigErrors> for Report {
    fn from(errors: ConfigErrors) -> Self {
        Report::of_errors(&errors)
    }
}

#[cfg(test)]
mod tests;
