use std::borrow::Cow;

use super::super::{Inference, Output, Source, Values, decoded};
use crate::capture::Exchange;

const PATH: &str = "/seldon/ns/iris/api/v1.0/predictions";
const ROW: &str = r#"{"data":{"names":["a","b"],"ndarray":[[1,2]]}}"#;
const SHARES: &str = r#"{"meta":{"requestPath":{"classifier":"r:5000/x/iris:0.1"}},
    "data":{"names":["t:0","t:1"],"ndarray":[[0.25,0.75]]}}"#;

fn both(request: &str, response: &str) -> Inference {
    decoded(&Exchange::example(PATH, request, response)).unwrap()
}

/// Classes or values with confidences.
fn outputs(read: &Inference) -> Vec<(String, Option<f64>)> {
    let word = |output: &Output| match output.value() {
        Some(value) => value.to_string(),
        None => output.class().unwrap_or("?".into()).into_owned(),
    };
    let outputs = read.outputs.iter();
    outputs.map(|o| (word(o), o.confidence())).collect()
}

/// Names of features with values.
fn features(read: &Inference) -> Vec<(String, Values)> {
    let columns = read.features.iter();
    columns
        .map(|c| (c.name.text().into_owned(), c.values.clone()))
        .collect()
}

fn two_features() -> Vec<(String, Values)> {
    vec![
        ("a".to_owned(), Values::Numbers(vec![1.0].into())),
        ("b".to_owned(), Values::Numbers(vec![2.0].into())),
    ]
}

fn one(class: &str, confidence: Option<f64>) -> Vec<(String, Option<f64>)> {
    vec![(class.to_owned(), confidence)]
}

#[test]
fn names_are_features_and_classes_and_the_path_of_a_request_its_model() {
    let read = both(ROW, SHARES);
    assert_eq!(read.format, "seldon");
    assert_eq!(
        (read.model.as_deref(), read.version.as_deref()),
        (Some("classifier"), Some("0.1"))
    );
    assert_eq!(features(&read), two_features());
    assert_eq!(outputs(&read), one("t:1", Some(0.75)));
    assert_eq!(read.source, Source::ArgmaxLabel);
    let chain = SHARES.replace("\"classifier\"", "\"scaler\":\"s:1\",\"classifier\"");
    assert_eq!(both(ROW, &chain).model, None);
}

#[test]
fn a_tensor_has_its_numbers_in_a_row() {
    let request = r#"{"data":{"names":["a","b"],"tensor":{"shape":[1,2],"values":[1,2]}}}"#;
    let response = r#"{"data":{"names":["x","y"],"tensor":{"shape":[1,2],"values":[0.9,0.1]}}}"#;
    let read = both(request, response);
    assert_eq!(features(&read), two_features());
    assert_eq!(outputs(&read), one("x", Some(0.9)));
    let column = r#"{"data":{"names":["t:0"],"tensor":{"shape":[1,1],"values":[2]}}}"#;
    assert_eq!(outputs(&both(request, column)), one("2", None));
    let broken = r#"{"data":{"tensor":{"shape":[2,2],"values":[2]}}}"#;
    assert!(decoded(&Exchange::example(PATH, request, broken)).is_err());
}

#[test]
fn a_tensor_of_tensorflow_has_lists_or_bytes() {
    let tensor = |kind: &str, dim: &str, elements: &str| {
        format!(
            r#"{{"data":{{"names":["a","b"],"tftensor":{{"dtype":"{kind}","tensorShape":{{"dim":[{dim}]}},{elements}}}}}}}"#
        )
    };
    let row = r#"{"size":"1"},{"size":"2"}"#;
    for request in [
        tensor("DT_FLOAT", row, r#""floatVal":[1,2]"#),
        tensor("DT_INT64", row, r#""int64Val":["1","2"]"#),
        // 1 and 2 as floats of 32 bits
        tensor("DT_FLOAT", row, r#""tensorContent":"AACAPwAAAEA=""#),
    ] {
        let shares = tensor("DT_DOUBLE", row, r#""doubleVal":[0.25,0.75]"#);
        let read = both(&request, &shares);
        assert_eq!(features(&read), two_features(), "{request}");
        assert_eq!(outputs(&read), one("b", Some(0.75)));
    }
    let list = r#"{"size":"2"}"#;
    let same = tensor(
        "DT_FLOAT",
        r#"{"size":"2"},{"size":"1"}"#,
        r#""floatVal":[1.5]"#,
    );
    let classes = tensor("DT_STRING", list, r#""stringVal":["eA==","eQ=="]"#);
    let read = both(&same, &classes);
    assert_eq!((read.rows, read.features.len()), (2, 1));
    let words: Vec<_> = outputs(&read).into_iter().map(|(class, _)| class).collect();
    assert_eq!(words, ["x", "y"]);
    let huge = tensor(
        "DT_FLOAT",
        r#"{"size":"99999999"},{"size":"9999"}"#,
        r#""floatVal":[1.5]"#,
    );
    assert_eq!(both(&huge, SHARES).rows, 0);
}

#[test]
fn one_column_is_classes_or_values() {
    let of = |data: &str| outputs(&both(ROW, &format!(r#"{{"data":{data}}}"#)));
    assert_eq!(of(r#"{"names":[],"ndarray":["a"]}"#), one("a", None));
    assert_eq!(of(r#"{"names":["t:0"],"ndarray":[["a"]]}"#), one("a", None));
    assert_eq!(
        of(r#"{"names":["t:0"],"ndarray":[[20.5]]}"#),
        one("20.5", None)
    );
    assert_eq!(
        of(r#"{"names":["x","y"],"ndarray":[0.25,0.75]}"#),
        one("y", Some(0.75))
    );
}

#[test]
fn text_bytes_and_json_are_items() {
    let text = both(r#"{"strData":"good"}"#, r#"{"strData":"positive"}"#);
    assert_eq!((text.rows, text.features.len()), (1, 1));
    assert_eq!(outputs(&text), one("positive", None));
    let bytes = both(r#"{"binData":"AAEC"}"#, SHARES);
    assert_eq!((bytes.rows, bytes.features.len()), (1, 0));
    let json = both(
        r#"{"jsonData":{"a":1,"b":2}}"#,
        r#"{"jsonData":{"label":"x","score":0.5}}"#,
    );
    assert_eq!(features(&json), two_features());
    assert_eq!(outputs(&json), one("x", Some(0.5)));
}

#[test]
fn rows_in_json_are_rows_and_a_flat_list_is_the_only_one() {
    let two = r#"{"data":{"ndarray":[[1,2],[3,4]]}}"#;
    for (request, response, expected) in [
        (
            ROW,
            r#"{"jsonData":{"predictions":[[0.1,0.9]]}}"#,
            vec![0.9],
        ),
        (ROW, r#"{"jsonData":{"predictions":[0.1,0.9]}}"#, vec![0.9]),
        (ROW, r#"{"jsonData":[0.1,0.9]}"#, vec![0.9]),
        (
            two,
            r#"{"jsonData":{"predictions":[[0.1,0.9],[0.8,0.2]]}}"#,
            vec![0.9, 0.8],
        ),
        (two, r#"{"jsonData":[[0.1,0.9],[0.8,0.2]]}"#, vec![0.9, 0.8]),
    ] {
        let read = both(request, response);
        let sure: Vec<_> = outputs(&read)
            .iter()
            .filter_map(|(_, sure)| *sure)
            .collect();
        assert_eq!(sure, expected, "{response}");
        assert_eq!(read.rows, expected.len());
    }
    let values = both(two, r#"{"jsonData":[0.1,0.9]}"#);
    let values: Vec<_> = values
        .outputs
        .iter()
        .map(super::super::Output::value)
        .collect();
    assert_eq!(values, [Some(0.1), Some(0.9)]);
}

#[test]
fn a_message_comes_as_form_parts_or_query_too() {
    let mut exchange = Exchange::example(
        PATH,
        "json=%7B%22data%22%3A%7B%22ndarray%22%3A%5B%5B1%2C2%5D%5D%7D%7D",
        SHARES,
    );
    exchange.request.content_type = Some("application/x-www-form-urlencoded".to_owned());
    let read = decoded(&exchange).unwrap();
    assert_eq!((read.rows, read.features.len()), (1, 2));

    let data = r#"{"names":["a","b"],"ndarray":[[1,2]]}"#;
    let parts =
        format!("--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{data}\r\n--x--\r\n");
    let mut exchange = Exchange::example(PATH, &parts, SHARES);
    exchange.request.content_type = Some("multipart/form-data; boundary=x".to_owned());
    assert_eq!(features(&decoded(&exchange).unwrap()), two_features());
    let text = parts
        .replace("\"data\"", "\"strData\"")
        .replace(data, "good \"x\"");
    exchange.request.body.as_mut().unwrap().bytes = text.into_bytes();
    let read = decoded(&exchange).unwrap();
    let value = read.features[0].values.iter().next().map(Cow::into_owned);
    assert_eq!(value, Some(super::super::Scalar::Text("good \"x\"".into())));

    let mut exchange = Exchange::example(PATH, "", SHARES);
    exchange.query = Some(format!("json={}", ROW.replace('"', "%22")));
    assert_eq!(features(&decoded(&exchange).unwrap()), two_features());
}

#[test]
fn the_envelope_tells_it_on_any_path() {
    let read = |response: &str| decoded(&Exchange::example("/predict", ROW, response));
    assert_eq!(read(SHARES).unwrap().format, "seldon");
    for response in [
        r#"{"strData":"a"}"#,
        r#"{"data":{"a":1}}"#,
        r#"{"data":{"tftensor":{}}}"#,
        r#"{"status":{"status":1,"reason":"BAD_DATA"}}"#,
    ] {
        assert!(read(response).is_err(), "{response}");
    }
}
