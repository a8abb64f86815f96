//! `sidelight explain`: what would be read of exchanges, and why.
//!
//! Exchanges come as lines of JSON in the form of [`capture::recorded`](crate::capture::recorded);
//! each gives one line. Nothing is kept from one to the next.

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod lines;
mod said;
mod shown;
mod why;

#[cfg(test)]
mod recorded;

use std::{
    io::{self, BufRead, Write},
    sync::Arc,
};

use crate::{
    capture::{
        recorded::{Capture, Malformed, Recorded},
        route::Routes,
    },
    config::{self, Config},
    decode,
};
use lines::{Line, Lines};
use said::{Refused, Said};

/// Explains each line of `input` on a line of `output`; `false`: some were no exchanges.
///
/// Takes the memory of one line and of what is read of it; longer lines than [`MAX_LINE`] are
/// passed over and said to be no exchanges.
///
/// # Errors
/// When the input cannot be read or the output cannot be written.
pub fn explain(config: &Config, input: impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    let explainer = Explainer::new(config);
    let mut lines = Lines::new(input, MAX_LINE);
    let mut are_all_read = true;
    while let Some(line) = lines.next()? {
        let refused = match line {
            Line::Whole(line) => explainer.one(line, output)?.err(),
            Line::TooLong => Some(format!("no exchange: longer than {MAX_LINE} bytes")),
        };
        if let Some(why) = &refused {
            are_all_read = false;
            written(&Refused::new(why), output)?;
        }
        // whoever pipes exchanges in one by one waits for the answer to each
        output.flush()?;
    }
    Ok(are_all_read)
}

/// Longest line: two bodies of the largest `capture.body_limit`, in base64.
pub const MAX_LINE: usize = 192 << 20;

/// What exchanges are read by.
struct Explainer<'a> {
    routes: Routes,
    /// Routes that the configuration names come first; the rest is known.
    configured: usize,
    bounds: &'a config::Capture,
    /// Rows whose features are kept.
    max_items: usize,
    /// Without names: what neither wire nor route tells stays unknown.
    model: config::Model,
}

impl<'a> Explainer<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            routes: Routes::new(&config.routes),
            configured: config.routes.len(),
            bounds: &config.capture,
            max_items: config.decode.max_items,
            model: config::Model {
                name: String::new(),
                version: String::new(),
                ..config.model.clone()
            },
        }
    }

    /// Writes what one line says, or returns why it is no exchange.
    fn one(&self, line: &[u8], output: &mut impl Write) -> io::Result<Result<(), String>> {
        let capture = Capture {
            routes: &self.routes,
            body_limit: self.bounds.body_limit,
        };
        let read = |line| -> Result<_, Malformed> {
            let recorded = Recorded::read(line)?;
            let id = recorded.id.clone();
            Ok((id, recorded.exchange(&capture)?))
        };
        let (id, exchange) = match read(line) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why.to_string())),
        };
        let told = said::Told::of(&exchange, self.bounds, self.max_items);
        let route = exchange.route.as_ref();
        let is_configured = route.is_some_and(|route| {
            let own = self.routes.iter().take(self.configured);
            own.into_iter().any(|own| Arc::ptr_eq(own, route))
        });
        let why = why::of(&exchange, &told, is_configured, self.bounds);
        let fault = decode::blame(&exchange, self.bounds);
        let mut said = Said::new(id.as_deref(), &exchange, &told, fault, why);
        said.identify(decode::identity(told.inference(), &exchange, &self.model));
        written(&said, output)?;
        Ok(Ok(()))
    }
}

fn written(value: &impl serde::Serialize, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn one_line_in_is_one_line_out_in_order_also_for_what_is_no_exchange() {
        let good =
            r#"{"id":"a","method":"GET","path":"/health","request":{},"response":{"status":200}}"#;
        let input = format!("{good}\n\n{{\n[]\nnull\n{{\"id\":\"b\"}}\n{good}");
        let mut output = Vec::new();
        let config = config::defaults();
        assert!(!explain(&config, input.as_bytes(), &mut output).unwrap());
        let lines = output.split(|byte| *byte == b'\n');
        let said: Vec<Value> = lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let ids: Vec<&Value> = said.iter().map(|line| &line["id"]).collect();
        let (a, null) = (Value::from("a"), Value::Null);
        assert_eq!(ids, [&a, &null, &null, &null, &null, &null, &a]);
        assert!(said.iter().all(|line| line["why"].is_string()));
        assert_eq!(said[0]["kind"], "health");
        let mut output = Vec::new();
        assert!(explain(&config, good.as_bytes(), &mut output).unwrap());
    }

    /// What is said of one answer to two rows on `/p`, of which the configuration has a route.
    fn said(route: &str, answer: &str, change: impl FnOnce(&mut Config)) -> Value {
        let mut config = config::defaults();
        config.routes.push(serde_json::from_str(route).unwrap());
        change(&mut config);
        let line = serde_json::json!({
            "id": "a", "method": "POST", "path": "/p",
            "request": {"body": r#"{"instances":[[1,2],[3,4]]}"#},
            "response": {"status": 200, "body": answer},
        });
        let mut output = Vec::new();
        let line = line.to_string();
        assert!(explain(&config, line.as_bytes(), &mut output).unwrap());
        serde_json::from_slice(&output).unwrap()
    }

    #[test]
    fn a_threshold_tells_the_class_of_two_columns_and_of_two_names() {
        let route = r#"{"path":"/p","positive_class":"yes","threshold":0.3}"#;
        for answer in [
            r#"{"predictions":[[0.6,0.4],[0.75,0.25]]}"#,
            r#"{"predictions":[{"yes":0.4,"no":0.6},{"yes":0.25,"no":0.75}]}"#,
            r#"{"predictions":[{"probabilities":{"no":0.6,"yes":0.4}},{"probabilities":{"no":0.75,"yes":0.25}}]}"#,
        ] {
            let said = said(route, answer, |_| {});
            let other = if answer.contains("no") {
                "no"
            } else {
                "not yes"
            };
            let (classes, sure) = (["yes", other], [0.4, 0.75]);
            assert_eq!(
                said["predicted_class"],
                serde_json::json!(classes),
                "{answer}"
            );
            assert_eq!(said["confidence"], serde_json::json!(sure), "{answer}");
        }
        let stated = r#"{"predictions":[{"label":"no","probabilities":{"no":0.6,"yes":0.4}},{"label":"no","probabilities":{"no":0.75,"yes":0.25}}]}"#;
        let said = said(route, stated, |_| {});
        assert_eq!(said["predicted_class"], serde_json::json!(["no", "no"]));
    }

    #[test]
    fn texts_are_generated_where_the_route_says_so_and_else_it_is_said_how() {
        let answer = format!(r#"{{"predictions":["yes","{}"]}}"#, "word ".repeat(20));
        let open = said(r#"{"path":"/p"}"#, &answer, |_| {});
        assert_eq!((&open["kind"], &open["items"]), (&Value::Null, &2.into()));
        assert!(open["why"].as_str().unwrap().contains("kind: generate"));
        let named = r#"{"predictions":[{"generated_text":"yes"},{"generated_text":"no"}]}"#;
        let named = said(r#"{"path":"/p","format":"v1"}"#, named, |_| {});
        assert_eq!(named["predicted_class"], Value::Null);
        assert!(
            named["why"].as_str().unwrap().contains("kind: generate"),
            "{named}"
        );
        let told = said(r#"{"path":"/p","kind":"generate"}"#, &answer, |_| {});
        assert_eq!(told["kind"], "generate");
    }

    #[test]
    fn features_are_those_that_the_observer_keeps() {
        let answer = r#"{"predictions":[0,1]}"#;
        let said = said(r#"{"path":"/p"}"#, answer, |c| c.decode.max_items = 1);
        assert_eq!(said["columns"], serde_json::json!([[1.0], [2.0]]));
        assert_eq!(said["predicted_class"], serde_json::json!([0, 1]));
        assert!(said["why"].as_str().unwrap().contains("1 of 2 rows"));
    }

    #[test]
    fn a_body_above_the_limit_is_too_long_and_nothing_of_the_other_is_read() {
        let answer = r#"{"predictions":[0,1]}"#;
        let request = r#"{"instances":[[1,2],[3,4]]}"#;
        for (limit, whose) in [
            (request.len() - 1, Some("the request has 27 bytes")),
            (request.len(), None),
        ] {
            let said = said(r#"{"path":"/p"}"#, answer, |c| c.capture.body_limit = limit);
            let why = said["why"].as_str().unwrap();
            assert_eq!(why.contains("too_long"), whose.is_some(), "{why}");
            assert_eq!(said["items"].is_null(), whose.is_some(), "{why}");
            assert_eq!(said["predicted_class"].is_null(), whose.is_some());
            assert!(why.contains(whose.unwrap_or_default()), "{why}");
        }
        let long = format!(r#"{{"predictions":["{}"]}}"#, "x".repeat(100));
        let said = said(r#"{"path":"/p"}"#, &long, |c| c.capture.body_limit = 50);
        assert!(said["why"].as_str().unwrap().contains("the answer has 120"));
        assert_eq!(said["format"], Value::Null);
    }

    #[test]
    fn a_route_of_the_configuration_counts_and_is_told() {
        let mut config = config::defaults();
        let route = r#"{"path":"/p/{id}","classes":["no","yes"],"model":"churn"}"#;
        config.routes.push(serde_json::from_str(route).unwrap());
        let line = r#"{"id":"a","method":"POST","path":"/p/7","request":{"body":"{\"a\":1}"},"response":{"status":200,"body":"{\"prediction\":1}"}}"#;
        let mut output = Vec::new();
        assert!(explain(&config, line.as_bytes(), &mut output).unwrap());
        let said: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(said["predicted_class"], serde_json::json!(["yes"]));
        assert_eq!(said["route"], "/p/{id}");
        assert_eq!(said["model"], "churn");
        assert_eq!(said["model_version"], Value::Null);
        let why = said["why"].as_str().unwrap();
        for part in [
            "the route /p/{id} of the configuration",
            "no confidence",
            "no version on the wire",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
}
