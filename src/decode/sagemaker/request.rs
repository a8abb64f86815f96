//! The rows of a request.

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        Asked, DecodeError, Pair,
        csv::{self, Header},
        inference::Values,
        rows::{Data, Flat, Row, Rows},
        shown,
        table::{Table, TooLarge},
        walk::{self, At, Leaf, Name, Node},
    },
    FORMAT, is_json, json, model, recordio, says,
};

/// The rows that were asked about.
pub(super) fn read(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let table = table(pair, items)?;
    let model = model(pair).and_then(shown::segment);
    Ok(table.map(|table| Asked {
        model,
        table,
        ..Asked::default()
    }))
}

fn table(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Table>, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let (message, body) = (&pair.exchange.request, pair.request);
    if recordio::is_one(body) {
        return recordio::table(body).map(Some);
    }
    if says(message, "image") {
        // what it shows is no feature
        return Ok(Some(Table::of_rows(1)));
    }
    if says(message, "libsvm") {
        // features are those that are not 0: rows are counted alone
        let rows = csv::lines(body);
        return Ok((rows > 0).then(|| Table::of_rows(rows)));
    }
    let is_text = !is_json(body) && !says(message, "json") && !says(message, "plain");
    if says(message, "csv") || (is_text && csv::begins_with_numbers(body)) {
        return csv::table(body, Header::Nowhere { items }).map_err(too_large);
    }
    let body = json(message, body);
    let bytes = body.len();
    match walk::read(FORMAT, &body, Document { bytes })? {
        Some(found) => found.settle(items).map_err(too_large),
        None => Ok(None),
    }
}

/// Records, each with a vector of features or with fields.
struct Records {
    /// Those with vectors.
    vectors: Table,
    others: Rows,
}

impl Records {
    fn within(bytes: usize) -> Self {
        Self {
            vectors: Table::within(bytes),
            others: Rows::within(bytes),
        }
    }

    fn settle(self, items: Option<usize>) -> Result<Option<Table>, TooLarge> {
        let others = self.others.settle(items)?;
        Ok(match (self.vectors.rows(), others) {
            (0, others) => others,
            (_, None) => Some(self.vectors),
            // some of each
            (_, Some(_)) => None,
        })
    }

    /// A row; `None`: its features are not known by position.
    fn put(&mut self, vector: Option<Values>) -> Result<(), TooLarge> {
        match vector {
            Some(vector) => self.vectors.put_row(vector),
            None => self.vectors.end_row(),
        }
    }
}

/// The whole request.
#[derive(Clone, Copy)]
struct Document {
    bytes: usize,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Records>;

    fn leaf(self, _: Leaf<'_>) -> Option<Records> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut records = Records::within(self.bytes);
        while list.next_element_seed(At(Record(&mut records)))?.is_some() {}
        Ok(Some(records))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let bytes = self.bytes;
        let mut found = None;
        let mut alone = Rows::bare(bytes);
        let mut is_record = true;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "instances" => found = object.next_value_seed(At(Instances { bytes }))?,
                "inputs" => {
                    let others = object.next_value_seed(At(Data { bytes }))?;
                    let vectors = Table::default();
                    found = Some(Records { vectors, others });
                }
                "features" | "data" => {
                    let Some(vector) = object.next_value_seed(At(Vector::of(&name)))? else {
                        is_record = false;
                        continue;
                    };
                    let records = found.get_or_insert_with(|| Records::within(bytes));
                    records.put(vector).map_err(A::Error::custom)?;
                }
                _ => alone.field(&name, &mut object)?,
            }
        }
        if found.is_some() || !(is_record && alone.holds_scalars()) {
            return Ok(found);
        }
        alone.end().map_err(A::Error::custom)?;
        Ok(Some(Records {
            vectors: Table::default(),
            others: alone,
        }))
    }
}

/// The place of a list of records.
struct Instances {
    bytes: usize,
}

impl<'de> Node<'de> for Instances {
    type Found = Option<Records>;

    fn leaf(self, _: Leaf<'_>) -> Option<Records> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Found, A::Error> {
        let bytes = self.bytes;
        Document { bytes }.list(list)
    }
}

/// A record: an object, or a row as any format has it.
struct Record<'a>(&'a mut Records);

impl<'de> Node<'de> for Record<'_> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        Row(&mut self.0.others).leaf(leaf);
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        Row(&mut self.0.others).list(list)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let records = self.0;
        let mut vector = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "features" | "data" => {
                    let found = object.next_value_seed(At(Vector::of(&name)))?;
                    vector = found.or(vector);
                }
                _ => records.others.field(&name, &mut object)?,
            }
        }
        match vector {
            Some(vector) => records.put(vector),
            None => records.others.end(),
        }
        .map_err(A::Error::custom)
    }
}

/// The place of a vector: a list, or an object with it as `values`, or with such an object as
/// `features`.
struct Vector {
    /// It may be a list itself.
    may_be_list: bool,
    /// How many objects deep it may stand in this one.
    depth: u8,
}

impl Vector {
    /// Under this name of a record: `data` has an object around its features.
    fn of(name: &str) -> Self {
        Self {
            may_be_list: name == "features",
            depth: 1,
        }
    }
}

impl<'de> Node<'de> for Vector {
    /// `None`: there is none; of `None`: it is a sparse one.
    type Found = Option<Option<Values>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        if self.may_be_list {
            return Ok(Some(Flat.list(list)?));
        }
        walk::skip_elements(&mut list)?;
        Ok(None)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let mut values = None;
        let mut is_sparse = false;
        while let Some(name) = object.next_key_seed(Name)? {
            match (&*name, self.depth.checked_sub(1)) {
                ("values" | "features", Some(depth)) => {
                    let may_be_list = true;
                    values = object.next_value_seed(At(Self { may_be_list, depth }))?;
                }
                ("values", None) => values = Some(object.next_value_seed(At(Flat))?),
                (other, _) => {
                    is_sparse |= other == "keys";
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values.map(|values| values.filter(|_| !is_sparse)))
    }
}
