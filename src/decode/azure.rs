//! What scoring scripts behind online endpoints of Azure Machine Learning speak.
//!
//! | | path `/score`, also below others |
//! |---|---|
//! | request | `{"data": rows}`, `{"input_data": frame, rows or columns}`, `{"Inputs": {"data": rows}, "GlobalParameters": ..}` |
//! | answer | a list of items, `{"result": items}`, `{"Results": items}`; any of them also as the text of a JSON string |
//!
//! A script's author chooses the names; these are those of the documentation of Azure Machine Learning
//! (deploy and score a machine learning model by using an online endpoint; author scoring scripts;
//! deploy `MLflow` models to online endpoints; view the code of models by `AutoML`). Neither model nor
//! version is on the wire.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Pair,
    frame::{Frame, Framed},
    meaning::Raw,
    predictions::Claimed,
    reader,
    rows::Data,
    walk::{self, At, Leaf, Name, Node},
};

const FORMAT: &str = "azure";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| pair.exchange.path.ends_with("/score"),
    is_anywhere: false,
    answer,
    request,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let body = text(pair.response);
    let items = Claimed::within(pair.bytes());
    let raw = walk::read(FORMAT, &body, Answered { items, depth: 2 })?;
    Ok(raw.map(|raw| Answer {
        raw: of_one_row(raw, pair),
        sure: true,
        ..Answer::default()
    }))
}

/// A bare list may be the probabilities of the only row.
fn of_one_row(raw: Raw, pair: &Pair<'_>) -> Raw {
    if raw.vectors.is_some() || raw.outputs.len() < 2 {
        return raw;
    }
    match request(pair, None) {
        Ok(Some(asked)) if asked.table.rows() == 1 => raw.into_vector(),
        _ => raw,
    }
}

/// What a script wrote: one that answers with `json.dumps(..)` has it encoded once more.
fn text(body: &[u8]) -> Cow<'_, [u8]> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if text.trim_ascii_start().first() == Some(&b'"')
        && let Ok(inner) = reader::parsed::<String>(text)
    {
        return Cow::Owned(inner.into_bytes());
    }
    Cow::Borrowed(body)
}

/// A list of items, or an object with one, at most so many objects deep.
#[derive(Clone, Copy)]
struct Answered {
    items: Claimed,
    depth: u8,
}

impl<'de> Node<'de> for Answered {
    type Found = Option<Raw>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Raw> {
        let is_item = match leaf {
            // what is encoded once more, deeper down, is not read
            Leaf::Text(text) => !text.trim_ascii_start().starts_with(['[', '{']),
            Leaf::Null => false,
            _ => true,
        };
        if self.depth == 1 && is_item {
            return self.items.leaf(leaf);
        }
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.items.list(list)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let mut raw = None;
        while let Some(name) = object.next_key_seed(Name)? {
            let is_result = match &*name {
                "result" | "results" | "Results" | "predictions" | "prediction" | "output" => true,
                // the outputs of a pipeline: `{"Results": {"WebServiceOutput0": [..]}}`
                _ => self.depth == 1,
            };
            match self.depth.checked_sub(1) {
                Some(depth) if is_result && raw.is_none() => {
                    let items = self.items;
                    raw = object.next_value_seed(At(Self { items, depth }))?;
                }
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
    let Some(framed) = walk::read(FORMAT, pair.request, Requested { bytes })? else {
        return Ok(None);
    };
    let table = framed
        .settle(items)
        .map_err(|_| DecodeError::TooLarge { format: FORMAT })?;
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
                "data" | "instances" => {
                    let rows = object.next_value_seed(At(Data { bytes }))?;
                    found = Some(Framed::from(rows));
                }
                "input_data" => found = object.next_value_seed(At(Input { bytes }))?,
                "Inputs" | "inputs" => found = object.next_value_seed(At(Inputs { bytes }))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A frame, rows, or columns.
struct Input {
    bytes: usize,
}

impl<'de> Node<'de> for Input {
    type Found = Option<Framed>;

    fn leaf(self, _: Leaf<'_>) -> Option<Framed> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Framed>, A::Error> {
        let bytes = self.bytes;
        Ok(Some(Framed::from(Data { bytes }.list(list)?)))
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Framed>, A::Error> {
        let bytes = self.bytes;
        Frame { bytes }.object(object)
    }
}

/// Inputs by name, of which the first list is read; or rows.
struct Inputs {
    bytes: usize,
}

impl<'de> Node<'de> for Inputs {
    type Found = Option<Framed>;

    fn leaf(self, _: Leaf<'_>) -> Option<Framed> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Framed>, A::Error> {
        let bytes = self.bytes;
        Input { bytes }.list(list)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Framed>, A::Error> {
        let bytes = self.bytes;
        let mut found = None;
        while object.next_key::<IgnoredAny>()?.is_some() {
            if found.is_none() {
                found = object.next_value_seed(At(Input { bytes }))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DecodeError, Inference, Prediction, decoded};
    use crate::capture::Exchange;

    fn both(request: &str, response: &str) -> Result<Inference, DecodeError> {
        decoded(&Exchange::example("/score", request, response))
    }

    const TWO: &str = r#"{"data":[[1,2],[3,4]]}"#;

    #[test]
    fn rows_stand_under_each_of_the_usual_names() {
        for (request, name) in [
            (TWO, "0"),
            (r#"{"data":[{"a":1,"b":2},{"a":3,"b":4}]}"#, "a"),
            (r#"{"input_data":[[1,2],[3,4]]}"#, "0"),
            (r#"{"input_data":{"a":[1,3],"b":[2,4]}}"#, "a"),
            (
                r#"{"input_data":{"columns":["a","b"],"index":[0,1],"data":[[1,2],[3,4]]},"params":{}}"#,
                "a",
            ),
            (
                r#"{"Inputs":{"data":[{"a":1,"b":2},{"a":3,"b":4}]},"GlobalParameters":{"method":"predict"}}"#,
                "a",
            ),
            (
                r#"{"Inputs":{"WebServiceInput0":[{"a":1,"b":2},{"a":3,"b":4}]}}"#,
                "a",
            ),
        ] {
            let read = both(request, "[0,1]").unwrap();
            assert_eq!((read.format, read.rows), ("azure", 2), "{request}");
            assert_eq!(read.features.len(), 2, "{request}");
            assert_eq!(read.features[0].name.text(), name, "{request}");
        }
    }

    #[test]
    fn an_answer_is_a_list_wherever_it_stands_and_however_often_it_is_encoded() {
        for answer in [
            "[0,1]",
            r#""[0, 1]""#,
            r#"{"result":[0,1]}"#,
            r#""{\"result\": [0, 1]}""#,
            r#"{"Results":[0,1]}"#,
            r#"{"Results":{"WebServiceOutput0":[0,1]}}"#,
            r#"{"predictions":[0,1]}"#,
        ] {
            let read = both(TWO, answer).unwrap();
            let predictions = read.outputs.iter().map(|o| o.prediction.clone());
            let expected = [Prediction::Index(0), Prediction::Index(1)];
            assert_eq!(predictions.collect::<Vec<_>>(), expected, "{answer}");
        }
    }

    #[test]
    fn the_only_result_may_stand_alone() {
        let read = both(r#"{"data":[[1,2]]}"#, r#"{"result":"low"}"#).unwrap();
        assert_eq!(read.outputs[0].class().as_deref(), Some("low"));
        let read = both(r#"{"data":[[1,2]]}"#, r#"{"result":3.5}"#).unwrap();
        assert_eq!(read.outputs[0].value(), Some(3.5));
    }

    #[test]
    fn a_bare_list_for_one_row_is_its_probabilities() {
        let read = both(r#"{"data":[[1,2]]}"#, "[0.25,0.75]").unwrap();
        assert_eq!(read.outputs[0].prediction, Prediction::Index(1));
        assert_eq!(read.outputs[0].confidence(), Some(0.75));
    }

    #[test]
    fn what_a_script_says_of_an_error_is_no_prediction() {
        for answer in [
            r#""list index out of range""#,
            r#"{"error":"list index out of range"}"#,
            r#""{\"error\": \"x\"}""#,
            r#""""#,
            r#"{"result":null}"#,
            r#"{"result":"[0, 1]"}"#,
            r#"{"Results":{"error":"x"}}"#,
        ] {
            assert!(both(TWO, answer).is_err(), "{answer}");
        }
    }
}
