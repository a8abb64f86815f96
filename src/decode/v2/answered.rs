//! What the tensors of an answer say: which of them is the class, which its probabilities.
//!
//! Names tell where they do (`predict`, `label`, `predict_proba`, `scores`), else type and shape: whole
//! numbers, truth values and texts, one for each row, are classes; floats, one for each row, are
//! values; several floats for each row are scores. Where two could be the same, neither is.

use super::{
    super::{
        inference::{Output, Prediction, Scalar, Values},
        meaning::{self, Field, Raw, Vectors},
        predictions::Items,
        table::TooLarge,
        walk,
    },
    ranking,
    tensor::{Datatype, Shape, Tensor},
};

/// Items that any answer may have.
const FREE_ITEMS: usize = 4096;

/// What the name of an output says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Class,
    Scores,
    /// What was written, which is no class.
    Text,
    Open,
}

/// The items of an answer; `bytes`: of both bodies.
pub(in crate::decode) fn raw(mut tensors: Vec<Tensor<'_>>, bytes: usize) -> Result<Raw, TooLarge> {
    tensors.retain(|tensor| tensor.whole().is_some() && !tensor.is_over());
    let most = tensors.iter().map(|tensor| shape(tensor).rows).max();
    if most.is_some_and(|items| items > (bytes / 4).max(FREE_ITEMS)) {
        return Err(TooLarge);
    }
    let mut rankings = tensors.iter().filter_map(ranking::raw);
    if let Some(raw) = rankings.next()
        && rankings.next().is_none()
    {
        return Ok(raw);
    }
    let class = class(&tensors);
    let scores = scores(&tensors);
    let sure = only(&tensors, |t| is_list(t) && is_of(t, Role::Scores));
    Ok(match (class, scores, sure) {
        (Some(class), scores, sure) => with_class(&mut tensors, class, scores, sure),
        (None, Some(at), _) | (None, None, Some(at)) => vectors(&mut tensors[at]),
        (None, None, None) => match only(&tensors, |t| is_list(t) && t.datatype.is_float()) {
            Some(at) => vectors(&mut tensors[at]),
            None => unknown(&tensors),
        },
    })
}

/// A model without batches answers a list with a list: where the only output is a list of floats
/// and `is_row` says that lists of other lengths were asked, it is one row.
pub(in crate::decode) fn unbatch(
    tensors: &mut [Tensor<'_>],
    is_row: impl FnOnce(usize) -> bool,
) -> Option<()> {
    let [tensor] = tensors else {
        return None;
    };
    let Shape { rows, dims, .. } = tensor.whole()?;
    if dims == 1 && rows > 1 && tensor.datatype.is_float() && is_row(rows) {
        tensor.shape = Shape::SCALAR.with(1)?.with(rows);
    }
    Some(())
}

/// Whether the tensors of a request are lists, none of them of `items` elements.
pub(in crate::decode) fn are_one_row(tensors: &[Tensor<'_>], items: usize) -> bool {
    let is_other = |tensor: &Tensor<'_>| {
        let shape = tensor.whole();
        shape.is_some_and(|shape| shape.dims == 1 && shape.rows != items)
    };
    !tensors.is_empty() && tensors.iter().all(is_other)
}

fn shape(tensor: &Tensor<'_>) -> Shape {
    tensor.shape.unwrap_or(Shape::SCALAR)
}

/// One element for each row.
fn is_list(tensor: &Tensor<'_>) -> bool {
    shape(tensor).width == 1
}

fn is_of(tensor: &Tensor<'_>, role: Role) -> bool {
    self::role(&tensor.name) == role
}

pub(super) fn role(name: &str) -> Role {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_short = || {
        let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "prob" | "probs"))
    };
    if has(&["proba", "score", "softmax", "confidence"]) || is_short() {
        Role::Scores
    } else if has(&["label", "class", "predict"]) {
        Role::Class
    } else if has(&["text", "generat", "completion"]) {
        Role::Text
    } else {
        Role::Open
    }
}

/// The place of the only one.
pub(super) fn only(tensors: &[Tensor<'_>], is_it: impl Fn(&Tensor<'_>) -> bool) -> Option<usize> {
    let mut places = (0..tensors.len()).filter(|at| is_it(&tensors[*at]));
    places.next().filter(|_| places.next().is_none())
}

fn class(tensors: &[Tensor<'_>]) -> Option<usize> {
    let is_named = |t: &Tensor<'_>| is_list(t) && is_of(t, Role::Class);
    only(tensors, is_named)
        .or_else(|| only(tensors, |t| is_named(t) && t.datatype == Datatype::Bytes))
        .or_else(|| {
            let is_class = |t: &Tensor<'_>| !t.datatype.is_float() && is_of(t, Role::Open);
            only(tensors, |t| is_list(t) && is_class(t)).filter(|_| !tensors.iter().any(is_named))
        })
}

/// Several floats for each row.
fn scores(tensors: &[Tensor<'_>]) -> Option<usize> {
    let is_wide = |t: &Tensor<'_>| shape(t).width > 1 && t.datatype.is_float();
    only(tensors, |t| is_wide(t) && is_of(t, Role::Scores)).or_else(|| only(tensors, is_wide))
}

/// Classes, with their probabilities where there are as many.
fn with_class(
    tensors: &mut [Tensor<'_>],
    class: usize,
    scores: Option<usize>,
    sure: Option<usize>,
) -> Raw {
    let mut outputs = outputs(&mut tensors[class]);
    let name = tensors[class].name.to_ascii_lowercase();
    let is_class = ["label", "class"].iter().any(|word| name.contains(word));
    let mut vectors = None;
    if let Some(at) = scores
        && shape(&tensors[at]).rows == outputs.len()
    {
        vectors = self::vectors(&mut tensors[at]).vectors;
    } else if let Some(at) = sure.filter(|at| *at != class)
        && shape(&tensors[at]).rows == outputs.len()
        && let Values::Numbers(shares) = tensors[at].take(0, 1)
    {
        for (output, share) in outputs.iter_mut().zip(shares) {
            output.be_sure(Some(share));
        }
    }
    Raw {
        field: if is_class { Field::Class } else { Field::Open },
        outputs,
        vectors,
        ..Raw::default()
    }
}

fn outputs(tensor: &mut Tensor<'_>) -> Vec<Output> {
    let datatype = tensor.datatype;
    match tensor.take(0, 1) {
        Values::Numbers(numbers) => {
            let are_whole = match datatype {
                Datatype::Unknown => numbers.iter().all(|number| number.fract() == 0.0),
                datatype => !datatype.is_float(),
            };
            let number = |number: f64| match (datatype, number) {
                (Datatype::Bool, 0.0) => Prediction::Bool(false),
                (Datatype::Bool, 1.0) => Prediction::Bool(true),
                _ => meaning::scalar(number, are_whole),
            };
            let outputs = numbers.into_iter().map(|n| Output::from(number(n)));
            outputs.collect()
        }
        Values::Mixed(values) => values.into_iter().map(output).collect(),
    }
}

fn output(value: Scalar) -> Output {
    Output::from(match value {
        Scalar::Text(text) if text.starts_with(['{', '[']) => return described(&text),
        Scalar::Text(text) => Prediction::named(&text),
        Scalar::Bool(value) => Prediction::Bool(value),
        Scalar::Number(number) => meaning::scalar(number, number.fract() == 0.0),
        Scalar::Missing => Prediction::Unknown,
    })
}

/// An item that is JSON in a text, as pipelines of Hugging Face answer through `MLServer`: the class
/// that is surest.
fn described(text: &str) -> Output {
    let items = Items {
        bytes: text.len(),
        has_maps: false,
        has_numbers: false,
    };
    let raw = walk::read("", text.as_bytes(), items).ok().flatten();
    let outputs = raw.map(|raw| raw.outputs).unwrap_or_default();
    let surest = outputs.into_iter().reduce(|best, next| {
        let is_surer = next.confidence() > best.confidence();
        if is_surer { next } else { best }
    });
    surest.unwrap_or_else(|| Output::from(Prediction::Unknown))
}

fn vectors(tensor: &mut Tensor<'_>) -> Raw {
    let shape = shape(tensor);
    match tensor.take(0, 1) {
        Values::Numbers(numbers) => Raw {
            vectors: Some(Vectors {
                width: shape.width,
                numbers: numbers.into(),
                ..Vectors::default()
            }),
            ..Raw::default()
        },
        Values::Mixed(_) => nothing(shape.rows),
    }
}

/// Items of which nothing is known, where it is known how many.
fn unknown(tensors: &[Tensor<'_>]) -> Raw {
    let Some(rows) = tensors.first().map(|tensor| shape(tensor).rows) else {
        return Raw::default();
    };
    let agree = tensors.iter().all(|tensor| shape(tensor).rows == rows);
    let has_texts = tensors.iter().any(|tensor| is_of(tensor, Role::Text));
    Raw {
        field: if has_texts { Field::Text } else { Field::Open },
        ..nothing(if agree { rows } else { 0 })
    }
}

fn nothing(items: usize) -> Raw {
    Raw {
        outputs: vec![Output::from(Prediction::Unknown); items],
        ..Raw::default()
    }
}
