//! What was done with each object, for people.

use std::fmt;

use super::stream::{Aside, Stream};
use crate::inject::{Skip, Traffic, annotations};

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The file it is in.
    pub source: String,
    /// `Deployment/iris`; of a document without objects its place, from 1 on.
    pub name: String,
    /// What was done.
    pub outcome: Outcome,
    /// Annotations that mean nothing.
    pub unknown: Vec<String>,
}

/// Pods without a sidecar have nobody listen at its port.
const ORDER: &str =
    "leads to Sidelight by number: apply the workloads first, wait for their rollout, then this";

/// What was done with an object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has a sidecar.
    Injected {
        /// How requests come to it.
        traffic: Traffic,
        /// Where it listens.
        port: u16,
        /// Where the model listens.
        upstream: u16,
    },
    /// A Service that leads to a sidecar from now on.
    Redirected,
    /// A Service that leads to a sidecar by the name of its port, and stays as it is.
    ByName,
    /// As it was before Sidelight.
    Uninjected,
    /// It stays as it is.
    Skipped(Skip),
    /// A Service whose pods would not all follow.
    SharedService,
    /// A Service of which clients learn the addresses of pods.
    Headless,
    /// Its text cannot be edited.
    NoEdit,
    /// Nothing that has pods.
    NoWorkload,
    /// A document that is not of Kubernetes.
    Foreign,
    /// A document that cannot be read.
    Unread(String),
}

impl Outcome {
    /// A word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Injected { .. } => "injected",
            Self::Redirected => "redirected",
            Self::ByName => "by_name",
            Self::Uninjected => "uninjected",
            Self::Skipped(skip) => skip.reason(),
            Self::SharedService => "shared_service",
            Self::Headless => "headless_service",
            Self::NoEdit => "no_edit",
            Self::NoWorkload => "no_workload",
            Self::Foreign => "not_kubernetes",
            Self::Unread(_) => "unreadable",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Injected {
                traffic,
                port,
                upstream,
            } => {
                write!(f, "injected, port {port} leads to {upstream}")?;
                return traffic
                    .bypass()
                    .map_or(Ok(()), |bypass| write!(f, "; {bypass}"));
            }
            Self::Redirected => return f.write_str(ORDER),
            Self::ByName => {
                return f
                    .write_str("leads to Sidelight by the name of the port, and stays as it is");
            }
            Self::Uninjected => return f.write_str("as it was before"),
            Self::Skipped(skip) => return write!(f, "skipped ({}): {skip}", self.word()),
            Self::Unread(why) => return write!(f, "skipped ({}): {why}", self.word()),
            Self::SharedService => "pods that it chooses have no sidecar, or one at another port",
            Self::Headless => {
                "it is headless: clients go to the pods themselves, by the number of a port, and are not seen"
            }
            Self::NoEdit => {
                "its text cannot be edited: what would change stands behind an alias or a merge key, or is laid out in a way that is not known"
            }
            Self::NoWorkload => "neither a workload nor a Service of one",
            Self::Foreign => "it is not an object of Kubernetes: it has no kind and apiVersion",
        };
        write!(f, "skipped ({}): {text}", self.word())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.source, self.name, self.outcome)?;
        for key in &self.unknown {
            write!(
                f,
                "\n{}: {}: warning: the annotation {key} means nothing",
                self.source, self.name
            )?;
        }
        Ok(())
    }
}

/// The report of a stream whose objects have these outcomes.
pub(super) fn lines(stream: &Stream, outcomes: Vec<Outcome>) -> Vec<Line> {
    let mut of_objects = stream.objects.iter().zip(outcomes).peekable();
    let mut lines = Vec::new();
    for (at, document) in stream.documents.iter().enumerate() {
        let source = &document.source;
        if let Some(aside) = &document.aside {
            let place = stream.documents[..at]
                .iter()
                .filter(|d| d.source == *source)
                .count();
            lines.push(Line {
                source: source.clone(),
                name: format!("document {}", place + 1),
                outcome: match aside {
                    Aside::Empty => continue,
                    Aside::Foreign => Outcome::Foreign,
                    Aside::Unread(why) => Outcome::Unread(why.to_string()),
                },
                unknown: Vec::new(),
            });
        }
        while let Some((object, outcome)) = of_objects.next_if(|(o, _)| o.document == at) {
            lines.push(Line {
                source: source.clone(),
                name: object.name(),
                outcome,
                unknown: object
                    .template()
                    .map(annotations::unknown)
                    .unwrap_or_default(),
            });
        }
    }
    lines
}
