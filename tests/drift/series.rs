//! Series of every kind, and what passes through them: the same in every run.

use std::sync::Arc;

use jiff::Timestamp;
use sidelight::drift::{
    Baseline, Gathered, Origin, Profile, SeriesName, Value,
    monitor::{Monitor, Rules},
};

/// Values of a baseline.
const BASELINE: usize = 5000;
/// Classes that a series knows at most.
pub(crate) const CLASSES: usize = 100;

pub(crate) const RULES: Rules = Rules {
    threshold: 30.0,
    min_effect: 0.0,
    max_series: 100,
};

/// Different shares that look random.
pub(crate) fn share(place: usize) -> f64 {
    let place = u32::try_from(place).expect("there are not so many");
    (f64::from(place) * 0.618_033_988_75).fract()
}

/// In which of so many parts a share is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a few"
)]
pub(crate) fn part(share: f64, parts: usize) -> usize {
    (share * parts as f64) as usize
}

/// The names of all classes.
pub(crate) fn names() -> Vec<String> {
    (0..CLASSES)
        .map(|class| format!("class {class:03}"))
        .collect()
}

/// Numbers, in the order in which they came or in none.
pub(crate) fn numbers(is_ordered: bool) -> Profile {
    let values: Vec<f64> = (0..BASELINE).map(|place| 100.0 * share(place)).collect();
    Profile::of_numbers(&values, is_ordered).expect("they are numbers")
}

/// Numbers of which each of 20 has a bin of its own: more bins there are not.
pub(crate) fn few_numbers() -> Profile {
    let values: Vec<f64> = (0..BASELINE)
        .map(|place| (20.0 * share(place)).floor())
        .collect();
    Profile::of_numbers(&values, false).expect("they are numbers")
}

/// As many classes as a series knows.
pub(crate) fn classes(is_ordered: bool) -> Profile {
    let names = names();
    let mut gathered = Gathered::new(true);
    for place in 0..BASELINE {
        gathered.push(Value::Word(&names[part(share(place), CLASSES)]));
    }
    gathered.profile(is_ordered).expect("they are classes")
}

/// A feature of a name that is neither short nor long.
pub(crate) fn feature(place: usize) -> SeriesName {
    SeriesName::Feature(format!("feature_{place:02}"))
}

pub(crate) fn baseline(profiles: Vec<(SeriesName, Profile)>) -> Baseline {
    let origin = Origin::Posted;
    Baseline::new(None, profiles, origin, Timestamp::UNIX_EPOCH).expect("it has series")
}

/// Watches these series by the default rules.
pub(crate) fn monitor(profiles: Vec<(SeriesName, Profile)>) -> Monitor {
    Monitor::new(Arc::new(baseline(profiles)), RULES, 0.0)
}
