//! The rows of a request.

use serde::de::{Error as _, MapAccess, SeqAccess};

use super::super::{
    Asked, DecodeError, Pair, Scalar,
    table::Table,
    walk::{self, At, Leaf, Name, Node},
};

/// The rows that were asked about. `items`, those of the answer, settles what the request alone
/// leaves open: `{"user":1,"lines":[{..},{..}]}` is one row or two.
pub(super) fn read(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let bytes = pair.request.len();
    let table = walk::read(super::FORMAT, pair.request, Document { bytes, items })?;
    Ok(table.map(Asked::from))
}

/// The whole body.
#[derive(Clone, Copy)]
struct Document {
    bytes: usize,
    items: Option<usize>,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Table>;

    fn leaf(self, _: Leaf<'_>) -> Option<Table> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Table>, A::Error> {
        Ok(match rows(list, self.bytes)? {
            Field::Rows(table) => Some(table),
            _ => None,
        })
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Table>, A::Error> {
        let mut found = Envelope::new(self.bytes);
        while let Some(name) = object.next_key_seed(Name)? {
            match object.next_value_seed(At(Value { bytes: self.bytes }))? {
                Field::Cell(value) => found.row.put(&name, value).map_err(A::Error::custom)?,
                Field::Rows(table) => {
                    found.batch = Some(table);
                    found.batches += 1;
                }
                Field::Scalars => found.lists = true,
                Field::Lists => found.matrix = true,
                Field::Object => {}
            }
        }
        found.row.end_row().map_err(A::Error::custom)?;
        Ok(found.choose(self.items))
    }
}

/// What stands in an object: a row, or a batch with parameters beside it.
struct Envelope {
    row: Table,
    /// The last list of rows, and how many there are.
    batch: Option<Table>,
    batches: usize,
    /// There is a list of scalars: a feature that is skipped, or rows of one value.
    lists: bool,
    /// There is a list of lists: rows without names, which are not read.
    matrix: bool,
}

impl Envelope {
    fn new(bytes: usize) -> Self {
        Self {
            row: Table::within(bytes),
            batch: None,
            batches: 0,
            lists: false,
            matrix: false,
        }
    }

    fn choose(self, items: Option<usize>) -> Option<Table> {
        if self.matrix {
            return None;
        }
        let is_row = self.row.has_columns();
        let is_one = items.is_none_or(|items| items == 1);
        match self.batch {
            Some(batch) if self.batches == 1 => {
                let beside = is_row && items == Some(1) && batch.rows() != 1;
                Some(if beside { self.row } else { batch })
            }
            Some(_) => (is_row && is_one).then_some(self.row),
            None => (is_row && (is_one || !self.lists)).then_some(self.row),
        }
    }
}

/// What a field of the outermost object holds.
enum Field {
    Cell(Scalar),
    Rows(Table),
    /// A list of scalars, an empty one, or a mixture.
    Scalars,
    Lists,
    Object,
}

/// A field of the outermost object.
struct Value {
    bytes: usize,
}

impl<'de> Node<'de> for Value {
    type Found = Field;

    fn leaf(self, leaf: Leaf<'_>) -> Field {
        leaf.scalar().map_or(Field::Object, Field::Cell)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Field, A::Error> {
        rows(list, self.bytes)
    }
}

fn rows<'de, A: SeqAccess<'de>>(mut list: A, bytes: usize) -> Result<Field, A::Error> {
    let mut table = Table::within(bytes);
    let (mut others, mut lists) = (false, false);
    while let Some(element) = list.next_element_seed(At(Row(&mut table)))? {
        match element {
            Element::Row => {}
            Element::List => lists = true,
            Element::Scalar => others = true,
        }
    }
    Ok(match table.rows() {
        0 if lists && !others => Field::Lists,
        0 => Field::Scalars,
        _ if lists || others => Field::Scalars,
        _ => Field::Rows(table),
    })
}

/// What an element of a list was.
enum Element {
    Row,
    List,
    Scalar,
}

/// An element of a list, which is put into the table if it is an object.
struct Row<'a>(&'a mut Table);

impl<'de> Node<'de> for Row<'_> {
    type Found = Element;

    fn leaf(self, leaf: Leaf<'_>) -> Element {
        match leaf {
            Leaf::List => Element::List,
            _ => Element::Scalar,
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Element, A::Error> {
        while let Some(name) = object.next_key_seed(Name)? {
            if let Some(value) = object.next_value_seed(At(Cell))? {
                self.0.put(&name, value).map_err(A::Error::custom)?;
            }
        }
        self.0.end_row().map_err(A::Error::custom)?;
        Ok(Element::Row)
    }
}

/// A field of a row; `None` for lists and objects.
struct Cell;

impl Node<'_> for Cell {
    type Found = Option<Scalar>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Scalar> {
        leaf.scalar()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{
        super::{super::Values, tests::both},
        *,
    };

    /// Rows, and names with values, of a request answered with `items` items.
    fn rows(request: &str, items: usize) -> (usize, Vec<(String, Vec<Scalar>)>) {
        let answer = format!(r#"{{"predictions":[{}]}}"#, vec!["\"x\""; items].join(","));
        let inference = both(request, &answer).unwrap();
        let columns = inference.features.into_iter();
        let values = |values: Values| values.iter().map(Cow::into_owned).collect();
        let columns = columns
            .map(|c| (c.name.text().into_owned(), values(c.values)))
            .collect();
        (inference.rows, columns)
    }

    fn numbers(name: &str, values: &[f64]) -> (String, Vec<Scalar>) {
        let values = values.iter().map(|v| Scalar::Number(*v));
        (name.to_owned(), values.collect())
    }

    #[test]
    fn a_flat_object_is_one_row_of_any_names() {
        assert_eq!(
            rows(
                r#"{"age":"41","zip":"00501","vip":true,"x":null,"tags":["a"],"o":{"age":3}}"#,
                1
            ),
            (
                1,
                vec![
                    numbers("age", &[41.0]),
                    ("zip".into(), vec![Scalar::Text("00501".into())]),
                    ("vip".into(), vec![Scalar::Bool(true)]),
                    ("x".into(), vec![Scalar::Missing]),
                ]
            )
        );
    }

    #[test]
    fn a_list_of_objects_is_a_batch_bare_or_in_an_envelope() {
        let expected = (
            2,
            vec![numbers("a", &[1.0, 3.0]), numbers("b", &[2.0, 4.0])],
        );
        let list = r#"[{"a":1,"b":2},{"b":4,"a":3}]"#;
        assert_eq!(rows(list, 2), expected);
        for name in ["instances", "samples", "anything"] {
            assert_eq!(rows(&format!(r#"{{"{name}":{list}}}"#), 2), expected);
            let envelope = format!(r#"{{"threshold":0.5,"{name}":{list},"m":{{}}}}"#);
            assert_eq!(rows(&envelope, 2), expected);
        }
    }

    #[test]
    fn a_row_that_holds_a_list_of_objects_is_told_by_the_answer() {
        let order = r#"{"total":20.5,"lines":[{"sku":1},{"sku":2}]}"#;
        assert_eq!(rows(order, 1), (1, vec![numbers("total", &[20.5])]));
        assert_eq!(rows(order, 2), (2, vec![numbers("sku", &[1.0, 2.0])]));
    }

    #[test]
    fn rows_without_names_are_read_by_position() {
        let two = (
            2,
            vec![numbers("0", &[1.0, 3.0]), numbers("1", &[2.0, 4.0])],
        );
        for request in ["[[1,2],[3,4]]", r#"{"m":"x","instances":[[1,2],[3,4]]}"#] {
            assert_eq!(rows(request, 2), two, "{request}");
        }
        let columns = (
            2,
            vec![numbers("a", &[1.0, 2.0]), numbers("b", &[3.0, 4.0])],
        );
        assert_eq!(rows(r#"{"inputs":{"a":[1,2],"b":[3,4]}}"#, 2), columns);
    }

    #[test]
    fn what_may_not_be_rows_is_not_miscounted() {
        for request in [
            "",
            "null",
            "{}",
            "[]",
            "[1,2,3]",
            "[{\"a\":1},2]",
            r#"{"instances":[[1,2]]}"#,
            r#"{"a":[{"x":1}],"b":[{"x":1}],"c":1}"#,
            "a=1&b=2",
            "{\"a\":1",
        ] {
            assert_eq!(rows(request, 2), (0, vec![]), "{request}");
        }
    }
}
