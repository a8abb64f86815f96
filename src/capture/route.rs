//! Route templates: what the configuration and the known formats say of a path.

use std::sync::Arc;

use crate::config::{self, RouteKind};

/// One template with what is known of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The template as written: the `endpoint` label.
    pub endpoint: Arc<str>,
    /// Whether requests to it are predictions.
    pub kind: RouteKind,
    /// Model name where the wire names none.
    pub model: Option<String>,
    /// Model version where the wire names none.
    pub version: Option<String>,
}

/// All routes, in order of precedence: those of the configuration, then the known ones.
#[derive(Debug)]
pub struct Routes(Vec<Arc<Route>>);

/// Prediction routes of the known formats: their series exist from the start.
const KNOWN: &[&str] = &["/predict", "/predict/batch"];

impl Routes {
    /// Routes of `configured` before the known ones.
    pub fn new(configured: &[config::Route]) -> Self {
        let own = configured.iter().map(|route| Route {
            endpoint: Arc::from(route.path.as_str()),
            kind: route.kind,
            model: route.model.clone(),
            version: route.version.clone(),
        });
        let known = KNOWN.iter().map(|&path| Route {
            endpoint: Arc::from(path),
            kind: RouteKind::Predict,
            model: None,
            version: None,
        });
        Self(own.chain(known).map(Arc::new).collect())
    }

    /// The first route whose template matches `path`.
    pub fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| matches(&route.endpoint, path))
    }

    /// All of them, in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.iter()
    }
}

/// Whether `path` fits `template`, in which `{name}` stands for one non-empty segment.
fn matches(template: &str, path: &str) -> bool {
    if !template.contains('{') {
        return template == path;
    }
    let mut segments = path.split('/');
    let all = template.split('/').all(|expected| match segments.next() {
        Some(segment) if expected.starts_with('{') && expected.ends_with('}') => {
            !segment.is_empty()
        }
        segment => segment == Some(expected),
    });
    all && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_stands_for_one_segment() {
        assert!(matches("/v1/{model}/predict", "/v1/iris/predict"));
        assert!(!matches("/v1/{model}/predict", "/v1//predict"));
        assert!(!matches("/v1/{model}/predict", "/v1/a/b/predict"));
        assert!(!matches("/v1/{model}", "/v1/iris/"));
        assert!(matches("/", "/"));
    }

    #[test]
    fn the_configuration_wins_over_what_is_known() {
        let own = config::Route {
            path: "/predict".to_owned(),
            kind: RouteKind::Ignore,
            model: Some("iris".to_owned()),
            version: None,
        };
        let routes = Routes::new(&[own]);
        assert_eq!(
            routes.find("/predict").map(|r| r.kind),
            Some(RouteKind::Ignore)
        );
        assert_eq!(
            routes.find("/predict/batch").map(|r| r.kind),
            Some(RouteKind::Predict)
        );
        assert_eq!(routes.find("/predict/"), None);
    }
}
