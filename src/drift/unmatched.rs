//! Features that only the traffic has, and when it is told that the two sides differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::monitor::ITEMS;

/// Rows before it is told what does not match: an optional feature may be absent from the first ones.
pub const ENOUGH: u32 = 100;
/// Most names that are kept: clients choose them.
pub const MOST: usize = 100;
/// The chance of a feature of the baseline to be absent from all rows that came, above which that says
/// nothing.
const BY_CHANCE: f64 = 1e-3;

/// What of the traffic the baseline does not have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmatched {
    /// Rows with features so far; those of a request beyond [`ITEMS`] would tell nothing new.
    rows: u32,
    /// Names that the baseline does not have, and whether it has been told of them.
    names: BTreeMap<String, bool>,
    /// How many of these have not been told.
    untold: usize,
    is_told: bool,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// For the first time: then it is told of the baseline's features, too.
    pub is_first: bool,
    /// Names that only the traffic has, of which it was not told before.
    pub names: Vec<String>,
}

impl Unmatched {
    /// The traffic has a feature that the baseline does not have. No allocation for one that is known.
    pub fn saw(&mut self, name: &str) {
        if self.names.len() < MOST && !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), false);
            self.untold += 1;
        }
    }

    /// Rows have come in one request; gives what is to be told with them.
    pub fn passed(&mut self, rows: usize) -> Option<News> {
        let rows = u32::try_from(rows.min(ITEMS)).unwrap_or(u32::MAX);
        self.rows = self.rows.saturating_add(rows);
        if self.rows < ENOUGH || self.is_told && self.untold == 0 {
            return None;
        }
        let untold = self.names.iter_mut().filter(|(_, is_told)| !**is_told);
        let names = untold.map(|(name, is_told)| {
            *is_told = true;
            name.clone()
        });
        let names = names.collect();
        self.untold = 0;
        let is_first = !std::mem::replace(&mut self.is_told, true);
        Some(News { is_first, names })
    }

    /// Whether a feature of which the baseline misses this share, in `[0, 1]`, would have come by now.
    pub fn would_have_come(&self, missing: f64) -> bool {
        missing.powf(f64::from(self.rows)) < BY_CHANCE
    }

    /// Names that only the traffic has, the first [`MOST`].
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_when_enough_has_come_and_later_ones_when_they_come() {
        let mut unmatched = Unmatched::default();
        unmatched.saw("b");
        unmatched.saw("a");
        assert_eq!(
            unmatched.passed(5000),
            None,
            "one request tells no more than 64 rows"
        );
        assert!(unmatched.would_have_come(0.5) && !unmatched.would_have_come(0.99));
        let news = |is_first, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Some(News { is_first, names })
        };
        assert_eq!(unmatched.passed(36), news(true, &["a", "b"]));
        unmatched.saw("a");
        assert_eq!(unmatched.passed(1), None);
        unmatched.saw("c");
        assert_eq!(unmatched.passed(1), news(false, &["c"]));
        (0..1000).for_each(|i| unmatched.saw(&i.to_string()));
        assert_eq!(unmatched.names().count(), MOST);
        assert_eq!(unmatched.passed(1).unwrap().names.len(), MOST - 3);
        assert_eq!(unmatched.passed(1), None);
    }
}
