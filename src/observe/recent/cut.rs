//! A line of JSON cut to a length, so that it still is JSON and says what was left out.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// What is kept of each text, list and object: tried one after the other.
const STEPS: [Most; 3] = [
    Most {
        characters: 120,
        entries: 20,
    },
    Most {
        characters: 40,
        entries: 5,
    },
    Most {
        characters: 16,
        entries: 2,
    },
];
/// Longest line of which the long fields are read again, in bytes.
const READABLE: usize = 64 << 10;
/// The fields that grow with what a client sends.
const LONG: [&str; 3] = ["prediction", "confidence", "features"];

#[derive(Clone, Copy)]
struct Most {
    characters: usize,
    entries: usize,
}

/// `line`, at most `most` bytes long and then with `"cut": true`; `None`: it is no object.
pub(super) fn cut(line: Vec<u8>, most: usize) -> Option<String> {
    let line = String::from_utf8(line).ok()?;
    let line = line.trim_end();
    if line.len() <= most {
        return Some(line.to_owned());
    }
    let fields = if line.len() <= READABLE {
        serde_json::from_str(line).ok()?
    } else {
        serde_json::from_str::<Short>(line).ok()?.0
    };
    let all = STEPS.into_iter().map(|step| text(&fields, step));
    let short = fields
        .iter()
        .filter(|(name, _)| !LONG.contains(&name.as_str()));
    let short = short.map(|(name, value)| (name.clone(), value.clone()));
    let last = text(&short.collect(), STEPS[STEPS.len() - 1]);
    all.chain([last]).find(|text| text.len() <= most)
}

fn text(fields: &Map<String, Value>, most: Most) -> String {
    let shown = fields
        .iter()
        .map(|(name, value)| (name.clone(), shortened(value, most)));
    let mut shown: Map<String, Value> = shown.collect();
    shown.insert("cut".to_owned(), true.into());
    Value::Object(shown).to_string()
}

fn shortened(value: &Value, most: Most) -> Value {
    let more = |left_out: usize| format!("… {left_out} more");
    match value {
        Value::String(text) => match text.char_indices().nth(most.characters) {
            Some((end, _)) => {
                let left_out = text[end..].chars().count();
                format!("{}{}", &text[..end], more(left_out)).into()
            }
            None => value.clone(),
        },
        Value::Array(values) => {
            let shown = values.iter().take(most.entries);
            let mut shown: Vec<Value> = shown.map(|value| shortened(value, most)).collect();
            if values.len() > shown.len() {
                shown.push(more(values.len() - shown.len()).into());
            }
            shown.into()
        }
        Value::Object(fields) => {
            let shown = fields.iter().take(most.entries);
            let shown = shown.map(|(name, value)| (name.clone(), shortened(value, most)));
            let mut shown: Map<String, Value> = shown.collect();
            if fields.len() > shown.len() {
                let left_out = more(fields.len() - shown.len());
                shown.insert("…".to_owned(), left_out.into());
            }
            shown.into()
        }
        other => other.clone(),
    }
}

/// The fields but the long ones, which are not even kept while they are read.
struct Short(Map<String, Value>);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Short;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Short, A::Error> {
                let mut fields = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    if LONG.contains(&name.as_str()) {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        fields.insert(name, map.next_value()?);
                    }
                }
                Ok(Short(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(line: &Value, most: usize) -> Value {
        let text = cut(format!("{line}\n").into_bytes(), most).unwrap();
        assert!(text.len() <= most, "{} {text}", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        let line = r#"{"b":1.50,"a":"x"}"#;
        let kept = cut(format!("{line}\n").into_bytes(), line.len());
        assert_eq!(kept.as_deref(), Some(line));
    }

    #[test]
    fn what_is_left_out_is_told_where_it_stood() {
        let features: Map<String, Value> =
            (0..100).map(|i| (format!("f{i:02}"), i.into())).collect();
        let line = json!({
            "request_id": "r", "path": "ä".repeat(300), "prediction": vec!["setosa"; 500],
            "features": features, "items": 500,
        });
        let shown = of(&line, 2048);
        assert_eq!(shown["path"], format!("{}… 180 more", "ä".repeat(120)));
        assert_eq!(shown["prediction"][20], "… 480 more");
        assert_eq!(shown["features"]["f19"], 19);
        assert_eq!(shown["features"]["…"], "… 80 more");
        assert_eq!(
            (&shown["items"], &shown["cut"]),
            (&500.into(), &true.into())
        );
        let less = of(&line, 500);
        assert_eq!(less["prediction"][5], "… 495 more");
        let least = of(&line, 150);
        assert!(least.get("features").is_none());
        assert_eq!(
            (&least["request_id"], &least["cut"]),
            (&"r".into(), &true.into())
        );
    }

    #[test]
    fn of_a_very_long_line_only_what_is_short_is_kept() {
        let line = json!({"path": "/predict", "prediction": vec!["setosa"; 100_000]});
        assert_eq!(of(&line, 2048), json!({"path": "/predict", "cut": true}));
    }

    #[test]
    fn what_is_no_object_is_not_kept() {
        let long = format!("\"{}\"", "x".repeat(3000)).into_bytes();
        assert_eq!(cut(long, 2048), None);
        assert_eq!(cut(vec![0xff; 3000], 2048), None);
    }
}
