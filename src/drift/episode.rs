//! From the first alarm of a series until nothing is left of it.

use serde::{Deserialize, Serialize};

use super::scan::{Alarm, Hop, LEVELS, window};

/// Hops in a row without much evidence that end an episode.
const CALM: u8 = 4;
/// Less than this share of the threshold is not much.
const LITTLE: f64 = 1.0 / 3.0;

/// Whether the series drifts, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Episodes {
    current: Option<Episode>,
    /// Alarms that began an episode.
    count: u64,
}

/// A drift that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The alarm that began it.
    pub first: Alarm,
    /// The last alarm, which renewed it.
    pub last: Alarm,
    calm: u8,
}

/// What a prediction changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// It drifts from now on.
    Began(Alarm),
    /// It drifts still.
    Renewed(Alarm),
    /// It drifts no more.
    Cleared(Episode),
}

impl Episode {
    /// The prediction behind which its first window begins, counted from 1: it is drifting since then or
    /// later.
    pub fn since(&self) -> u64 {
        self.first.at.saturating_sub(window(self.first.level))
    }
}

impl Episodes {
    /// The drift that goes on.
    pub fn current(&self) -> Option<&Episode> {
        self.current.as_ref()
    }

    /// Whether they can be of a series of so many regions.
    pub(super) fn is_sound(&self, regions: usize) -> bool {
        let is_of_it = |alarm: &Alarm| {
            let shown = alarm.strongest().0;
            alarm.level < LEVELS && alarm.region.max(shown) < regions
        };
        let episode = self.current.as_ref();
        episode.is_none_or(|episode| is_of_it(&episode.first) && is_of_it(&episode.last))
    }

    /// Episodes so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Notes an alarm. `recent`: the score of the latter half of its window. One that is calm there is of a
    /// drift that is over, which longer windows see for long: it renews nothing. A drift that goes on has half
    /// of its evidence there, which of a weak one is not much either: a sixth is asked for.
    pub fn alarm(&mut self, alarm: Alarm, recent: f64) -> Option<Change> {
        if let Some(episode) = &mut self.current {
            if recent < LITTLE.min(alarm.score / 6.0) {
                return None;
            }
            episode.last = alarm;
            episode.calm = 0;
            return Some(Change::Renewed(alarm));
        }
        self.count += 1;
        self.current = Some(Episode {
            first: alarm,
            last: alarm,
            calm: 0,
        });
        Some(Change::Began(alarm))
    }

    /// Notes a window that was tested with prediction `at`. Those of the level that raised the alarm count
    /// when nothing of before it is in them any more.
    pub fn hop(&mut self, at: u64, hop: Hop) -> Option<Change> {
        let episode = self.current.as_mut()?;
        let last = episode.last;
        if hop.level != last.level || at < last.at + window(last.level) {
            return None;
        }
        if hop.score >= LITTLE {
            episode.calm = 0;
            return None;
        }
        episode.calm += 1;
        if episode.calm < CALM {
            return None;
        }
        self.current.take().map(Change::Cleared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(at: u64) -> Alarm {
        Alarm {
            at,
            level: 0,
            region: 0,
            score: 1.5,
            inside: 9,
            strongest: None,
        }
    }

    fn hop(score: f64) -> Hop {
        Hop { level: 0, score }
    }

    #[test]
    fn four_calm_windows_behind_the_last_alarm_end_it() {
        let mut episodes = Episodes::default();
        assert!(matches!(
            episodes.alarm(alarm(64), 0.0),
            Some(Change::Began(_))
        ));
        assert!(matches!(
            episodes.alarm(alarm(72), 1.5),
            Some(Change::Renewed(_))
        ));
        assert_eq!(episodes.alarm(alarm(80), 0.2), None, "its end is calm");
        for at in [80, 88, 96] {
            assert_eq!(
                episodes.hop(at, hop(0.0)),
                None,
                "it holds what came before"
            );
        }
        for (at, score) in [(104, 0.1), (112, 0.5), (120, 0.1), (128, 0.1), (136, 0.1)] {
            assert_eq!(episodes.hop(at, hop(score)), None);
        }
        let other = Hop {
            level: 1,
            score: 0.0,
        };
        assert_eq!(episodes.hop(144, other), None);
        let Some(Change::Cleared(episode)) = episodes.hop(144, hop(0.1)) else {
            panic!("four in a row");
        };
        assert_eq!((episode.since(), episodes.count()), (32, 1));
        assert_eq!(episodes.current(), None);
    }
}
