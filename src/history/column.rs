//! The values of one column, gathered for a baseline.

use super::table::Cell;
use crate::drift::series::Baseline;

/// Rows that are kept of a column, in their order; of a longer one a sample of all besides.
pub(super) const KEPT: usize = 100_000;

/// One column.
pub(super) struct Column {
    pub(super) name: String,
    values: Values,
    rows: usize,
    /// Chooses which rows stay.
    random: fastrand::Rng,
    /// Where the sample differs from the first rows.
    sample: Option<Values>,
}

#[derive(Clone)]
enum Values {
    /// `NaN` is missing.
    Numbers(Vec<f64>),
    Words(Vec<Option<Box<str>>>),
}

impl Column {
    /// `is_categorical`: numbers in it are words.
    pub(super) fn new(name: String, is_categorical: bool) -> Self {
        let values = if is_categorical {
            Values::Words(Vec::new())
        } else {
            Values::Numbers(Vec::new())
        };
        Self {
            name,
            values,
            rows: 0,
            random: fastrand::Rng::with_seed(1),
            sample: None,
        }
    }

    /// Adds the value of the next row.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        self.rows += 1;
        if matches!(cell, Cell::Word(_)) {
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

    /// Rows that this column was not in.
    pub(super) fn fill(&mut self, rows: usize) {
        while self.rows < rows {
            self.push(Cell::Missing);
        }
    }

    /// What it says as a baseline; `None`: all is missing. `is_ordered`: rows are in the order in which they
    /// came.
    pub(super) fn baseline(&self, is_ordered: bool) -> Option<Baseline> {
        let first = self.values.baseline(is_ordered)?;
        let Some(sample) = &self.sample else {
            return Some(first);
        };
        let mut baseline = sample.baseline(false)?;
        baseline.tau = first.tau;
        Some(baseline)
    }
}

impl Values {
    fn be_words(&mut self) {
        if let Self::Numbers(numbers) = self {
            let word = |number: &f64| (!number.is_nan()).then(|| number.to_string().into());
            *self = Self::Words(numbers.iter().map(word).collect());
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match self {
            Self::Numbers(numbers) => numbers.push(number(cell)),
            Self::Words(words) => words.push(word(cell)),
        }
    }

    fn set(&mut self, place: usize, cell: Cell<'_>) {
        match self {
            Self::Numbers(numbers) => numbers[place] = number(cell),
            Self::Words(words) => words[place] = word(cell),
        }
    }

    fn baseline(&self, is_ordered: bool) -> Option<Baseline> {
        match self {
            Self::Numbers(numbers) => Baseline::of_numbers(numbers, is_ordered),
            Self::Words(words) => {
                let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
                Some(Baseline::of_words(&words, is_ordered))
            }
        }
    }
}

fn number(cell: Cell<'_>) -> f64 {
    match cell {
        Cell::Number(number) => number,
        Cell::Missing | Cell::Word(_) => f64::NAN,
    }
}

fn word(cell: Cell<'_>) -> Option<Box<str>> {
    match cell {
        Cell::Missing => None,
        Cell::Number(number) => Some(number.to_string().into()),
        Cell::Word(word) => Some(word.into()),
    }
}
