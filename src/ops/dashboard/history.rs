//! Drifts as they began and ended, a bounded number of them.
//!
//! In memory only: after a restart those that go on are known by their windows, and those that ended
//! before are not.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

use super::state::Version;
use crate::drift::{
    Notice,
    notice::{Found, Happened, Tested, Told},
};

/// Drifts that are remembered.
pub(super) const MOST: usize = 500;

/// A drift of one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the page knows it by that name")]
pub(super) struct Episode {
    /// As in notices; `None`: it was found before the agent started, and goes on.
    episode: Option<String>,
    model: String,
    version: String,
    series: String,
    /// `scan` or `ks`.
    decision: &'static str,
    /// Since when it can be seen; `None`: the test does not tell.
    since: Option<f64>,
    /// When it was found; `None`: before the agent started.
    detected: Option<f64>,
    /// When it was over; `None`: it goes on.
    ended: Option<f64>,
    /// Why: `calm`, or what changed but the traffic.
    reason: Option<&'static str>,
    /// What was found; `None`: before the agent started.
    evidence: Option<Evidence>,
}

/// As the log has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Evidence {
    Scan(Found),
    Test(Tested),
}

/// The last of them, in the order in which they were first told.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Episode>);

impl History {
    /// Takes what was told. Beyond [`MOST`] the one that ended first leaves, or else the oldest.
    pub(super) fn take(&mut self, Told { at, notice }: Told) {
        let at = seconds(at);
        let evidence = match notice.event {
            Happened::Found(ref found) => Evidence::Scan(found.clone()),
            Happened::Tested(ref tested) => Evidence::Test(tested.clone()),
            Happened::Cleared { reason, .. } => return self.end(notice, at, reason),
        };
        self.push(Episode {
            detected: Some(at),
            evidence: Some(evidence),
            ..Episode::of(notice)
        });
    }

    fn end(&mut self, notice: Notice, at: f64, reason: &'static str) {
        let known = self.0.iter_mut().rev();
        let mut known = known.filter(|one| one.episode.as_deref() == Some(&*notice.episode));
        let (ended, reason) = (Some(at), Some(reason));
        match known.next() {
            Some(one) => (one.ended, one.reason) = (ended, reason),
            // it began before a restart
            None => self.push(Episode {
                ended,
                reason,
                ..Episode::of(notice)
            }),
        }
    }

    fn push(&mut self, episode: Episode) {
        if self.0.len() >= MOST {
            let ended = self.0.iter().position(|one| one.ended.is_some());
            self.0.remove(ended.unwrap_or(0));
        }
        self.0.push_back(episode);
    }

    /// All of them, and those of `versions` that go on since before the agent started; the latest first.
    pub(super) fn with(&self, versions: &[Version]) -> Vec<Episode> {
        let mut all: Vec<Episode> = self.0.iter().cloned().collect();
        for version in versions {
            let before = version.series.iter().filter_map(|series| {
                let found = series.report.episode.as_ref()?;
                let is_it = |one: &Episode| {
                    one.ended.is_none()
                        && one.decision == SCAN
                        && one.model == version.model
                        && one.version == version.version
                        && one.series == series.report.name
                };
                let is_known = self.0.iter().any(is_it);
                (!is_known).then(|| Episode {
                    episode: None,
                    model: version.model.clone(),
                    version: version.version.clone(),
                    series: series.report.name.clone(),
                    decision: SCAN,
                    since: Some(found.since),
                    detected: None,
                    ended: None,
                    reason: None,
                    evidence: None,
                })
            });
            all.extend(before);
        }
        let began = |one: &Episode| one.detected.or(one.since).or(one.ended).unwrap_or(0.0);
        all.sort_by(|a, b| began(b).total_cmp(&began(a)));
        all
    }
}

const SCAN: &str = "scan";

impl Episode {
    /// Whose it is.
    fn of(notice: Notice) -> Self {
        Self {
            episode: Some(notice.episode),
            model: notice.model,
            version: notice.model_version,
            series: notice.series,
            decision: notice.decision,
            since: notice.since.map(seconds),
            detected: None,
            ended: None,
            reason: None,
            evidence: None,
        }
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: i64, episode: &str, event: Happened) -> Told {
        Told {
            at: Timestamp::from_second(at).unwrap(),
            notice: Notice {
                episode: episode.to_owned(),
                model: "m".to_owned(),
                model_version: "1".to_owned(),
                series: "s".to_owned(),
                decision: SCAN,
                since: Timestamp::from_second(at - 5).ok(),
                event,
            },
        }
    }

    fn found() -> Happened {
        Happened::Found(Found {
            prediction: 640,
            score: 1.5,
            region: "above 1.8".to_owned(),
            baseline_share: 0.25,
            recent_share: 0.5,
            psi: None,
            wasserstein_over_iqr: None,
            low_confidence: false,
        })
    }

    fn cleared() -> Happened {
        Happened::Cleared {
            prediction: Some(9),
            reason: "calm",
        }
    }

    #[test]
    fn an_episode_has_its_beginning_its_end_and_what_was_found() {
        let mut history = History::default();
        history.take(told(100, "a", found()));
        history.take(told(110, "b", found()));
        history.take(told(120, "a", cleared()));
        history.take(told(130, "before a restart", cleared()));
        let all = serde_json::to_value(history.with(&[])).unwrap();
        let of = |place: usize, field: &str| &all[place][field];
        assert_eq!(
            (of(0, "ended"), of(0, "detected")),
            (&130.0.into(), &().into())
        );
        assert_eq!(
            (of(1, "episode"), of(1, "ended")),
            (&"b".into(), &().into())
        );
        assert_eq!(of(1, "evidence")["region"], "above 1.8");
        assert_eq!(
            (
                of(2, "since"),
                of(2, "detected"),
                of(2, "ended"),
                of(2, "reason")
            ),
            (&95.0.into(), &100.0.into(), &120.0.into(), &"calm".into())
        );
        assert_eq!(all.as_array().unwrap().len(), 3);
    }

    #[test]
    fn so_many_are_remembered_and_those_that_go_on_longest() {
        let mut history = History::default();
        history.take(told(0, "goes on", found()));
        for i in 0..2 * MOST {
            let name = format!("e{i}");
            history.take(told(10, &name, found()));
            history.take(told(20, &name, cleared()));
        }
        assert_eq!(history.0.len(), MOST);
        assert_eq!(history.0[0].episode.as_deref(), Some("goes on"));
        let last = history.0.back().unwrap();
        assert_eq!(last.episode, Some(format!("e{}", 2 * MOST - 1)));
    }
}
