//! The protocol of `Seldon` Core 1.
//!
//! | | path `/api/v1.0/predictions`, also below `/seldon/{namespace}/{deployment}`, or `/predict` |
//! |---|---|
//! | request | `{"data": {"names"?, "ndarray" or "tensor": {"shape", "values"}}}`, `strData`, `binData`, `jsonData` |
//! | also as | a form with `json`, parts with the same names, `GET ?json=` |
//! | answer | the same: names are classes and rows their probabilities, or one column |
//!
//! `tftensor` has a tensor of `TensorFlow` in place of rows. `meta.requestPath` of an answer names the model
//! and its image, whose tag is the version.
//!
//! From the protocol's description in `Seldon` Core's documentation (external prediction interface,
//! the proto buffer `SeldonMessage`).

mod message;
mod tftensor;

use std::borrow::Cow;

use self::message::{Found, Message, Plain};
use super::{
    Answer, Asked, DecodeError, Decoder, Pair,
    form::{self, Field},
    meaning::{self, Raw},
    predictions::Items,
    rows::{Data, Rows},
    table::Table,
    v2, walk,
};
use crate::capture::policy;

const FORMAT: &str = "seldon";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims,
    is_anywhere: true,
    answer,
    request,
};

/// `/predict` is a path of others too.
fn claims(pair: &Pair<'_>) -> bool {
    let path = &pair.exchange.path;
    path != "/predict" && policy::is_seldon(path)
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if !claims(pair) && !pair.answers_object() {
        return Ok(None);
    }
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
        has_numbers: false,
    };
    let Some(found) = walk::read(FORMAT, pair.response, Message(items))? else {
        return Ok(None);
    };
    let (model, version) = (found.model, found.version);
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let raw = match (found.tensor, found.tftensor) {
        (Some(tensor), _) => tensor.raw(),
        (None, Some(tensor)) => {
            let raw = v2::raw(vec![tensor], pair.bytes()).map_err(too_large)?;
            Some(raw).filter(|raw| raw.items() > 0)
        }
        (None, None) => found
            .rows
            .or(found.plain.filter(|_| claims(pair)))
            .flatten(),
    };
    Ok(raw.map(|raw| Answer {
        model,
        version,
        raw: named(raw, found.names),
        sure: true,
        ..Answer::default()
    }))
}

/// Probabilities with the names of their classes; a single column has a name that says nothing.
fn named(mut raw: Raw, names: Vec<String>) -> Raw {
    let are_numbers = raw.outputs.iter().all(|o| meaning::number(o).is_some());
    if raw.vectors.is_none() && are_numbers && names.len() > 1 && names.len() == raw.outputs.len() {
        raw = meaning::as_vector(raw);
    }
    if let Some(vectors) = &mut raw.vectors
        && vectors.width > 1
        && vectors.width == names.len()
        && names.iter().all(|name| !name.is_empty())
    {
        vectors.labels = Some(names);
    }
    raw
}

fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let content_type = pair.exchange.request.content_type.as_deref();
    let fields = match &pair.exchange.query {
        Some(query) => Some(form::pairs(query.as_bytes())),
        None => form::fields(content_type, pair.request),
    };
    // what `curl -d` sends is called a form, whatever it is
    let fields = fields.filter(|_| !pair.request.trim_ascii_start().starts_with(b"{"));
    let found = match &fields {
        Some(fields) => of_fields(fields)?,
        None => of_json(pair.request)?,
    };
    let table = found
        .map(|found| table(found, items, pair.request.len()))
        .transpose()?;
    Ok(table.flatten().map(Asked::from))
}

fn of_json(body: &[u8]) -> Result<Option<Found<Rows>>, DecodeError> {
    walk::read(FORMAT, body, Message(Data { bytes: body.len() }))
}

/// A field `json` holds the whole message; else each holds the part of its name.
fn of_fields(fields: &[Field<'_>]) -> Result<Option<Found<Rows>>, DecodeError> {
    let mut found = None;
    for Field { name, value, .. } in fields {
        let data = Data { bytes: value.len() };
        let part = match &**name {
            "json" => return of_json(value),
            "data" => walk::read(FORMAT, value, message::Part(data))?,
            "jsonData" => Found::plain(walk::value(FORMAT, value, data)?),
            "strData" => Found::plain(walk::value(FORMAT, &quoted(value), Plain(data))?),
            "binData" => Found::bytes(),
            _ => continue,
        };
        found = Some(part);
    }
    Ok(found)
}

/// Text as JSON has it.
fn quoted(text: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(text);
    serde_json::to_vec(&text).unwrap_or_default().into()
}

/// The rows of a message, with their names.
fn table(
    found: Found<Rows>,
    items: Option<usize>,
    bytes: usize,
) -> Result<Option<Table>, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let table = match (found.tensor, found.rows.or(found.plain)) {
        (Some(tensor), _) => tensor.table().map_err(too_large)?,
        _ if found.tftensor.is_some() => {
            let document = v2::Document {
                tensors: found.tftensor.map(|tensor| vec![tensor]),
                ..v2::Document::default()
            };
            v2::table(document, items, bytes).map_err(too_large)?
        }
        (None, Some(rows)) => rows.settle(items).map_err(too_large)?,
        (None, None) => found.has_bytes.then(|| Table::of_rows(1)),
    };
    Ok(table.map(|mut table| {
        table.name(&found.names);
        table
    }))
}

#[cfg(test)]
mod tests;
