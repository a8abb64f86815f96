//! Sidelight: a sidecar reverse proxy that monitors a machine-learning model.

pub mod capture;
pub mod cli;
pub mod config;
pub mod decode;
pub mod drain;
pub mod drift;
pub mod health;
pub mod http;
pub mod iris;
pub mod metrics;
pub mod proxy;
pub mod stats;
pub mod telemetry;
