//! The V1 protocol of `TensorFlow` Serving, which `KServe` speaks too.
//!
//! | | path `/v1/models/{model}[/versions/{version}]:predict`, `:classify`, `:regress` |
//! |---|---|
//! | request | `{"instances": rows}`, `{"inputs": rows or columns}`, `{"examples": rows}` |
//! | answer | `{"predictions": items}`, `{"outputs": items}`, `{"result": items}` |
//!
//! From the protocol's description in the documentation of `TensorFlow` Serving (REST API).

use serde::de::{IgnoredAny, MapAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Pair,
    meaning::Raw,
    predictions::Items,
    rows::{Data, Rows},
    walk::{self, At, Leaf, Name, Node},
};

const FORMAT: &str = "v1";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| Target::of(&pair.exchange.path).is_some(),
    is_anywhere: false,
    answer,
    request,
};

/// What a path asks for.
struct Target<'a> {
    model: &'a str,
    version: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let (named, verb) = path.strip_prefix("/v1/models/")?.split_once(':')?;
        let mut segments = named.split('/');
        let model = segments.next().filter(|model| !model.is_empty())?;
        let version = match segments.next() {
            Some("versions" | "labels") => Some(segments.next()?),
            Some(_) => return None,
            None => None,
        };
        matches!(verb, "predict" | "classify" | "regress").then_some(Self { model, version })
    }
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
    };
    let raw = walk::read(FORMAT, pair.response, Answered(items))?;
    Ok(raw.map(|raw| Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

#[derive(Clone, Copy)]
struct Answered(Items);

impl<'de> Node<'de> for Answered {
    type Found = Option<Raw>;

    fn leaf(self, _: Leaf<'_>) -> Option<Raw> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let mut raw = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "predictions" | "outputs" | "result" => raw = object.next_value_seed(At(self.0))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(raw)
    }
}

fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let bytes = pair.request.len();
    let rows = walk::read(FORMAT, pair.request, Requested(Data { bytes }))?;
    let Some(rows) = rows else {
        return Ok(None);
    };
    let target = Target::of(&pair.exchange.path);
    let table = rows
        .settle(items)
        .map_err(|_| DecodeError::TooLarge { format: FORMAT })?;
    Ok(table.map(|table| Asked {
        model: target.as_ref().and_then(|target| walk::word(target.model)),
        version: target.and_then(|target| walk::word(target.version?)),
        table,
    }))
}

#[derive(Clone, Copy)]
struct Requested(Data);

impl<'de> Node<'de> for Requested {
    type Found = Option<Rows>;

    fn leaf(self, _: Leaf<'_>) -> Option<Rows> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Rows>, A::Error> {
        let mut rows = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "instances" | "inputs" | "examples" => {
                    rows = Some(object.next_value_seed(At(self.0))?);
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Inference, Prediction, decoded},
        *,
    };
    use crate::capture::Exchange;

    const PATH: &str = "/v1/models/iris/versions/3:predict";

    fn both(request: &str, response: &str) -> Inference {
        decoded(&Exchange::example(PATH, request, response)).unwrap()
    }

    #[test]
    fn model_and_version_are_of_the_path() {
        let read = both(r#"{"instances":[[1,2]]}"#, r#"{"predictions":[0]}"#);
        assert_eq!(read.format, "v1");
        assert_eq!(
            (read.model.as_deref(), read.version.as_deref()),
            (Some("iris"), Some("3"))
        );
        assert!(Target::of("/v1/models/iris").is_none());
        assert!(Target::of("/v1/models/iris/metadata").is_none());
        assert!(Target::of("/v1/models/iris:explain").is_none());
    }

    #[test]
    fn rows_of_probabilities_are_the_most_probable_class() {
        let read = both(
            r#"{"instances":[[1,2],[3,4]]}"#,
            r#"{"predictions":[[0.9,0.1],[0.2,0.8]]}"#,
        );
        let predictions = read.outputs.iter().map(|o| o.prediction.clone());
        let expected = [Prediction::Index(0), Prediction::Index(1)];
        assert_eq!(predictions.collect::<Vec<_>>(), expected);
        assert_eq!(read.outputs[1].confidence(), Some(0.8));
        assert_eq!(read.probabilities.unwrap().shares.len(), 4);
    }

    #[test]
    fn a_ranking_of_labels_is_the_best_of_them() {
        let read = both(
            r#"{"examples":[{"a":1},{"a":2}]}"#,
            r#"{"result":[[["x",0.3],["y",0.7]],[["x",0.6],["y",0.4]]]}"#,
        );
        let classes: Vec<_> = read
            .outputs
            .iter()
            .filter_map(super::super::Output::class)
            .collect();
        assert_eq!(classes, ["y", "x"]);
        assert_eq!(read.outputs[0].confidence(), Some(0.7));
    }
}
