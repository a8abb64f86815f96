//! The classification extension: texts `score:index` or `score:index:label`, the best first.
//!
//! Source: the classification extension in Triton's documentation of its protocol.

use super::{
    super::{
        inference::{Output, Prediction, Scalar, Values, confidence},
        meaning::{Raw, Vectors},
        walk,
    },
    tensor::{Cells, Datatype, Tensor},
};

/// How far above 1 the sum of probabilities may be.
const SUM: f64 = 1e-3;

/// One class of a ranking.
struct Ranked<'a> {
    score: f64,
    index: usize,
    label: Option<&'a str>,
}

impl<'a> Ranked<'a> {
    fn read(value: &'a Scalar) -> Option<Self> {
        let Scalar::Text(text) = value else {
            return None;
        };
        let mut parts = text.splitn(3, ':');
        let (score, index) = (parts.next()?, parts.next()?);
        let label = parts.next();
        // `12:30` is a time
        let is_score = label.is_some() || score.contains(['.', 'e', 'n']);
        Some(Self {
            score: score.parse().ok().filter(|_| is_score)?,
            index: index.parse().ok()?,
            label,
        })
    }

    fn prediction(&self) -> Prediction {
        let name = self.label.and_then(walk::word);
        let index = || i64::try_from(self.index).map_or(Prediction::Unknown, Prediction::Index);
        name.map_or_else(index, Prediction::Name)
    }
}

/// The first class of each row of a ranking; `None`: the tensor is none, and as it was.
///
/// A list alone is the ranking of one item.
pub(super) fn raw(tensor: &mut Tensor<'_>) -> Option<Raw> {
    if tensor.datatype != Datatype::Bytes {
        return None;
    }
    let shape = tensor.shape?;
    let width = if shape.dims > 1 {
        shape.width
    } else {
        shape.rows
    };
    let Cells::Kept(kept) = &tensor.cells else {
        return None;
    };
    let Values::Mixed(values) = kept.values() else {
        return None;
    };
    let ranked: Vec<_> = values.iter().map(Ranked::read).collect::<Option<_>>()?;
    let are_shares = ranked.chunks_exact(width).all(|row| {
        let sum: f64 = row.iter().map(|ranked| ranked.score).sum();
        row.iter().all(|r| confidence(r.score).is_some()) && sum <= 1.0 + SUM
    });
    let first = |row: &[Ranked<'_>]| {
        let best = row.first()?;
        let score = are_shares.then_some(best.score);
        Some(Output::new(best.prediction(), score))
    };
    Some(Raw {
        outputs: ranked.chunks_exact(width).filter_map(first).collect(),
        vectors: are_shares.then(|| vectors(&ranked, width)).flatten(),
        is_ranking: true,
    })
}

/// The scores of all classes by index, where every row ranks all of them.
fn vectors(ranked: &[Ranked<'_>], width: usize) -> Option<Vectors> {
    let mut numbers = vec![f64::NAN; ranked.len()];
    let mut labels = vec![None; width];
    for (row, all) in ranked.chunks_exact(width).enumerate() {
        for one in all {
            *labels.get_mut(one.index)? = one.label.and_then(walk::word);
            numbers[row * width + one.index] = one.score;
        }
    }
    let is_whole = width > 1 && numbers.iter().all(|number| !number.is_nan());
    is_whole.then(|| Vectors {
        labels: labels.into_iter().collect(),
        width,
        numbers,
        are_whole: false,
    })
}
