//! What an answer says under the usual names of classes and scores.

use std::borrow::Cow;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        Answer, DecodeError, Output, Pair, Prediction, Text,
        inference::confidence,
        is_prediction_route,
        meaning::{self, Raw, Vectors, as_vector, number},
        predictions::{Builder, Items, Shares, TooLarge, says_no_prediction},
        walk::{self, At, Leaf, Name, Node, Number, Word},
    },
    Shape,
};
use crate::config::RouteKind;

/// What the answer says; `None`: it is of another shape.
pub(super) fn read(format: &'static str, pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if !pair.answers_object() && !is_prediction_route(pair.exchange) {
        // a bare list is never sure to be a prediction
        return Ok(None);
    }
    let route = pair.exchange.route.as_deref();
    let kind = route.map_or(RouteKind::Ignore, |route| route.kind);
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
        has_numbers: gives_numbers(kind),
    };
    // here a class or a number alone is an answer too
    let Some(found) = walk::value(format, pair.response, Document { items, kind })? else {
        return Ok(None);
    };
    // a request that is no JSON says nothing
    let shape = pair.shape().unwrap_or_default();
    Ok(found.settle(shape))
}

/// Whether a number under any name is what was predicted.
fn gives_numbers(kind: RouteKind) -> bool {
    matches!(kind, RouteKind::Regress | RouteKind::Probabilities)
}

/// The fields of an answer.
#[derive(Default)]
struct Found {
    class: Option<Raw>,
    /// Of `classes`, `labels`: those of the items, or the names of all.
    names: Option<Raw>,
    scores: Option<Raw>,
    /// A name says that something is predicted.
    is_predicted: bool,
    /// It is a list.
    is_bare: bool,
    model: Option<String>,
    version: Option<String>,
}

impl Found {
    fn settle(mut self, shape: Shape) -> Option<Answer> {
        self.name_scores();
        let class = self.class.or(self.names);
        let has_both = class.is_some() && self.scores.is_some();
        let mut raw = match (class, self.scores) {
            (Some(class), Some(scores)) => class_and_scores(class, scores)?,
            (Some(raw), None) => raw,
            (None, Some(scores)) => as_vector(scores),
            (None, None) => return None,
        };
        if shape.vouches_for(1) && raw.items() > 1 && is_distribution(&raw.outputs) {
            raw = as_vector(raw);
        }
        if raw.items() == 0 {
            return None;
        }
        let is_sure = |raw: &Raw| {
            let has_score = raw.outputs.iter().any(|o| o.confidence().is_some());
            has_score || raw.vectors.as_ref().is_some_and(Vectors::are_distributions)
        };
        let sure =
            !self.is_bare && (self.is_predicted || is_sure(&raw) || shape.vouches_for(raw.items()));
        // a score that is no share tells of something else than a class
        (!has_both || is_sure(&raw)).then_some(Answer {
            model: self.model,
            version: self.version,
            raw,
            sure,
            ..Answer::default()
        })
    }

    /// Names of classes are put to the scores of these, if they are as many.
    fn name_scores(&mut self) {
        let Some(names) = &self.names else {
            return;
        };
        let Some(scores) = self.scores.take() else {
            return;
        };
        let mut scores = if is_distribution(&scores.outputs) {
            as_vector(scores)
        } else {
            scores
        };
        if let Some(vectors) = &mut scores.vectors
            && vectors.width > 1
            && vectors.width == names.outputs.len()
            && names.outputs.iter().all(|o| o.class().is_some())
        {
            let label = |o: &Output| o.class().unwrap_or_default().into();
            vectors.labels = Some(names.outputs.iter().map(label).collect());
            self.names = None;
        }
        self.scores = Some(scores);
    }
}

/// Each class with the score beside it; `None`: they are not as many.
fn class_and_scores(mut class: Raw, scores: Raw) -> Option<Raw> {
    let items = class.outputs.len();
    if class.vectors.is_some() || items == 0 {
        return Some(class);
    }
    let scores = if items == 1 && scores.outputs.len() > 1 {
        as_vector(scores)
    } else {
        scores
    };
    if let Some(vectors) = scores.vectors {
        if scores.outputs.is_empty() && vectors.rows() == items {
            sure_by_place(&mut class.outputs, &vectors);
        }
        class.vectors = (vectors.rows() == items).then_some(vectors);
    } else if scores.outputs.len() == items {
        for (output, score) in class.outputs.iter_mut().zip(&scores.outputs) {
            output.be_sure(number(score));
        }
    } else {
        return None;
    }
    Some(class)
}

/// The place of a class finds its probability, where a list beside them has names for all.
fn sure_by_place(outputs: &mut [Output], vectors: &Vectors) {
    if vectors.labels.is_none() || !vectors.are_distributions() {
        return;
    }
    let rows = vectors.numbers.chunks_exact(vectors.width);
    for (output, shares) in outputs.iter_mut().zip(rows) {
        let place = output.prediction.place();
        let is_named = |labels: &Vec<Text>| {
            labels
                .iter()
                .any(|l| output.class().is_some_and(|c| *c == **l))
        };
        if !vectors.labels.as_ref().is_some_and(is_named) {
            output.be_sure(place.and_then(|place| shares.get(place).copied()));
        }
    }
}

fn is_distribution(outputs: &[Output]) -> bool {
    let share = |output: &Output| number(output).and_then(confidence).unwrap_or(f64::NAN);
    outputs.len() > 1 && meaning::is_distribution(outputs.iter().map(share))
}

/// The whole body.
#[derive(Clone, Copy)]
struct Document {
    items: Items,
    /// What its route gives; without one, nothing.
    kind: RouteKind,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Found>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Found> {
        let is_null = matches!(leaf, Leaf::Null);
        Some(Found {
            class: self.items.leaf(leaf).filter(|_| !is_null),
            is_bare: true,
            ..Found::default()
        })
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Found>, A::Error> {
        let class = self.items.list(list)?;
        Ok(Some(Found {
            class,
            is_bare: true,
            ..Found::default()
        }))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Found>, A::Error> {
        let mut found = Found::default();
        let mut others = Others::default();
        // an item has its class and its score here, and its row in the request
        let items = Items {
            bytes: self.items.bytes / 2,
            ..self.items
        };
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "output" | "outputs" | "label" | "class" | "class_name" | "result" | "results" => {
                    let class = object.next_value_seed(At(items))?;
                    found.class = class.or(found.class);
                }
                "prediction" | "predictions" | "predicted" | "predicted_class"
                | "predicted_classes" | "predicted_label" | "predicted_labels" | "y_pred" => {
                    let class = object.next_value_seed(At(items))?;
                    found.is_predicted |= class.is_some();
                    found.class = class.or(found.class);
                }
                "classes" | "labels" | "class_names" => {
                    found.names = object.next_value_seed(At(items))?;
                }
                "score" | "scores" | "confidence" | "confidences" | "probability"
                | "probabilities" | "prob" | "probs" | "proba" => {
                    let scores = object.next_value_seed(At(items))?;
                    found.scores = more(found.scores, scores);
                }
                "model" | "model_name" => {
                    let word = object.next_value_seed(At(Word))?;
                    found.model = word.or(found.model);
                }
                "model_version" => found.version = object.next_value_seed(At(Word))?,
                _ if self.kind == RouteKind::Ignore || says_no_prediction(&name) => {
                    object.next_value::<IgnoredAny>()?;
                }
                _ => {
                    let number = object.next_value_seed(At(Number))?;
                    others.put(name, number);
                }
            }
        }
        if found.class.is_none() && found.names.is_none() && found.scores.is_none() {
            found.class = others.raw(self.kind).map_err(A::Error::custom)?;
        }
        Ok(Some(found))
    }
}

/// Fields of other names.
#[derive(Default)]
struct Others<'de> {
    numbers: Shares<'de>,
    /// Some are no numbers.
    are_mixed: bool,
}

impl<'de> Others<'de> {
    fn put(&mut self, name: Cow<'de, str>, number: Option<f64>) {
        match number {
            Some(number) => self.numbers.push_name(name, number),
            None => self.are_mixed = true,
        }
    }

    /// The item that they are: shares of all its classes, or the only number where the route says
    /// that one is given.
    fn raw(self, kind: RouteKind) -> Result<Option<Raw>, TooLarge> {
        let mut builder = Builder::within(0);
        if !self.are_mixed && kind != RouteKind::Regress && self.numbers.is_ranking(false) {
            builder.ranking(self.numbers)?;
        } else if gives_numbers(kind)
            && let Some(number) = self.numbers.only_number()
        {
            builder.output(Output::from(Prediction::Value(number)))?;
        } else {
            return Ok(None);
        }
        Ok(builder.finish())
    }
}

/// Of two fields with scores, the one that says more: probabilities of all classes.
fn more(first: Option<Raw>, second: Option<Raw>) -> Option<Raw> {
    let says = |raw: &Option<Raw>| match raw {
        None => 0,
        Some(raw) if raw.vectors.is_none() => 1 + usize::from(raw.outputs.len() > 1),
        Some(_) => 3,
    };
    if says(&second) > says(&first) {
        second
    } else {
        first
    }
}
