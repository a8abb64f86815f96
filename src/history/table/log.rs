//! Sidelight's own log: one line for each exchange, or several, and its events between them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::{Fields, Names, TOO_MANY, TableError, lines::Lines};
use crate::drift::{
    Key, SeriesName, Value,
    monitor::{ITEMS, entering},
};

/// How far back the time of a line may be: threads end their exchanges at the same time.
const UNORDERED: SignedDuration = SignedDuration::from_secs(5);

/// Rows of what predicted.
pub(crate) struct Log {
    lines: Lines,
    wanted: Key,
    /// The model of all rows so far.
    model: Option<String>,
    /// What was asked, where it stands on a line of its own.
    asked: Option<(String, Fields)>,
    batch: Batch,
    latest: Timestamp,
    is_in_order: bool,
}

/// The items of one exchange.
#[derive(Default)]
struct Batch {
    columns: Vec<(usize, Kind, Json)>,
    items: usize,
    /// Items that were told.
    told: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Class,
    Feature,
}

/// What of a line counts. Events may have anything under these names.
#[derive(Deserialize)]
struct Line {
    message: Option<Json>,
    timestamp: Option<Json>,
    request_id: Option<Json>,
    model: Option<Json>,
    model_version: Option<Json>,
    /// `Some(Null)`: it predicted, and what is not known.
    #[serde(default, deserialize_with = "present")]
    prediction: Option<Json>,
    confidence: Option<Json>,
    features: Option<Fields>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Whether a file that begins with this line is a log.
pub(super) fn is_line(fields: &Fields) -> bool {
    ["timestamp", "level", "logger", "message"]
        .iter()
        .all(|wanted| {
            let mut fields = fields.0.iter();
            fields.any(|(name, value)| name == wanted && value.is_string())
        })
}

/// Whether a value stands in the log as a hash: nothing that passes is equal to it.
pub(crate) fn is_hashed(word: &str) -> bool {
    let digits = word.strip_prefix("hmac:").unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl Log {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            wanted: Key::default(),
            model: None,
            asked: None,
            batch: Batch::default(),
            latest: Timestamp::MIN,
            is_in_order: true,
        }
    }

    pub(super) fn choose(&mut self, wanted: Key) {
        self.wanted = wanted;
    }

    pub(super) fn line(&self) -> u64 {
        self.lines.line()
    }

    /// Whether the times of its lines rise: it is not put together from several.
    pub(crate) fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// The model of its rows, where they name one.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref().filter(|model| !is_hashed(model))
    }

    pub(super) fn row(
        &mut self,
        names: &mut Names,
        mut each: impl FnMut(usize, &str, Value<'_>),
    ) -> Result<bool, TableError> {
        while self.batch.told >= self.batch.items.min(ITEMS) {
            if !self.read(names)? {
                return Ok(false);
            }
        }
        self.batch
            .tell(|place, value| each(place, &names.all[place], value));
        Ok(true)
    }

    /// Reads one line; `false`: there is none.
    fn read(&mut self, names: &mut Names) -> Result<bool, TableError> {
        let line: Result<Option<Line>, _> = self.lines.next("expected a line of the log");
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(false),
            Err(TableError::Line { .. }) if self.lines.is_torn() => return Ok(false),
            Err(error) => return Err(error),
        };
        let text = |value: &Option<Json>| match value {
            Some(Json::String(text)) => Some(text.clone()),
            _ => None,
        };
        let id = text(&line.request_id).unwrap_or_default();
        match text(&line.message).as_deref() {
            Some("Prediction request") => {
                self.asked = line.features.map(|features| (id, features));
                return Ok(true);
            }
            Some("Request completed" | "Request failed" | "Prediction result") => {}
            _ => return Ok(true),
        }
        let Some(prediction) = line.prediction else {
            return Ok(true);
        };
        let asked = self.asked.take().filter(|(of, _)| *of == id);
        if !self.is_wanted(text(&line.model), text(&line.model_version).as_deref())? {
            return Ok(true);
        }
        self.note_time(text(&line.timestamp));
        let features = line.features.or(asked.map(|(_, features)| features));
        self.batch = Batch::new(prediction, line.confidence, features, names)
            .ok_or_else(|| self.lines.refused(TOO_MANY))?;
        Ok(true)
    }

    /// A line that names no model, as of `log.lines: separate`, is of any.
    fn is_wanted(
        &mut self,
        model: Option<String>,
        version: Option<&str>,
    ) -> Result<bool, TableError> {
        let differs = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_some() && found.is_some() && wanted.as_deref() != found
        };
        if differs(&self.wanted.model, model.as_deref()) || differs(&self.wanted.version, version) {
            return Ok(false);
        }
        if differs(&self.model, model.as_deref()) {
            let message = "expected predictions of one model, found a second; name the one to take";
            return Err(self.lines.refused(message));
        }
        if self.model.is_none() {
            self.model = model;
        }
        Ok(true)
    }

    fn note_time(&mut self, text: Option<String>) {
        let Some(time) = text.and_then(|text| text.parse::<Timestamp>().ok()) else {
            return;
        };
        if time.duration_until(self.latest) > UNORDERED {
            self.is_in_order = false;
        }
        self.latest = self.latest.max(time);
    }
}

impl Batch {
    /// `None`: there are too many columns.
    fn new(
        prediction: Json,
        confidence: Option<Json>,
        features: Option<Fields>,
        names: &mut Names,
    ) -> Option<Self> {
        let items = match &prediction {
            Json::Array(items) => items.len(),
            _ => 1,
        };
        let has = |is_it: fn(&Json) -> bool| match &prediction {
            Json::Array(items) => items.iter().any(is_it),
            one => is_it(one),
        };
        let mut columns = Vec::new();
        let mut add = |name: SeriesName, kind, values: Json| {
            let place = names.place(name.label().into_owned())?;
            // a name that is there twice is what it was first
            if !columns.iter().any(|(known, _, _)| *known == place) {
                columns.push((place, kind, values));
            }
            Some(())
        };
        if let Some(confidence) = confidence {
            add(SeriesName::Confidence, Kind::Number, confidence)?;
        }
        if has(Json::is_number) {
            add(SeriesName::Value, Kind::Number, prediction.clone())?;
        }
        if has(Json::is_string) {
            add(SeriesName::Class, Kind::Class, prediction)?;
        }
        for (name, values) in features.into_iter().flat_map(|features| features.0) {
            add(SeriesName::Feature(name), Kind::Feature, values)?;
        }
        Some(Self {
            columns,
            items,
            told: 0,
        })
    }

    fn tell(&mut self, mut each: impl FnMut(usize, Value<'_>)) {
        let item = entering(self.told, self.items);
        self.told += 1;
        for (place, kind, values) in &self.columns {
            let value = match values {
                Json::Array(values) if values.len() == self.items => &values[item],
                one if self.items == 1 => one,
                _ => &Json::Null,
            };
            each(*place, kind.value(value));
        }
    }
}

impl Kind {
    fn value(self, json: &Json) -> Value<'_> {
        match (self, json) {
            (Self::Number | Self::Feature, Json::Number(number)) => {
                number.as_f64().map_or(Value::Missing, Value::Number)
            }
            (Self::Feature, Json::Bool(true)) => Value::Word("true"),
            (Self::Feature, Json::Bool(false)) => Value::Word("false"),
            (Self::Class | Self::Feature, Json::String(text)) => Value::Word(text),
            // confidences that were hashed are told as such
            (Self::Number, Json::String(text)) if is_hashed(text) => Value::Word(text),
            _ => Value::Missing,
        }
    }
}
