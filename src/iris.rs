//! The bundled model server: which of three species an iris is, from four lengths.
//!
//! [`data`] is Fisher's table, [`model`] a softmax regression trained on it by
//! `examples/train_iris.rs`, [`server`] answers over HTTP as a `FastAPI` service would, faults
//! included. It knows nothing of the agent: to the proxy it is an upstream like any other.

mod coefficients;
pub mod data;
mod input;
pub mod model;
pub mod server;
