//! `routes`: what the agent is told about paths and the bodies on them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::json_path::JsonPath;

/// The wire formats that a route can name.
///
/// The decoders have the same, which a test there checks: this section names nothing of theirs.
pub const FORMATS: &[&str] = &[
    "iris",
    "json",
    "v1",
    "v2",
    "v2_binary",
    "v2_grpc",
    "mlflow",
    "sagemaker",
    "azure",
    "seldon",
    "torchserve",
    "bentoml",
    "tei",
    "openai",
    "openai_responses",
    "openai_media",
    "anthropic",
    "embeddings",
    "ranked",
    "classified",
    "v2_generate",
    "v2_stream",
    "tgi",
    "token_lines",
    MAPPED,
];

/// The format of bodies that `paths` leads through.
pub const MAPPED: &str = "mapped";

/// One entry of `routes`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Path template: `{name}` stands for one segment; the text is the `endpoint` label.
    pub path: String,
    /// What requests to it are.
    #[serde(default)]
    pub kind: RouteKind,
    /// Wire format of its bodies, one of [`FORMATS`]; `None`: found out.
    #[serde(default)]
    pub format: Option<String>,
    /// Names of the classes that the wire has as numbers, by number.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Names of the features that the wire has by position, in their order.
    #[serde(default)]
    pub features: Vec<String>,
    /// The class whose probability a single number is, or one of two columns.
    #[serde(default)]
    pub positive_class: Option<String>,
    /// From which probability on the positive class is predicted; `None`: 0.5. In `[0, 1]`.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Where the model's name is; wins over what the format finds.
    #[serde(default)]
    pub model: Option<Identity>,
    /// Where the model's version is; wins over what the format finds.
    #[serde(default)]
    pub version: Option<Identity>,
    /// Upper edges of the histogram of values; `None`: `metrics.value_edges`.
    #[serde(default)]
    pub value_edges: Option<Vec<f64>>,
    /// Where things are in bodies of the format `mapped`.
    #[serde(default)]
    pub paths: Option<Paths>,
}

/// `routes[].kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// Predictions: bodies are read, and it is found out what numbers in them mean.
    #[default]
    Predict,
    /// Predictions of classes: whole numbers are classes, vectors the scores of each.
    Classify,
    /// Predictions of numbers.
    Regress,
    /// Predictions of probabilities: of each class, or one number of the positive class.
    Probabilities,
    /// Text that is generated.
    Generate,
    /// Never predictions: counted and logged, bodies are not read.
    Ignore,
}

impl RouteKind {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Classify => "classify",
            Self::Regress => "regress",
            Self::Probabilities => "probabilities",
            Self::Generate => "generate",
            Self::Ignore => "ignore",
        }
    }
}

/// Where a model's name or version is: `churn`, `{header: X-Model}`, `{segment: name}`,
/// `{request: $.model}` or `{response: $.meta.model}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It is this.
    Constant(String),
    /// In this field of the answer's head, else of the request's.
    Header(String),
    /// In the segment of the path that the template has this name for.
    Segment(String),
    /// In the request's body.
    Request(JsonPath),
    /// In the answer's body.
    Response(JsonPath),
}

impl From<&str> for Identity {
    fn from(name: &str) -> Self {
        Self::Constant(name.to_owned())
    }
}

/// As it is written in the configuration.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(name) => f.write_str(name),
            Self::Header(name) => write!(f, "{{header: {name}}}"),
            Self::Segment(name) => write!(f, "{{segment: {name}}}"),
            Self::Request(path) => write!(f, "{{request: {}}}", path.as_str()),
            Self::Response(path) => write!(f, "{{response: {}}}", path.as_str()),
        }
    }
}

/// The keys of an identity that is no constant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    header: Option<String>,
    segment: Option<String>,
    request: Option<JsonPath>,
    response: Option<JsonPath>,
}

const PLACES: &str = "a name, or one of header, segment, request and response with its value";

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Identity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(PLACES)
            }

            fn visit_str<E>(self, name: &str) -> Result<Identity, E> {
                Ok(Identity::from(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Identity, A::Error> {
                let Places {
                    header,
                    segment,
                    request,
                    response,
                } = Places::deserialize(MapAccessDeserializer::new(map))?;
                match (header, segment, request, response) {
                    (Some(name), None, None, None) => Ok(Identity::Header(name)),
                    (None, Some(name), None, None) => Ok(Identity::Segment(name)),
                    (None, None, Some(path), None) => Ok(Identity::Request(path)),
                    (None, None, None, Some(path)) => Ok(Identity::Response(path)),
                    _ => Err(de::Error::custom(format_args!("expected {PLACES}"))),
                }
            }
        }

        deserializer.deserialize_any(AsWritten)
    }
}

/// `routes[].paths`: where things are in bodies of the format `mapped`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// In the request: what the model was given.
    #[serde(default)]
    pub features: Option<FeaturePaths>,
    /// In the answer: the items.
    #[serde(default)]
    pub items: Option<JsonPath>,
    /// In the answer: the class or the value of each.
    #[serde(default)]
    pub class: Option<JsonPath>,
    /// In the answer: its probability.
    #[serde(default)]
    pub confidence: Option<JsonPath>,
    /// In the answer: the probability of every class.
    #[serde(default)]
    pub probabilities: Option<JsonPath>,
    /// In the answer: the model's name.
    #[serde(default)]
    pub model: Option<JsonPath>,
    /// In the answer: the model's version.
    #[serde(default)]
    pub version: Option<JsonPath>,
}

/// `routes[].paths.features`.
#[derive(Debug, Clone, PartialEq)]
pub enum FeaturePaths {
    /// One path to all rows.
    Rows(JsonPath),
    /// A path for each feature, by its name.
    Named(Vec<(String, JsonPath)>),
}

impl<'de> Deserialize<'de> for FeaturePaths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = FeaturePaths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSONPath, or one for each name")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<FeaturePaths, E> {
                let path = JsonPath::new(path).map_err(de::Error::custom)?;
                Ok(FeaturePaths::Rows(path))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FeaturePaths, A::Error> {
                let mut named = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    named.push(entry);
                }
                Ok(FeaturePaths::Named(named))
            }
        }

        deserializer.deserialize_any(AsWritten)
    }
}
