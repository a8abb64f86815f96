//! A stream of rows against a baseline.

use std::{
    io::{BufRead, Read},
    path::Path,
    sync::Arc,
};

use super::{
    columns::{Columns, series_of},
    table::{self, Input, Table, TableError},
};
use crate::drift::{
    Key, Profile, SeriesName, Value,
    episode::Change,
    file,
    scan::{self, Alarm},
    series::Series,
};

/// How it is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The baseline's rows are in the order in which they came, so that it says how dependent they are.
    pub ordered: bool,
    /// False alarms per million predictions; `None`: those of the threshold that is used live.
    pub rate: Option<f64>,
    /// Columns whose numbers are classes.
    pub categorical: Vec<String>,
}

/// One alarm; behind it the series begins anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarmed {
    /// The column.
    pub series: String,
    /// The row of the stream, from 1, and what was found.
    pub alarm: Alarm,
    /// The region in words.
    pub region_text: String,
    /// The share of the baseline in it, in `[0, 1]`.
    pub baseline_share: f64,
    /// The share of the window in it, in `[0, 1]`.
    pub recent_share: f64,
}

/// What was seen altogether.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the stream.
    pub predictions: u64,
    /// Columns in use.
    pub series: usize,
    /// Alarms.
    pub alarms: u64,
    /// Columns that only the baseline has.
    pub only_baseline: Vec<String>,
    /// Columns that only the stream has, or has values of.
    pub only_stream: Vec<String>,
}

/// Runs the rows of `stream` past the baseline that the rows of `baseline` make, and tells `each` of every
/// alarm in the order of the rows.
///
/// Columns that are in both files are in use, and each counts for the threshold of all from where it begins.
///
/// # Errors
/// When a file cannot be read, or they have no column in common.
pub fn detect(
    baseline: &Path,
    stream: &Path,
    options: &Options,
    mut each: impl FnMut(&Alarmed),
) -> Result<Summary, TableError> {
    let (key, expected) = expected(baseline, options)?;
    let mut rows = Table::new(stream, table::open(stream)?)?;
    rows.choose(key);
    let base = scan::threshold(options.rate);
    let mut watched = Watched::new(expected, rows.names(), base);
    let mut count = 0;
    loop {
        let mut alarms = Vec::new();
        let has_row =
            rows.row(|place, name, cell| alarms.extend(watched.push(place, name, cell)))?;
        if !has_row {
            break;
        }
        alarms.extend(watched.end_row());
        count += alarms.len() as u64;
        alarms.iter().for_each(&mut each);
    }
    let summary = watched.summary(rows.names(), count);
    if summary.series > 0 {
        return Ok(summary);
    }
    Err(rows.refused(if rows.names().is_empty() {
        "expected lines of exchanges that predicted".to_owned()
    } else {
        let first = |names: &[String]| names.first().cloned().unwrap_or_default();
        format!(
            "expected a column that {} has, such as {:?}, found only others, such as {:?}",
            baseline.display(),
            first(&summary.only_baseline),
            first(&summary.only_stream)
        )
    }))
}

/// What a series should be like, as its file calls it.
type Expected = (String, Profile);

/// What a file says of each series: rows, or what `sidelight baseline` wrote, which says whose it is.
fn expected(path: &Path, options: &Options) -> Result<(Key, Vec<Expected>), TableError> {
    let mut input = table::open(path)?;
    let start = input.fill_buf();
    if file::is_baseline(start.map_err(|source| table::io_error(path, source))?) {
        return written(path, input, options);
    }
    let mut table = Table::new(path, input)?;
    let is_categorical = |column: &str| options.categorical.iter().any(|name| name == column);
    let columns = Columns::gather(&mut table, usize::MAX, is_categorical, |_, _| Ok(()))?;
    columns.have_all(&options.categorical, path, table.names())?;
    let profiles = columns.all.into_iter().filter_map(|column| {
        let profile = column.values.profile(options.ordered)?;
        Some((column.name, profile))
    });
    let profiles: Vec<_> = profiles.collect();
    if profiles.is_empty() {
        return Err(table.refused("expected rows with values"));
    }
    Ok((Key::default(), profiles))
}

/// What `sidelight baseline` wrote.
fn written(
    path: &Path,
    input: Input,
    options: &Options,
) -> Result<(Key, Vec<Expected>), TableError> {
    let refused = |message: String| TableError::File {
        path: path.to_owned(),
        message,
    };
    if !options.categorical.is_empty() {
        return Err(TableError::Categorical {
            path: path.to_owned(),
            message: "a baseline that was built says itself which columns are classes; leave \
                      --categorical out"
                .to_owned(),
        });
    }
    let mut bytes = Vec::new();
    input
        .take(file::LARGEST)
        .read_to_end(&mut bytes)
        .map_err(|source| table::io_error(path, source))?;
    let (key, baseline) = file::parse(&bytes).map_err(|damage| {
        refused(format!(
            "expected a baseline as sidelight baseline wrote it: {damage}"
        ))
    })?;
    let profiles = baseline.profiles().iter().map(|(name, profile)| {
        let mut profile = Profile::clone(profile);
        if !options.ordered {
            profile.tau = None;
        } else if profile.tau.is_none() {
            let message = "expected a baseline of ordered rows: build it with --ordered, or leave \
                           --ordered out";
            return Err(refused(message.to_owned()));
        }
        Ok((name.label().into_owned(), profile))
    });
    let profiles: Result<Vec<_>, _> = profiles.collect();
    Ok((key, profiles?))
}

/// The series of a stream.
struct Watched {
    series: Vec<Of>,
    /// Which of them a column of the stream is.
    places: Vec<Option<usize>>,
    /// Threshold of a single one.
    base: f64,
    /// Rows that are complete.
    rows: u64,
}

struct Of {
    name: String,
    series: Series,
    /// The stream has it.
    is_in_use: bool,
    /// It had a value in this row.
    is_pushed: bool,
}

impl Watched {
    /// `names`: those of the stream's columns, as far as they are known.
    fn new(expected: Vec<Expected>, names: &[String], base: f64) -> Self {
        let series = expected.into_iter().map(|(name, profile)| Of {
            name,
            series: Series::new(Arc::new(profile), base, 1, 0.0),
            is_in_use: false,
            is_pushed: false,
        });
        let mut watched = Self {
            series: series.collect(),
            places: Vec::new(),
            base,
            rows: 0,
        };
        for name in names {
            watched.place(name);
        }
        watched
    }

    /// Finds the series of the stream's next column by its name.
    fn place(&mut self, name: &str) {
        let place = place_of(self.series.iter().map(|of| of.name.as_str()), name);
        if let Some(of) = place.and_then(|place| self.series.get_mut(place))
            && !of.is_in_use
        {
            of.is_in_use = true;
            let count = self.in_use();
            for of in &mut self.series {
                of.series.set_rules(self.base, count, 0.0);
            }
        }
        self.places.push(place);
    }

    fn in_use(&self) -> usize {
        self.series.iter().filter(|of| of.is_in_use).count()
    }

    fn push(&mut self, column: usize, name: &str, cell: Value<'_>) -> Option<Alarmed> {
        if column == self.places.len() {
            self.place(name);
        }
        let place = self.places.get(column).copied().flatten()?;
        let of = self.series.get_mut(place)?;
        of.is_pushed = true;
        of.push(self.rows + 1, cell)
    }

    /// Series that the row lacked are missing in it.
    fn end_row(&mut self) -> Vec<Alarmed> {
        self.rows += 1;
        let mut alarms = Vec::new();
        for of in &mut self.series {
            if of.is_in_use && !std::mem::take(&mut of.is_pushed) {
                alarms.extend(of.push(self.rows, Value::Missing));
            }
        }
        alarms
    }

    /// `names`: those of the stream's columns.
    fn summary(&self, names: &[String], alarms: u64) -> Summary {
        let only_baseline = self.series.iter().filter(|of| !of.is_in_use);
        let only_stream = names.iter().zip(&self.places);
        let only_stream = only_stream.filter(|(_, place)| place.is_none());
        Summary {
            predictions: self.rows,
            series: self.in_use(),
            alarms,
            only_baseline: only_baseline.map(|of| of.name.clone()).collect(),
            only_stream: only_stream.map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// The series that is called so, or else what another name stands for.
fn place_of<'a>(series: impl Iterator<Item = &'a str> + Clone, name: &str) -> Option<usize> {
    let same = series.clone().position(|known| known == name);
    let stands_for: SeriesName = series_of(name);
    same.or_else(|| series.map(series_of).position(|known| known == stands_for))
}

impl Of {
    /// Adds the value of a row, from 1: a column that begins late has fewer values than there are rows.
    fn push(&mut self, row: u64, cell: Value<'_>) -> Option<Alarmed> {
        let change = self.series.push(cell);
        let Some(Change::Began(alarm) | Change::Renewed(alarm)) = change else {
            return None;
        };
        self.series.restart();
        let profile = self.series.profile();
        Some(Alarmed {
            series: self.name.clone(),
            alarm: Alarm { at: row, ..alarm },
            region_text: profile.bins.region_text(alarm.region),
            baseline_share: profile.reference.share(alarm.region),
            recent_share: f64::from(alarm.inside) / scan::size(alarm.level),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;
    use crate::history::{BuildOptions, build};

    /// A file of this text, gone with it.
    fn written(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    /// Rows of a uniform number and of one class in three, both moved by `shift` from row `at` on.
    fn rows(seed: u64, count: usize, at: usize, shift: f64) -> Vec<(f64, &'static str)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let row = |i| {
            let is_moved = i >= at;
            let number = random.f64() + if is_moved { shift } else { 0.0 };
            let class = ["a", "b", "c"][random.usize(..3)];
            (number, if is_moved && shift > 0.0 { "a" } else { class })
        };
        (0..count).map(row).collect()
    }

    fn csv(rows: &[(f64, &str)]) -> String {
        let lines = rows
            .iter()
            .map(|(number, class)| format!("{number},\"{class}\"\n"));
        format!("x,kind\n{}", lines.collect::<String>())
    }

    fn json(rows: &[(f64, &str)]) -> String {
        let line = |(number, class): &(f64, &str)| {
            format!(
                "{}\n",
                serde_json::json!({"kind": class, "x": number, "other": [1]})
            )
        };
        rows.iter().map(line).collect()
    }

    fn run(baseline: &str, stream: &str) -> (Summary, Vec<Alarmed>) {
        let (baseline, stream) = (written(baseline), written(stream));
        let options = Options {
            ordered: true,
            ..Options::default()
        };
        let mut alarms = Vec::new();
        let each = |alarmed: &Alarmed| alarms.push(alarmed.clone());
        let summary = detect(baseline.path(), stream.path(), &options, each).unwrap();
        (summary, alarms)
    }

    #[test]
    fn what_moves_alarms_in_either_format_and_what_stays_does_not() {
        let baseline = rows(1, 2000, 2000, 0.0);
        let still = rows(2, 20_000, 20_000, 0.0);
        let (summary, _) = run(&csv(&baseline), &json(&still));
        assert_eq!(
            (summary.predictions, summary.series, summary.alarms),
            (20_000, 2, 0)
        );
        let moved = rows(3, 3000, 1000, 0.4);
        let (summary, alarms) = run(&json(&baseline), &csv(&moved));
        assert_eq!(summary.alarms, alarms.len() as u64);
        for series in ["x", "kind"] {
            let first = alarms
                .iter()
                .find(|alarmed| alarmed.series == series)
                .unwrap();
            assert!((1001..1100).contains(&first.alarm.at), "{first:?}");
            assert!(
                first.alarm.score > 1.0 && (first.recent_share - first.baseline_share).abs() > 0.1
            );
        }
    }

    #[test]
    fn a_column_that_the_stream_lacks_is_not_in_use_and_one_that_it_loses_is_missing() {
        let baseline = csv(&rows(1, 1000, 1000, 0.0));
        let without = csv(&rows(2, 500, 500, 0.0)).replace("x,kind", "x,sort");
        let (summary, _) = run(&baseline, &without);
        assert_eq!((summary.series, summary.alarms), (1, 0));
        let mut lost = json(&rows(2, 500, 500, 0.0));
        lost.extend((0..500).map(|_| "{\"kind\":\"a\"}\n"));
        let (_, alarms) = run(&baseline, &lost);
        let first = alarms.iter().find(|alarmed| alarmed.series == "x").unwrap();
        // fewer are at most anything
        assert!(first.recent_share < first.baseline_share, "{first:?}");
        assert!((501..600).contains(&first.alarm.at), "{first:?}");
    }

    #[test]
    fn a_column_that_begins_late_alarms_at_the_row_and_counts_for_the_threshold_of_all() {
        let baseline = csv(&rows(1, 2000, 2000, 0.0));
        let both = rows(5, 3000, 2000, 0.4);
        let late = |from: usize| -> String {
            let line = |(i, (number, class)): (usize, &(f64, &str))| match i {
                i if i < from => format!("{{\"x\":{number}}}\n"),
                _ => format!("{{\"x\":{number},\"kind\":\"{class}\"}}\n"),
            };
            both.iter().enumerate().map(line).collect()
        };
        let of = |series: &str, (_, alarms): &(Summary, Vec<Alarmed>)| {
            let all = alarms.iter().filter(|alarmed| alarmed.series == series);
            all.cloned().collect::<Vec<_>>()
        };
        let (from_first, begun_late) = (run(&baseline, &late(0)), run(&baseline, &late(1000)));
        let kind = of("kind", &begun_late);
        assert!((2001..2100).contains(&kind[0].alarm.at), "{kind:?}");
        assert_eq!(of("x", &begun_late), of("x", &from_first));
        assert_eq!(begun_late.0.series, 2);
    }

    #[test]
    fn of_a_log_the_row_is_told_where_its_field_began_late() {
        let baseline = csv(&rows(1, 2000, 2000, 0.0));
        let both = rows(5, 3000, 2000, 0.4);
        let line = |(i, (number, class)): (usize, &(f64, &str))| {
            let kind = format!(",\"kind\":\"{class}\"");
            let kind = if i < 1000 { "" } else { &kind };
            format!(
                "{{\"timestamp\":\"2026-11-24T08:00:00Z\",\"level\":\"INFO\",\"logger\":\"ml-api\",\
                 \"message\":\"Request completed\",\"prediction\":\"a\",\"features\":{{\"x\":{number}{kind}}}}}\n"
            )
        };
        let log: String = both.iter().enumerate().map(line).collect();
        let (summary, alarms) = run(&baseline, &log);
        let kind = alarms
            .iter()
            .find(|alarmed| alarmed.series == "kind")
            .unwrap();
        assert!((2001..2100).contains(&kind.alarm.at), "{kind:?}");
        assert_eq!((summary.predictions, summary.series), (3000, 2));
        assert_eq!(summary.only_stream, ["class"]);
    }

    #[test]
    fn names_that_only_one_side_has_are_told_and_none_in_common_is_an_error() {
        let (summary, _) = run("a,b,e\n1,2,\n", "A,b,c\n1,2,3\n");
        assert_eq!(
            (summary.series, summary.only_baseline),
            (1, vec!["a".to_owned()])
        );
        assert_eq!(summary.only_stream, ["A", "c"]);
        let refused = |baseline: &str, stream: &str, categorical: &[&str]| {
            let (baseline, stream) = (written(baseline), written(stream));
            let options = Options {
                categorical: categorical.iter().map(|name| (*name).to_owned()).collect(),
                ..Options::default()
            };
            detect(baseline.path(), stream.path(), &options, |_| ()).unwrap_err()
        };
        let log = "{\"timestamp\":\"\",\"level\":\"\",\"logger\":\"\",\"message\":\"\"}\n";
        let built = build(written("a\n1\n").path(), &BuildOptions::default()).unwrap();
        let built = String::from_utf8(file::render(&built.key, &built.baseline)).unwrap();
        for (baseline, stream, categorical, expected, is_usage) in [
            (
                "a\n1\n",
                "b\n1\n",
                &[][..],
                "such as \"a\", found only others, such as \"b\"",
                false,
            ),
            ("a\n1\n", log, &[], "expected lines of exchanges", false),
            ("a\n", "a\n1\n", &[], "expected rows with values", false),
            (
                "a\n1\n",
                "a\n1\n",
                &["lable"],
                "expected a column lable",
                true,
            ),
            (&built, "a\n1\n", &["a"], "leave --categorical out", true),
            ("a;b\n1;2\n", "a\n1\n", &[], "found semicolons", false),
        ] {
            let error = refused(baseline, stream, categorical);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.is_usage(), is_usage, "{error}");
        }
        // a name without a value is one
        let error = refused("a,lable\n1,\n", "b\n1\n", &["lable"]);
        assert!(!error.is_usage(), "{error}");
    }

    #[test]
    fn a_file_that_is_no_table_is_refused_with_its_line() {
        for (text, expected) in [
            ("a,a\n1,2\n", "line 1: expected different names"),
            ("", "expected a header line"),
            ("{\"a\":1}\n{\"a\":\n", "line 2: expected a JSON object"),
            ("a,b\n1,2\n1,2,3\n", "line 3"),
        ] {
            let file = written(text);
            let error = detect(file.path(), file.path(), &Options::default(), |_| ()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let nowhere = Path::new("/nowhere/at/all.csv");
        let error = detect(nowhere, nowhere, &Options::default(), |_| ()).unwrap_err();
        assert!(error.to_string().contains("cannot read"), "{error}");
    }

    #[test]
    fn a_baseline_that_was_built_finds_what_its_rows_find() {
        let rows_of = csv(&rows(1, 2000, 2000, 0.0));
        let options = BuildOptions {
            ordered: true,
            ..BuildOptions::default()
        };
        let file_of = |options: &BuildOptions| {
            let built = build(written(&rows_of).path(), options).unwrap();
            String::from_utf8(file::render(&built.key, &built.baseline)).unwrap()
        };
        let stream = csv(&rows(3, 3000, 1000, 0.4));
        let found = run(&file_of(&options), &stream);
        assert_eq!(found, run(&rows_of, &stream));
        assert!(found.0.alarms > 0);
        let (unordered, stream) = (file_of(&BuildOptions::default()), written(&stream));
        let options = Options {
            ordered: true,
            ..Options::default()
        };
        let error = detect(written(&unordered).path(), stream.path(), &options, |_| ());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("expected a baseline of ordered rows"),
            "{error}"
        );
        let live = detect(
            written(&unordered).path(),
            stream.path(),
            &Options::default(),
            |_| (),
        );
        assert_eq!(live.unwrap().series, 2);
        let damaged = unordered.replace("\"x\"", "\"y\"");
        let error = detect(
            written(&damaged).path(),
            stream.path(),
            &Options::default(),
            |_| (),
        );
        assert!(error.unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn series_match_by_what_they_are_where_names_differ() {
        let baseline = "predicted_class,confidence\na,0.5\n";
        let (summary, _) = run(
            baseline,
            "{\"prediction\":\"a\",\"confidence\":0.5,\"x\":1}\n",
        );
        assert_eq!((summary.series, summary.predictions), (2, 1));
    }
}
