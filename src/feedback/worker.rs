//! The thread `feedback`: keeps predictions, joins labels with them, and owns what is known of both.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ::metrics::Counter;
use crossbeam_channel::{Receiver, never, select};

use super::{
    desk::{self, Asked, Desk, NoAnswer, Taken},
    generation::{self, FileError, Joining, Outcome, key},
    models::{Models, Stated},
    offer::{self, Counts, Labels, Offer, Offered, Take, Waiting, add},
    posted::{Label, Posted},
    record::{self, Predicted},
    states::{self, States},
    store::{Bounds, MAX_BATCH, Store},
    truth::{self, Settled, Unsettled},
};
use crate::{
    config::{self, Config},
    panics::{contain, hook},
};

/// The name of the thread.
pub const THREAD: &str = "feedback";
/// Longest wait of a prediction before it is on the disk: what a crash can cost.
const COMMIT: Duration = Duration::from_millis(250);
/// Between two publications of what is known.
const PUBLISH: Duration = Duration::from_secs(1);
/// Between two savings of the windows; after a crash labels since are taken from the predictions' files.
const SAVE: Duration = Duration::from_secs(30);
/// So many labels since bring it forward.
const MANY: u64 = 50_000;
/// Labels that are gone through again at a start.
const MAX_AGAIN: usize = 200_000;
/// Labels that are joined before waiting predictions have their turn.
const CHUNK: usize = 1000;
/// Pause before a disk that refused is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What the thread goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the files are; `None`: memory only.
    pub dir: Option<PathBuf>,
    /// What is kept, and what is told of it.
    pub feedback: config::Feedback,
    /// Bounds of models, versions and classes.
    pub metrics: config::Metrics,
}

impl Settings {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            dir: config.state.dir.clone(),
            feedback: config.feedback.clone(),
            metrics: config.metrics.clone(),
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            retention: self.feedback.retention,
            max_bytes: self.feedback.max_bytes as u64,
        }
    }
}

/// What runs until it is [finished](Self::finish), and its ends.
#[derive(Debug)]
pub struct Feedback {
    /// Where predictions are offered.
    pub offer: Offer,
    /// Where labels are posted.
    pub desk: Desk,
    /// What is counted and known, for a scrape.
    pub shown: Arc<Shown>,
    thread: JoinHandle<()>,
}

/// What is counted and known, for a scrape.
#[derive(Debug, Default)]
pub struct Shown {
    /// What was kept and what not.
    pub counts: Arc<Counts>,
    known: Mutex<Arc<Known>>,
}

impl Shown {
    /// As it was last published.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn publish(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

/// What is known, as of a moment.
#[derive(Debug, Default)]
pub struct Known {
    /// Of every version that has labels.
    pub models: Vec<Stated>,
    /// Labels that are no label of any prediction, by why: `unknown` or `invalid`.
    pub unmatched: BTreeMap<&'static str, u64>,
    /// Whether labels of before the start are among them. Until then, who has none here may have some.
    pub is_whole: bool,
}

/// Starts the thread. The files are opened there, so that nothing waits for them.
///
/// # Errors
/// When the system gives no thread.
pub fn start(settings: Settings, panics: Counter) -> std::io::Result<Feedback> {
    let shown = Arc::new(Shown::default());
    let (offer, take) = offer::queue(&shown.counts);
    let (desk, asked) = desk::channel(Arc::clone(&shown));
    let own = Arc::clone(&shown);
    let thread = std::thread::Builder::new()
        .name(THREAD.to_owned())
        .spawn(move || Worker::new(settings, own, panics).run(take, &asked))?;
    Ok(Feedback {
        offer,
        desk,
        shown,
        thread,
    })
}

impl Feedback {
    /// Keeps what waits, and ends. Waits for the disk.
    pub fn finish(self) {
        drop(self.offer);
        self.desk.leave();
        // a panic that ended it was counted and told of
        let _ = self.thread.join();
    }
}

struct Worker {
    settings: Settings,
    shown: Arc<Shown>,
    panics: Counter,
    /// `None`: the disk has refused, until [`AGAIN`] has passed.
    store: Option<Store>,
    refused_at: Option<Instant>,
    models: Models,
    unmatched: BTreeMap<&'static str, u64>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    since: Option<Instant>,
    /// Labels that passed, which are joined with what waits.
    passed: Vec<Labels>,
    passed_since: Option<Instant>,
    published: Instant,
    has_news: bool,
    /// Whether it has gone on from before.
    has_begun: bool,
    /// The place of the next label, while no store is open.
    order: u64,
    /// The place of the next label when the windows were written down, and when that was.
    saved: u64,
    saved_at: Instant,
}

impl Worker {
    fn new(settings: Settings, shown: Arc<Shown>, panics: Counter) -> Self {
        Self {
            models: Models::new(&settings),
            settings,
            shown,
            panics,
            store: None,
            refused_at: None,
            unmatched: BTreeMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            since: None,
            passed: Vec::new(),
            passed_since: None,
            published: Instant::now(),
            has_begun: false,
            order: 0,
            saved: 0,
            saved_at: Instant::now(),
            has_news: true,
        }
    }

    fn run(mut self, mut take: Take, asked: &Receiver<Asked>) {
        self.contained(Self::begin);
        self.publish_now();
        loop {
            let rest = self.rest();
            let (waiting, question) = select! {
                recv(take.receiver) -> waiting => (Some(waiting), None),
                recv(asked) -> question => (None, Some(question)),
                default(rest) => (None, None),
            };
            match waiting {
                Some(Ok(offered)) => self.wait(&take, offered),
                // nobody offers any more: what is asked is still answered
                Some(Err(_)) => take.receiver = never(),
                None => {}
            }
            match question {
                Some(Ok(Asked::Leave) | Err(_)) => break,
                Some(Ok(question)) => {
                    self.take_waiting(&take);
                    self.contained(|worker| worker.join_passed(&take));
                    self.contained(|worker| worker.answer(question, &take));
                }
                None => {}
            }
            if self.is_due() {
                self.contained(Self::commit);
                self.contained(|worker| worker.join_passed(&take));
            }
            self.publish();
            if self.saved_at.elapsed() >= SAVE || self.unsaved() >= MANY {
                self.contained(Self::save);
            }
        }
        self.take_waiting(&take);
        self.contained(Self::commit);
        self.contained(|worker| worker.join_passed(&take));
        self.contained(Self::save);
    }

    /// A panic costs what it happened in.
    fn contained(&mut self, work: impl FnOnce(&mut Self)) {
        let panics = self.panics.clone();
        if contain(&panics, || work(self)).is_err() {
            // a transaction that was begun is gone with it
            self.forget_waiting();
        }
    }

    fn rest(&self) -> Duration {
        let commit = self
            .due_since()
            .map(|since| COMMIT.saturating_sub(since.elapsed()));
        let publish = self
            .has_news
            .then(|| PUBLISH.saturating_sub(self.published.elapsed()));
        let next = [commit, publish].into_iter().flatten().min();
        next.unwrap_or(Duration::from_secs(1))
    }

    /// Opens the store and goes on from what was joined.
    fn begin(&mut self) {
        hook("feedback");
        let (dir, bounds) = (self.settings.dir.as_deref(), self.settings.bounds());
        match Store::open(dir, bounds, self.panics.clone(), now()) {
            Ok((mut store, refused)) => {
                for file in refused {
                    add(&self.shown.counts.damaged, 1);
                    tracing::error!(
                        file = %file.file.display(),
                        kept = %file.kept.display(),
                        reason = %file.reason,
                        "stored predictions refused and kept aside"
                    );
                }
                store.order = store.order.max(self.order);
                if !std::mem::replace(&mut self.has_begun, true) {
                    self.go_on(&mut store);
                }
                self.store = Some(store);
                self.refused_at = None;
                self.count_bytes();
            }
            Err(error) => self.refuse(&error),
        }
    }

    /// Goes on from the windows of before, and from the labels that came since.
    fn go_on(&mut self, store: &mut Store) {
        let before = match self.settings.dir.as_deref().map(states::load) {
            Some(Ok(before)) => before,
            Some(Err(damaged)) => {
                add(&self.shown.counts.damaged, 1);
                let (kept, reason) = (damaged.kept.display(), damaged.reason);
                tracing::error!(%kept, %reason, "stored windows of labels refused and kept aside");
                None
            }
            None => None,
        };
        let (from, states) = before.map_or((0, Vec::new()), |b| (b.order, b.models));
        // where labels have come since, the next saving holds them too
        store.order = store.order.max(from);
        self.saved = from;
        match store.joined(from, MAX_AGAIN) {
            Ok(all) => {
                let since = all.iter().filter_map(|joined| joined_of(joined));
                self.models.go_on(states, since);
            }
            Err(error) => tracing::error!(%error, "labels of before cannot be read"),
        }
    }

    /// Labels since the windows were written down.
    fn unsaved(&self) -> u64 {
        let order = self.store.as_ref().map_or(0, |store| store.order);
        order.saturating_sub(self.saved)
    }

    /// Writes the windows down, where labels have come since.
    fn save(&mut self) {
        let (Some(dir), Some(store)) = (&self.settings.dir, &self.store) else {
            return;
        };
        self.saved_at = Instant::now();
        if store.order == self.saved {
            return;
        }
        let states = States {
            order: store.order,
            models: self.models.states(),
        };
        match states::save(dir, &states) {
            Ok(()) => {
                self.saved = states.order;
                let forgotten = self.store.as_mut().map(|s| s.forget_joined(self.saved));
                if let Some(Err(error)) = forgotten {
                    self.refuse(&error);
                }
            }
            Err(error) => tracing::error!(%error, "windows of labels not saved"),
        }
    }

    /// The disk does not take it. Told once, until it does again. A database that has failed takes nothing
    /// more: all are opened again, some seconds later.
    fn refuse(&mut self, error: &FileError) {
        if let Some(store) = self.store.take() {
            self.order = store.order;
        }
        if self.refused_at.replace(Instant::now()).is_none() {
            tracing::error!(%error, "predictions cannot be kept for labels");
        }
    }

    fn store(&mut self) -> Option<&mut Store> {
        if self.store.is_none() && self.refused_at.is_none_or(|at| at.elapsed() > AGAIN) {
            self.begin();
        }
        self.store.as_mut()
    }

    fn wait(&mut self, take: &Take, offered: Offered) {
        let (waiting, alias) = match offered {
            Offered::Prediction(waiting, alias) => (waiting, alias),
            Offered::Labels(labels) => {
                self.passed.push(labels);
                self.passed_since.get_or_insert_with(Instant::now);
                return;
            }
        };
        take.took(&waiting, alias.as_deref());
        self.models.predicted(&waiting.1);
        let alias = alias.map(|alias| (alias, record::alias(&waiting.0)));
        for waiting in [Some(waiting), alias].into_iter().flatten() {
            self.waiting_bytes += waiting.0.len() + waiting.1.len();
            self.waiting.push(waiting);
        }
        self.since.get_or_insert_with(Instant::now);
        if self.waiting_bytes >= MAX_BATCH {
            self.contained(Self::commit);
        }
    }

    /// All that was offered so far.
    fn take_waiting(&mut self, take: &Take) {
        for _ in 0..take.receiver.len() {
            match take.receiver.try_recv() {
                Ok(offered) => self.wait(take, offered),
                Err(_) => break,
            }
        }
    }

    fn is_due(&self) -> bool {
        let since = self.due_since();
        since.is_some_and(|since| since.elapsed() >= COMMIT)
    }

    /// Since when something waits for the disk.
    fn due_since(&self) -> Option<Instant> {
        [self.since, self.passed_since].into_iter().flatten().min()
    }

    /// Predictions that wait.
    fn waiting(&self) -> usize {
        let all = self.waiting.iter();
        all.filter(|(_, record)| record::alias_of(record).is_none())
            .count()
    }

    /// Joins labels that passed through the proxy. Nobody waits to be told what became of them.
    fn join_passed(&mut self, take: &Take) {
        self.passed_since = None;
        // their room is given back at the end
        let mut passed = std::mem::take(&mut self.passed);
        let mut all = Posted::default();
        for labels in &mut passed {
            all.append(std::mem::take(&mut labels.posted));
        }
        if all.is_empty() {
            return;
        }
        let count = all.labels.len() as u64;
        if self.join(all, take).is_err() {
            // some may have been joined, as of one request that is told so
            *self.unmatched.entry("not_saved").or_default() += count;
        }
    }

    fn forget_waiting(&mut self) {
        add(&self.shown.counts.not_saved, self.waiting());
        self.waiting.clear();
        (self.waiting_bytes, self.since) = (0, None);
        self.passed.clear();
        self.passed_since = None;
    }

    /// Writes down what waits.
    fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        hook("feedback");
        let predictions = self.waiting();
        let waiting = std::mem::take(&mut self.waiting);
        (self.waiting_bytes, self.since) = (0, None);
        let kept = self.store().map(|store| store.keep(&waiting, now()));
        let counts = &self.shown.counts;
        match kept {
            Some(Ok(replaced)) => {
                add(&counts.kept, predictions);
                counts.replaced.fetch_add(replaced, Ordering::Relaxed);
                self.refused_at = None;
            }
            Some(Err(error)) => {
                add(&counts.not_saved, predictions);
                self.refuse(&error);
            }
            None => add(&counts.not_saved, predictions),
        }
        self.has_news = true;
        self.count_bytes();
    }

    fn count_bytes(&self) {
        let bytes = self.store.as_ref().map_or(0, Store::len);
        self.shown.counts.bytes.store(bytes, Ordering::Relaxed);
    }

    fn answer(&mut self, asked: Asked, take: &Take) {
        match asked {
            Asked::Join(posted, reply) => {
                let taken = self.join(posted, take);
                // whoever asked may have left
                drop(reply.send(taken));
            }
            Asked::Report(reply) => drop(reply.send(self.models.stated())),
            Asked::Apply(settings) => {
                self.settings = *settings;
                let bounds = self.settings.bounds();
                self.models.apply(&self.settings);
                if let Some(store) = &mut self.store {
                    store.set_bounds(bounds);
                }
                self.has_news = true;
            }
            // it has ended the loop
            Asked::Leave => {}
        }
    }

    fn join(&mut self, mut posted: Posted, take: &Take) -> Result<Taken, NoAnswer> {
        hook("feedback");
        let mut taken = Taken::default();
        let labels = std::mem::take(&mut posted.labels);
        for (chunk, labels) in labels.chunks(CHUNK).enumerate() {
            self.take_waiting(take);
            self.commit();
            let unknown = taken.unknown;
            let joined = self.join_some(labels, chunk * CHUNK, &mut posted, &mut taken);
            *self.unmatched.entry("unknown").or_default() += taken.unknown - unknown;
            self.has_news = true;
            if let Err(error) = joined {
                self.refuse(&error);
                return Err(NoAnswer::NotSaved);
            }
            // many labels take long: who looks meanwhile sees them come
            self.publish();
        }
        taken.invalid = posted.invalid;
        taken.errors = posted.faults;
        *self.unmatched.entry("invalid").or_default() += taken.invalid;
        self.has_news = true;
        self.count_bytes();
        Ok(taken)
    }

    fn join_some(
        &mut self,
        labels: &[Label],
        before: usize,
        posted: &mut Posted,
        taken: &mut Taken,
    ) -> Result<(), FileError> {
        let retention = self.settings.feedback.retention.as_secs_f64();
        let now = now();
        let Some(store) = self.store() else {
            let refused = std::io::Error::from(std::io::ErrorKind::NotConnected);
            return Err(FileError::Database(redb::Error::Io(refused)));
        };
        let wanted: Vec<(&str, u32)> = labels
            .iter()
            .map(|label| (label.request_id.as_str(), label.item))
            .collect();
        let mut found = store.find(&wanted)?;
        let mut by_file: BTreeMap<u64, Vec<(Predicted, Settled, Joining)>> = BTreeMap::new();
        let mut late = Vec::new();
        for (place, label) in labels.iter().enumerate() {
            let Some(located) = found.remove(&place) else {
                taken.unknown += 1;
                continue;
            };
            let Some(item) = located.item else {
                taken.unknown += 1;
                continue;
            };
            if now - item.at > retention {
                taken.late += 1;
                late.push(item);
                continue;
            }
            let truth = match truth::settle(&label.truth, &item) {
                Ok(truth) => truth,
                Err(Unsettled::NothingPredicted) => {
                    taken.unknown += 1;
                    continue;
                }
                Err(Unsettled::NoNumber) => {
                    let message = "expected a number, as the model predicted one";
                    posted.fault(&format!("label {}", before + place), "label", message);
                    continue;
                }
            };
            let id = located.id.as_deref().unwrap_or(&label.request_id);
            let joining = Joining {
                key: key(id, label.item),
                label: generation::label(&truth::bytes(&truth)),
                joined: joined_bytes(&item, &truth),
                number: store.order,
            };
            store.order += 1;
            by_file
                .entry(located.file)
                .or_default()
                .push((item, truth, joining));
        }
        let mut joined = Vec::new();
        let mut others = Vec::new();
        let mut outcome = Ok(());
        for (file, all) in by_file {
            let joinings: Vec<Joining> =
                all.iter().map(|(_, _, joining)| joining.clone()).collect();
            let outcomes = match store.join(file, &joinings, now) {
                Ok(Some(outcomes)) => outcomes,
                Ok(None) => {
                    // it had to leave for them
                    taken.unknown += all.len() as u64;
                    continue;
                }
                // those of other files are joined all the same
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            for ((item, truth, joining), outcome) in all.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Joined => joined.push((joining.number, item, truth)),
                    other => others.push((item, other)),
                }
            }
        }
        joined.sort_by_key(|(number, _, _)| *number);
        taken.joined += joined.len() as u64;
        for (_, item, truth) in &joined {
            self.models.joined(item, truth);
        }
        for item in &late {
            self.models.outcomes(item).late += 1;
        }
        for (item, outcome) in &others {
            if *outcome == Outcome::Duplicate {
                taken.duplicate += 1;
                self.models.outcomes(item).duplicate += 1;
            } else {
                taken.contradicting += 1;
                self.models.outcomes(item).contradicting += 1;
            }
        }
        if outcome.is_ok() {
            self.refused_at = None;
        }
        outcome
    }

    fn publish(&mut self) {
        if self.has_news && self.published.elapsed() >= PUBLISH {
            self.publish_now();
        }
    }

    fn publish_now(&mut self) {
        (self.published, self.has_news) = (Instant::now(), false);
        self.contained(|worker| {
            let known = Known {
                models: worker.models.stated(),
                unmatched: worker.unmatched.clone(),
                is_whole: worker.has_begun,
            };
            worker.shown.publish(known);
        });
    }
}

/// A prediction with its truth, to go on from after a restart.
fn joined_bytes(item: &Predicted, truth: &Settled) -> Vec<u8> {
    let truth = truth::bytes(truth);
    // at most 129 bytes
    let length = u8::try_from(truth.len()).unwrap_or(u8::MAX);
    [&[length], truth.as_slice(), &record::alone(item)].concat()
}

fn joined_of(bytes: &[u8]) -> Option<(Predicted, Settled)> {
    let (length, rest) = bytes.split_first()?;
    let (truth, record) = rest.split_at_checked(usize::from(*length))?;
    Some((record::item(record, 0)?, truth::of_bytes(truth)?))
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests;
