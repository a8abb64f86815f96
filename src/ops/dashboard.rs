//! The live page of the operator's port, and what it is drawn from.
//!
//! `page` is the document, `state` the one answer that it shows, which `events` sends each second and
//! `GET /state` gives once. It is made at most once a second, whoever asks: the observer is asked once,
//! and one scrape is read. `traffic` reads the scrape, `models` joins what was counted with what the
//! observer knows, `accuracy` adds what labels say, `history` remembers drifts, `past` makes the page of a log.
//! `GET /recent` are the last requests, which hold words of
//! bodies: for who may read a baseline.

mod accuracy;
mod events;
mod files;
mod history;
mod models;
mod page;
pub mod past;
mod state;
mod traffic;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{StatusCode, header};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

pub use self::page::document;
use self::{
    history::{Episode, History},
    page::LIVE,
    state::{Agent, Edges, SCHEMA, State},
    traffic::{Scrape, edges},
};
use super::{Ops, probes};
use crate::{
    drain::Phase,
    drift::notice::Told,
    http::{Request, Response, content, error_json, json},
    metrics::catalogue,
    observe::{board::Board, command::Unavailable},
    panics::hook,
};

/// Pages that may be open at once.
pub(super) const PAGES: usize = 100;
/// Between two states.
const EVERY: Duration = Duration::from_secs(1);
/// Drifts in a state; `GET /drift/episodes` has all that are remembered.
const EPISODES: usize = 50;

/// What pages share.
#[derive(Debug)]
pub struct Dashboard {
    history: Mutex<History>,
    /// `None`: nothing is told.
    told: tokio::sync::Mutex<Option<mpsc::Receiver<Told>>>,
    /// Held while the next is made, so that it is made once.
    last: tokio::sync::Mutex<Option<Tick>>,
    pages: Arc<Semaphore>,
    started: Timestamp,
}

/// One state, as all pages get it.
#[derive(Debug, Clone)]
struct Tick {
    /// From 1.
    number: u64,
    /// When it was begun.
    at: Instant,
    /// As an event.
    event: Bytes,
    /// The same bytes, without what makes an event of them.
    json: Bytes,
}

impl Dashboard {
    /// Remembers drifts of which it is `told`.
    pub fn new(told: Option<mpsc::Receiver<Told>>) -> Self {
        Self {
            history: Mutex::default(),
            told: tokio::sync::Mutex::new(told),
            last: tokio::sync::Mutex::default(),
            pages: Arc::new(Semaphore::new(PAGES)),
            started: Timestamp::now(),
        }
    }
}

/// Takes what is told of drifts, for as long as something is.
pub async fn remember_drifts(ops: Arc<Ops>) {
    let dashboard = &ops.dashboard;
    if let Some(told) = &mut *dashboard.told.lock().await {
        while let Some(told) = told.recv().await {
            hook("history");
            dashboard.history().take(told);
        }
    }
    std::future::pending::<()>().await;
}

impl Dashboard {
    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /state`
pub(super) async fn state(ops: &Ops) -> Response {
    content("application/json", tick(ops, EVERY).await.json)
}

/// `GET /events`
pub(super) fn events(ops: &Arc<Ops>) -> Response {
    events::get(ops)
}

/// `GET /drift/episodes`
pub(super) async fn episodes(ops: &Ops) -> Response {
    let scrape = Scrape::of("");
    let board = ops.observer.board().await.ok();
    let versions = board.map_or_else(Vec::new, |board| versions(board, &scrape));
    let all: Vec<Episode> = ops.dashboard.history().with(&versions);
    json(StatusCode::OK, &json!({ "episodes": all }))
}

/// The page, for those who show pages; `None`: it is not asked for.
pub(super) fn page(request: &Request) -> Option<Response> {
    let mut accepted = request.headers.get_all(header::ACCEPT).iter();
    let is_wanted = accepted.any(|value| {
        let kinds = value.to_str().unwrap_or_default().split(',');
        let mut kinds = kinds.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        kinds.any(|kind| kind.eq_ignore_ascii_case("text/html"))
    });
    is_wanted.then(|| {
        let mut page = content("text/html; charset=utf-8", LIVE.html.clone());
        let policy = LIVE.policy.clone();
        page.headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
        page
    })
}

/// `GET /recent`
pub(super) async fn recent(ops: &Ops) -> Response {
    if ops.settings.borrow().ops.recent == 0 {
        let detail = "ops.recent is 0: no requests are listed";
        return error_json(StatusCode::NOT_FOUND, "recent_off", detail);
    }
    match ops.observer.recent().await {
        Ok(listed) => {
            // each line is JSON already
            let requests = listed.lines.join(",\n");
            let (most, skipped) = (listed.most, listed.skipped);
            let body =
                format!("{{\"requests\":[{requests}],\"most\":{most},\"skipped\":{skipped}}}");
            content("application/json", body)
        }
        Err(error) => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            error_json(status, "observer_unavailable", error)
        }
    }
}

/// The last state if it is not `age` old, or else the next.
async fn tick(ops: &Ops, age: Duration) -> Tick {
    let mut last = ops.dashboard.last.lock().await;
    if let Some(tick) = last.as_ref().filter(|tick| tick.at.elapsed() < age) {
        return tick.clone();
    }
    let at = Instant::now();
    let number = last.as_ref().map_or(0, |tick| tick.number) + 1;
    hook("state");
    let json = serde_json::to_string(&made(ops).await).unwrap_or_else(|_| "{}".to_owned());
    let head = format!("id: {number}\nevent: state\ndata: ");
    let event = Bytes::from(format!("{head}{json}\n\n"));
    let json = event.slice(head.len()..head.len() + json.len());
    let tick = Tick {
        number,
        at,
        event,
        json,
    };
    last.insert(tick).clone()
}

async fn made(ops: &Ops) -> State {
    let now = Timestamp::now();
    let (agent, board) = tokio::join!(agent(ops, now), ops.observer.board());
    let scrape = Scrape::of(&ops.metrics.render());
    let mut state = State::of(now, agent, &scrape);
    match board {
        Ok(board) => state.put(board, &scrape, ops.settings.borrow().ops.listen.port()),
        Err(error) => state.observer = Some(word(error)),
    }
    accuracy::put(&mut state, ops);
    state.remember(&ops.dashboard.history(), EPISODES);
    state
}

impl State {
    /// What passed until `now`, and nothing of models yet.
    fn of(now: Timestamp, agent: Agent, scrape: &Scrape) -> Self {
        Self {
            schema: SCHEMA,
            time: format!("{now:.6}"),
            unix: seconds(now),
            agent,
            edges: Edges {
                seconds: edges(&catalogue::REQUEST_DURATION),
                confidence: edges(&catalogue::CONFIDENCE),
            },
            traffic: scrape.traffic(),
            models: None,
            versions_left_out: 0,
            dropped: Vec::new(),
            observer: None,
            missing: Vec::new(),
            missing_left_out: 0,
            unread: Vec::new(),
            unread_left_out: 0,
            episodes: Vec::new(),
            episodes_left_out: 0,
        }
    }

    /// The last drifts, at most `most`.
    fn remember(&mut self, history: &History, most: usize) {
        let mut episodes = history.with(self.models.as_deref().unwrap_or_default());
        self.episodes_left_out = episodes.len().saturating_sub(most);
        episodes.truncate(most);
        self.episodes = episodes;
    }

    fn put(&mut self, mut board: Board, scrape: &Scrape, port: u16) {
        self.versions_left_out = board.left_out;
        self.missing = std::mem::take(&mut board.gaps.list);
        self.missing_left_out = board.gaps.left_out;
        self.unread = std::mem::take(&mut board.unread.list);
        self.unread_left_out = board.unread.left_out;
        let versions = versions(board, scrape);
        let serving = versions.iter().filter(|version| version.serving);
        let without = serving.filter_map(|version| models::without_baseline(version, port));
        self.missing.splice(0..0, without);
        self.models = Some(versions);
    }
}

fn versions(board: Board, scrape: &Scrape) -> Vec<state::Version> {
    let mut counted = scrape.counted();
    let versions = board.versions.into_iter().map(|seen| {
        let whose = (seen.judged.model.clone(), seen.judged.version.clone());
        models::version(seen, counted.remove(&whose).unwrap_or_default())
    });
    versions.collect()
}

async fn agent(ops: &Ops, now: Timestamp) -> Agent {
    let checks = probes::checks(ops).await;
    let phase = match ops.drain.phase() {
        Phase::Serving => "serving",
        Phase::Leaving => "leaving",
        Phase::Draining => "draining",
        Phase::Stopped => "stopped",
    };
    let not_ready = checks.not_ready();
    let started = ops.dashboard.started;
    Agent {
        version: env!("CARGO_PKG_VERSION"),
        started: seconds(started),
        uptime_seconds: seconds(now) - seconds(started),
        ready: not_ready.is_empty(),
        not_ready,
        phase,
        model_loaded: checks.model_loaded,
        model_version: checks.model_version,
        recent: ops.settings.borrow().ops.recent,
    }
}

fn word(error: Unavailable) -> &'static str {
    match error {
        Unavailable::Busy => "busy",
        Unavailable::Ended => "ended",
        Unavailable::Failed => "failed",
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
