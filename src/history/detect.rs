//! A stream of rows against a baseline.

use std::path::Path;

use super::table::{Table, TableError};
use crate::drift::{
    Gathered, Value,
    episode::Change,
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

/// The threshold that is used live.
const THRESHOLD: f64 = 30.0;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the stream.
    pub predictions: u64,
    /// Columns in use.
    pub series: usize,
    /// Alarms.
    pub alarms: u64,
}

/// Runs the rows of `stream` past the baseline that the rows of `baseline` make, and tells `each` of every
/// alarm in the order of the rows.
///
/// Columns that are in both files are in use.
///
/// # Errors
/// When a file cannot be read.
pub fn detect(
    baseline: &Path,
    stream: &Path,
    options: &Options,
    mut each: impl FnMut(&Alarmed),
) -> Result<Summary, TableError> {
    let columns = gather(Table::open(baseline)?, options)?;
    let mut rows = Table::open(stream)?;
    let base = options.rate.map_or(THRESHOLD, scan::base_threshold);
    let mut watched = Watched::new(columns, rows.names(), options.ordered, base);
    let mut summary = Summary {
        predictions: 0,
        series: 0,
        alarms: 0,
    };
    watched.place(rows.names());
    loop {
        let mut alarms = Vec::new();
        let has_row = rows.row(|place, cell| alarms.extend(watched.push(place, cell)))?;
        if !has_row {
            break;
        }
        summary.predictions += 1;
        alarms.extend(watched.end_row());
        watched.place(rows.names());
        summary.alarms += alarms.len() as u64;
        alarms.iter().for_each(&mut each);
    }
    summary.series = watched.in_use();
    Ok(summary)
}

/// One column of a baseline.
struct Column {
    name: String,
    values: Gathered,
}

/// All columns of a baseline.
fn gather(mut table: Table, options: &Options) -> Result<Vec<Column>, TableError> {
    let mut columns: Vec<Column> = Vec::new();
    let mut count = 0;
    loop {
        let mut later = Vec::new();
        let has_row = table.row(|place, cell| match columns.get_mut(place) {
            Some(column) => column.values.push(cell),
            None => later.push(owned(cell)),
        })?;
        if !has_row {
            return Ok(columns);
        }
        // columns of JSON lines that were not there before
        for (value, name) in later
            .into_iter()
            .zip(&table.names()[columns.len()..].to_vec())
        {
            let mut values = Gathered::new(options.categorical.contains(name));
            values.fill(count);
            values.push(value.cell());
            columns.push(Column {
                name: name.clone(),
                values,
            });
        }
        count += 1;
        for column in &mut columns {
            column.values.fill(count);
        }
    }
}

/// A value that outlives its row.
enum Owned {
    Missing,
    Number(f64),
    Word(String),
}

impl Owned {
    fn cell(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Number(number) => Value::Number(*number),
            Self::Word(word) => Value::Word(word),
        }
    }
}

fn owned(cell: Value<'_>) -> Owned {
    match cell {
        Value::Missing => Owned::Missing,
        Value::Number(number) => Owned::Number(number),
        Value::Word(word) => Owned::Word(word.to_owned()),
    }
}

/// The series of a stream.
struct Watched {
    series: Vec<Of>,
    /// Which of them a column of the stream is.
    places: Vec<Option<usize>>,
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
    fn new(columns: Vec<Column>, names: &[String], is_ordered: bool, base: f64) -> Self {
        let baselines = columns.into_iter().filter_map(|column| {
            let baseline = column.values.profile(is_ordered)?;
            Some((column.name, baseline))
        });
        let baselines: Vec<_> = baselines.collect();
        let count = baselines
            .iter()
            .filter(|(name, _)| names.contains(name))
            .count();
        let series = baselines.into_iter().map(|(name, baseline)| Of {
            name,
            series: Series::new(baseline, base, count, 0.0),
            is_in_use: false,
            is_pushed: false,
        });
        Self {
            series: series.collect(),
            places: Vec::new(),
        }
    }

    /// Finds the series of the stream's columns by their names.
    fn place(&mut self, names: &[String]) {
        for name in &names[self.places.len().min(names.len())..] {
            let place = self.series.iter().position(|of| of.name == *name);
            if let Some(of) = place.and_then(|place| self.series.get_mut(place)) {
                of.is_in_use = true;
            }
            self.places.push(place);
        }
    }

    fn in_use(&self) -> usize {
        self.series.iter().filter(|of| of.is_in_use).count()
    }

    fn push(&mut self, column: usize, cell: Value<'_>) -> Option<Alarmed> {
        let place = self.places.get(column).copied().flatten()?;
        let of = self.series.get_mut(place)?;
        of.is_pushed = true;
        of.push(cell)
    }

    /// Series that the row lacked are missing in it.
    fn end_row(&mut self) -> Vec<Alarmed> {
        let mut alarms = Vec::new();
        for of in &mut self.series {
            if of.is_in_use && !std::mem::take(&mut of.is_pushed) {
                alarms.extend(of.push(Value::Missing));
            }
        }
        alarms
    }
}

impl Of {
    fn push(&mut self, cell: Value<'_>) -> Option<Alarmed> {
        let change = self.series.push(cell);
        let Some(Change::Began(alarm) | Change::Renewed(alarm)) = change else {
            return None;
        };
        self.series.restart();
        let profile = self.series.profile();
        Some(Alarmed {
            series: self.name.clone(),
            alarm,
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
    fn a_file_that_is_no_table_is_refused_with_its_line() {
        for (text, expected) in [
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
}
