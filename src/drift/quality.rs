//! What is wrong with the values of a feature, beside how they are distributed.

use serde::{Deserialize, Serialize};

use super::profile::{Bins, Profile, Value};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Not there, `null` or no number.
    Missing,
    /// Below the least or above the largest number of the baseline.
    OutOfRange,
    /// A class that the baseline does not know.
    Unseen,
    /// A word among numbers.
    TypeChanged,
    /// The same value for longer than the baseline ever was.
    Constant,
}

impl Problem {
    /// All of them; their place is their number.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::OutOfRange,
        Self::Unseen,
        Self::TypeChanged,
        Self::Constant,
    ];

    /// As a label and in a log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OutOfRange => "out_of_range",
            Self::Unseen => "unseen",
            Self::TypeChanged => "type_changed",
            Self::Constant => "constant",
        }
    }
}

/// A problem that begins or ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Which.
    pub problem: Problem,
    /// `false`: it has ended.
    pub has_begun: bool,
    /// Values with it, of `of`.
    pub count: u32,
    /// The last values, at most 1,000.
    pub of: u32,
}

/// Values after which counts begin anew. A problem ends with a round without too many of it.
const ROUND: u32 = 1000;
/// Standard deviations above what chance gives in a round that are too many.
const FAR: f64 = 6.0;
/// Fewest equal values in a row that are called constant: clients repeat themselves.
const SHORTEST_RUN: f64 = 100.0;
/// Chance of a run of independent values that is called constant.
const RUN_BY_CHANCE: f64 = 1e-9;

/// Counts of problems, and which of them go on.
#[derive(Debug, Clone)]
pub struct Quality {
    /// Since the start, by [`Problem::ALL`].
    counts: [u64; Problem::ALL.len()],
    /// In this round.
    recent: [u32; Problem::ALL.len()],
    round: u32,
    /// What chance may give in a round.
    limits: [u32; Problem::ALL.len()],
    goes_on: [bool; Problem::ALL.len()],
    last: Last,
    run: u32,
    longest_run: u32,
}

/// What outlives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityState {
    counts: [u64; Problem::ALL.len()],
    goes_on: [bool; Problem::ALL.len()],
}

/// What the last value was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Number(u64),
    Class(usize),
}

impl Quality {
    /// Of a feature that looks so.
    pub fn new(profile: &Profile) -> Self {
        let reference = &profile.reference;
        let bins = reference.bins();
        let unseen = match &profile.bins {
            Bins::Numbers(_) => 0,
            Bins::Classes(classes) => reference.count(classes.names().len()),
        };
        let missing = bins.last().copied().unwrap_or(0);
        let total = reference.total();
        // that there was none is no surprise as long as there are few; one of another type always is
        let by_chance = |count: u32| {
            let mean = f64::from(ROUND) * (f64::from(count) + 3.0) / f64::from(total.max(1));
            ceil(mean + FAR * (mean.sqrt() + 1.0))
        };
        let limit = |problem: &Problem| match problem {
            Problem::Missing if missing == 0 => 0,
            Problem::Missing => by_chance(missing),
            Problem::OutOfRange => by_chance(0),
            Problem::Unseen => by_chance(unseen),
            Problem::TypeChanged | Problem::Constant => 0,
        };
        Self {
            counts: [0; Problem::ALL.len()],
            recent: [0; Problem::ALL.len()],
            round: 0,
            limits: std::array::from_fn(|place| limit(&Problem::ALL[place])),
            goes_on: [false; Problem::ALL.len()],
            last: Last::Nothing,
            run: 0,
            longest_run: longest_run(profile),
        }
    }

    /// Looks at a value, which is in `bin`; tells of all problems that begin or end with it. What tells of
    /// none takes no memory.
    pub fn push(&mut self, bins: &Bins, value: Value<'_>, bin: usize) -> Vec<Finding> {
        let mut found = problem(bins, value, bin);
        if found.is_none() && self.is_constant(value, bin) {
            found = Some(Problem::Constant);
        }
        self.round += 1;
        let begun = found.and_then(|problem| self.count(problem));
        let mut findings = begun.map_or_else(Vec::new, |finding| vec![finding]);
        if self.round >= ROUND {
            self.end_round(&mut findings);
        }
        findings
    }

    fn is_constant(&mut self, value: Value<'_>, bin: usize) -> bool {
        let now = match value {
            Value::Number(number) => Last::Number(number.to_bits()),
            _ => Last::Class(bin),
        };
        self.run = if now == self.last {
            self.run.saturating_add(1)
        } else {
            1
        };
        self.last = now;
        self.run > self.longest_run
    }

    fn count(&mut self, problem: Problem) -> Option<Finding> {
        let place = problem as usize;
        self.counts[place] += 1;
        self.recent[place] += 1;
        let is_new = self.recent[place] > self.limits[place] && !self.goes_on[place];
        is_new.then(|| {
            self.goes_on[place] = true;
            self.finding(problem, true)
        })
    }

    fn end_round(&mut self, findings: &mut Vec<Finding>) {
        for problem in Problem::ALL {
            let place = problem as usize;
            if self.goes_on[place] && self.recent[place] <= self.limits[place] {
                self.goes_on[place] = false;
                findings.push(self.finding(problem, false));
            }
        }
        self.recent = [0; Problem::ALL.len()];
        self.round = 0;
    }

    fn finding(&self, problem: Problem, has_begun: bool) -> Finding {
        Finding {
            problem,
            has_begun,
            count: self.recent[problem as usize],
            of: self.round,
        }
    }

    /// Values with a problem since the start.
    pub const fn total(&self, problem: Problem) -> u64 {
        self.counts[problem as usize]
    }

    /// What goes on, and the counts since the start.
    pub fn state(&self) -> QualityState {
        QualityState {
            counts: self.counts,
            goes_on: self.goes_on,
        }
    }

    /// Goes on from there; the round begins anew.
    pub(super) fn restore(&mut self, state: &QualityState) {
        (self.counts, self.goes_on) = (state.counts, state.goes_on);
    }

    /// What goes on.
    pub fn current(&self) -> impl Iterator<Item = Problem> {
        Problem::ALL
            .into_iter()
            .filter(|problem| self.goes_on[*problem as usize])
    }
}

/// What is wrong with one value that is in `bin`.
fn problem(bins: &Bins, value: Value<'_>, bin: usize) -> Option<Problem> {
    match (bins, value) {
        (_, Value::Missing) => Some(Problem::Missing),
        (Bins::Numbers(_), Value::Word(_)) => Some(Problem::TypeChanged),
        (Bins::Numbers(edges), Value::Number(_)) => {
            let is_out = bin == 0 || bin == edges.edges().len();
            is_out.then_some(Problem::OutOfRange)
        }
        (Bins::Classes(classes), _) => (bin == classes.names().len()).then_some(Problem::Unseen),
    }
}

/// The longest run of one value that is not called constant.
fn longest_run(profile: &Profile) -> u32 {
    let reference = &profile.reference;
    let total = f64::from(reference.total().max(1));
    let most = reference.bins().iter().copied().max().unwrap_or(0);
    // a bin of numbers may hold many values, then a run is less likely still
    let share = f64::from(most) / total;
    if share >= 1.0 {
        return u32::MAX;
    }
    let by_chance = RUN_BY_CHANCE.ln() / share.ln();
    let seen = profile.longest_run.map_or(0.0, |run| 2.0 * f64::from(run));
    ceil(by_chance.max(seen).max(SHORTEST_RUN))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates"
)]
fn ceil(number: f64) -> u32 {
    number.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::real;

    fn numbers() -> Profile {
        let values: Vec<f64> = (0..1000).map(|i| real(i % 500)).collect();
        Profile::of_numbers(&values, true).unwrap()
    }

    /// Every finding, with the place of the value that brought it.
    fn findings(profile: &Profile, values: &[Value<'_>]) -> Vec<(usize, Problem, bool)> {
        let mut quality = Quality::new(profile);
        let mut found = Vec::new();
        for (place, value) in values.iter().enumerate() {
            let bin = profile.bins.bin(*value);
            for finding in quality.push(&profile.bins, *value, bin) {
                found.push((place, finding.problem, finding.has_begun));
            }
        }
        found
    }

    fn stream<'a>(count: usize, value: impl Fn(usize) -> Value<'a>) -> Vec<Value<'a>> {
        (0..count).map(value).collect()
    }

    #[test]
    fn a_missing_value_where_there_was_none_is_told_once() {
        let values = stream(5000, |i| match i {
            1500..2500 if i % 3 == 0 => Value::Missing,
            _ => Value::Number(real(i % 500)),
        });
        let expected = [
            (1500, Problem::Missing, true),
            (3999, Problem::Missing, false),
        ];
        assert_eq!(findings(&numbers(), &values), expected);
    }

    #[test]
    fn what_begins_and_all_that_ends_with_one_value_is_told() {
        let values = stream(3000, |i| match i {
            // the later ones end a round
            10 | 2999 => Value::Missing,
            20 | 1999 => Value::Word("n/a"),
            _ => Value::Number(real(i % 500)),
        });
        let expected = [
            (10, Problem::Missing, true),
            (20, Problem::TypeChanged, true),
            (1999, Problem::Missing, false),
            (2999, Problem::Missing, true),
            (2999, Problem::TypeChanged, false),
        ];
        assert_eq!(findings(&numbers(), &values), expected);
        let values = stream(2000, |i| match i {
            10 => Value::Missing,
            20 => Value::Word("n/a"),
            _ => Value::Number(real(i % 500)),
        });
        let found = findings(&numbers(), &values);
        let expected = [
            (1999, Problem::Missing, false),
            (1999, Problem::TypeChanged, false),
        ];
        assert_eq!(found[2..], expected);
    }

    #[test]
    fn a_few_numbers_out_of_range_are_chance() {
        let values = stream(10_000, |i| match i {
            _ if i % 200 == 0 => Value::Number(501.0),
            5000..6000 if i % 10 == 0 => Value::Number(-1.0),
            _ => Value::Number(real(i % 500)),
        });
        let found = findings(&numbers(), &values);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            matches!(found[0], (5000..6000, Problem::OutOfRange, true)),
            "{found:?}"
        );
        assert!(!found[1].2);
    }

    #[test]
    fn a_word_among_numbers_and_a_stuck_value_are_told() {
        let values = stream(400, |i| match i {
            10 => Value::Word("n/a"),
            200.. => Value::Number(7.0),
            _ => Value::Number(real(i)),
        });
        let expected = [
            (10, Problem::TypeChanged, true),
            (300, Problem::Constant, true),
        ];
        assert_eq!(findings(&numbers(), &values), expected);
    }

    #[test]
    fn what_was_always_the_same_may_stay_so_and_new_classes_are_told() {
        let constant = Profile::of_numbers(&[1.0; 100], true).unwrap();
        assert_eq!(
            findings(&constant, &stream(5000, |_| Value::Number(1.0))),
            []
        );
        let words = Profile::of_test_words((0..300).map(|i| ["a", "b", "c"][i % 3]));
        let values = stream(200, |i| Value::Word(["a", "b", "new"][i % 3]));
        let found = findings(&words, &values);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].1, found[0].2), (Problem::Unseen, true));
    }
}
