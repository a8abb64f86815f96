//! `BentoML`: an object of arguments in, bare JSON out.
//!
//! | path | request | answer |
//! |---|---|---|
//! | `/{api}` | `{"input_data": [[..], [..]]}`, any names | what the function returned: `["a", "b"]`, `[[..], [..]]`, `2` |
//! | `/{task}/submit` | the same | `{"task_id", "status"}` |
//! | `/{task}/get?task_id=` | | what the function returned |
//!
//! A bare answer is told from any other list by the rows of numbers that it answers. An object is
//! told from no other service's: it is read as `json`, or here where the route says so.
//!
//! From the chapters on services and on task queues in the documentation of `BentoML`.

use serde::de::SeqAccess;

use super::{
    Answer, DecodeError, Decoder, Pair, json,
    meaning::Raw,
    predictions::Items,
    walk::{self, Leaf, Node},
};

const FORMAT: &str = "bentoml";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |_| false,
    is_anywhere: true,
    answer,
    request: |pair, items| json::asked(FORMAT, pair, items),
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let is_told = pair.is_of_route(FORMAT);
    if pair.answers_object() {
        let read = is_told.then(|| json::answer(FORMAT, pair)).transpose();
        return read.map(Option::flatten);
    }
    let shape = json::Shape::of(FORMAT, pair.request).unwrap_or_default();
    if !is_told && !shape.is_argument() {
        return Ok(None);
    }
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
    };
    let raw = walk::value(FORMAT, pair.response, Bare(items))?;
    let vouched = |raw: &Raw| shape.vouches_for(raw.items());
    Ok(raw.filter(|raw| is_told || vouched(raw)).map(|raw| Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// What is no object.
#[derive(Clone, Copy)]
struct Bare(Items);

impl<'de> Node<'de> for Bare {
    type Found = Option<Raw>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Raw> {
        self.0.leaf(leaf)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.0.list(list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DecodeError, Inference, Prediction, decoded};
    use crate::capture::Exchange;

    fn both(request: &str, response: &str) -> Result<Inference, DecodeError> {
        decoded(&Exchange::example("/classify", request, response))
    }

    fn predictions(request: &str, response: &str) -> Vec<Prediction> {
        let read = both(request, response).unwrap();
        assert_eq!(read.format, "bentoml");
        assert_eq!(read.rows, read.outputs.len());
        read.outputs.into_iter().map(|o| o.prediction).collect()
    }

    const ROW: &str = r#"{"input_data":[[5.1,3.5]]}"#;

    #[test]
    fn a_bare_answer_to_rows_of_numbers_is_a_prediction() {
        assert_eq!(predictions(ROW, "[2]"), [Prediction::Index(2)]);
        assert_eq!(predictions(ROW, "2"), [Prediction::Index(2)]);
        assert_eq!(predictions(ROW, " 20.5\n"), [Prediction::Value(20.5)]);
        let name = |name: &str| Prediction::Name(name.to_owned());
        assert_eq!(predictions(ROW, r#""a""#), [name("a")]);
        let rows = r#"{"rows":[[1,2],[3,4]],"k":1}"#;
        assert_eq!(predictions(rows, r#"["a","b"]"#), [name("a"), name("b")]);
        let shares = "[[0.1,0.9],[0.8,0.2]]";
        let classes = [Prediction::Index(1), Prediction::Index(0)];
        assert_eq!(predictions(rows, shares), classes);
        let frame = r#"{"df":[{"a":1,"b":2}]}"#;
        assert_eq!(predictions(frame, "[0]"), [Prediction::Index(0)]);
    }

    #[test]
    fn any_other_bare_answer_is_not() {
        for (request, response) in [
            (ROW, "[1,2]"),
            (ROW, "\"a"),
            (r#"{"ids":[1,2]}"#, "[1,2]"),
            (r#"{"text":"a"}"#, "\"b\""),
            (r#"{"names":["a","b"]}"#, "[1,2]"),
            ("[[1,2]]", "[1]"),
            ("", "[1]"),
        ] {
            let error = both(request, response).unwrap_err();
            assert_eq!(error.format(), "unknown", "{request} {response}");
        }
    }
}
