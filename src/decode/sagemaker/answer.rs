//! The items of an answer.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        DecodeError, Pair, csv,
        meaning::Raw,
        predictions::Claimed,
        walk::{self, At, Leaf, Name, Node},
    },
    FORMAT, SCORES, begins, is_json, json, lines, recordio, rows, says,
};

pub(super) fn read(pair: &Pair<'_>) -> Result<Option<Raw>, DecodeError> {
    let message = &pair.exchange.response;
    let body = pair.response;
    if recordio::is_one(body) {
        return recordio::raw(body);
    }
    if !is_json(body) && (says(message, "csv") || csv::begins_with_numbers(body)) {
        return lines::read(pair);
    }
    let body = json(message, body);
    let items = Claimed::with_positive_scores(pair.bytes());
    let read = |place| walk::read(FORMAT, &body, Document { items, place });
    let is_envelope = memchr::memmem::find(&body, b"\"predictions\"").is_some();
    let raw = if is_envelope {
        read(Place::Envelope("predictions"))?
    } else if begins(&body, SCORES) {
        read(Place::Envelope("scores"))?
    } else {
        match read(Place::Columns)? {
            // a list is read as the same at any place
            raw if !begins(&body, "{") => raw,
            // labels and scores of the only row are a ranking
            Some(raw) if raw.items() > 1 && rows(pair) == Some(1) => read(Place::Item)?
                .filter(|one| one.items() == 1)
                .or(Some(raw)),
            Some(raw) => Some(raw),
            None => read(Place::Item)?,
        }
    };
    Ok(raw.map(|raw| {
        // the probabilities of the only item, in a bare list
        let is_flat = raw.vectors.is_none() && raw.outputs.len() > 1;
        if is_flat && rows(pair) == Some(1) {
            raw.into_vector()
        } else {
            raw
        }
    }))
}

/// Where the items of an object are.
#[derive(Clone, Copy)]
enum Place {
    /// Under this name.
    Envelope(&'static str),
    /// Its fields are columns.
    Columns,
    /// It is the only one.
    Item,
}

/// The whole answer; a list is one of items.
#[derive(Clone, Copy)]
struct Document {
    items: Claimed,
    place: Place,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Raw>;

    fn leaf(self, _: Leaf<'_>) -> Option<Raw> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.items.list(list)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let envelope = match self.place {
            Place::Envelope(name) => name,
            Place::Columns => return self.items.columns().object(object),
            Place::Item => return self.items.alone(object),
        };
        let mut raw = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == envelope {
                raw = object.next_value_seed(At(self.items))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(raw)
    }
}
