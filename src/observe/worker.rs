//! The observe thread: takes what waits, exchange by exchange, and does what the operator asks.
//!
//! [`offline`] does the same with exchanges of the past, without a thread.

pub mod offline;

use std::{sync::Arc, thread::JoinHandle, time::Instant};

use ::metrics::Counter;
use crossbeam_channel::{Receiver, never, select};

use super::{
    access_log::{AccessLog, Seen},
    board::Board,
    cardinality::OTHER,
    command::{self, Command, Handle},
    kept::{keep, pass},
    models::{Models, TOO_LONG},
    numbers::Numbers,
    recent::Recent,
    record::{Outcome, Record},
    series::Series,
    tasks::Tasks,
    watch::Whose,
};
use crate::{
    capture::{Exchange, policy::Interest, queue::Take, tee::End},
    config::{self, Config},
    decode::{self, Inference},
    drift::{Baselines, Outlet, SeriesName, Snapshot},
    feedback::Offer,
    metrics::{Metrics, catalogue},
    panics::{contain, hook},
    telemetry::{Common, Sink},
};

/// What the observer goes by and a reload can change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What bodies may inflate to.
    pub capture: config::Capture,
    /// What is kept of what they say.
    pub decode: config::Decode,
    /// Names where neither wire nor route tells one.
    pub model: config::Model,
    /// Bounds of labels.
    pub metrics: config::Metrics,
    /// The lines of exchanges.
    pub log: config::Log,
    /// Windows of confidences.
    pub drift: config::Drift,
    /// Requests that are listed while somebody looks.
    pub recent: usize,
}

impl Settings {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            capture: config.capture.clone(),
            decode: config.decode.clone(),
            model: config.model.clone(),
            metrics: config.metrics.clone(),
            log: config.log.clone(),
            drift: config::Drift {
                capture: config.captured_baseline(),
                ..config.drift.clone()
            },
            recent: config.ops.recent,
        }
    }
}

/// What the thread begins with.
#[derive(Debug, Default)]
pub struct Begin {
    /// Those that are known.
    pub baselines: Baselines,
    /// Windows of before, which it goes on with.
    pub windows: Vec<Snapshot>,
    /// Where it is told that a drift begins or ends.
    pub outlet: Outlet,
    /// Fields of every line.
    pub common: Common,
    /// Where predictions are offered that may get a label.
    pub offer: Offer,
    /// Where lines and spans are handed over.
    #[cfg(feature = "otlp")]
    pub export: crate::otlp::Outlet,
}

/// Starts the thread `observe`. It ends, and gives back what it knows, when every [`Offer`](crate::capture::queue::Offer) is
/// gone and the queue is empty.
///
/// # Errors
/// When the system gives no thread or no random bytes.
pub fn start(
    take: Take,
    metrics: Arc<Metrics>,
    sink: Sink,
    settings: Settings,
    begin: Begin,
) -> std::io::Result<(Handle, JoinHandle<Vec<Snapshot>>)> {
    let (handle, commands) = command::channel();
    let mut worker = Worker::new(take, metrics, sink, settings, begin)?;
    let thread = std::thread::Builder::new()
        .name("observe".to_owned())
        .spawn(move || {
            worker.run(commands);
            worker.series.snapshots()
        })?;
    Ok((handle, thread))
}

struct Worker {
    take: Take,
    record: Record,
    models: Models,
    tasks: Tasks,
    numbers: Numbers,
    offer: Offer,
    log: AccessLog,
    recent: Recent,
    series: Series,
    model: Arc<config::Model>,
    panics: Counter,
    capture: config::Capture,
    decode: config::Decode,
    metrics: Arc<Metrics>,
}

impl Worker {
    fn new(
        take: Take,
        metrics: Arc<Metrics>,
        sink: Sink,
        settings: Settings,
        begin: Begin,
    ) -> std::io::Result<Self> {
        let mut record = Record::new(Arc::clone(&metrics), settings.metrics.clone());
        record.use_baselines(begin.baselines.clone());
        let log = AccessLog::new(sink, settings.log, begin.common.clone())?;
        #[cfg(feature = "otlp")]
        let log = log.exported_to(begin.export.clone());
        Ok(Self {
            models: Models::new(settings.metrics.clone()),
            record,
            numbers: Numbers::default(),
            offer: begin.offer.clone(),
            tasks: Tasks::new(metrics.counter(&catalogue::TASKS_FORGOTTEN, &[])),
            log,
            recent: Recent::new(settings.recent),
            series: Series::new(
                settings.model.clone(),
                settings.drift,
                &settings.metrics,
                begin,
            ),
            model: Arc::new(settings.model),
            capture: settings.capture,
            decode: settings.decode,
            take,
            panics: metrics.counter(&catalogue::PANICS, &["observe"]),
            metrics,
        })
    }

    fn run(&mut self, mut commands: Receiver<Command>) {
        let bell = self.take.bell().clone();
        let mut is_idle = false;
        loop {
            self.unpanicked(Self::publish);
            let rest = self.take.rest(is_idle);
            let (command, is_over) = select! {
                recv(bell) -> rung => (None, rung.is_err()),
                recv(commands) -> command => (Some(command), false),
                default(rest) => (None, false),
            };
            self.take.is_up();
            is_idle = !self.observe_what_waits();
            match command {
                None => {}
                Some(Ok(command)) => self.unpanicked(|worker| worker.obey(command)),
                // the operator's side has ended first: what waits is still read
                Some(Err(_)) => commands = never(),
            }
            if is_over {
                break;
            }
        }
        while self.observe_what_waits() {}
        self.unpanicked(Self::publish);
    }

    /// Reads what waits now, so that a command finds what came before it; `false`: nothing did.
    fn observe_what_waits(&mut self) -> bool {
        let count = self.take.depth().exchanges();
        for _ in 0..count {
            // one that is counted may not be there yet
            let Some(mut exchange) = self.take.next() else {
                break;
            };
            if exchange.fault.is_some() {
                self.unpanicked(|worker| {
                    exchange.fault = decode::blame(&exchange, &worker.capture);
                });
            }
            self.observe(&exchange);
            self.take.give_back(exchange);
        }
        self.log.flush_if_due(count == 0);
        count > 0
    }

    /// A panic costs what it happened in: the thread goes on, and no half line is written.
    fn unpanicked(&mut self, work: impl FnOnce(&mut Self)) {
        let panics = self.panics.clone();
        if contain(&panics, || work(self)).is_err() {
            self.log.drop_half_line();
        }
    }

    fn publish(&mut self) {
        if let Some(table) = self.series.changed() {
            self.metrics.publish(&table);
        }
    }

    fn obey(&mut self, command: Command) {
        hook("command");
        match command {
            // whoever asked may have left
            Command::Copy(which, reply) => drop(reply.send(self.series.copy(which))),
            Command::UseBaselines(baselines) => {
                self.record.use_baselines(baselines.clone());
                self.series.use_baselines(baselines);
            }
            Command::Publish(verdicts) => self.series.judge(verdicts),
            Command::Model(state) => self.series.set_state(state),
            Command::Apply(settings) => self.apply(*settings),
            // what came before it is read by then
            Command::Settle(reply) => drop(reply.send(())),
            Command::Models(reply) => drop(reply.send(self.models.listing())),
            Command::Board(reply) => drop(reply.send(self.board())),
            Command::Recent(reply) => drop(reply.send(self.recent.listed(Instant::now()))),
            Command::LastPredictor(reply) => drop(reply.send(self.series.last_predictor())),
            Command::Captured(reply) => drop(reply.send(self.series.captured())),
            Command::Snapshots(reply) => drop(reply.send(self.series.snapshots())),
            Command::Histograms(which, series, reply) => {
                drop(reply.send(self.series.histograms(which, &series)));
            }
        }
    }

    fn board(&self) -> Board {
        let (versions, left_out) = self.series.seen();
        Board {
            versions,
            left_out,
            gaps: self.models.gaps(),
            unread: self.models.not_read(),
        }
    }

    fn apply(&mut self, settings: Settings) {
        self.series
            .apply(settings.model.clone(), settings.drift, &settings.metrics);
        self.models.set_bounds(settings.metrics.clone());
        self.record.set_bounds(settings.metrics);
        self.log.apply(settings.log);
        self.recent.apply(settings.recent);
        self.model = Arc::new(settings.model);
        self.capture = settings.capture;
        self.decode = settings.decode;
    }

    fn observe(&mut self, exchange: &Exchange) {
        self.record.fault(exchange.fault);
        if exchange.interest != Interest::Bodies {
            if exchange.interest == Interest::Labels {
                self.unpanicked(|worker| pass(&worker.offer, exchange, &worker.capture));
            }
            return self.unpanicked(|worker| worker.write(exchange, None));
        }
        let (outcome, mut inference) = self.read(exchange);
        self.unpanicked(|worker| {
            if let Some(inference) = &mut inference {
                inference.sample(worker.decode.max_items);
                worker.tasks.join(inference, exchange);
                worker.numbers.settle(inference, exchange, &worker.model);
            }
            worker.tell(exchange, inference.as_ref());
        });
        // last, so that who sees the books balance sees what they stand for
        self.record.outcome(outcome);
    }

    /// Counts and logs what was read.
    fn tell(&mut self, exchange: &Exchange, inference: Option<&Inference>) {
        hook("observe");
        let configured = Arc::clone(&self.model);
        let (model, version) = decode::identity(inference, exchange, &configured);
        let seen = inference.map(|inference| Seen {
            inference,
            model,
            version,
        });
        self.say(exchange, seen, &[]);
    }

    /// `withheld`: series of which it is not told what they were.
    fn say(&mut self, exchange: &Exchange, seen: Option<Seen<'_>>, withheld: &[SeriesName]) {
        if let Some(seen) = seen.filter(|seen| !seen.inference.outputs.is_empty()) {
            self.count(exchange, seen, withheld);
        }
        self.write(exchange, seen);
    }

    fn write(&mut self, exchange: &Exchange, seen: Option<Seen<'_>>) {
        self.log.write(exchange, seen);
        self.recent.saw(&mut self.log, exchange, seen);
    }

    /// Reads both bodies, where they are there.
    fn read(&mut self, exchange: &Exchange) -> (Outcome, Option<Inference>) {
        let ends = [&exchange.request, &exchange.response].map(|m| m.body.as_ref().map(|b| b.end));
        let is = |end| ends.contains(&Some(end));
        if ends.contains(&None) || is(End::Broken) || is(End::Dropped) {
            return (Outcome::Aborted, None);
        }
        if exchange.is_too_long() {
            self.record.too_long(exchange);
            self.models.unread(&exchange.endpoint, TOO_LONG);
            return (Outcome::TooLong, None);
        }
        let decoding = || {
            hook("decode");
            decode::decode(exchange, &self.capture)
        };
        // a decoder that panics costs this one observation
        match contain(self.record.panics(), decoding) {
            Ok(Ok(inference)) => (Outcome::Decoded, Some(inference)),
            Ok(Err(error)) => {
                self.record.decode_failed(exchange, &error);
                self.models.unread(&exchange.endpoint, error.reason());
                (Outcome::DecodeFailed, None)
            }
            Err(_) => {
                self.record.decoder_panicked(exchange);
                (Outcome::DecodeFailed, None)
            }
        }
    }

    fn count(&mut self, exchange: &Exchange, seen: Seen<'_>, withheld: &[SeriesName]) {
        let labels = self.record.identity(seen.model, seen.version);
        self.record.predictions(seen.inference, exchange, labels);
        self.models.saw(seen.inference, exchange, labels);
        let now = (exchange.started + exchange.duration).as_secs_f64();
        keep(&self.offer, seen.inference, exchange, labels, now);
        let (model, version) = labels;
        if model == OTHER || version == OTHER {
            // a mixture of models has no distribution to compare
            return;
        }
        let whose = Whose { model, version };
        self.series
            .predicted_but(withheld, whose, seen.inference, now);
    }
}

/// An observer without traffic that obeys commands to the end of the process.
#[cfg(test)]
pub(crate) fn idle() -> Handle {
    let config = config::defaults();
    let metrics = Metrics::new(config.metrics.max_series).expect("the catalogue has edges");
    let (offer, take) = crate::capture::queue::queue(&config.capture);
    let (sink, _) = Sink::start(std::io::sink(), 1000).expect("there is a thread");
    let settings = Settings::new(&config);
    let (handle, _) = start(take, Arc::new(metrics), sink, settings, Begin::default())
        .expect("there is a thread");
    std::mem::forget(offer);
    handle
}

/// A path, what was sent there and what was answered.
#[cfg(test)]
pub(crate) type Said = (&'static str, &'static str, String);

/// An observer that has read `exchanges` against `baselines`, and what it counts into.
#[cfg(test)]
pub(crate) fn fed(exchanges: Vec<Said>, baselines: Baselines) -> (Handle, Arc<Metrics>) {
    let config = config::defaults();
    let metrics = Metrics::new(config.metrics.max_series).expect("the catalogue has edges");
    let metrics = Arc::new(metrics);
    let (offer, take) = crate::capture::queue::queue(&config.capture);
    let (sink, _) = Sink::start(std::io::sink(), 1000).expect("there is a thread");
    for (path, request, response) in exchanges {
        let exchange = Box::new(Exchange::example(path, request, &response));
        assert!(offer.offer(exchange).is_ok(), "there is room");
    }
    let begin = Begin {
        baselines,
        ..Begin::default()
    };
    let settings = Settings::new(&config);
    let (handle, _) =
        start(take, Arc::clone(&metrics), sink, settings, begin).expect("there is a thread");
    std::mem::forget(offer);
    (handle, metrics)
}

#[cfg(test)]
mod tests;
