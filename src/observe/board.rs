//! What a live page shows of the models, in one answer of a bounded size.
//!
//! Made on the observe thread, so it does no more than look: no test runs for it. Names are at most 128
//! bytes long, as everywhere.

use serde::Serialize;

use super::models::{Gaps, Unread};
use crate::{
    drift::{
        InUse,
        picture::{Lacking, Picture},
        report::SeriesReport,
    },
    observe::command::Judged,
};

/// Versions of models that are shown, those that predicted last.
pub const VERSIONS: usize = 16;
/// Series of one of them, and of all.
pub const SERIES_OF_VERSION: usize = 64;
/// See [`SERIES_OF_VERSION`].
pub const SERIES: usize = 128;
/// Names in each list of a scan.
pub const NAMES: usize = 20;
/// Things that are not known, and routes that are not read.
pub const GAPS: usize = 32;

/// All of it.
#[derive(Debug)]
pub struct Board {
    /// The one that predicted last first.
    pub versions: Vec<Seen>,
    /// How many there are beyond.
    pub left_out: usize,
    /// What is not known.
    pub gaps: Gaps,
    /// What is not read.
    pub unread: Unread,
}

/// One version of a model.
#[derive(Debug)]
pub struct Seen {
    /// Whether it predicts, or was the last of its model to.
    pub is_serving: bool,
    /// In seconds since 1970.
    pub last: Option<f64>,
    /// What it is compared with.
    pub baseline: Option<InUse>,
    /// Predictions that were gathered for a baseline, and how many are wanted.
    pub gathered: Option<(usize, usize)>,
    /// Whose it is, and the verdict: of its test the last one, of its scan that of now.
    pub judged: Judged,
    /// Names that the lists of the scan leave out.
    pub names_left_out: usize,
    /// Those that drift first, then in the order of the baseline.
    pub series: Vec<SeriesState>,
    /// How many there are beyond.
    pub series_left_out: usize,
    /// Of every class of the baseline its shares of that and of a recent window.
    pub classes: Vec<(String, f64, Option<f64>)>,
}

/// One series.
#[derive(Debug, Serialize)]
pub struct SeriesState {
    /// What `GET /drift` says of it.
    #[serde(flatten)]
    pub report: SeriesReport,
    /// Shares of missing values.
    pub missing: Lacking,
    /// What it looks like.
    pub histogram: Picture,
}

/// One thing that is not known, and how to tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// What, as in `GET /models`; or `baseline`.
    pub what: &'static str,
    /// Of which model.
    pub model: String,
    /// Of which version; `None`: of all.
    pub version: Option<String>,
    /// Behind which route.
    pub route: Option<String>,
    /// In which format.
    pub format: Option<&'static str>,
    /// Of how many items, or exchanges for what is of an exchange.
    pub count: u64,
    /// For people.
    pub why: String,
    /// YAML that would tell it.
    pub configure: Option<String>,
    /// A command that would.
    pub command: Option<String>,
}
