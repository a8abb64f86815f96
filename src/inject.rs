//! Puts Sidelight into pods beside the model, and takes it out again.
//!
//! [`patch::inject`] is one pure function from the template of a pod to what has to change in it,
//! or the reason why nothing does. It serves the command line and the webhook, which therefore
//! always do the same. What it did stands in an annotation of the pod, as JSON Patch that
//! undoes it: [`patch::uninject`] gives back exactly what was there.
//!
//! Nothing here names the agent: a sidecar is an image, a few variables of the environment and
//! two ports.

pub mod annotations;
mod base64;
pub mod certificate;
#[cfg(test)]
mod generated;
pub mod manifest;
mod moved;
pub mod operation;
mod options;
pub mod patch;
mod pod;
mod readiness;
mod reason;
mod renamed;
pub mod review;
pub mod service;
mod sidecar;
mod status;
mod target;
pub mod webhook;

pub use operation::Operation;
pub use options::Options;
pub use patch::{Outcome, Patched, Traffic, inject, uninject};
pub use reason::{REASONS, Skip};
