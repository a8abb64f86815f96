//! A baseline from the rows of a file.

use std::{collections::HashSet, path::Path};

use jiff::Timestamp;

use super::{
    columns::{Column, Columns, series_of},
    table::{self, Table, TableError, is_hashed},
};
use crate::drift::{Baseline, Key, Origin, Profile, Sample, SeriesName, Value};

/// How it is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildOptions {
    /// Whose baseline it is. Of a log, only what they predicted is taken.
    pub key: Key,
    /// The rows are in the order in which they came. A log's are, as its times tell.
    pub ordered: bool,
    /// Columns whose numbers are classes; that of classes is one.
    pub categorical: Vec<String>,
    /// Rows that are taken; `None`: all.
    pub limit: Option<usize>,
}

/// A baseline and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// Whose it is. A log tells the model where it was not said.
    pub key: Key,
    /// The baseline.
    pub baseline: Baseline,
    /// Rows that were read.
    pub rows: usize,
    /// For each series of the baseline, rows and how many of them had no value.
    pub counts: Vec<(usize, usize)>,
    /// Columns that are in no series.
    pub left_out: Vec<LeftOut>,
    /// The rows are in the order in which they came.
    pub is_ordered: bool,
}

/// A column that is in no series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// Why.
    pub why: &'static str,
}

/// Builds a baseline from a file, or from what comes in on standard input: `-`.
///
/// # Errors
/// When it cannot be read, or is not what was expected.
pub fn build(path: &Path, options: &BuildOptions) -> Result<Built, TableError> {
    let mut table = Table::new(path, table::open(path)?)?;
    table.choose(options.key.clone());
    let is_categorical = |column: &str| {
        let is_named = options.categorical.iter().any(|name| name == column);
        is_named || series_of(column) == SeriesName::Class
    };
    let mut seen = Seen {
        is_log: table.log().is_some(),
        hashed: HashSet::new(),
    };
    let limit = options.limit.unwrap_or(usize::MAX);
    let look = |column: &str, cell: Value<'_>| seen.look(column, cell);
    let columns = Columns::gather(&mut table, limit, is_categorical, look)?;
    columns.have_all(&options.categorical, path, table.names())?;
    let mut key = options.key.clone();
    let mut is_ordered = options.ordered;
    if let Some(log) = table.log() {
        is_ordered = log.is_in_order();
        key.model = key.model.or(log.model().map(str::to_owned));
    }
    let rows = columns.rows;
    let parts = Parts::of(columns, is_ordered, &seen);
    let parts = parts.map_err(|message| table.refused(message))?;
    let (profiles, counts) = parts
        .series
        .into_iter()
        .map(|(name, profile, counts)| ((name, profile), counts))
        .unzip();
    let sample = parts.confidence.or(parts.value);
    let baseline = Baseline::new(sample, profiles, Origin::File, Timestamp::now());
    Ok(Built {
        key,
        baseline: baseline.map_err(|_| table.refused(seen.expected()))?,
        rows,
        counts,
        left_out: parts.left_out,
        is_ordered,
    })
}

/// What is found out of values as they come.
struct Seen {
    is_log: bool,
    /// Columns that stand in the log as hashes.
    hashed: HashSet<String>,
}

impl Seen {
    /// What a value should have been.
    fn look(&mut self, column: &str, cell: Value<'_>) -> Result<(), String> {
        let Value::Word(word) = cell else {
            return Ok(());
        };
        if self.is_log && is_hashed(word) {
            if !self.hashed.contains(column) {
                self.hashed.insert(column.to_owned());
            }
            return Ok(());
        }
        match series_of(column) {
            SeriesName::Confidence | SeriesName::Value => {
                Err(format!("column {column}: expected a number, found a word"))
            }
            SeriesName::Class | SeriesName::Feature(_) => Ok(()),
        }
    }

    /// What a file that says nothing should have had.
    fn expected(&self) -> &'static str {
        if self.is_log {
            "expected lines of exchanges that predicted"
        } else {
            "expected rows with values"
        }
    }
}

/// What comes first where series are listed.
fn place(name: &SeriesName) -> u8 {
    match name {
        SeriesName::Confidence => 0,
        SeriesName::Class => 1,
        SeriesName::Value => 2,
        SeriesName::Feature(_) => 3,
    }
}

/// A series with its rows, and how many of them had no value.
type Series = (SeriesName, Profile, (usize, usize));

#[derive(Default)]
struct Parts {
    series: Vec<Series>,
    confidence: Option<Sample>,
    value: Option<Sample>,
    left_out: Vec<LeftOut>,
}

impl Parts {
    /// In the order in which series are listed; or what is wrong with the columns.
    fn of(columns: Columns, is_ordered: bool, seen: &Seen) -> Result<Self, String> {
        let mut parts = Self::default();
        for column in columns.all {
            parts.add(column, is_ordered, seen)?;
        }
        parts.series.sort_by_key(|(name, _, _)| place(name));
        Ok(parts)
    }

    fn add(&mut self, column: Column, is_ordered: bool, seen: &Seen) -> Result<(), String> {
        let Column { name, values } = column;
        let series = series_of(&name);
        if self.series.iter().any(|(known, _, _)| *known == series) {
            let label = series.label();
            return Err(format!(
                "expected one column for {label}, found {name} besides"
            ));
        }
        let why = if seen.hashed.contains(&name) {
            "hashed in the log"
        } else if let Some(profile) = values.profile(is_ordered) {
            match series {
                SeriesName::Confidence => self.confidence = values.sample(),
                SeriesName::Value => self.value = values.sample(),
                SeriesName::Class | SeriesName::Feature(_) => {}
            }
            let counts = (values.rows(), values.missing());
            self.series.push((series, profile, counts));
            return Ok(());
        } else {
            "no value at all"
        };
        self.left_out.push(LeftOut { column: name, why });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    fn written(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn built(text: &str, options: &BuildOptions) -> Result<Built, String> {
        let file = written(text);
        build(file.path(), options).map_err(|error| {
            let path = file.path().display().to_string();
            error.to_string().replace(&path, "FILE")
        })
    }

    fn labels(built: &Built) -> Vec<String> {
        let names = built.baseline.profiles().iter();
        names.map(|(name, _)| name.label().into_owned()).collect()
    }

    fn of_model(model: Option<&str>, version: Option<&str>) -> Key {
        Key {
            model: model.map(str::to_owned),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn columns_are_what_their_names_say_and_the_others_are_features() {
        let csv = "age,prediction,confidence,feature:value,city\n41,1,0.9,7,Bern\n,0,0.8,8,NA\n";
        let key = of_model(Some("churn"), Some("7"));
        let options = BuildOptions {
            key: key.clone(),
            ..BuildOptions::default()
        };
        let found = built(csv, &options).unwrap();
        let expected = ["confidence", "class", "age", "feature:value", "city"];
        assert_eq!(labels(&found), expected);
        assert_eq!(found.counts, [(2, 0), (2, 0), (2, 1), (2, 0), (2, 1)]);
        let kinds = found.baseline.profiles().iter().map(|(_, p)| p.bins.kind());
        let kinds: Vec<_> = kinds.collect();
        let expected = [
            "numeric",
            "categorical",
            "numeric",
            "numeric",
            "categorical",
        ];
        assert_eq!(kinds, expected);
        let sample = found.baseline.sample().unwrap();
        assert_eq!(sample.values(), [0.8, 0.9]);
        assert_eq!((found.key, found.is_ordered), (key, false));
        let (_, age) = &found.baseline.profiles()[2];
        assert_eq!(age.tau, None);
    }

    #[test]
    fn rows_in_their_order_tell_how_dependent_they_are_and_limited_ones_are_the_first() {
        let rows = (0..4000).map(|i| format!("{{\"x\":{},\"y\":1}}\n", i / 100));
        let text: String = rows.collect();
        let options = BuildOptions {
            ordered: true,
            categorical: vec!["y".to_owned()],
            limit: Some(2000),
            ..BuildOptions::default()
        };
        let found = built(&text, &options).unwrap();
        assert_eq!((found.rows, found.baseline.rows()), (2000, 2000));
        let (_, x) = &found.baseline.profiles()[0];
        assert!(x.tau.unwrap() > 10.0 && x.longest_run == Some(100));
        let (_, y) = &found.baseline.profiles()[1];
        assert_eq!((y.bins.kind(), y.longest_run), ("categorical", Some(2000)));
    }

    /// A line of the log, of so many seconds.
    fn line(seconds: u32, message: &str, fields: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-24T08:00:{seconds:02}.000007Z\",\"level\":\"INFO\",\
             \"logger\":\"ml-api\",\"message\":\"{message}\",\"request_id\":\"r{seconds}\"{fields}}}\n"
        )
    }

    fn exchange(seconds: u32, fields: &str) -> String {
        line(
            seconds,
            "Request completed",
            &format!(",\"status_code\":200{fields}"),
        )
    }

    #[test]
    fn of_a_log_what_predicted_is_taken_item_by_item() {
        let log = [
            line(0, "listening", ",\"features\":null,\"model\":7"),
            exchange(
                1,
                ",\"model\":\"iris\",\"prediction\":\"0\",\"confidence\":0.9,\"features\":{\"b\":1.5,\"a\":true}",
            ),
            exchange(2, ""),
            exchange(
                3,
                ",\"model\":\"iris\",\"prediction\":[\"1\",null],\"confidence\":[0.5,null],\
                 \"features\":{\"b\":[2,null],\"a\":[true,false],\"c\":[1,2,3]}",
            ),
            line(4, "Drift detected!", ",\"prediction\":7"),
            "{\"timestamp\":\"20".to_owned(),
        ];
        let found = built(&log.concat(), &BuildOptions::default()).unwrap();
        assert_eq!(found.rows, 3);
        assert_eq!(labels(&found), ["confidence", "class", "b", "a"]);
        assert_eq!(found.counts, [(3, 1), (3, 1), (3, 1), (3, 0)]);
        assert_eq!(found.key, of_model(Some("iris"), None));
        assert!(found.is_ordered);
        let left_out: Vec<_> = found
            .left_out
            .iter()
            .map(|c| (c.column.as_str(), c.why))
            .collect();
        assert_eq!(left_out, [("c", "no value at all")]);
        let (_, b) = &found.baseline.profiles()[2];
        assert_eq!(b.tau, Some(1.0));
    }

    #[test]
    fn of_a_large_batch_64_items_count() {
        let list = |of: fn(usize) -> String| (0..1000).map(of).collect::<Vec<_>>().join(",");
        let values = list(|i| format!("{i}.5"));
        let log = exchange(
            1,
            &format!(",\"prediction\":[{values}],\"features\":{{\"x\":[{values}]}}"),
        );
        let found = built(&log, &BuildOptions::default()).unwrap();
        assert_eq!(
            (found.rows, labels(&found)),
            (64, vec!["value".to_owned(), "x".to_owned()])
        );
        let sample = found.baseline.sample().unwrap();
        assert_eq!((sample.values()[0], sample.values()[63]), (0.5, 984.5));
    }

    #[test]
    fn four_lines_of_an_exchange_are_one_row() {
        let log = [
            line(1, "Request started", ""),
            line(1, "Prediction request", ",\"features\":{\"x\":1}"),
            line(2, "Prediction request", ",\"features\":{\"x\":2}"),
            line(
                2,
                "Prediction result",
                ",\"prediction\":\"a\",\"confidence\":0.5,\"model_version\":\"1\"",
            ),
            line(
                3,
                "Prediction result",
                ",\"prediction\":\"a\",\"confidence\":0.6,\"model_version\":\"2\"",
            ),
        ];
        let options = BuildOptions {
            key: of_model(Some("iris"), Some("1")),
            ..BuildOptions::default()
        };
        let found = built(&log.concat(), &options).unwrap();
        assert_eq!(
            (found.rows, labels(&found)),
            (1, ["confidence", "class", "x"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn a_log_of_two_models_needs_a_choice_and_one_of_two_agents_is_in_no_order() {
        let of = |seconds, model: &str| {
            exchange(
                seconds,
                &format!(",\"model\":\"{model}\",\"prediction\":\"x\""),
            )
        };
        let log = [of(20, "a"), of(22, "b"), of(1, "a")].concat();
        let refused = built(&log, &BuildOptions::default()).unwrap_err();
        assert!(
            refused.starts_with("FILE, line 2: expected predictions of one model"),
            "{refused}"
        );
        let options = BuildOptions {
            key: of_model(Some("a"), None),
            ..BuildOptions::default()
        };
        let found = built(&log, &options).unwrap();
        assert_eq!((found.rows, found.is_ordered), (2, false));
    }

    #[test]
    fn what_is_hashed_in_the_log_is_left_out() {
        let hash = "hmac:155c0e2b40ab0e6a";
        let fields = format!(
            ",\"prediction\":\"a\",\"confidence\":\"{hash}\",\"features\":{{\"owner\":\"{hash}\",\"age\":4}}"
        );
        let found = built(&exchange(1, &fields), &BuildOptions::default()).unwrap();
        assert_eq!(labels(&found), ["class", "age"]);
        let left_out: Vec<_> = found.left_out.iter().map(|c| c.column.as_str()).collect();
        assert_eq!(left_out, ["confidence", "owner"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_was_expected() {
        let none = BuildOptions::default();
        let categorical = BuildOptions {
            categorical: vec!["z".to_owned()],
            ..BuildOptions::default()
        };
        for (text, options, expected) in [
            ("", &none, "FILE: expected a header line"),
            ("a,b\n", &none, "FILE: expected rows with values"),
            ("a,b\n,\n", &none, "FILE: expected rows with values"),
            (
                "a,b\n1\n",
                &none,
                "FILE, line 2: expected 2 fields as in the header, found 1",
            ),
            (
                "confidence\n0.5\nhigh\n",
                &none,
                "FILE, line 3: column confidence: expected a number",
            ),
            (
                "class,prediction\na,b\n",
                &none,
                "FILE: expected one column for class, found prediction",
            ),
            ("a\n1\n", &categorical, "FILE: expected a column z"),
            (
                "a;b\n1;2\n",
                &none,
                "FILE, line 1: expected names with commas between them, found semicolons",
            ),
            (
                "{\"a\":1}\n[2]\n",
                &none,
                "FILE, line 2: expected a JSON object",
            ),
            (
                &line(0, "listening", ""),
                &none,
                "FILE: expected lines of exchanges that predicted",
            ),
        ] {
            let error = built(text, options).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_does_not_take_the_file_into_memory() {
        let text = format!("a,b\n1,2\n1,\"2\n{}", "1,2\n".repeat(6_000_000));
        let error = built(&text, &BuildOptions::default()).unwrap_err();
        let expected = "expected the end of a row within 16 MiB";
        assert!(
            error.starts_with("FILE, line 3: ") && error.contains(expected),
            "{error}"
        );
        let text = format!("{{\"a\":1}}\n{{\"a\":\"{}", "1".repeat(20 << 20));
        let error = built(&text, &BuildOptions::default()).unwrap_err();
        assert!(
            error.starts_with("FILE, line 2: expected the end of a line"),
            "{error}"
        );
    }
}
