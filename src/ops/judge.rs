//! Verdicts: on demand, and on a schedule. The exact p-value takes milliseconds, so it is never
//! computed on the observe thread, nor on the one that answers probes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ::metrics::Counter;
use jiff::Timestamp;
use tokio::time::sleep;

use super::Ops;
use crate::{
    drift::{
        CheckInput, Checked, Notice, Outlet, Verdict, check,
        notice::{Happened, tested_id},
    },
    metrics::catalogue,
    observe::command::{Judged, Unavailable, Which},
    panics::{contain, hook},
};

/// Model and version of those who have drifted, and from what.
type Drifted = HashMap<(String, String), Episode>;

/// A drift that goes on.
#[derive(Debug)]
struct Episode {
    baseline: Option<String>,
    /// What is told of it carries this.
    id: String,
}

/// Makes verdicts, and remembers whose confidences have drifted, so that each episode is
/// reported once.
#[derive(Debug, Default)]
pub struct Judge {
    drifted: Mutex<Drifted>,
    outlet: Outlet,
}

impl Judge {
    /// Tells `outlet` when a drift begins or ends.
    pub fn new(outlet: Outlet) -> Self {
        Self {
            drifted: Mutex::default(),
            outlet,
        }
    }

    /// Compares each copy to its baseline, on a thread of its own.
    /// One that panics is counted and left out.
    pub(super) async fn judge(&self, inputs: Vec<CheckInput>, panics: Counter) -> Vec<Judged> {
        let now = Timestamp::now();
        let judging = tokio::task::spawn_blocking(move || {
            inputs
                .into_iter()
                .filter_map(|input| contain(&panics, || judged(input, now)).ok())
                .collect::<Vec<_>>()
        });
        // it ends early only with the process
        let verdicts = judging.await.unwrap_or_default();
        for judged in &verdicts {
            self.report(judged);
        }
        verdicts
    }

    /// Compares each copy to its baseline on this thread, as of `now`. Where the scan decides, the test
    /// is only made if `is_whole`: nobody sees the others.
    pub(super) fn judge_at(
        &self,
        inputs: Vec<CheckInput>,
        now: Timestamp,
        is_whole: bool,
    ) -> Vec<Judged> {
        let verdicts: Vec<Judged> = inputs
            .into_iter()
            .map(|mut input| {
                if !is_whole && input.scan.as_ref().is_some_and(|scan| scan.is_warm) {
                    input.recent.clear();
                }
                judged(input, now)
            })
            .collect();
        for judged in &verdicts {
            self.report(judged);
        }
        self.keep_only(&verdicts);
        verdicts
    }

    /// Forgets episodes of those who are no longer here.
    fn keep_only(&self, verdicts: &[Judged]) {
        self.drifted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(m, v), _| verdicts.iter().any(|j| (&j.model, &j.version) == (m, v)));
    }

    fn report(&self, judged: &Judged) {
        let key = (judged.model.clone(), judged.version.clone());
        let mut drifted = self.drifted.lock().unwrap_or_else(PoisonError::into_inner);
        // drift from another baseline is another finding
        let is_over = |episode: &Episode| episode.baseline != judged.baseline;
        if drifted.get(&key).is_some_and(is_over) {
            let reason = match judged.baseline {
                Some(_) => "another baseline",
                None => "no baseline",
            };
            self.cleared(judged, drifted.remove(&key), Some(reason));
        }
        match &judged.verdict {
            // the scan says so itself, when it happens
            _ if judged.is_of_scan() => {
                let reason = if judged.drift_detected() {
                    "the scan has found it too"
                } else {
                    "the scan decides"
                };
                self.cleared(judged, drifted.remove(&key), Some(reason));
            }
            Verdict::Checked(found) if found.drift_detected => {
                drifted
                    .entry(key)
                    .or_insert_with(|| self.found(judged, found));
            }
            Verdict::Checked(_) => self.cleared(judged, drifted.remove(&key), None),
            // nothing was compared, so nothing has ended
            Verdict::NoBaseline | Verdict::InsufficientData => {}
        }
    }

    fn found(&self, judged: &Judged, found: &Checked) -> Episode {
        let (model, model_version) = (judged.model.as_str(), judged.version.as_str());
        let series = judged.tested();
        let series = series.label();
        let series = series.as_ref();
        tracing::warn!(
            model,
            model_version,
            series,
            decision = "ks",
            status = "checked",
            drift_detected = true,
            ks_statistic = found.ks_statistic,
            p_value = found.p_value,
            baseline_mean = found.baseline_mean,
            recent_mean = found.recent_mean,
            samples_checked = found.samples_checked,
            "Drift detected!"
        );
        let whose = (model, model_version, series);
        let id = tested_id(whose, &found.baseline_hash, found.timestamp);
        let happened = Happened::Tested(found.into());
        self.outlet.tell(notice(judged, id.clone(), happened));
        Episode {
            baseline: judged.baseline.clone(),
            id,
        }
    }

    /// The end of a drift, if there was one; `reason`: where it was not the traffic that changed.
    fn cleared(&self, judged: &Judged, episode: Option<Episode>, reason: Option<&'static str>) {
        let Some(episode) = episode else {
            return;
        };
        tracing::info!(
            model = judged.model,
            model_version = judged.version,
            series = judged.tested().label().as_ref(),
            decision = "ks",
            reason,
            "Drift cleared"
        );
        let happened = Happened::Cleared {
            prediction: None,
            reason: reason.unwrap_or("calm"),
        };
        self.outlet.tell(notice(judged, episode.id, happened));
    }
}

fn notice(judged: &Judged, episode: String, event: Happened) -> Notice {
    Notice {
        episode,
        model: judged.model.clone(),
        model_version: judged.version.clone(),
        series: judged.tested().label().into_owned(),
        decision: "ks",
        since: None,
        event,
    }
}

fn judged(input: CheckInput, now: Timestamp) -> Judged {
    hook("judge");
    Judged {
        verdict: check(&input, now),
        baseline: input.baseline.map(|b| b.short_hash().to_owned()),
        in_use: input.in_use,
        scan: input.scan,
        model: input.model,
        version: input.version,
    }
}

impl Ops {
    /// Verdicts about `which`, shown as gauges too.
    pub(super) async fn verdicts(&self, which: Which) -> Result<Vec<Judged>, Unavailable> {
        let is_all = which == Which::All;
        let inputs = self.observer.copy(which).await?;
        let panics = self.metrics.counter(&catalogue::PANICS, &["check"]);
        let verdicts = self.judge.judge(inputs, panics).await;
        if is_all && !verdicts.is_empty() {
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
        hook("check");
        super::drift::keep_captured(&ops).await;
        match ops.verdicts(Which::All).await {
            Ok(_) => {}
            Err(Unavailable::Ended) => return,
            Err(error) => tracing::warn!(%error, "drift check put off"),
        }
    }
}

/// Writes the windows down each `state.save_interval`, for as long as the observer lives, so that a crash
/// costs no more of them. Nothing where there is no state folder.
pub async fn save_windows_on_schedule(ops: Arc<Ops>) {
    let Some(store) = ops.keeper.lock().await.store() else {
        return std::future::pending().await;
    };
    let mut settings = ops.settings.clone();
    loop {
        let interval = settings.borrow_and_update().state.save_interval;
        sleep(interval).await;
        hook("windows");
        let snapshots = match ops.observer.snapshots().await {
            Ok(snapshots) => snapshots,
            Err(Unavailable::Ended) => return,
            Err(_) => continue,
        };
        let store = Arc::clone(&store);
        let saving = tokio::task::spawn_blocking(move || store.save_windows(&snapshots));
        if let Ok(Err(error)) = saving.await {
            tracing::error!(%error, "windows not saved");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{Baseline, Checked};

    fn judged(baseline: &str, verdict: Verdict) -> Judged {
        Judged {
            model: "iris".to_owned(),
            version: "1".to_owned(),
            baseline: (!baseline.is_empty()).then(|| baseline.to_owned()),
            in_use: None,
            verdict,
            scan: None,
        }
    }

    fn checked(drift_detected: bool) -> Verdict {
        let values = if drift_detected {
            [0.1; 100]
        } else {
            [0.9; 100]
        };
        let baseline = Baseline::of_confidences([0.9; 100], 100, Timestamp::UNIX_EPOCH).unwrap();
        let verdict = check(
            &CheckInput {
                model: "iris".to_owned(),
                version: "1".to_owned(),
                baseline: Some(Arc::new(baseline)),
                in_use: None,
                recent: values.to_vec(),
                window: 100,
                threshold: 0.05,
                scan: None,
            },
            Timestamp::UNIX_EPOCH,
        );
        let found = matches!(&verdict, Verdict::Checked(Checked { drift_detected: d, .. }) if *d == drift_detected);
        assert!(found, "{verdict:?}");
        verdict
    }

    /// Episodes that are open after each of these verdicts.
    fn episodes(verdicts: &[(&str, Verdict)]) -> Vec<Option<String>> {
        let judge = Judge::default();
        let mut open = Vec::new();
        for (baseline, verdict) in verdicts {
            judge.report(&judged(baseline, verdict.clone()));
            let drifted = judge.drifted.lock().unwrap();
            open.push(drifted.values().next().and_then(|e| e.baseline.clone()));
        }
        open
    }

    #[test]
    fn an_episode_ends_when_something_was_compared_and_only_then() {
        let a = Some("a".to_owned());
        let verdicts = [
            ("a", checked(true)),
            ("a", Verdict::InsufficientData),
            ("a", checked(true)),
            ("a", checked(false)),
        ];
        assert_eq!(episodes(&verdicts), [a.clone(), a.clone(), a, None]);
    }

    #[test]
    fn drift_from_another_baseline_is_another_episode() {
        let verdicts = [
            ("a", checked(true)),
            ("b", checked(true)),
            ("c", Verdict::InsufficientData),
            ("c", checked(true)),
            ("", Verdict::NoBaseline),
        ];
        let open = |baseline: &str| Some(baseline.to_owned());
        assert_eq!(
            episodes(&verdicts),
            [open("a"), open("b"), None, open("c"), None]
        );
    }

    #[test]
    fn what_is_told_of_an_episode_carries_its_id_and_every_one_has_an_end() {
        let (outlet, mut told) = Outlet::new(Counter::noop());
        let judge = Judge::new(outlet);
        for (baseline, drifts) in [("a", true), ("a", true), ("b", true), ("b", false)] {
            judge.report(&judged(baseline, checked(drifts)));
        }
        let mut notices = Vec::new();
        while let Ok(notice) = told.try_recv() {
            notices.push(serde_json::to_value(notice).unwrap());
        }
        let of = |field: &str| -> Vec<_> { notices.iter().map(|n| n[field].clone()).collect() };
        assert_eq!(
            of("event"),
            [
                "drift_detected",
                "drift_cleared",
                "drift_detected",
                "drift_cleared"
            ]
        );
        let reasons = of("reason");
        assert_eq!(
            (&reasons[1], &reasons[3]),
            (&"another baseline".into(), &"calm".into())
        );
        let ids = of("episode");
        assert_eq!((&ids[0], &ids[2]), (&ids[1], &ids[3]));
        assert_eq!(of("series")[0], "confidence");
    }

    #[tokio::test]
    async fn each_copy_is_judged_against_its_own_baseline() {
        let input = |baseline: f64| CheckInput {
            model: baseline.to_string(),
            version: "1".to_owned(),
            baseline: Baseline::of_confidences([baseline; 50], 100, Timestamp::UNIX_EPOCH)
                .ok()
                .map(Arc::new),
            in_use: None,
            recent: vec![0.5; 50],
            window: 50,
            threshold: 0.05,
            scan: None,
        };
        let inputs = vec![input(0.5), input(0.9)];
        let verdicts = Judge::default().judge(inputs, Counter::noop()).await;
        let drifted: Vec<_> = verdicts
            .iter()
            .map(|j| j.verdict.drift_detected())
            .collect();
        assert_eq!(drifted, [false, true]);
    }
}
