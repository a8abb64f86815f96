//! The values of one series, gathered for a baseline.

use super::profile::{Profile, Value};

/// Rows that are kept of a column, in their order; of a longer one a sample of all besides.
const KEPT: usize = 100_000;

/// One series.
#[derive(Debug, Clone)]
pub struct Gathered {
    values: Values,
    rows: usize,
    /// Chooses which rows stay.
    random: fastrand::Rng,
    /// Where the sample differs from the first rows.
    sample: Option<Values>,
}

#[derive(Debug, Clone)]
enum Values {
    /// `NaN` is missing.
    Numbers(Vec<f64>),
    Words(Vec<Option<Box<str>>>),
}

impl Gathered {
    /// `is_categorical`: numbers in it are words.
    pub fn new(is_categorical: bool) -> Self {
        let values = if is_categorical {
            Values::Words(Vec::new())
        } else {
            Values::Numbers(Vec::new())
        };
        Self {
            values,
            rows: 0,
            random: fastrand::Rng::with_seed(1),
            sample: None,
        }
    }

    /// Adds the value of the next row.
    pub fn push(&mut self, cell: Value<'_>) {
        self.rows += 1;
        if matches!(cell, Value::Word(_)) {
            self.values.be_words();
            if let Some(sample) = &mut self.sample {
                sample.be_words();
            }
        }
        if self.rows <= KEPT {
            self.values.push(cell);
            return;
        }
        let place = self.random.usize(..self.rows);
        if place < KEPT {
            let sample = self.sample.get_or_insert_with(|| self.values.clone());
            sample.set(place, cell);
        }
    }

    /// Rows so far.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that this series was not in.
    pub fn fill(&mut self, rows: usize) {
        while self.rows < rows {
            self.push(Value::Missing);
        }
    }

    /// What it says as a baseline; `None`: all is missing. `is_ordered`: rows are in the order in which they
    /// came.
    pub fn profile(&self, is_ordered: bool) -> Option<Profile> {
        let first = self.values.profile(is_ordered)?;
        let Some(sample) = &self.sample else {
            return Some(first);
        };
        let mut profile = sample.profile(false)?;
        profile.tau = first.tau;
        profile.longest_run = first.longest_run;
        Some(profile)
    }
}

impl Values {
    fn be_words(&mut self) {
        if let Self::Numbers(numbers) = self {
            let word = |number: &f64| (!number.is_nan()).then(|| number.to_string().into());
            *self = Self::Words(numbers.iter().map(word).collect());
        }
    }

    fn push(&mut self, cell: Value<'_>) {
        match self {
            Self::Numbers(numbers) => numbers.push(number(cell)),
            Self::Words(words) => words.push(word(cell)),
        }
    }

    fn set(&mut self, place: usize, cell: Value<'_>) {
        match self {
            Self::Numbers(numbers) => numbers[place] = number(cell),
            Self::Words(words) => words[place] = word(cell),
        }
    }

    fn profile(&self, is_ordered: bool) -> Option<Profile> {
        match self {
            Self::Numbers(numbers) => Profile::of_numbers(numbers, is_ordered),
            Self::Words(words) => {
                let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
                Some(Profile::of_words(&words, is_ordered))
            }
        }
    }
}

fn number(cell: Value<'_>) -> f64 {
    match cell {
        Value::Number(number) => number,
        Value::Missing | Value::Word(_) => f64::NAN,
    }
}

fn word(cell: Value<'_>) -> Option<Box<str>> {
    match cell {
        Value::Missing => None,
        Value::Number(number) => Some(number.to_string().into()),
        Value::Word(word) => Some(word.into()),
    }
}
