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

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, DecodeError, Decoder, Pair, form, json,
    meaning::Raw,
    predictions::Items,
    walk::{self, At, Leaf, Name, Node, Word},
};

const FORMAT: &str = "bentoml";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| is_submission(pair) || task(pair).is_some(),
    is_anywhere: true,
    answer,
    request: |pair, items| match items {
        None if is_submission(pair) => json::rows(FORMAT, pair.request, None),
        _ => json::asked(FORMAT, pair, items),
    },
};

fn is_submission(pair: &Pair<'_>) -> bool {
    pair.exchange.path.ends_with("/submit")
}

/// The task whose result was asked for.
fn task(pair: &Pair<'_>) -> Option<String> {
    let query = pair.exchange.query.as_deref()?;
    let fields = form::pairs(query.as_bytes());
    let id = fields.iter().find(|field| field.name == "task_id")?;
    walk::word(id.text()?)
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if is_submission(pair)
        && let Some(task) = walk::read(FORMAT, pair.response, Submitted)?
    {
        return Ok(Some(Answer {
            task: Some(task),
            sure: true,
            ..Answer::default()
        }));
    }
    let task = task(pair);
    let is_told = task.is_some() || pair.is_of_route(FORMAT);
    let answer = if pair.answers_object() {
        let read = is_told.then(|| json::answer(FORMAT, pair)).transpose()?;
        read.flatten()
    } else {
        bare(pair, is_told)?
    };
    Ok(answer.map(|answer| Answer {
        sure: answer.sure || is_told,
        // a result without items must not pass for one more submission
        task: task.filter(|_| answer.raw.items() > 0),
        ..answer
    }))
}

/// An answer that is no object; `is_told`: the path or the route says that it is one.
fn bare(pair: &Pair<'_>, is_told: bool) -> Result<Option<Answer>, DecodeError> {
    let shape = pair.shape().unwrap_or_default();
    if !is_told && !shape.is_argument() {
        return Ok(None);
    }
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
        has_numbers: false,
    };
    let raw = walk::value(FORMAT, pair.response, Bare(items))?;
    let vouched = |raw: &Raw| shape.vouches_for(raw.items());
    let raw = raw.filter(|raw| is_told || vouched(raw));
    Ok(raw.map(|raw| Answer {
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// The answer to a submission: the id of the task.
#[derive(Clone, Copy)]
struct Submitted;

impl<'de> Node<'de> for Submitted {
    type Found = Option<String>;

    fn leaf(self, _: Leaf<'_>) -> Option<String> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<String>, A::Error> {
        let mut task = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "task_id" {
                task = object.next_value_seed(At(Word))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(task)
    }
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
        let name = |name: &str| Prediction::Name(name.into());
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
    fn a_task_is_asked_by_one_exchange_and_answered_by_another() {
        let submitted = Exchange::example(
            "/classify/submit",
            ROW,
            r#"{"task_id":"7f","status":"in_progress"}"#,
        );
        let submitted = decoded(&submitted).unwrap();
        assert_eq!(submitted.task.as_deref(), Some("7f"));
        assert_eq!((submitted.rows, submitted.features.len()), (1, 2));
        assert!(submitted.outputs.is_empty());
        for result in ["[2]", "2", r#"{"label":2}"#] {
            let mut got = Exchange::example("/classify/get", "", result);
            got.query = Some("task_id=7f".to_owned());
            let got = decoded(&got).unwrap();
            assert_eq!((got.format, got.task.as_deref()), ("bentoml", Some("7f")));
            assert_eq!(got.outputs[0].prediction, Prediction::Index(2));
        }
    }

    #[test]
    fn what_is_submitted_without_a_task_is_read_as_anything_else() {
        let exchange = Exchange::example("/classify/submit", ROW, "[2]");
        let read = decoded(&exchange).unwrap();
        assert_eq!((read.outputs.len(), read.task), (1, None));
        let exchange = Exchange::example("/orders/submit", r#"{"name":"x"}"#, r#"{"id":1}"#);
        assert!(decoded(&exchange).is_err());
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
