use std::borrow::Cow;

use super::{
    super::walk::{self, Leaf, Node},
    *,
};

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
fn numbers_of_several_vectors_are_told_apart_by_name_and_place() {
    let columns = settled(r#"{"x":[[1,2],[3,4]],"z":[5,6]}"#, Some(2));
    let expected = vec![
        numbers("x[0]", &[1.0, 3.0]),
        numbers("x[1]", &[2.0, 4.0]),
        numbers("z", &[5.0, 6.0]),
    ];
    assert_eq!(columns, Some((2, expected)));
    let wide = format!("[{}0]", "0,".repeat(5000));
    let wide = settled(&format!(r#"{{"x":[{wide},{wide}],"z":[5,6]}}"#), Some(2));
    assert_eq!(wide, Some((2, vec![numbers("z", &[5.0, 6.0])])));
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
