//! What must hold for any lines. The fuzz target calls this, and so does a test, with the inputs
//! that fuzzing has kept.

use std::sync::LazyLock;

use serde_json::Value;

use crate::config::{self, Config};

static DEFAULTS: LazyLock<Config> = LazyLock::new(config::defaults);

const ROUTES: [&str; 4] = [
    r#"{"path":"/p/{id}","classes":["no","yes"],"model":{"segment":"id"},"version":{"header":"x-version"}}"#,
    r#"{"path":"/ignored","kind":"ignore"}"#,
    r#"{"path":"/score","kind":"probabilities","positive_class":"yes","features":["a","b"]}"#,
    r#"{"path":"/rate","format":"mapped","version":{"response":"$.v"},"paths":{"features":"$.rows",
        "items":"$.results[*]","class":"$.y","probabilities":"$.p","model":"$.m"}}"#,
];

static ROUTED: LazyLock<Config> = LazyLock::new(|| {
    let mut config = config::defaults();
    let routes = ROUTES.map(|text| serde_json::from_str(text).expect("a test reads it"));
    config.routes.extend(routes);
    config
});

/// Lines, of which each should be an exchange; an odd first byte: there are routes.
///
/// # Panics
/// When there is not one line of JSON for each, with what every line says.
pub fn explain(input: &[u8]) {
    let Some((first, lines)) = input.split_first() else {
        return;
    };
    let config = if first % 2 == 0 { &DEFAULTS } else { &ROUTED };
    let mut output = Vec::new();
    let are_read = super::explain(config, lines, &mut output).expect("memory takes all");
    let asked = lines.split_inclusive(|byte| *byte == b'\n').count();
    let said = serde_json::Deserializer::from_slice(&output).into_iter::<Value>();
    let said: Vec<Value> = said.map(|line| line.expect("a line is JSON")).collect();
    assert_eq!(said.len(), asked);
    let lines = output.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(lines, asked);
    let is_refused = |line: &Value| line.get("status").is_none();
    assert_eq!(are_read, !said.iter().any(is_refused));
    for line in &said {
        let object = line.as_object().expect("a line is an object");
        assert!(object.contains_key("id"));
        assert!(line["why"].as_str().is_some_and(|why| !why.is_empty()));
        let keys = if is_refused(line) { 2 } else { KEYS };
        assert_eq!(object.len(), keys);
    }
}

/// Those of a line about an exchange.
const KEYS: usize = 27;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_has_kept_of_lines_still_holds() {
        crate::fuzzing::replay("explain", explain);
    }
}
