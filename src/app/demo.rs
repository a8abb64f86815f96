//! `sidelight demo`: the agent, the Iris server as its child, and a client on a thread of its own.

use std::{
    fs::File,
    io::{self, IsTerminal},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{interval, timeout},
};

use super::{Agent, Stop};
use crate::{
    cli,
    config::{Cgroup, Flags, Sources},
    demo::{self, Play, Row, Scenario, Screen, Table},
    drain::{self, Drain, Phase},
    iris::{data, model},
};

/// Where it listens unless it is told, or somebody else is there.
const PORT: u16 = 8080;
const OPS_PORT: u16 = 9464;
/// Time between two looks at whether anybody still reads.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How long the client may take to sum up at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Plays until a signal ends it, or the story with `--once`.
///
/// # Errors
/// What kept it from starting, or from going on.
pub fn run(asked: &cli::Demo) -> anyhow::Result<()> {
    let notices = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for notices")?;
    notices.set_nonblocking(true)?;
    let sources = sources(asked, notices.local_addr()?);
    let loaded = sources.load()?;
    super::host(sources, loaded, log(asked)?, async |agent| {
        beside(agent, asked, notices).await
    })
}

/// The built-in file with what the story needs. What configures another agent here does not count.
fn sources(asked: &cli::Demo, notices: SocketAddr) -> Sources {
    let flag = |asked: Option<SocketAddr>, port| {
        let address = asked.unwrap_or_else(|| if_free(port));
        Some(address.to_string())
    };
    let lines = if asked.log.is_some() { "one" } else { "off" };
    let settings = [
        ("SIDELIGHT_MODEL__NAME", "iris".to_owned()),
        ("SIDELIGHT_LOG__LINES", lines.to_owned()),
        (
            "SIDELIGHT_DRIFT__CAPTURE",
            demo::story::BASELINE.to_string(),
        ),
        // the baseline is put to use at a check
        ("SIDELIGHT_DRIFT__CHECK_INTERVAL", "1s".to_owned()),
        ("SIDELIGHT_DRIFT__NOTIFY", format!("[http://{notices}/]")),
    ];
    Sources {
        file: None,
        env: settings
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        flags: Flags {
            listen: flag(asked.listen, PORT),
            upstream: None,
            ops_listen: flag(asked.ops_listen, OPS_PORT),
        },
        cgroup: Cgroup::own(),
    }
}

/// `port` of this host, or 0 where somebody listens there.
fn if_free(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let is_free = TcpListener::bind(wanted).is_ok();
    SocketAddr::new(wanted.ip(), if is_free { port } else { 0 })
}

/// The terminal has the story, not the log.
fn log(asked: &cli::Demo) -> anyhow::Result<File> {
    let opened = match &asked.log {
        Some(path) => File::create(path).with_context(|| path.display().to_string()),
        None => File::options()
            .write(true)
            .open("/dev/null")
            .context("/dev/null"),
    };
    opened.context("the log")
}

async fn beside(agent: Agent, asked: &cli::Demo, notices: TcpListener) -> anyhow::Result<()> {
    let mut stop = Stop::new()?;
    // nothing that it was started with can change, so this is no wish to read it again
    let mut hang_up = signal(SignalKind::hangup())?;
    let (drain, leaving) = Drain::new();
    let play = Play {
        table: table(),
        scenario: scenario(asked.scenario),
        seed: asked.seed,
        speed: asked.speed,
        is_once: asked.once,
        clients: reached(agent.doors.clients),
        ops: reached(agent.doors.ops),
    };
    let is_plain = !io::stdout().is_terminal() || cli::is_plain();
    let mut screen = Screen::new(super::stdout()?, is_plain);
    let taken = taken(asked, &play);
    // a reader that has gone ends the play with its first line
    let _ = screen.say(&demo::teller::welcome(play.clients, play.ops, &taken));
    let (end, mut ended) = oneshot::channel();
    let playing = move || {
        // who waits for it may have gone
        let _ = end.send(block_on(play, notices, screen, leaving));
    };
    let thread = std::thread::Builder::new().name("demo".to_owned());
    thread.spawn(playing)?;
    let mut outcome = None;
    tokio::select! {
        end = &mut ended => outcome = Some(end),
        () = stop.asked() => {}
        _ = hang_up.recv() => {}
        () = unread(super::stdout()?) => {}
    }
    drain.advance(Phase::Leaving);
    if outcome.is_none() {
        outcome = timeout(LAST_WORDS, ended).await.ok();
    }
    agent.leave(stop).await;
    match outcome {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => bail!("the client panicked"),
        // what it waited for is gone with the agent
        None => Ok(()),
    }
}

/// Waits until nobody can read `out` any more: the terminal is closed, or who reads the pipe has gone. Normal
/// traffic writes nothing, so no write would tell.
async fn unread(out: File) {
    let mut looks = interval(BETWEEN_LOOKS);
    loop {
        looks.tick().await;
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        if poll(&mut polled, Some(&Timespec::default())).is_ok()
            && polled[0].revents().intersects(gone)
        {
            return;
        }
    }
}

/// Ports that somebody else has, and those that were taken instead.
fn taken(asked: &cli::Demo, play: &Play) -> Vec<(u16, u16)> {
    [
        (asked.listen, PORT, play.clients.port()),
        (asked.ops_listen, OPS_PORT, play.ops.port()),
    ]
    .into_iter()
    .filter(|(asked, port, now)| asked.is_none() && port != now)
    .map(|(_, port, now)| (port, now))
    .collect()
}

fn block_on(
    play: Play,
    notices: TcpListener,
    screen: Screen<File>,
    leaving: drain::Watch,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let notices = tokio::net::TcpListener::from_std(notices)?;
        Ok(demo::play(play, notices, screen, leaving).await?)
    });
    runtime.shutdown_background();
    outcome
}

/// Where somebody on this host reaches who listens at `address`.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        _ => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}

fn scenario(asked: cli::Scenario) -> Scenario {
    match asked {
        cli::Scenario::Story => Scenario::Story,
        cli::Scenario::Inches => Scenario::Inches,
        cli::Scenario::MissingClass => Scenario::MissingClass,
        cli::Scenario::StuckSensor => Scenario::StuckSensor,
        cli::Scenario::None => Scenario::Nothing,
    }
}

/// The flowers that the model was trained on.
fn table() -> Table {
    let rows = data::rows().iter().map(|row| Row {
        values: row.features,
        class: row.class,
    });
    Table {
        features: model::FEATURES,
        classes: model::CLASSES,
        rows: rows.collect(),
    }
}
