//! The format of models behind a small JSON service, as the Iris service of the course has it:
//! named features in, `prediction` with `confidence` or `probabilities` out, one or a list.
//!
//! | | one | several |
//! |---|---|---|
//! | request | an object of scalars | a list of those, or an object with one such list |
//! | answer | `{"prediction", "confidence"?, "probabilities"?, "model_version"?, "model"?}` | a list of those or of classes, bare or as `predictions` |

mod answer;
mod item;
mod request;

use super::Decoder;

const FORMAT: &str = "iris";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    answer: answer::read,
    request: request::read,
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{DecodeError, Inference, Output, Scalar, decoded};
    use crate::capture::{Exchange, route::Routes};

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
        outputs.map(|o| (o.class, o.confidence)).collect()
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
    fn what_is_no_prediction_is_unknown() {
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
            for read in [both(ONE, response), routed("", response)] {
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
        let values: Vec<Scalar> = read.features.into_iter().flat_map(|c| c.values).collect();
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
        assert_eq!(read.outputs[0].confidence, Some(0.5));
    }

    #[test]
    fn strange_characters_are_read_or_told() {
        assert_eq!(
            output("\u{feff}{\"prediction\":\"é\\u00e9\"}").0,
            class("éé")
        );
        assert_eq!(output(r#"{"prediction":"a\ud800"}"#).0, class("a\u{fffd}"));
        assert_eq!(output(r#"{"\u0070rediction":"a"}"#).0, class("a"));
        let long = "€".repeat(100);
        let read = output(&format!(r#"{{"prediction":"{long}"}}"#)).0.unwrap();
        assert_eq!(read, "€".repeat(42));
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
        assert_eq!(read.outputs, [Output::default()]);
        assert_eq!(read.items(), 1);
    }
}
