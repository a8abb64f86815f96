//! How well one version of a model does.

use serde::{Deserialize, Serialize};

use super::{
    Change, ClassReport, ClassWindow, ClassWindowState, DropRules, Estimator, EstimatorState,
    Labelled, LabelledClass, LabelledValue, Report, Tolerance, ValueReport, ValueWindow,
    ValueWindowState, Watch, WatchState,
};

/// What is kept and what decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Labels in a window, at least 1: 40 bytes each of classes, 16 of numbers; as many confidences of
    /// predictions whose truth is not known, 8 bytes each.
    pub window: usize,
    /// Classes that get a name; the rest is one.
    pub max_classes: usize,
    /// Labels that a calibration needs at least.
    pub calibration_labels: usize,
    /// Largest error of a regression that counts as right, in the unit of its values; `None`: the one that
    /// nine of ten of the first [`baseline_labels`](DropRules::baseline_labels) errors were within.
    pub tolerance: Option<f64>,
    /// When accuracy has dropped.
    pub drop: DropRules,
}

/// Why a label says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The predicted or the true value is not finite, or they are too far apart to be subtracted.
    #[error("not a number")]
    NotFinite,
}

impl LabelError {
    /// As a label of a metric.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
        }
    }
}

/// The labels of one version of a model, and what follows from them.
///
/// A window takes memory when the first label of its kind comes.
#[derive(Debug, Clone)]
pub struct Performance {
    rules: Rules,
    estimator: Estimator,
    classes: Option<OfClasses>,
    values: Option<OfValues>,
}

#[derive(Debug, Clone)]
struct OfClasses {
    window: ClassWindow,
    watch: Watch,
}

#[derive(Debug, Clone)]
struct OfValues {
    window: ValueWindow,
    tolerance: Tolerance,
    /// Of whether errors are within the tolerance; while that is learnt, it is told of none.
    watch: Watch,
}

/// All of it but its rules, to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerformanceState {
    estimator: EstimatorState,
    classes: Option<(ClassWindowState, WatchState)>,
    values: Option<(ValueWindowState, Tolerance, WatchState)>,
}

impl Performance {
    /// Of no labels yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            estimator: Estimator::new(rules.window, rules.calibration_labels),
            rules,
            classes: None,
            values: None,
        }
    }

    /// Notes a prediction, whether or not a label will come; `confidence`: of its class.
    pub fn predicted(&mut self, confidence: f64) {
        self.estimator.predicted(confidence);
    }

    /// Notes a label.
    ///
    /// # Errors
    /// It is of a number that is none: nothing has changed.
    pub fn labelled(&mut self, labelled: &Labelled<'_>) -> Result<Option<Change>, LabelError> {
        match labelled {
            Labelled::Class(labelled) => Ok(self.class(labelled)),
            Labelled::Value(labelled) => self.value(*labelled),
        }
    }

    fn class(&mut self, labelled: &LabelledClass<'_>) -> Option<Change> {
        let rules = &self.rules;
        let classes = self.classes.get_or_insert_with(|| OfClasses::new(rules));
        let confidence = labelled.confidence();
        let expected = confidence.and_then(|confidence| self.estimator.expected(confidence));
        classes.window.push(labelled, expected);
        if confidence.is_some() {
            self.estimator.labelled(&classes.window);
        }
        classes.watch.push(labelled.is_right())
    }

    fn value(&mut self, labelled: LabelledValue) -> Result<Option<Change>, LabelError> {
        let off = labelled.off().ok_or(LabelError::NotFinite)?;
        let rules = &self.rules;
        let values = self.values.get_or_insert_with(|| OfValues::new(rules));
        values.window.push(labelled);
        Ok(values.watch(off, rules))
    }

    /// What there is to say.
    pub fn report(&self) -> Report {
        Report {
            classification: self.classes.as_ref().map(|classes| {
                let estimate = self.estimator.estimate(&classes.window);
                ClassReport::of(&classes.window, estimate, (&classes.watch).into())
            }),
            regression: self.values.as_ref().map(|values| {
                let limit = values.tolerance.limit();
                ValueReport::of(&values.window, limit, (&values.watch).into())
            }),
        }
    }

    /// Goes on under other rules. A smaller window forgets the oldest; names of classes are as many as were,
    /// until a restart; evidence of a drop is kept while the bound that it is of stays.
    pub fn retune(&mut self, rules: Rules) {
        if rules == self.rules {
            return;
        }
        let mut again = Self::new(rules);
        if again.restore(self.state()) {
            *self = again;
        }
    }

    /// Forgets what accuracy has dropped from: the next labels are the baseline. What goes on ends untold.
    pub fn relearn(&mut self) {
        let rules = &self.rules;
        if let Some(classes) = &mut self.classes {
            classes.watch = Watch::new(rules.drop);
        }
        if let Some(values) = &mut self.values {
            let fresh = OfValues::new(rules);
            (values.tolerance, values.watch) = (fresh.tolerance, fresh.watch);
        }
    }

    /// All of it.
    pub fn state(&self) -> PerformanceState {
        let classes = self.classes.as_ref();
        let values = self.values.as_ref();
        PerformanceState {
            estimator: self.estimator.state(),
            classes: classes.map(|classes| (classes.window.state(), classes.watch.state())),
            values: values.map(|values| {
                let tolerance = values.tolerance.clone();
                (values.window.state(), tolerance, values.watch.state())
            }),
        }
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, state: PerformanceState) -> bool {
        let rules = &self.rules;
        let mut again = Self::new(*rules);
        if !again.estimator.restore(state.estimator) {
            return false;
        }
        if let Some((window, watch)) = state.classes {
            let Some(classes) = OfClasses::restored(&window, watch, rules) else {
                return false;
            };
            again.classes = Some(classes);
        }
        if let Some((window, tolerance, watch)) = state.values {
            let Some(values) = OfValues::restored(&window, tolerance, watch, rules) else {
                return false;
            };
            again.values = Some(values);
        }
        *self = again;
        true
    }
}

impl OfClasses {
    fn new(rules: &Rules) -> Self {
        Self {
            window: ClassWindow::new(rules.window, rules.max_classes),
            watch: Watch::new(rules.drop),
        }
    }

    fn restored(window: &ClassWindowState, watch: WatchState, rules: &Rules) -> Option<Self> {
        let mut classes = Self::new(rules);
        classes.watch = Watch::restored(watch, rules.drop)?;
        classes.window.restore(window).then_some(classes)
    }
}

impl OfValues {
    fn new(rules: &Rules) -> Self {
        let tolerance = Tolerance::new(rules.tolerance);
        let mut drop = rules.drop;
        // an accuracy of classes says nothing of numbers
        drop.baseline = None;
        Self {
            window: ValueWindow::new(rules.window),
            watch: Watch::new(drop),
            tolerance,
        }
    }

    fn watch(&mut self, off: f64, rules: &Rules) -> Option<Change> {
        let Some(limit) = self.tolerance.limit() else {
            let learnt = self.tolerance.learn(off, rules.drop.baseline_labels)?;
            self.watch = Watch::against(learnt, *self.watch.rules());
            return None;
        };
        self.watch.push(off <= limit)
    }

    fn restored(
        window: &ValueWindowState,
        tolerance: Tolerance,
        watch: WatchState,
        rules: &Rules,
    ) -> Option<Self> {
        let mut values = Self::new(rules);
        if !tolerance.is_sound() || !values.window.restore(window) {
            return None;
        }
        // a limit that the rules name now makes what was learnt of another void
        if rules.tolerance.is_none() || rules.tolerance == tolerance.limit() {
            values.watch = Watch::restored(watch, *values.watch.rules())?;
            values.tolerance = tolerance;
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::Accuracy;

    const RULES: Rules = Rules {
        window: 200,
        max_classes: 10,
        calibration_labels: 50,
        tolerance: None,
        drop: DropRules {
            false_alarms_per_million: 100.0,
            min_drop: 0.02,
            baseline: None,
            baseline_labels: 100,
            recovery_labels: 50,
        },
    };

    /// The label with this number, of which one in `wrong` is wrong.
    fn class(number: u32, wrong: u32) -> Labelled<'static> {
        Labelled::Class(LabelledClass {
            predicted: "a",
            truth: if number.is_multiple_of(wrong) {
                "b"
            } else {
                "a"
            },
            confidence: Some(0.5 + f64::from(number % 5) / 10.0),
            probabilities: None,
        })
    }

    /// One that is off by up to `most`.
    fn value(number: u32, most: f64) -> Labelled<'static> {
        let off = most * f64::from(number * 7 % 100) / 100.0;
        let truth = f64::from(number % 13);
        Labelled::Value(LabelledValue {
            predicted: truth + off,
            truth,
        })
    }

    fn told(
        performance: &mut Performance,
        labels: std::ops::Range<u32>,
        label: impl Fn(u32) -> Labelled<'static>,
    ) -> Vec<Change> {
        labels
            .filter_map(|number| performance.labelled(&label(number)).unwrap())
            .collect()
    }

    #[test]
    fn errors_that_become_larger_are_a_drop_and_end() {
        let mut performance = Performance::new(RULES);
        assert!(told(&mut performance, 0..400, |n| value(n, 1.0)).is_empty());
        let report = performance.report().regression.unwrap();
        assert!(
            (report.tolerance.unwrap() - 0.89).abs() < 1e-9,
            "{report:?}"
        );
        assert_eq!(report.drop.baseline.unwrap().labels, 100);
        let worse = told(&mut performance, 400..600, |n| value(n, 2.0));
        assert!(matches!(worse[..], [Change::Dropped(_)]), "{worse:?}");
        let better = told(&mut performance, 600..800, |n| value(n, 1.0));
        assert!(matches!(better[..], [Change::Recovered(_)]), "{better:?}");
        assert!(performance.report().classification.is_none());
    }

    #[test]
    fn a_tolerance_that_is_named_asks_how_many_are_within_it() {
        let rules = Rules {
            tolerance: Some(0.495),
            ..RULES
        };
        let mut performance = Performance::new(rules);
        told(&mut performance, 0..100, |n| value(n, 1.0));
        let report = performance.report().regression.unwrap();
        let accuracy = report.drop.baseline.unwrap().accuracy;
        assert!((accuracy - 0.5).abs() < 1e-12, "{report:?}");
    }

    #[test]
    fn an_accuracy_of_classes_is_no_baseline_of_numbers() {
        let mut rules = RULES;
        rules.drop.baseline = Some(0.99);
        let mut performance = Performance::new(rules);
        told(&mut performance, 0..50, |n| value(n, 1.0));
        told(&mut performance, 0..1, |n| class(n, 2));
        let report = performance.report();
        assert_eq!(report.regression.unwrap().drop.baseline, None);
        let baseline = report.classification.unwrap().drop.baseline.unwrap();
        assert!((baseline.accuracy - 0.99).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_is_refused_and_changes_nothing() {
        let mut performance = Performance::new(RULES);
        for (predicted, truth) in [(f64::NAN, 1.0), (1.0, f64::INFINITY), (f64::MAX, f64::MIN)] {
            let labelled = Labelled::Value(LabelledValue { predicted, truth });
            let refused = performance.labelled(&labelled);
            assert_eq!(refused, Err(LabelError::NotFinite));
        }
        assert_eq!(performance.report().regression, None);
    }

    #[test]
    fn over_a_restart_at_any_label_it_says_the_same() {
        let (mut once, mut often) = (Performance::new(RULES), Performance::new(RULES));
        for number in 0..600 {
            let wrong = if number < 300 { 20 } else { 3 };
            if number % 20 == 0 {
                let text = serde_json::to_string(&often.state()).unwrap();
                often = Performance::new(RULES);
                assert!(often.restore(serde_json::from_str(&text).unwrap()));
            }
            for performance in [&mut once, &mut often] {
                performance.predicted(0.5 + f64::from(number % 7) / 20.0);
            }
            let [a, b] = [&mut once, &mut often].map(|performance| {
                let value = performance.labelled(&value(number, f64::from(wrong)));
                (performance.labelled(&class(number, wrong)), value)
            });
            assert_eq!(a, b, "{number}");
        }
        assert_eq!(once.report(), often.report());
        let classes = once.report().classification.unwrap();
        assert!(classes.drop.current.is_some() && classes.estimate.accuracy.is_some());
    }

    #[test]
    fn a_state_that_cannot_have_been_changes_nothing() {
        let mut performance = Performance::new(RULES);
        told(&mut performance, 0..20, |n| value(n, 1.0));
        let before = performance.state();
        let mut broken = before.clone();
        broken.values.as_mut().unwrap().1 = Tolerance::Known(-1.0);
        assert!(!performance.restore(broken));
        assert_eq!(performance.state(), before);
    }

    #[test]
    fn under_other_rules_it_goes_on_with_the_newest_labels() {
        let mut performance = Performance::new(RULES);
        told(&mut performance, 0..300, |n| class(n, 20));
        performance.retune(Rules {
            window: 40,
            ..RULES
        });
        let report = performance.report().classification.unwrap();
        assert_eq!((report.labels, report.drop.labels), (40, 300));
        let Accuracy { value, .. } = report.accuracy.unwrap();
        assert!((value - 0.95).abs() < 1e-12);
        performance.relearn();
        let report = performance.report().classification.unwrap();
        assert_eq!((report.labels, report.drop.baseline), (40, None));
    }
}
