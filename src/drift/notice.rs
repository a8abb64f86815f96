//! What people are told when a drift begins or ends, and the way out to whoever tells them.
//!
//! [`Outlet::tell`] never waits: whoever finds a drift has other work. Where too much waits, a notice is
//! dropped and counted.

use std::sync::Arc;

use ::metrics::Counter;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{Checked, baseline::hexadecimal, episode::Episode};

/// Notices that may wait for whoever takes them to their queues, which takes no time worth naming.
const MAX_WAITING: usize = 4096;

/// Digits of an id: 96 bits.
const DIGITS: usize = 24;

/// A drift of one series began or ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The same for the beginning and the end of a drift, and for no other; survives a restart that the
    /// drift survives.
    pub episode: String,
    /// The model, as in its label.
    pub model: String,
    /// Its version, as in its label.
    pub model_version: String,
    /// The series, as in its label.
    pub series: String,
    /// Who decides: `scan` or `ks`.
    pub decision: &'static str,
    /// When the drift can be seen since; `None`: the test does not tell.
    #[serde(serialize_with = "time")]
    pub since: Option<Timestamp>,
    /// What happened.
    #[serde(flatten)]
    pub event: Happened,
}

/// What happened to a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event")]
pub enum Happened {
    /// The scan found a drift.
    #[serde(rename = "drift_detected")]
    Found(Found),
    /// The two-sample test found one.
    #[serde(rename = "drift_detected")]
    Tested(Tested),
    /// It is over.
    #[serde(rename = "drift_cleared")]
    Cleared {
        /// The prediction of the series that ended it, from 1; `None`: none did.
        prediction: Option<u64>,
        /// Why: `calm`, `another baseline`, `no baseline`, `other series are watched`, `the scan decides`, or
        /// `the scan has found it too`.
        reason: &'static str,
    },
}

impl Happened {
    /// `detected` or `cleared`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Found(_) | Self::Tested(_) => "detected",
            Self::Cleared { .. } => "cleared",
        }
    }
}

/// What the scan found, as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/drift.md says what each is")]
pub struct Found {
    pub prediction: u64,
    pub score: f64,
    pub region: String,
    pub baseline_share: f64,
    pub recent_share: f64,
    pub psi: Option<f64>,
    pub wasserstein_over_iqr: Option<f64>,
    pub low_confidence: bool,
}

/// What the two-sample test found, as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/drift.md says what each is")]
pub struct Tested {
    pub ks_statistic: f64,
    pub p_value: f64,
    pub baseline_mean: f64,
    pub recent_mean: f64,
    pub samples_checked: usize,
}

/// RFC 3339.
#[expect(clippy::ref_option, reason = "serde gives it so")]
fn time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

impl From<&Checked> for Tested {
    fn from(checked: &Checked) -> Self {
        Self {
            ks_statistic: checked.ks_statistic,
            p_value: checked.p_value,
            baseline_mean: checked.baseline_mean,
            recent_mean: checked.recent_mean,
            samples_checked: checked.samples_checked,
        }
    }
}

/// The id of a drift that the scan found: whose it is, against which baseline, and when it began, to the
/// fraction of a second, which tells apart agents that watch the same.
pub fn episode_id(
    whose: (&str, &str, &str),
    baseline: &str,
    episode: &Episode,
    since: f64,
) -> String {
    let began = format!("{} {}", episode.first.at, since.to_bits());
    id(whose, baseline, &began)
}

/// The id of a drift that the two-sample test found at `now`.
pub fn tested_id(whose: (&str, &str, &str), baseline: &str, now: Timestamp) -> String {
    id(whose, baseline, &format!("ks {}", now.as_nanosecond()))
}

fn id((model, version, series): (&str, &str, &str), baseline: &str, began: &str) -> String {
    let mut sha = Sha256::new();
    for part in [model, version, series, baseline, began] {
        // with its length, so that no two lists of parts are one text
        sha.update(part.len().to_le_bytes());
        sha.update(part);
    }
    let mut digits = hexadecimal(&sha.finalize());
    digits.truncate(DIGITS);
    digits
}

/// Where notices go; cheap to clone. The default leads nowhere.
#[derive(Clone, Default)]
pub struct Outlet {
    way: Option<Arc<Way>>,
    /// Who remembers them.
    record: Option<mpsc::Sender<Told>>,
}

/// A notice and when it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub notice: Notice,
}

struct Way {
    sender: mpsc::Sender<Notice>,
    dropped: Counter,
}

impl Outlet {
    /// The outlet and its other end. `dropped` counts those that there was no room for.
    pub fn new(dropped: Counter) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let way = Some(Arc::new(Way { sender, dropped }));
        (Self { way, record: None }, receiver)
    }

    /// The same, and another end of it for who remembers what was told. It keeps less than may wait for
    /// it, so what there is no room for is not counted.
    pub fn recorded(self) -> (Self, mpsc::Receiver<Told>) {
        let (record, receiver) = mpsc::channel(MAX_WAITING);
        let record = Some(record);
        (Self { record, ..self }, receiver)
    }

    /// Hands `notice` on; never waits.
    pub fn tell(&self, notice: Notice) {
        if let Some(record) = &self.record {
            let at = Timestamp::now();
            let notice = notice.clone();
            let _ = record.try_send(Told { at, notice });
        }
        if let Some(way) = &self.way
            && way.sender.try_send(notice).is_err()
        {
            way.dropped.increment(1);
        }
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outlet({})", self.way.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn cleared() -> Notice {
        Notice {
            episode: "e".to_owned(),
            model: "m".to_owned(),
            model_version: "1".to_owned(),
            series: "s".to_owned(),
            decision: "scan",
            since: Some(Timestamp::UNIX_EPOCH),
            event: Happened::Cleared {
                prediction: Some(7),
                reason: "calm",
            },
        }
    }

    #[test]
    fn a_notice_that_there_is_no_room_for_is_dropped_and_counted_and_nobody_waits() {
        let count = Arc::new(AtomicU64::new(0));
        let (outlet, mut taken) = Outlet::new(Counter::from_arc(Arc::clone(&count)));
        for _ in 0..MAX_WAITING + 3 {
            outlet.tell(cleared());
        }
        assert_eq!(count.load(Ordering::Relaxed), 3);
        assert_eq!(taken.try_recv().unwrap(), cleared());
        Outlet::default().tell(cleared());
    }

    #[test]
    fn an_id_is_that_of_one_episode() {
        let alarm = crate::drift::scan::Alarm {
            at: 64,
            level: 0,
            region: 0,
            score: 1.5,
            inside: 9,
            strongest: None,
        };
        let mut episodes = crate::drift::episode::Episodes::default();
        episodes.alarm(alarm, alarm.score);
        let episode = *episodes.current().unwrap();
        let of = |series: &str, since: f64| episode_id(("m", "1", series), "b", &episode, since);
        let first = of("s", 1.25);
        assert_eq!(first.len(), DIGITS);
        assert_eq!(first, of("s", 1.25));
        assert_ne!(first, of("t", 1.25));
        assert_ne!(first, of("s", 1.250_001));
        let now = Timestamp::UNIX_EPOCH;
        let tested = |model: &str, version: &str| tested_id((model, version, "s"), "b", now);
        assert_ne!(tested("m1", ""), tested("m", "1"));
    }
}
