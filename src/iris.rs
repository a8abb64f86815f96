//! The bundled model server: which of three species an iris is, from four lengths.
//!
//! [`data`] is Fisher's table, [`model`] a softmax regression trained on it by
//! `examples/train_iris.rs`, [`server`] answers over HTTP like a FastAPI service would, and
//! [`child`] runs that server as a process of the agent's own. It knows nothing of the agent: to
//! the proxy it is an upstream like any other.

mod coefficients;
pub mod data;
pub mod model;
