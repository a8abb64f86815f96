//! A series as a picture: its baseline and its window by the few bins of its counts.

use serde::Serialize;

use super::{monitor::Watched, profile::Bins};

/// Counts by bin: `1` to `10` for the tenths of the baseline, or its most frequent classes by their
/// names; then `out` of its range or `other` classes, and last `missing`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Picture {
    /// Labels of the bins, as in `ml_drift_observations_total`.
    pub bins: Vec<String>,
    /// Of numbers: above the first and up to the second of each; `None`: it is no range, or holds
    /// nothing. Where many share a value, the two are that value and the one before it.
    pub ranges: Option<Vec<Option<[f64; 2]>>>,
    /// What the baseline has in each.
    pub baseline: Vec<u64>,
    /// What the window of the effects has; `None`: none is full.
    pub recent: Option<Vec<u64>>,
    /// All that passed since the baseline is in use.
    pub total: Vec<u64>,
}

/// Shares of missing values, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lacking {
    /// Of the baseline.
    pub baseline: f64,
    /// Of the window; `None`: none is full.
    pub recent: Option<f64>,
}

impl Watched {
    /// The baseline, the window and all that passed, bin by bin.
    pub fn picture(&self) -> Picture {
        let profile = self.series().profile();
        let tally = self.tally();
        let labels = tally.iter(profile).map(|(label, _, _)| label.into_owned());
        let edges = match &profile.bins {
            Bins::Numbers(edges) => Some(edges.edges()),
            Bins::Classes(_) => None,
        };
        Picture {
            bins: in_order(labels.collect()),
            ranges: edges.map(|edges| in_order(tally.ranges(edges))),
            baseline: in_order(tally.folded(profile.reference.bins())),
            recent: self.recent().map(|(_, bins)| in_order(tally.folded(&bins))),
            total: in_order(tally.counts().to_vec()),
        }
    }

    /// How much is missing.
    pub fn lacking(&self) -> Lacking {
        let share = |bins: &[u32]| {
            let missing = bins.last().copied().unwrap_or(0);
            f64::from(missing) / f64::from(bins.iter().sum::<u32>().max(1))
        };
        Lacking {
            baseline: share(self.series().profile().reference.bins()),
            recent: self.recent().map(|(_, bins)| share(&bins)),
        }
    }

    /// Of every known class its name and its shares of the baseline and of the window; none of numbers.
    pub fn class_shares(&self) -> Vec<(String, f64, Option<f64>)> {
        let Bins::Classes(classes) = &self.series().profile().bins else {
            return Vec::new();
        };
        let shares = |bins: &[u32]| -> Vec<f64> {
            let total = f64::from(bins.iter().sum::<u32>().max(1));
            bins.iter().map(|count| f64::from(*count) / total).collect()
        };
        let baseline = shares(self.series().profile().reference.bins());
        let recent = self.recent().map(|(_, bins)| shares(&bins));
        let recent = |place: usize| recent.as_ref()?.get(place).copied();
        let names = classes.names().iter().zip(baseline).enumerate();
        names
            .map(|(place, (name, baseline))| (name.clone(), baseline, recent(place)))
            .collect()
    }
}

/// What is no bin of its own stands last in a picture.
fn in_order<T>(mut bins: Vec<T>) -> Vec<T> {
    let others = super::tally::OTHERS.min(bins.len());
    bins.rotate_left(others);
    bins
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::drift::{
        Baseline, Origin, Profile, SeriesName, Value,
        monitor::{Monitor, Rules},
    };

    fn monitor(profiles: Vec<(SeriesName, Profile)>) -> Monitor {
        let rules = Rules {
            threshold: 30.0,
            min_effect: 0.0,
            max_series: 10,
        };
        let baseline = Baseline::new(None, profiles, Origin::File, jiff::Timestamp::UNIX_EPOCH);
        Monitor::new(Arc::new(baseline.unwrap()), rules, 0.0)
    }

    #[test]
    fn numbers_are_shown_by_the_tenths_of_the_baseline_with_their_ranges() {
        let mut values: Vec<f64> = (0..990).map(|i| f64::from(i) / 10.0).collect();
        values.extend([f64::NAN; 10]);
        let profile = Profile::of_numbers(&values, false).unwrap();
        let mut monitor = monitor(vec![(SeriesName::Value, profile)]);
        for i in 0..64 {
            monitor.push(0, Value::Number(f64::from(i)), Some(0.0));
            monitor.push(0, Value::Number(-1.0), Some(0.0));
            monitor.push(0, Value::Missing, Some(0.0));
        }
        let watched = &monitor.watched()[0];
        let picture = watched.picture();
        let labels = [
            "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "out", "missing",
        ];
        assert_eq!(picture.bins, labels);
        assert_eq!(picture.baseline.iter().sum::<u64>(), 1000);
        assert_eq!((picture.baseline[10], picture.baseline[11]), (0, 10));
        assert_eq!((picture.total[10], picture.total[11]), (64, 64));
        let ranges = picture.ranges.unwrap();
        assert_eq!(&ranges[10..], [None, None]);
        let ends: Vec<[f64; 2]> = ranges[..10].iter().map(|range| range.unwrap()).collect();
        assert!(
            ends.windows(2)
                .all(|pair| pair[0][1].to_bits() == pair[1][0].to_bits())
        );
        assert!(ends[0][0] < 0.0 && ends[0][0] > -1e-300 && (ends[9][1] - 98.9).abs() < 1e-9);
        let recent = picture.recent.unwrap();
        let window: u64 = recent.iter().sum();
        assert_eq!(Some(window), watched.report().window);
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let missing = recent[11] as f64 / window as f64;
        let lacking = watched.lacking();
        assert_eq!(lacking.recent, Some(missing));
        assert!((lacking.baseline - 0.01).abs() < 1e-12);
        assert_eq!(watched.class_shares(), []);
    }

    #[test]
    fn classes_are_shown_by_their_names_and_what_is_none_comes_last() {
        let words = vec!["a", "a", "a", "b", "other", "b"];
        let profile = Profile::of_test_words(words.into_iter());
        let monitor = monitor(vec![(SeriesName::Class, profile)]);
        let watched = &monitor.watched()[0];
        let picture = watched.picture();
        assert_eq!(picture.bins, ["a", "b", "class:other", "other", "missing"]);
        assert_eq!(picture.baseline, [3, 2, 1, 0, 0]);
        assert_eq!((picture.ranges, picture.recent), (None, None));
        let shares = watched.class_shares();
        assert_eq!(shares[0], ("a".to_owned(), 0.5, None));
        assert_eq!(shares[2].0, "other");
    }
}
