//! Which baseline belongs to which model and version.

use std::{collections::BTreeMap, sync::Arc};

use super::{Baseline, BaselineError};

/// Baselines that are kept at once.
pub const MAX_BASELINES: usize = 64;

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
        baseline: impl Into<Arc<Baseline>>,
    ) -> Result<Option<Arc<Baseline>>, BaselineError> {
        if self.0.len() >= MAX_BASELINES && !self.0.contains_key(&key) {
            return Err(BaselineError::NoRoom {
                limit: MAX_BASELINES,
            });
        }
        Ok(self.0.insert(key, baseline.into()))
    }

    /// These, and of `others` those whose key has none.
    ///
    /// # Errors
    /// [`BaselineError::NoRoom`] when that is more than [`MAX_BASELINES`].
    pub fn before(&self, others: &Self) -> Result<Self, BaselineError> {
        let mut all = others.0.clone();
        all.extend(self.0.clone());
        if all.len() > MAX_BASELINES {
            return Err(BaselineError::NoRoom {
                limit: MAX_BASELINES,
            });
        }
        Ok(Self(all))
    }

    /// Whether `key` has one.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// Takes the baseline of `key` away.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Baseline>> {
        self.0.remove(key)
    }

    /// The baseline that fits closest: of this model and version, of this model, of this version
    /// of any model, of everything; else the newest of another version of this model, which a new version
    /// goes on with until it has its own. No allocation.
    pub fn resolve(&self, model: &str, version: &str) -> Option<Arc<Baseline>> {
        let fitting = self.0.iter().filter_map(|(key, baseline)| {
            let fit = key.fit(model, version)?;
            Some((fit, baseline))
        });
        let closest = fitting
            .max_by_key(|(fit, _)| *fit)
            .map(|(_, baseline)| baseline);
        let before = || {
            let of_model = self
                .0
                .iter()
                .filter(|(key, _)| key.model.as_deref() == Some(model));
            of_model
                .map(|(_, baseline)| baseline)
                .max_by_key(|b| b.set_at())
        };
        closest.or_else(before).map(Arc::clone)
    }

    /// Whether one fits this model and version, and not only another version.
    pub fn fits(&self, model: &str, version: &str) -> bool {
        self.0.keys().any(|key| key.fit(model, version).is_some())
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
    use jiff::Timestamp;

    use super::*;

    fn baseline(values: &[f64]) -> Baseline {
        Baseline::of_confidences(values.iter().copied(), 100, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn key(model: Option<&str>, version: Option<&str>) -> Key {
        Key {
            model: model.map(str::to_owned),
            version: version.map(str::to_owned),
        }
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
        let mean = |model, version| {
            all.resolve(model, version)
                .unwrap()
                .sample()
                .unwrap()
                .values()[0]
                .to_bits()
        };
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
        assert_eq!(old.sample().unwrap().values(), [0.5]);
        assert_eq!(
            all.remove(&Key::default())
                .unwrap()
                .sample()
                .unwrap()
                .values(),
            [0.6]
        );
        assert!(all.is_empty() && all.resolve("a", "b").is_none());
    }

    #[test]
    fn of_two_for_the_same_key_that_of_the_first_counts() {
        let (mut first, mut others) = (Baselines::new(), Baselines::new());
        first.set(key(Some("a"), None), baseline(&[0.1])).unwrap();
        others.set(key(Some("a"), None), baseline(&[0.2])).unwrap();
        others.set(key(Some("b"), None), baseline(&[0.3])).unwrap();
        let all = first.before(&others).unwrap();
        let mean = |model| all.resolve(model, "1").unwrap().sample().unwrap().mean();
        assert!(mean("a") < 0.15 && mean("b") > 0.25 && all.len() == 2);
        for i in 0..MAX_BASELINES - 1 {
            let key = key(Some(&i.to_string()), None);
            first.set(key, baseline(&[0.5])).unwrap();
        }
        assert_eq!(first.before(&others).unwrap_err().reason(), "no_room");
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
