//! What the traffic of a model looked like when all was well.

use std::{fmt::Write, sync::Arc};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    name::SeriesName,
    profile::{Bins, Profile},
    sample::Sample,
};

/// What is compared with; never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    sample: Option<Sample>,
    profiles: Vec<(SeriesName, Arc<Profile>)>,
    origin: Origin,
    set_at: Timestamp,
    hash: String,
}

/// Where a baseline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody has sent it.
    Posted,
    /// A file that `sidelight baseline` wrote.
    File,
    /// The first predictions of a version; nobody has looked at them.
    Captured,
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

impl Origin {
    /// As a label and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::File => "file",
            Self::Captured => "captured",
        }
    }

    /// Whether somebody has chosen what it says.
    pub const fn is_reviewed(self) -> bool {
        !matches!(self, Self::Captured)
    }

    /// The origin of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Posted, Self::File, Self::Captured]
            .into_iter()
            .find(|origin| origin.name() == name)
    }
}

impl Baseline {
    /// `sample`: confidences, or values of a regression, for the two-sample test. `profiles` in the order
    /// in which they are shown, each name once.
    ///
    /// # Errors
    /// [`BaselineError::Empty`] when there is nothing of either.
    pub fn new(
        sample: Option<Sample>,
        profiles: Vec<(SeriesName, Profile)>,
        origin: Origin,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
        if sample.is_none() && profiles.is_empty() {
            return Err(BaselineError::Empty);
        }
        let shared = |(name, profile)| (name, Arc::new(profile));
        let profiles: Vec<_> = profiles.into_iter().map(shared).collect();
        Ok(Self {
            hash: hash(sample.as_ref(), &profiles),
            sample,
            profiles,
            origin,
            set_at,
        })
    }

    /// Of confidences alone, whose order means nothing; see [`Sample::new`].
    ///
    /// # Errors
    /// See [`BaselineError`].
    pub fn of_confidences(
        values: impl IntoIterator<Item = f64>,
        limit: usize,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
        let sample = Sample::new(values, limit)?;
        let profile = Profile::of_sample(&sample);
        let profiles = profile.map(|profile| (SeriesName::Confidence, profile));
        Self::new(
            Some(sample),
            profiles.into_iter().collect(),
            Origin::Posted,
            set_at,
        )
    }

    /// The same, posted by somebody who has looked at it.
    #[must_use]
    pub fn reviewed(mut self, set_at: Timestamp) -> Self {
        (self.origin, self.set_at) = (Origin::Posted, set_at);
        self
    }

    /// Confidences, or values of a regression, for the two-sample test.
    pub fn sample(&self) -> Option<&Sample> {
        self.sample.as_ref()
    }

    /// Edges for a histogram of the numbers of a regression: the tenths of the baseline, ascending. `None`: it
    /// is not of numbers, or all are the same.
    pub fn value_edges(&self) -> Option<Vec<f64>> {
        let is_of = |wanted: SeriesName| self.profiles.iter().any(|(name, _)| *name == wanted);
        // the sample is of the numbers where there are no confidences
        if !is_of(SeriesName::Value) || is_of(SeriesName::Confidence) {
            return None;
        }
        let values = self.sample.as_ref()?.values();
        let last = values.len() - 1;
        let mut edges: Vec<f64> = (1..=TENTHS)
            .map(|part| values[part * last / TENTHS])
            .collect();
        edges.dedup_by(|later, before| later <= before);
        (edges.len() > 1).then_some(edges)
    }

    /// What is known of each series, in the order in which they are shown.
    pub fn profiles(&self) -> &[(SeriesName, Arc<Profile>)] {
        &self.profiles
    }

    /// Predictions that it was made of: of the series that has most.
    pub fn rows(&self) -> usize {
        let of_profiles = self.profiles.iter().map(|(_, p)| p.reference.total());
        let most = of_profiles.max().unwrap_or(0) as usize;
        let of_sample = self
            .sample
            .as_ref()
            .map_or(0, |s| s.values().len() + s.missing());
        most.max(of_sample)
    }

    /// Where it comes from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// When it was set.
    pub const fn set_at(&self) -> Timestamp {
        self.set_at
    }

    /// SHA-256 over what it says, in hexadecimal, without when and how it was set: what state that was
    /// gathered against one baseline is known by.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 12 digits of [`Self::hash`], for labels and people.
    pub fn short_hash(&self) -> &str {
        &self.hash[..12]
    }
}

/// Parts of the histogram of the numbers of a baseline.
const TENTHS: usize = 10;

fn hash(sample: Option<&Sample>, profiles: &[(SeriesName, Arc<Profile>)]) -> String {
    let mut sha = Sha256::new();
    for value in sample.into_iter().flat_map(Sample::values) {
        sha.update(value.to_le_bytes());
    }
    for (name, profile) in profiles {
        let mut text = |text: &str| {
            // the length keeps apart what would read the same
            sha.update((text.len() as u64).to_le_bytes());
            sha.update(text);
        };
        text(&name.label());
        match &profile.bins {
            Bins::Numbers(edges) => edges
                .edges()
                .iter()
                .for_each(|e| sha.update(e.to_le_bytes())),
            Bins::Classes(classes) => classes.names().iter().for_each(|name| text(name)),
        }
        for count in profile.reference.bins() {
            sha.update(count.to_le_bytes());
        }
        let tau = profile.tau.unwrap_or(0.0);
        sha.update(tau.to_le_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(values: &[f64]) -> Baseline {
        Baseline::of_confidences(values.iter().copied(), 100, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn the_hash_knows_the_values_and_neither_their_order_nor_the_time() {
        let one = baseline(&[0.1, 0.2, 0.0]);
        assert_eq!(one.hash(), baseline(&[0.2, -0.0, 0.1]).hash());
        let near = baseline(&[0.1, 0.200_000_000_000_000_04, 0.0]);
        assert_ne!(one.hash(), near.hash());
        assert_eq!(one.hash().len(), 64);
        assert!(one.hash().starts_with(one.short_hash()));
    }

    #[test]
    fn numbers_of_a_regression_have_edges_and_confidences_have_none() {
        let posted = |body: &str| {
            let read = crate::drift::posted(body.as_bytes(), 1000, Timestamp::UNIX_EPOCH);
            read.unwrap().1.value_edges()
        };
        let numbers: Vec<u32> = (0..=100).collect();
        let edges = posted(&format!(r#"{{"values":{numbers:?}}}"#)).unwrap();
        let tenths: Vec<f64> = (1..=10).map(|part| 10.0 * f64::from(part)).collect();
        assert_eq!(edges, tenths);
        assert_eq!(posted(r#"{"values":[7,7,7]}"#), None);
        assert_eq!(posted(r#"{"values":[1,2],"confidence":[0.5,0.6]}"#), None);
        assert_eq!(posted("[0.5,0.6]"), None);
    }

    #[test]
    fn the_hash_knows_whose_values_they_are() {
        let of = |name: &str, values: &[f64]| {
            let profile = Profile::of_numbers(values, false).unwrap();
            let profiles = vec![(SeriesName::of(name), profile)];
            Baseline::new(None, profiles, Origin::File, Timestamp::UNIX_EPOCH).unwrap()
        };
        let (a, b) = (of("a", &[1.0, 2.0]), of("b", &[1.0, 2.0]));
        assert_ne!(a.hash(), b.hash());
        assert_eq!((a.rows(), a.sample()), (2, None));
        let nothing = Baseline::new(None, Vec::new(), Origin::File, Timestamp::UNIX_EPOCH);
        assert_eq!(nothing, Err(BaselineError::Empty));
    }
}
