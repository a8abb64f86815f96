//! False alarms and delays of the watch for drops of accuracy, over streams that are the same in every run.
//!
//! `cargo test --test it drops -- --ignored --nocapture` prints the tables of `docs/accuracy.md`.

use sidelight::feedback::{Change, DropRules, Watch};

use super::stats_vectors::uniform;

const RULES: DropRules = DropRules {
    false_alarms_per_million: 10.0,
    min_drop: 0.02,
    baseline: None,
    baseline_labels: 1_000,
    recovery_labels: 500,
};

/// Labels that are right with a probability that may change.
struct Stream {
    state: u64,
    watch: Watch,
}

impl Stream {
    fn new(number: u64, watch: Watch) -> Self {
        let mut state = number;
        // the first numbers of neighbouring seeds are alike
        uniform(&mut state);
        Self {
            state: state ^ number.rotate_left(32),
            watch,
        }
    }

    fn learning(number: u64, rules: DropRules) -> Self {
        Self::new(number, Watch::new(rules))
    }

    /// Labels up to the first change, at most `most`; `None`: there was none.
    fn until_change(&mut self, accuracy: f64, most: u64) -> Option<(u64, Change)> {
        (1..=most).find_map(|label| {
            let right = uniform(&mut self.state) < accuracy;
            self.watch.push(right).map(|change| (label, change))
        })
    }

    /// Learns the baseline, without an alarm.
    fn learn(&mut self, accuracy: f64) {
        let labels = self.watch.rules().baseline_labels as u64;
        assert_eq!(self.until_change(accuracy, labels), None);
        assert!(self.watch.baseline().is_some());
    }
}

/// How many alarms `streams` of `labels` each raise while nothing changes, and in how many streams: one that
/// ended may come again.
fn false_alarms(accuracy: f64, streams: u64, labels: u64, rules: DropRules) -> (usize, usize) {
    let alarms = |number| {
        let mut stream = Stream::learning(number, rules);
        stream.learn(accuracy);
        let (mut left, mut alarms) = (labels, 0);
        while let Some((passed, change)) = stream.until_change(accuracy, left) {
            left -= passed;
            alarms += usize::from(matches!(change, Change::Dropped(_)));
        }
        alarms
    };
    let alarms: Vec<usize> = (0..streams).map(alarms).collect();
    let streams = alarms.iter().filter(|alarms| **alarms > 0).count();
    (alarms.iter().sum(), streams)
}

/// Labels from a drop of accuracy to the alarm, ascending; those that `most` did not bring are `None` and
/// come last.
fn delays(
    start: &dyn Fn(u64) -> Stream,
    dropped: f64,
    streams: u64,
    most: u64,
) -> Vec<Option<u64>> {
    let delay = |number| {
        let found = start(number).until_change(dropped, most);
        found.map(|(label, _)| label)
    };
    let mut delays: Vec<_> = (0..streams).map(delay).collect();
    delays.sort_by_key(|delay| delay.unwrap_or(u64::MAX));
    delays
}

/// What `share` of them are at or below.
fn quantile(delays: &[Option<u64>], percent: usize) -> Option<u64> {
    delays[(delays.len() * percent).div_ceil(100) - 1]
}

fn learnt(accuracy: f64, labels: usize) -> impl Fn(u64) -> Stream {
    let rules = DropRules {
        baseline_labels: labels,
        ..RULES
    };
    move |number| {
        let mut stream = Stream::learning(number, rules);
        stream.learn(accuracy);
        stream
    }
}

fn said(accuracy: f64) -> impl Fn(u64) -> Stream {
    let rules = DropRules {
        baseline: Some(accuracy),
        ..RULES
    };
    move |number| Stream::learning(number, rules)
}

#[test]
fn labels_that_stay_as_they_were_raise_hardly_an_alarm() {
    // ten per million would be 7 or 8 of these 750,000 labels
    let rules = DropRules {
        baseline_labels: 500,
        ..RULES
    };
    let found = [0.97, 0.9, 0.7].map(|accuracy| false_alarms(accuracy, 50, 5_000, rules).0);
    assert!(found.iter().sum::<usize>() <= 1, "{found:?}");
}

#[test]
fn at_the_bound_itself_the_mean_time_to_an_alarm_is_at_least_the_promised_one() {
    // one per 2,000 labels, so that there is something to count
    let rules = DropRules {
        false_alarms_per_million: 500.0,
        min_drop: 0.0,
        baseline: Some(0.9),
        ..RULES
    };
    let times = (0..300).map(|number| {
        let mut stream = Stream::learning(number, rules);
        let found = stream.until_change(0.9, 100_000);
        found.map_or(100_000, |(label, _)| label)
    });
    let mean = times.sum::<u64>() / 300;
    assert!((2_000..6_000).contains(&mean), "{mean} labels");
}

#[test]
fn a_drop_is_found_after_as_many_labels_as_the_page_says() {
    let cases = [(0.97, 0.1), (0.9, 0.1), (0.9, 0.2), (0.7, 0.2)];
    let medians = cases.map(|(accuracy, drop)| {
        let found = delays(&learnt(accuracy, 1_000), accuracy - drop, 50, 20_000);
        quantile(&found, 50)
    });
    // no logarithm decides, so that it is the same on every machine
    assert_eq!(medians, [118, 286, 73, 135].map(Some));
}

#[test]
fn a_drop_within_the_least_one_that_counts_is_not_told() {
    let found = delays(&said(0.9), 0.885, 30, 10_000);
    assert!(found.iter().all(Option::is_none), "{found:?}");
}

#[test]
fn a_drop_ends_when_as_many_are_right_as_before_and_begins_anew() {
    let mut stream = said(0.9)(7);
    assert_eq!(stream.until_change(0.9, 2_000), None);
    let Some((_, Change::Dropped(episode))) = stream.until_change(0.7, 1_000) else {
        panic!("it was not found");
    };
    assert!((1_850..2_050).contains(&episode.since), "{episode:?}");
    assert!((0.55..0.8).contains(&episode.accuracy), "{episode:?}");
    assert_eq!(stream.watch.current(), Some(&episode));
    assert_eq!(stream.until_change(0.7, 20_000), None, "it goes on");
    let Some((labels, Change::Recovered(ended))) = stream.until_change(0.9, 2_000) else {
        panic!("it does not end");
    };
    assert!(labels > 250 && ended == episode, "{labels}");
    assert_eq!(stream.until_change(0.9, 2_000), None);
    let again = stream.until_change(0.7, 1_000);
    assert!(matches!(again, Some((_, Change::Dropped(_)))));
}

#[test]
#[ignore = "takes minutes: it prints the table of docs/accuracy.md"]
fn the_false_alarms_of_the_page() {
    for per_million in [1.0, 10.0] {
        let rules = DropRules {
            false_alarms_per_million: per_million,
            ..RULES
        };
        for (accuracy, labels) in [0.97, 0.9, 0.7].map(|a| [(a, 500), (a, 1_000)]).concat() {
            let rules = DropRules {
                baseline_labels: labels,
                ..rules
            };
            let (alarms, streams) = false_alarms(accuracy, 1_000, 100_000, rules);
            println!(
                "accepted {per_million} per million, baseline of {labels} at {accuracy}: \
                 {alarms} in 100 million labels, in {streams} of 1,000 streams"
            );
        }
    }
}

#[test]
#[ignore = "takes minutes: it prints the table of docs/accuracy.md"]
fn the_delays_of_the_page() {
    for accuracy in [0.97, 0.9, 0.7] {
        for labels in [500, 1_000, 5_000, 0] {
            let start: Box<dyn Fn(u64) -> Stream> = match labels {
                0 => Box::new(said(accuracy)),
                labels => Box::new(learnt(accuracy, labels)),
            };
            for drop in [0.02, 0.05, 0.1, 0.2] {
                let found = delays(&*start, accuracy - drop, 200, 20_000);
                let missed = found.iter().filter(|delay| delay.is_none()).count();
                let [median, most] = [50, 90].map(|percent| quantile(&found, percent));
                println!(
                    "accuracy {accuracy}, baseline of {labels}, less {drop}: median {median:?}, \
                     90 % {most:?}, not within 20,000: {missed} of 200"
                );
            }
        }
    }
}
