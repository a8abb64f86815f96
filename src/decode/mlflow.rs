//! The scoring protocol of `MLflow`.
//!
//! | | path `/invocations` |
//! |---|---|
//! | request | one of `{"dataframe_split": frame}`, `{"dataframe_records": rows}`, `{"instances": rows}`, `{"inputs": rows or columns}`, or CSV whose first line has the names |
//! | answer | `{"predictions": items}` |
//! | version 1 | a frame or rows alone, as `application/json; format=pandas-split` or `-records`; answered with items alone |
//!
//! From the documentation of `MLflow` (Deploy `MLflow` Model as a Local Inference Server, inference
//! server specification). Neither model nor version is on the wire.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Pair,
    csv::{self, Header},
    frame::{Frame, Framed},
    meaning::Raw,
    predictions::Claimed,
    rows::Data,
    sagemaker,
    walk::{self, At, Leaf, Name, Node},
};

const FORMAT: &str = "mlflow";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| {
        pair.exchange.path.ends_with("/invocations") && !sagemaker::is_of_its_own_kind(pair)
    },
    is_anywhere: false,
    answer,
    request,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let items = Claimed::within(pair.bytes());
    if pandas(pair).is_some() && !pair.answers_object() {
        let raw = walk::read(FORMAT, pair.response, items)?;
        return Ok(raw.map(|raw| Answer {
            raw,
            sure: true,
            ..Answer::default()
        }));
    }
    let read = |is_column_wise| {
        let answered = Answered {
            items,
            is_column_wise,
        };
        walk::read(FORMAT, pair.response, answered)
    };
    let raw = match read(true)? {
        Found::Object => match read(false)? {
            Found::Items(raw) => Some(raw),
            Found::Object | Found::Nothing => None,
        },
        Found::Items(raw) => Some(raw),
        Found::Nothing => None,
    };
    Ok(raw.map(|raw| Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// How the rows of `MLflow` 1 stand, which content types say there: `split` or `records`. It answers with
/// a bare list.
fn pandas<'a>(pair: &Pair<'a>) -> Option<&'a str> {
    let kind = pair.exchange.request.content_type.as_deref()?;
    let (_, form) = kind.split_once("format=pandas-")?;
    form.split(';').next().map(str::trim)
}

/// The whole answer.
#[derive(Clone, Copy)]
struct Answered {
    items: Claimed,
    /// An object is columns, not one item.
    is_column_wise: bool,
}

enum Found {
    Items(Raw),
    /// An object that is not column-wise.
    Object,
    Nothing,
}

impl<'de> Node<'de> for Answered {
    type Found = Found;

    fn leaf(self, _: Leaf<'_>) -> Found {
        Found::Nothing
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Found, A::Error> {
        let mut found = Found::Nothing;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "predictions" {
                found = object.next_value_seed(At(Predictions(self)))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Predictions(Answered);

impl<'de> Node<'de> for Predictions {
    type Found = Found;

    fn leaf(self, leaf: Leaf<'_>) -> Found {
        self.0.items.leaf(leaf).map_or(Found::Nothing, Found::Items)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Found, A::Error> {
        let raw = self.0.items.list(list)?;
        Ok(raw.map_or(Found::Nothing, Found::Items))
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Found, A::Error> {
        let raw = if self.0.is_column_wise {
            self.0.items.columns().object(object)?
        } else {
            self.0.items.object(object)?
        };
        Ok(raw.map_or(Found::Object, Found::Items))
    }
}

fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let table = if sagemaker::says(&pair.exchange.request, "csv") {
        csv::table(pair.request, Header::First).map_err(too_large)?
    } else {
        let bytes = pair.request.len();
        let framed = match pandas(pair) {
            Some("split") => walk::read(FORMAT, pair.request, Frame { bytes })?,
            Some(_) => Some(walk::read(FORMAT, pair.request, Data { bytes })?.into()),
            None => walk::read(FORMAT, pair.request, Requested { bytes })?,
        };
        match framed {
            Some(framed) => framed.settle(items).map_err(too_large)?,
            None => None,
        }
    };
    Ok(table.map(Asked::from))
}

/// The whole request.
#[derive(Clone, Copy)]
struct Requested {
    bytes: usize,
}

impl<'de> Node<'de> for Requested {
    type Found = Option<Framed>;

    fn leaf(self, _: Leaf<'_>) -> Option<Framed> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Framed>, A::Error> {
        let bytes = self.bytes;
        let mut found = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "dataframe_split" => found = object.next_value_seed(At(Frame { bytes }))?,
                "dataframe_records" | "instances" | "inputs" => {
                    let rows = object.next_value_seed(At(Data { bytes }))?;
                    found = Some(Framed::from(rows));
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, Prediction, decoded};
    use crate::capture::Exchange;

    fn both(request: &str, response: &str) -> Inference {
        decoded(&Exchange::example("/invocations", request, response)).unwrap()
    }

    fn names(read: &Inference) -> Vec<String> {
        let names = read.features.iter().map(|c| c.name.text().into_owned());
        names.collect()
    }

    #[test]
    fn every_form_of_a_request_is_rows() {
        for request in [
            r#"{"dataframe_split":{"columns":["a","b"],"data":[[1,2],[3,4]]}}"#,
            r#"{"dataframe_records":[{"a":1,"b":2},{"a":3,"b":4}],"params":{"k":1}}"#,
            r#"{"inputs":{"a":[1,3],"b":[2,4]}}"#,
        ] {
            let read = both(request, r#"{"predictions":["x","y"]}"#);
            assert_eq!((read.format, read.rows), ("mlflow", 2), "{request}");
            assert_eq!(names(&read), ["a", "b"], "{request}");
        }
        for request in [
            r#"{"instances":[[1,2],[3,4]]}"#,
            r#"{"inputs":[[1,2],[3,4]]}"#,
        ] {
            let read = both(request, r#"{"predictions":[0,1]}"#);
            assert_eq!(names(&read), ["0", "1"], "{request}");
        }
    }

    #[test]
    fn predictions_are_scalars_vectors_objects_or_columns() {
        let request = r#"{"inputs":["good","bad"]}"#;
        for (answer, confidence) in [
            (r#"{"predictions":["p","n"]}"#, None),
            (
                r#"{"predictions":[{"label":"p","score":0.9},{"label":"n","score":0.8}]}"#,
                Some(0.9),
            ),
            (
                r#"{"predictions":{"label":["p","n"],"score":[0.9,0.8]}}"#,
                Some(0.9),
            ),
        ] {
            let read = both(request, answer);
            let name = Prediction::Name("p".into());
            assert_eq!(read.outputs[0].prediction, name, "{answer}");
            assert_eq!(read.outputs[0].confidence(), confidence, "{answer}");
            assert_eq!(read.rows, 2);
        }
        let one = both(r#"{"inputs":[1,2]}"#, r#"{"predictions":{"label":"p"}}"#);
        assert_eq!(one.items(), 1);
    }
}
