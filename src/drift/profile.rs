//! What the baseline says of one series: into what its values are sorted, and how many are where.

use super::{
    bins::{Classes, Edges, Reference},
    dependence,
    sample::Sample,
};

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Not there, `null`, or no number.
    Missing,
    /// A number, not `NaN`.
    Number(f64),
    /// A class, a truth value, any text.
    Word(&'a str),
}

/// What the baseline says of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Into what its values are sorted.
    pub bins: Bins,
    /// How many are where.
    pub reference: Reference,
    /// How dependent neighbours are, at least 1; `None`: its order means nothing, so that what passes
    /// tells.
    pub tau: Option<f64>,
    /// How often at most the same value came in a row; `None`: its order means nothing.
    pub longest_run: Option<u32>,
}

/// Into what values are sorted.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// Numbers.
    Numbers(Edges),
    /// Words.
    Classes(Classes),
}

impl Bins {
    /// How many there are, that of missing values with them.
    pub fn count(&self) -> usize {
        match self {
            Self::Numbers(edges) => edges.bins(),
            Self::Classes(classes) => classes.bins(),
        }
    }

    /// What it is a series of: `numeric` or `categorical`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numeric",
            Self::Classes(_) => "categorical",
        }
    }

    /// How many ranges of numbers or known classes there are.
    pub fn known(&self) -> usize {
        match self {
            Self::Numbers(edges) => edges.edges().len() + 1,
            Self::Classes(classes) => classes.names().len(),
        }
    }

    /// The bin of a value. A number among classes is one of them, a word among numbers is missing.
    pub fn bin(&self, value: Value<'_>) -> usize {
        match (self, value) {
            (Self::Numbers(edges), Value::Number(number)) => edges.bin(number),
            (Self::Numbers(edges), Value::Missing | Value::Word(_)) => edges.bin(f64::NAN),
            (Self::Classes(classes), Value::Missing) => classes.bin(None),
            (Self::Classes(classes), Value::Number(number)) => classes.bin_of_number(number),
            (Self::Classes(classes), Value::Word(word)) => classes.bin(Some(word)),
        }
    }

    /// How many classes decide the threshold; `None` for numbers.
    pub(super) fn classes(&self) -> Option<usize> {
        match self {
            Self::Numbers(_) => None,
            Self::Classes(classes) => Some(classes.bins()),
        }
    }

    /// What a region is, for people.
    pub fn region_text(&self, region: usize) -> String {
        match self {
            Self::Numbers(edges) => match edges.edges().get(region) {
                Some(edge) => format!("at most {}", shown(*edge)),
                None => "missing".to_owned(),
            },
            Self::Classes(classes) => match region.checked_sub(classes.names().len()) {
                None => classes.names()[region].clone(),
                Some(0) => "unseen".to_owned(),
                Some(_) => "missing".to_owned(),
            },
        }
    }
}

/// With six digits: an edge lies between two values, so that it has more than those do. But a share of
/// 0.9999997 is not 1, and no digit before the point is lost.
fn shown(edge: f64) -> f64 {
    let rounded: f64 = if edge.abs() < 1e5 {
        format!("{edge:.5e}").parse().unwrap_or(edge)
    } else {
        edge.round()
    };
    let bounds = [-1.0, 0.0, 1.0_f64];
    if bounds.map(f64::to_bits).contains(&rounded.to_bits()) {
        edge
    } else {
        rounded
    }
}

impl Profile {
    /// Of numbers in which `NaN` is missing; `None`: all are. `is_ordered`: they are in the order in which
    /// they came.
    pub fn of_numbers(values: &[f64], is_ordered: bool) -> Option<Self> {
        let (edges, reference) = Edges::of(values)?;
        let ordered = is_ordered.then(|| {
            let bins = values.iter().map(|value| edges.bin(*value));
            Ordered::new(bins.collect(), values, |a, b| a.to_bits() == b.to_bits())
        });
        Some(Self::of(Bins::Numbers(edges), reference, ordered))
    }

    /// Of words in no order.
    #[cfg(test)]
    pub(crate) fn of_test_words<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut gathered = super::Gathered::new(true);
        words.for_each(|word| gathered.push(Value::Word(word)));
        gathered.profile(false).expect("there are words")
    }

    /// Of classes, with what their order tells where that means something.
    pub(super) fn of_classes(
        classes: Classes,
        reference: Reference,
        ordered: Option<Ordered>,
    ) -> Self {
        Self::of(Bins::Classes(classes), reference, ordered)
    }

    /// Of a sample that is no longer in the order in which it came.
    pub(super) fn of_sample(sample: &Sample) -> Option<Self> {
        let missing = std::iter::repeat_n(f64::NAN, sample.missing());
        let values: Vec<f64> = sample.values().iter().copied().chain(missing).collect();
        Self::of_numbers(&values, false)
    }

    fn of(bins: Bins, reference: Reference, ordered: Option<Ordered>) -> Self {
        let mut profile = Self {
            bins,
            reference,
            tau: None,
            longest_run: None,
        };
        if let Some(Ordered { bins, longest_run }) = ordered {
            let reference = &profile.reference;
            let inside = |region| {
                let inside = bins.iter().map(|bin| reference.is_inside(*bin, region));
                inside.collect::<Vec<bool>>()
            };
            let watched: Vec<_> = profile.watched().into_iter().map(inside).collect();
            profile.tau = Some(dependence::tau(&watched));
            profile.longest_run = Some(longest_run);
        }
        profile
    }

    /// The regions that tell how dependent neighbours are.
    pub(super) fn watched(&self) -> Vec<usize> {
        let reference = &self.reference;
        dependence::nearest_half((0..reference.regions()).map(|region| reference.share(region)))
    }
}

/// What the order of values tells.
pub(super) struct Ordered {
    bins: Vec<usize>,
    longest_run: u32,
}

impl Ordered {
    /// `bins`: those of `values`.
    pub(super) fn new<T>(bins: Vec<usize>, values: &[T], is_same: impl Fn(&T, &T) -> bool) -> Self {
        Self {
            bins,
            longest_run: longest_run(values, is_same),
        }
    }
}

/// How many in a row are the same at most.
fn longest_run<T>(values: &[T], is_same: impl Fn(&T, &T) -> bool) -> u32 {
    let runs = values.chunk_by(is_same).map(<[T]>::len);
    u32::try_from(runs.max().unwrap_or(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_told_with_six_digits_and_never_as_the_bound_of_a_share() {
        let told = [
            4.099_999_999_999_999,
            0.800_099_999_999_999_9,
            0.999_69,
            0.999_999_7,
            -0.999_999_7,
            1.0,
            0.0,
            3e-9,
            1_234_567.25,
            -12.5,
        ]
        .map(|edge| shown(edge).to_string());
        let expected = [
            "4.1",
            "0.8001",
            "0.99969",
            "0.9999997",
            "-0.9999997",
            "1",
            "0",
            "0.000000003",
            "1234567",
            "-12.5",
        ];
        assert_eq!(told, expected);
    }
}
