//! The versions of models as a live page shows them.

use super::{Series, Watch};
use crate::{
    drift::{
        SeriesName, Verdict,
        monitor::{Monitor, Watched},
        report::Report,
    },
    observe::{
        board::{NAMES, SERIES, SERIES_OF_VERSION, Seen, SeriesState, VERSIONS},
        command::Judged,
    },
};

impl Series {
    /// Those that predicted last, and how many there are beyond.
    pub(in crate::observe) fn seen(&self) -> (Vec<Seen>, usize) {
        let mut all: Vec<_> = self.watches.iter().collect();
        all.sort_by(|(_, _, a), (_, _, b)| {
            let last = |watch: &Watch| watch.last().unwrap_or_default();
            last(b).total_cmp(&last(a))
        });
        let left_out = all.len().saturating_sub(VERSIONS);
        all.truncate(VERSIONS);
        let mut room = SERIES;
        let seen = all.into_iter().map(|(model, version, watch)| {
            let seen = self.seen_of(model, version, watch, room.min(SERIES_OF_VERSION));
            room -= seen.series.len();
            seen
        });
        (seen.collect(), left_out)
    }

    /// `most`: how many series there is room for.
    fn seen_of(&self, model: &str, version: &str, watch: &Watch, most: usize) -> Seen {
        let chosen = self.chosen(model, version);
        let before = (self.verdicts).get(&(model.to_owned(), version.to_owned()));
        let unchecked = match chosen {
            Some(_) => Verdict::InsufficientData,
            None => Verdict::NoBaseline,
        };
        let monitor = watch.monitor.as_ref();
        let (scan, names_left_out) = monitor.map_or((None, 0), |monitor| {
            let (scan, left_out) = bounded(monitor.summary());
            (Some(scan), left_out)
        });
        let in_use = chosen.map(|chosen| chosen.in_use());
        let (series, series_left_out) = monitor.map_or((Vec::new(), 0), |m| shown(m, most));
        Seen {
            is_serving: self.serves(model, version),
            last: watch.last(),
            baseline: in_use.clone(),
            gathered: watch.gathered(),
            judged: Judged {
                model: model.to_owned(),
                version: version.to_owned(),
                baseline: chosen.map(|chosen| chosen.baseline.short_hash().to_owned()),
                in_use,
                verdict: before.map_or(unchecked, |judged| judged.verdict.clone()),
                scan,
            },
            names_left_out,
            series,
            series_left_out,
            classes: monitor.map_or_else(Vec::new, classes),
        }
    }
}

/// With the first names of each list, and how many it leaves out.
fn bounded(mut scan: Report) -> (Report, usize) {
    let lists = [
        &mut scan.drifting,
        &mut scan.unmatched,
        &mut scan.only_in_traffic,
    ];
    let left_out = lists.into_iter().map(|names| {
        let before = names.len();
        names.truncate(NAMES);
        before - names.len()
    });
    let left_out = left_out.sum();
    (scan, left_out)
}

/// The series that there is room for: those that drift before others, and those that the traffic has
/// before the rest.
fn shown(monitor: &Monitor, most: usize) -> (Vec<SeriesState>, usize) {
    let mut all: Vec<&Watched> = monitor.watched().iter().collect();
    all.sort_by_key(|watched| (watched.since().is_none(), !watched.is_matched()));
    let left_out = all.len().saturating_sub(most);
    let shown = all.into_iter().take(most).map(|watched| SeriesState {
        report: watched.report(),
        missing: watched.lacking(),
        histogram: watched.picture(),
    });
    (shown.collect(), left_out)
}

fn classes(monitor: &Monitor) -> Vec<(String, f64, Option<f64>)> {
    let place = monitor.place(|name| *name == SeriesName::Class);
    place.map_or_else(Vec::new, |place| monitor.watched()[place].class_shares())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        decode::{Inference, Output, Prediction},
        drift::{Baseline, Baselines, Key, Origin, Profile},
        observe::{watch::Whose, worker::Begin},
    };

    /// As long as a name can be.
    fn long(name: usize) -> String {
        format!("{name:0128}")
    }

    /// A baseline of so many series with long names, each of more classes than are shown.
    fn baseline(series: usize) -> Baselines {
        let words: Vec<String> = (0..2000).map(|i| long(i % 40)).collect();
        let profile = || Profile::of_test_words(words.iter().map(String::as_str));
        let features = (1..series).map(|i| (SeriesName::Feature(long(i)), profile()));
        let profiles: Vec<_> = [(SeriesName::Class, profile())]
            .into_iter()
            .chain(features)
            .collect();
        let baseline = Baseline::new(None, profiles, Origin::File, jiff::Timestamp::UNIX_EPOCH);
        let mut baselines = Baselines::new();
        baselines.set(Key::default(), baseline.unwrap()).unwrap();
        baselines
    }

    fn predicted(series: &mut Series, model: usize, class: &str, now: f64) {
        let class = Prediction::Name(class.into());
        let inference = Inference {
            outputs: vec![Output::new(class, Some(0.5))],
            ..Inference::default()
        };
        let (model, version) = (long(model), long(0));
        let whose = Whose {
            model: &model,
            version: &version,
        };
        series.predicted(whose, &inference, now);
    }

    #[test]
    fn of_many_versions_with_many_series_so_much_is_shown_and_the_rest_is_counted() {
        let mut config = config::defaults();
        config.metrics.max_models = 20;
        let begin = Begin {
            baselines: baseline(100),
            ..Begin::default()
        };
        let mut series = Series::new(config.model, config.drift, &config.metrics, begin);
        for model in 0..20_u32 {
            let now = if model == 3 {
                100.0
            } else {
                f64::from(model) + 1.0
            };
            predicted(&mut series, model as usize, &long(1), now);
        }
        let (seen, left_out) = series.seen();
        assert_eq!((seen.len(), left_out), (VERSIONS, 4));
        assert_eq!(
            (seen[0].judged.model.as_str(), seen[0].last),
            (&*long(3), Some(100.0))
        );
        let shown: Vec<usize> = seen.iter().map(|seen| seen.series.len()).collect();
        assert_eq!(&shown[..3], [SERIES_OF_VERSION, SERIES_OF_VERSION, 0]);
        assert_eq!(
            (seen[0].series_left_out, seen[2].series_left_out),
            (36, 100)
        );
        assert_eq!(seen[0].series[0].report.name, "class");
        let scan = seen[0].judged.scan.as_ref().unwrap();
        assert_eq!(
            (scan.unmatched.len(), seen[0].names_left_out),
            (NAMES, 99 - NAMES)
        );
        assert_eq!(scan.series, []);
        let bytes: usize = seen
            .iter()
            .map(|seen| {
                let series = serde_json::to_vec(&seen.series).unwrap().len();
                series + serde_json::to_vec(&seen.judged.scan).unwrap().len()
            })
            .sum();
        assert!((100_000..512_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_series_that_drifts_comes_before_others_and_has_a_place() {
        let mut random = fastrand::Rng::with_seed(1);
        let values: Vec<f64> = (0..1000).map(|_| 0.5 + random.f64() / 2.0).collect();
        let profiles = vec![
            (
                SeriesName::Class,
                Profile::of_test_words(["a", "b"].into_iter()),
            ),
            (
                SeriesName::Confidence,
                Profile::of_numbers(&values, true).unwrap(),
            ),
        ];
        let set_at = jiff::Timestamp::UNIX_EPOCH;
        let baseline = Baseline::new(None, profiles, Origin::Captured, set_at).unwrap();
        let mut baselines = Baselines::new();
        baselines.set(Key::default(), baseline).unwrap();
        let config = config::defaults();
        let begin = Begin {
            baselines,
            ..Begin::default()
        };
        let mut series = Series::new(config.model, config.drift, &config.metrics, begin);
        // 0.5 each time
        (0..100).for_each(|_| predicted(&mut series, 0, "a", 5.0));
        let (seen, _) = series.seen();
        let shown = seen[0].series.iter();
        let shown: Vec<_> = shown
            .map(|series| (series.report.name.as_str(), series.report.drift_detected))
            .collect();
        assert_eq!(shown, [("confidence", true), ("class", false)]);
        let confidence = &seen[0].series[0].histogram;
        let recent = confidence.recent.as_ref().unwrap();
        assert_eq!(recent[0] + recent[10], recent.iter().sum::<u64>());
        assert!(seen[0].judged.scan.as_ref().unwrap().drift_detected);
        assert!(seen[0].is_serving && seen[0].gathered.is_none());
        assert_eq!(seen[0].classes.len(), 2);
    }
}
