//! Histograms with edges of their own: written by one thread, read at a scrape, without a lock
//! between them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{Table, catalogue::Family};

/// Counts by upper edge, and their sum. One thread writes.
#[derive(Debug)]
pub struct Edged {
    family: &'static Family,
    labels: Vec<String>,
    edges: Arc<[f64]>,
    /// One for each edge and one for what is above; each without those below.
    counts: Box<[AtomicU64]>,
    /// Bits of a float.
    sum: AtomicU64,
}

impl Edged {
    fn new(family: &'static Family, labels: &[&str], edges: &Arc<[f64]>) -> Self {
        Self {
            family,
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            counts: (0..=edges.len()).map(|_| AtomicU64::default()).collect(),
            edges: Arc::clone(edges),
            sum: AtomicU64::new(0.0_f64.to_bits()),
        }
    }

    /// Series that so many edges make: each, +Inf, `_sum` and `_count`.
    pub fn series(edges: &[f64]) -> usize {
        edges.len() + 3
    }

    /// Counts `value`; one that is not finite is left out, for it would poison the sum for ever.
    pub fn record(&self, value: f64) {
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed)) + value;
        if !value.is_finite() || !sum.is_finite() {
            return;
        }
        self.sum.store(sum.to_bits(), Ordering::Relaxed);
        let place = self.edges.partition_point(|edge| *edge < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn push(&self, table: &mut Table) {
        let counts: Vec<u64> = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        table.push_histogram(self.family, &labels, &self.edges, &counts, sum);
    }
}

/// All of them, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct AllEdged(Mutex<Vec<Arc<Edged>>>);

impl AllEdged {
    /// The one of `labels`, begun anew where it has other edges; `has_room`: whether so many series
    /// more fit. `None`: they do not.
    pub(super) fn get(
        &self,
        family: &'static Family,
        labels: &[&str],
        edges: &Arc<[f64]>,
        has_room: impl FnOnce(usize) -> bool,
    ) -> Option<Arc<Edged>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter_mut()
            .find(|known| known.family.name == family.name && known.labels == labels);
        let before = known
            .as_ref()
            .map_or(0, |known| Edged::series(&known.edges));
        match known {
            Some(known) if known.edges == *edges => Some(Arc::clone(known)),
            _ if !has_room(Edged::series(edges).saturating_sub(before)) => None,
            Some(known) => {
                *known = Arc::new(Edged::new(family, labels, edges));
                Some(Arc::clone(known))
            }
            None => {
                let new = Arc::new(Edged::new(family, labels, edges));
                all.push(Arc::clone(&new));
                Some(new)
            }
        }
    }

    pub(super) fn series(&self) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|one| Edged::series(&one.edges)).sum()
    }

    pub(super) fn push(&self, table: &mut Table) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().for_each(|one| one.push(table));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Metrics, catalogue::PREDICTION_VALUE},
        *,
    };

    fn edges(edges: &[f64]) -> Arc<[f64]> {
        Arc::from(edges)
    }

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.render();
        let lines = text
            .lines()
            .filter(|l| l.starts_with("ml_model_prediction_value"));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn values_are_counted_up_to_each_edge() {
        let metrics = Metrics::new(100).unwrap();
        let labels = ["a\"b", "1"];
        let edged = metrics
            .edged(&PREDICTION_VALUE, &labels, &edges(&[-1.0, 0.5, 10.0]))
            .unwrap();
        for value in [-5.0, -1.0, 0.5, 0.75, 1e9, f64::NAN, f64::INFINITY] {
            edged.record(value);
        }
        let name = "ml_model_prediction_value";
        let of = r#"model="a\"b",model_version="1""#;
        let expected = [
            format!(r#"{name}_bucket{{{of},le="-1"}} 2"#),
            format!(r#"{name}_bucket{{{of},le="0.5"}} 3"#),
            format!(r#"{name}_bucket{{{of},le="10"}} 4"#),
            format!(r#"{name}_bucket{{{of},le="+Inf"}} 5"#),
            format!("{name}_sum{{{of}}} 999999995.25"),
            format!("{name}_count{{{of}}} 5"),
        ];
        assert_eq!(lines(&metrics), expected);
        assert_eq!(
            metrics
                .render()
                .matches("# TYPE ml_model_prediction_value histogram")
                .count(),
            1
        );
    }

    #[test]
    fn other_edges_begin_it_anew_and_the_same_do_not() {
        let metrics = Metrics::new(100).unwrap();
        let get = |with: &[f64]| metrics.edged(&PREDICTION_VALUE, &["m", "1"], &edges(with));
        get(&[1.0]).unwrap().record(0.5);
        get(&[1.0]).unwrap().record(0.5);
        assert!(lines(&metrics)[0].ends_with("} 2"));
        get(&[1.0, 2.0]).unwrap().record(1.5);
        assert_eq!(lines(&metrics).len(), 5);
        assert!(lines(&metrics)[0].ends_with("} 0"));
    }

    #[test]
    fn their_series_count_against_the_bound() {
        let metrics = Metrics::new(10).unwrap();
        let get =
            |label: &str| metrics.edged(&PREDICTION_VALUE, &[label, "1"], &edges(&[1.0, 2.0]));
        assert!(get("a").is_some() && get("b").is_some());
        assert!(get("c").is_none() && get("a").is_some());
        assert!(!metrics.has_room(1));
    }
}
