//! What is read of `GET /state`: its fields are described where it is made. What an agent does not send is not
//! there, and what it sends beyond is passed over.

#![expect(clippy::struct_field_names, reason = "names are those of the wire")]

use std::collections::BTreeMap;

use serde::Deserialize;

/// The version of its shape that is read here.
const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) schema: u32,
    pub(super) time: String,
    pub(super) unix: f64,
    pub(super) agent: Agent,
    pub(super) edges: Edges,
    pub(super) traffic: Traffic,
    pub(super) models: Option<Vec<Version>>,
    pub(super) versions_left_out: usize,
    pub(super) observer: Option<String>,
    pub(super) missing: Vec<Gap>,
    pub(super) unread: Vec<Unread>,
    pub(super) episodes: Vec<Episode>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Agent {
    pub(super) version: String,
    pub(super) started: f64,
    pub(super) uptime_seconds: f64,
    pub(super) ready: bool,
    pub(super) not_ready: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Edges {
    pub(super) seconds: Vec<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Traffic {
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) in_flight: u64,
    pub(super) shed: BTreeMap<String, u64>,
    pub(super) observed: BTreeMap<String, u64>,
    pub(super) queue_exchanges: u64,
    pub(super) panics: BTreeMap<String, u64>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) endpoints_left_out: usize,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) endpoint: String,
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) duration: Option<Histogram>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Histogram {
    pub(super) counts: Vec<u64>,
    pub(super) sum: f64,
    pub(super) count: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) serving: bool,
    pub(super) last_prediction: Option<f64>,
    pub(super) predictions: u64,
    pub(super) classes: Vec<Class>,
    pub(super) classes_left_out: usize,
    pub(super) confidence: Option<Histogram>,
    pub(super) values: Option<Histogram>,
    pub(super) baseline: Option<Baseline>,
    pub(super) capturing: Option<Capturing>,
    pub(super) drift: Drift,
    pub(super) accuracy: Option<Accuracy>,
    pub(super) series: Vec<Series>,
    pub(super) series_left_out: usize,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Class {
    pub(super) class: String,
    pub(super) count: u64,
    pub(super) baseline: Option<f64>,
    pub(super) recent: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Baseline {
    pub(super) origin: String,
    pub(super) reviewed: bool,
    pub(super) rows: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capturing {
    pub(super) rows: u64,
    pub(super) wanted: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Drift {
    pub(super) drift_detected: bool,
}

/// What labels say of a version.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Accuracy {
    pub(super) classification: Option<OfClasses>,
    pub(super) regression: Option<OfValues>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfClasses {
    pub(super) labels: u64,
    pub(super) accuracy: Option<Share>,
    pub(super) estimate: Estimate,
    pub(super) drop: Dropped,
}

/// A share with its interval.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Share {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Estimate {
    pub(super) accuracy: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfValues {
    pub(super) labels: u64,
    pub(super) mae: Option<f64>,
    pub(super) rmse: Option<f64>,
    pub(super) r2: Option<f64>,
    pub(super) drop: Dropped,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Dropped {
    /// One that goes on.
    pub(super) current: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) drift_detected: bool,
    pub(super) score: Option<f64>,
    pub(super) is_warm: bool,
    pub(super) episode: Option<Since>,
    pub(super) problems: Vec<String>,
    pub(super) missing: Missing,
}

/// A drift that goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Since {
    pub(super) since: Option<String>,
    pub(super) region: String,
    pub(super) baseline_share: Option<f64>,
    pub(super) recent_share: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Missing {
    pub(super) baseline: Option<f64>,
    pub(super) recent: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gap {
    pub(super) what: String,
    pub(super) model: Option<String>,
    pub(super) why: String,
    pub(super) configure: Option<String>,
    pub(super) command: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Unread {
    pub(super) route: String,
    pub(super) exchanges: u64,
    pub(super) reasons: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Episode {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) series: String,
    pub(super) detected: Option<f64>,
    pub(super) ended: Option<f64>,
    pub(super) reason: Option<String>,
}

impl Accuracy {
    /// Whether fewer predictions are right than were.
    pub(super) fn has_dropped(&self) -> bool {
        let classes = self.classification.as_ref().map(|of| &of.drop);
        let values = self.regression.as_ref().map(|of| &of.drop);
        let mut drops = classes.into_iter().chain(values);
        drops.any(|drop| drop.current.is_some())
    }
}

impl Version {
    /// Whether fewer of its predictions are right than were.
    pub(super) fn has_dropped(&self) -> bool {
        self.accuracy.as_ref().is_some_and(Accuracy::has_dropped)
    }
}

impl State {
    /// Reads it, or says what is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if state.schema == SCHEMA {
            return Ok(state);
        }
        let found = state.schema;
        Err(format!("expected schema {SCHEMA}, found {found}"))
    }

    /// Whether it is of the same run of the agent as a later one.
    pub(super) fn is_of_run(&self, later: &Self) -> bool {
        // a start told to the microsecond: no two are the same
        (self.agent.started - later.agent.started).abs() < 1e-3 && self.unix < later.unix
    }
}
