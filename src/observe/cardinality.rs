//! Bounds of the names that become labels: whatever traffic says, the number of series is known.

use std::collections::{BTreeMap, BTreeSet};

use ::metrics::Counter;

use crate::{
    config,
    metrics::{
        Metrics,
        catalogue::{self, CONFIDENCE, INFERENCE},
    },
};

/// Where everything beyond a bound is counted.
pub(super) const OTHER: &str = "other";
/// Longest label value; a longer one is cut.
const MAX_LENGTH: usize = 128;

/// The names in use as labels.
///
/// Ordered maps: traffic chooses the names, and to compare with a few costs less than a hash that
/// no choice of names can slow down (190 instructions each).
pub(super) struct Names {
    bounds: config::Metrics,
    models: BTreeMap<String, Model>,
    overflows: Overflows,
}

#[derive(Default)]
struct Model {
    versions: BTreeSet<String>,
    classes: BTreeSet<String>,
}

struct Overflows {
    model: Counter,
    version: Counter,
    class: Counter,
}

impl Names {
    pub(super) fn new(bounds: config::Metrics, metrics: &Metrics) -> Self {
        let overflow = |label| metrics.counter(&catalogue::LABEL_OVERFLOWS, &[label]);
        Self {
            bounds,
            models: BTreeMap::new(),
            overflows: Overflows {
                model: overflow("model"),
                version: overflow("model_version"),
                class: overflow("predicted_class"),
            },
        }
    }

    /// Goes by other bounds; names in use stay in use.
    pub(super) fn set_bounds(&mut self, bounds: config::Metrics) {
        self.bounds = bounds;
    }

    /// The labels of a model and its version: their names, or `other` when there is no room.
    ///
    /// Versions come and go with deployments, so their number is bound by the room for series
    /// alone, of which a quarter stays free for everything else.
    pub(super) fn identity<'a>(
        &mut self,
        metrics: &Metrics,
        model: &'a str,
        version: &'a str,
    ) -> (&'a str, &'a str) {
        let (model, version) = (cut(model), cut(version));
        let known = self.models.get(model);
        if known.is_some_and(|known| known.versions.contains(version)) {
            return (model, version);
        }
        if known.is_none() {
            if self.models.len() >= self.bounds.max_models {
                self.overflows.model.increment(1);
                return (OTHER, OTHER);
            }
            self.models.insert(model.to_owned(), Model::default());
        }
        let Some(known) = self.models.get_mut(model) else {
            return (OTHER, OTHER);
        };
        let cost = CONFIDENCE.kind.series() + INFERENCE.kind.series();
        if !metrics.has_room(cost + self.bounds.max_series / 4) {
            self.overflows.version.increment(1);
            return (model, OTHER);
        }
        known.versions.insert(version.to_owned());
        (model, version)
    }

    /// The label of a class that is new for a version of `model`: its name, or `other` when there is no room.
    pub(super) fn class<'a>(&mut self, metrics: &Metrics, model: &str, class: &'a str) -> &'a str {
        let class = cut(class);
        let known = self.models.get_mut(model);
        // a class that one version has may be new for another: each makes a series
        let is_admitted = metrics.has_room(1)
            && known.is_some_and(|known| {
                let has_room = known.classes.len() < self.bounds.max_classes;
                known.classes.contains(class) || has_room && known.classes.insert(class.to_owned())
            });
        if is_admitted {
            class
        } else {
            self.overflows.class.increment(1);
            OTHER
        }
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_LENGTH)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(max_series: usize) -> (Names, Metrics) {
        let metrics = Metrics::new(max_series).unwrap();
        let bounds = config::Metrics {
            max_series,
            max_endpoints: 50,
            max_models: 2,
            max_versions: 8,
            max_classes: 3,
            value_edges: vec![0.0],
        };
        (Names::new(bounds, &metrics), metrics)
    }

    #[test]
    fn classes_beyond_the_bound_are_other_and_counted() {
        let (mut names, metrics) = names(5000);
        names.identity(&metrics, "iris", "1");
        let labels = ["a", "b", "c", "d", "a", "e"].map(|c| names.class(&metrics, "iris", c));
        assert_eq!(labels, ["a", "b", "c", OTHER, "a", OTHER]);
        let line = "sidelight_label_overflows_total{label=\"predicted_class\"} 2";
        assert!(metrics.render().contains(line));
    }

    #[test]
    fn models_beyond_the_bound_are_other() {
        let (mut names, metrics) = names(5000);
        for model in ["a", "b"] {
            assert_eq!(names.identity(&metrics, model, "1"), (model, "1"));
        }
        assert_eq!(names.identity(&metrics, "c", "1"), (OTHER, OTHER));
        assert_eq!(names.identity(&metrics, "b", "2"), ("b", "2"));
    }

    #[test]
    fn invented_versions_leave_room_for_everything_else() {
        let (mut names, metrics) = names(1000);
        for version in 0..1000 {
            let version = version.to_string();
            let (_, label) = names.identity(&metrics, "iris", &version);
            metrics.histogram(&CONFIDENCE, &["iris", label]).record(0.5);
            metrics.histogram(&INFERENCE, &["iris", label]).record(0.5);
        }
        assert!(metrics.has_room(200));
        assert_eq!(names.identity(&metrics, "iris", "7"), ("iris", "7"));
        assert_eq!(names.identity(&metrics, "iris", "999"), ("iris", OTHER));
    }

    #[test]
    fn classes_of_many_versions_stay_within_the_room() {
        let (mut names, metrics) = names(1000);
        for version in (0..100).map(|v| v.to_string()) {
            let (model, version) = names.identity(&metrics, "iris", &version);
            for class in ["a", "b", "c"] {
                let class = names.class(&metrics, model, class);
                let labels = [model, version, class];
                drop(metrics.counter(&catalogue::PREDICTIONS, &labels));
            }
        }
        let text = metrics.render();
        let series = text
            .lines()
            .filter(|l| !l.starts_with('#') && !l.is_empty());
        assert!(series.count() <= 1000 + 10, "{text}");
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let (mut names, metrics) = names(5000);
        let long = "ü".repeat(100);
        assert_eq!(names.identity(&metrics, &long, "1").0, "ü".repeat(64));
    }
}
