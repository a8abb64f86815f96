//! The V1 protocol of `TensorFlow` Serving, which `KServe` speaks too.
//!
//! | | path `/v1/models/{model}[/versions/{version}]:predict`, `:classify`, `:regress` |
//! |---|---|
//! | request | `{"instances": rows}`, `{"inputs": rows or columns}`, `{"examples": rows}` |
//! | answer | `{"predictions": items}`, `{"outputs": items or columns}`, `{"results": items}` or, as documented, `{"result": items}` |
//!
//! From the protocol's description in the documentation of `TensorFlow` Serving (REST API) and of
//! `KServe` (V1 protocol). Model and version are those of the path; a label stands for a version.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Pair, Prediction,
    meaning::Raw,
    predictions::Claimed,
    rows::{Data, Rows},
    shown,
    table::Table,
    walk::{self, At, Leaf, Name, Node},
};
use crate::capture::name::verb;

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
    verb: &'a str,
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Option<Self> {
        // the verb first: most paths have none
        let (path, verb) = verb(path)?;
        let (_, named) = path.split_once("/v1/models/")?;
        let mut segments = named.split('/');
        let model = segments.next().filter(|model| !model.is_empty())?;
        let version = match segments.next() {
            Some("versions" | "labels") => Some(segments.next()?),
            Some(_) => return None,
            None => None,
        };
        let is_known = matches!(verb, "predict" | "classify" | "regress");
        (is_known && segments.next().is_none()).then_some(Self {
            model,
            version,
            verb,
        })
    }
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let items = Claimed::within(pair.bytes());
    let raw = walk::read(FORMAT, pair.response, Answered(items))?;
    let Some(mut raw) = raw else {
        return Ok(None);
    };
    if Target::of(&pair.exchange.path).is_some_and(|target| target.verb == "regress") {
        raw.outputs
            .iter_mut()
            .for_each(|output| be_value(&mut output.prediction));
    }
    Ok(Some(Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// A regression gives values, also where they are written without a fraction.
#[expect(clippy::cast_precision_loss, reason = "values are floats")]
fn be_value(prediction: &mut Prediction) {
    if let Prediction::Index(value) = prediction {
        *prediction = Prediction::Value(*value as f64);
    }
}

/// The whole answer.
#[derive(Clone, Copy)]
struct Answered(Claimed);

impl<'de> Node<'de> for Answered {
    type Found = Option<Raw>;

    fn leaf(self, _: Leaf<'_>) -> Option<Raw> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let mut raw = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "predictions" | "result" | "results" => raw = object.next_value_seed(At(self.0))?,
                "outputs" => raw = object.next_value_seed(At(Outputs(self.0)))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(raw)
    }
}

/// The only tensor, or an object of several.
struct Outputs(Claimed);

impl<'de> Node<'de> for Outputs {
    type Found = Option<Raw>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Raw> {
        self.0.leaf(leaf)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.0.list(list)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Raw>, A::Error> {
        self.0.columns().object(object)
    }
}

/// The path names the model even where the body cannot be read.
fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let too_large = DecodeError::TooLarge { format: FORMAT };
    let bytes = pair.request.len();
    let table = match walk::read(FORMAT, pair.request, Requested(Data { bytes })) {
        Ok(Some(rows)) => rows.settle(items).map_err(|_| too_large)?,
        Err(error) if error == too_large => return Err(error),
        Ok(None) | Err(_) => None,
    };
    let target = Target::of(&pair.exchange.path);
    if table.is_none() && target.is_none() {
        return Ok(None);
    }
    Ok(Some(Asked {
        model: target
            .as_ref()
            .and_then(|target| shown::segment(target.model)),
        version: target.and_then(|target| shown::segment(target.version?)),
        table: table.unwrap_or_else(Table::default),
        note: None,
    }))
}

/// The whole request.
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
                "instances" | "examples" => rows = object.next_value_seed(At(Instances(self.0)))?,
                "inputs" => rows = Some(object.next_value_seed(At(self.0))?),
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(rows)
    }
}

/// A list of rows; anything else is none.
struct Instances(Data);

impl<'de> Node<'de> for Instances {
    type Found = Option<Rows>;

    fn leaf(self, _: Leaf<'_>) -> Option<Rows> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Rows>, A::Error> {
        self.0.list(list).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Inference, decoded},
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

    #[test]
    fn columns_of_a_request_meet_columns_of_an_answer() {
        let read = both(
            r#"{"inputs":{"a":[[1],[2]],"b":[[3],[4]]}}"#,
            r#"{"outputs":{"classes":["x","y"],"probabilities":[[0.9,0.1],[0.3,0.7]]}}"#,
        );
        assert_eq!((read.rows, read.features.len()), (2, 2));
        assert_eq!(read.outputs[1].class().as_deref(), Some("y"));
        assert_eq!(read.outputs[1].confidence(), Some(0.7));
        let tensor = both(r#"{"inputs":[[1,2]]}"#, r#"{"outputs":[[0.9,0.1]]}"#);
        assert_eq!(tensor.outputs[0].prediction, Prediction::Index(0));
    }

    #[test]
    fn bare_nan_is_a_missing_value() {
        let read = both(
            r#"{"instances":[[NaN,1],[2,Infinity]]}"#,
            r#"{"predictions":[NaN,1.5]}"#,
        );
        assert_eq!((read.rows, read.items()), (2, 2));
        assert_eq!(read.outputs[0].prediction, Prediction::Unknown);
        assert_eq!(read.outputs[1].value(), Some(1.5));
    }

    #[test]
    fn a_regression_of_whole_numbers_has_values() {
        let path = "/serving/v1/models/m/labels/stable:regress";
        let exchange = Exchange::example(path, r#"{"examples":[{"a":1}]}"#, r#"{"result":[3]}"#);
        let read = decoded(&exchange).unwrap();
        assert_eq!(read.outputs[0].value(), Some(3.0));
        assert_eq!(read.version.as_deref(), Some("stable"));
    }

    /// The server writes `results`, its documentation `result`.
    #[test]
    fn results_are_read_as_the_server_spells_them() {
        let path = "/v1/models/m:regress";
        let request = r#"{"context":{"c":1},"examples":[{"a":1},{"a":2}]}"#;
        let exchange = Exchange::example(path, request, r#"{"results":[3,4]}"#);
        let read = decoded(&exchange).unwrap();
        assert_eq!((read.format, read.rows), ("v1", 2));
        assert_eq!(read.outputs[1].value(), Some(4.0));
        let path = "/v1/models/m:classify";
        let answer = r#"{"results":[[["x",0.3],["y",0.7]],[["x",0.6],["y",0.4]]]}"#;
        let read = decoded(&Exchange::example(path, request, answer)).unwrap();
        assert_eq!((read.format, read.rows), ("v1", 2));
        assert_eq!(read.features.len(), 1);
        assert_eq!(read.outputs[0].class().as_deref(), Some("y"));
    }

    #[test]
    fn the_path_names_the_model_of_a_request_that_cannot_be_read() {
        for request in [r#"{"instances":"abc"}"#, r#"{"instances":[[5.1,"#, ""] {
            let mut exchange = Exchange::example(PATH, request, "");
            exchange.status = 400;
            let read = decoded(&exchange).unwrap();
            assert_eq!((read.format, read.items()), ("v1", 0), "{request}");
            assert_eq!(read.model.as_deref(), Some("iris"));
        }
    }
}
