//! What the confidence of a model looked like when it was right.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::stats::moments::{Moments, moments};

/// Baselines that are kept at once.
pub const MAX_BASELINES: usize = 64;

/// A reference sample, checked and sorted; never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    values: Vec<f64>,
    missing: usize,
    moments: Moments,
    hash: String,
    set_at: Timestamp,
}

/// Why a list of numbers is no baseline, or a baseline finds no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The list is empty.
    #[error("the baseline is empty")]
    Empty,
    /// Every value is missing.
    #[error("all {missing} values of the baseline are missing")]
    AllMissing {
        /// How many there are.
        missing: usize,
    },
    /// A value is infinite.
    #[error("value {index} of the baseline is infinite")]
    Infinite {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// There are more values than `drift.max_baseline`.
    #[error("the baseline has more than {limit} values")]
    TooMany {
        /// The most there may be.
        limit: usize,
    },
    /// There are as many baselines as are kept.
    #[error("there are {limit} baselines already")]
    NoRoom {
        /// The most there may be.
        limit: usize,
    },
}

impl BaselineError {
    /// The label value.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::AllMissing { .. } => "all_missing",
            Self::Infinite { .. } => "infinite",
            Self::TooMany { .. } => "too_many",
            Self::NoRoom { .. } => "no_room",
        }
    }
}

impl Baseline {
    /// Takes at most `limit` finite numbers of any unit, in any order.
    ///
    /// NaN stands for a missing value: it is left out and counted, also against `limit`. -0 becomes 0.
    ///
    /// # Errors
    /// See [`BaselineError`]; nothing is read beyond the first value that is wrong.
    pub fn new(
        values: impl IntoIterator<Item = f64>,
        limit: usize,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
        let (mut kept, mut missing) = (Vec::new(), 0);
        for (index, value) in values.into_iter().enumerate() {
            if index >= limit {
                return Err(BaselineError::TooMany { limit });
            }
            if value.is_infinite() {
                return Err(BaselineError::Infinite { index });
            }
            if value.is_nan() {
                missing += 1;
            } else {
                kept.push(value + 0.0);
            }
        }
        Self::of(kept, missing, set_at)
    }

    /// From values that are finite and not -0.
    fn of(mut values: Vec<f64>, missing: usize, set_at: Timestamp) -> Result<Self, BaselineError> {
        values.sort_unstable_by(f64::total_cmp);
        let moments = moments(&values).ok_or(if missing == 0 {
            BaselineError::Empty
        } else {
            BaselineError::AllMissing { missing }
        })?;
        Ok(Self {
            hash: hash(&values),
            values,
            missing,
            moments,
            set_at,
        })
    }

    /// As it was before a restart: `missing` were counted then.
    pub(super) fn restored(
        values: Vec<f64>,
        missing: usize,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
        let limit = values.len();
        let mut baseline = Self::new(values, limit, set_at)?;
        baseline.missing += missing;
        Ok(baseline)
    }

    /// The values that are not missing, ascending, at least one, all finite.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many values were NaN.
    pub const fn missing(&self) -> usize {
        self.missing
    }

    /// Mean of the values.
    pub const fn mean(&self) -> f64 {
        self.moments.mean
    }

    /// Standard deviation of the population.
    pub const fn std(&self) -> f64 {
        self.moments.std
    }

    /// SHA-256 over the sorted values (little-endian binary64), in hexadecimal: what state that
    /// was gathered against one baseline is known by.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 12 digits of [`Self::hash`], for labels and people.
    pub fn short_hash(&self) -> &str {
        &self.hash[..12]
    }

    /// When it was set.
    pub const fn set_at(&self) -> Timestamp {
        self.set_at
    }
}

fn hash(values: &[f64]) -> String {
    let mut sha = Sha256::new();
    for value in values {
        sha.update(value.to_le_bytes());
    }
    hexadecimal(&sha.finalize())
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

/// Whom a baseline belongs to; `None` stands for every one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The model.
    pub model: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl Key {
    /// How closely it fits; `None`: not at all. A model counts for more than a version.
    fn fit(&self, model: &str, version: &str) -> Option<u8> {
        let model = fit(self.model.as_deref(), model)?;
        let version = fit(self.version.as_deref(), version)?;
        Some(2 * model + version)
    }
}

fn fit(wanted: Option<&str>, given: &str) -> Option<u8> {
    match wanted {
        None => Some(0),
        Some(wanted) => (wanted == given).then_some(1),
    }
}

/// The baselines of all models; a copy shares the values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baselines(BTreeMap<Key, Arc<Baseline>>);

impl Baselines {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the baseline of `key` and gives back the one it replaces.
    ///
    /// # Errors
    /// [`BaselineError::NoRoom`] when `key` has none and there are [`MAX_BASELINES`].
    pub fn set(
        &mut self,
        key: Key,
        baseline: Baseline,
    ) -> Result<Option<Arc<Baseline>>, BaselineError> {
        if self.0.len() >= MAX_BASELINES && !self.0.contains_key(&key) {
            return Err(BaselineError::NoRoom {
                limit: MAX_BASELINES,
            });
        }
        Ok(self.0.insert(key, Arc::new(baseline)))
    }

    /// Takes the baseline of `key` away.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Baseline>> {
        self.0.remove(key)
    }

    /// The baseline that fits closest: of this model and version, of this model, of this version
    /// of any model, of everything. No allocation.
    pub fn resolve(&self, model: &str, version: &str) -> Option<Arc<Baseline>> {
        let fitting = self.0.iter().filter_map(|(key, baseline)| {
            let fit = key.fit(model, version)?;
            Some((fit, baseline))
        });
        let (_, closest) = fitting.max_by_key(|(fit, _)| *fit)?;
        Some(Arc::clone(closest))
    }

    /// Every baseline, in the order of its key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<Baseline>)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn baseline(values: &[f64]) -> Baseline {
        Baseline::new(values.iter().copied(), 100, NOW).unwrap()
    }

    fn key(model: Option<&str>, version: Option<&str>) -> Key {
        Key {
            model: model.map(str::to_owned),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn missing_values_are_left_out_and_counted() {
        let b = baseline(&[0.9, f64::NAN, 0.1, f64::NAN, 0.5]);
        assert_eq!((b.values(), b.missing()), (&[0.1, 0.5, 0.9][..], 2));
        assert!((b.mean() - 0.5).abs() < 1e-15 && (b.std() - 0.106_667_f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn numbers_outside_of_zero_to_one_are_numbers() {
        assert_eq!(baseline(&[1e300, -7.5]).values(), [-7.5, 1e300]);
    }

    #[test]
    fn what_is_no_sample_is_refused_with_its_reason() {
        let refused = |values: &[f64], limit| {
            let error = Baseline::new(values.iter().copied(), limit, NOW).unwrap_err();
            (error.reason(), error.to_string())
        };
        assert_eq!(refused(&[], 9).0, "empty");
        assert_eq!(refused(&[f64::NAN; 2], 9).0, "all_missing");
        let infinite = refused(&[0.5, f64::NEG_INFINITY], 9);
        assert_eq!(infinite.0, "infinite");
        assert_eq!(infinite.1, "value 1 of the baseline is infinite");
        assert_eq!(refused(&[0.5; 4], 3).0, "too_many");
        assert!(Baseline::new([0.5; 3], 3, NOW).is_ok());
    }

    #[test]
    fn a_list_without_end_is_refused() {
        for value in [0.5, f64::NAN] {
            let endless = Baseline::new(std::iter::repeat(value), 10, NOW);
            assert_eq!(endless, Err(BaselineError::TooMany { limit: 10 }));
        }
    }

    #[test]
    fn the_hash_knows_the_values_and_not_their_order() {
        let one = baseline(&[0.1, 0.2, 0.0]);
        assert_eq!(one.hash(), baseline(&[0.2, -0.0, 0.1]).hash());
        assert_ne!(
            one.hash(),
            baseline(&[0.1, 0.200_000_000_000_000_04, 0.0]).hash()
        );
        assert_eq!(one.hash().len(), 64);
        assert!(one.hash().starts_with(one.short_hash()));
        // SHA-256 of eight zero bytes.
        assert_eq!(baseline(&[0.0]).short_hash(), "af5570f5a181");
    }

    #[test]
    fn the_closest_baseline_is_found() {
        let mut all = Baselines::new();
        assert_eq!(all.resolve("iris", "1"), None);
        for (i, key) in [
            key(None, None),
            key(None, Some("1")),
            key(Some("iris"), None),
            key(Some("iris"), Some("1")),
        ]
        .into_iter()
        .enumerate()
        {
            let value = f64::from(u32::try_from(i).unwrap());
            assert_eq!(all.set(key, baseline(&[value])), Ok(None));
        }
        let mean = |model, version| all.resolve(model, version).unwrap().values()[0].to_bits();
        assert_eq!(mean("iris", "1"), 3.0_f64.to_bits());
        assert_eq!(mean("iris", "2"), 2.0_f64.to_bits());
        assert_eq!(mean("other", "1"), 1.0_f64.to_bits());
        assert_eq!(mean("other", "2"), 0.0_f64.to_bits());
    }

    #[test]
    fn setting_again_gives_the_old_one_back_and_removing_forgets() {
        let mut all = Baselines::new();
        all.set(Key::default(), baseline(&[0.5])).unwrap();
        let old = all.set(Key::default(), baseline(&[0.6])).unwrap().unwrap();
        assert_eq!(old.values(), [0.5]);
        assert_eq!(all.remove(&Key::default()).unwrap().values(), [0.6]);
        assert!(all.is_empty() && all.resolve("a", "b").is_none());
    }

    #[test]
    fn there_is_room_for_so_many_and_for_replacing_them() {
        let mut all = Baselines::new();
        for i in 0..MAX_BASELINES {
            let key = key(Some(&i.to_string()), None);
            all.set(key, baseline(&[0.5])).unwrap();
        }
        let refused = all.set(key(Some("more"), None), baseline(&[0.5]));
        assert_eq!(refused.unwrap_err().reason(), "no_room");
        assert!(all.set(key(Some("7"), None), baseline(&[0.7])).is_ok());
        assert_eq!(all.len(), MAX_BASELINES);
    }
}
