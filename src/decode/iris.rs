//! The format of models behind a small JSON service, as the Iris service of the course has it:
//! named features in, `prediction` with `confidence` or `probabilities` out, one or a list.
//!
//! | | one | several |
//! |---|---|---|
//! | request | an object of scalars | a list of those, or an object with one such list |
//! | answer | `{"prediction", "confidence"?, "probabilities"?, "model_version"?, "model"?}` | a list of those or of classes, bare or as `predictions` |

mod answer;
mod request;

use super::{Decoder, json};

const FORMAT: &str = "iris";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |_| false,
    is_anywhere: true,
    answer: answer::read,
    request: |pair, items| match request::read(pair, items) {
        // rows without names
        Ok(None) => json::asked(FORMAT, pair, items),
        read => read,
    },
};

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, sync::Arc};

    use super::super::{DecodeError, Inference, Output, Prediction, Scalar, decoded};
    use crate::capture::{
        Exchange,
        route::{Route, Routes},
    };

    const ONE: &str = r#"{"a":1}"#;

    pub(super) fn both(request: &str, response: &str) -> Result<Inference, DecodeError> {
        decoded(&Exchange::example("/p", request, response))
    }

    fn routed(request: &str, response: &str) -> Result<Inference, DecodeError> {
        let mut exchange = Exchange::example("/predict", request, response);
        exchange.route = Routes::new(&[]).find("/predict").map(Arc::clone);
        decoded(&exchange)
    }

    /// Class and confidence of each item.
    fn outputs(response: &str) -> Vec<(Option<String>, Option<f64>)> {
        let outputs = both("", response).unwrap().outputs.into_iter();
        let of = |o: Output| (o.class().map(Cow::into_owned), o.confidence());
        outputs.map(of).collect()
    }

    /// Those of the only item.
    pub(super) fn output(response: &str) -> (Option<String>, Option<f64>) {
        let mut outputs = outputs(response);
        assert_eq!(outputs.len(), 1, "{response}");
        outputs.remove(0)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as outputs hold it")]
    pub(super) fn class(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn as_many_rows_as_items_or_it_is_refused() {
        let error = both(r#"[{"a":1},{"a":2}]"#, r#"{"predictions":["x"]}"#).unwrap_err();
        assert_eq!((error.format(), error.reason()), ("iris", "row_mismatch"));
        assert!(both(ONE, r#"{"predictions":["x","y"]}"#).is_err());
        assert!(both(r#"[{"a":1}]"#, r#"{"prediction":"x"}"#).is_ok());
        assert_eq!(both(ONE, r#"{"predictions":[]}"#).unwrap().items(), 1);
    }

    #[test]
    fn several_items_come_as_objects_or_classes_bare_or_in_an_envelope() {
        let two = [(class("a"), Some(0.9)), (class("b"), None)];
        let objects = r#"[{"prediction":"a","confidence":0.9},{"prediction":"b"}]"#;
        assert_eq!(outputs(objects), two);
        assert_eq!(
            outputs(&format!(r#"{{"count":2,"predictions":{objects}}}"#)),
            two
        );
        assert_eq!(
            outputs(r#"{"prediction":[0,1]}"#),
            [(class("0"), None), (class("1"), None)]
        );
        assert_eq!(
            outputs(r#"{"predictions":["a"],"confidence":0.8}"#),
            [(class("a"), Some(0.8))]
        );
    }

    #[test]
    fn an_item_that_failed_keeps_its_place() {
        assert_eq!(
            outputs(r#"[{"error":"no"},{"prediction":"b"}]"#),
            [(None, None), (class("b"), None)]
        );
    }

    #[test]
    fn one_fraction_makes_all_numbers_of_a_list_values() {
        let none = (None, None);
        assert_eq!(
            outputs(r#"{"predictions":[205.39,180]}"#),
            [none.clone(), none.clone()]
        );
        assert_eq!(
            outputs(r#"[{"prediction":180},{"prediction":205.39}]"#),
            [none.clone(), none]
        );
    }

    #[test]
    fn a_bare_list_of_words_or_integers_counts_only_on_a_prediction_route() {
        let rows = r#"[{"a":1},{"a":2}]"#;
        for list in ["[0,1]", r#"["x","y"]"#] {
            assert_eq!(both("", list), Err(DecodeError::UnknownShape));
            assert_eq!(both(ONE, list), Err(DecodeError::UnknownShape));
            // ids of what was created, as many as were sent, are no classes
            assert_eq!(both(rows, list), Err(DecodeError::UnknownShape));
            assert_eq!(routed(rows, list).unwrap().outputs.len(), 2);
            assert_eq!(routed("", list).unwrap().outputs.len(), 2);
            assert_eq!(routed(ONE, list).unwrap_err().reason(), "row_mismatch");
        }
        assert_eq!(both("[]", "[]"), Err(DecodeError::UnknownShape));
        assert_eq!(routed("[]", "[]").unwrap().items(), 0);
    }

    #[test]
    fn what_has_another_shape_is_not_read() {
        for response in [
            r#"{"status":"ok"}"#,
            r#"{"status":"baseline_set","samples":5}"#,
            r#"{"status":"no_baseline","drift_detected":false}"#,
            r#"{"prediction":{"a":1}}"#,
            r#"{"predictions":[[0.98,0.02]]}"#,
            r#"{"predictions":[{"score":0.4}]}"#,
            r#"{"predictions":["a",{"prediction":"b"}]}"#,
            r#"{"predictions":[{"prediction":[{"prediction":["a"]}]}]}"#,
            r#"{"data":{"prediction":"a"}}"#,
            "[0.97,0.95]",
            "[null]",
            "[true]",
            r#"[{"id":1}]"#,
            "[[1]]",
            "{}",
        ] {
            for request in [ONE, ""] {
                let mut exchange = Exchange::example("/predict", request, response);
                exchange.route = Some(Arc::new(Route {
                    format: Some("iris".to_owned()),
                    ..Route::new("/predict")
                }));
                let read = decoded(&exchange);
                assert_eq!(read, Err(DecodeError::UnknownShape), "{response}");
            }
        }
    }

    #[test]
    fn model_and_version_come_from_beside_the_items_or_the_first_that_names_them() {
        let named = |response| {
            let read = both("", response).unwrap();
            (read.model, read.version)
        };
        assert_eq!(
            named(r#"{"prediction":"a","model":{"k":1},"model_name":"m","model_version":2}"#),
            (class("m"), class("2"))
        );
        assert_eq!(
            named(
                r#"{"predictions":[{"prediction":"a","model_version":"1"}],"model_version":"2"}"#
            ),
            (None, class("2"))
        );
        assert_eq!(
            named(r#"[{"prediction":"a"},{"prediction":"a","model":"m","model_version":"1"}]"#),
            (class("m"), class("1"))
        );
        assert_eq!(
            named(r#"{"prediction":"a","model":"","model_version":null}"#),
            (None, None)
        );
    }

    #[test]
    fn bare_nan_costs_only_the_value_it_stands_for() {
        let read = both(
            r#"{"a":NaN,"b":1,"NaN":"NaN of","c":-Infinity,"d":1e400}"#,
            r#"{"prediction":"x","confidence":0.5,"extra":[NaN,Infinity]}"#,
        )
        .unwrap();
        let values: Vec<Scalar> = read
            .features
            .iter()
            .flat_map(|c| c.values.iter())
            .map(Cow::into_owned)
            .collect();
        assert_eq!(
            values,
            [
                Scalar::Missing,
                Scalar::Number(1.0),
                Scalar::Text("NaN of".into()),
                Scalar::Missing,
                Scalar::Missing
            ]
        );
        assert_eq!(read.outputs[0].confidence(), Some(0.5));
    }

    #[test]
    fn strange_characters_are_read_or_told() {
        assert_eq!(
            output("\u{feff}{\"prediction\":\"é\\u00e9\"}").0,
            class("éé")
        );
        assert_eq!(output(r#"{"prediction":"a\ud800"}"#).0, class("a\u{fffd}"));
        assert_eq!(output(r#"{"\u0070rediction":"a"}"#).0, class("a"));
        let long = |count| {
            let name = "€".repeat(count);
            output(&format!(r#"{{"prediction":"{name}"}}"#)).0
        };
        assert_eq!(long(40), class(&"€".repeat(40)));
        // no class is as long
        assert_eq!(long(41), None);
        let mut exchange = Exchange::example("/p", ONE, "");
        exchange.response.body.as_mut().unwrap().bytes = b"{\"prediction\":\"\xe9\"}".to_vec();
        assert_eq!(decoded(&exchange), Err(DecodeError::NotUtf8));
    }

    #[test]
    fn more_than_is_kept_is_told() {
        let fields: Vec<String> = (0..5000).map(|i| format!(r#""f{i}":1"#)).collect();
        let wide = format!("{{{}}}", fields.join(","));
        let error = both(&wide, r#"{"prediction":"a"}"#).unwrap_err();
        assert_eq!((error.format(), error.reason()), ("iris", "too_large"));
        let long = format!("[{}0]", "0,".repeat(20_000));
        assert_eq!(routed("", &long).unwrap_err().reason(), "too_large");
    }

    #[test]
    fn an_output_without_class_is_still_an_item() {
        let read = both(ONE, r#"{"prediction":3.5}"#).unwrap();
        assert_eq!(read.outputs, [Output::from(Prediction::Value(3.5))]);
        assert_eq!(read.items(), 1);
    }

    #[test]
    fn a_class_is_a_word_an_integer_or_a_truth_value() {
        for (prediction, expected) in [
            (r#""setosa""#, class("setosa")),
            ("2", class("2")),
            ("-1", class("-1")),
            ("18446744073709551615", class("18446744073709551615")),
            ("1000", class("1000")),
            ("1001", None),
            ("-9223372036854775808", None),
            ("true", class("true")),
            (r#""00501""#, class("00501")),
            ("205.39", None),
            ("18446744073709551616", None),
            ("1e999", None),
            ("NaN", None),
            ("null", None),
            (r#""""#, None),
        ] {
            let response = format!(r#"{{"prediction":{prediction}}}"#);
            assert_eq!(output(&response), (expected, None), "{prediction}");
        }
    }

    #[test]
    fn confidence_is_a_share_or_a_string_that_is_one_and_never_invented() {
        for (confidence, expected) in [
            ("0.93", Some(0.93)),
            (r#""0.93""#, Some(0.93)),
            ("0", Some(0.0)),
            ("1", Some(1.0)),
            // The sum of an exponential in 32 bits.
            ("1.0000001192092896", Some(1.0)),
            ("1.1", None),
            ("-0.1", None),
            ("93", None),
            (r#""93%""#, None),
            ("NaN", None),
            ("Infinity", None),
            ("1e999", None),
            ("null", None),
            ("true", None),
            ("[0.9]", Some(0.9)),
            ("{}", None),
        ] {
            let response = format!(r#"{{"prediction":"a","confidence":{confidence}}}"#);
            assert_eq!(output(&response), (class("a"), expected), "{confidence}");
        }
    }

    #[test]
    fn without_confidence_it_is_the_probability_of_the_class() {
        for (prediction, probabilities, expected) in [
            (r#""b""#, r#"{"a":0.7,"b":0.3}"#, Some(0.3)),
            ("1", r#"{"0":0.7,"1":"0.3"}"#, Some(0.3)),
            ("true", r#"{"false":0.7,"true":0.3}"#, Some(0.3)),
            (r#""b""#, r#"{"b":0.1,"b":0.3,"a":0.7}"#, Some(0.3)),
            ("1", "[0.7,0.3]", Some(0.3)),
            // A truth value is an index too.
            ("true", "[0.7,0.3]", Some(0.3)),
            // A map without the class does not say how probable it is.
            ("1", r#"{"a":0.7,"b":0.3}"#, None),
            // Named or numbered otherwise: the largest.
            (r#""b""#, "[0.7,0.3]", Some(0.7)),
            ("2", "[0.7,0.3]", Some(0.7)),
            ("-1", "[0.7,0.3]", Some(0.7)),
            // Scores of another kind have no largest share.
            (r#""b""#, "[-1.2,0.3]", None),
            (r#""b""#, "[0.2,null]", None),
            (r#""b""#, "[NaN,0.3]", None),
            ("0", "[2.5,0.3]", None),
            // No class, no probability of it.
            ("1.5", "[0.7,0.3]", None),
            ("null", "[0.7,0.3]", None),
            (r#""b""#, "[]", None),
            (r#""b""#, "{}", None),
            (r#""b""#, "0.9", None),
            (r#""b""#, "[[0.7,0.3]]", Some(0.7)),
        ] {
            let (_, first) = output(&format!(
                r#"{{"probabilities":{probabilities},"prediction":{prediction}}}"#
            ));
            let (_, last) = output(&format!(
                r#"{{"prediction":{prediction},"confidence":null,"probabilities":{probabilities}}}"#
            ));
            assert_eq!((first, last), (expected, expected), "{probabilities}");
        }
        let told = r#"{"probabilities":[0.7,0.3],"prediction":0,"confidence":0.6}"#;
        assert_eq!(output(told), (class("0"), Some(0.6)));
    }
}
