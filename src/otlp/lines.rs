//! Lines of the log as records of OTLP: the same fields with the same names, as they stand in the line.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{
    outlet::Line,
    proto::{
        AnyValue, ArrayValue, KeyValue, KeyValueList, LogRecord, LogsRequest, ResourceLogs,
        ScopeLogs, Value,
    },
    settings::Settings,
    ship::Record,
    since_1970,
};

/// Numbers of severities by the words of the log.
const SEVERITIES: [(&str, i32); 4] = [("DEBUG", 5), ("INFO", 9), ("WARNING", 13), ("ERROR", 17)];

impl Record for Line {
    type Request = LogsRequest;

    fn request(settings: &Settings, batch: Vec<Self>) -> LogsRequest {
        let (resource, scope) = settings.origin();
        let now = since_1970();
        let log_records = batch.iter().map(|line| record(line, now)).collect();
        LogsRequest {
            resource_logs: vec![ResourceLogs {
                resource,
                scope_logs: vec![ScopeLogs { scope, log_records }],
            }],
        }
    }
}

fn record(line: &Line, now: u64) -> LogRecord {
    let mut record = LogRecord {
        observed_time_unix_nano: now,
        ..LogRecord::default()
    };
    if let Some(context) = &line.context {
        record.trace_id = context.trace.to_vec();
        record.span_id = context.span.to_vec();
        record.flags = context.flags.into();
    }
    if let Ok(Json::Object(fields)) = serde_json::from_slice(&line.text) {
        for (name, value) in fields {
            take(&mut record, name, value);
        }
    } else {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        record.body = Some(any(Json::String(text)));
    }
    record
}

/// One field: three have places of their own.
fn take(record: &mut LogRecord, name: String, value: Json) {
    match (name.as_str(), &value) {
        ("timestamp", Json::String(text)) => {
            record.time_unix_nano = time(text).unwrap_or_default();
        }
        ("level", Json::String(word)) => {
            let known = SEVERITIES.iter().find(|(known, _)| known == word);
            record.severity_number = known.map_or(0, |(_, number)| *number);
            record.severity_text.clone_from(word);
        }
        ("message", _) => record.body = Some(any(value)),
        _ => record.attributes.push(KeyValue {
            key: name,
            value: Some(any(value)),
        }),
    }
}

fn time(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// A value of JSON; null has none.
fn any(value: Json) -> AnyValue {
    let value = match value {
        Json::Null => None,
        Json::Bool(is_true) => Some(Value::Bool(is_true)),
        Json::Number(number) => Some(match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        }),
        Json::String(text) => Some(Value::Text(text)),
        Json::Array(values) => Some(Value::Array(ArrayValue {
            values: values.into_iter().map(any).collect(),
        })),
        Json::Object(fields) => Some(Value::Map(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(any(value)),
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

#[cfg(test)]
mod tests {
    use super::{super::outlet::Context, *};

    fn of(text: &str, context: Option<Context>) -> LogRecord {
        let text = text.as_bytes().into();
        record(&Line { text, context }, 7)
    }

    fn attribute(record: &LogRecord, key: &str) -> Option<Value> {
        let found = record.attributes.iter().find(|a| a.key == key).unwrap();
        found.value.clone().unwrap().value
    }

    #[test]
    fn a_line_keeps_its_fields_and_three_of_them_have_places_of_their_own() {
        let context = Context {
            trace: [1; 16],
            span: [2; 8],
            flags: 1,
        };
        let record = of(
            r#"{"timestamp":"2026-11-24T08:00:00.000001Z","level":"WARNING","logger":"ml_api",
            "message":"Request completed","request_id":"a\"b","status_code":404,"duration_ms":1.5,
            "confidence":[0.5,null],"features":{"age":41,"is":true}}"#,
            Some(context),
        );
        assert_eq!(record.time_unix_nano, 1_795_507_200_000_001_000);
        assert_eq!(record.observed_time_unix_nano, 7);
        assert_eq!(record.severity_number, 13);
        assert_eq!(record.severity_text, "WARNING");
        let body = record.body.clone().unwrap().value;
        assert_eq!(body, Some(Value::Text("Request completed".to_owned())));
        assert_eq!(record.trace_id, [1; 16]);
        assert_eq!(record.span_id, [2; 8]);
        assert_eq!(record.flags, 1);
        let of = |key| attribute(&record, key);
        assert_eq!(of("request_id"), Some(Value::Text("a\"b".to_owned())));
        assert_eq!(of("status_code"), Some(Value::Int(404)));
        assert_eq!(of("duration_ms"), Some(Value::Double(1.5)));
        let Some(Value::Array(confidences)) = of("confidence") else {
            panic!("no list");
        };
        assert_eq!(confidences.values[0].value, Some(Value::Double(0.5)));
        assert_eq!(confidences.values[1].value, None);
        let Some(Value::Map(features)) = of("features") else {
            panic!("no map");
        };
        assert_eq!(features.values[0], KeyValue::new("age", Value::Int(41)));
        assert_eq!(record.attributes.len(), 6);
    }

    #[test]
    fn every_level_of_the_log_has_its_number_and_a_line_without_a_span_has_none() {
        for (level, number) in SEVERITIES {
            let record = of(&format!("{{\"level\":\"{level}\"}}"), None);
            assert_eq!(record.severity_number, number);
            assert!(record.trace_id.is_empty() && record.span_id.is_empty());
        }
        let record = of("{\"half", None);
        let body = record.body.unwrap().value;
        assert_eq!(body, Some(Value::Text("{\"half".to_owned())));
    }
}
