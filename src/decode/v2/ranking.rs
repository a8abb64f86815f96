//! The classification extension: texts `score:index` or `score:index:label`, the best first.
//!
//! Source: the classification extension in Triton's documentation of its protocol.

use super::{
    super::{
        inference::{Output, Prediction, Scalar, Values, confidence},
        meaning::{self, Raw, Vectors},
        walk,
    },
    tensor::{Cells, Datatype, Tensor},
};

/// One class of a ranking.
struct Ranked<'a> {
    score: f64,
    index: usize,
    label: Option<&'a str>,
}

impl<'a> Ranked<'a> {
    /// `alone`: no other stands beside it, and `12:30` is a time.
    fn read(value: &'a Scalar, alone: bool) -> Option<Self> {
        let Scalar::Text(text) = value else {
            return None;
        };
        let mut parts = text.splitn(3, ':');
        let (score, index) = (parts.next()?, parts.next()?);
        let label = parts.next();
        let is_score = !alone || label.is_some() || score.contains(['.', 'e', 'n']);
        Some(Self {
            score: score.parse().ok().filter(|_| is_score)?,
            index: index.parse().ok()?,
            label,
        })
    }

    fn prediction(&self) -> Prediction {
        match self.label {
            Some(label) if !label.is_empty() => Prediction::named(label),
            _ => i64::try_from(self.index).map_or(Prediction::Unknown, Prediction::Index),
        }
    }
}

/// The first class of each row of a ranking; `None`: the tensor is none.
///
/// A list alone is the ranking of one item.
pub(super) fn raw(tensor: &Tensor<'_>) -> Option<Raw> {
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
    // read twice: a list of what was read would take twice the room of the texts
    let rows = || {
        let read = move |value| Ranked::read(value, width == 1);
        values
            .chunks_exact(width)
            .map(move |row| row.iter().map(read))
    };
    if !rows().flatten().all(|ranked| ranked.is_some()) {
        return None;
    }
    let rows = || rows().map(Iterator::flatten);
    let are_shares = rows().all(|mut row| {
        let sum = row.try_fold(0.0, |sum, one| Some(sum + confidence(one.score)?));
        sum.is_some_and(|sum| sum <= 1.0 + meaning::SUM)
    });
    Some(Raw {
        outputs: rows().filter_map(|row| output(row, are_shares)).collect(),
        vectors: are_shares
            .then(|| vectors(rows(), width, values.len()))
            .flatten(),
        is_ranking: true,
        ..Raw::default()
    })
}

/// The first of a row.
fn output<'a>(mut row: impl Iterator<Item = Ranked<'a>>, is_share: bool) -> Option<Output> {
    let best = row.next()?;
    Some(Output::new(
        best.prediction(),
        is_share.then_some(best.score),
    ))
}

/// The scores of all classes by index, where every row ranks all of them.
fn vectors<'a>(
    rows: impl Iterator<Item = impl Iterator<Item = Ranked<'a>>>,
    width: usize,
    len: usize,
) -> Option<Vectors> {
    let mut numbers = vec![f64::NAN; len];
    let mut labels = vec![None; width];
    for (row, all) in rows.enumerate() {
        for one in all {
            *labels.get_mut(one.index)? = one
                .label
                .filter(|label| !label.is_empty())
                .map(|label| walk::cut(label).into());
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
