//! Small JSON services, such as those made with `LitServe`: numbers in under any name, classes and
//! scores out under their usual names.
//!
//! | | |
//! |---|---|
//! | request | `{"input": [5.1, 3.5]}`, `{"features": [[..], [..]], "top": 3}`, `{"age": 41, "income": 3e4}`, or bare rows |
//! | answer, one item | `{"label": 2, "probabilities": [..]}`, `{"output": "a", "score": 0.9}` |
//! | several | `{"output": ["a", "b"], "score": [0.9, 0.8]}` |
//! | where the route is known | the same bare: a list of items, a class or a number alone |
//!
//! A name alone makes no prediction: a service that stores labels answers with one too. So an answer
//! counts on an unknown path only with a score beside its class, with a name that says so
//! (`predicted_class`), or where the request has numbers for as many items.

mod answer;
mod request;

pub(super) use request::{Shape, asked, rows};

use super::{Answer, DecodeError, Decoder, Pair};

const FORMAT: &str = "json";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |_| false,
    is_anywhere: true,
    answer: |pair| answer(FORMAT, pair),
    request: |pair, items| asked(FORMAT, pair, items),
};

/// What an answer says in this format, or in one that differs by its paths.
pub(super) fn answer(format: &'static str, pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    answer::read(format, pair)
}

#[cfg(test)]
mod tests {
    use super::super::{DecodeError, Inference, Output, Prediction, decoded};
    use crate::capture::{Exchange, route::Routes};

    fn both(request: &str, response: &str) -> Result<Inference, DecodeError> {
        decoded(&Exchange::example("/classify", request, response))
    }

    fn routed(request: &str, response: &str) -> Result<Inference, DecodeError> {
        let mut exchange = Exchange::example("/predict", request, response);
        exchange.route = Routes::new(&[]).find("/predict").cloned();
        decoded(&exchange)
    }

    /// Each class or value with its confidence.
    fn outputs(read: &Inference) -> Vec<(String, Option<f64>)> {
        let word = |output: &Output| match output.value() {
            Some(value) => value.to_string(),
            None => output.class().unwrap_or("?".into()).into_owned(),
        };
        let outputs = read.outputs.iter();
        outputs.map(|o| (word(o), o.confidence())).collect()
    }

    fn items(request: &str, response: &str) -> Vec<(String, Option<f64>)> {
        let read = both(request, response).unwrap();
        assert_eq!(read.format, "json", "{response}");
        outputs(&read)
    }

    fn one(class: &str, confidence: f64) -> Vec<(String, Option<f64>)> {
        vec![(class.to_owned(), Some(confidence))]
    }

    const ROW: &str = r#"{"input":[5.1,3.5]}"#;
    const ROWS: &str = r#"{"input":[[5.1,3.5],[4.9,3.0]]}"#;

    #[test]
    fn columns_of_classes_and_scores_are_items() {
        let two = vec![("a".to_owned(), Some(0.9)), ("b".to_owned(), Some(0.8))];
        assert_eq!(
            items(ROWS, r#"{"output":["a","b"],"score":[0.9,0.8]}"#),
            two
        );
        let read = both(ROWS, r#"{"output":["a","b"],"score":[0.9,0.8]}"#).unwrap();
        assert_eq!((read.rows, read.features.len()), (2, 2));
        assert_eq!(
            items(ROW, r#"{"output":["a"],"score":[0.9]}"#),
            one("a", 0.9)
        );
        let rows = r#"{"label":["a","b"],"probabilities":[[0.9,0.1],[0.2,0.8]]}"#;
        assert_eq!(items(ROWS, rows), two);
    }

    #[test]
    fn one_item_is_a_class_with_what_stands_beside_it() {
        for response in [
            r#"{"label":1,"probabilities":[0.1,0.9]}"#,
            r#"{"predicted_class":1,"confidence":0.9}"#,
            r#"{"class":1,"probs":{"0":0.1,"1":0.9}}"#,
            r#"{"result":{"label":1,"score":0.9}}"#,
        ] {
            assert_eq!(items(ROW, response), one("1", 0.9), "{response}");
        }
        let read = both(ROW, r#"{"label":1,"probabilities":[0.1,0.9]}"#).unwrap();
        assert_eq!(read.probabilities.unwrap().shares, [0.1, 0.9]);
    }

    #[test]
    fn names_of_classes_beside_their_probabilities_name_them() {
        let response = r#"{"classes":["a","b"],"probabilities":[[0.9,0.1]]}"#;
        assert_eq!(items(ROW, response), one("a", 0.9));
        let response = r#"{"labels":["b","a"],"scores":[0.7,0.3]}"#;
        assert_eq!(items(ROW, response), one("b", 0.7));
        let response = r#"{"label":"a","classes":["a","b"],"probabilities":[0.9,0.1]}"#;
        assert_eq!(items(ROW, response), one("a", 0.9));
    }

    #[test]
    fn probabilities_alone_are_the_largest_of_them() {
        assert_eq!(items(ROW, r#"{"probabilities":[0.1,0.9]}"#), one("1", 0.9));
        let named = r#"{"probabilities":{"a":0.1,"b":0.9}}"#;
        assert_eq!(items(ROW, named), one("b", 0.9));
        assert_eq!(items(ROW, r#"{"output":[[0.1,0.9]]}"#), one("1", 0.9));
    }

    #[test]
    fn a_class_under_a_weak_name_counts_where_numbers_were_sent_for_as_many() {
        let class = vec![("2".to_owned(), None)];
        assert_eq!(items(ROW, r#"{"output":2}"#), class);
        for request in [r#"{"name":"x"}"#, r#"{"ids":[1,2]}"#, ROWS, ""] {
            assert_eq!(
                both(request, r#"{"label":2}"#),
                Err(DecodeError::UnknownShape),
                "{request}"
            );
        }
        assert_eq!(outputs(&routed("", r#"{"label":2}"#).unwrap()), class);
    }

    #[test]
    fn what_is_no_prediction_is_unknown() {
        for response in [
            r#"{"status":"ok"}"#,
            r#"{"id":7,"created":true}"#,
            r#"{"label":"x","score":1200}"#,
            r#"{"output":[],"score":[]}"#,
            r#"{"devices":["cpu"],"timeout":30}"#,
            r#"{"ids":[1,2],"status":["ok","ok"]}"#,
            r#"{"model":{"label":"x"}}"#,
            "[1,2]",
            "{}",
        ] {
            let read = both(r#"{"name":"x"}"#, response);
            assert_eq!(read, Err(DecodeError::UnknownShape), "{response}");
        }
    }

    #[test]
    fn a_bare_list_counts_where_the_route_is_known() {
        let read = routed("[[1,2],[3,4]]", "[0.5,2]").unwrap();
        assert_eq!((read.format, read.rows), ("json", 2));
        assert_eq!(read.outputs[1].prediction, Prediction::Value(2.0));
        assert!(both("[[1,2],[3,4]]", "[0.5,2]").is_err());
    }

    #[test]
    fn a_bare_class_or_number_counts_where_the_route_is_known() {
        let request = r#"{"age":41,"income":2.5}"#;
        for (response, word) in [
            ("0.73", "0.73"),
            ("\"yes\"", "yes"),
            ("1", "1"),
            ("true", "true"),
        ] {
            let read = routed(request, response).unwrap();
            assert_eq!(
                (read.format, read.rows, read.features.len()),
                ("json", 1, 2)
            );
            assert_eq!(outputs(&read), [(word.to_owned(), None)], "{response}");
            // it is JSON, and may be the id of what was stored
            assert_eq!(both(request, response), Err(DecodeError::UnknownShape));
        }
        assert_eq!(routed(request, "null"), Err(DecodeError::UnknownShape));
        assert_eq!(routed(request, "0.73 0.2"), Err(DecodeError::NotJson));
        assert_eq!(routed(request, "ok"), Err(DecodeError::NotJson));
    }

    #[test]
    fn the_text_of_an_exception_is_no_class() {
        let text = "\"could not convert string to float: 'abc-4711'\"";
        let read = routed(r#"{"age":41,"income":2.5}"#, text).unwrap();
        assert_eq!(read.outputs[0].prediction, Prediction::Unknown);
        let two = routed("[[1,2],[3,4]]", &format!("[\"a\",{text}]")).unwrap();
        let name = Prediction::Name("a".into());
        assert_eq!(
            [&two.outputs[0].prediction, &two.outputs[1].prediction],
            [&name, &Prediction::Unknown]
        );
    }

    /// Rows and columns of a request with a known answer.
    fn rows(request: &str, items: usize) -> (usize, usize) {
        let list = |word: &str| vec![word; items].join(",");
        let answer = format!(
            r#"{{"output":[{}],"score":[{}]}}"#,
            list("\"a\""),
            list("0.5")
        );
        let read = both(request, &answer).unwrap();
        (read.rows, read.features.len())
    }

    #[test]
    fn numbers_are_found_under_any_name_with_parameters_beside() {
        assert_eq!(rows(r#"{"x":[1,2,3]}"#, 1), (1, 3));
        assert_eq!(rows(r#"{"x":[1,2,3]}"#, 3), (3, 1));
        assert_eq!(
            rows(r#"{"m":"iris","x":[[1,2,3],[4,5,6]],"top":3}"#, 2),
            (2, 3)
        );
        assert_eq!(rows(r#"{"age":41,"income":"3e4","vip":true}"#, 1), (1, 3));
        assert_eq!(rows(r#"{"a":[1,2],"b":[3,4]}"#, 2), (2, 2));
        assert_eq!(rows(r#"{"age":41,"visits":[1,2,3]}"#, 1), (1, 1));
        assert_eq!(rows(r#"{"frame":{"a":[1,2],"b":[3,4]}}"#, 2), (2, 2));
        assert_eq!(rows("[[1,2]]", 1), (1, 2));
        // an image is one item
        assert_eq!(rows(r#"{"image":[[1,2],[3,4],[5,6]]}"#, 1), (0, 0));
    }

    #[test]
    fn without_an_answer_nothing_says_that_numbers_are_features() {
        let mut exchange = Exchange::example("/predict", r#"{"x":[1,2,3,4]}"#, "");
        exchange.status = 500;
        assert_eq!(decoded(&exchange).unwrap().items(), 0);
    }
}
