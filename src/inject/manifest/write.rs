//! Values as YAML: blocks as people write them, flows as JSON.

use serde_json::{Map, Value};

/// Words that YAML 1.1 takes for something else than a text.
const WORDS: [&str; 13] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "e", "~",
];

/// On one line: a flow, or a scalar.
pub(super) fn flow(value: &Value) -> String {
    // a value with texts as keys can always be written
    value.to_string()
}

/// As lines, each of which follows a line end: `key: value` at the column `at`.
pub(super) fn entry(key: &str, value: &Value, at: usize) -> Vec<String> {
    let mut lines = Vec::new();
    put_entry(&mut lines, &" ".repeat(at), key, value, at);
    lines
}

/// Likewise `- value`, with the dash at the column `at`.
pub(super) fn item(value: &Value, at: usize) -> Vec<String> {
    let mut lines = Vec::new();
    put_item(&mut lines, value, at);
    lines
}

fn put_entry(lines: &mut Vec<String>, before: &str, key: &str, value: &Value, at: usize) {
    let key = scalar(&Value::String(key.to_owned()));
    match value {
        Value::Object(members) if !members.is_empty() => {
            lines.push(format!("{before}{key}:"));
            let pad = " ".repeat(at + 2);
            for (key, value) in ordered(members) {
                put_entry(lines, &pad, key, value, at + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            lines.push(format!("{before}{key}:"));
            for item in items {
                put_item(lines, item, at + 2);
            }
        }
        value => lines.push(format!("{before}{key}: {}", scalar(value))),
    }
}

fn put_item(lines: &mut Vec<String>, value: &Value, at: usize) {
    let dash = format!("{}- ", " ".repeat(at));
    match value {
        Value::Object(members) if !members.is_empty() => {
            let pad = " ".repeat(at + 2);
            for (place, (key, value)) in ordered(members).into_iter().enumerate() {
                let before = if place == 0 { &dash } else { &pad };
                put_entry(lines, before, key, value, at + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => lines.push(format!("{dash}{}", flow(value))),
        value => lines.push(format!("{dash}{}", scalar(value))),
    }
}

/// The name first, as people have it.
fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered: Vec<_> = members.iter().collect();
    ordered.sort_by_key(|(key, _)| *key != "name");
    ordered
}

/// On the rest of a line: a text without quotes where nobody takes it for something else.
pub(super) fn scalar(value: &Value) -> String {
    let Value::String(text) = value else {
        return flow(value);
    };
    if is_plain(text) {
        text.clone()
    } else if text.contains('"') && !text.contains(char::is_control) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        flow(value)
    }
}

fn is_plain(text: &str) -> bool {
    // 10m, 128Mi, 5s
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unit.len() < text.len() && ["m", "Mi", "s"].contains(&unit) {
        return true;
    }
    // 8080-tcp, but neither 1e-5 nor a day
    let is_port = text.contains('-')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.bytes().any(|b| b.is_ascii_lowercase() && b != b'e');
    if is_port {
        return true;
    }
    let known = |c: char| c.is_ascii_alphanumeric() || "/._:@-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(known)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// `text` in the quotes that `before` has, if they can hold it.
pub(super) fn like(before: &str, text: &str) -> String {
    let fits = !text.contains(['\'', '"', '\\']) && !text.contains(char::is_control);
    match before.chars().next() {
        Some(quote @ ('\'' | '"')) if fits => format!("{quote}{text}{quote}"),
        Some('\'' | '"') => flow(&Value::String(text.to_owned())),
        _ => scalar(&Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_written_as_people_write_them() {
        let value = json!({
            "name": "a", "image": "r.io/a:1", "args": [], "env": [{"value": "yes", "name": "B"}],
            "n": 8, "at": "0644", "json": "{\"a\":'b'}", "deep": {"of": [[1]]},
        });
        let lines = item(&value, 2).join("\n");
        let expected = "  - name: a
    args: []
    at: \"0644\"
    deep:
      of:
        - [1]
    env:
      - name: B
        value: \"yes\"
    image: r.io/a:1
    json: '{\"a\":''b''}'
    \"n\": 8";
        assert_eq!(lines, expected);
        assert_eq!(entry("a/b.c", &json!("x y"), 1), [" a/b.c: \"x y\""]);
    }

    #[test]
    fn quotes_stay_what_they_are() {
        assert_eq!(like("\"http\"", "app"), "\"app\"");
        assert_eq!(like("'http'", "app"), "'app'");
        assert_eq!(like("http", "no"), "\"no\"");
        assert_eq!(like("8080-tcp-app", "8080-tcp"), "8080-tcp");
        assert_eq!(like("x", "1e-5"), "\"1e-5\"");
        assert_eq!(like("x", "2026-11-26"), "\"2026-11-26\"");
        assert_eq!(like("'x'", "a'b"), "\"a'b\"");
    }
}
