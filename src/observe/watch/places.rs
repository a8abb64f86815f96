//! Where the features of the traffic are among the series of a monitor.

use std::io::Write as _;

use super::values::Source;
use crate::{
    decode::{Column, Name},
    drift::{Baseline, SeriesName, monitor::Monitor},
};

/// Clients send the same features again and again, each client in an order of its own: where a column was
/// last time is looked at first, then behind the column before it, then by name. No allocation but for more
/// columns than ever before.
#[derive(Default)]
pub(super) struct Places {
    /// The features of the baseline by their names.
    by_name: Vec<usize>,
    /// Series that are watched: the first ones of the baseline.
    watched: usize,
    /// Where the columns are in the baseline.
    columns: Vec<Option<usize>>,
    /// Whether the columns have it, of all series that are watched.
    is_there: Vec<bool>,
    confidence: Option<usize>,
    class: Option<usize>,
    value: Option<usize>,
}

impl Places {
    pub(super) fn new(monitor: &Monitor) -> Self {
        let profiles = monitor.baseline().profiles();
        let mut by_name: Vec<usize> = (0..profiles.len())
            .filter(|place| name(monitor.baseline(), *place).is_some())
            .collect();
        by_name.sort_by_key(|place| name(monitor.baseline(), *place));
        let own = |wanted: SeriesName| monitor.place(|series| *series == wanted);
        Self {
            by_name,
            watched: monitor.watched().len(),
            columns: Vec::new(),
            is_there: vec![false; monitor.watched().len()],
            confidence: own(SeriesName::Confidence),
            class: own(SeriesName::Class),
            value: own(SeriesName::Value),
        }
    }

    /// Takes the columns of a request. `unknown` is told of those that the baseline does not have.
    pub(super) fn find(
        &mut self,
        baseline: &Baseline,
        columns: &[Column],
        mut unknown: impl FnMut(&str),
    ) {
        self.columns.resize(columns.len(), None);
        self.is_there.fill(false);
        let mut next = 0;
        for (place, column) in columns.iter().enumerate() {
            let before = self.columns[place];
            let found = with_text(&column.name, |text| {
                let is_it = |place: &usize| name(baseline, *place) == Some(text);
                let guessed = before.into_iter().chain([next]).find(is_it);
                let found = guessed.or_else(|| self.by_name(baseline, text));
                if found.is_none() {
                    unknown(text);
                }
                found
            });
            self.columns[place] = found;
            if let Some(found) = found {
                next = found + 1;
                if let Some(is_there) = self.is_there.get_mut(found) {
                    *is_there = true;
                }
            }
        }
    }

    fn by_name(&self, baseline: &Baseline, text: &str) -> Option<usize> {
        let key = |place: &usize| name(baseline, *place);
        let at = self.by_name.binary_search_by_key(&Some(text), key).ok()?;
        Some(self.by_name[at])
    }

    /// The series that a value is of, where it is watched.
    pub(super) fn of(&self, source: Source) -> Option<usize> {
        let place = match source {
            Source::Confidence => self.confidence,
            Source::Class => self.class,
            Source::Value => self.value,
            Source::Column(column) => self.columns.get(column).copied().flatten(),
        };
        place.filter(|place| *place < self.watched)
    }

    /// The features that the columns have.
    pub(super) fn there(&self) -> impl Iterator<Item = usize> {
        self.features(true)
    }

    /// The other features; none without any column, for then nothing is known of them.
    pub(super) fn absent(&self) -> impl Iterator<Item = usize> {
        let others = self.features(false);
        others.take(if self.columns.is_empty() {
            0
        } else {
            usize::MAX
        })
    }

    fn features(&self, are_there: bool) -> impl Iterator<Item = usize> {
        let places = self.by_name.iter().copied();
        places.filter(move |place| self.is_there.get(*place) == Some(&are_there))
    }
}

/// The name of the feature at `place` of a baseline.
fn name(baseline: &Baseline, place: usize) -> Option<&str> {
    match baseline.profiles().get(place) {
        Some((SeriesName::Feature(name), _)) => Some(name),
        _ => None,
    }
}

/// A name as text that is not made by way of the heap.
fn with_text<T>(name: &Name, tell: impl FnOnce(&str) -> T) -> T {
    match name {
        Name::Word(word) => tell(word),
        Name::Position(place) => {
            let mut room = [0; 20];
            let mut rest = &mut room[..];
            // the largest has 20 digits
            let _ = write!(rest, "{place}");
            let digits = 20 - rest.len();
            tell(std::str::from_utf8(&room[..digits]).unwrap_or_default())
        }
    }
}
