//! Fields that the configuration adds to requests. Nothing of a value is shown.

use http::{HeaderName, HeaderValue, header};

use super::Findings;
use crate::config::Given;

const LONGEST: usize = 4096;

/// Fields that a request to a receiver has of itself.
const OWN: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
];

/// `key`: such as `otlp.headers`.
pub(super) fn check(key: &str, headers: &[(String, Given)], findings: &mut Findings<'_>) {
    let mut seen: Vec<HeaderName> = Vec::new();
    for (name, value) in headers {
        let key = format!("{key}.{name}");
        match name.parse::<HeaderName>() {
            Err(_) => findings.refuse(&key, "expected the name of a field, such as Authorization"),
            Ok(name) if OWN.contains(&name) => {
                findings.refuse(&key, "expected a field that Sidelight does not set itself");
            }
            Ok(name) if seen.contains(&name) => {
                findings.refuse(&key, "expected each field once, found it twice");
            }
            Ok(name) => seen.push(name),
        }
        if !is_value(value) {
            let message = format_args!(
                "expected 1 to {LONGEST} visible ASCII characters or spaces, found something else \
                 in {} bytes",
                value.as_str().len()
            );
            findings.refuse(&key, message);
        }
    }
}

fn is_value(value: &Given) -> bool {
    let text = value.as_str();
    (1..=LONGEST).contains(&text.len())
        && text.is_ascii()
        && text.trim() == text
        && HeaderValue::from_str(text).is_ok()
}
