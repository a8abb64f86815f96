//! Texts that become labels, paths, header fields or names in the log.

use std::path::Path;

use http::uri::PathAndQuery;

use super::Findings;
use crate::config::{Config, Features};

/// Longest name; it is a label or stands in every line.
const LONGEST_NAME: usize = 128;

/// Longest secret.
const LONGEST_SECRET: usize = 512;

/// Shortest secret that is hard to guess.
const SHORT_SECRET: usize = 16;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    name("model.name", &config.model.name, findings);
    name("model.version", &config.model.version, findings);
    name("log.logger", &config.log.logger, findings);
    if let Some(ready) = &config.model.ready_path
        && let Err(reason) = question(ready)
    {
        findings.refuse(
            "model.ready_path",
            format_args!("{reason}, found {ready:?}"),
        );
    }
    let files = [
        ("ops.token_file", &config.ops.token_file),
        ("log.file.path", &config.log.file.path),
        ("state.dir", &config.state.dir),
    ];
    for (key, file) in files {
        if file.as_deref() == Some(Path::new("")) {
            findings.refuse(key, "expected a path or null, found \"\"");
        }
    }
    for (place, file) in config.drift.baseline_files.iter().enumerate() {
        if file.as_os_str().is_empty() {
            let key = format!("drift.baseline_files[{place}]");
            findings.refuse(&key, "expected a path, found \"\"");
        }
    }
    token(config, findings);
    redaction(config, findings);
}

/// A name has 1 to 128 characters, none of them a control character.
pub(super) fn name(key: &str, text: &str, findings: &mut Findings<'_>) {
    let length = text.chars().count();
    if length == 0 || length > LONGEST_NAME || text.chars().any(char::is_control) {
        findings.refuse(
            key,
            format_args!(
                "expected 1 to {LONGEST_NAME} characters without line ends and the like, found \
                 {length}"
            ),
        );
    }
}

/// Whether a text can be the path of a request; what was expected if not.
pub(super) fn path(text: &str) -> Result<(), &'static str> {
    if !text.starts_with('/') {
        return Err("expected a path that begins with /");
    }
    if text.contains(['?', '#']) {
        return Err("expected a path without ? and #");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("expected a path as it is sent: visible ASCII, the rest as %XX");
    }
    Ok(())
}

/// Whether a model server can be asked for a text by GET; what was expected if not.
pub(super) fn question(text: &str) -> Result<(), &'static str> {
    let (before, query) = text.split_once('?').unwrap_or((text, ""));
    path(before)?;
    if query.contains('#') {
        return Err("expected a path without #");
    }
    match text.parse::<PathAndQuery>() {
        Ok(_) => Ok(()),
        Err(_) => Err("expected a path as it is sent: other characters as %XX"),
    }
}

/// Whether `model.ready_path` can be this.
pub fn is_ready_path(text: &str) -> bool {
    question(text).is_ok()
}

/// The token has to pass through a header field. It is never shown.
fn token(config: &Config, findings: &mut Findings<'_>) {
    let Some(token) = config.ops.token.as_deref() else {
        return;
    };
    let key = if config.ops.token_file.is_some() {
        "ops.token_file"
    } else {
        "ops.token"
    };
    let fits = (1..=LONGEST_SECRET).contains(&token.len());
    if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format_args!(
            "expected 1 to {LONGEST_SECRET} visible ASCII characters without spaces, found \
             something else in {} bytes",
            token.len()
        );
        findings.refuse(key, message);
    } else if token.len() < SHORT_SECRET {
        findings.warn(
            key,
            "is short enough to be guessed: take 16 random characters or more",
        );
    }
}

/// Fields of a line whose value may be redacted besides the features.
const FIELDS: [&str; 8] = [
    "client_ip",
    "path",
    "request_id",
    "trace_id",
    "model",
    "model_version",
    "prediction",
    "confidence",
];

/// The log's own fields that are numbers, times or constant words.
const ALWAYS_SHOWN: [&str; 12] = [
    "timestamp",
    "level",
    "logger",
    "message",
    "method",
    "status_code",
    "grpc_status",
    "duration_ms",
    "upstream_ms",
    "items",
    "fault",
    "error",
];

fn redaction(config: &Config, findings: &mut Findings<'_>) {
    let log = &config.log;
    if let Some(key) = log.redact_key.as_deref() {
        if !(1..=LONGEST_SECRET).contains(&key.len()) {
            let length = key.len();
            let message = format_args!("expected 1 to {LONGEST_SECRET} characters, found {length}");
            findings.refuse("log.redact_key", message);
        } else if key.len() < SHORT_SECRET {
            findings.warn(
                "log.redact_key",
                "is short enough to be guessed: take 16 or more",
            );
        }
    }
    for (place, redacted) in log.redact.iter().enumerate() {
        if redacted.is_empty() {
            findings.refuse(
                "log.redact",
                format_args!("expected names, entry {place} is empty"),
            );
        } else if ALWAYS_SHOWN.contains(&redacted.as_str()) {
            findings.warn(
                "log.redact",
                format_args!("hides a feature called {redacted}, not the log's own field"),
            );
        } else if !may_be_logged(redacted, &log.features) {
            findings.warn(
                "log.redact",
                format_args!("names {redacted}, which is never logged"),
            );
        }
    }
}

fn may_be_logged(name: &str, features: &Features) -> bool {
    FIELDS.contains(&name)
        || match features {
            Features::All => true,
            Features::None => false,
            Features::Named(names) => names.iter().any(|known| known == name),
        }
}
