//! A data frame as pandas splits it: `{"columns": names, "index"?: .., "data": rows}`.

use serde::de::{Error as _, MapAccess, SeqAccess};

use super::{
    rows::{Grid, Rows},
    table::{Table, TooLarge},
    walk::{At, Leaf, Name, Node},
};

/// The place of a data frame; of another object, its fields as one row or as columns.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Of the whole body.
    pub(super) bytes: usize,
}

/// What stands there; [`Framed::settle`] makes rows of it.
#[derive(Debug)]
pub(super) struct Framed {
    rows: Rows,
    names: Option<Vec<String>>,
}

impl From<Rows> for Framed {
    fn from(rows: Rows) -> Self {
        Self { rows, names: None }
    }
}

impl Framed {
    /// The rows, as [`Rows::settle`] tells them. Columns are named if there is a name for each.
    pub(super) fn settle(self, items: Option<usize>) -> Result<Option<Table>, TooLarge> {
        let Some(names) = self.names else {
            return self.rows.settle(items);
        };
        // values of the only column need not stand in lists
        let loose = Some(self.rows.loose()).filter(|_| names.len() == 1);
        let mut table = self.rows.settle(loose.or(items))?;
        if let Some(table) = &mut table {
            table.name(&names);
        }
        Ok(table)
    }
}

impl<'de> Node<'de> for Frame {
    type Found = Option<Framed>;

    fn leaf(self, _: Leaf<'_>) -> Option<Framed> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Framed>, A::Error> {
        let mut others = Rows::bare(self.bytes);
        let (mut data, mut names) = (None, None);
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "columns" => names = object.next_value_seed(At(Names))?,
                "data" => {
                    let bytes = self.bytes;
                    data = Some(object.next_value_seed(At(Grid { bytes }))?);
                }
                _ => others.field(&name, &mut object)?,
            }
        }
        others.end().map_err(A::Error::custom)?;
        Ok(Some(match data {
            Some(rows) => Framed { rows, names },
            None => Framed::from(others),
        }))
    }
}

/// The names of columns; `None`: one of them is no word.
struct Names;

impl<'de> Node<'de> for Names {
    type Found = Option<Vec<String>>;

    fn leaf(self, _: Leaf<'_>) -> Option<Vec<String>> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut names = Vec::new();
        let mut are_words = true;
        while let Some(name) = list.next_element_seed(At(super::walk::Word))? {
            match name {
                Some(name) if names.len() < Table::MAX_COLUMNS => names.push(name),
                _ => are_words = false,
            }
        }
        Ok(Some(names).filter(|_| are_words))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::walk, *};

    fn settled(json: &str, items: Option<usize>) -> Option<(usize, Vec<String>)> {
        let bytes = json.len();
        let framed = walk::read("x", json.as_bytes(), Frame { bytes }).unwrap()?;
        let (rows, columns) = framed.settle(items).unwrap()?.finish();
        let names = columns.iter().map(|c| c.name.text().into_owned());
        Some((rows, names.collect()))
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn columns_have_their_names_wherever_these_stand() {
        for frame in [
            r#"{"columns":["a",2],"index":[5,7],"data":[[1,2],[3,4]]}"#,
            r#"{"data":[[1,2],[3,4]],"columns":["a",2]}"#,
        ] {
            assert_eq!(
                settled(frame, None),
                Some((2, names(&["a", "2"]))),
                "{frame}"
            );
        }
        let flat = r#"{"columns":["a"],"data":[1,2,3]}"#;
        assert_eq!(settled(flat, None), Some((3, names(&["a"]))));
        let records = r#"{"data":[{"a":1},{"a":2}]}"#;
        assert_eq!(settled(records, Some(2)), Some((2, names(&["a"]))));
    }

    #[test]
    fn names_that_do_not_fit_name_nothing() {
        for frame in [
            r#"{"columns":["a"],"data":[[1,2],[3,4]]}"#,
            r#"{"columns":[["a","b"],["a","c"]],"data":[[1,2],[3,4]]}"#,
            r#"{"columns":null,"data":[[1,2],[3,4]]}"#,
        ] {
            assert_eq!(
                settled(frame, None),
                Some((2, names(&["0", "1"]))),
                "{frame}"
            );
        }
    }

    #[test]
    fn a_list_in_a_row_is_one_cell() {
        let frame = r#"{"columns":["a","b"],"data":[[1,[2,3]],[4,[5,6]]]}"#;
        assert_eq!(settled(frame, None), Some((2, names(&["a", "b"]))));
    }

    #[test]
    fn without_data_an_object_is_a_row_or_columns() {
        let columns = settled(r#"{"a":[1,2],"index":[3,4]}"#, Some(2));
        assert_eq!(columns, Some((2, names(&["a", "index"]))));
        assert_eq!(settled(r#"{"a":1}"#, None), Some((1, names(&["a"]))));
        assert_eq!(settled(r#"{"columns":["a"],"data":"x"}"#, None), None);
    }
}
