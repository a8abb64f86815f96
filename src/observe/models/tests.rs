use serde_json::{Value, json};

use super::*;
use crate::{
    capture::route::Route,
    decode::{Output, decode},
};

fn models(change: impl FnOnce(&mut config::Metrics)) -> Models {
    let mut bounds = config::defaults().metrics;
    change(&mut bounds);
    Models::new(bounds)
}

fn see(models: &mut Models, exchange: &Exchange, labels: (&str, &str)) {
    let inference = decode(exchange, &config::defaults().capture).unwrap();
    models.saw(&inference, exchange, labels);
}

fn listed(models: &Models) -> Value {
    serde_json::to_value(models.listing()).unwrap()
}

#[test]
fn a_model_is_listed_with_its_features_and_what_is_not_known() {
    let mut models = models(|_| {});
    let request = r#"{"instances":[[1,"a",true,null],[2,"b",false,null]]}"#;
    let exchange = Exchange::example("/v1/models/m:predict", request, r#"{"predictions":[0,2]}"#);
    see(&mut models, &exchange, ("m", "1"));
    see(&mut models, &exchange, ("m", "2"));
    let listed = listed(&models);
    let model = &listed["models"][0];
    assert_eq!(model["model"], "m");
    assert_eq!(model["versions"], json!(["1", "2"]));
    assert_eq!(model["format"], "v1");
    assert_eq!(model["route"], "/v1/models/m:predict");
    assert_eq!(
        (&model["items"], &model["exchanges"]),
        (&json!(4), &json!(2))
    );
    let feature = |position: usize, kind: &str, missing: u64| json!({"name": null, "position": position, "kind": kind, "missing": missing});
    let expected = [
        feature(0, "numeric", 0),
        feature(1, "categorical", 0),
        feature(2, "boolean", 0),
        feature(3, "unknown", 4),
    ];
    assert_eq!(model["features"], json!(expected));
    let missing = model["missing"].as_array().unwrap();
    let what: Vec<_> = missing.iter().map(|m| (&m["what"], &m["count"])).collect();
    assert_eq!(
        json!(what),
        json!([["confidence", 4], ["class_names", 4], ["feature_names", 2]])
    );
    assert_eq!(
        missing[1]["configure"],
        r#"routes: [{path: "/v1/models/m:predict", classes: [class_0, class_1, class_2]}]"#
    );
}

#[test]
fn named_features_and_named_classes_with_confidence_lack_nothing() {
    let mut models = models(|_| {});
    let answer = r#"{"prediction":"a","confidence":0.9}"#;
    let mut exchange = Exchange::example("/predict", r#"{"age":3,"b":null}"#, answer);
    exchange.route = Some(Arc::new(Route {
        model: Some(config::Identity::from("m")),
        ..Route::new("/predict")
    }));
    see(&mut models, &exchange, ("m", "1"));
    let listed = listed(&models);
    assert_eq!(listed["models"][0]["missing"], json!([]));
    let names: Vec<_> = listed["models"][0]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| &feature["name"])
        .collect();
    assert_eq!(json!(names), json!(["age", "b"]));
}

#[test]
fn every_line_that_is_advised_is_a_configuration() {
    let mut models = models(|_| {});
    let exchange = Exchange::example("/a \"b\"/{id}", "", "");
    let exchange = Exchange {
        endpoint: Arc::from("/a%22b/{id}"),
        ..exchange
    };
    let inference = Inference {
        format: "v1",
        features: vec![Column {
            name: Name::Position(0),
            values: Values::Numbers(vec![1.0].into()),
        }],
        outputs: vec![
            Output::from(Prediction::Unknown),
            Output::from(Prediction::Index(1)),
            Output::from(Prediction::Value(0.5)),
        ],
        ..Inference::default()
    };
    models.saw(&inference, &exchange, ("m", "1"));
    let without = Inference {
        features: Vec::new(),
        ..inference
    };
    models.saw(&without, &exchange, ("m", "1"));
    models.unread(&exchange.endpoint, "unknown_shape");
    let listed = listed(&models);
    let missing = listed["models"][0]["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 7, "{missing:?}");
    let unread = &listed["unread"][0];
    assert_eq!(unread["reasons"], json!({"unknown_shape": 1}));
    assert_eq!(loaded(unread).routes.len(), 1);
    let long = Arc::from("/long");
    models.unread(&long, TOO_LONG);
    let unread = &self::listed(&models)["unread"][1];
    assert_eq!(unread["reasons"], json!({"too_long": 1}));
    assert_eq!(loaded(unread).capture.body_limit, 1 << 20);
    for advice in missing {
        assert_eq!(loaded(advice).routes.len(), 1);
    }
}

/// The configuration that an advice is.
fn loaded(advice: &Value) -> config::Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("advised.yaml");
    std::fs::write(&file, advice["configure"].as_str().unwrap()).unwrap();
    let sources = config::Sources {
        file: Some(file),
        ..config::Sources::default()
    };
    let loaded = sources.load();
    assert!(loaded.is_ok(), "{advice}: {loaded:?}");
    loaded.unwrap().config
}

#[test]
fn the_list_is_bounded_however_many_names_there_are() {
    let mut models = models(|bounds| {
        bounds.max_models = 2;
        bounds.max_versions = 3;
        bounds.max_endpoints = 2;
    });
    let many: Vec<String> = (0..500).map(|i| format!(r#""f{i}":1"#)).collect();
    let request = format!("{{{}}}", many.join(","));
    for i in 0..50 {
        let name = i.to_string();
        let mut exchange = Exchange::example("/predict", &request, r#"{"prediction":"a"}"#);
        see(&mut models, &exchange, ("m", &name));
        exchange.endpoint = Arc::from(name.as_str());
        see(&mut models, &exchange, (&name, "1"));
        see(&mut models, &exchange, ("m", "1"));
        models.unread(&exchange.endpoint, "empty");
    }
    let listed = listed(&models);
    let list = listed["models"].as_array().unwrap();
    assert!(list.len() <= MAX_ENTRIES + 3, "{}", list.len());
    for model in list {
        assert!(model["versions"].as_array().unwrap().len() <= 3);
        assert_eq!(model["features"].as_array().unwrap().len(), MAX_FEATURES);
        assert_eq!(model["more_features"], 500 - MAX_FEATURES);
    }
    assert_eq!(listed["unread"].as_array().unwrap().len(), 4);
    assert_eq!(listed["unread"][0]["configure"], Value::Null);
    assert!(listed["not_listed"].as_u64().unwrap() > 50);
}

#[test]
fn features_behind_those_that_are_not_listed_are_still_counted() {
    let mut models = models(|_| {});
    let mut names: Vec<String> = (0..MAX_FEATURES)
        .map(|i| format!(r#""f{i}":null"#))
        .collect();
    for _ in 0..2 {
        let request = format!("{{{}}}", names.join(","));
        let exchange = Exchange::example("/predict", &request, r#"{"prediction":"a"}"#);
        see(&mut models, &exchange, ("m", "1"));
        names.insert(0, r#""new":1"#.to_owned());
    }
    let listed = listed(&models);
    let model = &listed["models"][0];
    assert_eq!(model["more_features"], 1);
    let all = model["features"].as_array().unwrap();
    assert!(all.iter().all(|feature| feature["missing"] == 2), "{all:?}");
}

#[test]
fn what_a_guess_made_of_numbers_and_texts_is_advised_with_the_line_that_says_it() {
    let mut models = models(|_| {});
    let mut advised = |path: &str, answer: &str| {
        let exchange = Exchange::example(path, r#"{"instances":[{"a":1}]}"#, answer);
        see(&mut models, &exchange, ("m", "1"));
        let listed = listed(&models);
        let all = listed["models"].as_array().unwrap();
        let model = all.iter().find(|model| model["route"] == path).unwrap();
        let missing = model["missing"].as_array().unwrap().iter();
        let line = |advice: &Value| {
            let line = advice["configure"].as_str()?.rsplit(", ").next();
            Some(line.unwrap().trim_end_matches("}]").to_owned())
        };
        missing.filter_map(line).collect::<Vec<_>>()
    };
    let price = "/v1/models/price:predict";
    let has = |lines: Vec<String>, line: &str| lines.iter().any(|l| l == line);
    assert!(!has(
        advised(price, r#"{"predictions":[0.5]}"#),
        "kind: regress"
    ));
    assert!(has(
        advised(price, r#"{"predictions":[250000]}"#),
        "kind: regress"
    ));
    let text = format!(r#"{{"predictions":["{}"]}}"#, "x".repeat(200));
    assert!(has(
        advised("/v1/models/t:predict", &text),
        "kind: generate"
    ));
    let scores = r#"{"predictions":[[3.0,-1.5]]}"#;
    assert!(has(
        advised("/v1/models/s:predict", scores),
        "kind: classify"
    ));
}

#[test]
fn no_line_is_advised_that_cannot_work() {
    let advised = |path: &str, kind: RouteKind, answer: &str| {
        let mut models = models(|_| {});
        let mut exchange = Exchange::example(path, r#"{"data":[[1,2]]}"#, answer);
        let route = Route {
            kind,
            ..Route::new(path)
        };
        exchange.route = Some(Arc::new(route));
        see(&mut models, &exchange, ("m", "1"));
        let listed = listed(&models);
        let missing = listed["models"][0]["missing"].as_array().unwrap().iter();
        let advice = |m: &Value| (m["what"].clone(), m["configure"].clone());
        let wanted = |(what, _): &(Value, Value)| what == "confidence" || what == "class";
        missing.map(advice).filter(wanted).collect::<Vec<_>>()
    };
    let (torch, own) = ("/predictions/m", "/predict");
    let vectors = advised(torch, RouteKind::Classify, "[[3.0,-1.5]]");
    assert_eq!(vectors, [(json!("confidence"), Value::Null)]);
    let open = advised(torch, RouteKind::Predict, "[[3.0,-1.5]]");
    let kind = r#"routes: [{path: "/predictions/m", kind: classify}]"#;
    assert!(open.contains(&(json!("class"), json!(kind))), "{open:?}");
    let named = advised(own, RouteKind::Regress, r#"{"prediction":"a"}"#);
    assert_eq!(named, [(json!("confidence"), Value::Null)]);
    let class = advised(own, RouteKind::Predict, r#"{"prediction":"a"}"#);
    let path = r#"routes: [{path: "/predict", format: mapped, paths: {class: "$.class", confidence: "$.confidence"}}]"#;
    assert_eq!(class, [(json!("confidence"), json!(path))]);
}
