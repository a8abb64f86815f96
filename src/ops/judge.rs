//! Verdicts: on demand, and on a schedule. The exact p-value takes milliseconds, so it is never
//! computed on the observe thread, nor on the one that answers probes.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tokio::time::sleep;

use super::Ops;
use crate::{
    drift::{CheckInput, Verdict, check},
    observe::command::{Judged, Unavailable, Which},
};

/// Makes verdicts, and remembers whose confidences have drifted, so that each episode is
/// reported once.
#[derive(Debug, Default)]
pub struct Judge {
    drifted: Mutex<HashSet<(String, String)>>,
}

impl Judge {
    /// Compares each copy to its baseline, on a thread of its own.
    pub(super) async fn judge(&self, inputs: Vec<CheckInput>) -> Vec<Judged> {
        let now = Timestamp::now();
        let judging = tokio::task::spawn_blocking(move || {
            inputs
                .into_iter()
                .map(|input| Judged {
                    verdict: check(&input, now),
                    baseline: input.baseline.map(|b| b.short_hash().to_owned()),
                    model: input.model,
                    version: input.version,
                })
                .collect::<Vec<_>>()
        });
        let Ok(verdicts) = judging.await else {
            tracing::error!("drift check panicked");
            return Vec::new();
        };
        for judged in &verdicts {
            self.report(judged);
        }
        verdicts
    }

    /// Forgets episodes of those who are no longer here.
    fn keep_only(&self, verdicts: &[Judged]) {
        self.drifted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(m, v)| verdicts.iter().any(|j| (&j.model, &j.version) == (m, v)));
    }

    fn report(&self, judged: &Judged) {
        let key = (judged.model.clone(), judged.version.clone());
        let (model, model_version) = (judged.model.as_str(), judged.version.as_str());
        let mut drifted = self.drifted.lock().unwrap_or_else(PoisonError::into_inner);
        match &judged.verdict {
            Verdict::Checked(found) if found.drift_detected => {
                if drifted.insert(key) {
                    tracing::warn!(
                        model,
                        model_version,
                        status = "checked",
                        drift_detected = true,
                        ks_statistic = found.ks_statistic,
                        p_value = found.p_value,
                        baseline_mean = found.baseline_mean,
                        recent_mean = found.recent_mean,
                        samples_checked = found.samples_checked,
                        "Drift detected!"
                    );
                }
            }
            _ => {
                if drifted.remove(&key) {
                    tracing::info!(model, model_version, "Drift ended");
                }
            }
        }
    }
}

impl Ops {
    /// Verdicts about `which`, shown as gauges too.
    pub(super) async fn verdicts(&self, which: Which) -> Result<Vec<Judged>, Unavailable> {
        let is_all = which == Which::All;
        let inputs = self.observer.copy(which).await?;
        let verdicts = self.judge.judge(inputs).await;
        if is_all {
            self.judge.keep_only(&verdicts);
        }
        self.observer.publish(verdicts.clone())?;
        Ok(verdicts)
    }
}

/// Refreshes every verdict each `drift.check_interval`, for as long as the observer lives.
pub async fn check_on_schedule(ops: Arc<Ops>) {
    let mut settings = ops.settings.clone();
    loop {
        let interval = settings.borrow_and_update().drift.check_interval;
        tokio::select! {
            () = sleep(interval) => {}
            // another threshold, window or interval: at once, not after the interval before
            Ok(()) = settings.changed() => {}
        }
        match ops.verdicts(Which::All).await {
            Ok(_) => {}
            Err(Unavailable::Busy) => tracing::warn!("drift check put off: the observer is busy"),
            Err(Unavailable::Ended) => return,
        }
    }
}
