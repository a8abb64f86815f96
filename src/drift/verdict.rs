//! The course page's verdict: recent confidences against the baseline, by a two-sample test.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Baseline, InUse, report::Report};
use crate::stats::{ks, moments::moments};

/// All that a check needs; owned, so that it can be made anywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckInput {
    /// The model, for whoever receives the verdict.
    pub model: String,
    /// Its version.
    pub version: String,
    /// What confidence looked like; `None`: nobody has said.
    pub baseline: Option<Arc<Baseline>>,
    /// What is told of it.
    pub in_use: Option<InUse>,
    /// The last confidences, in any order. One that is not finite stands for a prediction without one: it
    /// is left out and counted.
    pub recent: Vec<f64>,
    /// `drift.window`: half of it is enough for a verdict.
    pub window: usize,
    /// `drift.threshold`: drift is a p-value below it.
    pub threshold: f64,
    /// What the scan knows; `None`: there is no baseline.
    pub scan: Option<Report>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// There is nothing to compare with.
    NoBaseline,
    /// There are less than half a window of recent values, or none.
    InsufficientData,
    /// They have been compared.
    Checked(Checked),
}

/// The comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Whether `p_value` is below the threshold.
    pub drift_detected: bool,
    /// The largest distance between the two distributions, in `[0, 1]`.
    pub ks_statistic: f64,
    /// Probability of such a distance without drift, in `[0, 1]`.
    pub p_value: f64,
    /// Mean of the baseline.
    pub baseline_mean: f64,
    /// Mean of the recent values.
    pub recent_mean: f64,
    /// How many recent values were compared.
    pub samples_checked: usize,
    /// How many of the last `window` predictions had no value.
    pub samples_missing: usize,
    /// When.
    pub timestamp: Timestamp,
    /// [`Baseline::hash`] of what they were compared with.
    pub baseline_hash: String,
    /// Where the distributions are furthest apart.
    pub location: f64,
    /// Whether recent values lie higher there.
    pub recent_higher: bool,
}

impl Verdict {
    /// `no_baseline`, `insufficient_data` or `checked`.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::NoBaseline => "no_baseline",
            Self::InsufficientData => "insufficient_data",
            Self::Checked(_) => "checked",
        }
    }

    /// False also where nothing could be compared.
    pub const fn drift_detected(&self) -> bool {
        matches!(self, Self::Checked(checked) if checked.drift_detected)
    }
}

/// Compares; takes up to some milliseconds, so never on a thread that others wait for.
pub fn check(input: &CheckInput, now: Timestamp) -> Verdict {
    let baseline = input.baseline.as_deref();
    let Some((baseline, sample)) = baseline.and_then(|b| Some((b, b.sample()?))) else {
        return Verdict::NoBaseline;
    };
    let finite = input.recent.iter().copied().filter(|v| v.is_finite());
    let mut recent: Vec<f64> = finite.collect();
    let missing = input.recent.len() - recent.len();
    if recent.len() < input.window / 2 {
        return Verdict::InsufficientData;
    }
    recent.sort_unstable_by(f64::total_cmp);
    let test = ks::two_sample(sample.values(), &recent);
    let (Some(test), Some(recent_moments)) = (test, moments(&recent)) else {
        return Verdict::InsufficientData;
    };
    Verdict::Checked(Checked {
        drift_detected: test.p_value < input.threshold,
        ks_statistic: test.statistic,
        p_value: test.p_value,
        baseline_mean: sample.mean(),
        recent_mean: recent_moments.mean,
        samples_checked: recent.len(),
        samples_missing: missing,
        timestamp: now,
        baseline_hash: baseline.hash().to_owned(),
        location: test.location,
        recent_higher: test.recent_higher,
    })
}

/// The course page's fields of a verdict.
#[derive(Debug, Serialize)]
pub struct Fields<'a> {
    status: &'static str,
    drift_detected: bool,
    #[serde(flatten)]
    checked: Option<CheckedFields<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckedFields<'a> {
    ks_statistic: f64,
    p_value: f64,
    baseline_mean: f64,
    recent_mean: f64,
    samples_checked: usize,
    samples_missing: usize,
    #[serde(serialize_with = "microseconds")]
    timestamp: &'a Timestamp,
}

/// UTC with microseconds, as the log has it.
fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

impl Verdict {
    /// As the course page shows it, with the word of whoever decides.
    pub fn fields(&self, drift_detected: bool) -> Fields<'_> {
        let checked = match self {
            Self::Checked(checked) => Some(CheckedFields {
                ks_statistic: checked.ks_statistic,
                p_value: checked.p_value,
                baseline_mean: checked.baseline_mean,
                recent_mean: checked.recent_mean,
                samples_checked: checked.samples_checked,
                samples_missing: checked.samples_missing,
                timestamp: &checked.timestamp,
            }),
            _ => None,
        };
        Fields {
            status: self.status(),
            drift_detected,
            checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn input(baseline: Option<&[f64]>, recent: &[f64]) -> CheckInput {
        let set = |values: &[f64]| {
            Baseline::of_confidences(values.iter().copied(), 10_000, Timestamp::UNIX_EPOCH).unwrap()
        };
        CheckInput {
            model: "iris".to_owned(),
            version: "1.0.0".to_owned(),
            baseline: baseline.map(|values| Arc::new(set(values))),
            in_use: None,
            recent: recent.to_vec(),
            window: 10,
            threshold: 0.05,
            scan: None,
        }
    }

    fn json(input: &CheckInput) -> Value {
        let now = Timestamp::new(1_795_507_200, 1_999).unwrap();
        let verdict = check(input, now);
        serde_json::to_value(verdict.fields(verdict.drift_detected())).unwrap()
    }

    #[test]
    fn without_a_baseline_the_answer_is_the_pages() {
        let expected = json!({"status": "no_baseline", "drift_detected": false});
        assert_eq!(json(&input(None, &[0.5; 10])), expected);
    }

    #[test]
    fn less_than_half_a_window_is_insufficient() {
        let expected = json!({"status": "insufficient_data", "drift_detected": false});
        assert_eq!(json(&input(Some(&[0.5]), &[0.5; 4])), expected);
        assert_eq!(json(&input(Some(&[0.5]), &[0.5; 5]))["status"], "checked");
    }

    #[test]
    fn half_of_an_odd_window_is_rounded_down_as_in_python() {
        let mut odd = input(Some(&[0.5]), &[0.5; 5]);
        odd.window = 11;
        assert_eq!(json(&odd)["status"], "checked");
    }

    #[test]
    fn no_values_are_insufficient_for_any_window() {
        let mut none = input(Some(&[0.5]), &[]);
        none.window = 1;
        assert_eq!(json(&none)["status"], "insufficient_data");
    }

    #[test]
    fn a_verdict_has_the_fields_of_the_page_and_what_is_missing() {
        let found = json(&input(Some(&[0.9; 10]), &[0.4; 10]));
        let p = found["p_value"].as_f64().unwrap();
        assert!(
            (p / 1.082_508_822_446_902_6e-5 - 1.0).abs() < 1e-12,
            "{p:e}"
        );
        let expected = json!({
            "status": "checked",
            "drift_detected": true,
            "ks_statistic": 1.0,
            "p_value": p,
            "baseline_mean": found["baseline_mean"],
            "recent_mean": found["recent_mean"],
            "samples_checked": 10,
            "samples_missing": 0,
            "timestamp": "2026-11-24T08:00:00.000001Z",
        });
        assert_eq!(found, expected);
        assert!((found["baseline_mean"].as_f64().unwrap() - 0.9).abs() < 1e-15);
        assert!((found["recent_mean"].as_f64().unwrap() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn the_same_distribution_is_no_drift() {
        let same: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let verdict = check(&input(Some(&same), &same), Timestamp::UNIX_EPOCH);
        assert!(!verdict.drift_detected());
        let Verdict::Checked(checked) = verdict else {
            panic!("{verdict:?}");
        };
        assert!(checked.p_value >= 1.0 && checked.samples_checked == 100);
    }

    #[test]
    fn a_p_value_at_the_threshold_is_no_drift() {
        let mut at = input(Some(&[0.9; 10]), &[0.4; 10]);
        let Verdict::Checked(checked) = check(&at, Timestamp::UNIX_EPOCH) else {
            panic!("not checked");
        };
        at.threshold = checked.p_value;
        assert!(!check(&at, Timestamp::UNIX_EPOCH).drift_detected());
    }

    #[test]
    fn values_that_are_not_finite_are_left_out_and_counted() {
        let recent = [0.5, f64::NAN, 0.5, f64::INFINITY, 0.5, 0.5, 0.5];
        let found = json(&input(Some(&[0.5]), &recent));
        assert_eq!(
            (&found["samples_checked"], &found["samples_missing"]),
            (&json!(5), &json!(2))
        );
    }

    #[test]
    fn a_check_can_be_made_on_another_thread() {
        let input = input(Some(&[0.9; 10]), &[0.4; 10]);
        let checking = std::thread::spawn(move || check(&input, Timestamp::UNIX_EPOCH));
        assert!(checking.join().unwrap().drift_detected());
    }
}
