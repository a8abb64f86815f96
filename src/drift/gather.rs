//! The values of one series, gathered for a baseline.
//!
//! However many rows there are: all series of a baseline together hold at most [`VALUES`] values in
//! their reservoirs and a third as many in their order, that is 107 MB of numbers or 27 MB of words
//! with at most 60 MB for the words themselves.

use super::{
    profile::{Profile, Value},
    sample::Sample,
    words::{self, Bounds, Words},
};

/// Rows of a series that are kept; of a longer one a sample of all.
const KEPT: usize = 100_000;
/// First rows of a longer one that are kept in their order besides: enough for 256 batches of 128.
const ORDERED: usize = 32_768;
/// Values that all series together keep.
const VALUES: usize = 10_000_000;
/// Different words of one series, and of all together.
const WORDS: (usize, usize) = (4096, 409_600);
/// Bytes of the words of one series, and of all together.
const BYTES: (usize, usize) = (256 << 10, 25 << 20);

/// Values that a two-sample test takes: it is exact up to so many.
const SAMPLE: usize = 10_000;

/// One series.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// All rows in their order, or a sample of them in none.
    kept: Rows,
    /// The first rows in their order, where `kept` is a sample.
    first: Option<Rows>,
    words: Words,
    rows: usize,
    missing: usize,
    room: Room,
    /// Chooses which rows stay.
    random: fastrand::Rng,
}

#[derive(Debug, Clone)]
enum Rows {
    /// `NaN` is missing.
    Numbers(Vec<f64>),
    Words(Vec<u16>),
}

/// How much of each series is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    values: usize,
    words: Bounds,
}

impl Room {
    /// Of each of so many series.
    fn of(series: usize) -> Self {
        let series = series.max(1);
        Self {
            values: KEPT.min(VALUES / series),
            words: Bounds {
                words: WORDS.0.min(WORDS.1 / series),
                bytes: BYTES.0.min(BYTES.1 / series),
            },
        }
    }
}

impl Gathered {
    /// Series that a baseline may be gathered of at once.
    pub const MOST: usize = 2000;

    /// `is_categorical`: numbers in it are words.
    pub fn new(is_categorical: bool) -> Self {
        let room = Room::of(1);
        Self {
            kept: if is_categorical {
                Rows::Words(Vec::new())
            } else {
                Rows::Numbers(Vec::new())
            },
            first: None,
            words: Words::new(room.words),
            rows: 0,
            missing: 0,
            room,
            random: fastrand::Rng::with_seed(1),
        }
    }

    /// Makes room for so many series like this one.
    pub fn share_with(&mut self, series: usize) {
        self.room = Room::of(series.min(Self::MOST));
        self.words.bound(self.room.words);
        if self.kept.len() > self.room.values {
            self.keep_first();
            self.kept.thin(self.room.values, &mut self.random);
        }
        if let Some(first) = &mut self.first {
            first.cut(ORDERED.min(self.room.values));
        }
    }

    /// Adds the value of the next row.
    pub fn push(&mut self, cell: Value<'_>) {
        self.rows += 1;
        self.missing += usize::from(cell == Value::Missing);
        if let (Value::Word(_), Rows::Numbers(_)) = (cell, &self.kept) {
            self.be_words();
        }
        if self.rows <= self.room.values && self.first.is_none() {
            let value = self.value(cell);
            self.kept.push(value, self.room.values);
            return;
        }
        let place = self.random.usize(..self.rows);
        if place < self.kept.len() {
            self.keep_first();
            let value = self.value(cell);
            self.kept.set(place, value);
        }
    }

    /// Rows that this series was not in.
    pub fn fill(&mut self, rows: usize) {
        while self.rows < rows {
            self.push(Value::Missing);
        }
    }

    /// Rows that were added.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many of them had no value.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// What it says as a baseline; `None`: all is missing. `is_ordered`: rows are in the order in which they
    /// came.
    pub fn profile(&self, is_ordered: bool) -> Option<Profile> {
        let Some(first) = &self.first else {
            return self.profile_of(&self.kept, is_ordered);
        };
        let mut profile = self.profile_of(&self.kept, false)?;
        if let Some(first) = self.profile_of(first, is_ordered).filter(|_| is_ordered) {
            profile.tau = first.tau;
            profile.longest_run = first.longest_run;
        }
        Some(profile)
    }

    /// Its numbers for a two-sample test, at most 10,000 of them; `None`: there are none, or words.
    /// Infinite ones are missing.
    pub fn sample(&self) -> Option<Sample> {
        let Rows::Numbers(numbers) = &self.kept else {
            return None;
        };
        let count = numbers.len().min(SAMPLE);
        let places = (0..count).map(|place| numbers[place * numbers.len() / count]);
        let finite = places.map(|number| if number.is_finite() { number } else { f64::NAN });
        Sample::new(finite, count).ok()
    }

    fn profile_of(&self, rows: &Rows, is_ordered: bool) -> Option<Profile> {
        match rows {
            Rows::Numbers(numbers) => Profile::of_numbers(numbers, is_ordered),
            Rows::Words(_) if self.missing == self.rows => None,
            Rows::Words(words) => Some(self.words.profile(words, is_ordered)),
        }
    }

    /// Remembers the first rows before they become a sample.
    fn keep_first(&mut self) {
        if self.first.is_none() {
            self.first = Some(self.kept.head(ORDERED.min(self.room.values)));
        }
    }

    fn be_words(&mut self) {
        let mut first = Vec::new();
        if let Some(Rows::Numbers(numbers)) = &self.first {
            first = in_words(&mut self.words, numbers, &mut []);
        }
        if let Rows::Numbers(numbers) = &self.kept {
            self.kept = Rows::Words(in_words(&mut self.words, numbers, &mut first));
        }
        if self.first.is_some() {
            self.first = Some(Rows::Words(first));
        }
    }

    /// What stands for a value in the rows.
    fn value(&mut self, cell: Value<'_>) -> Kept {
        let Rows::Words(kept) = &mut self.kept else {
            return Kept::Number(match cell {
                Value::Number(number) => number,
                Value::Missing | Value::Word(_) => f64::NAN,
            });
        };
        let mut number = |word: &str| match &mut self.first {
            Some(Rows::Words(first)) => self.words.number(word, &mut [kept, first]),
            _ => self.words.number(word, &mut [kept]),
        };
        Kept::Word(match cell {
            Value::Missing => words::MISSING,
            Value::Number(value) => number(&value.to_string()),
            Value::Word(word) => number(word),
        })
    }
}

/// Numbers as words; `others` are known by the same words.
fn in_words(words: &mut Words, numbers: &[f64], others: &mut [u16]) -> Vec<u16> {
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let value = if number.is_nan() {
            words::MISSING
        } else {
            words.number(&number.to_string(), &mut [&mut found, others])
        };
        found.push(value);
    }
    found
}

/// One value as it is kept.
#[derive(Clone, Copy)]
enum Kept {
    Number(f64),
    Word(u16),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Words(words) => words.len(),
        }
    }

    fn push(&mut self, value: Kept, most: usize) {
        match (self, value) {
            (Self::Numbers(numbers), Kept::Number(number)) => push(numbers, number, most),
            (Self::Words(words), Kept::Word(word)) => push(words, word, most),
            _ => {}
        }
    }

    fn set(&mut self, place: usize, value: Kept) {
        match (self, value) {
            (Self::Numbers(numbers), Kept::Number(number)) => numbers[place] = number,
            (Self::Words(words), Kept::Word(word)) => words[place] = word,
            _ => {}
        }
    }

    /// A copy of the first `count`.
    fn head(&self, count: usize) -> Self {
        let count = count.min(self.len());
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers[..count].to_vec()),
            Self::Words(words) => Self::Words(words[..count].to_vec()),
        }
    }

    /// The first `count` alone, in no more room than they need.
    fn cut(&mut self, count: usize) {
        match self {
            Self::Numbers(numbers) => {
                numbers.truncate(count);
                numbers.shrink_to_fit();
            }
            Self::Words(words) => {
                words.truncate(count);
                words.shrink_to_fit();
            }
        }
    }

    /// Any `count`.
    fn thin(&mut self, count: usize, random: &mut fastrand::Rng) {
        for place in 0..count {
            let other = random.usize(place..self.len());
            match self {
                Self::Numbers(numbers) => numbers.swap(place, other),
                Self::Words(words) => words.swap(place, other),
            }
        }
        self.cut(count);
    }
}

/// Grows to `most` at last and never beyond: twice as much would be had for nothing.
fn push<T>(rows: &mut Vec<T>, value: T, most: usize) {
    if rows.len() == rows.capacity() && 2 * rows.len() > most {
        rows.reserve_exact(most.saturating_sub(rows.len()));
    }
    rows.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::profile::Bins;

    /// Bytes of rows that are held.
    fn held(gathered: &Gathered) -> usize {
        let of = |rows: &Rows| match rows {
            Rows::Numbers(numbers) => 8 * numbers.capacity(),
            Rows::Words(words) => 2 * words.capacity(),
        };
        of(&gathered.kept) + gathered.first.as_ref().map_or(0, of)
    }

    #[test]
    fn of_a_long_series_a_sample_of_all_is_kept_and_its_beginning_in_order() {
        let mut numbers = Gathered::new(false);
        let mut words = Gathered::new(true);
        for i in 0..4 * KEPT {
            // rises all the way, in runs of 64
            let value = Value::Number(f64::from(u32::try_from(i / 64).unwrap()));
            numbers.push(value);
            words.push(value);
        }
        assert!(held(&numbers) <= 8 * (KEPT + ORDERED), "{}", held(&numbers));
        assert!(held(&words) <= 2 * (KEPT + ORDERED), "{}", held(&words));
        let profile = numbers.profile(true).unwrap();
        assert_eq!(profile.reference.total() as usize, KEPT);
        assert_eq!((numbers.rows(), numbers.missing()), (4 * KEPT, 0));
        let Bins::Numbers(edges) = &profile.bins else {
            panic!("{profile:?}");
        };
        let middle = edges.edges()[10];
        assert!((middle - 3125.0).abs() < 125.0, "{middle}");
        assert_eq!(profile.longest_run, Some(64));
        assert!(profile.tau.unwrap() > 30.0, "{:?}", profile.tau);
        assert_eq!(numbers.profile(false).unwrap().tau, None);
        let sample = numbers.sample().unwrap();
        assert_eq!(sample.values().len(), SAMPLE);
    }

    #[test]
    fn many_series_share_the_room_of_a_hundred() {
        let mut series: Vec<_> = (0..4).map(|i| Gathered::new(i % 2 == 0)).collect();
        for i in 0..2 * KEPT {
            for gathered in &mut series {
                gathered.push(Value::Number(f64::from(u32::try_from(i % 1000).unwrap())));
                if i == KEPT / 2 {
                    gathered.share_with(1000);
                }
            }
        }
        for gathered in &series {
            assert!(held(gathered) <= 8 * 20_000, "{}", held(gathered));
            let profile = gathered.profile(true).unwrap();
            assert_eq!(profile.reference.total(), 10_000);
            assert!(profile.tau.is_some());
        }
    }

    #[test]
    fn a_word_late_in_a_series_makes_words_of_its_numbers() {
        let mut gathered = Gathered::new(false);
        for i in 0..2 * KEPT {
            gathered.push(if i % 10 == 0 {
                Value::Missing
            } else {
                Value::Number(7.0)
            });
        }
        gathered.push(Value::Word("seven"));
        let profile = gathered.profile(true).unwrap();
        let Bins::Classes(classes) = &profile.bins else {
            panic!("{profile:?}");
        };
        let sevens = profile.reference.share(classes.bin(Some("7")));
        assert!((sevens - 0.9).abs() < 0.01, "{sevens}");
        assert_eq!(gathered.sample(), None);
        assert_eq!(gathered.missing(), 2 * KEPT / 10);
    }

    #[test]
    fn what_is_infinite_is_in_no_sample_and_what_is_all_missing_is_no_baseline() {
        let mut gathered = Gathered::new(false);
        for value in [f64::INFINITY, 1.0, 2.0] {
            gathered.push(Value::Number(value));
        }
        let sample = gathered.sample().unwrap();
        assert_eq!((sample.values(), sample.missing()), (&[1.0, 2.0][..], 1));
        let mut missing = Gathered::new(true);
        missing.fill(3);
        assert_eq!((missing.profile(false), missing.sample()), (None, None));
    }
}
