//! A text that comes in parts, one in each message of a stream.

use std::collections::HashMap;

use super::{
    super::{
        Generation,
        inference::{Scalar, Values},
    },
    answered::{Role, only, role},
    tensor::{Cells, Datatype, Tensor},
};

/// The parts of texts so far, as long as messages hold nothing else.
#[derive(Default)]
pub(in crate::decode) struct Parts {
    /// Of the first request that was answered.
    text: String,
    finish: Option<String>,
    /// Messages that added to it.
    added: usize,
    first: Option<u64>,
    messages: usize,
    /// Texts of each request that has an id, and of all that have none.
    texts: HashMap<Option<u64>, usize>,
    /// A tensor's name does not say that it is a text.
    are_open: bool,
    is_other: bool,
}

impl Parts {
    /// Adds the tensors of a message that answers the request `id`.
    pub(in crate::decode) fn add(&mut self, id: Option<u64>, tensors: &[Tensor<'_>]) {
        if self.is_other || tensors.is_empty() {
            return;
        }
        let Some(at) = self.place(tensors) else {
            self.is_other = true;
            return;
        };
        if self.messages == 0 {
            self.first = id;
        }
        self.messages += 1;
        let texts = self.texts.entry(id).or_default();
        *texts = len(&tensors[at]).max(*texts);
        if self.first != id {
            return;
        }
        if let Some(part) = text(&tensors[at]).filter(|part| !part.is_empty()) {
            self.text.push_str(part);
            self.added += 1;
        }
        let finish = tensors.iter().find(|tensor| tensor.name == FINISH);
        let reason = finish.and_then(text);
        // what Python writes where there is none yet
        if let Some(reason) = reason.filter(|reason| !matches!(*reason, "" | "None")) {
            self.finish = Some(reason.to_owned());
        }
    }

    /// The place of the tensor with the text: its name says so, or it is the only one of texts.
    fn place(&mut self, tensors: &[Tensor<'_>]) -> Option<usize> {
        let is = |tensor: &Tensor<'_>, wanted: Role| {
            let is_text = tensor.datatype == Datatype::Bytes && tensor.name != FINISH;
            is_text && tensor.whole().is_some() && role(&tensor.name) == wanted
        };
        only(tensors, |tensor| is(tensor, Role::Text)).or_else(|| {
            self.are_open = true;
            let is_told = |tensor: &Tensor<'_>| role(&tensor.name) == Role::Class;
            only(tensors, |tensor| is(tensor, Role::Open)).filter(|_| !tensors.iter().any(is_told))
        })
    }

    /// The texts, of which there are so many, if that is what answered so many `requests`; words that
    /// came one for each request may be classes.
    pub(in crate::decode) fn finish(self, requests: usize) -> Option<(usize, Generation)> {
        let may_be_classes = self.are_open && self.messages <= requests;
        if self.is_other || self.messages == 0 || may_be_classes {
            return None;
        }
        let texts = match self.texts.get(&None) {
            Some(texts) if self.texts.len() == 1 => requests.max(*texts),
            _ => self.texts.values().sum(),
        };
        let generation = Generation {
            is_stream: true,
            output: self.text,
            finish: self.finish.map(|reason| vec![reason]),
            content_chunks: Some(self.added),
            ..Generation::default()
        };
        Some((texts, generation))
    }
}

/// What servers of language models call the tensor that says why a text ended.
const FINISH: &str = "finish_reason";

fn len(tensor: &Tensor<'_>) -> usize {
    tensor.whole().map_or(0, |shape| shape.rows * shape.width)
}

/// The first of its texts.
fn text<'a>(tensor: &'a Tensor<'_>) -> Option<&'a str> {
    let Cells::Kept(kept) = &tensor.cells else {
        return None;
    };
    match kept.values() {
        Values::Mixed(values) => match values.first()? {
            Scalar::Text(text) => Some(text),
            _ => None,
        },
        Values::Numbers(_) => None,
    }
}

/// What was to be continued, where one tensor of a request is of texts: by its name, or it alone.
pub(in crate::decode) fn prompts(tensors: &[Tensor<'_>]) -> Option<Vec<String>> {
    let is_text = |tensor: &Tensor<'_>| tensor.datatype == Datatype::Bytes;
    let at = only(tensors, |tensor| {
        is_text(tensor) && role(&tensor.name) == Role::Text
    })
    .or_else(|| only(tensors, is_text))?;
    let Cells::Kept(kept) = &tensors[at].cells else {
        return None;
    };
    let Values::Mixed(values) = kept.values() else {
        return None;
    };
    let text = |value: &Scalar| match value {
        Scalar::Text(text) => Some(text.as_str().to_owned()),
        _ => None,
    };
    values.iter().take(MAX_PROMPTS).map(text).collect()
}

/// Most prompts that are kept: nobody asks for more texts at once.
const MAX_PROMPTS: usize = 32;
