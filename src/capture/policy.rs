//! What is copied: the decision is made from the head of a request alone.

use http::{HeaderMap, Method, header};

use super::{name, route::Route};
use crate::config::RouteKind;

/// What the observer wants of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// It may be a prediction: both bodies.
    Bodies,
    /// It tells what predictions should have been, where labels are wanted: its request's body.
    Labels,
    /// It is none: times, status and names are enough.
    Head,
}

/// What an exchange is for that is no prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whether a server or a model is there.
    Health,
    /// What a server or a model is, and managing it.
    Metadata,
    /// What a server counts.
    Metrics,
    /// What a prediction should have been.
    Feedback,
    /// A step of an asynchronous task.
    Job,
    /// Why a model answers as it does.
    Explanation,
    /// The course page's own drift service.
    Drift,
}

impl Purpose {
    /// Its name in what is told of an exchange.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Metadata => "metadata",
            Self::Metrics => "metrics",
            Self::Feedback => "feedback",
            Self::Job => "job",
            Self::Explanation => "explain",
            Self::Drift => "drift",
        }
    }
}

/// Whether bodies of this request are wanted.
///
/// A route of the configuration decides. Otherwise a prediction carries a body, so `POST`, `PUT`
/// and `PATCH` to a path that is not known for something else. Probes of Kubernetes never are.
pub fn interest(
    method: &Method,
    path: &str,
    fields: &HeaderMap,
    route: Option<&Route>,
) -> Interest {
    let wanted = carries(method)
        && !is_probe(fields)
        && match route {
            Some(route) => route.kind != RouteKind::Ignore,
            None => match purpose(method, path) {
                None => true,
                // what a task was asked comes with its submission
                Some(Purpose::Job) => path.ends_with("/submit"),
                Some(_) => false,
            },
        };
    if wanted {
        Interest::Bodies
    } else {
        Interest::Head
    }
}

/// Whether a `GET` with this query may be a prediction all the same: `Seldon` takes its message as
/// `json`, and tasks of `BentoML` give their result for a `task_id`. Never that of a probe, or on a
/// path that is known for something else.
pub fn asks_by_query(path: &str, query: &str, fields: &HeaderMap, route: Option<&Route>) -> bool {
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    let asks = (is_seldon(path) && has("json=")) || (path.ends_with("/get") && has("task_id="));
    asks && !is_probe(fields)
        && match route {
            Some(route) => route.kind != RouteKind::Ignore,
            None => matches!(purpose(&Method::GET, path), None | Some(Purpose::Job)),
        }
}

/// Whether a request that is no prediction tells labels, as clients of `Seldon` do. A route of the
/// configuration has the last word on its path.
pub fn tells_labels(
    method: &Method,
    path: &str,
    fields: &HeaderMap,
    route: Option<&Route>,
) -> bool {
    *method == Method::POST
        && route.is_none()
        && (path.ends_with("/api/v1.0/feedback") || path.ends_with("/api/v0.1/feedback"))
        && !is_probe(fields)
}

/// Paths to which `Seldon` takes predictions, below any prefix.
pub fn is_seldon(path: &str) -> bool {
    path == "/predict"
        || path.ends_with("/api/v1.0/predictions")
        || path.ends_with("/api/v0.1/predictions")
}

/// What a path that is no prediction's is known for, as the known servers have them.
///
/// A path that a model of the user's own might have is none of them.
pub fn purpose(method: &Method, path: &str) -> Option<Purpose> {
    let carries = carries(method);
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut first = segments.next().unwrap_or_default();
    if first == "seldon" {
        // /seldon/{namespace}/{deployment}/...
        first = segments.nth(2).unwrap_or_default();
    }
    // a gateway may send predictions to what lies below such a name
    let is_alone = !carries || segments.clone().next().is_none();
    match first {
        // the liveness of KServe and of Azure
        "" if !carries => Some(Purpose::Health),
        "health" | "healthz" | "ready" | "readyz" | "live" | "livez" | "ping" | "version"
        | "status"
            if is_alone =>
        {
            Some(Purpose::Health)
        }
        "grpc.health.v1.Health" => Some(Purpose::Health),
        "metrics" | "prometheus" => Some(Purpose::Metrics),
        "drift" => Some(Purpose::Drift),
        "feedback" => Some(Purpose::Feedback),
        "docs"
        | "redoc"
        | "openapi.json"
        | "docs.json"
        | "schema.json"
        | "swagger.json"
        | "favicon.ico"
        | "info"
        | "metadata"
        | "execution-parameters"
        | "api-description"
            if is_alone =>
        {
            Some(Purpose::Metadata)
        }
        "v1" => v1(segments),
        "v2" => v2(segments),
        // what texts are cut into, which no model is asked for; and TorchServe's chains of models
        "tokenize" | "detokenize" | "decode" | "workflows" if is_alone => Some(Purpose::Metadata),
        // TorchServe manages models here; SageMaker has predictions below it
        "models" if !carries || segments.next().is_none() => Some(Purpose::Metadata),
        "models" if *method == Method::PUT && !path.ends_with("/invoke") => Some(Purpose::Metadata),
        // a model of TorchServe may have any name
        "predictions" | "wfpredict" if carries && segments.clone().count() == 1 => return None,
        "explanations" if !is_alone || !carries => Some(Purpose::Explanation),
        "inference.GRPCInferenceService" => grpc(segments.next()),
        _ => None,
    }
    .or_else(|| of_last(path, carries))
}

/// A prediction carries a body.
fn carries(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// `TensorFlow` Serving and `KServe` below `/v1`, and what servers of `OpenAI`'s API have there beside
/// what models are asked.
fn v1<'a>(mut segments: impl Iterator<Item = &'a str>) -> Option<Purpose> {
    match segments.next() {
        Some("models") => {}
        Some(
            "tokenize"
            | "detokenize"
            | "load_lora_adapter"
            | "unload_lora_adapter"
            | "files"
            | "uploads"
            | "batches"
            | "fine_tuning"
            | "vector_stores",
        ) => return Some(Purpose::Metadata),
        _ => return None,
    }
    match named(segments) {
        (None, _) | (_, Some("metadata")) => Some(Purpose::Metadata),
        (Some(named), None) if name::verb(named).is_none() => Some(Purpose::Health),
        _ => None,
    }
}

/// Open Inference below `/v2`, and what Triton adds to it.
fn v2<'a>(mut segments: impl Iterator<Item = &'a str>) -> Option<Purpose> {
    match segments.next() {
        Some("health") => return Some(Purpose::Health),
        None
        | Some(
            "repository" | "logging" | "trace" | "systemsharedmemory" | "cudasharedmemory" | "docs",
        ) => {
            return Some(Purpose::Metadata);
        }
        Some("models") => {}
        Some(_) => return None,
    }
    match named(segments) {
        (_, Some("ready")) => Some(Purpose::Health),
        (_, None | Some("stats" | "config" | "trace" | "docs")) => Some(Purpose::Metadata),
        _ => None,
    }
}

/// What `{model}[/versions/{version}]` ends with, and what stands below it.
fn named<'a>(mut segments: impl Iterator<Item = &'a str>) -> (Option<&'a str>, Option<&'a str>) {
    let model = segments.next();
    match segments.next() {
        Some("versions" | "labels") => (segments.next(), segments.next()),
        below => (model, below),
    }
}

/// Methods of Open Inference over gRPC.
fn grpc(method: Option<&str>) -> Option<Purpose> {
    match method? {
        "ModelInfer" | "ModelStreamInfer" => None,
        "ServerLive" | "ServerReady" | "ModelReady" => Some(Purpose::Health),
        _ => Some(Purpose::Metadata),
    }
}

/// What the last of several segments tells below any prefix.
fn of_last(path: &str, carries: bool) -> Option<Purpose> {
    let (before, last) = path.rsplit_once('/')?;
    match last {
        "ready" => Some(Purpose::Health),
        "feedback" => Some(Purpose::Feedback),
        // KServe and Seldon: below the model, or as a verb of it
        "explain" | "explanations" if before.len() > 1 => Some(Purpose::Explanation),
        last if name::verb(last).is_some_and(|(_, verb)| verb == "explain") => {
            Some(Purpose::Explanation)
        }
        "count_tokens" if before.ends_with("/messages") => Some(Purpose::Metadata),
        // Open Inference behind a gateway
        "index" if before.ends_with("/v2/repository") => Some(Purpose::Metadata),
        "load" | "unload" if before.contains("/v2/repository/models/") => Some(Purpose::Metadata),
        // BentoML's tasks: /{task}/submit
        "submit" | "retry" | "cancel" if before.len() > 1 => Some(Purpose::Job),
        "status" | "get" if before.len() > 1 && !carries => Some(Purpose::Job),
        "health" | "healthz" | "live" | "ping" if !carries => Some(Purpose::Health),
        "metrics" if !carries => Some(Purpose::Metrics),
        "metadata" if !carries => Some(Purpose::Metadata),
        _ => None,
    }
}

fn is_probe(fields: &HeaderMap) -> bool {
    fields
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe/"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(method: &Method, path: &str) -> Interest {
        interest(method, path, &HeaderMap::new(), None)
    }

    #[test]
    fn a_posted_body_may_be_a_prediction_on_any_path() {
        assert_eq!(of(&Method::POST, "/predict"), Interest::Bodies);
        assert_eq!(of(&Method::POST, "/"), Interest::Bodies);
        assert_eq!(of(&Method::PUT, "/my/model"), Interest::Bodies);
        assert_eq!(of(&Method::GET, "/predict"), Interest::Head);
    }

    #[test]
    fn a_model_may_have_any_name_and_its_verb_an_escape() {
        for path in [
            "/predictions/feedback",
            "/predictions/explain",
            "/v1/models/iris%3Apredict",
        ] {
            assert_eq!(of(&Method::POST, path), Interest::Bodies, "{path}");
        }
        assert_eq!(of(&Method::GET, "/predictions/feedback"), Interest::Head);
        assert_eq!(of(&Method::POST, "/v1/models/iris%20is"), Interest::Head);
        assert_eq!(
            of(&Method::POST, "/v1/models/iris%3Aexplain"),
            Interest::Head
        );
    }

    #[test]
    fn what_looks_like_a_prediction_and_is_none_never_counts() {
        for path in [
            "/health",
            "/ready",
            "/live",
            "/metrics",
            "/drift",
            "/drift/baseline",
            "/feedback",
            "/v2/health/ready",
            "/v2/models/iris/ready",
            "/api/v1.0/feedback",
            "/docs",
        ] {
            assert_eq!(of(&Method::POST, path), Interest::Head, "{path}");
        }
    }

    #[test]
    fn known_servers_tell_what_a_path_is_for_by_its_segments() {
        use Purpose::{Drift, Explanation, Feedback, Health, Job, Metadata, Metrics};

        for (known, paths) in [
            (
                Health,
                "/ /health /healthz /ready /livez /ping /version /v2/health/live /v2/models/iris/ready",
            ),
            (
                Health,
                "/v2/models/iris/versions/1/ready /v1/models/iris /v1/models/iris/versions/2",
            ),
            (
                Health,
                "/inference.GRPCInferenceService/ServerLive /inference.GRPCInferenceService/ModelReady",
            ),
            (
                Health,
                "/grpc.health.v1.Health/Check /seldon/ns/iris/health/status /api/health",
            ),
            (
                Metadata,
                "/v1/models /v1/models/iris/metadata /v1/models/iris/versions/2/metadata /v2 /v2/",
            ),
            (
                Metadata,
                "/v2/models/iris /v2/models/iris/versions/1 /v2/models/stats /v2/models/iris/stats",
            ),
            (
                Metadata,
                "/v2/repository/index /v2/repository/models/iris/load /models /models/iris /info",
            ),
            (
                Metadata,
                "/inference.GRPCInferenceService/ModelMetadata /openapi.json /schema.json",
            ),
            (
                Metadata,
                "/inference.GRPCInferenceService/RepositoryIndex /api/v1.0/metadata",
            ),
            (Metrics, "/metrics /prometheus /api/metrics"),
            (
                Feedback,
                "/feedback /api/v1.0/feedback /seldon/ns/iris/api/v1.0/feedback",
            ),
            (
                Job,
                "/summarize/submit /summarize/status /summarize/get /summarize/cancel",
            ),
            (
                Metadata,
                "/v2/docs /v2/models/iris/docs /gateway/v2/repository/index /workflows /tokenize",
            ),
            (
                Metadata,
                "/gateway/v2/repository/models/iris/unload /v1/tokenize /v1/load_lora_adapter",
            ),
            (
                Explanation,
                "/v1/models/iris:explain /v1/models/iris/versions/2:explain /v2/models/iris/explain",
            ),
            (
                Explanation,
                "/explanations/iris /seldon/ns/iris/api/v1.0/explain /gateway/v1/models/iris:explain",
            ),
            (Drift, "/drift /drift/baseline"),
        ] {
            for path in paths.split(' ') {
                assert_eq!(purpose(&Method::GET, path), Some(known), "{path}");
            }
        }
    }

    #[test]
    fn explanations_and_what_manages_models_never_count() {
        for path in [
            "/v1/models/iris:explain",
            "/v2/models/iris/versions/1/explain",
            "/explanations/iris/2",
            "/tokenize",
            "/v2/repository/models/iris/load",
        ] {
            assert_eq!(of(&Method::POST, path), Interest::Head, "{path}");
        }
        assert_eq!(of(&Method::PUT, "/models/iris/2"), Interest::Head);
        assert_eq!(of(&Method::POST, "/models/iris/invoke"), Interest::Bodies);
        assert_eq!(of(&Method::POST, "/explain"), Interest::Bodies);
        assert_eq!(of(&Method::POST, "/explanations"), Interest::Bodies);
    }

    #[test]
    fn predictions_of_known_servers_and_paths_of_others_are_none() {
        for path in [
            "/",
            "/predict",
            "/submit",
            "/invocations",
            "/score",
            "/v1/models/iris:predict",
            "/v1/models/iris/versions/2:classify",
            "/v1/chat/completions",
            "/v1/embeddings",
            "/v1/responses",
            "/v2/models/iris/infer_stream",
            "/rerank",
            "/v2/predict",
            "/v2/models/iris/infer",
            "/v2/models/ready/infer",
            "/v2/models/iris/versions/1/generate_stream",
            "/inference.GRPCInferenceService/ModelInfer",
            "/inference.GRPCInferenceService/ModelStreamInfer",
            "/predictions/ready-to-buy",
            "/models/iris/invoke",
            "/seldon/ns/iris/api/v1.0/predictions",
            "/order/status",
            "/healthcare",
        ] {
            assert_eq!(purpose(&Method::POST, path), None, "{path}");
        }
    }

    #[test]
    fn a_query_is_a_prediction_where_a_server_takes_it_so() {
        for (path, query, expected) in [
            ("/api/v1.0/predictions", "json=%7B%7D", true),
            ("/seldon/ns/iris/api/v0.1/predictions", "a=1&json={}", true),
            ("/predict", "json={}", true),
            ("/predict", "x=1", false),
            ("/summarize/get", "task_id=a", true),
            ("/summarize/status", "task_id=a", false),
            ("/orders/get", "id=1", false),
            ("/health/get", "task_id=a", false),
            ("/metrics/get", "task_id=a", false),
            ("/drift/get", "task_id=a", false),
        ] {
            let asks = asks_by_query(path, query, &HeaderMap::new(), None);
            assert_eq!(asks, expected, "{path}?{query}");
        }
        let mut route = Route::new("/predict");
        let asks =
            |route: &Route| asks_by_query("/predict", "json={}", &HeaderMap::new(), Some(route));
        assert!(asks(&route));
        route.kind = RouteKind::Ignore;
        assert!(!asks(&route));
        assert_eq!(of(&Method::POST, "/summarize/submit"), Interest::Bodies);
        assert_eq!(of(&Method::POST, "/summarize/cancel"), Interest::Head);
    }

    #[test]
    fn a_kubernetes_probe_never_counts() {
        let mut fields = HeaderMap::new();
        fields.insert(
            header::USER_AGENT,
            HeaderValue::from_static("kube-probe/1.36"),
        );
        assert_eq!(
            interest(&Method::POST, "/predict", &fields, None),
            Interest::Head
        );
        assert!(!asks_by_query("/predict", "json={}", &fields, None));
        let route = Route::new("/predict");
        assert!(!asks_by_query("/predict", "json={}", &fields, Some(&route)));
    }

    #[test]
    fn labels_are_told_where_seldon_takes_them_and_no_route_says_otherwise() {
        let tells = |method: &Method, path: &str, route: Option<&Route>| {
            tells_labels(method, path, &HeaderMap::new(), route)
        };
        for path in [
            "/api/v1.0/feedback",
            "/api/v0.1/feedback",
            "/seldon/ns/iris/api/v1.0/feedback",
        ] {
            assert!(tells(&Method::POST, path, None), "{path}");
            assert!(!tells(&Method::GET, path, None), "{path}");
            assert!(!tells(&Method::POST, path, Some(&Route::new(path))));
        }
        for path in ["/feedback", "/api/v1.0/predictions", "/api/v1.0/feedback/x"] {
            assert!(!tells(&Method::POST, path, None), "{path}");
        }
    }

    #[test]
    fn a_route_of_the_configuration_decides() {
        let mut route = Route::new("/drift");
        let fields = HeaderMap::new();
        let ask = |route: &Route| interest(&Method::POST, "/drift", &fields, Some(route));
        assert_eq!(ask(&route), Interest::Bodies);
        route.kind = RouteKind::Ignore;
        assert_eq!(ask(&route), Interest::Head);
    }
}
