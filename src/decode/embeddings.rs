//! Vectors of texts: as `OpenAI` has them, and Text Embeddings Inference.
//!
//! | path that ends with | request | answer |
//! |---|---|---|
//! | `/embeddings` | `{"model", "input": text, texts or tokens}` | `{"model", "data": [{"embedding"}], "usage"?}` |
//! | `/pooling` | the same | the same, with `data` for `embedding` |
//! | `/embed`, `/embed_sparse` | `{"inputs": text, texts or tokens}` | a list with one for each |
//! | `/embed_all` | the same | a list with one list for each |
//!
//! A vector is an item that has neither a class nor a value: it is counted and stepped over. From the
//! reference of `OpenAI`'s API (embeddings), vLLM's description of its server (pooling) and the `OpenAPI`
//! description of Text Embeddings Inference.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    Answer, Asked, DecodeError, Decoder, Generation, Output, Pair, Prediction, Usage,
    meaning::Raw,
    texts::{Wanted, most},
    walk::{self, At, Leaf, Name, Node, Word},
};

const FORMAT: &str = "embeddings";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| {
        let last = pair.exchange.path.rsplit('/').next();
        matches!(
            last,
            Some("embeddings" | "pooling" | "embed" | "embed_all" | "embed_sparse")
        )
    },
    is_anywhere: false,
    answer,
    request,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let Some(found) = walk::read(FORMAT, pair.response, Answered)? else {
        return Ok(None);
    };
    if found.vectors > most(pair) {
        return Err(DecodeError::TooLarge { format: FORMAT });
    }
    let raw = Raw {
        outputs: vec![Output::from(Prediction::Unknown); found.vectors],
        ..Raw::default()
    };
    let generation = Generation {
        is_embedding: true,
        usage: found.usage,
        ..Generation::default()
    };
    Ok(Some(Answer {
        model: found.model,
        raw,
        generation: Some(Box::new(generation)),
        sure: true,
        ..Answer::default()
    }))
}

pub(super) fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let wanted = walk::read(FORMAT, pair.request, Requested)?;
    Ok(wanted.and_then(|wanted| wanted.asked(items)))
}

#[derive(Default)]
struct Found {
    vectors: usize,
    model: Option<String>,
    usage: Option<Usage>,
}

/// The whole answer.
#[derive(Clone, Copy)]
struct Answered;

impl<'de> Node<'de> for Answered {
    type Found = Option<Found>;

    fn leaf(self, _: Leaf<'_>) -> Option<Found> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Found>, A::Error> {
        let vectors = Vectors.list(list)?;
        Ok(vectors.map(|vectors| Found {
            vectors,
            ..Found::default()
        }))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Found>, A::Error> {
        let mut found = Found::default();
        let mut vectors = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "data" | "embeddings" => vectors = object.next_value_seed(At(Vectors))?,
                "embedding" => {
                    let is_vector = object.next_value_seed(At(Vector))?;
                    vectors = is_vector.then_some(1);
                }
                "model" => found.model = object.next_value_seed(At(Word))?,
                "usage" => found.usage = object.next_value_seed(At(Used))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(vectors.map(|vectors| Found { vectors, ..found }))
    }
}

/// A list of vectors, or of objects that hold one: how many; `None`: it holds something else.
struct Vectors;

impl<'de> Node<'de> for Vectors {
    type Found = Option<usize>;

    fn leaf(self, _: Leaf<'_>) -> Option<usize> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<usize>, A::Error> {
        let (mut vectors, mut is_other) = (0, false);
        while let Some(is_vector) = list.next_element_seed(At(Vector))? {
            vectors += 1;
            is_other |= !is_vector;
        }
        Ok((!is_other).then_some(vectors))
    }
}

struct Vector;

impl<'de> Node<'de> for Vector {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        matches!(leaf, Leaf::List)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<bool, A::Error> {
        let mut is_vector = false;
        while let Some(name) = object.next_key_seed(Name)? {
            is_vector |= name == "embedding" || name == "data";
            object.next_value::<IgnoredAny>()?;
        }
        Ok(is_vector)
    }
}

/// The place of `usage`.
struct Used;

impl<'de> Node<'de> for Used {
    type Found = Option<Usage>;

    fn leaf(self, _: Leaf<'_>) -> Option<Usage> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Usage>, A::Error> {
        let mut usage = Usage::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "prompt_tokens" => usage.prompt_tokens = object.next_value_seed(At(Count))?,
                "completion_tokens" => {
                    usage.completion_tokens = object.next_value_seed(At(Count))?;
                }
                "total_tokens" => usage.total_tokens = object.next_value_seed(At(Count))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(usage))
    }
}

struct Count;

impl Node<'_> for Count {
    type Found = Option<u64>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<u64> {
        match leaf {
            Leaf::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }
}

/// The whole request.
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
                "input" | "inputs" => wanted.texts = Some(object.next_value_seed(At(Texts))?),
                "model" => wanted.model = object.next_value_seed(At(Word))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(wanted))
    }
}

/// How many texts there are: a list of numbers is the tokens of one.
struct Texts;

impl<'de> Node<'de> for Texts {
    type Found = usize;

    fn leaf(self, _: Leaf<'_>) -> usize {
        1
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let (mut texts, mut are_tokens) = (0, false);
        while let Some(is_token) = list.next_element_seed(At(Token))? {
            texts += 1;
            are_tokens |= is_token;
        }
        Ok(if are_tokens { 1 } else { texts })
    }
}

struct Token;

impl Node<'_> for Token {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        matches!(leaf, Leaf::Integer(_))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, decoded};
    use crate::capture::Exchange;

    fn read(path: &str, request: &str, response: &str) -> Inference {
        decoded(&Exchange::example(path, request, response)).unwrap()
    }

    #[test]
    fn vectors_are_items_without_a_class() {
        let openai = r#"{"object":"list","model":"m","data":[{"index":0,"embedding":[0.1,0.9]},
            {"index":1,"embedding":"AACAPw=="}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;
        for (path, request, response, items) in [
            (
                "/v1/embeddings",
                r#"{"model":"m","input":["a","b"]}"#,
                openai,
                2,
            ),
            ("/embed", r#"{"inputs":"a"}"#, "[[0.1,0.9]]", 1),
            ("/embed_all", r#"{"inputs":["a"]}"#, "[[[0.1],[0.9]]]", 1),
            (
                "/embed_sparse",
                r#"{"inputs":[[1,2],[3]]}"#,
                r#"[[{"index":3,"value":0.5}],[]]"#,
                2,
            ),
        ] {
            let read = read(path, request, response);
            assert_eq!(
                (read.format, read.items(), read.rows),
                ("embeddings", items, items),
                "{path}"
            );
            assert!(read.outputs.iter().all(|output| output.class().is_none()));
            assert!(read.generation.unwrap().is_embedding);
        }
    }

    #[test]
    fn a_refused_request_says_how_many_texts_it_had() {
        for (request, rows) in [
            (r#"{"input":"a"}"#, 1),
            (r#"{"input":["a","b","c"]}"#, 3),
            (r#"{"inputs":[1,2,3]}"#, 1),
            (r#"{"inputs":[[1,2],[3]]}"#, 2),
            (r#"{"x":1}"#, 0),
        ] {
            let mut exchange = Exchange::example("/v1/embeddings", request, "{}");
            exchange.status = 413;
            assert_eq!(decoded(&exchange).unwrap().rows, rows, "{request}");
        }
    }

    #[test]
    fn other_services_on_such_a_path_are_read_as_theirs() {
        let request = r#"{"features":[1,2]}"#;
        let response = r#"{"prediction":"a","confidence":0.9}"#;
        let read = read("/embed", request, response);
        assert_ne!(read.format, "embeddings");
        assert_eq!(read.outputs[0].class().as_deref(), Some("a"));
    }
}
