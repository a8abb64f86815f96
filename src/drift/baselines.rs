//! Which baseline belongs to which model and version.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

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

/// The baseline that a version is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// Whose it is.
    pub key: &'a Key,
    /// What it says.
    pub baseline: &'a Arc<Baseline>,
    /// It belongs to another version: there is none for this one.
    pub is_of_another_version: bool,
}

/// The same, for people and their programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InUse {
    /// Whose it is; `None`: every model's.
    pub model: Option<String>,
    /// Of which version; `None`: of each.
    pub model_version: Option<String>,
    /// It belongs to another version than the one that is compared.
    pub is_of_another_version: bool,
    /// `posted`, `file` or `captured`.
    pub origin: &'static str,
    /// Whether somebody has chosen it; a captured one is what happened to pass.
    pub reviewed: bool,
    /// RFC 3339.
    pub set_at: String,
    /// Predictions that it was made of.
    pub rows: usize,
    /// SHA-256 of what it says.
    pub hash: String,
}

impl Chosen<'_> {
    /// What is told of it.
    pub fn in_use(&self) -> InUse {
        let Self { key, baseline, .. } = self;
        InUse {
            model: key.model.clone(),
            model_version: key.version.clone(),
            is_of_another_version: self.is_of_another_version,
            origin: baseline.origin().name(),
            reviewed: baseline.origin().is_reviewed(),
            set_at: baseline.set_at().to_string(),
            rows: baseline.rows(),
            hash: baseline.hash().to_owned(),
        }
    }
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
    /// of any model, of everything; else that of another version of this model, which a new version
    /// goes on with until it has its own. One that somebody has set comes before any that was captured and
    /// that nobody has reviewed. No allocation.
    ///
    /// `kept`: the hash of the baseline that it is compared with so far. While that is there no other
    /// version's takes its place; else the newest does.
    pub fn choose(&self, model: &str, version: &str, kept: Option<&str>) -> Option<Chosen<'_>> {
        let fitting = self.0.iter().filter_map(|(key, baseline)| {
            let fit = key.fit(model, version)?;
            Some((fit, key, baseline))
        });
        if let Some((_, key, baseline)) =
            fitting.max_by_key(|(fit, _, b)| (b.origin().is_reviewed(), *fit))
        {
            return Some(Chosen {
                key,
                baseline,
                is_of_another_version: false,
            });
        }
        let of_model = self.0.iter();
        let of_model = of_model.filter(|(key, _)| key.model.as_deref() == Some(model));
        let is_kept = |baseline: &Baseline| kept == Some(baseline.hash());
        let (key, baseline) = of_model.max_by_key(|(_, b)| (is_kept(b), b.set_at()))?;
        Some(Chosen {
            key,
            baseline,
            is_of_another_version: true,
        })
    }

    /// The baseline of a version that was compared with none so far; see [`Self::choose`].
    pub fn resolve(&self, model: &str, version: &str) -> Option<Arc<Baseline>> {
        let chosen = self.choose(model, version, None)?;
        Some(Arc::clone(chosen.baseline))
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

    use super::{
        super::{Origin, Profile, Sample, SeriesName},
        *,
    };

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
    fn what_somebody_has_set_comes_before_what_was_captured() {
        let captured = |value| {
            let sample = Sample::new([value; 100], 100).ok();
            let profile = Profile::of_numbers(&[value; 100], true).unwrap();
            let profiles = vec![(SeriesName::Confidence, profile)];
            Baseline::new(sample, profiles, Origin::Captured, Timestamp::UNIX_EPOCH).unwrap()
        };
        let mut all = Baselines::new();
        all.set(key(Some("iris"), Some("1")), captured(0.9))
            .unwrap();
        let mean = |all: &Baselines| {
            let baseline = all.resolve("iris", "1").unwrap();
            baseline.sample().unwrap().mean()
        };
        assert!(mean(&all) > 0.8);
        all.set(Key::default(), baseline(&[0.5])).unwrap();
        assert!(mean(&all) < 0.6);
        all.remove(&Key::default());
        assert!(mean(&all) > 0.8);
    }

    #[test]
    fn a_version_without_its_own_keeps_the_one_it_has_while_that_is_there() {
        let at = |second, value: f64| {
            let set_at = Timestamp::from_second(second).unwrap();
            Baseline::of_confidences([value], 100, set_at).unwrap()
        };
        let mut all = Baselines::new();
        let of = |version| key(Some("iris"), Some(version));
        all.set(of("1"), at(1, 0.1)).unwrap();
        let first = all.choose("iris", "2", None).unwrap();
        assert!(first.is_of_another_version && *first.key == of("1"));
        let kept = first.baseline.hash().to_owned();
        all.set(of("3"), at(3, 0.3)).unwrap();
        let of_two = |all: &Baselines, kept| {
            let chosen = all.choose("iris", "2", kept).unwrap();
            (
                chosen.key.version.clone().unwrap(),
                chosen.in_use().is_of_another_version,
            )
        };
        assert_eq!(of_two(&all, Some(&kept)), ("1".to_owned(), true));
        assert_eq!(of_two(&all, None), ("3".to_owned(), true));
        all.set(of("2"), at(2, 0.2)).unwrap();
        assert_eq!(of_two(&all, Some(&kept)), ("2".to_owned(), false));
        all.remove(&of("2"));
        all.remove(&of("1"));
        assert_eq!(of_two(&all, Some(&kept)), ("3".to_owned(), true));
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
