//! One monitored sequence of a model: confidence, class, value, or a feature.

use super::{
    bins::{Classes, Edges, Reference},
    dependence::{self, Live, REGIONS},
    episode::{Change, Episodes},
    scan::{self, LEVELS, Rules, Scan},
};
use crate::stats::divergence;

/// Baseline values for each unit of dependence below which a verdict is of low confidence.
const ENOUGH: f64 = 50.0;

/// What the baseline says of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Into what its values are sorted.
    pub bins: Bins,
    /// How many are where.
    pub reference: Reference,
    /// How dependent neighbours are, at least 1; `None`: its order means nothing, so that what passes
    /// tells.
    pub tau: Option<f64>,
}

/// Into what values are sorted.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// Numbers.
    Numbers(Edges),
    /// Words.
    Classes(Classes),
}

impl Bins {
    /// How many there are, that of missing values with them.
    pub fn count(&self) -> usize {
        match self {
            Self::Numbers(edges) => edges.bins(),
            Self::Classes(classes) => classes.bins(),
        }
    }

    /// How many classes decide the threshold; `None` for numbers.
    fn classes(&self) -> Option<usize> {
        match self {
            Self::Numbers(_) => None,
            Self::Classes(classes) => Some(classes.bins()),
        }
    }

    /// What a region is, for people.
    pub fn region_text(&self, region: usize) -> String {
        match self {
            Self::Numbers(edges) => match edges.edges().get(region) {
                Some(edge) => format!("at most {edge}"),
                None => "missing".to_owned(),
            },
            Self::Classes(classes) => match region.checked_sub(classes.names().len()) {
                None => classes.names()[region].clone(),
                Some(0) => "unseen".to_owned(),
                Some(_) => "missing".to_owned(),
            },
        }
    }
}

impl Baseline {
    /// Of numbers in which `NaN` is missing; `None`: all are. `is_ordered`: they are in the order in which
    /// they came.
    pub fn of_numbers(values: &[f64], is_ordered: bool) -> Option<Self> {
        let (edges, reference) = Edges::of(values)?;
        let bins: Vec<usize> = values.iter().map(|value| edges.bin(*value)).collect();
        Some(Self::of(
            Bins::Numbers(edges),
            reference,
            is_ordered.then_some(bins),
        ))
    }

    /// Of words, likewise; `None` is a missing one.
    pub fn of_words(values: &[Option<&str>], is_ordered: bool) -> Self {
        let (classes, reference) = Classes::of(values.iter().copied());
        let bins: Vec<usize> = values.iter().map(|value| classes.bin(*value)).collect();
        Self::of(
            Bins::Classes(classes),
            reference,
            is_ordered.then_some(bins),
        )
    }

    fn of(bins: Bins, reference: Reference, ordered: Option<Vec<usize>>) -> Self {
        let tau = ordered.map(|ordered| {
            let inside = |region| {
                let inside = ordered.iter().map(|bin| reference.is_inside(*bin, region));
                inside.collect::<Vec<bool>>()
            };
            let watched = watched(&reference).into_iter().map(inside);
            dependence::tau(&watched.collect::<Vec<_>>())
        });
        Self {
            bins,
            reference,
            tau,
        }
    }
}

/// The regions that tell how dependent neighbours are.
fn watched(reference: &Reference) -> Vec<usize> {
    dependence::nearest_half((0..reference.regions()).map(|region| reference.share(region)))
}

/// A series with its windows.
#[derive(Debug, Clone)]
pub struct Series {
    baseline: Baseline,
    scan: Scan,
    rules: Rules,
    /// Where the baseline does not say.
    live: Option<Box<Live>>,
    watched: [usize; REGIONS],
    episodes: Episodes,
    /// The largest evidence of the last hop of every level, over its threshold.
    scores: [f64; LEVELS],
}

impl Series {
    /// Windows are empty. `base`: threshold of a single numeric series; `series`: how many the model has.
    pub fn new(baseline: Baseline, base: f64, series: usize, min_effect: f64) -> Self {
        let mut rules = Rules::new(base, series, baseline.bins.classes());
        rules.min_effect = min_effect;
        // before the first segment nothing is known of the dependence, and nothing alarms
        rules.tau = baseline.tau.unwrap_or(f64::INFINITY);
        let mut nearest = watched(&baseline.reference).into_iter();
        let first = nearest.next().unwrap_or(0);
        let watched = [
            first,
            nearest.next().unwrap_or(first),
            nearest.next().unwrap_or(first),
        ];
        Self {
            scan: Scan::new(baseline.bins.count()),
            live: baseline.tau.is_none().then(Box::default),
            baseline,
            rules,
            watched,
            episodes: Episodes::default(),
            scores: [0.0; LEVELS],
        }
    }

    /// Adds a number, or a missing one where there is none. In a series of words it is one.
    pub fn push_number(&mut self, value: Option<f64>) -> Option<Change> {
        let value = value.unwrap_or(f64::NAN);
        match &self.baseline.bins {
            Bins::Numbers(edges) => self.push(edges.bin(value)),
            Bins::Classes(classes) if value.is_nan() => self.push(classes.bin(None)),
            Bins::Classes(classes) => self.push(classes.bin(Some(&value.to_string()))),
        }
    }

    /// Adds a word, or a missing one where there is none. In a series of numbers it is missing.
    pub fn push_word(&mut self, value: Option<&str>) -> Option<Change> {
        match &self.baseline.bins {
            Bins::Numbers(edges) => self.push(edges.bin(f64::NAN)),
            Bins::Classes(classes) => self.push(classes.bin(value)),
        }
    }

    fn push(&mut self, bin: usize) -> Option<Change> {
        let reference = &self.baseline.reference;
        if let Some(live) = &mut self.live {
            live.push(self.watched.map(|region| reference.is_inside(bin, region)));
            self.rules.tau = live.tau().unwrap_or(f64::INFINITY);
        }
        let (scores, episodes) = (&mut self.scores, &mut self.episodes);
        let at = self.scan.count() + 1;
        let mut cleared = None;
        let alarm = self.scan.push(bin, reference, &self.rules, |hop| {
            scores[hop.level] = hop.score;
            cleared = cleared.or(episodes.hop(at, hop));
        });
        alarm.map_or(cleared, |alarm| episodes.alarm(alarm))
    }

    /// Empties the windows, as after an alarm in a file.
    pub fn restart(&mut self) {
        self.scan.restart();
        self.episodes = Episodes::default();
    }

    /// Whether the verdict of the scan counts: it is known how dependent neighbours are.
    pub fn is_warm(&self) -> bool {
        self.rules.tau.is_finite()
    }

    /// Whether the baseline is small for so dependent a series.
    pub fn is_of_low_confidence(&self) -> bool {
        self.is_warm() && f64::from(self.baseline.reference.total()) < ENOUGH * self.rules.tau
    }

    /// How dependent neighbours are, at least 1; `None`: not known yet.
    pub fn tau(&self) -> Option<f64> {
        self.is_warm().then_some(self.rules.tau)
    }

    /// The drift that goes on.
    pub fn episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// The largest evidence of any level's last window, over its threshold: above 1 is an alarm.
    pub fn score(&self) -> f64 {
        self.scores.iter().copied().fold(0.0, f64::max)
    }

    /// What the baseline says.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Predictions so far.
    pub fn count(&self) -> u64 {
        self.scan.count()
    }

    /// The counts by bin of the longest window that is full, and its level.
    pub fn recent(&self) -> Option<(usize, Vec<u32>)> {
        (0..LEVELS)
            .rev()
            .find_map(|level| Some((level, self.scan.counts(level)?)))
    }

    /// Population stability index of that window against the baseline.
    pub fn psi(&self) -> Option<f64> {
        divergence::psi(self.baseline.reference.bins(), &self.recent()?.1)
    }

    /// The least change of a share of one half that the window of `level` can show, in `[0, 1]`.
    pub fn minimum_detectable_effect(&self, level: usize) -> Option<f64> {
        let n1 = scan::size(level);
        let n0 = f64::from(self.baseline.reference.total());
        let evidence = self.rules.at(level) * self.tau()?;
        Some((evidence * 0.25 * (1.0 / n1 + 1.0 / n0)).sqrt().min(1.0))
    }
}
