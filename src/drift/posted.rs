//! A baseline as somebody posts it: a list of confidences, lists by series, or the file that
//! `sidelight baseline` wrote.

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{
    Baseline, BaselineError, DamageReason, Gathered, Key, Origin, Profile, Sample, SeriesName,
    Value, file,
};

/// Why a body is no baseline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostedError {
    /// It is none of the three.
    #[error(
        "expected a JSON list of numbers, or an object with confidence, classes, values and features: {0}"
    )]
    Shape(serde_json::Error),
    /// It begins as a file that `sidelight baseline` wrote.
    #[error(transparent)]
    File(#[from] DamageReason),
    /// What it says is no baseline.
    #[error(transparent)]
    Contents(#[from] BaselineError),
    /// A list of a feature or of classes is too long, or says nothing.
    #[error("{list}: {error}")]
    List {
        /// Its path in the body.
        list: String,
        /// What is wrong.
        error: BaselineError,
    },
    /// A list has something that is no value.
    #[error("{list}[{place}]: expected a number, a string, true, false or null")]
    Item {
        /// The list's path in the body.
        list: String,
        /// From 0.
        place: usize,
    },
    /// A confidence is no share.
    #[error("{list}[{place}]: expected a confidence from 0 to 1, found {found}")]
    NoShare {
        /// The list's path in the body; empty: the body is the list.
        list: &'static str,
        /// From 0.
        place: usize,
        /// The number that it is.
        found: f64,
    },
    /// Lists are of different predictions.
    #[error(
        "expected one value for each prediction in every list, found {} of {first} and {} of {second}",
        counts.0,
        counts.1
    )]
    Lengths {
        /// The path of the first list.
        first: String,
        /// The path of the first that differs from it.
        second: String,
        /// Values of both.
        counts: (usize, usize),
    },
}

impl PostedError {
    /// The label value.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Shape(_) => "not_a_list_of_numbers",
            Self::File(damage) => damage.reason(),
            Self::Contents(error) | Self::List { error, .. } => error.reason(),
            Self::Item { .. } => "not_a_value",
            Self::NoShare { .. } => "not_a_confidence",
            Self::Lengths { .. } => "unequal_lengths",
        }
    }
}

/// Lists of what was predicted from what, one value for each prediction.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Series {
    confidence: Vec<Option<f64>>,
    classes: Vec<Json>,
    values: Vec<Option<f64>>,
    features: Features,
}

/// In the order in which they came.
#[derive(Default)]
struct Features(Vec<(String, Vec<Json>)>);

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Features;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a list for each feature")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Features, A::Error> {
                let mut features = Features::default();
                while let Some(entry) = map.next_entry()? {
                    features.0.push(entry);
                }
                Ok(features)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads a body; of lists of at most `limit` values. A file says itself whose it is; one that was captured
/// has been looked at by whoever posts it.
///
/// # Errors
/// See [`PostedError`].
pub fn posted(
    body: &[u8],
    limit: usize,
    set_at: Timestamp,
) -> Result<(Option<Key>, Baseline), PostedError> {
    if file::is_baseline(body) {
        let (key, baseline) = file::parse(body)?;
        let baseline = if baseline.origin().is_reviewed() {
            baseline
        } else {
            baseline.reviewed(set_at)
        };
        return Ok((Some(key), baseline));
    }
    // by its first byte: a list of lists would pass for the fields of an object in their order
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let series: Series = if is_object {
        serde_json::from_slice(body).map_err(PostedError::Shape)?
    } else {
        Series {
            confidence: serde_json::from_slice(body).map_err(PostedError::Shape)?,
            ..Series::default()
        }
    };
    shares(
        if is_object { "confidence" } else { "" },
        &series.confidence,
    )?;
    series.are_of_the_same()?;
    Ok((None, series.baseline(limit, set_at)?))
}

impl Series {
    /// Refuses lists of different lengths; an empty one of predictions is none.
    fn are_of_the_same(&self) -> Result<(), PostedError> {
        let of_predictions = [
            ("confidence", self.confidence.len()),
            ("classes", self.classes.len()),
            ("values", self.values.len()),
        ];
        let of_predictions = of_predictions.into_iter().filter(|(_, count)| *count > 0);
        let features = self.features.0.iter();
        let features = features.map(|(name, values)| (format!("features.{name}"), values.len()));
        let mut lists = of_predictions
            .map(|(list, count)| (list.to_owned(), count))
            .chain(features);
        let Some((first, count)) = lists.next() else {
            return Ok(());
        };
        match lists.find(|(_, other)| *other != count) {
            None => Ok(()),
            Some((second, other)) => Err(PostedError::Lengths {
                first,
                second,
                counts: (count, other),
            }),
        }
    }

    fn baseline(self, limit: usize, set_at: Timestamp) -> Result<Baseline, PostedError> {
        let confidence = numbers(self.confidence, limit)?;
        let values = numbers(self.values, limit)?;
        let mut profiles = Vec::new();
        let mut add = |name, profile: Option<Profile>| {
            profiles.extend(profile.map(|profile| (name, profile)));
        };
        let of = |sample: &Option<Sample>| sample.as_ref().and_then(Profile::of_sample);
        add(SeriesName::Confidence, of(&confidence));
        if !self.classes.is_empty() {
            let class = gathered("classes", &self.classes, true, limit)?;
            add(SeriesName::Class, Some(class));
        }
        add(SeriesName::Value, of(&values));
        for (name, values) in &self.features.0 {
            let list = format!("features.{name}");
            let profile = gathered(&list, values, false, limit)?;
            add(SeriesName::Feature(name.clone()), Some(profile));
        }
        Ok(Baseline::new(
            confidence.or(values),
            profiles,
            Origin::Posted,
            set_at,
        )?)
    }
}

/// How far above 1 rounding may take a confidence, as where the traffic is read.
const ROUNDED: f64 = 1e-6;

/// Refuses a confidence that is no share, of the list of that path.
fn shares(list: &'static str, confidence: &[Option<f64>]) -> Result<(), PostedError> {
    let is_share = |number: &f64| (0.0..=1.0 + ROUNDED).contains(number);
    let numbers = confidence.iter().enumerate();
    let mut numbers = numbers.filter_map(|(place, number)| Some((place, (*number)?)));
    match numbers.find(|(_, number)| !is_share(number)) {
        None => Ok(()),
        Some((place, found)) => Err(PostedError::NoShare { list, place, found }),
    }
}

/// `None`: there is no list.
fn numbers(list: Vec<Option<f64>>, limit: usize) -> Result<Option<Sample>, BaselineError> {
    if list.is_empty() {
        return Ok(None);
    }
    let numbers = list.into_iter().map(|number| number.unwrap_or(f64::NAN));
    Sample::new(numbers, limit).map(Some)
}

fn gathered(
    list: &str,
    values: &[Json],
    is_categorical: bool,
    limit: usize,
) -> Result<Profile, PostedError> {
    let refused = |error| PostedError::List {
        list: list.to_owned(),
        error,
    };
    if values.len() > limit {
        return Err(refused(BaselineError::TooMany { limit }));
    }
    let mut gathered = Gathered::new(is_categorical);
    for (place, value) in values.iter().enumerate() {
        gathered.push(match value {
            Json::Null => Value::Missing,
            Json::Bool(true) => Value::Word("true"),
            Json::Bool(false) => Value::Word("false"),
            Json::Number(number) => number.as_f64().map_or(Value::Missing, Value::Number),
            Json::String(text) => Value::Word(text),
            Json::Array(_) | Json::Object(_) => {
                let list = list.to_owned();
                return Err(PostedError::Item { list, place });
            }
        });
    }
    let missing = values.len();
    gathered
        .profile(false)
        .ok_or_else(|| refused(BaselineError::AllMissing { missing }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Baseline, PostedError> {
        posted(body.as_bytes(), 10, Timestamp::UNIX_EPOCH).map(|(_, baseline)| baseline)
    }

    fn names(baseline: &Baseline) -> Vec<String> {
        let names = baseline.profiles().iter();
        names.map(|(name, _)| name.label().into_owned()).collect()
    }

    #[test]
    fn what_was_captured_is_reviewed_by_whoever_posts_it_and_a_file_stays_one() {
        let of = |origin| {
            let sample = Sample::new([0.5, 0.7], 10).ok();
            let baseline =
                Baseline::new(sample, Vec::new(), origin, Timestamp::UNIX_EPOCH).unwrap();
            let now = Timestamp::from_second(7).unwrap();
            let body = file::render(&Key::default(), &baseline);
            let again = posted(&body, 10, now).unwrap().1;
            assert_eq!(again.hash(), baseline.hash());
            (again.origin(), again.set_at().as_second())
        };
        assert_eq!(of(Origin::Captured), (Origin::Posted, 7));
        assert_eq!(of(Origin::File), (Origin::File, 0));
    }

    #[test]
    fn a_list_is_of_confidences_and_null_is_missing() {
        let baseline = read("[0.9, null, 0.5]").unwrap();
        let sample = baseline.sample().unwrap();
        assert_eq!((sample.values(), sample.missing()), (&[0.5, 0.9][..], 1));
        assert_eq!(
            (names(&baseline), baseline.rows()),
            (vec!["confidence".to_owned()], 3)
        );
    }

    #[test]
    fn an_object_has_a_list_for_each_series_in_its_order() {
        let body = r#"{"features":{"b":[1,2,null],"a":["x","y","x"],"t":[true,false,true]},
            "classes":["s","v","s"],"confidence":[0.9,0.8,0.7]}"#;
        let baseline = read(body).unwrap();
        assert_eq!(names(&baseline), ["confidence", "class", "b", "a", "t"]);
        assert_eq!(baseline.sample().unwrap().values().len(), 3);
        let values = read(r#"{"values":[10,20],"features":{"value":[1,2]}}"#).unwrap();
        assert_eq!(names(&values), ["value", "feature:value"]);
        assert_eq!(values.sample().unwrap().values(), [10.0, 20.0]);
        let classes = read(r#"{"classes":[0,1,1]}"#).unwrap();
        assert_eq!(
            (names(&classes), classes.sample()),
            (vec!["class".to_owned()], None)
        );
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let key = Key {
            model: Some("iris".to_owned()),
            version: None,
        };
        let baseline = read(r#"{"confidence":[0.5,0.7],"features":{"a":["x",null]}}"#).unwrap();
        let text = file::render(&key, &baseline);
        let (found, again) = posted(&text, 10, Timestamp::now()).unwrap();
        assert_eq!((found, again), (Some(key), baseline));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, reason, text) in [
            ("[1,", "not_a_list_of_numbers", "expected a JSON list"),
            ("{}", "empty", "empty"),
            ("[]", "empty", "empty"),
            ("[[0.5]]", "not_a_list_of_numbers", "expected f64"),
            (
                r#"{"confidence":[0.5],"x":1}"#,
                "not_a_list_of_numbers",
                "confidence, classes",
            ),
            (
                r#"{"features":{"a":[1,[2]]}}"#,
                "not_a_value",
                "features.a[1]",
            ),
            (
                r#"{"features":{"a":[null]}}"#,
                "all_missing",
                "features.a: all 1 values",
            ),
            (
                r#"{"features":{"a":[1,1,1,1,1,1,1,1,1,1,1]}}"#,
                "too_many",
                "features.a",
            ),
            (
                "[0.5, null, 1.0000001, 5, -3]",
                "not_a_confidence",
                "[3]: expected a confidence from 0 to 1, found 5",
            ),
            (
                r#"{"confidence":[-0.1]}"#,
                "not_a_confidence",
                "confidence[0]: ",
            ),
            (
                r#"{"confidence":[0.5,0.6],"features":{"a":[1,2],"b":[1]}}"#,
                "unequal_lengths",
                "found 2 of confidence and 1 of features.b",
            ),
            (r#"{"sidelight_baseline":3,"sha256":""}"#, "header", "begin"),
            (
                "{\"sidelight_baseline\":3,\"sha256\":\"\"}\n",
                "format",
                "3",
            ),
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.reason(), reason, "{body}");
            assert!(error.to_string().contains(text), "{body}: {error}");
        }
    }
}
