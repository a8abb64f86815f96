//! What the truth says of a model, once somebody has told it.
//!
//! A [`Labelled`] is a prediction with its truth. [`Performance`] takes those of one version of a model, keeps
//! the last of them in windows and says how well it does: a [`Report`]. Of predictions whose truth nobody
//! knows yet, [`Estimator`] says how many are right by a [`Calibration`] that it learnt from those before.
//! [`Watch`] says when fewer are right than were, and when it is as it was.
//!
//! All these have one owner and no lock, and all memory is bounded by [`Rules`]. They know neither where labels
//! come from nor the time: what counts is labels, in the order in which they come.
//!
//! Their owner is the thread `feedback` ([`start`]). The observer offers it predictions as records
//! ([`Draft`], [`Offer`]), the operator's side asks at its [`Desk`]: labels that were [`posted`] are looked for
//! in the `store`, which is files of predictions (`generation`), brought into the terms of their prediction
//! (`truth`), and are durable before anybody is told that they were taken. `models` holds the windows of each
//! version, `states` brings them over a restart.

mod calibration;
mod classes;
mod desk;
mod drop;
mod estimate;
mod generation;
mod labelled;
mod models;
mod offer;
mod performance;
mod posted;
mod record;
mod report;
mod states;
mod store;
mod tolerance;
mod truth;
mod values;
mod window;
mod worker;

pub use calibration::{Calibration, NotCalibrated};
pub use desk::{Desk, NoAnswer, Taken};
pub use drop::{Baseline, Change, DropRules, Episode, Watch, WatchState};
pub use estimate::{Estimate, Estimator, EstimatorState};
pub use labelled::{Labelled, LabelledClass, LabelledValue, Probabilities};
pub use models::{Outcomes, Stated};
pub use offer::{Counts, Offer, Passed};
pub use performance::{LabelError, Performance, PerformanceState, Rules};
pub use posted::{Label, MAX_LABELS, Posted, PostedError, Truth, posted};
pub use record::Draft;
pub use report::{
    Accuracy, ClassFigures, ClassReport, Confusion, DropReport, Figure, Reliability, Report,
    ValueReport,
};
pub use tolerance::Tolerance;
pub use values::{ValueWindow, ValueWindowState};
pub use window::{ClassWindow, ClassWindowState};
pub use worker::{Feedback, Known, Settings, Shown, THREAD, start};
