//! What is copied: the decision is made from the head of a request alone.

use http::{HeaderMap, Method, header};

use super::route::Route;
use crate::config::RouteKind;

/// What the observer wants of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// It may be a prediction: both bodies.
    Bodies,
    /// It is none: times, status and names are enough.
    Head,
}

/// First segments of paths that are never predictions: probes, documents, the course page's own.
const NOT_PREDICTIONS: &[&str] = &[
    "health",
    "healthz",
    "ready",
    "readyz",
    "live",
    "livez",
    "ping",
    "metrics",
    "drift",
    "docs",
    "redoc",
    "openapi.json",
    "favicon.ico",
    "feedback",
    "version",
    "status",
];

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
    let carries = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    let wanted = carries
        && !is_probe(fields)
        && match route {
            Some(route) => route.kind != RouteKind::Ignore,
            None => !is_known_for_something_else(path),
        };
    if wanted {
        Interest::Bodies
    } else {
        Interest::Head
    }
}

fn is_known_for_something_else(path: &str) -> bool {
    let mut segments = path.split('/').filter(|s| !s.is_empty());
    let Some(first) = segments.next() else {
        return false;
    };
    NOT_PREDICTIONS.contains(&first)
        || (first == "v2" && segments.next() == Some("health"))
        || path.ends_with("/ready")
        || path.ends_with("/feedback")
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
