//! What an answer says under the usual names of classes and scores.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        Answer, DecodeError, Output, Pair,
        inference::confidence,
        is_prediction_route,
        meaning::{self, Raw, Vectors, as_vector, number},
        predictions::Items,
        walk::{self, At, Leaf, Name, Node, Word},
    },
    Shape,
};

/// What the answer says; `None`: it is of another shape.
pub(super) fn read(format: &'static str, pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if !pair.answers_object() && !is_prediction_route(pair.exchange) {
        // a bare list is never sure to be a prediction
        return Ok(None);
    }
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
    };
    // here a class or a number alone is an answer too
    let Some(found) = walk::value(format, pair.response, Document(items))? else {
        return Ok(None);
    };
    // a request that is no JSON says nothing
    let shape = pair.shape().unwrap_or_default();
    Ok(found.settle(shape))
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
            let label = |o: &Output| o.class().unwrap_or_default().into_owned();
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

fn is_distribution(outputs: &[Output]) -> bool {
    let share = |output: &Output| number(output).and_then(confidence).unwrap_or(f64::NAN);
    outputs.len() > 1 && meaning::is_distribution(outputs.iter().map(share))
}

/// The whole body.
#[derive(Clone, Copy)]
struct Document(Items);

impl<'de> Node<'de> for Document {
    type Found = Option<Found>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Found> {
        let is_null = matches!(leaf, Leaf::Null);
        Some(Found {
            class: self.0.leaf(leaf).filter(|_| !is_null),
            is_bare: true,
            ..Found::default()
        })
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Found>, A::Error> {
        let class = self.0.list(list)?;
        Ok(Some(Found {
            class,
            is_bare: true,
            ..Found::default()
        }))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Found>, A::Error> {
        let mut found = Found::default();
        // an item has its class and its score here, and its row in the request
        let items = Items {
            bytes: self.0.bytes / 2,
            ..self.0
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
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(found))
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
