//! The metrics as points of OTLP, one snapshot after the other.

use std::collections::HashMap;

use super::proto::{
    CUMULATIVE, Data, Gauge, Histogram, HistogramPoint, KeyValue, Metric, NumberPoint, Sum,
};
use crate::metrics::{
    catalogue::{ALL, Family, Kind},
    exposition::{self, Buckets, Read, Series, Value},
};

/// Units in names, as OpenTelemetry writes them. Who makes names of Prometheus of them again adds none
/// that is there already.
const UNITS: [(&str, &str); 2] = [("_seconds", "s"), ("_bytes", "By")];

/// What is known of the snapshots so far: since when each series that only rises counts.
pub(super) struct Snapshots {
    begun: u64,
    /// When the last was made, and what it had.
    before: Option<(u64, HashMap<String, Counted>)>,
}

/// A series that only rises.
struct Counted {
    since: u64,
    total: f64,
}

impl Snapshots {
    /// `begun`: when everything was 0, in nanoseconds since 1970.
    pub(super) fn new(begun: u64) -> Self {
        Self {
            begun,
            before: None,
        }
    }

    /// What `text`, a scrape of the time `now`, says; how many points that are.
    pub(super) fn next(&mut self, text: &str, now: u64) -> (Vec<Metric>, u64) {
        let mut after = HashMap::new();
        let mut points = 0;
        let metrics = exposition::read(text, ALL).into_iter().map(|read| {
            points += read.series.len() as u64;
            self.metric(read, now, &mut after)
        });
        let metrics = metrics.collect();
        self.before = Some((now, after));
        (metrics, points)
    }

    fn metric(&self, read: Read, now: u64, after: &mut HashMap<String, Counted>) -> Metric {
        let Read { family, series } = read;
        let mut since = |series: &Series| self.since(family, series, after);
        let data = match family.kind {
            Kind::Gauge => Data::Gauge(Gauge {
                data_points: series.into_iter().map(|s| number(s, 0, now)).collect(),
            }),
            Kind::Counter => Data::Sum(Sum {
                data_points: series
                    .into_iter()
                    .map(|s| (since(&s), s))
                    .map(|(since, s)| number(s, since, now))
                    .collect(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            Kind::Histogram(_) => Data::Histogram(Histogram {
                data_points: series
                    .into_iter()
                    .map(|s| (since(&s), s))
                    .filter_map(|(since, s)| buckets(s, since, now))
                    .collect(),
                aggregation_temporality: CUMULATIVE,
            }),
        };
        Metric {
            name: family.name.to_owned(),
            description: family.help.to_owned(),
            unit: unit(family).to_owned(),
            data: Some(data),
        }
    }

    /// Since when a series counts. One that was not there, or is less than it was, has begun anew: with a
    /// model that came back, a baseline, other edges.
    fn since(&self, family: &Family, series: &Series, after: &mut HashMap<String, Counted>) -> u64 {
        let key = format!("{}{:?}", family.name, series.labels);
        let total = series.value.total();
        let since = match &self.before {
            None => self.begun,
            Some((at, before)) => match before.get(&key) {
                Some(counted) if counted.total <= total => counted.since,
                _ => *at,
            },
        };
        after.insert(key, Counted { since, total });
        since
    }
}

fn unit(family: &Family) -> &'static str {
    let base = family.name.strip_suffix("_total").unwrap_or(family.name);
    let known = UNITS.iter().find(|(end, _)| base.ends_with(end));
    known.map_or("", |(_, unit)| unit)
}

fn attributes(labels: Vec<(String, String)>) -> Vec<KeyValue> {
    let labels = labels.into_iter();
    labels
        .map(|(name, value)| KeyValue::text(name, value))
        .collect()
}

fn number(series: Series, since: u64, now: u64) -> NumberPoint {
    NumberPoint {
        start_time_unix_nano: since,
        time_unix_nano: now,
        as_double: Some(series.value.total()),
        attributes: attributes(series.labels),
    }
}

fn buckets(series: Series, since: u64, now: u64) -> Option<HistogramPoint> {
    let Value::Histogram(buckets) = series.value else {
        return None;
    };
    let Buckets {
        edges,
        counts,
        sum,
        count,
    } = buckets;
    Some(HistogramPoint {
        start_time_unix_nano: since,
        time_unix_nano: now,
        count,
        sum: Some(sum),
        bucket_counts: counts,
        explicit_bounds: edges,
        attributes: attributes(series.labels),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts of the points of a family, by the value of their first attribute.
    fn starts(metrics: &[Metric], name: &str) -> Vec<(String, u64)> {
        let metric = metrics.iter().find(|m| m.name == name).unwrap();
        let of = |attributes: &[KeyValue], start| (format!("{:?}", attributes[0].value), start);
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
                let points = sum.data_points.iter();
                points
                    .map(|p| of(&p.attributes, p.start_time_unix_nano))
                    .collect()
            }
            Data::Histogram(histogram) => {
                assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
                let points = histogram.data_points.iter();
                points
                    .map(|p| of(&p.attributes, p.start_time_unix_nano))
                    .collect()
            }
            Data::Gauge(gauge) => {
                let points = gauge.data_points.iter();
                points
                    .map(|p| of(&p.attributes, p.start_time_unix_nano))
                    .collect()
            }
        }
    }

    fn values(found: &[(String, u64)]) -> Vec<u64> {
        found.iter().map(|(_, start)| *start).collect()
    }

    #[test]
    fn a_series_counts_from_the_start_until_it_begins_anew() {
        let mut snapshots = Snapshots::new(100);
        let mut next = |text: &str, now| {
            values(&starts(
                &snapshots.next(text, now).0,
                "ml_drift_alarms_total",
            ))
        };
        let line = |series: &str, value: u32| {
            format!("ml_drift_alarms_total{{series=\"{series}\"}} {value}\n")
        };
        assert_eq!(next(&line("a", 5), 200), [100]);
        // as many as before, and one that was not there
        assert_eq!(next(&(line("a", 5) + &line("b", 9)), 300), [100, 200]);
        // fewer: it has begun anew since
        assert_eq!(next(&(line("a", 4) + &line("b", 9)), 400), [300, 200]);
        // one that was away and is more than it was has begun anew too
        assert_eq!(next(&line("a", 4), 500), [300]);
        assert_eq!(next(&(line("a", 6) + &line("b", 99)), 600), [300, 500]);
    }

    #[test]
    fn kinds_names_units_and_values_are_those_of_the_catalogue() {
        let text = "ml_model_loaded{model=\"a\",model_version=\"1\"} 1\n\
            process_cpu_seconds_total 0\nsidelight_queue_bytes 12\n\
            ml_model_inference_seconds_bucket{model=\"a\",le=\"0.5\"} 2\n\
            ml_model_inference_seconds_bucket{model=\"a\",le=\"+Inf\"} 3\n\
            ml_model_inference_seconds_sum{model=\"a\"} 9.5\n\
            ml_model_inference_seconds_count{model=\"a\"} 3\n";
        let (metrics, points) = Snapshots::new(1).next(text, 2);
        assert_eq!(points, 4);
        let units: Vec<_> = metrics
            .iter()
            .map(|m| (m.name.as_str(), m.unit.as_str()))
            .collect();
        assert_eq!(
            units,
            [
                ("ml_model_loaded", ""),
                ("process_cpu_seconds_total", "s"),
                ("sidelight_queue_bytes", "By"),
                ("ml_model_inference_seconds", "s"),
            ]
        );
        assert!(metrics.iter().all(|m| m.description.ends_with('.')));
        let Some(Data::Sum(cpu)) = &metrics[1].data else {
            panic!("no sum");
        };
        assert_eq!(cpu.data_points[0].as_double, Some(0.0));
        assert_eq!(values(&starts(&metrics, "ml_model_loaded")), [0]);
        let Some(Data::Histogram(seconds)) = &metrics[3].data else {
            panic!("no histogram");
        };
        let point = &seconds.data_points[0];
        assert_eq!((point.count, point.sum), (3, Some(9.5)));
        assert_eq!(point.bucket_counts, [2, 1]);
        assert_eq!(point.explicit_bounds, [0.5]);
        assert_eq!(point.attributes, [KeyValue::text("model", "a")]);
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
    }
}
