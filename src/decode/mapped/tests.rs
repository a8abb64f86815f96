use std::sync::Arc;

use super::super::{DecodeError, Inference, Output, decoded, not_found};
use crate::{
    capture::{Exchange, route::Route},
    config,
};

fn exchange(route: &str, request: &str, response: &str) -> Exchange {
    let mut exchange = Exchange::example("/rate", request, response);
    let text = format!(r#"{{"path":"/rate","format":"mapped",{route}}}"#);
    let route: config::Route = serde_json::from_str(&text).unwrap();
    exchange.route = Some(Arc::new(Route::configured(&route)));
    exchange
}

fn read(route: &str, request: &str, response: &str) -> Result<Inference, DecodeError> {
    decoded(&exchange(route, request, response))
}

/// Features as `name=values`, one after the other.
fn features(inference: &Inference) -> String {
    let values = |column: &super::super::Column| {
        let values = column.values.iter().map(|value| match value.into_owned() {
            super::super::Scalar::Missing => "-".to_owned(),
            super::super::Scalar::Number(number) => number.to_string(),
            super::super::Scalar::Bool(value) => value.to_string(),
            super::super::Scalar::Text(text) => text.as_str().to_owned(),
        });
        let values: Vec<_> = values.collect();
        format!("{}={}", column.name.text(), values.join(","))
    };
    let columns: Vec<_> = inference.features.iter().map(values).collect();
    columns.join(" ")
}

/// Predictions as `class:confidence` or the value, one after the other.
fn outputs(inference: &Inference) -> String {
    let said = |output: &Output| match (output.class(), output.value(), output.confidence()) {
        (Some(class), _, Some(share)) => format!("{class}:{share}"),
        (Some(class), _, None) => class.into_owned(),
        (None, Some(value), _) => format!("={value}"),
        (None, None, Some(share)) => format!("?:{share}"),
        (None, None, None) => "?".to_owned(),
    };
    let outputs: Vec<_> = inference.outputs.iter().map(said).collect();
    outputs.join(" ")
}

const ANSWER: &str = r#"{"y":["a","b"]}"#;

fn features_of(paths: &str, request: &str) -> String {
    let route = format!(r#""paths":{{"features":{paths},"class":"$.y"}}"#);
    features(&read(&route, request, ANSWER).unwrap())
}

#[test]
fn one_path_leads_to_rows_of_any_shape_or_to_each_of_them() {
    let rows = r#"{"in":{"rows":[{"a":1,"b":"x"},{"b":"y","a":2}]}}"#;
    assert_eq!(features_of(r#""$.in.rows""#, rows), "a=1,2 b=x,y");
    assert_eq!(features_of(r#""$.in.rows[*]""#, rows), "a=1,2 b=x,y");
    assert_eq!(features_of(r#""$..rows[*]""#, rows), "a=1,2 b=x,y");
    let lists = "[[1,2],[3,4]]";
    assert_eq!(features_of(r#""$""#, lists), "0=1,3 1=2,4");
    let wrapped = r#"{"rows":[{"id":7,"x":[1,2]},{"id":8,"x":[3,NaN]}]}"#;
    assert_eq!(features_of(r#""$.rows[*].x""#, wrapped), "0=1,3 1=2,-");
    let columns = r#"{"cols":{"a":[1,2],"b":[true,false]}}"#;
    assert_eq!(features_of(r#""$.cols""#, columns), "a=1,2 b=true,false");
    assert_eq!(features_of(r#""$.nothing""#, columns), "");
}

#[test]
fn a_path_for_each_name_leads_to_the_values_of_each_row() {
    let rows = r#"{"who":"me","rows":[{"p":{"age":30}},{"p":{"age":"41"}}],"pay":[1.5,2]}"#;
    let paths = r#"{"age":"$.rows[*].p.age","pay":"$.pay","who":"$.who","no":"$.no"}"#;
    assert_eq!(features_of(paths, rows), "age=30,41 pay=1.5,2 who=me,me");
    let holes = r#"{"rows":[{"b":2},{"a":3}]}"#;
    let paths = r#"{"a":"$.rows[*].a","b":"$.rows[*].b"}"#;
    assert_eq!(features_of(paths, holes), "a=-,3 b=2,-");
}

#[test]
fn a_list_longer_than_the_answer_is_no_column() {
    let route = r#""paths":{"features":{"a":"$.a","v":"$.v"},"class":"$.y"}"#;
    let one = read(route, r#"{"a":1,"v":[1,2,3]}"#, r#"{"y":"b"}"#).unwrap();
    assert_eq!((features(&one), one.rows), ("a=1".to_owned(), 1));
}

#[test]
fn class_confidence_and_probabilities_are_put_together_item_by_item() {
    let answer = r#"{"meta":{"m":"churn","v":7},"results":[
        {"label":"yes","p":0.8,"all":{"yes":0.8,"no":0.2}},
        {"label":"no","p":0.6,"all":{"no":0.6,"yes":0.4}}]}"#;
    let all = r#""paths":{"class":"$.results[*].label","confidence":"$.results[*].p",
        "probabilities":"$.results[*].all","model":"$.meta.m","version":"$.meta.v"}"#;
    let both = read(all, "{}", answer).unwrap();
    assert_eq!(outputs(&both), "yes:0.8 no:0.6");
    assert_eq!(both.model.as_deref(), Some("churn"));
    assert_eq!(both.version.as_deref(), Some("7"));
    assert_eq!(both.format, "mapped");
    let shares = both.probabilities.unwrap();
    assert_eq!(shares.shares, [0.8, 0.2, 0.4, 0.6]);
    let class = r#""paths":{"class":"$.results[*].label"}"#;
    assert_eq!(outputs(&read(class, "{}", answer).unwrap()), "yes no");
    let shares = r#""paths":{"probabilities":"$.results[*].all"}"#;
    assert_eq!(
        outputs(&read(shares, "{}", answer).unwrap()),
        "yes:0.8 no:0.6"
    );
    let items = r#""paths":{"items":"$.results","class":"$.label","confidence":"$.p"}"#;
    assert_eq!(
        outputs(&read(items, "{}", answer).unwrap()),
        "yes:0.8 no:0.6"
    );
}

#[test]
fn an_item_that_lacks_something_lacks_it_alone() {
    let answer = r#"{"r":[{"y":"a"},{"p":0.5},{"y":"c","p":0.9}]}"#;
    for paths in [
        r#""items":"$.r[*]","class":"$.r[*].y","confidence":"$.r[*].p""#,
        r#""items":"$.r","class":"$.r[*].y","confidence":"$.p""#,
        r#""class":"$.r[*].y","confidence":"$.r[*].p""#,
    ] {
        let route = format!(r#""paths":{{{paths}}}"#);
        assert_eq!(
            outputs(&read(&route, "{}", answer).unwrap()),
            "a ?:0.5 c:0.9"
        );
    }
}

#[test]
fn lists_beside_each_other_are_read_as_well() {
    let answer =
        r#"{"n":[0,1],"labels":["a","b"],"scores":[0.9,0.7],"probs":[[0.9,0.1],[0.3,0.7]]}"#;
    let lists = r#""paths":{"class":"$.labels","confidence":"$.scores"}"#;
    assert_eq!(outputs(&read(lists, "{}", answer).unwrap()), "a:0.9 b:0.7");
    let vectors = r#""classes":["x","y"],"paths":{"probabilities":"$.probs"}"#;
    assert_eq!(
        outputs(&read(vectors, "{}", answer).unwrap()),
        "x:0.9 y:0.7"
    );
    let beside = r#""paths":{"items":"$.n","class":"$.labels[*]"}"#;
    assert_eq!(outputs(&read(beside, "{}", answer).unwrap()), "a b");
    let one = r#"{"y":"b","probs":[0.2,0.8]}"#;
    let single = r#""paths":{"class":"$.y","probabilities":"$.probs"}"#;
    assert_eq!(outputs(&read(single, "{}", one).unwrap()), "b:0.8");
}

#[test]
fn items_alone_are_read_in_any_shape() {
    let answer = r#"{"out":[{"label":"a","score":0.9},{"label":"b","score":0.8}]}"#;
    for items in ["$.out", "$.out[*]"] {
        let route = format!(r#""paths":{{"items":"{items}"}}"#);
        assert_eq!(outputs(&read(&route, "{}", answer).unwrap()), "a:0.9 b:0.8");
    }
    let values = r#""paths":{"items":"$.y[*]"}"#;
    assert_eq!(
        outputs(&read(values, "{}", r#"{"y":[1,2.5]}"#).unwrap()),
        "=1 =2.5"
    );
}

#[test]
fn the_route_says_what_numbers_mean() {
    let score = r#""positive_class":"yes","classes":["no","yes"],"threshold":0.3,
        "paths":{"class":"$.score"}"#;
    let read_score = read(score, "{}", r#"{"score":0.25}"#).unwrap();
    assert_eq!(outputs(&read_score), "no:0.75");
    let value = r#""kind":"regress","paths":{"class":"$.y"}"#;
    assert_eq!(outputs(&read(value, "{}", r#"{"y":3}"#).unwrap()), "=3");
}

#[test]
fn what_is_not_there_is_not_invented_and_is_told() {
    let route = r#""paths":{"features":{"a":"$.a","b":"$.b"},"class":"$.y","confidence":"$.p",
        "version":"$.v","items":"$.items"}"#;
    let error = read(route, "{}", r#"{"other":1}"#).unwrap_err();
    assert_eq!(error, DecodeError::UnknownShape);
    let bounds = config::defaults().capture;
    let lost = exchange(route, r#"{"a":1}"#, r#"{"y":"a"}"#);
    assert_eq!(
        not_found(&lost, &bounds).unwrap(),
        [
            "paths.features",
            "paths.items",
            "paths.confidence",
            "paths.version"
        ]
    );
    let broken = read(route, "{}", "{\"y\":").unwrap_err();
    assert_eq!(broken, DecodeError::Syntax);
    let refused = Exchange {
        status: 422,
        ..exchange(route, r#"{"a":1,"b":null}"#, "")
    };
    let asked = decoded(&refused).unwrap();
    assert_eq!((features(&asked), asked.rows), ("a=1 b=-".to_owned(), 1));
}

#[test]
fn what_python_writes_is_read() {
    let route = r#""paths":{"class":"$.y[*].c","confidence":"$.y[*].p"}"#;
    let answer = r#"{"y":[{"c":"\ud83d","p":NaN},{"c":"\u00e9","p":0.5},{"c":1e999,"p":1e-1}]}"#;
    assert_eq!(
        outputs(&read(route, "{}", answer).unwrap()),
        "\u{fffd} é:0.5 ?:0.1"
    );
}

#[test]
fn hostile_bodies_cost_a_bounded_effort() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let route = r#""paths":{"features":"$..*","class":"$..*","probabilities":"$..*"}"#;
    assert!(read(route, &deep, &deep).is_err());
    let wide = format!("[{}1]", "1,".repeat(30_000));
    let square = r#""paths":{"class":"$[?@ == $[-1]]"}"#;
    let error = read(square, "{}", &wide).unwrap_err();
    assert_eq!(error.reason(), "too_large");
}

#[test]
fn several_values_below_one_element_are_one_row() {
    let rows = r#"{"f":[{"a":1,"b":2},{"b":4,"a":3}],"l":[[1,2,9],[3,4,9]],"x":[5,6],"z":[7,8]}"#;
    for (path, expected) in [
        (r#""$.f[*]['a','b']""#, "a=1,3 b=2,4"),
        (r#""$.f[*].*""#, "a=1,3 b=2,4"),
        (r#""$.l[*][0,1]""#, "0=1,3 1=2,4"),
        (r#""$.l[*][1:]""#, "0=2,4 1=9,9"),
        (r#""$.f[*]""#, "a=1,3 b=2,4"),
    ] {
        assert_eq!(features_of(path, rows), expected, "{path}");
    }
    // a field that a row lacks is missing; which element of a list it lacks is not known
    let holes = r#"{"f":[{"a":1},{"b":4,"a":3}],"l":[[1],[3,4]]}"#;
    assert_eq!(features_of(r#""$.f[*]['a','b']""#, holes), "a=1,3 b=-,4");
    assert_eq!(features_of(r#""$.l[*][0,1]""#, holes), "");
}

#[test]
fn as_many_values_as_items_are_one_of_each_whatever_lists_they_stand_in() {
    let batches = r#"{"b":[[1],[2,3]],"x":[5],"z":[7]}"#;
    let route = |path: &str| format!(r#""paths":{{"features":"{path}","class":"$.y"}}"#);
    let three = read(&route("$.b[*][*]"), batches, r#"{"y":["a","b","c"]}"#).unwrap();
    assert_eq!(features(&three), "0=1,2,3");
    // fields are no elements of a list
    let fields = read(&route("$['x','z'][*]"), batches, r#"{"y":["a"]}"#).unwrap();
    assert_eq!(features(&fields), "0=5 1=7");
}
