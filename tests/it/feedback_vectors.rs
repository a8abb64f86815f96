//! What labels say of a model against scikit-learn: `tests/vectors/feedback/*.json` hold predictions with
//! their truth and what it said of them. `generate.py` beside them makes them and checks that it does.

use std::cell::Cell;

use serde::{Deserialize, de::DeserializeOwned};
use sidelight::{
    feedback::{
        ClassReport, DropRules, Figure, Labelled, LabelledClass, LabelledValue, Performance,
        Probabilities, Report, Rules,
    },
    stats::isotonic::Isotonic,
};

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct File<C> {
    cases: Vec<C>,
}

fn read<C: DeserializeOwned>(name: &str) -> Vec<C> {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/tests/vectors/feedback/{name}.json");
    let file: File<C> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file.cases
}

fn performance(window: usize) -> Performance {
    Performance::new(Rules {
        window,
        max_classes: 20,
        calibration_labels: 500,
        tolerance: None,
        drop: DropRules {
            false_alarms_per_million: 1.0,
            min_drop: 0.02,
            baseline: None,
            baseline_labels: 500,
            recovery_labels: 500,
        },
    })
}

/// Compares figures of one case and counts them.
struct Compared<'a> {
    case: &'a str,
    count: Cell<usize>,
}

impl Compared<'_> {
    fn all(case: &str, compare: impl FnOnce(&Compared<'_>)) -> usize {
        let compared = Compared {
            case,
            count: Cell::new(0),
        };
        compare(&compared);
        compared.count.get()
    }

    fn option(&self, what: &str, found: Option<f64>, expected: Option<f64>) {
        self.count.set(self.count.get() + 1);
        let same = match (found, expected) {
            // of a value near 0 the digits are those of what it was worked out from
            (Some(f), Some(e)) => (f - e).abs() <= TOLERANCE * e.abs().max(1.0),
            (None, None) => true,
            _ => false,
        };
        assert!(same, "{}, {what}: {found:?}, not {expected:?}", self.case);
    }

    /// Digits count however small the figures are.
    fn relative(&self, what: &str, found: Option<f64>, expected: f64) {
        self.count.set(self.count.get() + 1);
        let same = found.is_some_and(|f| (f - expected).abs() <= TOLERANCE * expected.abs());
        assert!(same, "{}, {what}: {found:?}, not {expected:?}", self.case);
    }

    fn figure(&self, what: &str, found: Figure, (expected, labels): (Option<f64>, usize)) {
        self.option(what, found.value, expected);
        assert_eq!(found.labels, labels, "{}, {what}", self.case);
    }
}

#[derive(Deserialize)]
struct ClassCase {
    id: String,
    window: usize,
    items: Vec<ClassItem>,
    expect: ClassExpect,
}

#[derive(Deserialize)]
struct ClassItem {
    predicted: String,
    truth: String,
    confidence: Option<f64>,
    columns: Option<Vec<String>>,
    probabilities: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct ClassExpect {
    accuracy: f64,
    low: f64,
    high: f64,
    labels: Vec<String>,
    precision: Vec<Option<f64>>,
    recall: Vec<Option<f64>>,
    f1: Vec<f64>,
    support: Vec<usize>,
    macro_f1: f64,
    confusion: Vec<Vec<u32>>,
    scored: usize,
    log_loss: Option<f64>,
    brier: Option<f64>,
    sure: usize,
    ece: Option<f64>,
}

impl ClassItem {
    fn labelled(&self) -> Labelled<'_> {
        let place = |columns: &Vec<String>| columns.iter().position(|name| *name == self.truth);
        let probabilities = self.probabilities.as_deref();
        Labelled::Class(LabelledClass {
            predicted: &self.predicted,
            truth: &self.truth,
            confidence: self.confidence,
            probabilities: probabilities.map(|values| Probabilities {
                values,
                truth: self.columns.as_ref().and_then(place),
            }),
        })
    }
}

impl ClassCase {
    fn report(&self) -> ClassReport {
        let mut performance = performance(self.window);
        for item in &self.items {
            performance.labelled(&item.labelled()).unwrap();
        }
        let Report { classification, .. } = performance.report();
        classification.unwrap()
    }
}

#[test]
fn what_is_said_of_classes_is_what_scikit_learn_says() {
    let cases: Vec<ClassCase> = read("classes");
    assert_eq!(cases.len(), 16, "a file has lost cases");
    let mut count = 0;
    for case in cases {
        let (report, expect) = (case.report(), &case.expect);
        let accuracy = report.accuracy.unwrap();
        count += Compared::all(&case.id, |compared| {
            compared.option("accuracy", Some(accuracy.value), Some(expect.accuracy));
            compared.option("low", Some(accuracy.low), Some(expect.low));
            compared.option("high", Some(accuracy.high), Some(expect.high));
            compared.option("macro F1", report.macro_f1, Some(expect.macro_f1));
            for (place, class) in report.classes.iter().enumerate() {
                compared.option("precision", class.precision, expect.precision[place]);
                compared.option("recall", class.recall, expect.recall[place]);
                compared.option("F1", class.f1, Some(expect.f1[place]));
                assert_eq!(class.support, expect.support[place], "{}", case.id);
            }
            let scored = expect.scored;
            compared.figure("log-loss", report.log_loss, (expect.log_loss, scored));
            compared.figure("Brier", report.brier, (expect.brier, scored));
            compared.figure("ECE", report.calibration_error, (expect.ece, expect.sure));
        });
        let confusion = report.confusion;
        assert_eq!(confusion.classes, expect.labels, "{}", case.id);
        assert_eq!(confusion.counts, expect.confusion, "{}", case.id);
        assert!(!confusion.has_other && report.labels == case.window.min(case.items.len()));
    }
    assert!(count > 250, "{count}");
}

#[derive(Deserialize)]
struct ValueCase {
    id: String,
    window: usize,
    predicted: Vec<f64>,
    truth: Vec<f64>,
    expect: ValueExpect,
}

#[derive(Deserialize)]
struct ValueExpect {
    mae: f64,
    rmse: f64,
    r2: Option<f64>,
}

#[test]
fn what_is_said_of_numbers_is_what_scikit_learn_says() {
    let cases: Vec<ValueCase> = read("values");
    assert_eq!(cases.len(), 10, "a file has lost cases");
    for case in cases {
        let mut performance = performance(case.window);
        for (predicted, truth) in case.predicted.into_iter().zip(case.truth) {
            let labelled = Labelled::Value(LabelledValue { predicted, truth });
            performance.labelled(&labelled).unwrap();
        }
        let report = performance.report().regression.unwrap();
        Compared::all(&case.id, |compared| {
            compared.relative("MAE", report.mae, case.expect.mae);
            compared.relative("RMSE", report.rmse, case.expect.rmse);
            compared.option("R2", report.r2, case.expect.r2);
        });
    }
}

#[derive(Deserialize)]
struct FitCase {
    id: String,
    confidence: Vec<f64>,
    right: Vec<bool>,
    asked: Vec<f64>,
    expect: FitExpect,
}

#[derive(Deserialize)]
struct FitExpect {
    knots: Vec<(f64, f64)>,
    said: Vec<f64>,
}

#[test]
fn an_isotonic_regression_is_that_of_scikit_learn() {
    let cases: Vec<FitCase> = read("calibration");
    assert_eq!(cases.len(), 9, "a file has lost cases");
    let mut count = 0;
    for case in cases {
        let right = case
            .right
            .into_iter()
            .map(|right| f64::from(u8::from(right)));
        let points: Vec<_> = case.confidence.into_iter().zip(right).collect();
        let fit = Isotonic::fit(&points).unwrap();
        let knots = fit.knots();
        assert_eq!(knots.len(), case.expect.knots.len(), "{}", case.id);
        count += Compared::all(&case.id, |compared| {
            for (found, expected) in knots.iter().zip(&case.expect.knots) {
                compared.option("argument of a knot", Some(found.0), Some(expected.0));
                compared.option("value of a knot", Some(found.1), Some(expected.1));
            }
            for (asked, said) in case.asked.iter().zip(case.expect.said) {
                compared.option("value", Some(fit.at(*asked)), Some(said));
            }
        });
    }
    assert!(count > 600, "{count}");
}
