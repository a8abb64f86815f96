//! The agent's own events: `tracing` in, JSON lines with the log's field names out.

use std::fmt::{Debug, Write};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, registry, reload};

use super::{Common, Sink, Utc};

/// Changes the least important level while the agent runs.
pub type LevelHandle = reload::Handle<LevelFilter, registry::Registry>;

/// A subscriber that writes events of `level` and above to `sink`, each with the fields of `common`.
pub fn subscriber(
    sink: Sink,
    level: LevelFilter,
    common: Common,
) -> (impl Subscriber + Send + Sync, LevelHandle) {
    let (filter, handle) = reload::Layer::new(level);
    let lines = JsonLines { sink, common };
    (registry().with(filter).with(lines), handle)
}

struct JsonLines {
    sink: Sink,
    common: Common,
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            timestamp: Utc(Timestamp::now()),
            level: level_name(*metadata.level()),
            logger: metadata.target().replace("::", "."),
            message: fields.message,
            fields: fields.others,
        };
        let mut line = serde_json::to_vec(&line).expect("a map of strings and numbers is JSON");
        // before the bracket that closes it
        let end = line.len() - 1;
        line.splice(end..end, self.common.as_bytes().iter().copied());
        line.push(b'\n');
        self.sink.write(line, 1);
    }
}

#[derive(Serialize)]
struct Line {
    timestamp: Utc,
    level: &'static str,
    logger: String,
    message: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The names of Python's logging, which the course page's readers know.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").expect("writing to a string does not fail");
        } else {
            self.put(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_json_line_with_typed_fields() {
        let out = Shared::default();
        let (sink, writer) = Sink::start(out.clone(), 10_000).unwrap();
        let common = Common::new([("pod_name", "iris-0"), ("node_name", "a\"b")]);
        let (subscriber, level) = subscriber(sink, LevelFilter::INFO, common);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(samples = 3, mean = 0.5, file = "a\nb", "baseline set");
            tracing::debug!("not at this level");
            level.modify(|l| *l = LevelFilter::DEBUG).unwrap();
            tracing::debug!("at this level");
        });
        writer.finish(Duration::from_mins(1));
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["message"], "baseline set");
        assert_eq!(lines[0]["samples"], 3);
        assert_eq!(lines[0]["mean"], 0.5);
        assert_eq!(lines[0]["file"], "a\nb");
        assert_eq!(lines[1]["message"], "at this level");
        for line in &lines {
            assert_eq!(line["pod_name"], "iris-0");
            assert_eq!(line["node_name"], "a\"b");
        }
    }
}
