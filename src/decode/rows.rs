//! Rows of features, in any of the shapes that JSON has for them.
//!
//! | shape | rows |
//! |---|---|
//! | `[[1, 2], [3, 4]]` | two, by position; deeper lists are flattened |
//! | `[{"a": 1}, {"a": 3}]` | two, by name |
//! | `{"a": [1, 3], "b": [2, 4]}`, or a list with one such object | two, column by column |
//! | `{"a": 1, "b": 2}` | one |
//! | `[1, 2, 3]` | one, or three of one column where the answer has three items |

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    inference::{Name as Called, Scalar, Values},
    table::{Table, TooLarge},
    walk::{At, Leaf, Name, Node},
};

/// How deep lists of a row are looked into: an image has three dimensions.
const DEPTH: u8 = 4;

/// What stands where rows are expected; [`Rows::settle`] makes rows of it.
#[derive(Debug)]
pub(super) struct Rows {
    table: Table,
    /// Scalars that stand in no row.
    flat: Values,
    /// Lists of scalars in an object, by its names.
    lists: Vec<(String, Values)>,
    objects: usize,
    /// A scalar stands beside lists in an object.
    has_fields: bool,
    /// It is one value alone.
    is_scalar: bool,
    /// Something is no row, or not of the same kind as the others.
    is_mixed: bool,
    bytes: usize,
}

impl Rows {
    /// For a body of `bytes`.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            table: Table::within(bytes),
            flat: Values::with_capacity(0),
            lists: Vec::new(),
            objects: 0,
            has_fields: false,
            is_scalar: false,
            is_mixed: false,
            bytes,
        }
    }

    /// The rows; `items`, those of the answer, settles what the shape alone leaves open. `None`: there
    /// are none.
    pub(super) fn settle(mut self, items: Option<usize>) -> Result<Option<Table>, TooLarge> {
        let has_rows = self.table.rows() > 0;
        if self.is_mixed || (has_rows && !self.flat.is_empty()) {
            return Ok(None);
        }
        if !self.flat.is_empty() {
            return self.settle_flat(items).map(Some);
        }
        let is_column_wise = self.objects == 1 && !self.lists.is_empty() && !self.has_fields;
        let len = self.lists.first().map_or(0, |(_, values)| values.len());
        if is_column_wise
            && items.is_none_or(|items| items == len)
            && self.lists.iter().all(|(_, values)| values.len() == len)
        {
            let mut table = Table::within(self.bytes);
            for (name, values) in std::mem::take(&mut self.lists) {
                table.put_column(Called::Word(name), values)?;
            }
            return Ok(Some(table));
        }
        Ok(has_rows.then_some(self.table))
    }

    /// A flat list of numbers is one item, and one of words several.
    fn settle_flat(self, items: Option<usize>) -> Result<Table, TooLarge> {
        let len = self.flat.len();
        let are_words = matches!(&self.flat, Values::Mixed(all)
            if all.iter().all(|value| matches!(value, Scalar::Text(_))));
        let mut table = Table::within(self.bytes);
        if items.map_or(are_words, |items| items == len) || self.is_scalar {
            table.put_column(Called::Position(0), self.flat)?;
            return Ok(table);
        }
        for (position, value) in self.flat.iter().enumerate() {
            table.put_at(position, value.into_owned())?;
        }
        table.end_row()?;
        Ok(table)
    }

    /// Reads the value of a field, as [`Data`], into these.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        object: &mut A,
    ) -> Result<(), A::Error> {
        match object.next_value_seed(At(Field))? {
            Found::Scalar(value) => {
                self.has_fields = true;
                self.table.put(name, value).map_err(A::Error::custom)?;
            }
            Found::List(values) if self.objects == 0 => self.lists.push((name.to_owned(), values)),
            Found::List(_) | Found::Other => {}
        }
        Ok(())
    }

    fn row<'de, A: MapAccess<'de>>(&mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key_seed(Name)? {
            self.field(&name, &mut object)?;
        }
        self.objects += 1;
        self.table.end_row().map_err(A::Error::custom)
    }
}

/// The place of rows.
#[derive(Clone, Copy)]
pub(super) struct Data {
    /// Of the whole body.
    pub(super) bytes: usize,
}

impl<'de> Node<'de> for Data {
    type Found = Rows;

    fn leaf(self, leaf: Leaf<'_>) -> Rows {
        let mut rows = Rows::within(self.bytes);
        match leaf.scalar() {
            Some(value) => rows.flat.push(value),
            None => rows.is_mixed = true,
        }
        rows.is_scalar = true;
        rows
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::within(self.bytes);
        while list.next_element_seed(At(Row(&mut rows)))?.is_some() {}
        Ok(rows)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::within(self.bytes);
        rows.row(object)?;
        Ok(rows)
    }
}

/// An object that has rows under one of some names.
#[derive(Clone, Copy)]
pub(super) struct DataOf {
    pub(super) names: &'static [&'static str],
    pub(super) data: Data,
}

impl<'de> Node<'de> for DataOf {
    /// `None`: it has none of these.
    type Found = Option<Rows>;

    fn leaf(self, _: Leaf<'_>) -> Option<Rows> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Rows>, A::Error> {
        let mut rows = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if self.names.contains(&&*name) {
                rows = Some(object.next_value_seed(At(self.data))?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(rows)
    }
}

/// An element of a list of rows.
struct Row<'a>(&'a mut Rows);

impl<'de> Node<'de> for Row<'_> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        match leaf.scalar() {
            Some(value) => self.0.flat.push(value),
            None => self.0.is_mixed = true,
        }
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let table = &mut self.0.table;
        let mut position = 0;
        let cells = Cells {
            table: &mut *table,
            position: &mut position,
            depth: DEPTH,
        };
        cells.list(list)?.map_err(A::Error::custom)?;
        table.end_row().map_err(A::Error::custom)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.row(object)
    }
}

/// An element of a row by position; that of a list in it likewise.
struct Cells<'a> {
    table: &'a mut Table,
    position: &'a mut usize,
    depth: u8,
}

impl<'de> Node<'de> for Cells<'_> {
    type Found = Result<(), TooLarge>;

    fn leaf(self, leaf: Leaf<'_>) -> Result<(), TooLarge> {
        let value = leaf.scalar().unwrap_or(Scalar::Missing);
        let position = *self.position;
        *self.position += 1;
        self.table.put_at(position, value)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        if self.depth == 0 {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(self.leaf(Leaf::List));
        }
        loop {
            let cells = Cells {
                table: &mut *self.table,
                position: &mut *self.position,
                depth: self.depth - 1,
            };
            match list.next_element_seed(At(cells))? {
                Some(Ok(())) => {}
                Some(Err(error)) => return Ok(Err(error)),
                None => return Ok(Ok(())),
            }
        }
    }
}

/// The value of a field of a row.
struct Field;

enum Found {
    Scalar(Scalar),
    List(Values),
    Other,
}

impl<'de> Node<'de> for Field {
    type Found = Found;

    fn leaf(self, leaf: Leaf<'_>) -> Found {
        leaf.scalar().map_or(Found::Other, Found::Scalar)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut values = Values::with_capacity(0);
        let mut is_other = false;
        while let Some(value) = list.next_element_seed(At(Cell))? {
            match value {
                Some(value) => values.push(value),
                None => is_other = true,
            }
        }
        Ok(if is_other {
            Found::Other
        } else {
            Found::List(values)
        })
    }
}

/// A scalar; `None` for lists and objects. A list of one scalar is that scalar: a column of shape [n, 1].
pub(super) struct Cell;

impl<'de> Node<'de> for Cell {
    type Found = Option<Scalar>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Scalar> {
        leaf.scalar()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Scalar>, A::Error> {
        let mut only = None;
        let mut count = 0;
        while let Some(value) = list.next_element_seed(At(Inner))? {
            only = value;
            count += 1;
        }
        Ok(only.filter(|_| count == 1))
    }
}

struct Inner;

impl Node<'_> for Inner {
    type Found = Option<Scalar>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Scalar> {
        leaf.scalar()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{super::walk, *};

    type Columns = Vec<(String, Vec<Scalar>)>;

    /// Rows, and each column with its values, of `json` answered with `items` items.
    fn settled(json: &str, items: Option<usize>) -> Option<(usize, Columns)> {
        #[derive(Clone, Copy)]
        struct Document(Option<usize>);
        impl<'de> Node<'de> for Document {
            type Found = Option<Table>;
            fn leaf(self, _: Leaf<'_>) -> Option<Table> {
                None
            }
            fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Table>, A::Error> {
                let rows = Data { bytes: 1000 }.list(list)?;
                rows.settle(self.0).map_err(A::Error::custom)
            }
            fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Table>, A::Error> {
                let rows = Data { bytes: 1000 }.object(object)?;
                rows.settle(self.0).map_err(A::Error::custom)
            }
        }
        let table = walk::read("x", json.as_bytes(), Document(items)).unwrap()?;
        let (rows, columns) = table.finish();
        let columns = columns.into_iter().map(|column| {
            let values = column.values.iter().map(Cow::into_owned).collect();
            (column.name.text().into_owned(), values)
        });
        Some((rows, columns.collect()))
    }

    fn numbers(name: &str, values: &[f64]) -> (String, Vec<Scalar>) {
        let values = values.iter().map(|v| Scalar::Number(*v));
        (name.to_owned(), values.collect())
    }

    #[test]
    fn lists_are_rows_by_position_however_deep() {
        let two = vec![numbers("0", &[1.0, 3.0]), numbers("1", &[2.0, 4.0])];
        for rows in ["[[1,2],[3,4]]", "[[[1],[2]],[[3],[4]]]"] {
            for items in [None, Some(2)] {
                assert_eq!(settled(rows, items), Some((2, two.clone())), "{rows}");
            }
        }
    }

    #[test]
    fn columns_are_told_from_a_row_with_lists_by_the_answer() {
        let two = vec![numbers("a", &[1.0, 3.0]), numbers("b", &[2.0, 4.0])];
        for columns in [
            r#"{"a":[1,3],"b":[2,4]}"#,
            r#"[{"a":[1,3],"b":[2,4]}]"#,
            r#"{"a":[[1],[3]],"b":[[2],[4]]}"#,
        ] {
            assert_eq!(settled(columns, None), Some((2, two.clone())), "{columns}");
            assert_eq!(settled(columns, Some(2)), Some((2, two.clone())));
            assert_eq!(settled(columns, Some(1)), Some((1, vec![])));
        }
    }

    #[test]
    fn a_flat_list_is_one_row_unless_the_answer_has_as_many_items() {
        let row = vec![numbers("0", &[1.0]), numbers("1", &[2.0])];
        assert_eq!(settled("[1,2]", None), Some((1, row.clone())));
        assert_eq!(settled("[1,2]", Some(1)), Some((1, row)));
        let column = vec![numbers("0", &[1.0, 2.0])];
        assert_eq!(settled("[1,2]", Some(2)), Some((2, column)));
        let words = settled(r#"["a","b"]"#, None).unwrap();
        assert_eq!((words.0, words.1.len()), (2, 1));
    }

    #[test]
    fn an_image_is_a_row_without_features() {
        let image = format!("[[{}0]]", "0,".repeat(5000));
        assert_eq!(settled(&image, Some(1)), Some((1, vec![])));
    }

    #[test]
    fn what_is_no_row_is_none() {
        for rows in ["[]", "[1,[2]]", "[1,{\"a\":2}]"] {
            assert_eq!(settled(rows, None), None, "{rows}");
        }
    }
}
