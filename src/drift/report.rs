//! What is known of the series of a model, for people and their programs.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{
    bins::Reference,
    monitor::{Monitor, Watched},
    profile::Bins,
    quality::Problem,
    scan::{self, LEVELS},
};
use crate::stats::{divergence, wasserstein};

/// The longest window whose effects are shown while nothing drifts: 1,024 predictions.
const CALM_LEVEL: usize = 5;

/// The scan of one version of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `warming` until it is known how dependent neighbours are, then `watching`.
    pub status: &'static str,
    /// Whether its word counts: `status` is `watching`.
    #[serde(skip)]
    pub is_warm: bool,
    /// Whether any series drifts.
    pub drift_detected: bool,
    /// Labels of those that do.
    pub drifting: Vec<String>,
    /// Evidence that a series of numbers must exceed in the shortest window.
    pub threshold: f64,
    /// What it gives on traffic that does not drift, per million predictions.
    pub expected_false_alarms_per_million: f64,
    /// Series of the baseline that are not watched: there are too many.
    pub left_out: usize,
    /// Series of the baseline that the traffic does not have.
    pub unmatched: Vec<String>,
    /// Features of the traffic that the baseline does not have, the first 100.
    pub only_in_traffic: Vec<String>,
    /// Where the baseline comes from: `posted`, `file` or `captured`.
    pub baseline_origin: &'static str,
    /// One for each series, in the order of the baseline.
    #[serde(skip)]
    pub series: Vec<SeriesReport>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesReport {
    /// Its label.
    pub name: String,
    /// `numeric` or `categorical`.
    pub kind: &'static str,
    /// Whether it drifts.
    pub drift_detected: bool,
    /// The largest evidence of any window over its threshold; above 1 is an alarm.
    pub score: f64,
    /// Whether the scan counts yet.
    pub is_warm: bool,
    /// Whether the baseline is small for so dependent a series.
    pub low_confidence: bool,
    /// How dependent neighbours are, at least 1.
    pub tau: Option<f64>,
    /// Values so far.
    pub predictions: u64,
    /// Times it began to drift.
    pub alarms: u64,
    /// The drift that goes on.
    pub episode: Option<Found>,
    /// Values of the window of the effects.
    pub window: Option<u64>,
    /// Population stability index of that window.
    pub psi: Option<f64>,
    /// Jensen-Shannon distance, in `[0, 1]`.
    pub jensen_shannon: Option<f64>,
    /// Half the sum of the differences of all shares, in `[0, 1]`.
    pub total_variation: Option<f64>,
    /// How far values have moved, over the interquartile range of the baseline; numbers only. Values beyond
    /// the baseline's range count as its end: it is at most that range over the interquartile range.
    pub wasserstein_over_iqr: Option<f64>,
    /// The least change of a share of one half that the window can show, in `[0, 1]`.
    pub minimum_detectable_effect: Option<f64>,
    /// Problems of the values of a feature that go on.
    pub problems: Vec<&'static str>,
}

/// A drift that goes on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The prediction that its window begins behind, from 1.
    pub since_prediction: u64,
    /// When that was.
    #[serde(serialize_with = "time")]
    pub since: f64,
    /// The region whose share has changed most, by the evidence, in words.
    pub region: String,
    /// Its share of the baseline, in `[0, 1]`.
    pub baseline_share: f64,
    /// Its share of the window now, in `[0, 1]`.
    pub recent_share: f64,
}

/// A histogram of the baseline and of the window, for a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histograms {
    /// `numeric` or `categorical`.
    pub kind: &'static str,
    /// Upper edges of the bins of numbers; one bin more is above all, and one of missing values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<f64>>,
    /// Names of the bins of classes; then one of unseen classes, and one of missing values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Counts by bin.
    pub baseline: Vec<u32>,
    /// Values of the window.
    pub window: Option<u64>,
    /// Counts by bin; none before a window is full.
    pub recent: Option<Vec<u32>>,
}

/// A time in seconds since 1970, to the second.
#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
pub fn time_of(seconds: f64) -> Timestamp {
    Timestamp::from_second(seconds as i64).unwrap_or_default()
}

/// RFC 3339.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn time<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time_of(*seconds))
}

impl Monitor {
    /// What is known now.
    pub fn report(&self) -> Report {
        Report {
            series: self.watched().iter().map(Watched::report).collect(),
            ..self.summary()
        }
    }

    /// The same without its series, which take longest.
    pub fn summary(&self) -> Report {
        let labels = |is_wanted: &dyn Fn(&Watched) -> bool| {
            let wanted = self.watched().iter().filter(|watched| is_wanted(watched));
            wanted.map(|w| w.name().label().into_owned()).collect()
        };
        let drifting: Vec<String> = labels(&|watched| watched.since().is_some());
        let threshold = self.rules().threshold;
        Report {
            is_warm: self.is_warm(),
            status: if self.is_warm() {
                "watching"
            } else {
                "warming"
            },
            drift_detected: !drifting.is_empty(),
            drifting,
            threshold,
            expected_false_alarms_per_million: scan::false_alarms(threshold),
            left_out: self.left_out(),
            unmatched: labels(&|watched| !watched.is_matched()),
            only_in_traffic: self.unmatched().names().map(str::to_owned).collect(),
            baseline_origin: self.baseline().origin().name(),
            series: Vec::new(),
        }
    }

    /// Whether the scan decides: that of the first series that the traffic has, which is the confidence
    /// where there is one, is warm.
    pub fn is_warm(&self) -> bool {
        let first = self.watched().iter().find(|watched| watched.is_matched());
        first.is_some_and(|watched| watched.series().is_warm())
    }
}

impl Watched {
    /// What is known now.
    pub fn report(&self) -> SeriesReport {
        let series = self.series();
        let recent = self.recent();
        let counts = recent.as_ref().map(|(_, counts)| counts.as_slice());
        let baseline = series.profile().reference.bins();
        let effect = |of: fn(&[u32], &[u32]) -> Option<f64>| of(baseline, counts?);
        let level = recent.as_ref().map(|(level, _)| *level);
        SeriesReport {
            name: self.name().label().into_owned(),
            kind: series.profile().bins.kind(),
            drift_detected: self.since().is_some(),
            score: series.score(),
            is_warm: series.is_warm(),
            low_confidence: series.is_of_low_confidence(),
            tau: series.tau(),
            predictions: series.count(),
            alarms: series.episodes().count(),
            episode: self.found(counts),
            window: level.map(scan::window),
            psi: effect(divergence::psi),
            jensen_shannon: effect(divergence::jensen_shannon),
            total_variation: effect(divergence::total_variation),
            wasserstein_over_iqr: counts.and_then(|counts| self.moved(counts)),
            minimum_detectable_effect: level.and_then(|l| series.minimum_detectable_effect(l)),
            problems: self
                .quality()
                .into_iter()
                .flat_map(|quality| quality.current().map(Problem::name))
                .collect(),
        }
    }

    /// Population stability index of the window that shows most.
    pub fn psi(&self) -> Option<f64> {
        let (_, counts) = self.recent()?;
        divergence::psi(self.series().profile().reference.bins(), &counts)
    }

    /// The window that shows most: that of the drift that goes on, or the longest of a moderate length.
    pub(super) fn recent(&self) -> Option<(usize, Vec<u32>)> {
        let episode = self.series().episodes().current();
        let most = episode
            .map_or(CALM_LEVEL, |episode| episode.last.level)
            .min(LEVELS - 1);
        (0..=most)
            .rev()
            .find_map(|level| Some((level, self.series().counts(level)?)))
    }

    /// The drift that goes on; `counts`: of the window that found it.
    fn found(&self, counts: Option<&[u32]>) -> Option<Found> {
        let episode = self.series().episodes().current()?;
        let profile = self.series().profile();
        let (region, _) = episode.last.strongest();
        let recent = counts.map(|counts| share(&profile.reference, counts, region));
        Some(Found {
            since_prediction: episode.since(),
            since: self.since()?,
            region: profile.bins.region_text(region),
            baseline_share: profile.reference.share(region),
            recent_share: recent.unwrap_or(0.0),
        })
    }

    fn moved(&self, counts: &[u32]) -> Option<f64> {
        let Bins::Numbers(edges) = &self.series().profile().bins else {
            return None;
        };
        let below = |bins: &[u32]| {
            let mut sum = 0;
            let numbers = &bins[..bins.len() - 1];
            let below: Vec<u32> = numbers
                .iter()
                .map(|count| {
                    sum += count;
                    sum
                })
                .collect();
            (below, sum)
        };
        let (baseline, n) = below(self.series().profile().reference.bins());
        let (recent, m) = below(counts);
        wasserstein::of_bins(edges.edges(), (&baseline, n), (&recent, m))
    }

    /// The baseline and the window, bin by bin.
    pub fn histograms(&self) -> Histograms {
        let profile = self.series().profile();
        let (edges, classes) = match &profile.bins {
            Bins::Numbers(edges) => (Some(edges.edges().to_vec()), None),
            Bins::Classes(classes) => (None, Some(classes.names().to_vec())),
        };
        let recent = self.recent();
        Histograms {
            kind: profile.bins.kind(),
            edges,
            classes,
            baseline: profile.reference.bins().to_vec(),
            window: recent.as_ref().map(|(level, _)| scan::window(*level)),
            recent: recent.map(|(_, counts)| counts),
        }
    }
}

/// The share of a window in a region, in `[0, 1]`.
fn share(reference: &Reference, bins: &[u32], region: usize) -> f64 {
    let (mut inside, mut total) = (0, 0);
    for (bin, count) in bins.iter().enumerate() {
        total += count;
        if reference.is_inside(bin, region) {
            inside += count;
        }
    }
    f64::from(inside) / f64::from(total.max(1))
}
