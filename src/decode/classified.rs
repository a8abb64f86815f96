//! Classes of texts as vLLM has them.
//!
//! | | path that ends with `/classify` |
//! |---|---|
//! | request | `{"model", "input": text or texts}` |
//! | answer | `{"object": "list", "model", "data": [{"index", "label", "probs", "num_classes"}]}` |
//!
//! From vLLM's description of its server (classification API).

use serde::de::{IgnoredAny, MapAccess};

use super::{
    Answer, DecodeError, Decoder, Pair, embeddings,
    meaning::Raw,
    predictions::Claimed,
    walk::{self, At, Leaf, Name, Node, Word},
};

const FORMAT: &str = "classified";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    // a path of others too
    claims: |pair| {
        pair.exchange.path.ends_with("/classify")
            && memchr::memmem::find(pair.response, b"\"num_classes\"").is_some()
    },
    is_anywhere: false,
    answer,
    request: embeddings::request,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let items = Claimed::within(pair.bytes());
    let (raw, model) = walk::read(FORMAT, pair.response, Answered(items))?;
    Ok(raw.map(|raw| Answer {
        model,
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// The whole answer: its items, and the model's name.
#[derive(Clone, Copy)]
struct Answered(Claimed);

impl<'de> Node<'de> for Answered {
    type Found = (Option<Raw>, Option<String>);

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        (None, None)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let (mut raw, mut model) = (None, None);
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "data" => raw = object.next_value_seed(At(self.0))?,
                "model" => model = object.next_value_seed(At(Word))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((raw, model))
    }
}
