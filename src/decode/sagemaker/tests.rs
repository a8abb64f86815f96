use crate::{
    capture::Exchange,
    decode::{DecodeError, Inference, Prediction, decoded},
};

/// An exchange with these content types.
fn typed(request: (&str, &str), response: (&str, &str)) -> Inference {
    let mut exchange = Exchange::example("/invocations", request.1, response.1);
    exchange.request.content_type = Some(request.0.to_owned());
    exchange.response.content_type = Some(response.0.to_owned());
    decoded(&exchange).unwrap()
}

/// Class and confidence of each item.
fn outputs(read: &Inference) -> Vec<(Prediction, Option<f64>)> {
    let outputs = read.outputs.iter();
    outputs
        .map(|o| (o.prediction.clone(), o.confidence()))
        .collect()
}

const CSV: &str = "text/csv";
const JSON: &str = "application/json";
const LINES: &str = "application/jsonlines";

#[test]
fn records_hold_their_features_in_each_of_the_documented_ways() {
    for (kind, request) in [
        (CSV, "1,2\n3,4"),
        ("text/csv; charset=utf-8", "1,2\r\n3,4\r\n"),
        ("application/octet-stream", "1,2\n3,4\n"),
        (
            JSON,
            r#"{"instances":[{"features":[1,2]},{"features":[3,4]}]}"#,
        ),
        (
            JSON,
            r#"{"instances": [{"data": {"features": {"values": [1,2]}}},{"data":{"features":{"values":[3,4]}}}]}"#,
        ),
        (LINES, "{\"features\":[1,2]}\n{\"features\":[3,4]}\n"),
        (
            LINES,
            "{\"data\":{\"features\":{\"values\":[1,2]}}}\r\n\r\n{\"data\":{\"features\":{\"values\":[3,4]}}}",
        ),
    ] {
        let answer = r#"{"predictions":[{"score":0.25,"predicted_label":0},{"score":0.75,"predicted_label":1}]}"#;
        let read = typed((kind, request), (JSON, answer));
        assert_eq!((read.format, read.rows), ("sagemaker", 2), "{request}");
        assert_eq!(read.features.len(), 2, "{request}");
        assert_eq!(read.features[1].name.text(), "1");
        let expected = [
            (Prediction::Index(0), Some(0.75)),
            (Prediction::Index(1), Some(0.75)),
        ];
        assert_eq!(outputs(&read), expected, "{request}");
    }
}

#[test]
fn sparse_vectors_and_libsvm_are_rows_without_features() {
    let answer = r#"{"predictions":[{"score":1.5}]}"#;
    for (kind, request) in [
        (
            JSON,
            r#"{"instances":[{"data":{"features":{"keys":[26,182],"shape":[200],"values":[1,2]}}}]}"#,
        ),
        ("text/libsvm", "0 1:0.5 7:2\n"),
    ] {
        let read = typed((kind, request), (JSON, answer));
        assert_eq!((read.rows, read.features.len()), (1, 0), "{request}");
        assert_eq!(read.outputs[0].value(), Some(1.5));
    }
}

#[test]
fn lines_of_an_answer_are_scores_vectors_or_labels() {
    let two = "1,2\n3,4\n";
    for (answer, expected) in [
        (
            "0.25\n0.75\n",
            [
                (Prediction::Value(0.25), None),
                (Prediction::Value(0.75), None),
            ],
        ),
        (
            "0.25,0.75",
            [
                (Prediction::Value(0.25), None),
                (Prediction::Value(0.75), None),
            ],
        ),
        (
            "2\n0\n",
            [(Prediction::Index(2), None), (Prediction::Index(0), None)],
        ),
        (
            "0.9,0.1\n0.2,0.8\n",
            [
                (Prediction::Index(0), Some(0.9)),
                (Prediction::Index(1), Some(0.8)),
            ],
        ),
        (
            "1,0.9\n0,0.7\n",
            [
                (Prediction::Index(1), Some(0.9)),
                (Prediction::Index(0), Some(0.7)),
            ],
        ),
        (
            "yes,0.9,\"['no', 'yes']\"\nno,0.7,\"['no', 'yes']\"\n",
            [
                (Prediction::Name("yes".into()), Some(0.9)),
                (Prediction::Name("no".into()), Some(0.7)),
            ],
        ),
    ] {
        let read = typed((CSV, two), (CSV, answer));
        assert_eq!(outputs(&read), expected, "{answer}");
        assert_eq!(read.rows, 2, "{answer}");
    }
}

#[test]
fn json_lines_of_an_answer_are_items() {
    for kind in [LINES, JSON] {
        let answer = "{\"score\":[0.1,0.2,0.7],\"predicted_label\":2}\n{\"score\":[0.6,0.3,0.1],\"predicted_label\":0}";
        let request = "{\"features\":[1]}\n{\"features\":[2]}";
        let read = typed((LINES, request), (kind, answer));
        let expected = [
            (Prediction::Index(2), Some(0.7)),
            (Prediction::Index(0), Some(0.6)),
        ];
        assert_eq!(outputs(&read), expected);
        assert_eq!(read.rows, 2);
    }
    let one = typed((LINES, "{\"features\":[1]}"), (LINES, "{\"score\":0.4}\n"));
    assert_eq!(one.outputs[0].value(), Some(0.4));
}

#[test]
fn bare_lists_and_objects_of_other_containers_are_read() {
    let read = typed((JSON, "[[1,2],[3,4]]"), (JSON, "[[0.9,0.1],[0.2,0.8]]"));
    assert_eq!((read.format, read.rows, read.items()), ("sagemaker", 2, 2));
    let image = typed((JSON, "[[1,2]]"), (JSON, "[0.9,0.1]"));
    assert_eq!(outputs(&image), [(Prediction::Index(0), Some(0.9))]);
    let text = typed(
        (JSON, r#"{"inputs":"good"}"#),
        (JSON, r#"[{"label":"POSITIVE","score":0.99}]"#),
    );
    let positive = Prediction::Name("POSITIVE".into());
    assert_eq!(outputs(&text), [(positive, Some(0.99))]);
    let trees = typed(
        (CSV, "1,2\n3,4"),
        (JSON, r#"{"probabilities":[[0.9,0.1],[0.2,0.8]]}"#),
    );
    assert_eq!(outputs(&trees)[1], (Prediction::Index(1), Some(0.8)));
}

#[test]
fn a_path_of_a_multi_model_endpoint_names_the_model() {
    let exchange = Exchange::example("/models/iris/invoke", "[[1,2]]", "[1]");
    let read = decoded(&exchange).unwrap();
    assert_eq!(
        (read.format, read.model.as_deref()),
        ("sagemaker", Some("iris"))
    );
}

#[test]
fn what_is_no_prediction_is_told() {
    for answer in [r#"{"error":"x"}"#, r#"{"a":1,"b":"c"}"#, "oops", "1,2\n3\n"] {
        let exchange = Exchange::example("/invocations", "[[1,2]]", answer);
        assert!(decoded(&exchange).is_err(), "{answer}");
    }
}

#[test]
fn an_answer_has_no_more_lines_than_its_bodies_have_room_to_ask_about() {
    let lines = |count: usize| vec!["1"; count].join("\n");
    let read = |request: &str, answer: &str| {
        let mut exchange = Exchange::example("/invocations", request, answer);
        exchange.request.content_type = Some(CSV.to_owned());
        exchange.response.content_type = Some(CSV.to_owned());
        decoded(&exchange).map(|read| read.outputs.len())
    };
    let count = 10_000;
    assert_eq!(read(&lines(count), &lines(count)), Ok(count));
    let format = "sagemaker";
    let too_large = Err(DecodeError::TooLarge { format });
    assert_eq!(read("1,2", &lines(count)), too_large);
    // a request that was not kept says nothing
    assert_eq!(read("", &lines(count)), Ok(count));
}
