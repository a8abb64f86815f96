//! The bundled model server: which of three species an iris is, from four lengths.
//!
//! [`data`] is Fisher's table, [`model`] a softmax regression trained on it by
//! `examples/train_iris.rs`, [`server`] answers over HTTP as a `FastAPI` service would, faults
//! included, and [`child`] and [`supervisor`] are that server as a process of the agent's own. It knows nothing of the agent: to the proxy it is an upstream like any other.

pub mod child;
mod coefficients;
pub mod data;
mod input;
pub mod model;
mod pause;
pub mod server;
pub mod supervisor;

pub use child::run_as_child;
pub use supervisor::Supervisor;
