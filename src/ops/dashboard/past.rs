//! The page of a past: what was observed again, in place of what passes now.

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    history::{History, MOST},
    page::document,
    seconds,
    state::{Agent, State},
    traffic::Scrape,
};
use crate::{
    drift::{CheckInput, Notice, Outlet, notice::Told},
    observe::{
        board::{Board, Gap},
        command::Judged,
    },
    ops::Judge,
};

/// Drifts and verdicts of a past, at the times of that.
pub struct Past {
    history: History,
    judge: Judge,
    outlet: Outlet,
    told: mpsc::Receiver<Told>,
}

/// The first and the last moment of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// When its first request began.
    pub begin: Timestamp,
    /// When its last one ended.
    pub end: Timestamp,
}

impl Default for Past {
    fn default() -> Self {
        let (outlet, told) = Outlet::default().recorded();
        Self {
            history: History::default(),
            judge: Judge::new(outlet.clone()),
            outlet,
            told,
        }
    }
}

impl Past {
    /// Where the observer tells of drifts.
    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    /// The verdicts of a check that was due `now`. The test is only made where it decides, unless
    /// `is_whole`.
    pub fn judge(&self, inputs: Vec<CheckInput>, now: Timestamp, is_whole: bool) -> Vec<Judged> {
        self.judge.judge_at(inputs, now, is_whole)
    }

    /// Remembers what was told since the last time, which happened `at`, and gives it back.
    pub fn take(&mut self, at: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        while let Ok(Told { notice, .. }) = self.told.try_recv() {
            notices.push(notice.clone());
            self.history.take(Told { at, notice });
        }
        notices
    }

    /// What passed so far, without models: one point of the page's charts, as JSON.
    pub fn point(&self, period: Period, scrape: &str) -> String {
        let mut state = State::of(period.end, agent(period), &Scrape::of(scrape));
        state.models = Some(Vec::new());
        json(&state)
    }

    /// What a page shows at the end, as JSON. `gaps`: what the log does not tell, in place of what the
    /// observer misses.
    pub fn state(&self, period: Period, scrape: &str, mut board: Board, gaps: Vec<Gap>) -> String {
        let scrape = Scrape::of(scrape);
        let mut state = State::of(period.end, agent(period), &scrape);
        board.gaps.list = gaps;
        board.gaps.left_out = 0;
        state.put(board, &scrape, 0);
        for gap in &mut state.missing {
            if gap.what == "baseline" {
                gap.command = Some("sidelight replay LOG --baseline FILE".to_owned());
            }
        }
        state.remember(&self.history, MOST);
        json(&state)
    }
}

/// The page with states inside, the last of which it shows: a report.
pub fn report(points: &[String], last: &str) -> String {
    let mut all = String::from("[");
    for point in points {
        all.push_str(point);
        all.push(',');
    }
    all.push_str(last);
    all.push(']');
    document(Some(&all))
}

fn agent(period: Period) -> Agent {
    let (begin, end) = (seconds(period.begin), seconds(period.end));
    Agent {
        version: env!("CARGO_PKG_VERSION"),
        started: begin,
        uptime_seconds: end - begin,
        ready: true,
        not_ready: Vec::new(),
        phase: "replayed",
        model_loaded: true,
        model_version: None,
        recent: 0,
    }
}

fn json(state: &State) -> String {
    serde_json::to_string(state).unwrap_or_else(|_| "{}".to_owned())
}
