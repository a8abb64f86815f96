//! Exchanges recorded from the course page's service, against what its model says of them.
//!
//! `expect` in `tests/wire/iris/fastapi.jsonl` comes from the model file, not from the answers.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::*;
use crate::capture::{
    policy::{self, Interest},
    route::Routes,
};

const FASTAPI: &str = include_str!("../../tests/wire/iris/fastapi.jsonl");

#[derive(Deserialize)]
struct Recorded {
    id: String,
    method: String,
    path: String,
    request: Sent,
    response: Sent,
    expect: Expect,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
struct Expect {
    kind: String,
    model: Option<String>,
    model_version: Option<String>,
    items: Option<usize>,
    features: Option<BTreeMap<String, Vec<f64>>>,
    predicted_class: Option<Vec<String>>,
    confidence: Option<Vec<f64>>,
}

impl Sent {
    fn fields(&self) -> HeaderMap {
        let field = |(name, value): &(String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        };
        self.headers.iter().map(field).collect()
    }
}

impl Recorded {
    fn all() -> Vec<Self> {
        let lines = FASTAPI.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    fn exchange(&self) -> Exchange {
        let mut exchange = Exchange::example(&self.path, &self.request.body, &self.response.body);
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let fields = self.request.fields();
        exchange.route = Routes::new(&[]).find(&self.path).map(Arc::clone);
        exchange.interest =
            policy::interest(&method, &self.path, &fields, exchange.route.as_deref());
        exchange.status = self.response.status;
        exchange.note_request(&fields);
        exchange.note_response(&self.response.fields());
        exchange
    }
}

/// The features as the oracle writes them; a value that is no number has no place in it.
fn features(inference: &Inference) -> BTreeMap<String, Vec<f64>> {
    let numbers = |values: &Values| match values {
        Values::Numbers(numbers) => numbers.clone(),
        other @ Values::Mixed(_) => panic!("{other:?}"),
    };
    let columns = inference.features.iter();
    columns
        .map(|c| (c.name.text().into_owned(), numbers(&c.values)))
        .collect()
}

fn check(recorded: &Recorded, inference: &Inference) {
    let (id, expect) = (&recorded.id, &recorded.expect);
    assert_eq!(inference.model, expect.model, "{id}");
    assert_eq!(inference.version, expect.model_version, "{id}");
    assert_eq!(inference.items(), expect.items.unwrap_or(0), "{id}");
    if let Some(expected) = &expect.features {
        assert_eq!(&features(inference), expected, "{id}");
    }
    let classes = inference.outputs.iter().filter_map(Output::class);
    let expected = expect.predicted_class.as_deref().unwrap_or_default();
    assert_eq!(classes.collect::<Vec<_>>(), expected, "{id}");
    let confidences = inference.outputs.iter().map(|o| o.confidence().unwrap());
    let expected = expect.confidence.as_deref().unwrap_or_default();
    assert_eq!(confidences.len(), expected.len(), "{id}");
    for (confidence, expected) in confidences.zip(expected) {
        assert!((confidence - expected).abs() < 1e-9, "{id}");
    }
}

#[test]
fn every_recorded_prediction_and_refusal_is_read_as_the_model_tells_it() {
    let (mut predictions, mut refusals) = (0, 0);
    for recorded in Recorded::all() {
        let exchange = recorded.exchange();
        if exchange.interest == Interest::Head {
            continue;
        }
        check(&recorded, &decoded(&exchange).unwrap());
        match recorded.expect.kind.as_str() {
            "classify" => predictions += 1,
            "error" => refusals += 1,
            other => panic!("{} is a {other}", recorded.id),
        }
    }
    assert_eq!((predictions, refusals), (8, 4));
}

#[test]
fn no_recorded_probe_or_drift_call_is_a_prediction_even_if_it_were_wanted() {
    let mut others = 0;
    for recorded in Recorded::all() {
        let kind = recorded.expect.kind.as_str();
        if matches!(kind, "classify" | "error") {
            continue;
        }
        let exchange = recorded.exchange();
        assert_eq!(exchange.interest, Interest::Head, "{}", recorded.id);
        let error = decoded(&exchange).unwrap_err();
        assert_eq!(error.format(), "unknown", "{}", recorded.id);
        others += 1;
    }
    assert_eq!(others, 6);
}
