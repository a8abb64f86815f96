//! What the truth says of a model, once somebody has told it.
//!
//! A [`Labelled`] is a prediction with its truth. [`Performance`] takes those of one version of a model, keeps
//! the last of them in windows and says how well it does: a [`Report`]. Of predictions whose truth nobody
//! knows yet, [`Estimator`] says how many are right by a [`Calibration`] that it learnt from those before.
//! [`Watch`] says when fewer are right than were, and when it is as it was.
//!
//! All have one owner and no lock, and all memory is bounded by [`Rules`]. Nothing here knows where labels
//! come from, or of time: what counts is labels, in the order in which they come.

mod calibration;
mod classes;
mod drop;
mod estimate;
mod labelled;
mod performance;
mod report;
mod tolerance;
mod values;
mod window;

pub use calibration::{Calibration, NotCalibrated};
pub use drop::{Baseline, Change, DropRules, Episode, Watch, WatchState};
pub use estimate::{Estimate, Estimator, EstimatorState};
pub use labelled::{Labelled, LabelledClass, LabelledValue, Probabilities};
pub use performance::{LabelError, Performance, PerformanceState, Rules};
pub use report::{
    Accuracy, ClassFigures, ClassReport, Confusion, DropReport, Figure, Reliability, Report,
    ValueReport,
};
pub use tolerance::Tolerance;
pub use values::{ValueWindow, ValueWindowState};
pub use window::{ClassWindow, ClassWindowState};
