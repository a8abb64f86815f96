use super::*;
use crate::decode::{
    DecodeError,
    inference::Source,
    meaning::{Meaning, Rules, settle},
    walk,
};

/// Class and confidence of each item.
type Outputs = Vec<(Option<String>, Option<f64>)>;

fn settled(raw: Raw) -> (Outputs, Meaning) {
    let meaning = settle(raw, Rules::default());
    let outputs = meaning.outputs.iter();
    let outputs = outputs.map(|o| (o.class().map(Into::into), o.confidence()));
    (outputs.collect(), meaning)
}

/// Those of a list, or of the only one.
fn read(json: &str) -> Option<Outputs> {
    let raw = walk::read("x", json.as_bytes(), Claimed::within(json.len())).unwrap()?;
    Some(settled(raw).0)
}

fn columns(json: &str) -> Option<(Outputs, Meaning)> {
    let raw = walk::read("x", json.as_bytes(), Columns::within(json.len())).unwrap()?;
    Some(settled(raw))
}

#[expect(clippy::unnecessary_wraps, reason = "as outputs hold it")]
fn class(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn elements_of_different_kinds_are_no_items() {
    for list in [
        r#"["a",{"label":"b"}]"#,
        r#"[{"label":"b"},"a"]"#,
        r#"[1,{"prediction":1}]"#,
        "[1,[0.5,0.5]]",
        r#"[["a"],"b"]"#,
        r#"[{"label":"a"},["a"]]"#,
        r#"[{"label":"a"},{"probabilities":[0.5,0.5]}]"#,
    ] {
        assert_eq!(read(list), None, "{list}");
        let items = Items {
            bytes: 100,
            has_maps: true,
            has_numbers: false,
        };
        let raw = walk::read("x", list.as_bytes(), items).unwrap();
        assert_eq!(raw, None, "{list}");
    }
}

#[test]
fn an_object_of_which_nothing_is_known_is_an_item_where_items_are_announced() {
    let two = vec![(None, None), (None, None)];
    assert_eq!(read(r#"[{"a":1,"b":"x"},{}]"#), Some(two));
    let items = Items {
        bytes: 100,
        has_maps: false,
        has_numbers: false,
    };
    let raw = walk::read("x", br#"[{"a":1,"b":"x"}]"#, items).unwrap();
    assert_eq!(raw, None);
    assert_eq!(read(r#"[{"output_0":3}]"#), Some(vec![(class("3"), None)]));
    let argmax = vec![(class("1"), Some(0.75))];
    assert_eq!(read(r#"[{"output_0":[0.25,0.75]}]"#), Some(argmax));
}

#[test]
fn an_estimator_names_its_class_in_a_list_of_one() {
    let item = r#"[{"classes":["b"],"class_ids":[1],"logits":[-1,1],"probabilities":[0.9,0.1],
        "all_classes":["a","b"]}]"#;
    assert_eq!(read(item), Some(vec![(class("b"), Some(0.1))]));
    let unnamed = r#"[{"class_ids":[0],"classes":["seven"],"probabilities":[0.4,0.6]}]"#;
    assert_eq!(read(unnamed), Some(vec![(class("seven"), Some(0.4))]));
    let top = r#"[{"label":["__label__1"],"prob":[0.7]}]"#;
    assert_eq!(read(top), Some(vec![(class("__label__1"), Some(0.7))]));
}

#[test]
fn classes_beside_as_many_scores_are_a_ranking() {
    let item = r#"[{"classes":["a","b","c"],"scores":[0.1,0.7,0.2]}]"#;
    assert_eq!(read(item), Some(vec![(class("b"), Some(0.7))]));
}

#[test]
fn a_label_written_with_a_fraction_of_zero_is_a_class() {
    let item = r#"[{"closest_cluster":1.0,"distance_to_cluster":3.3}]"#;
    assert_eq!(read(item), Some(vec![(class("1"), None)]));
}

#[test]
fn a_score_may_be_that_of_class_1() {
    let claimed = Claimed::with_positive_scores(100);
    for (item, expected) in [
        (r#"{"score":0.25,"predicted_label":0}"#, 0.75),
        (r#"{"predicted_label":1,"score":0.75}"#, 0.75),
        (r#"{"predicted_label":0.0,"probability":0.75}"#, 0.75),
        (r#"{"predicted_label":2,"score":[0.1,0.2,0.7]}"#, 0.7),
    ] {
        let raw = walk::read("x", item.as_bytes(), claimed).unwrap().unwrap();
        assert_eq!(settled(raw).0[0].1, Some(expected), "{item}");
    }
}

#[test]
fn columns_are_classes_with_their_probabilities() {
    let (outputs, meaning) =
        columns(r#"{"classes":["a","b"],"probabilities":[[0.9,0.1],[0.2,0.8]]}"#).unwrap();
    assert_eq!(outputs, [(class("a"), Some(0.9)), (class("b"), Some(0.8))]);
    assert!(meaning.probabilities.is_some());
    let (outputs, _) = columns(r#"{"label":["a",7],"score":[0.9,0.8]}"#).unwrap();
    assert_eq!(outputs, [(class("a"), Some(0.9)), (class("7"), Some(0.8))]);
    let by_id = r#"{"class_ids":[[0]],"classes":[["x"]],"probabilities":[[0.4,0.6]]}"#;
    assert_eq!(columns(by_id).unwrap().0, [(class("x"), Some(0.4))]);
    let named =
        r#"{"predicted_label":["y","x"],"labels":["x","y"],"probabilities":[[0.4,0.6],[0.7,0.3]]}"#;
    assert_eq!(
        columns(named).unwrap().0,
        [(class("y"), Some(0.6)), (class("x"), Some(0.7))]
    );
    let ranked = r#"{"classes":[["a","b"],["a","b"]],"scores":[[0.9,0.1],[0.2,0.8]]}"#;
    let (outputs, meaning) = columns(ranked).unwrap();
    assert_eq!(outputs, [(class("a"), Some(0.9)), (class("b"), Some(0.8))]);
    assert_eq!(meaning.source, Source::ArgmaxLabel);
    let top = r#"{"classes":[["a","b"],["c","a"]],"scores":[[0.6,0.1],[0.2,0.5]]}"#;
    let (outputs, _) = columns(top).unwrap();
    assert_eq!(outputs, [(class("a"), Some(0.6)), (class("a"), Some(0.5))]);
}

#[test]
fn a_column_alone_is_the_answer_whatever_its_name() {
    let (outputs, meaning) = columns(r#"{"dense":[[0.9,0.1],[0.2,0.8]]}"#).unwrap();
    assert_eq!(outputs, [(class("0"), Some(0.9)), (class("1"), Some(0.8))]);
    assert_eq!(meaning.source, Source::ArgmaxIndex);
    let (outputs, _) = columns(r#"{"output":["x","y"]}"#).unwrap();
    assert_eq!(outputs, [(class("x"), None), (class("y"), None)]);
    let (_, meaning) = columns(r#"{"output":[[1.5],[2.5]]}"#).unwrap();
    assert_eq!(meaning.outputs[1].value(), Some(2.5));
}

#[test]
fn what_is_not_known_from_columns_is_unknown() {
    for json in [
        r#"{"a":[1,2],"b":[3,4]}"#,
        r#"{"labels":[["a","b"],["c","d"]]}"#,
    ] {
        assert_eq!(columns(json).unwrap().0, [(None, None), (None, None)]);
    }
    for json in [
        r#"{"classes":["a"],"scores":[0.1,0.2]}"#,
        r#"{"label":"a","score":0.5}"#,
        r#"{"classes":[["a"],["b","c"]]}"#,
        "{}",
    ] {
        assert!(columns(json).is_none(), "{json}");
    }
}

#[test]
fn a_column_has_no_more_rows_than_a_list_may_have_items() {
    let read = |rows: usize| {
        let json = format!(r#"{{"classes":[{}0]}}"#, "0,".repeat(rows - 1));
        let place = Columns::within(json.len());
        walk::read("x", json.as_bytes(), place).map(|raw| raw.unwrap().items())
    };
    assert_eq!(read(4096), Ok(4096));
    let format = "x";
    assert_eq!(read(10_000), Err(DecodeError::TooLarge { format }));
}
