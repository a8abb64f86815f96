//! The text that Prometheus reads, read back: what is exported is what a scrape of the same moment says.
//!
//! The exporter gives out nothing but its text, and so the values of counters, of tables and of what is
//! only known when asked come by one way. Lines are ours: of families of the catalogue, without
//! timestamps. One that cannot be read is left out.

use std::collections::HashMap;

use super::catalogue::{Family, Kind};

/// A family with its series, in the order of the text.
#[derive(Debug)]
pub struct Read {
    /// Which.
    pub family: &'static Family,
    /// Its series.
    pub series: Vec<Series>,
}

/// One label set of a family.
#[derive(Debug, PartialEq)]
pub struct Series {
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// What it says.
    pub value: Value,
}

/// What a series says.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(Buckets),
}

/// A histogram: how many values lie up to each edge and above the one before, and above all edges.
#[derive(Debug, Default, PartialEq)]
pub struct Buckets {
    /// Upper edges, ascending.
    pub edges: Vec<f64>,
    /// One for each and one for what is above.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: f64,
    /// How many.
    pub count: u64,
}

impl Value {
    /// What only rises, if its family does.
    pub fn total(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            #[expect(clippy::cast_precision_loss, reason = "it is compared, not shown")]
            Self::Histogram(buckets) => buckets.count as f64,
        }
    }
}

/// Those of `families` that have series in `text`.
pub fn read(text: &str, families: &[&'static Family]) -> Vec<Read> {
    let named: HashMap<&str, &'static Family> = families.iter().map(|&f| (f.name, f)).collect();
    let mut places = HashMap::new();
    let mut found: Vec<Read> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(sample) = Sample::of(line, &named) else {
            continue;
        };
        let place = *places.entry(sample.family.name).or_insert_with(|| {
            found.push(Read {
                family: sample.family,
                series: Vec::new(),
            });
            found.len() - 1
        });
        sample.add_to(&mut found[place].series);
    }
    found
}

/// One line.
struct Sample<'a> {
    family: &'static Family,
    /// `_bucket`, `_sum` or `_count` of a histogram.
    part: &'a str,
    labels: Vec<(String, String)>,
    value: &'a str,
}

impl<'a> Sample<'a> {
    fn of(line: &'a str, named: &HashMap<&str, &'static Family>) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        let (family, part) = if let Some(family) = named.get(name) {
            (*family, "")
        } else {
            let (base, part) = name.split_at(name.rfind('_')?);
            (*named.get(base)?, part)
        };
        let labels = labels_of(labels)?;
        Some(Self {
            family,
            part,
            labels,
            value,
        })
    }

    /// The lines of one label set follow each other.
    fn add_to(mut self, series: &mut Vec<Series>) {
        if !matches!(self.family.kind, Kind::Histogram(_)) {
            if let Ok(number) = self.value.parse() {
                let (labels, value) = (self.labels, Value::Number(number));
                series.push(Series { labels, value });
            }
            return;
        }
        let edge = self.labels.iter().position(|(name, _)| name == "le");
        let edge = edge.map(|place| self.labels.remove(place).1);
        if series.last().is_none_or(|last| last.labels != self.labels) {
            let value = Value::Histogram(Buckets::default());
            let labels = self.labels;
            series.push(Series { labels, value });
        }
        let Some(Series {
            value: Value::Histogram(buckets),
            ..
        }) = series.last_mut()
        else {
            return;
        };
        match (self.part, edge) {
            ("_bucket", Some(edge)) => buckets.up_to(&edge, self.value),
            ("_sum", None) => buckets.sum = self.value.parse().unwrap_or(f64::NAN),
            ("_count", None) => buckets.count = self.value.parse().unwrap_or_default(),
            _ => {}
        }
    }
}

impl Buckets {
    /// `total`: with those below.
    fn up_to(&mut self, edge: &str, total: &str) {
        let below: u64 = self.counts.iter().sum();
        let total = total.parse().unwrap_or(below);
        self.counts.push(total.saturating_sub(below));
        if edge != "+Inf" {
            self.edges.push(edge.parse().unwrap_or(f64::NAN));
        }
    }
}

/// `a="b",c="d"`, with `\\`, `\"` and `\n` in values.
fn labels_of(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => value.push(match characters.next()? {
                    'n' => '\n',
                    other => other,
                }),
                other => value.push(other),
            }
        }
        labels.push((name.to_owned(), value));
        let rest = characters.as_str();
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::{
        Metrics, Table,
        catalogue::{self, ALL},
    };

    fn of(read: &[Read], family: &'static Family) -> Vec<(Vec<String>, String)> {
        let found = read.iter().find(|r| r.family.name == family.name).unwrap();
        let shown = |series: &Series| {
            let labels = series.labels.iter().map(|(n, v)| format!("{n}={v}"));
            (labels.collect(), format!("{:?}", series.value))
        };
        found.series.iter().map(shown).collect()
    }

    #[test]
    fn what_was_rendered_is_read_back_whoever_holds_it() {
        let metrics = Metrics::new(1000).unwrap();
        let odd = "a\"b\\c\nd,e=\"{} ";
        metrics
            .counter(&catalogue::REQUESTS, &["POST", odd, "200"])
            .increment(3);
        metrics.gauge(&catalogue::ACTIVE_REQUESTS, &[]).set(-1.5);
        let duration = metrics.histogram(&catalogue::REQUEST_DURATION, &["/a"]);
        duration.record(0.001);
        duration.record(0.02);
        duration.record(1e9);
        let own: Arc<[f64]> = Arc::from([-1.0, 2.5].as_slice());
        for version in ["1", "2"] {
            let edged = metrics.edged(&catalogue::PREDICTION_VALUE, &[odd, version], &own);
            edged.unwrap().record(2.0);
        }
        let mut table = Table::default();
        table.push(&catalogue::MODEL_LOADED, &[odd, "1"], 1.0);
        metrics.publish(&table);
        metrics.add_collector(|t| t.push(&catalogue::QUEUE_BYTES, &[], 7e20));

        let read = read(&metrics.render(), ALL);
        let label = format!("endpoint={odd}");
        assert_eq!(
            of(&read, &catalogue::REQUESTS),
            [(
                vec![
                    "method=POST".to_owned(),
                    label,
                    "status_code=200".to_owned()
                ],
                "Number(3.0)".to_owned()
            )]
        );
        assert_eq!(of(&read, &catalogue::ACTIVE_REQUESTS)[0].1, "Number(-1.5)");
        assert_eq!(
            of(&read, &catalogue::MODEL_LOADED)[0].0[0],
            format!("model={odd}")
        );
        assert_eq!(of(&read, &catalogue::QUEUE_BYTES)[0].1, "Number(7e20)");
        let values = of(&read, &catalogue::PREDICTION_VALUE);
        assert_eq!(values.len(), 2);
        let expected =
            "Histogram(Buckets { edges: [-1.0, 2.5], counts: [0, 1, 0], sum: 2.0, count: 1 })";
        assert_eq!(values[1].1, expected);
        let durations = &of(&read, &catalogue::REQUEST_DURATION)[0];
        assert_eq!(durations.0, ["endpoint=/a"]);
        let Kind::Histogram(edges) = catalogue::REQUEST_DURATION.kind else {
            panic!("no histogram");
        };
        let start = format!("Histogram(Buckets {{ edges: {edges:?}, counts: [1, 0, 0, 0, 1, 0,");
        assert!(durations.1.starts_with(&start), "{}", durations.1);
        assert!(durations.1.contains("0, 1], sum: 1000000000.021, count: 3"));
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        let lines = "\n# TYPE x counter\nml_api_active_requests 1\nml_api_active_requests x\n\
            unknown 1\nunknown_count 1\nml_model_loaded{model=\"a 1\nml_model_loaded{model} 1\n";
        let read = read(lines, ALL);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].series.len(), 1);
    }
}
