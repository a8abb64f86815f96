//! Scores of texts: how well each fits a question, or how near it is to another.
//!
//! | path that ends with | request | answer |
//! |---|---|---|
//! | `/rerank` | `{"query", "texts" or "documents"}` | `[{"index", "score"}]`, or `{"results": [{"index", "relevance_score"}]}` |
//! | `/score` | `{"text_1", "text_2"}` | `{"object": "list", "data": [{"object": "score", "index", "score"}]}` |
//! | `/similarity` | `{"inputs": {"source_sentence", "sentences"}}` | a list of scores |
//!
//! Each score is a value of an item, in the order of the texts; texts that are not among the best are
//! none. From the `OpenAPI` description of Text Embeddings Inference, the reference of Cohere's and
//! Jina's API (rerank) and vLLM's of its server (score, rerank).

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Output, Pair, Prediction,
    meaning::Raw,
    predictions::TooLarge,
    texts::{Wanted, most},
    walk::{self, At, Leaf, Name, Node, Number, Word},
};

const FORMAT: &str = "ranked";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| match pair.exchange.path.rsplit('/').next() {
        Some("rerank" | "similarity") => true,
        // a path of others too
        Some("score") => memchr::memmem::find(pair.request, b"\"text_1\"").is_some(),
        _ => false,
    },
    is_anywhere: false,
    answer,
    request,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let most = most(pair);
    let Some(mut found) = walk::read(FORMAT, pair.response, Answered { most })? else {
        return Ok(None);
    };
    found.scores.sort_by_key(|score| score.0);
    let value = |score: Option<f64>| match score.filter(|score| score.is_finite()) {
        Some(score) => Prediction::Value(score),
        None => Prediction::Unknown,
    };
    let outputs = found.scores.into_iter();
    let raw = Raw {
        outputs: outputs
            .map(|(_, score)| Output::from(value(score)))
            .collect(),
        ..Raw::default()
    };
    Ok(Some(Answer {
        model: found.model,
        raw,
        sure: true,
        ..Answer::default()
    }))
}

fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let wanted = walk::read(FORMAT, pair.request, Requested)?;
    Ok(wanted.and_then(|wanted| wanted.asked(items)))
}

/// Scores with the places of their texts.
#[derive(Default)]
struct Found {
    scores: Vec<(usize, Option<f64>)>,
    model: Option<String>,
}

/// The whole answer.
#[derive(Clone, Copy)]
struct Answered {
    most: usize,
}

impl<'de> Node<'de> for Answered {
    type Found = Option<Found>;

    fn leaf(self, _: Leaf<'_>) -> Option<Found> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Found>, A::Error> {
        let scores = Scores { most: self.most }.list(list)?;
        Ok(scores.map(|scores| Found {
            scores,
            model: None,
        }))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Found>, A::Error> {
        let (mut scores, mut model) = (None, None);
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "results" | "data" => {
                    scores = object.next_value_seed(At(Scores { most: self.most }))?;
                }
                "model" => model = object.next_value_seed(At(Word))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(scores.map(|scores| Found { scores, model }))
    }
}

/// A list of scores; `None`: it holds something else.
struct Scores {
    most: usize,
}

impl<'de> Node<'de> for Scores {
    type Found = Option<Vec<(usize, Option<f64>)>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let (mut scores, mut is_other) = (Vec::new(), false);
        while let Some(score) = list.next_element_seed(At(One {
            place: scores.len(),
        }))? {
            match score {
                Some(_) if scores.len() == self.most => {
                    return Err(serde::de::Error::custom(TooLarge));
                }
                Some(score) => scores.push(score),
                None => is_other = true,
            }
        }
        Ok((!is_other).then_some(scores))
    }
}

/// A score, of the text at its `place` unless it says another.
struct One {
    place: usize,
}

impl<'de> Node<'de> for One {
    type Found = Option<(usize, Option<f64>)>;

    fn leaf(self, leaf: Leaf<'_>) -> Self::Found {
        match leaf {
            Leaf::Integer(_) | Leaf::Real(_) | Leaf::Null => Some((self.place, leaf.number())),
            _ => None,
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let (mut place, mut found) = (self.place, None);
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "index" => place = object.next_value_seed(At(Place))?.unwrap_or(place),
                "score" | "relevance_score" => {
                    found = Some(object.next_value_seed(At(Number))?);
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found.map(|score| (place, score)))
    }
}

struct Place;

impl Node<'_> for Place {
    type Found = Option<usize>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<usize> {
        match leaf {
            Leaf::Integer(place) => usize::try_from(place).ok(),
            _ => None,
        }
    }
}

/// The whole request, or what stands under its `inputs`.
#[derive(Clone, Copy)]
struct Requested;

impl<'de> Node<'de> for Requested {
    type Found = Option<Wanted>;

    fn leaf(self, _: Leaf<'_>) -> Option<Wanted> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Wanted>, A::Error> {
        let mut wanted = Wanted::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "texts" | "documents" | "text_2" => {
                    wanted.texts = Some(object.next_value_seed(At(Texts))?);
                }
                "inputs" => wanted.texts = object.next_value_seed(At(Inputs))?,
                "model" => wanted.model = object.next_value_seed(At(Word))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(wanted))
    }
}

struct Inputs;

impl<'de> Node<'de> for Inputs {
    type Found = Option<usize>;

    fn leaf(self, _: Leaf<'_>) -> Option<usize> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<usize>, A::Error> {
        let mut texts = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "sentences" {
                texts = Some(object.next_value_seed(At(Texts))?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(texts)
    }
}

/// How many there are; what is no list is one.
struct Texts;

impl<'de> Node<'de> for Texts {
    type Found = usize;

    fn leaf(self, _: Leaf<'_>) -> usize {
        1
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let mut texts = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            texts += 1;
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, Output, decoded};
    use crate::capture::Exchange;

    fn read(path: &str, request: &str, response: &str) -> Inference {
        decoded(&Exchange::example(path, request, response)).unwrap()
    }

    #[test]
    fn scores_are_values_in_the_order_of_the_texts() {
        let texts = r#"{"query":"q","texts":["a","b","c"]}"#;
        let documents = r#"{"model":"m","query":"q","documents":["a","b","c"],"top_n":2}"#;
        let best = r#"{"model":"m","results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.25}]}"#;
        let near = r#"{"inputs":{"source_sentence":"s","sentences":["a","b"]}}"#;
        let pairs = r#"{"model":"m","text_1":"q","text_2":["a","b"]}"#;
        let scores = r#"{"object":"list","model":"m","data":[{"index":0,"object":"score","score":1.0},{"index":1,"object":"score","score":0.5}]}"#;
        let ranked = r#"[{"index":1,"score":0.9},{"index":0,"score":1},{"index":2,"score":null}]"#;
        for (path, request, response, values) in [
            ("/rerank", texts, ranked, vec![Some(1.0), Some(0.9), None]),
            ("/v1/rerank", documents, best, vec![Some(0.25), Some(0.9)]),
            ("/similarity", near, "[0.5,-1]", vec![Some(0.5), Some(-1.0)]),
            ("/v1/score", pairs, scores, vec![Some(1.0), Some(0.5)]),
        ] {
            let read = read(path, request, response);
            assert_eq!((read.format, read.rows), ("ranked", values.len()), "{path}");
            let found: Vec<_> = read.outputs.iter().map(Output::value).collect();
            assert_eq!(found, values, "{path}");
        }
    }

    #[test]
    fn a_refused_request_says_how_many_texts_it_had() {
        for (path, request, rows) in [
            ("/rerank", r#"{"query":"q","texts":["a","b"]}"#, 2),
            ("/similarity", r#"{"inputs":{"sentences":["a"]}}"#, 1),
            ("/score", r#"{"text_1":"a","text_2":"b"}"#, 1),
            ("/rerank", r#"{"query":"q"}"#, 0),
        ] {
            let mut exchange = Exchange::example(path, request, "{}");
            exchange.status = 422;
            assert_eq!(decoded(&exchange).unwrap().rows, rows, "{request}");
        }
    }
}
