//! Route templates: what the configuration and the known formats say of a path.

use std::sync::Arc;

use crate::config::{self, RouteKind};

/// One template with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The template as written: the `endpoint` label.
    pub endpoint: Arc<str>,
    /// Whether requests to it are predictions.
    pub kind: RouteKind,
    /// Wire format of its bodies; `None`: found out.
    pub format: Option<String>,
    /// Names of the classes that the wire has as numbers.
    pub classes: Vec<String>,
    /// Names of the features that the wire has by position.
    pub features: Vec<String>,
    /// The class whose probability a single number is.
    pub positive_class: Option<String>,
    /// From which probability on that is predicted, in `[0, 1]`.
    pub threshold: f64,
    /// Model name where the wire names none.
    pub model: Option<String>,
    /// Model version where the wire names none.
    pub version: Option<String>,
}

impl Route {
    /// Predictions of which nothing is known.
    pub fn new(endpoint: &str) -> Self {
        Self {
            endpoint: Arc::from(endpoint),
            kind: RouteKind::Predict,
            format: None,
            classes: Vec::new(),
            features: Vec::new(),
            positive_class: None,
            threshold: THRESHOLD,
            model: None,
            version: None,
        }
    }

    fn configured(route: &config::Route) -> Self {
        Self {
            kind: route.kind,
            format: route.format.clone(),
            classes: route.classes.clone(),
            features: route.features.clone(),
            positive_class: route.positive_class.clone(),
            threshold: route.threshold.unwrap_or(THRESHOLD),
            model: route.model.clone(),
            version: route.version.clone(),
            ..Self::new(&route.path)
        }
    }
}

/// From which probability on the positive class is predicted, where a route does not say.
const THRESHOLD: f64 = 0.5;

/// All routes, in order of precedence: those of the configuration, then the known ones.
#[derive(Debug)]
pub struct Routes(Vec<Arc<Route>>);

/// Prediction routes of the known formats: their series exist from the start.
const KNOWN: &[&str] = &["/predict", "/predict/batch"];

impl Routes {
    /// Routes of `configured` before the known ones.
    pub fn new(configured: &[config::Route]) -> Self {
        let own = configured.iter().map(Route::configured);
        let known = KNOWN.iter().map(|path| Route::new(path));
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
        let own: config::Route =
            serde_json::from_str(r#"{"path":"/predict","kind":"ignore","model":"iris"}"#).unwrap();
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
