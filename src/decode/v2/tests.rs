use super::{
    super::{Inference, Name, Output, Prediction, Source, Values, decoded},
    *,
};
use crate::capture::Exchange;

const PATH: &str = "/v2/models/iris/infer";

fn both(request: &str, response: &str) -> Inference {
    decoded(&Exchange::example(PATH, request, response)).unwrap()
}

fn inputs(tensors: &str) -> String {
    format!(r#"{{"inputs":[{tensors}]}}"#)
}

/// What an answer with these outputs says.
fn answered(tensors: &str) -> Inference {
    both(
        "{}",
        &format!(r#"{{"model_name":"m","outputs":[{tensors}]}}"#),
    )
}

fn predictions(read: &Inference) -> Vec<Prediction> {
    read.outputs.iter().map(|o| o.prediction.clone()).collect()
}

/// Names and numbers of the features of a request with these inputs.
fn features(tensors: &str, answer: &str) -> (usize, Vec<(String, Vec<f64>)>) {
    let read = both(&inputs(tensors), answer);
    let column = |column: &super::super::Column| {
        let Values::Numbers(numbers) = &column.values else {
            panic!("{column:?}");
        };
        (column.name.text().into_owned(), numbers.to_vec())
    };
    (read.rows, read.features.iter().map(column).collect())
}

const ONE: &str = r#"{"outputs":[{"name":"y","shape":[1],"datatype":"INT64","data":[0]}]}"#;
const TWO: &str = r#"{"outputs":[{"name":"y","shape":[2],"datatype":"INT64","data":[0,1]}]}"#;

fn column(name: &str, values: &[f64]) -> (String, Vec<f64>) {
    (name.to_owned(), values.to_vec())
}

#[test]
fn a_path_names_model_and_version() {
    let named = |path| Target::named(path).map(|t| (t.model, t.version));
    assert_eq!(named(PATH), Some(("iris", None)));
    let with_version = "/v2/models/iris/versions/v1/infer";
    assert_eq!(named(with_version), Some(("iris", Some("v1"))));
    assert_eq!(named("/seldon/a/b/v2/models/m/infer"), Some(("m", None)));
    for path in [
        "/v2/models/iris",
        "/v2/models/iris/ready",
        "/v2/models//infer",
        "/v2/models/iris/versions/infer",
        "/v2/models/iris/versions/1/2/infer",
        "/v2/infer",
    ] {
        assert_eq!(named(path), None, "{path}");
    }
}

#[test]
fn rows_are_read_flat_or_nested_with_keys_in_any_order() {
    let expected = (2, vec![column("0", &[1.0, 3.0]), column("1", &[2.0, 4.0])]);
    for tensor in [
        r#"{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}"#,
        r#"{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"x"}"#,
        r#"{"data":[1,"2",3,"4.0"],"shape":[2,2,1],"datatype":"FP64"}"#,
    ] {
        assert_eq!(features(tensor, TWO), expected, "{tensor}");
    }
}

#[test]
fn several_tensors_are_named_features() {
    let tensors = r#"{"name":"a","shape":[2,1],"datatype":"FP32","data":[1,2]},
        {"name":"b","shape":[2,2],"datatype":"FP32","data":[3,4,5,null]},
        {"name":"a","shape":[2],"datatype":"FP32","data":[9,9]}"#;
    let (rows, columns) = features(tensors, TWO);
    assert_eq!((rows, columns.len()), (2, 3));
    assert_eq!(columns[0], column("a", &[1.0, 2.0]));
    assert_eq!(columns[1], column("b[0]", &[3.0, 5.0]));
    assert_eq!(columns[2].0, "b[1]");
    assert!(columns[2].1[1].is_nan());
}

#[test]
fn a_list_is_rows_unless_the_answer_is_one_item() {
    let list = r#"{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}"#;
    assert_eq!(features(list, TWO), (2, vec![column("0", &[1.0, 2.0])]));
    let row = (1, vec![column("0", &[1.0]), column("1", &[2.0])]);
    assert_eq!(features(list, ONE), row);
}

#[test]
fn a_list_that_answers_a_list_of_another_length_is_one_row() {
    let inputs = inputs(r#"{"name":"x","shape":[4],"datatype":"FP32","data":[1,2,3,4]}"#);
    let shares = r#"{"name":"y","shape":[2],"datatype":"FP32","data":[0.25,0.75]}"#;
    let read = both(&inputs, &format!(r#"{{"outputs":[{shares}]}}"#));
    assert_eq!((read.rows, read.features.len()), (1, 4));
    assert_eq!(
        read.outputs,
        [Output::new(Prediction::Index(1), Some(0.75))]
    );
}

#[test]
fn what_does_not_fit_its_shape_is_no_row() {
    for tensor in [
        r#"{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3]}"#,
        r#"{"name":"x","shape":[18446744073709551615,0],"datatype":"FP32","data":[]}"#,
        r#"{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}"#,
        r#"{"name":"x","datatype":"FP32","data":[1]}"#,
    ] {
        assert_eq!(features(tensor, ONE), (0, vec![]), "{tensor}");
    }
}

#[test]
fn a_text_among_numbers_costs_the_features_and_an_image_has_none() {
    let text = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,"abc"]}"#;
    assert_eq!(features(text, ONE), (1, vec![]));
    let image = format!(
        r#"{{"name":"x","shape":[1,5000],"datatype":"UINT8","data":[{}0]}}"#,
        "0,".repeat(4999)
    );
    assert_eq!(features(&image, ONE), (1, vec![]));
}

#[test]
fn one_text_may_stand_without_a_list() {
    let text = r#"{"name":"x","shape":[1],"datatype":"BYTES","data":"hi"}"#;
    let read = both(&inputs(text), ONE);
    assert_eq!((read.rows, read.features.len()), (1, 1));
    assert_eq!(read.features[0].name, Name::Position(0));
}

#[test]
fn classes_and_probabilities_are_told_by_name() {
    let read = answered(
        r#"{"name":"predict_proba","shape":[2,2],"datatype":"FP64","data":[0.25,0.75,1,0]},
        {"name":"predict","shape":[2,1],"datatype":"BYTES","data":["b","a"]}"#,
    );
    let name = |name: &str| Prediction::Name(name.into());
    assert_eq!(predictions(&read), [name("b"), name("a")]);
    assert_eq!(read.outputs[0].confidence(), Some(0.75));
    assert_eq!(read.probabilities.unwrap().width, 2);
    let read = answered(
        r#"{"name":"label","shape":[1],"datatype":"INT64","data":[3]},
        {"name":"score","shape":[1],"datatype":"FP32","data":[0.5]}"#,
    );
    assert_eq!(
        read.outputs[0],
        Output::new(Prediction::Index(3), Some(0.5))
    );
}

#[test]
fn types_tell_classes_from_values_where_names_do_not() {
    let tensor = |datatype, data| {
        predictions(&answered(&format!(
            r#"{{"name":"y","shape":[1],"datatype":"{datatype}","data":[{data}]}}"#
        )))
    };
    assert_eq!(tensor("INT32", "2"), [Prediction::Index(2)]);
    assert_eq!(tensor("FP32", "2"), [Prediction::Value(2.0)]);
    assert_eq!(tensor("BOOL", "true"), [Prediction::Bool(true)]);
    assert_eq!(tensor("BOOL", "1"), [Prediction::Bool(true)]);
    let one = Prediction::Name("1".into());
    assert_eq!(tensor("BYTES", "\"1\""), [one]);
    assert_eq!(tensor("FP32", "NaN"), [Prediction::Unknown]);
}

#[test]
fn what_could_be_either_is_unknown() {
    let read = answered(
        r#"{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},
        {"name":"b","shape":[2],"datatype":"FP32","data":[3,4]}"#,
    );
    assert_eq!(
        predictions(&read),
        [Prediction::Unknown, Prediction::Unknown]
    );
    let read = answered(
        r#"{"name":"boxes","shape":[9,1],"datatype":"FP32","data":[1,2,3,4,5,6,7,8,9]},
        {"name":"b","shape":[2],"datatype":"FP32","data":[3,4]}"#,
    );
    assert!(read.outputs.is_empty());
    let text = answered(r#"{"name":"text_output","shape":[1],"datatype":"BYTES","data":["Hi"]}"#);
    assert_eq!(predictions(&text), [Prediction::Unknown]);
    let whole = answered(r#"{"name":"y","shape":[1,2],"datatype":"INT8","data":[0,1]}"#);
    assert_eq!(predictions(&whole), [Prediction::Unknown]);
}

#[test]
fn a_ranking_is_its_first_class() {
    let read = answered(
        r#"{"name":"p","shape":[2,2],"datatype":"BYTES",
        "data":["0.900000:1:dog","0.100000:0:cat","0.800000:0:cat","0.200000:1:dog"]}"#,
    );
    assert_eq!(read.source, Source::ClassificationExtension);
    let classes: Vec<_> = read.outputs.iter().filter_map(Output::class).collect();
    assert_eq!(classes, ["dog", "cat"]);
    assert_eq!(read.outputs[1].confidence(), Some(0.8));
    let probabilities = read.probabilities.unwrap();
    assert_eq!(probabilities.labels.unwrap(), ["cat", "dog"]);
    assert_eq!(probabilities.shares, [0.1, 0.9, 0.8, 0.2]);
}

#[test]
fn a_ranking_that_is_a_list_is_of_one_item_and_may_have_no_labels() {
    let read = answered(
        r#"{"name":"p","shape":[2],"datatype":"BYTES","data":["7.250000:4","3.000000:0"]}"#,
    );
    assert_eq!(predictions(&read), [Prediction::Index(4)]);
    assert_eq!(read.outputs[0].confidence(), None);
    let times = answered(r#"{"name":"p","shape":[1],"datatype":"BYTES","data":["12:30"]}"#);
    assert_eq!(times.outputs[0].class().as_deref(), Some("12:30"));
}

#[test]
fn a_class_may_be_described_in_a_text() {
    let read = answered(
        r#"{"name":"output","shape":[1,1],"datatype":"BYTES",
        "data":["{\"label\":\"POSITIVE\",\"score\":0.75}"]}"#,
    );
    assert_eq!(read.outputs[0].class().as_deref(), Some("POSITIVE"));
    assert_eq!(read.outputs[0].confidence(), Some(0.75));
    let other = answered(r#"{"name":"o","shape":[1],"datatype":"BYTES","data":["[[1"]}"#);
    assert_eq!(predictions(&other), [Prediction::Unknown]);
}

/// An exchange whose request has bytes behind its JSON.
fn binary(json: &str, tail: &[u8], response: &str) -> Result<Inference, DecodeError> {
    let mut exchange = Exchange::example(PATH, json, response);
    exchange.request.json_bytes = Some(json.len());
    if let Some(body) = &mut exchange.request.body {
        body.bytes.extend_from_slice(tail);
    }
    decoded(&exchange)
}

#[test]
fn json_and_binary_tensors_mix() {
    let json = inputs(
        r#"{"name":"a","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},
        {"name":"b","shape":[2],"datatype":"INT32","data":[7,8]},
        {"name":"c","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}}"#,
    );
    let tail = b"\x00\x3c\x00\xc0\x02\0\0\0hi\x01\0\0\0x";
    let read = binary(&json, tail, TWO).unwrap();
    assert_eq!((read.format, read.rows), ("v2_binary", 2));
    assert_eq!(
        read.features[0].values,
        Values::Numbers(vec![1.0, -2.0].into())
    );
    assert_eq!(
        read.features[1].values,
        Values::Numbers(vec![7.0, 8.0].into())
    );
    assert_eq!(read.features[2].name, Name::Word("c".into()));
}

#[test]
fn tensors_that_are_cut_off_cost_the_features() {
    let json =
        inputs(r#"{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}"#);
    let read = binary(&json, &[0; 7], TWO).unwrap();
    assert_eq!((read.rows, read.items()), (0, 2));
}

#[test]
fn a_body_that_is_one_tensor_alone_has_no_known_rows() {
    let mut exchange = Exchange::example(PATH, "\u{1}\u{2}", ONE);
    exchange.request.json_bytes = Some(0);
    let read = decoded(&exchange).unwrap();
    assert_eq!((read.rows, read.items()), (0, 1));
    assert_eq!(read.model.as_deref(), Some("iris"));
}

#[test]
fn tensors_are_known_by_their_types_on_any_path() {
    let inputs = inputs(r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}"#);
    let at = |request: &str, response: &str, status| {
        let mut exchange = Exchange::example("/my/model", request, response);
        exchange.status = status;
        decoded(&exchange)
    };
    let read = at(&inputs, ONE, 200).unwrap();
    assert_eq!((read.format, read.items(), read.rows), ("v2", 1, 1));
    assert_eq!(at(&inputs, "{}", 400).unwrap().rows, 1);
    let other = at(r#"{"inputs":[[1,2]]}"#, "{}", 400).unwrap();
    assert_ne!(other.format, "v2");
}

#[test]
fn a_refused_request_still_names_its_model() {
    for body in [r#"{"instances":[[1]]}"#, "{\"inputs\":[", ""] {
        let mut exchange = Exchange::example(PATH, body, "{}");
        exchange.status = 422;
        let read = decoded(&exchange).unwrap();
        assert_eq!((read.format, read.items()), ("v2", 0));
        assert_eq!(read.model.as_deref(), Some("iris"));
    }
}
