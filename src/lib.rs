//! Sidelight: a sidecar reverse proxy that monitors a machine-learning model.

pub mod config;
