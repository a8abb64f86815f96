//! Hugging Face's text classifiers: Text Embeddings Inference and the Inference Toolkit.
//!
//! | request | answer | items |
//! |---|---|---|
//! | `{"inputs": "a"}`, or a pair of texts `["a", "b"]` | `[{"label", "score"}, ..]`, all classes | 1 |
//! | `{"inputs": [["a"], ["b", "c"]]}` | a list of those | as many |
//! | `{"inputs": ["a", "b"]}` (Toolkit) | `[{"label", "score"}, {"label", "score"}]`, the best of each | as many |
//!
//! A pair and two texts look alike: two scores that sum to 1, of different labels, are of a pair.
//!
//! From the description of `/predict` in the documentation of Text Embeddings Inference, and that of
//! the text classification pipeline in the documentation of Transformers.

use super::{
    Answer, Asked, DecodeError, Decoder, Output, Pair, Prediction,
    meaning::{self, Raw, Vectors},
    predictions::Items,
    rows::{Data, DataOf},
    table::Table,
    walk,
};

const FORMAT: &str = "tei";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |_| false,
    is_anywhere: true,
    answer,
    request: |pair, items| Ok(texts(pair, items)?.map(Asked::from)),
};

/// What stands in `inputs`.
fn texts(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Table>, DecodeError> {
    if !pair.asks_object() {
        return Ok(None);
    }
    let bytes = pair.request.len();
    let inputs = DataOf {
        names: &["inputs"],
        data: Data { bytes },
    };
    let rows = walk::read(FORMAT, pair.request, inputs)?;
    let table = rows.map(|rows| rows.settle(items)).transpose();
    table
        .map(Option::flatten)
        .map_err(|_| DecodeError::TooLarge { format: FORMAT })
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if pair.answers_object() {
        return Ok(None);
    }
    let Some(table) = texts(pair, None).ok().flatten() else {
        return Ok(None);
    };
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
        has_numbers: false,
    };
    let raw = walk::read(FORMAT, pair.response, items)?;
    Ok(raw
        .and_then(|raw| settle(raw, table.rows()))
        .map(|raw| Answer {
            raw,
            sure: true,
            ..Answer::default()
        }))
}

/// The items of an answer to so many texts; `None`: it holds other things than labels with scores.
fn settle(raw: Raw, texts: usize) -> Option<Raw> {
    let is_label = |output: &Output| {
        !matches!(
            output.prediction,
            Prediction::Unknown | Prediction::Value(_)
        )
    };
    let are_labels = raw.outputs.iter().all(is_label);
    if raw.outputs.is_empty() || !are_labels {
        return None;
    }
    let is_nested = raw.vectors.is_some();
    let has_scores = raw.outputs.iter().all(|o| o.confidence().is_some());
    if is_nested {
        return has_scores.then_some(raw);
    }
    // raw scores may be any numbers: those of all classes come with the largest first
    if texts == 1 || (texts == 2 && is_ranking(&raw.outputs)) {
        return Some(one(raw.outputs));
    }
    (has_scores && texts == raw.outputs.len()).then_some(raw)
}

/// Whether these are all classes of one item.
fn is_ranking(outputs: &[Output]) -> bool {
    let sum: f64 = outputs.iter().filter_map(Output::confidence).sum();
    let mut labels: Vec<_> = outputs.iter().map(Output::class).collect();
    labels.sort_unstable();
    labels.dedup();
    (sum - 1.0).abs() <= meaning::SUM && labels.len() == outputs.len()
}

/// The labels of one item, with their scores.
fn one(outputs: Vec<Output>) -> Raw {
    let score = |output: &Output| output.confidence().unwrap_or(f64::NAN);
    let label = |output: &Output| output.class().unwrap_or_default().into();
    let vectors = Vectors {
        labels: Some(outputs.iter().map(label).collect()),
        width: outputs.len(),
        numbers: outputs.iter().map(score).collect(),
        are_whole: false,
    };
    let best = outputs.into_iter().reduce(|best, next| {
        if score(&next) > score(&best) {
            next
        } else {
            best
        }
    });
    Raw {
        outputs: best.into_iter().collect(),
        vectors: Some(vectors),
        is_argmax: true,
        ..Raw::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, decoded};
    use crate::capture::{Exchange, route::Routes};

    fn both(request: &str, response: &str) -> Inference {
        let mut exchange = Exchange::example("/predict", request, response);
        exchange.route = Routes::new(&[]).find("/predict").cloned();
        decoded(&exchange).unwrap()
    }

    /// Format, rows, features, and each label with its score.
    fn read(request: &str, response: &str) -> (&'static str, usize, usize, Vec<(String, f64)>) {
        let read = both(request, response);
        let outputs = read.outputs.iter();
        let outputs = outputs.map(|o| (o.class().unwrap().into_owned(), o.confidence().unwrap()));
        (
            read.format,
            read.rows,
            read.features.len(),
            outputs.collect(),
        )
    }

    const ALL: &str = r#"[{"score":0.75,"label":"joy"},{"score":0.25,"label":"anger"}]"#;

    fn joy() -> (String, f64) {
        ("joy".to_owned(), 0.75)
    }

    #[test]
    fn all_labels_of_a_text_or_a_pair_are_one_item() {
        assert_eq!(read(r#"{"inputs":"a"}"#, ALL), ("tei", 1, 1, vec![joy()]));
        assert_eq!(read(r#"{"inputs":["a"]}"#, ALL), ("tei", 1, 1, vec![joy()]));
        assert_eq!(
            read(r#"{"inputs":["a","b"]}"#, ALL),
            ("tei", 1, 2, vec![joy()])
        );
        let labels = both(r#"{"inputs":"a"}"#, ALL).probabilities.unwrap().labels;
        assert_eq!(labels.unwrap(), ["joy", "anger"]);
    }

    #[test]
    fn several_texts_have_a_list_each() {
        let anger = ("anger".to_owned(), 0.6);
        let two =
            format!(r#"[{ALL},[{{"score":0.4,"label":"joy"}},{{"score":0.6,"label":"anger"}}]]"#);
        let expected = ("tei", 2, 2, vec![joy(), anger]);
        assert_eq!(read(r#"{"inputs":[["a"],["b","c"]]}"#, &two), expected);
        let one = format!("[{ALL}]");
        assert_eq!(read(r#"{"inputs":"a"}"#, &one), ("tei", 1, 1, vec![joy()]));
    }

    #[test]
    fn the_best_label_of_each_text_is_an_item() {
        let best = r#"[{"label":"joy","score":0.75},{"label":"joy","score":0.25}]"#;
        let expected = ("tei", 2, 1, vec![joy(), ("joy".to_owned(), 0.25)]);
        assert_eq!(read(r#"{"inputs":["a","b"]}"#, best), expected);
    }

    #[test]
    fn raw_scores_are_no_confidence() {
        let raw = r#"[{"score":3.5,"label":"joy"},{"score":-1.5,"label":"anger"}]"#;
        let read = both(r#"{"inputs":"a","raw_scores":true}"#, raw);
        assert_eq!(read.outputs.len(), 1);
        assert_eq!(read.outputs[0].class().as_deref(), Some("joy"));
        assert_eq!(
            (read.outputs[0].confidence(), read.probabilities),
            (None, None)
        );
    }

    #[test]
    fn ranks_and_vectors_are_no_labels() {
        for response in [
            r#"[{"index":0,"score":0.9}]"#,
            "[[0.1,0.2]]",
            r#"[{"generated_text":"b"}]"#,
        ] {
            let exchange = Exchange::example("/rank", r#"{"inputs":"a"}"#, response);
            assert!(decoded(&exchange).is_err(), "{response}");
        }
    }
}
