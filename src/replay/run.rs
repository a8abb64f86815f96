//! Lines, one after the other, through what counts and watches while requests pass.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Options, ReplayError, Report,
    far::{Place, Rest},
    files::{Input, failed},
    line::{Event, Fields, Line, Part, Unread},
    logged::{Logged, milliseconds, time},
    parts::Parts,
    text::{self, Found},
    untold::{self, Untold},
};
use crate::{
    capture::{
        Exchange,
        recorded::{Capture, Recorded},
        route::Routes,
    },
    config::{self, Config},
    drift::{Baselines, notice::Happened},
    explain::{MAX_LINE, lines},
    metrics::Metrics,
    observe::worker::{
        Begin, Settings,
        offline::{Observer, Said},
    },
    ops::dashboard::past::{self, Past, Period},
    proxy,
    telemetry::Sink,
};

/// How far back the time of a line may be: threads end their exchanges at the same time.
const UNORDERED: SignedDuration = SignedDuration::from_secs(5);
/// Predictions that become a baseline where nothing says how many.
const CAPTURED: usize = 1000;
/// Points of the page's charts: beyond them every second leaves.
const POINTS: usize = 120;
/// Between the first of them.
const BETWEEN_POINTS: SignedDuration = SignedDuration::from_secs(1);
/// Exchanges after which samples are moved to their buckets.
const UPKEEP: u64 = 4096;
/// The last predictions whose request can be named as the one that a drift began with.
const REMEMBERED: usize = 20_000;
/// Drifts, and words of the agent on them, that are told.
pub(super) const EPISODES: usize = 500;
/// Longest line of a log: one of thousands of features has less. A recorded exchange has two bodies.
const LONGEST_LOGGED: usize = 16 << 20;
/// Places of lines that were not read, of each reason.
const PLACES: usize = 3;

/// What becomes of a log.
pub(super) struct Run<'a> {
    config: &'a Config,
    routes: Routes,
    metrics: Arc<Metrics>,
    requests: proxy::past::Past,
    observer: Observer,
    past: Past,
    baselines: Baselines,
    parts: Parts,
    untold: Untold,
    clock: Clock,
    rest: Rest,
    last_requests: VecDeque<(f64, Box<str>)>,
    points: Vec<String>,
    pub(super) tally: Tally,
}

/// What was read.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) exchanges: u64,
    pub(super) recorded: u64,
    pub(super) events: u64,
    pub(super) unread: BTreeMap<Unread, (u64, Vec<String>)>,
    pub(super) captured: Vec<String>,
    pub(super) found: Vec<Found>,
    pub(super) found_left_out: u64,
    pub(super) told: Vec<Event>,
    pub(super) told_left_out: u64,
}

/// The times of the log.
struct Clock {
    begin: Option<Timestamp>,
    latest: Option<Timestamp>,
    next_check: Option<Timestamp>,
    next_point: Option<Timestamp>,
    between_points: SignedDuration,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begin: None,
            latest: None,
            next_check: None,
            next_point: None,
            between_points: BETWEEN_POINTS,
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(config: &'a Config, options: &Options) -> Result<Self, ReplayError> {
        let metrics = Metrics::new(config.metrics.max_series);
        let metrics = Arc::new(metrics.map_err(|error| ReplayError::Count(error.into()))?);
        let past = Past::default();
        let mut settings = Settings::new(config);
        settings.log.lines = config::Lines::Off;
        settings.recent = 0;
        let captured = config.drift.capture.unwrap_or(CAPTURED);
        settings.drift.capture = Some(captured).filter(|count| *count > 0);
        let begin = Begin {
            baselines: options.baselines.clone(),
            outlet: past.outlet(),
            ..Begin::default()
        };
        let (sink, _) = Sink::start(std::io::sink(), 1 << 20)?;
        let wanted = options.wanted.clone();
        let observer = Observer::new(Arc::clone(&metrics), sink, settings, begin, wanted)?;
        Ok(Self {
            routes: Routes::new(&config.routes),
            requests: proxy::past::Past::new(&metrics, &config.metrics),
            config,
            metrics,
            observer,
            past,
            baselines: options.baselines.clone(),
            parts: Parts::default(),
            untold: Untold::default(),
            clock: Clock::default(),
            rest: Rest::new(Timestamp::now()),
            last_requests: VecDeque::new(),
            points: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Reads a file to its end.
    pub(super) fn read(&mut self, path: &Path, input: Input) -> Result<(), ReplayError> {
        let lines = lines::Lines::new(input, MAX_LINE);
        let mut lines = lines.mostly(LONGEST_LOGGED, may_be_recorded);
        let mut number = 0_u64;
        while let Some(line) = lines.next().map_err(|source| failed(path, source))? {
            number += 1;
            let line = match line {
                lines::Line::TooLong => Err(Unread::TooLong),
                lines::Line::Whole(line) if line.trim_ascii().is_empty() => continue,
                lines::Line::Whole(line) => Line::read(line),
            };
            self.tally.lines += 1;
            let mut done = line.and_then(|line| self.take(line));
            if done == Err(Unread::NoJson) && lines.is_torn() {
                done = Err(Unread::Torn);
            }
            if let Err(why) = done {
                self.unread(why, 1, || format!("{}:{number}", path.display()));
            }
        }
        Ok(())
    }

    fn unread(&mut self, why: Unread, lines: u64, place: impl FnOnce() -> String) {
        let (count, places) = self.tally.unread.entry(why).or_default();
        *count += lines;
        if places.len() < PLACES {
            places.push(place());
        }
    }

    fn take(&mut self, line: Line) -> Result<(), Unread> {
        match line {
            Line::Whole(fields) => self.logged(&fields, true),
            Line::Part(part, fields) => self.part(part, fields),
            Line::Recorded(recorded, fields) => self.recorded(*recorded, &fields),
            Line::Drift(event) => {
                self.tally.events += 1;
                if self.tally.told.len() < EPISODES {
                    self.tally.told.push(event);
                } else {
                    self.tally.told_left_out += 1;
                }
                Ok(())
            }
            Line::Other => {
                self.tally.events += 1;
                Ok(())
            }
        }
    }

    fn part(&mut self, part: Part, fields: Box<Fields>) -> Result<(), Unread> {
        let mut lost = 0;
        let joined = self.parts.take(part, fields, |lines| lost += lines);
        if lost > 0 {
            self.unread(Unread::NoEnd, lost, || "several".to_owned());
        }
        let Some(joined) = joined else {
            return Ok(());
        };
        self.untold.separate += 1;
        self.untold.without_begin += u64::from(!joined.is_whole);
        self.logged(&joined.fields, false)
    }

    fn logged(&mut self, fields: &Fields, is_one: bool) -> Result<(), Unread> {
        let logged = Logged::new(fields, &self.routes, self.observer.model(), is_one);
        let mut logged = logged.ok_or(Unread::NoLine)?;
        self.untold.saw(&logged);
        self.pass(logged.at, &mut logged.exchange);
        self.tally.exchanges += 1;
        let exchange = &mut logged.exchange;
        self.requests
            .count(exchange, logged.duration, logged.is_answered);
        let said = logged.said.as_ref().map(|said| Said {
            inference: &said.inference,
            model: &said.model,
            version: &said.version,
            withheld: &said.withheld,
        });
        self.observer.take(exchange, said);
        self.took(&logged.exchange);
        Ok(())
    }

    fn recorded(&mut self, recorded: Recorded, fields: &Fields) -> Result<(), Unread> {
        let capture = Capture {
            routes: &self.routes,
            body_limit: self.config.capture.body_limit,
        };
        let exchange = recorded.exchange(&capture);
        let mut exchange = exchange.map_err(|_| Unread::NoExchange)?;
        let at = time(fields.timestamp.as_ref());
        let duration = milliseconds(fields.duration_ms.as_ref());
        exchange.duration = duration.unwrap_or_default();
        exchange.upstream = milliseconds(fields.upstream_ms.as_ref());
        let end = at.map_or(Duration::ZERO, since_1970);
        exchange.started = end.saturating_sub(exchange.duration);
        self.pass(at, &mut exchange);
        self.tally.recorded += 1;
        self.requests.count(&mut exchange, duration, true);
        self.observer.observe(&mut exchange);
        self.took(&exchange);
        Ok(())
    }

    /// Whether it is a time of this log. Where it shows that those before were none, all begins here.
    fn is_near(&mut self, at: Timestamp) -> bool {
        match self.rest.place(at) {
            Place::Near => true,
            Place::Far => {
                self.untold.far += 1;
                false
            }
            Place::Moved { before } => {
                self.untold.far += before;
                self.clock = Clock::default();
                self.points.clear();
                true
            }
        }
    }

    /// The time of the log is that of the end of an exchange now; one without a time has that of the one
    /// before.
    fn pass(&mut self, at: Option<Timestamp>, exchange: &mut Exchange) {
        self.untold.without_time += u64::from(at.is_none());
        let Some(at) = at.filter(|at| self.is_near(*at)) else {
            let before = self.clock.latest.map_or(Duration::ZERO, since_1970);
            exchange.started = before.saturating_sub(exchange.duration);
            return;
        };
        if self
            .clock
            .latest
            .is_some_and(|latest| latest.duration_since(at) > UNORDERED)
        {
            self.untold.unordered += 1;
        }
        let begun = SignedDuration::try_from(exchange.duration).unwrap_or_default();
        let begun = at.checked_sub(begun).unwrap_or(at);
        self.clock.begin = Some(self.clock.begin.map_or(begun, |begin| begin.min(begun)));
        self.check_until(at);
        self.point_until(at);
        self.clock.latest = Some(self.clock.latest.map_or(at, |latest| latest.max(at)));
    }

    /// Checks that were due before `at`; one for all that nothing happened between.
    fn check_until(&mut self, at: Timestamp) {
        let interval = self.config.drift.check_interval;
        let Some(due) = self.clock.next_check else {
            self.clock.next_check = at.checked_add(interval).ok();
            return;
        };
        if at < due {
            return;
        }
        self.check(due, false);
        self.clock.next_check = at.checked_add(interval).ok();
    }

    fn check(&mut self, now: Timestamp, is_whole: bool) {
        let inputs = self.observer.copy();
        let verdicts = self.past.judge(inputs, now, is_whole);
        self.observer.judge(verdicts);
        self.told(now, None);
    }

    /// A point of the page's charts, if one was due before `at`.
    fn point_until(&mut self, at: Timestamp) {
        let (Some(begin), Some(latest)) = (self.clock.begin, self.clock.latest) else {
            self.clock.next_point = at.checked_add(self.clock.between_points).ok();
            return;
        };
        if self.clock.next_point.is_none_or(|due| at < due) {
            return;
        }
        let period = Period { begin, end: latest };
        let point = self.past.point(period, &self.metrics.render());
        self.points.push(point);
        if self.points.len() >= POINTS {
            let mut place = 0;
            self.points.retain(|_| {
                place += 1;
                place % 2 == 0
            });
            self.clock.between_points = self.clock.between_points.saturating_mul(2);
        }
        self.clock.next_point = at.checked_add(self.clock.between_points).ok();
    }

    /// After an exchange: baselines that are whole, drifts that began or ended with it.
    fn took(&mut self, exchange: &Exchange) {
        let end = exchange.started + exchange.duration;
        let now = SignedDuration::try_from(end).ok();
        let now = now.and_then(|now| Timestamp::from_duration(now).ok());
        let now = now.unwrap_or_default();
        self.told(now, Some(exchange));
        for (key, baseline) in self.observer.captured() {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            self.tally.captured.push(format!(
                "{} {}: of its first {} predictions, until {now:.0}; nobody has reviewed it",
                text::printable(&name(&key.model)),
                text::printable(&name(&key.version)),
                baseline.rows(),
            ));
            // beyond the most that are kept there is no room
            if self.baselines.set(key, baseline).is_ok() {
                self.observer
                    .use_baselines(self.baselines.clone(), end.as_secs_f64());
            }
        }
        if self.last_requests.len() >= REMEMBERED {
            self.last_requests.pop_front();
        }
        self.last_requests
            .push_back((end.as_secs_f64(), exchange.request_id.as_str().into()));
        if (self.tally.exchanges + self.tally.recorded).is_multiple_of(UPKEEP) {
            self.metrics.run_upkeep();
        }
    }

    /// What is told of drifts, by `exchange` or by a check.
    fn told(&mut self, at: Timestamp, exchange: Option<&Exchange>) {
        for notice in self.past.take(at) {
            let request = exchange.map(|exchange| exchange.request_id.clone());
            if let Happened::Cleared { prediction, reason } = notice.event {
                let mut known = self.tally.found.iter_mut().rev();
                if let Some(found) = known.find(|found| found.episode == notice.episode) {
                    found.end = Some((at, prediction, reason, request));
                }
                continue;
            }
            if self.tally.found.len() >= EPISODES {
                self.tally.found_left_out += 1;
                continue;
            }
            let (since_prediction, first_request) = match &notice.event {
                Happened::Found(_) => {
                    self.beginning(&notice.model, &notice.model_version, &notice.series)
                }
                _ => (None, None),
            };
            self.tally.found.push(Found {
                episode: notice.episode,
                model: notice.model,
                version: notice.model_version,
                series: notice.series,
                decision: notice.decision,
                since: notice.since,
                since_prediction,
                first_request,
                at,
                request,
                evidence: notice.event,
                end: None,
            });
        }
    }

    /// Behind which prediction a drift that goes on begins, and the request that came then.
    fn beginning(&self, model: &str, version: &str, series: &str) -> (Option<u64>, Option<String>) {
        let board = self.observer.board();
        let mut versions = board.versions.iter();
        let seen =
            versions.find(|seen| seen.judged.model == model && seen.judged.version == version);
        let report = seen.and_then(|seen| {
            let mut all = seen.series.iter();
            all.find(|state| state.report.name == series)?
                .report
                .episode
                .as_ref()
        });
        let Some(found) = report else {
            return (None, None);
        };
        let place = self
            .last_requests
            .partition_point(|(end, _)| *end <= found.since);
        let is_remembered = place > 0;
        let request = self.last_requests.get(place).filter(|_| is_remembered);
        let request = request.map(|(_, id)| id.to_string());
        (Some(found.since_prediction), request)
    }

    /// The last check, and the report.
    pub(super) fn finish(mut self, files: &[PathBuf]) -> Result<Report, ReplayError> {
        let left = self.parts.left();
        if left > 0 {
            self.unread(Unread::NoEnd, left, || "the end".to_owned());
        }
        let names = text::names(files);
        if self.tally.exchanges + self.tally.recorded == 0 {
            let found = text::nothing(&self.tally);
            return Err(ReplayError::NoLine { names, found });
        }
        let end = self.clock.latest.unwrap_or_default();
        let period = Period {
            begin: self.clock.begin.unwrap_or_default(),
            end,
        };
        self.check(end, true);
        self.observer.publish();
        let missing = self.untold.list(self.config);
        let gaps = missing.iter().map(untold::Missing::gap).collect();
        let scrape = self.metrics.render();
        let state = self
            .past
            .state(period, &scrape, self.observer.board(), gaps);
        // nothing else makes it
        let read = serde_json::from_str(&state).unwrap_or_default();
        let text = text::report(&text::Parts {
            names: &names,
            period: self.clock.begin.map(|_| period),
            tally: &self.tally,
            state: &read,
            baselines: &self.baselines,
            missing: &missing,
            always: &untold::of_every_log(self.config),
        });
        Ok(Report {
            text,
            html: past::report(&self.points, &state),
        })
    }

    /// One scrape of what was counted.
    #[cfg(test)]
    pub(super) fn scrape(&mut self) -> String {
        self.observer.publish();
        self.metrics.render()
    }
}

/// Whether so long a line may be a recorded exchange: one of its bodies has begun.
fn may_be_recorded(line: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(line, name).is_some();
    line.trim_ascii_start().starts_with(b"{") && (has(b"\"request\"") || has(b"\"response\""))
}

fn since_1970(at: Timestamp) -> Duration {
    Duration::try_from(at.as_duration()).unwrap_or_default()
}
