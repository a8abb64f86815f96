//! Route templates: what the configuration and the known formats say of a path.

use std::sync::Arc;

use http::HeaderName;

use crate::config::{self, Identity, Paths, RouteKind};

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
    /// The class whose probability a single number is, or one of two columns.
    pub positive_class: Option<String>,
    /// From which probability on that is predicted, in `[0, 1]`.
    pub threshold: f64,
    /// Where the model's name is.
    pub model: Option<Identity>,
    /// Where its version is.
    pub version: Option<Identity>,
    /// Edges of the histogram of values; `None`: those that all have.
    pub value_edges: Option<Arc<[f64]>>,
    /// Where things are in bodies of the format `mapped`.
    pub paths: Option<Paths>,
    /// The fields of heads that are looked up; `None`: none are.
    pub fields: Option<Fields>,
}

/// Names of the fields in which model and version are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// That of the model's name.
    pub model: Option<HeaderName>,
    /// That of its version.
    pub version: Option<HeaderName>,
}

impl Fields {
    fn of(route: &config::Route) -> Option<Self> {
        let name = |identity: &Option<Identity>| match identity {
            Some(Identity::Header(name)) => HeaderName::try_from(name).ok(),
            _ => None,
        };
        let fields = Self {
            model: name(&route.model),
            version: name(&route.version),
        };
        (fields != Self::default()).then_some(fields)
    }
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
            value_edges: None,
            paths: None,
            fields: None,
        }
    }

    /// What the configuration says of one.
    pub fn configured(route: &config::Route) -> Self {
        Self {
            kind: route.kind,
            format: route.format.clone(),
            classes: route.classes.clone(),
            features: route.features.clone(),
            positive_class: route.positive_class.clone(),
            threshold: route.threshold.unwrap_or(THRESHOLD),
            model: route.model.clone(),
            version: route.version.clone(),
            value_edges: route.value_edges.as_deref().map(Arc::from),
            paths: route.paths.clone(),
            fields: Fields::of(route),
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

/// What of `path` stands where `template` has `{name}`.
pub fn segment<'a>(template: &str, name: &str, path: &'a str) -> Option<&'a str> {
    let mut segments = template.split('/').zip(path.split('/'));
    segments.find_map(|(expected, segment)| {
        let (named, verb) = placeholder(expected)?;
        (named == name).then(|| fill(verb, segment)).flatten()
    })
}

/// Name and rest of `{name}` or `{name}:verb`.
fn placeholder(expected: &str) -> Option<(&str, &str)> {
    expected.strip_prefix('{')?.split_once('}')
}

/// What stands for the name in a segment that ends in `verb`.
fn fill<'a>(verb: &str, segment: &'a str) -> Option<&'a str> {
    segment.strip_suffix(verb).filter(|name| !name.is_empty())
}

/// Whether `path` fits `template`, in which `{name}` stands for one non-empty segment, or for all of it
/// before a verb: `{name}:predict`.
fn matches(template: &str, path: &str) -> bool {
    if !template.contains('{') {
        return template == path;
    }
    let mut segments = path.split('/');
    let all = template
        .split('/')
        .all(|expected| match (segments.next(), placeholder(expected)) {
            (Some(segment), Some((_, verb))) => fill(verb, segment).is_some(),
            (segment, _) => segment == Some(expected),
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
        assert!(matches("/v1/{model}:predict", "/v1/iris:predict"));
        assert!(!matches("/v1/{model}:predict", "/v1/iris:explain"));
        assert!(!matches("/v1/{model}:predict", "/v1/:predict"));
    }

    #[test]
    fn a_segment_is_found_by_its_name() {
        let of = |name: &str| segment("/v1/{model}/x/{v}:x", name, "/v1/iris/x/a:b:x");
        assert_eq!(of("model"), Some("iris"));
        assert_eq!(of("v"), Some("a:b"));
        assert_eq!(of("w"), None);
        assert_eq!(segment("/{a}", "a", "/"), None);
    }

    #[test]
    fn only_fields_that_a_route_names_are_looked_up() {
        let of = |text: &str| {
            let route: config::Route = serde_json::from_str(text).unwrap();
            Route::configured(&route).fields
        };
        assert_eq!(of(r#"{"path":"/a","model":"x","version":"1"}"#), None);
        let fields = of(r#"{"path":"/a","model":"x","version":{"header":"X-Version"}}"#).unwrap();
        assert_eq!(fields.model, None);
        assert_eq!(fields.version, Some(HeaderName::from_static("x-version")));
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
