//! The protocol of `Seldon` Core 1.
//!
//! | | path `/api/v1.0/predictions`, also below `/seldon/{namespace}/{deployment}`, or `/predict` |
//! |---|---|
//! | request | `{"data": {"names"?, "ndarray" or "tensor": {"shape", "values"}}}`, `strData`, `binData`, `jsonData` |
//! | also as | a form with `json`, parts with the same names, `GET ?json=` |
//! | answer | the same: names are classes and rows their probabilities, or one column |
//!
//! `jsonData` of an answer may hold items under `predictions` or `outputs`.
//!
//! `tftensor` has a tensor of `TensorFlow` in place of rows. `meta.requestPath` of an answer names the model
//! and its image, whose tag is the version.
//!
//! From the protocol's description in `Seldon` Core's documentation (external prediction interface,
//! the proto buffer `SeldonMessage`).

mod feedback;
mod message;
mod tftensor;

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem::Finder;

use self::message::{Found, Message, Plain};
use super::{
    Answer, Asked, DecodeError, Decoder, Pair, Prediction, Text,
    form::{self, Field},
    meaning::{self, Raw},
    predictions::Items,
    rows::{Data, Rows},
    table::Table,
    v2, walk,
};
use crate::{
    capture::{Exchange, policy},
    config,
};

pub use self::feedback::{Told, told};

const FORMAT: &str = "seldon";

/// What no answer of this format lacks.
static DATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("data"));

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
    if !claims(pair) && !pair.answers_with(&DATA) {
        return Ok(None);
    }
    let items = Items {
        bytes: pair.bytes(),
        has_maps: false,
        has_numbers: false,
    };
    let Some(mut found) = walk::read(FORMAT, pair.response, Message(items))? else {
        return Ok(None);
    };
    let (model, version) = (found.model.take(), found.version.take());
    let puid = found.puid.take();
    let raw = match found.plain.take() {
        _ if found.has_data() => of_data(&mut found, pair.bytes())?,
        Some(plain) if claims(pair) => of_plain(pair, plain, items)?,
        _ => None,
    };
    Ok(raw.map(|raw| Answer {
        model,
        version,
        puid,
        raw: named(raw, found.names),
        sure: true,
        ..Answer::default()
    }))
}

/// What `data` holds.
fn of_data(found: &mut Found<Option<Raw>>, bytes: usize) -> Result<Option<Raw>, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    Ok(match (found.tensor.take(), found.tftensor.take()) {
        (Some(tensor), _) => tensor.raw(),
        (None, Some(tensor)) => {
            let raw = v2::raw(vec![tensor], bytes).map_err(too_large)?;
            Some(raw).filter(|raw| raw.items() > 0)
        }
        (None, None) => found.rows.take().flatten(),
    })
}

/// Whether something is known of one of its items.
fn is_known(raw: &Raw) -> bool {
    let mut outputs = raw.outputs.iter();
    raw.vectors.is_some() || outputs.any(|output| output.prediction != Prediction::Unknown)
}

/// What `strData` or `jsonData` holds: items as any format has them, or rows under a name of their own. A flat
/// list of numbers is one row where one was asked about.
fn of_plain(pair: &Pair<'_>, plain: Option<Raw>, items: Items) -> Result<Option<Raw>, DecodeError> {
    let raw = match plain {
        Some(raw) if is_known(&raw) => Some(raw),
        plain => {
            let enclosed = walk::read(FORMAT, pair.response, Message(message::Enclosed(items)))?;
            enclosed.and_then(|found| found.plain).flatten().or(plain)
        }
    };
    let is_flat = |raw: &Raw| raw.vectors.is_none() && raw.outputs.len() > 1;
    Ok(match raw {
        Some(raw) if is_flat(&raw) && rows(pair) == Some(1) => Some(raw.into_vector()),
        raw => raw,
    })
}

/// Rows of the request, where they can be told without the answer.
fn rows(pair: &Pair<'_>) -> Option<usize> {
    let asked = request(pair, None).ok()??;
    Some(asked.table.rows())
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
        vectors.labels = Some(names.into_iter().map(Text::from).collect());
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
