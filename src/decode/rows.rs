//! Rows of features, in any of the shapes that JSON has for them.
//!
//! | shape | rows |
//! |---|---|
//! | `[[1, 2], [3, 4]]` | two, by position; deeper lists are flattened |
//! | `[{"a": 1}, {"a": 3}]` | two, by name |
//! | `{"a": [1, 3], "b": [2, 4]}`, or a list with one such object | two, column by column |
//! | `{"x": [[1, 2], [3, 4]]}`, `[{"x": [1, 2]}, {"x": [3, 4]}]` | two, by position |
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
    /// Lists in the first object, by its names.
    lists: Vec<(String, Tensor)>,
    /// Values of the objects after it, where each holds the same list and nothing else.
    later: Values,
    objects: usize,
    /// A scalar stands beside lists in an object.
    has_fields: bool,
    /// Objects hold what is neither a scalar nor the list that all of them hold.
    has_others: bool,
    whole: Whole,
    /// Something is no row, or not of the same kind as the others.
    is_mixed: bool,
    /// How deep lists of a row by position are looked into.
    depth: u8,
    bytes: usize,
}

/// What rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    List,
    /// One object, in no list.
    Object,
    Scalar,
}

impl Rows {
    /// For a body of `bytes`.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            table: Table::within(bytes),
            flat: Values::with_capacity(0),
            lists: Vec::new(),
            later: Values::with_capacity(0),
            objects: 0,
            has_fields: false,
            has_others: false,
            whole: Whole::List,
            is_mixed: false,
            depth: DEPTH,
            bytes,
        }
    }

    /// One object in no list, whose fields are still to be read.
    pub(super) fn bare(bytes: usize) -> Self {
        Self {
            whole: Whole::Object,
            ..Self::within(bytes)
        }
    }

    fn is_bare(&self) -> bool {
        self.whole == Whole::Object
    }

    /// Values that stand in no row.
    pub(super) fn loose(&self) -> usize {
        self.flat.len()
    }

    /// Whether no field of an object holds anything but a scalar.
    pub(super) fn holds_scalars(&self) -> bool {
        self.has_fields && !self.has_others && self.lists.is_empty()
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
        if self.is_column_wise(items) {
            return self.settle_columns().map(Some);
        }
        let has_lists = self.has_others || !self.lists.is_empty();
        if self.is_bare() && has_lists && items.is_some_and(|items| items != 1) {
            // columns, but not of a value for each item
            return Ok(None);
        }
        if let Some(vectors) = self.vectors() {
            let mut table = Table::within(self.bytes);
            vectors.put(&mut table)?;
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
        if items.map_or(are_words, |items| items == len) || self.whole == Whole::Scalar {
            table.put_column(Called::Position(0), self.flat)?;
            return Ok(table);
        }
        for (position, value) in self.flat.iter().enumerate() {
            table.put_at(position, value.into_owned())?;
        }
        table.end_row()?;
        Ok(table)
    }

    /// Whether the lists of an object are columns. In a list, an object with one list alone rather
    /// holds a vector.
    fn is_column_wise(&self, items: Option<usize>) -> bool {
        let Some((_, first)) = self.lists.first() else {
            return false;
        };
        let len = first.len;
        let is_told = match items {
            Some(items) => items == len && (len > 1 || !self.has_fields),
            None => !self.has_fields && (self.is_bare() || self.lists.len() > 1),
        };
        is_told && self.objects == 1 && self.lists.iter().all(|(_, list)| list.len == len)
    }

    /// Lists of vectors have no name for each of their numbers: one alone is read by position.
    fn settle_columns(self) -> Result<Table, TooLarge> {
        let mut table = Table::within(self.bytes);
        let is_alone = self.lists.len() == 1;
        let len = self.lists.first().map_or(0, |(_, list)| list.len);
        for (name, list) in self.lists {
            if list.width() == 1 {
                table.put_column(Called::Word(name), list.values)?;
            } else if is_alone {
                list.put(&mut table)?;
            }
        }
        table.count(len);
        Ok(table)
    }

    /// One vector an object, where that is all that they hold.
    fn vectors(&mut self) -> Option<Tensor> {
        let [(_, first)] = self.lists.as_mut_slice() else {
            return None;
        };
        let width = first.values.len();
        let is_even = self.later.len() == width.checked_mul(self.objects.checked_sub(1)?)?;
        if self.has_fields || self.has_others || !is_even || width == 0 {
            return None;
        }
        let mut values = std::mem::replace(&mut first.values, Values::with_capacity(0));
        for value in self.later.iter() {
            values.push(value.into_owned());
        }
        Some(Tensor {
            values,
            len: self.objects,
        })
    }

    /// Reads the value of a field, as [`Data`], into these.
    pub(super) fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        object: &mut A,
    ) -> Result<(), A::Error> {
        match object.next_value_seed(At(Field))? {
            // encoded bytes, as of an image
            Found::Scalar(Scalar::Text(_)) if name == "b64" => self.has_fields = true,
            Found::Scalar(value) => {
                self.has_fields = true;
                self.table.put(name, value).map_err(A::Error::custom)?;
            }
            Found::List(list) if self.objects == 0 => self.lists.push((name.to_owned(), list)),
            Found::List(list) if self.is_repeated(name, &list) => {
                list.values
                    .iter()
                    .for_each(|v| self.later.push(v.into_owned()));
            }
            Found::List(_) | Found::Other => self.has_others = true,
        }
        Ok(())
    }

    fn is_repeated(&self, name: &str, list: &Tensor) -> bool {
        let is_wanted = !self.has_fields && !self.has_others;
        is_wanted
            && matches!(self.lists.as_slice(), [(first, of_first)]
                if first == name && of_first.values.len() == list.values.len())
    }

    pub(super) fn row<'de, A: MapAccess<'de>>(&mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key_seed(Name)? {
            self.field(&name, &mut object)?;
        }
        self.end().map_err(A::Error::custom)
    }

    /// Ends an object whose fields were read.
    pub(super) fn end(&mut self) -> Result<(), TooLarge> {
        self.objects += 1;
        self.table.end_row()
    }

    fn read_list<'de, A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element_seed(At(Row(&mut self)))?.is_some() {}
        Ok(self)
    }
}

/// A list in an object: scalars, or lists of as many scalars each.
#[derive(Debug)]
struct Tensor {
    values: Values,
    /// Elements of the outermost list.
    len: usize,
}

impl Tensor {
    /// Values of each element.
    fn width(&self) -> usize {
        self.values.len() / self.len.max(1)
    }

    /// Puts each element into `table` as a row by position.
    fn put(&self, table: &mut Table) -> Result<(), TooLarge> {
        let width = self.width();
        if width <= Table::MAX_COLUMNS {
            for position in 0..width {
                table.put_column(Called::Position(position), self.column(position))?;
            }
        }
        table.count(self.len);
        Ok(())
    }

    fn column(&self, position: usize) -> Values {
        let width = self.width();
        match &self.values {
            Values::Numbers(all) => {
                Values::Numbers(all[position..].iter().step_by(width).copied().collect())
            }
            Values::Mixed(all) => all[position..].iter().step_by(width).cloned().collect(),
        }
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
        rows.whole = Whole::Scalar;
        rows
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Rows, A::Error> {
        Rows::within(self.bytes).read_list(list)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::bare(self.bytes);
        rows.row(object)?;
        Ok(rows)
    }
}

/// The place of the rows of a data frame: each element of a row is one cell, whatever it is.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Of the whole body.
    pub(super) bytes: usize,
}

impl<'de> Node<'de> for Grid {
    type Found = Rows;

    fn leaf(self, _: Leaf<'_>) -> Rows {
        let mut rows = Rows::within(self.bytes);
        rows.is_mixed = true;
        rows
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::within(self.bytes);
        rows.depth = 0;
        rows.read_list(list)
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
pub(super) struct Row<'a>(pub(super) &'a mut Rows);

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
            depth: self.0.depth,
        };
        cells.elements(list)?.map_err(A::Error::custom)?;
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
        let Some(depth) = self.depth.checked_sub(1) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(self.leaf(Leaf::List));
        };
        Cells { depth, ..self }.elements(list)
    }
}

impl Cells<'_> {
    fn elements<'de, A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> Result<Result<(), TooLarge>, A::Error> {
        loop {
            let cells = Cells {
                table: &mut *self.table,
                position: &mut *self.position,
                depth: self.depth,
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
    /// Also a list of one value: a column of shape [1, 1].
    Scalar(Scalar),
    List(Tensor),
    Other,
}

impl<'de> Node<'de> for Field {
    type Found = Found;

    fn leaf(self, leaf: Leaf<'_>) -> Found {
        leaf.scalar().map_or(Found::Other, Found::Scalar)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut tensor = Tensor {
            values: Values::with_capacity(0),
            len: 0,
        };
        loop {
            let before = tensor.values.len();
            let part = Part {
                values: &mut tensor.values,
                depth: DEPTH,
            };
            let Some(is_part) = list.next_element_seed(At(part))? else {
                break;
            };
            tensor.len += 1;
            let is_even = tensor.values.len() == before + tensor.width_of_first(before);
            if !(is_part && is_even) {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Found::Other);
            }
        }
        Ok(match (&tensor.values, tensor.values.len()) {
            (_, 0) => Found::Other,
            (values, 1) => values
                .iter()
                .next()
                .map_or(Found::Other, |value| Found::Scalar(value.into_owned())),
            _ => Found::List(tensor),
        })
    }
}

impl Tensor {
    /// Values of the first element, when the last one begins at `before`.
    fn width_of_first(&self, before: usize) -> usize {
        if self.len == 1 {
            self.values.len()
        } else {
            before / (self.len - 1)
        }
    }
}

/// The place of a list of scalars, deeper lists flattened; `None`: it is something else.
pub(super) struct Flat;

impl<'de> Node<'de> for Flat {
    type Found = Option<Values>;

    fn leaf(self, _: Leaf<'_>) -> Option<Values> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Values>, A::Error> {
        let mut values = Values::with_capacity(0);
        let part = Part {
            values: &mut values,
            depth: DEPTH,
        };
        let is_flat = part.list(list)?;
        Ok(is_flat.then_some(values))
    }
}

/// An element of such a list, flattened; `false`: it is none.
struct Part<'a> {
    values: &'a mut Values,
    depth: u8,
}

impl<'de> Node<'de> for Part<'_> {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        leaf.scalar().map(|value| self.values.push(value)).is_some()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(false);
        };
        let mut are_parts = true;
        loop {
            let part = Part {
                values: &mut *self.values,
                depth,
            };
            match list.next_element_seed(At(part))? {
                Some(is_part) => are_parts &= is_part,
                None => return Ok(are_parts),
            }
        }
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
    fn the_only_list_of_an_object_is_a_vector_by_position() {
        let two = vec![numbers("0", &[1.0, 3.0]), numbers("1", &[2.0, 4.0])];
        for rows in [
            r#"{"x":[[1,2],[3,4]]}"#,
            r#"[{"x":[1,2]},{"x":[3,4]}]"#,
            r#"[{"x":[[1],[2]]},{"x":[[3],[4]]}]"#,
            r#"{"x":[[1,2],[3,4]],"keep":0.5}"#,
        ] {
            assert_eq!(settled(rows, Some(2)), Some((2, two.clone())), "{rows}");
        }
        let one = Some((1, vec![numbers("0", &[1.0]), numbers("1", &[2.0])]));
        for items in [None, Some(1)] {
            assert_eq!(settled(r#"[{"x":[1,2]}]"#, items), one);
        }
    }

    #[test]
    fn vectors_that_differ_or_stand_beside_others_have_no_features() {
        for rows in [
            r#"[{"x":[1,2]},{"x":[3]}]"#,
            r#"[{"x":[1,2]},{"y":[3,4]}]"#,
            r#"[{"x":[1,2],"y":[1,2]},{"x":[1,2],"y":[1,2]}]"#,
            r#"{"x":[[1,2],[3,4]],"y":[[1,2],[3,4]]}"#,
        ] {
            let (count, columns) = settled(rows, Some(2)).unwrap();
            assert!(columns.iter().all(|(name, _)| name != "0"), "{rows}");
            assert_eq!(count, 2, "{rows}");
        }
        assert_eq!(settled(r#"{"x":[[1,2],[3,4]]}"#, Some(3)), None);
        assert_eq!(settled(r#"{"x":[[1,2],[3]]}"#, Some(2)), None);
    }

    #[test]
    fn lists_of_one_value_are_that_value() {
        let rows = r#"[{"a":[1],"b":[2]},{"a":[3],"b":[4]}]"#;
        let two = vec![numbers("a", &[1.0, 3.0]), numbers("b", &[2.0, 4.0])];
        assert_eq!(settled(rows, Some(2)), Some((2, two)));
    }

    #[test]
    fn encoded_bytes_are_a_row_without_features() {
        assert_eq!(
            settled(r#"[{"b64":"aGVsbG8="}]"#, Some(1)),
            Some((1, vec![]))
        );
        let image = r#"[{"image":{"b64":"aGVsbG8="},"key":7}]"#;
        let key = vec![numbers("key", &[7.0])];
        assert_eq!(settled(image, Some(1)), Some((1, key)));
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
