//! The one answer that a page is drawn from: `GET /state`, and each event of `GET /events`.
//!
//! Counts only rise, from the start of the agent: who wants a rate, or the percentiles of the last
//! minute, takes the difference of two states and of their `unix`. Whatever is bounded says how much
//! it leaves out. Times are seconds since 1970, but in what `GET /drift` has too, which is as it is there;
//! shares lie in `[0, 1]`.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::history::Episode;
use crate::{
    drift::{Fields, InUse, report},
    feedback::Report,
    observe::{
        board::{Gap, SeriesState},
        command::Judged,
        models::UnreadRoute,
    },
};

/// Version of this shape: a page that knows another asks to be loaded again.
pub(super) const SCHEMA: u32 = 1;

/// All that a page shows.
#[derive(Debug, Serialize)]
pub(super) struct State {
    pub(super) schema: u32,
    /// RFC 3339.
    pub(super) time: String,
    /// The same moment.
    pub(super) unix: f64,
    pub(super) agent: Agent,
    pub(super) edges: Edges,
    pub(super) traffic: Traffic,
    /// Versions of models, the one that predicted last first; `None`: the observer is busy or has
    /// ended, as `observer` says.
    pub(super) models: Option<Vec<Version>>,
    /// Versions that predicted, and are not listed.
    pub(super) versions_left_out: usize,
    /// Versions that are not listed, and whose accuracy has dropped.
    pub(super) dropped: Vec<Dropped>,
    /// Why there are no models: `busy`, `ended` or `failed`.
    pub(super) observer: Option<&'static str>,
    /// What is not known, and the line or command that would mend it.
    pub(super) missing: Vec<Gap>,
    pub(super) missing_left_out: usize,
    /// Routes whose bodies were not read.
    pub(super) unread: Vec<UnreadRoute>,
    pub(super) unread_left_out: usize,
    /// Drifts that began or ended since the agent started, and those that go on, the latest first.
    pub(super) episodes: Vec<Episode>,
    pub(super) episodes_left_out: usize,
}

/// The agent itself.
#[derive(Debug, Serialize)]
pub(super) struct Agent {
    pub(super) version: &'static str,
    pub(super) started: f64,
    pub(super) uptime_seconds: f64,
    pub(super) ready: bool,
    /// Why not: `model_not_loaded`, `data_thread_stuck` or `leaving`.
    pub(super) not_ready: Vec<&'static str>,
    /// `serving`, `leaving`, `draining` or `stopped`; `replayed`: it was not there, a log was read again.
    pub(super) phase: &'static str,
    pub(super) model_loaded: bool,
    /// What the upstream says.
    pub(super) model_version: Option<String>,
    /// What is sent of requests at `/recent`; 0: that is off.
    pub(super) recent: usize,
}

/// Upper edges of histograms, each with one count more for what is above all.
#[derive(Debug, Serialize)]
pub(super) struct Edges {
    /// Of `duration` and `inference`.
    pub(super) seconds: &'static [f64],
    /// Of `confidence`.
    pub(super) confidence: &'static [f64],
}

/// What passed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Traffic {
    /// By first digit of the status: `2xx`. A client that left first is `499`, and not of `4xx`.
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) in_flight: u64,
    /// Requests without a whole answer from the upstream.
    pub(super) failures: Vec<Failure>,
    /// Observed exchanges without a good answer, by whose fault it was.
    pub(super) faults: BTreeMap<String, u64>,
    /// Copies that were dropped, by the bound that was reached.
    pub(super) shed: BTreeMap<String, u64>,
    /// `observed`, `shed` or `not_wanted`.
    pub(super) exchanges: BTreeMap<String, u64>,
    /// `decoded`, `decode_failed`, `too_long` or `aborted`.
    pub(super) observed: BTreeMap<String, u64>,
    pub(super) queue_exchanges: u64,
    pub(super) queue_bytes: u64,
    /// `written` or `dropped`.
    pub(super) log_lines: BTreeMap<String, u64>,
    /// Panics that were caught, by part, where there were any.
    pub(super) panics: BTreeMap<String, u64>,
    /// Those with most requests first.
    pub(super) endpoints: Vec<Endpoint>,
    /// Those that are not listed; their requests are counted above.
    pub(super) endpoints_left_out: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Failure {
    /// `client`, `upstream` or `sidelight`.
    pub(super) fault: String,
    pub(super) reason: String,
    pub(super) count: u64,
}

/// A template of paths.
#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the page knows it by that name")]
pub(super) struct Endpoint {
    pub(super) endpoint: String,
    /// As those of all.
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) duration: Option<Histogram>,
}

/// Counts between edges: each without those below.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Histogram {
    pub(super) counts: Vec<u64>,
    pub(super) sum: f64,
    pub(super) count: u64,
}

/// One version of a model.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the page knows it by that name")]
pub(super) struct Version {
    pub(super) model: String,
    pub(super) version: String,
    /// Whether it predicts, or was the last of its model to.
    pub(super) serving: bool,
    /// `None`: not since the agent started.
    pub(super) last_prediction: Option<f64>,
    /// Items with a class, those of classes that are not listed too.
    pub(super) predictions: u64,
    /// The most frequent first.
    pub(super) classes: Vec<Class>,
    /// Those that are not listed, `other` of the metrics among them, and their items.
    pub(super) classes_left_out: usize,
    pub(super) left_out_predictions: u64,
    /// Of items that carried one.
    pub(super) confidence: Option<Histogram>,
    /// Predicted numbers; with edges of its own.
    pub(super) values: Option<Values>,
    /// Seconds that the model server took.
    pub(super) inference: Option<Histogram>,
    /// What it is compared with.
    pub(super) baseline: Option<InUse>,
    /// What is gathered for one, where there is none and `drift.capture` says so.
    pub(super) capturing: Option<Capturing>,
    pub(super) drift: Drift,
    /// Those that drift first, then in the order of the baseline.
    pub(super) series: Vec<SeriesState>,
    pub(super) series_left_out: usize,
    /// How right it was: as `GET /feedback`, without its confusion matrix and of the classes with most
    /// labels; `None`: of no label it is known.
    pub(super) accuracy: Option<Report>,
}

/// A version that predicts no longer, of which labels still come.
#[derive(Debug, Serialize)]
pub(super) struct Dropped {
    pub(super) model: String,
    pub(super) version: String,
    /// Without classes.
    pub(super) accuracy: Report,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the page knows it by that name")]
pub(super) struct Class {
    pub(super) class: String,
    pub(super) count: u64,
    /// Its share of the baseline; `None`: that has no classes, or not this one.
    pub(super) baseline: Option<f64>,
    /// Its share of a recent window.
    pub(super) recent: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Values {
    pub(super) edges: Vec<f64>,
    #[serde(flatten)]
    pub(super) histogram: Histogram,
}

/// Predictions that are gathered for a baseline, and how many are wanted.
#[derive(Debug, Serialize)]
pub(super) struct Capturing {
    pub(super) rows: usize,
    pub(super) wanted: usize,
}

/// The verdict, with the fields of `GET /drift`: its test is as of the last check, its scan of now.
#[derive(Debug)]
pub(super) struct Drift {
    pub(super) judged: Judged,
    /// Names that the lists of the scan leave out.
    pub(super) names_left_out: usize,
}

#[derive(Serialize)]
struct DriftFields<'a> {
    #[serde(flatten)]
    page: Fields<'a>,
    /// `ks` or `scan`: which of them `drift_detected` is of.
    decision: &'static str,
    scan: Option<&'a report::Report>,
    names_left_out: usize,
}

impl Serialize for Drift {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let judged = &self.judged;
        let fields = DriftFields {
            page: judged.verdict.fields(judged.drift_detected()),
            decision: if judged.is_of_scan() { "scan" } else { "ks" },
            scan: judged.scan.as_ref(),
            names_left_out: self.names_left_out,
        };
        fields.serialize(serializer)
    }
}
