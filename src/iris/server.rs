//! The model over HTTP: `/predict`, `/predict/batch`, `/health`, `/ready`, `/live`.

use std::{future::Future, time::Duration};

use ::http::{HeaderValue, Method, StatusCode, header};
use ::metrics::Counter;
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    input::{self, Fault, Input},
    model::{CLASSES, Prediction, VERSION, predict},
};
use crate::http::{self, Limits, Request, Response};

/// What clients may take. A proxy keeps connections for reuse, so silence is borne for long.
const LIMITS: Limits = Limits {
    head: 16 << 10,
    body: 4 << 20,
    head_timeout: Duration::from_mins(1),
    body_timeout: Duration::from_secs(30),
    write_timeout: Duration::from_secs(30),
    connections: 1024,
};

/// Answers until `stop` is ready, then finishes what is in hand.
pub async fn run(listener: TcpListener, stop: impl Future<Output = ()>) {
    let handler = |request: Request| std::future::ready(answer(&request));
    http::serve(listener, handler, LIMITS, Counter::noop(), stop).await;
}

fn answer(request: &Request) -> Response {
    match (request.path.as_str(), &request.method) {
        ("/predict", &Method::POST) => predicted(input::read(&request.body)),
        ("/predict/batch", &Method::POST) => predicted(input::read_list(&request.body)),
        ("/predict" | "/predict/batch", _) => not_allowed("POST"),
        ("/health", _) if request.is_read() => health(),
        ("/ready", _) if request.is_read() => ready(),
        ("/live", _) if request.is_read() => {
            http::json(StatusCode::OK, &json!({"status": "alive"}))
        }
        ("/health" | "/ready" | "/live", _) => not_allowed("GET, HEAD"),
        _ => http::json(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
    }
}

/// What is said of one flower.
#[derive(Serialize)]
struct Answer {
    prediction: &'static str,
    confidence: f64,
    #[serde(serialize_with = "by_class")]
    probabilities: [f64; 3],
    model_version: &'static str,
}

impl From<Prediction> for Answer {
    fn from(prediction: Prediction) -> Self {
        Self {
            prediction: prediction.name(),
            confidence: prediction.confidence(),
            probabilities: prediction.probabilities,
            model_version: VERSION,
        }
    }
}

fn by_class<S: Serializer>(probabilities: &[f64; 3], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(CLASSES.iter().zip(probabilities))
}

#[derive(Serialize)]
struct Answers {
    predictions: Vec<Answer>,
    count: usize,
}

fn predicted(input: Result<Input, Vec<Fault>>) -> Response {
    let answer = |features: &[f64; 4]| Answer::from(predict(features));
    match input {
        Ok(Input::One(features)) => http::json(StatusCode::OK, &answer(&features)),
        Ok(Input::Many(flowers)) => {
            let answers = Answers {
                count: flowers.len(),
                predictions: flowers.iter().map(answer).collect(),
            };
            http::json(StatusCode::OK, &answers)
        }
        Err(faults) => http::json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({ "detail": faults }),
        ),
    }
}

fn health() -> Response {
    let now = jiff::Timestamp::now();
    let health = json!({
        "status": "healthy",
        "timestamp": format!("{now:.6}"),
        "version": VERSION,
        "checks": {},
    });
    http::json(StatusCode::OK, &health)
}

/// The model is part of the program: where this answers, it is loaded.
fn ready() -> Response {
    let checks = json!({ "model_loaded": true, "model_version": VERSION });
    http::json(StatusCode::OK, &json!({ "ready": true, "checks": checks }))
}

fn not_allowed(allow: &'static str) -> Response {
    let mut response = http::json(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({"detail": "Method Not Allowed"}),
    );
    let allow = HeaderValue::from_static(allow);
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use hyper::client::conn::http1::{SendRequest, handshake};
    use hyper_util::rt::TokioIo;
    use serde_json::Value;
    use tokio::{net::TcpStream, sync::oneshot};

    use super::*;
    use crate::iris::{data, model::FEATURES};

    /// A server on a real socket and one kept connection to it.
    struct Client {
        sender: SendRequest<Full<bytes::Bytes>>,
        _stop: oneshot::Sender<()>,
    }

    impl Client {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            tokio::spawn(run(listener, async { stopped.await.unwrap_or(()) }));
            let stream = TcpStream::connect(address).await.unwrap();
            let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Self {
                sender,
                _stop: stop,
            }
        }

        async fn ask(&mut self, method: Method, path: &str, body: String) -> (StatusCode, String) {
            let request = ::http::Request::builder().method(method).uri(path);
            let request = request.header("host", "a").body(Full::from(body)).unwrap();
            self.sender.ready().await.unwrap();
            let (head, body) = self
                .sender
                .send_request(request)
                .await
                .unwrap()
                .into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            (head.status, String::from_utf8(body.to_vec()).unwrap())
        }

        async fn post(&mut self, path: &str, body: &Value) -> (StatusCode, Value) {
            let (status, body) = self.ask(Method::POST, path, body.to_string()).await;
            (status, serde_json::from_str(&body).unwrap())
        }

        async fn get(&mut self, path: &str) -> (StatusCode, Value) {
            let (status, body) = self.ask(Method::GET, path, String::new()).await;
            (status, serde_json::from_str(&body).unwrap())
        }
    }

    fn question(features: [f64; 4]) -> Value {
        FEATURES
            .iter()
            .zip(features)
            .map(|(name, x)| (*name, x))
            .collect()
    }

    fn check(answer: &Value, features: &[f64; 4]) {
        let expected = predict(features);
        assert_eq!(answer["prediction"], expected.name());
        assert_eq!(answer["confidence"], expected.confidence());
        for (class, probability) in CLASSES.iter().zip(expected.probabilities) {
            assert_eq!(answer["probabilities"][class], probability);
        }
        assert_eq!(answer["model_version"], "1.0.0");
    }

    #[tokio::test]
    async fn all_150_flowers_are_answered_alike_one_by_one_and_together() {
        let mut client = Client::start().await;
        let mut right = 0;
        for row in data::rows() {
            let (status, answer) = client.post("/predict", &question(row.features)).await;
            assert_eq!(status, 200);
            check(&answer, &row.features);
            right += usize::from(answer["prediction"] == CLASSES[row.class]);
        }
        assert!(right >= 143, "{right}");
        let list: Value = data::rows()
            .iter()
            .map(|row| question(row.features))
            .collect();
        for path in ["/predict/batch", "/predict"] {
            let (status, answer) = client.post(path, &list).await;
            assert_eq!((status.as_u16(), &answer["count"]), (200, &json!(150)));
            assert_eq!(answer["predictions"].as_array().unwrap().len(), 150);
            for (i, row) in data::rows().iter().enumerate() {
                check(&answer["predictions"][i], &row.features);
            }
        }
    }

    #[tokio::test]
    async fn an_answer_has_its_fields_in_order_and_numbers_that_read_back() {
        let mut client = Client::start().await;
        let features = [5.1, 3.5, 1.4, 0.2];
        let body = question(features).to_string();
        let (_, text) = client.ask(Method::POST, "/predict", body).await;
        let [a, b, c] = predict(&features).probabilities;
        let number = |x: f64| serde_json::to_string(&x).unwrap();
        assert_eq!(number(a).parse::<f64>().unwrap().to_bits(), a.to_bits());
        let (a, b, c) = (number(a), number(b), number(c));
        let probabilities = format!(r#"{{"setosa":{a},"versicolor":{b},"virginica":{c}}}"#);
        assert_eq!(
            text,
            format!(
                r#"{{"prediction":"setosa","confidence":{a},"probabilities":{probabilities},"model_version":"1.0.0"}}"#
            )
        );
    }

    #[tokio::test]
    async fn a_bad_body_is_422_with_the_name_of_the_field() {
        let mut client = Client::start().await;
        for name in FEATURES {
            let mut flower = question([5.1, 3.5, 1.4, 0.2]);
            flower[name] = json!("wide");
            let (status, answer) = client.post("/predict", &flower).await;
            assert_eq!(status, 422);
            assert_eq!(answer["detail"][0]["loc"], json!(["body", name]));
            flower.as_object_mut().unwrap().remove(name);
            let (status, answer) = client.post("/predict/batch", &json!([flower])).await;
            assert_eq!(status, 422);
            assert_eq!(answer["detail"][0]["loc"], json!(["body", 0, name]));
            assert_eq!(answer["detail"][0]["type"], "missing");
        }
        let (status, _) = client.post("/predict/batch", &json!({})).await;
        assert_eq!(status, 422);
        let (status, _) = client.ask(Method::POST, "/predict", "{".to_owned()).await;
        assert_eq!(status, 422);
    }

    #[tokio::test]
    async fn probes_answer_what_probers_expect() {
        let mut client = Client::start().await;
        let (status, health) = client.get("/health").await;
        assert_eq!(
            (status.as_u16(), &health["status"]),
            (200, &json!("healthy"))
        );
        assert_eq!(
            (&health["version"], &health["checks"]),
            (&json!("1.0.0"), &json!({}))
        );
        let time: jiff::Timestamp = health["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(time <= jiff::Timestamp::now());
        let checks = json!({"model_loaded": true, "model_version": "1.0.0"});
        let ready = json!({"ready": true, "checks": checks});
        assert_eq!(client.get("/ready").await, (StatusCode::OK, ready));
        assert_eq!(
            client.get("/live").await,
            (StatusCode::OK, json!({"status": "alive"}))
        );
        let head = client.ask(Method::HEAD, "/ready", String::new()).await;
        assert_eq!(head, (StatusCode::OK, String::new()));
    }

    #[tokio::test]
    async fn other_paths_are_404_and_other_methods_405() {
        let mut client = Client::start().await;
        assert_eq!(client.get("/predict").await.0, 405);
        assert_eq!(client.post("/health", &json!({})).await.0, 405);
        let (status, answer) = client.post("/v2/predict", &json!({})).await;
        assert_eq!(
            (status.as_u16(), answer),
            (404, json!({"detail": "Not Found"}))
        );
    }
}
