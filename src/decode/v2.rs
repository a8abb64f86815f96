//! Open Inference, the V2 protocol: `KServe`, `MLServer`, Triton and others.
//!
//! | | path `/v2/models/{model}[/versions/{version}]/infer` |
//! |---|---|
//! | request | `{"inputs": [{"name", "shape", "datatype", "data"}]}` |
//! | answer | `{"model_name", "model_version", "outputs": [..]}` |
//!
//! With the extension for binary tensor data, bytes of tensors stand behind the JSON, whose length
//! is in a field; 0 of a request says that its body is the bytes of the only input, whose name, type and
//! shape the model alone knows. From the specification of the Open Inference Protocol and from Triton's extensions
//! for binary tensor data and for classification.

mod answered;
mod asked;
mod document;
mod events;
mod parts;
mod ranking;
mod tensor;

use std::sync::LazyLock;

use memchr::memmem::Finder;

pub(super) use self::{
    answered::{are_one_row, raw, unbatch},
    asked::table,
    document::{Dimensions, Document, MAX_TENSORS},
    events::{DECODER as STREAM, UNJOINED},
    parts::{Parts, prompts},
    tensor::{Cells, Datatype, Kept, Shape, Tensor, name},
};
use super::{Answer, Asked, DecodeError, Decoder, Pair, table::Table, walk};
use crate::capture::exchange::Message;

pub(super) const DECODER: Decoder = Decoder {
    format: "v2",
    claims: |pair| Target::of(pair).is_some() && !is_binary(pair),
    is_anywhere: true,
    answer: |pair| answer("v2", pair),
    request: |pair, items| request("v2", pair, items),
};

/// The same where at least one side has its tensors as bytes.
pub(super) const BINARY: Decoder = Decoder {
    format: "v2_binary",
    claims: |pair| Target::of(pair).is_some() && is_binary(pair),
    is_anywhere: false,
    answer: |pair| answer("v2_binary", pair),
    request: |pair, items| request("v2_binary", pair, items),
};

/// What no answer of this format lacks.
static OUTPUTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("outputs"));

/// What is said of a request that is a tensor alone.
const RAW: &str = "the request is one tensor without JSON: only the model knows its type and shape";

fn is_binary(pair: &Pair<'_>) -> bool {
    let exchange = pair.exchange;
    exchange.request.json_bytes.is_some() || exchange.response.json_bytes.is_some()
}

/// What a path asks for.
struct Target<'a> {
    model: &'a str,
    version: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn of(pair: &'a Pair<'_>) -> Option<Self> {
        Self::named(&pair.exchange.path)
    }

    /// Gateways have a path of their own before that of the protocol.
    fn named(path: &'a str) -> Option<Self> {
        // the end first: it is told at once, and of every exchange
        let (_, named) = path.strip_suffix("/infer")?.split_once("/v2/models/")?;
        let mut segments = named.split('/');
        let model = segments.next().filter(|model| !model.is_empty())?;
        let version = match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => None,
            (Some("versions"), version @ Some(_), None) => version,
            _ => return None,
        };
        Some(Self { model, version })
    }
}

fn answer(format: &'static str, pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let is_named = Target::of(pair).is_some() || pair.is_of_route(format);
    if !is_named && !pair.answers_with(&OUTPUTS) {
        return Ok(None);
    }
    let message = &pair.exchange.response;
    let document = read(format, message, pair.response, "outputs")?;
    let sure = Target::of(pair).is_some() || document.has_types();
    let Some(mut tensors) = document.tensors.filter(|_| sure) else {
        return Ok(None);
    };
    unbatch(&mut tensors, |items| {
        let asked = read(format, &pair.exchange.request, pair.request, "inputs");
        let asked = asked.ok().and_then(|document| document.tensors);
        are_one_row(&asked.unwrap_or_default(), items)
    });
    let raw = raw(tensors, pair.bytes()).map_err(|_| DecodeError::TooLarge { format })?;
    Ok(Some(Answer {
        model: document.model,
        version: document.version,
        raw,
        sure,
        ..Answer::default()
    }))
}

/// What cannot be read of a request costs its features: the path still says which model it asks.
fn request(
    format: &'static str,
    pair: &Pair<'_>,
    items: Option<usize>,
) -> Result<Option<Asked>, DecodeError> {
    let target = Target::of(pair);
    let read = match read(format, &pair.exchange.request, pair.request, "inputs") {
        Err(error @ DecodeError::TooLarge { .. }) => Err(error),
        read => Ok(read.unwrap_or_default()),
    };
    let document = read?;
    if target.is_none() && !document.has_types() {
        return Ok(None);
    }
    let table = table(document, items, pair.request.len())
        .map_err(|_| DecodeError::TooLarge { format })?
        .unwrap_or_else(Table::default);
    Ok(Some(Asked {
        model: target.as_ref().and_then(|target| walk::word(target.model)),
        version: target.and_then(|target| walk::word(target.version?)),
        table,
        note: (pair.exchange.request.json_bytes == Some(0)).then_some(RAW),
    }))
}

impl Document<'_> {
    /// Whether a tensor says its type: no other format has lists of such objects.
    fn has_types(&self) -> bool {
        let mut tensors = self.tensors.iter().flatten();
        tensors.any(|tensor| tensor.datatype != Datatype::Unknown)
    }
}

/// A message: its JSON, and the bytes of tensors behind that. A body that is a tensor alone says
/// nothing of itself.
fn read<'a>(
    format: &'static str,
    message: &Message,
    body: &'a [u8],
    list: &'static str,
) -> Result<Document<'a>, DecodeError> {
    let bytes = body.len();
    let (json, tail) = match message.json_bytes {
        Some(0) => return Ok(Document::default()),
        Some(len) => body.split_at_checked(len).ok_or(DecodeError::Syntax)?,
        None => (body, &[][..]),
    };
    let mut document: Document<'a> = walk::read(format, json, document::Message { list, bytes })?;
    attach(
        document.tensors.as_deref_mut().unwrap_or_default(),
        tail,
        bytes,
    );
    Ok(document)
}

/// Gives tensors their bytes, in order.
fn attach<'a>(tensors: &mut [Tensor<'a>], mut tail: &'a [u8], bytes: usize) {
    for tensor in tensors {
        let Some(len) = tensor.binary_bytes else {
            continue;
        };
        let Some((own, rest)) = tail.split_at_checked(len) else {
            return;
        };
        tensor.fill(own, bytes);
        tail = rest;
    }
}

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;
