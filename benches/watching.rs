//! What the drift detector costs in instructions, for `tests/e2e/watching.py` to count.
//!
//! Prints the name of each case, and of how many predictions it is, after `counted` has run it once.

#[path = "../tests/drift/series.rs"]
mod series;

use std::{hint::black_box, sync::Arc};

use jiff::Timestamp;
use series::{CLASSES, share};
use sidelight::drift::{
    Baseline, CheckInput, Gathered, Profile, SeriesName, Value, check, monitor::Monitor,
};

/// That of the program, whose steps are counted with the rest.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Predictions that fill the longest window, and then move it on four times, so that every level of windows
/// and the segments of dependence have their share of them.
const PREDICTIONS: usize = 32_768;

/// What callgrind counts: its name is known there.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    black_box(work)();
}

/// Of what a series is.
#[derive(Clone, Copy)]
enum Kind {
    Numbers,
    /// Twenty different ones.
    FewNumbers,
    Classes,
    /// Classes that are called by their numbers.
    Indices,
}

impl Kind {
    fn profile(self) -> Profile {
        match self {
            Self::Numbers => series::numbers(false),
            Self::FewNumbers => series::few_numbers(),
            Self::Classes => series::classes(false),
            Self::Indices => {
                let mut gathered = Gathered::new(true);
                (0..5000).for_each(|place| gathered.push(self.value(share(place), &[])));
                gathered.profile(false).expect("they are classes")
            }
        }
    }

    /// The value at this share of the baseline's.
    fn value(self, share: f64, names: &[String]) -> Value<'_> {
        let part = series::part(share, CLASSES);
        match self {
            Self::Numbers => Value::Number(100.0 * share),
            Self::FewNumbers => Value::Number((20.0 * share).floor()),
            Self::Classes => Value::Word(&names[part]),
            Self::Indices => Value::Number((100.0 * share).floor()),
        }
    }
}

/// What passes.
#[derive(Clone, Copy, PartialEq)]
enum Traffic {
    /// As the baseline has it.
    AsEver,
    /// Of three quarters of the baseline alone: an alarm that goes on.
    Drifting,
}

/// One series of a model of ten.
fn watching(title: &str, name: SeriesName, kind: Kind, traffic: Traffic) {
    let others = (1..10).map(|place| (series::feature(place), series::numbers(true)));
    let own = (name, kind.profile());
    let mut monitor = series::monitor([own].into_iter().chain(others).collect());
    let names = series::names();
    let value = |place: usize| match traffic {
        Traffic::AsEver => kind.value(share(place), &names),
        Traffic::Drifting => kind.value(0.75 * share(place), &names),
    };
    let values: Vec<Value<'_>> = (0..PREDICTIONS).map(value).collect();
    let pass = |monitor: &mut Monitor| {
        for value in &values {
            black_box(monitor.push(0, *value, Some(1e9)));
        }
    };
    pass(&mut monitor);
    counted(&mut || pass(&mut monitor));
    let is_drifting = monitor.watched()[0].since().is_some();
    assert_eq!(is_drifting, traffic == Traffic::Drifting, "{title}");
    println!("{PREDICTIONS}\t{title}");
}

/// The test of 1,000 recent values against 5,000, on request.
fn two_sample() {
    let baseline = Baseline::of_confidences((0..5000).map(share), 5000, Timestamp::UNIX_EPOCH);
    let input = CheckInput {
        in_use: None,
        model: "iris".to_owned(),
        version: "1.0.0".to_owned(),
        baseline: Some(Arc::new(baseline.expect("they are finite"))),
        recent: (0..1000).map(|place| 0.95 * share(place)).collect(),
        window: 1000,
        threshold: 0.05,
        scan: None,
    };
    counted(&mut || {
        black_box(check(black_box(&input), Timestamp::UNIX_EPOCH));
    });
    println!("1\tks");
}

fn main() {
    use Kind::{Classes, FewNumbers, Indices, Numbers};
    use Traffic::{AsEver, Drifting};

    let feature = || series::feature(0);
    watching("numeric", feature(), Numbers, AsEver);
    watching("numeric, drifting", feature(), Numbers, Drifting);
    watching("numeric, few numbers", feature(), FewNumbers, AsEver);
    watching("categorical", feature(), Classes, AsEver);
    watching("categorical, drifting", feature(), Classes, Drifting);
    watching("class", SeriesName::Class, Classes, AsEver);
    watching("class by its index", SeriesName::Class, Indices, AsEver);
    two_sample();
}
