//! What a route says of its bodies, over a live path and in an explanation.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::io::Cursor;

use sidelight::{config, explain::explain};

use super::{
    coded::echo,
    path::{Client, Path, config as settings},
};

/// Request and answer in one: what is asked comes back.
const BOTH: &str = r#"{"rows":[{"who":{"age":41}},{"who":{"age":30}}],"meta":{"v":9},
    "results":[{"label":"yes","p":0.75},{"label":"no","p":0.5}]}"#;

fn with_route(route: &str) -> config::Config {
    let mut settings = settings(1000);
    settings.routes = vec![serde_json::from_str(route).unwrap()];
    settings
}

const ROUTE: &str = r#"{"path":"/teams/{team}/{model}:score","format":"mapped",
    "model":{"header":"X-Model"},"version":{"response":"$.meta.v"},"paths":{
    "features":{"age":"$.rows[*].who.age"},"items":"$.results",
    "class":"$.results[*].label","confidence":"$.results[*].p"}}"#;

#[test]
fn a_mapped_exchange_is_counted_under_the_names_that_its_route_points_to() {
    let config = with_route(ROUTE);
    let path = Path::start(&config, echo());
    let mut client = Client::connect(path.proxy.address);
    let length = BOTH.len();
    for fields in ["X-Model: churn\r\n", ""] {
        let head = format!(
            "POST /teams/blue/risk:score HTTP/1.1\r\nHost: m\r\n{fields}Content-Length: {length}\r\n\r\n"
        );
        let (head, answer) = client.send([head.as_bytes(), BOTH.as_bytes()].concat());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(answer, BOTH.as_bytes(), "unchanged");
    }
    drop(client);
    let counted = path.finish(&config);
    for model in ["churn", "default"] {
        for class in ["yes", "no"] {
            let labels = format!(r#"model="{model}",model_version="9",predicted_class="{class}""#);
            let series = format!("ml_model_predictions_total{{{labels}}}");
            assert_eq!(counted.sum(&series), 1.0, "{series}");
        }
    }
    let requests = r#"ml_api_requests_total{method="POST",endpoint="/teams/{team}/{model}:score""#;
    assert_eq!(counted.sum(requests), 2.0);
    counted.assert_books_balance();
}

#[test]
fn an_explanation_says_what_paths_lead_to_and_what_they_do_not() {
    let line = |body: &str| {
        let message = serde_json::json!({
            "headers": [["Content-Type", "application/json"]], "body": body, "status": 200,
        });
        let line = serde_json::json!({
            "id": "1", "method": "POST", "path": "/teams/blue/risk:score",
            "request": message, "response": message,
        });
        let mut output = Vec::new();
        let input = Cursor::new(format!("{line}\n"));
        explain(&with_route(ROUTE), input, &mut output).unwrap();
        serde_json::from_slice::<serde_json::Value>(&output).unwrap()
    };
    let said = line(BOTH);
    assert_eq!(said["predicted_class"], serde_json::json!(["yes", "no"]));
    assert_eq!(said["features"], serde_json::json!({"age": [41.0, 30.0]}));
    assert_eq!(
        (&said["model"], &said["model_version"]),
        (&serde_json::Value::Null, &"9".into())
    );
    let said = line(r#"{"rows":[{}],"results":[{"label":"yes"}]}"#);
    assert_eq!(said["predicted_class"], serde_json::json!(["yes"]));
    let why = said["why"].as_str().unwrap();
    for key in ["model", "version", "paths.features", "paths.confidence"] {
        let expected = format!("nothing stands where the route's `{key}` says");
        assert!(why.contains(&expected), "{why}");
    }
    assert!(!why.contains("`paths.class`"), "{why}");
}
