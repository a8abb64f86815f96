//! `otlp`: whether this build can export, and what is added to requests and to the resource.

use super::{Findings, headers};
use crate::config::Config;

/// Most attributes of the resource; they go with every request.
const MOST: usize = 64;
const LONGEST: usize = 1024;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let otlp = &config.otlp;
    if otlp.endpoint.is_some() && !cfg!(feature = "otlp") {
        findings.refuse(
            "otlp",
            "this build has no OTLP export; build with --features otlp",
        );
    }
    if let Some(endpoint) = &otlp.endpoint {
        if endpoint.path.contains('?') {
            findings.refuse("otlp.endpoint", "expected a URL without a query");
        }
        if otlp.ca_file.is_some() && !endpoint.server.tls {
            findings.warn("otlp.ca_file", "is not used: endpoint is not https://");
        }
    }
    if otlp.signals.is_empty() {
        let message = "expected at least one of metrics, logs, traces, found none";
        findings.refuse("otlp.signals", message);
    }
    headers::check("otlp.headers", &otlp.headers, findings);
    resource(&otlp.resource, findings);
}

fn resource(attributes: &[(String, String)], findings: &mut Findings<'_>) {
    let fits =
        |text: &str| (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
    let is_wrong = |(name, value): &&(String, String)| !fits(name) || !fits(value);
    if attributes.len() > MOST {
        let found = attributes.len();
        let message = format_args!("expected at most {MOST} attributes, found {found}");
        findings.refuse("otlp.resource", message);
    } else if let Some((name, _)) = attributes.iter().find(is_wrong) {
        let message = format_args!(
            "expected names and values of 1 to {LONGEST} bytes without line ends and the like, \
             found others at {name:?}"
        );
        findings.refuse("otlp.resource", message);
    }
}
