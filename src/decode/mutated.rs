//! Bodies as broken as chance makes them: nothing may panic, and nothing may grow.

use std::sync::Arc;

use super::{fuzzing::check, *};
use crate::capture::route::Routes;

const REQUESTS: &[&str] = &[
    r#"{"sepal_length":5.1,"sepal_width":"3.5","petal_length":NaN,"petal_width":0.2}"#,
    r#"[{"a":1,"b":true},{"b":null,"c":"x\ud83d\ude00"},{}]"#,
    r#"{"instances":[{"data":{"features":{"values":[1,2],"keys":[3]}}},{"features":[[1],["x"]]}]}"#,
    r#"{"inputs":{"a":[[1,2],[3,4]],"b":[5,6]},"dataframe_split":{"columns":["a",1],"data":[[1,null],["b",[2]]]}}"#,
    r#"{"input_data":{"columns":["a"],"index":[0],"data":[1,2]},"Inputs":{"x":[{"b64":"AA=="}]}}"#,
    "a,\"b \"\"c\"\"\",\u{e9}\r\n1,,NaN\r\n\n2,x,True\n",
    "{\"features\":[1,2]}\n{\"features\":[3,4]}\n",
    r#"{"threshold":1e999,"instances":[{"a":1,"a":-2},{"a":[1,[2,{"b":3}]]}],"é":-Infinity}"#,
];

const RESPONSES: &[&str] = &[
    r#"{"prediction":"setosa","confidence":0.98,"probabilities":{"setosa":0.98,"virginica":0.02},"model_version":"1.0.0"}"#,
    r#"{"predictions":[{"prediction":1,"probabilities":[0.1,"0.9"]},{"prediction":9223372036854775808}],"model":"m"}"#,
    r#"[{"probabilities":{"a":NaN},"prediction":"a"},{"prediction":null},{"prediction":2.5}]"#,
    r#"{"predictions":["a","b\ud800",0,-1,true]}"#,
    r#"{"predictions":[{"classes":["a","b"],"class_ids":[1],"scores":[0.1,0.9],"all_classes":["x","y"]},{"score":0.4,"predicted_label":0}]}"#,
    r#"{"outputs":{"classes":[["a"],["b"]],"class_ids":[0,1],"probabilities":[[0.1,0.9],[0.5,0.5]]}}"#,
    r#"{"result":[[["a",0.5],["b",0.5]],[["b",1],["a",0]]],"Results":{"x":[0]}}"#,
    "\"{\\\"result\\\": [0, 1.5]}\"",
    "0.5,a\n1,0.25\nyes,0.75,\"[1, 2]\"\n",
    "{\"score\":[0.1,0.9],\"predicted_label\":1}\n{\"closest_cluster\":1.0}\n",
];

/// Paths of every format.
const PATHS: &[&str] = &[
    "/predict",
    "/v1/models/m:predict",
    "/v1/models/m:regress",
    "/invocations",
    "/score",
    "/models/m/invoke",
    "/v2/models/m/infer",
];

/// Paths, content types, requests and answers of formats that are told by other things than
/// `prediction`.
const SERVICES: &[(&str, &str, &str, &str)] = &[
    (
        "/classify",
        "application/json",
        r#"{"input":[[5.1,3.5],[4.9,3.0]],"top":1}"#,
        r#"{"label":["a","b"],"probabilities":[[0.9,0.1],[0.2,0.8]],"classes":["a","b"],"score":[0.9,0.8]}"#,
    ),
    (
        "/classify",
        "application/json",
        r#"{"inputs":[["a","b"],["c"]]}"#,
        r#"[[{"label":"x","score":0.9},{"label":"y","score":0.1}],[{"label":"y","score":1}]]"#,
    ),
    (
        "/classify/submit",
        "application/json",
        r#"{"input_data":[[1,2]]}"#,
        r#"{"task_id":"7f","status":"in_progress"}"#,
    ),
    (
        "/predictions/m/1",
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=data\r\n\r\n[[1]]\r\n--x--",
        r#"[{"a":0.5,"b":0.25},{"b":0.5,"a":0.1}]"#,
    ),
    (
        "/api/v1.0/predictions",
        "application/x-www-form-urlencoded",
        "json=%7B%22data%22%3A%7B%22ndarray%22%3A%5B%5B1%2C2%5D%5D%7D%7D&strData=x",
        r#"{"meta":{"requestPath":{"m":"i:1"}},"data":{"names":["a","b"],"ndarray":[[0.5,0.5]]}}"#,
    ),
    (
        "/api/v1.0/predictions",
        "application/json",
        r#"{"data":{"names":["a","b"],"tensor":{"shape":[2,2],"values":[1,2,3,4]}}}"#,
        r#"{"data":{"names":["a","b"],"tensor":{"shape":[2,2],"values":[0.5,0.5,1,0]}},"strData":"x"}"#,
    ),
    (
        "/v1/responses",
        "application/json",
        r#"{"model":"m","input":["a"]}"#,
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"content\":[{\"text\":\"a\"}]}],\"usage\":{}}}\n\ndata: {\"error\":1}\n\n",
    ),
    (
        "/v1/embeddings",
        "application/json",
        r#"{"model":"m","input":["a",[1,2]]}"#,
        r#"{"data":[{"embedding":[0.5]},{"embedding":"AA=="}],"usage":{"total_tokens":1}}"#,
    ),
    (
        "/rerank",
        "application/json",
        r#"{"query":"q","texts":["a","b"]}"#,
        r#"[{"index":1,"score":0.5},{"index":0,"score":1e999}]"#,
    ),
];

/// What mutation puts in, beside random bytes.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "null",
    "\"prediction\":",
    "\"predictions\":[",
    "{\"a\":1},",
    "0,",
    "[[",
    "\u{feff}",
    "\"probabilities\":[",
    "\"confidence\":",
    "9223372036854775808",
    "é",
    "\n",
    "\r\n,",
    "{\"classes\":[\"a\"]},",
    "[[\"a\",0.5]],",
    "\"x\":[1,2],",
];

fn mutate(random: &mut fastrand::Rng, body: &mut Vec<u8>) {
    for _ in 0..random.usize(0..6) {
        let at = random.usize(0..=body.len());
        let end = (at + random.usize(0..20)).min(body.len());
        match random.u8(0..5) {
            0 => drop(body.drain(at..end)),
            1 => body.truncate(at),
            2 => body.insert(at, random.u8(..)),
            3 => {
                let piece = body[at..end].repeat(random.usize(0..40));
                body.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[random.usize(..PIECES.len())].repeat(random.usize(1..9));
                body.splice(at..at, piece.into_bytes());
            }
        }
    }
}

#[test]
fn no_body_makes_it_panic_or_grow() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut read, mut refused, mut reasons) = (0, 0, std::collections::BTreeSet::new());
    for _ in 0..20_000 {
        let path = PATHS[random.usize(..PATHS.len())];
        let mut exchange = Exchange::example(path, "", "");
        if random.bool() {
            exchange.request.content_type = Some("text/csv".to_owned());
            exchange.response.content_type = Some("application/jsonlines".to_owned());
        }
        let mut request = REQUESTS[random.usize(..REQUESTS.len())].as_bytes().to_vec();
        let mut response = RESPONSES[random.usize(..RESPONSES.len())]
            .as_bytes()
            .to_vec();
        mutate(&mut random, &mut request);
        mutate(&mut random, &mut response);
        let bytes = request.len() + response.len();
        exchange.request.body.as_mut().unwrap().bytes = request;
        exchange.response.body.as_mut().unwrap().bytes = response;
        if random.u8(0..10) == 0 {
            exchange.status = 422;
        }
        if random.u8(0..4) == 0 {
            exchange.route = Some(Arc::clone(&super::fuzzing::routes()[0]));
        }
        match decoded(&exchange) {
            Ok(inference) => {
                check(&inference, bytes);
                read += 1;
            }
            Err(error) => {
                assert_ne!(exchange.status, 422);
                reasons.insert(error.reason());
                refused += 1;
            }
        }
    }
    assert!(
        read > 3000 && refused > 3000,
        "{read} read, {refused} refused"
    );
    assert!(reasons.len() >= 5, "{reasons:?}");
}

#[test]
fn no_body_of_a_service_makes_it_panic_or_grow() {
    let mut random = fastrand::Rng::with_seed(11);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let (path, kind, request, response) = SERVICES[random.usize(..SERVICES.len())];
        let mut exchange = Exchange::example(path, "", "");
        exchange.request.content_type = Some(kind.to_owned());
        let mut bytes = 0;
        for (message, text) in [
            (&mut exchange.request, request),
            (&mut exchange.response, response),
        ] {
            let mut body = text.as_bytes().to_vec();
            mutate(&mut random, &mut body);
            bytes += body.len();
            message.body.as_mut().unwrap().bytes = body;
        }
        match decoded(&exchange) {
            Ok(inference) => {
                check(&inference, bytes);
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 2500 && refused > 3000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn the_worst_body_of_each_kind_stays_within_a_small_multiple() {
    let many = |piece: &str, n: usize| vec![piece; n].join(",");
    let names: Vec<String> = (0..4000).map(|i| format!(r#""{i}":1"#)).collect();
    let classes = many("0", 4000);
    for (request, response) in [
        (
            format!("{{{}}}", names.join(",")),
            r#"{"prediction":1}"#.to_owned(),
        ),
        (
            format!("[{}]", many(r#"{"":""}"#, 4000)),
            format!("[{classes}]"),
        ),
        (format!("[{}]", many("{}", 4000)), format!("[{classes}]")),
        (
            String::new(),
            format!(r#"{{"predictions":[{}]}}"#, many("false", 15_000)),
        ),
    ] {
        let mut exchange = Exchange::example("/predict", &request, &response);
        exchange.route = Routes::new(&[]).find("/predict").cloned();
        let inference = decoded(&exchange).unwrap();
        check(&inference, request.len() + response.len());
    }
}

#[test]
fn the_worst_body_of_each_path_stays_within_a_small_multiple() {
    let full = |open: &str, piece: &str, close: &str| {
        let body = piece.repeat((64 << 10) / piece.len());
        format!("{open}{}{close}", body.trim_end_matches(','))
    };
    let csv = "/invocations";
    let v1 = "/v1/models/m:predict";
    for (path, request, response) in [
        (csv, full("", ",", "\n"), "1\n".to_owned()),
        (csv, full("", "a\n", ""), "[1]".to_owned()),
        (csv, full("", "1,a\n", ""), "[1]".to_owned()),
        (csv, full("", "\"\"", "\n"), "[1]".to_owned()),
        (csv, String::new(), full("", "a\n", "")),
        (csv, String::new(), full("", "1\n", "")),
        (csv, String::new(), full("", "{}\n", "")),
        (csv, String::new(), full("{\"predictions\":[", "{},", "]}")),
        (
            csv,
            String::new(),
            full("{\"predictions\":{", "\"a\":0,", "}}"),
        ),
        (csv, String::new(), full("{", "\"a\":[0],", "}")),
        (v1, String::new(), full("{\"predictions\":[", "[],", "]}")),
        (
            v1,
            String::new(),
            full("{\"result\":[", "[[\"a\",1]],", "]}"),
        ),
        (
            v1,
            String::new(),
            full("{\"predictions\":[{\"labels\":[", "\"\",", "]}]}"),
        ),
        (
            v1,
            String::new(),
            full("{\"outputs\":{\"label\":[", "0,", "]}}"),
        ),
        (
            v1,
            full("{\"inputs\":{\"a\":[\"\",", "0,", "]}}"),
            "{}".to_owned(),
        ),
        (
            v1,
            full("{\"inputs\":{", "\"\":[0,0],", "}}"),
            "{}".to_owned(),
        ),
        (
            v1,
            full("{\"instances\":[", "{\"a\":[0,0]},", "]}"),
            "{}".to_owned(),
        ),
        ("/embed", String::new(), full("[", "[],", "[]]")),
        ("/rerank", String::new(), full("[", "0,", "0]")),
        (
            "/api/v1.0/predictions",
            full(
                "{\"data\":{\"tftensor\":{\"tensorShape\":{\"dim\":[{\"size\":\"2\"}]},\"stringVal\":[",
                "\"\",",
                "]}}}",
            ),
            "{}".to_owned(),
        ),
        (
            "/score",
            full(
                "{\"input_data\":{\"columns\":[",
                "\"\",",
                "],\"data\":[[1]]}}",
            ),
            full("\"[", "0,", "0]\""),
        ),
    ] {
        for status in [200, 422] {
            let mut exchange = Exchange::example(path, &request, &response);
            if !request.starts_with('{') {
                exchange.request.content_type = Some("text/csv".to_owned());
            }
            if !response.starts_with(['{', '"']) {
                exchange.response.content_type = Some("text/csv".to_owned());
            }
            exchange.status = status;
            if let Ok(inference) = decoded(&exchange) {
                check(&inference, request.len() + response.len());
            }
        }
    }
}
