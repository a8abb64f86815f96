//! Sidelight: a sidecar reverse proxy that monitors a machine-learning model.
//!
//! It forwards every byte unchanged between clients and a model server, and reads a copy of what
//! passed. The modules below stand in the order in which a request travels.
//!
//! A request arrives on one of the data threads ([`proxy`]), which carry requests and nothing
//! else: each has a listening socket, a runtime and a pool of upstream connections of its own.
//! Bodies stream through; [`capture`] copies them up to a limit. When the last byte of the answer
//! is gone, the exchange is counted and offered to a bounded queue that never waits: a full queue
//! costs a copy, which is counted, and never a request.
//!
//! Behind the queue the thread `observe` owns all state, so nothing there needs a lock.
//! [`decode`] turns bodies into inferences, [`observe`] counts them, writes the log and keeps
//! recent confidences, [`drift`] and [`stats`] say whether those have moved, [`feedback`] what the truth
//! says of the model once somebody has told it.
//!
//! Where labels are wanted, [`feedback`] keeps predictions on a thread of its own, joins them with the labels
//! that are posted, and says how many are right.
//!
//! The main thread serves the operator ([`ops`]): metrics, probes, verdicts, changes, a live page. It reaches
//! the observer through a bounded channel of commands, and computes what takes milliseconds on
//! threads of their own. It also tells receivers when a drift begins or ends ([`notify`]), and in a build
//! with the feature `otlp` exports all this to a collector.
//!
//! [`explain`] says of recorded exchanges what [`decode`] would read of them, [`history`] what [`drift`]
//! would have said of rows in files, and makes baselines of them. [`replay`] has a log of the past pass once more,
//! and shows what the live page would have shown.
//!
//! [`inject`] puts all this into pods beside a model, and takes it out again; it knows nothing of the agent.
//!
//! [`top`] shows the state of a running agent in a terminal; it knows no more of it than what its operator's port answers.
//!
//! [`iris`] is a model server to try all this on; it knows nothing of the agent and runs as a
//! child process. [`demo`] is a client that sends it flowers, spoils them after a while, and tells when the
//! agent noticed; it asks the agent as anybody could, and knows nothing else of it. The leaves name nothing of ours: [`config`] is plain data, [`metrics`] holds
//! the catalogue of everything exported, [`telemetry`] writes JSON lines, [`health`] and
//! [`drain`] say whether the agent is ready or leaving, [`http`] serves and asks small things, [`tls`]
//! turns certificate files into connections (of ours it names the configuration alone), [`post`] brings
//! something to a receiver that the configuration names.
//! Below them all, [`panics`] keeps a panic where it happened.
//! [`app`] alone names every part and puts them together.
//!
//! Who may name whom is checked by `tests/layering.rs`.

#![forbid(unsafe_code)]

pub mod app;
pub mod cli;

pub mod proxy;

pub mod capture;

pub mod decode;
pub mod explain;
pub mod observe;

pub mod drift;
pub mod feedback;
pub mod stats;

pub mod notify;
pub mod ops;
#[cfg(feature = "otlp")]
pub mod otlp;

pub mod history;
pub mod replay;

pub mod inject;

pub mod top;

#[cfg(feature = "iris")]
pub mod demo;
#[cfg(feature = "iris")]
pub mod iris;

pub mod config;
pub mod drain;
#[cfg(test)]
mod fuzzing;
pub mod health;
pub mod http;
pub mod metrics;
pub mod panics;
pub mod post;
pub mod telemetry;
pub mod tls;
