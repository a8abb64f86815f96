//! What happened between two states, or since the agent started where there is but one.

use std::collections::BTreeMap;

use super::state::{Endpoint, Histogram, State, Version};

/// Counts of an earlier state, and how long ago that was.
pub(super) struct Between<'a> {
    before: Option<&'a State>,
    /// In seconds, above 0.
    pub(super) seconds: f64,
}

impl<'a> Between<'a> {
    pub(super) fn new(before: Option<&'a State>, now: &State) -> Self {
        let seconds = match before {
            Some(before) => now.unix - before.unix,
            None => now.agent.uptime_seconds,
        };
        Self {
            before,
            seconds: seconds.max(1e-3),
        }
    }

    /// Whether it is since the start.
    pub(super) fn is_all(&self) -> bool {
        self.before.is_none()
    }

    /// So many each second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn rate(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    /// Requests of all routes, by status.
    pub(super) fn requests(&self, now: &State) -> BTreeMap<String, u64> {
        less(
            &now.traffic.requests,
            self.before.map(|before| &before.traffic.requests),
        )
    }

    /// Those of one route, and how long they took.
    pub(super) fn endpoint(&self, now: &Endpoint) -> (BTreeMap<String, u64>, Histogram) {
        let all = self.before.map(|before| &before.traffic.endpoints);
        let before = all.and_then(|all| all.iter().find(|of| of.endpoint == now.endpoint));
        let duration = now.duration.clone().unwrap_or_default();
        let was = before.and_then(|before| before.duration.as_ref());
        (
            less(&now.requests, before.map(|before| &before.requests)),
            duration.less(was),
        )
    }

    /// Items of one version.
    pub(super) fn predictions(&self, now: &Version) -> u64 {
        let all = self.before.and_then(|before| before.models.as_ref());
        let is_it = |of: &&Version| of.model == now.model && of.version == now.version;
        let before = all.and_then(|all| all.iter().find(is_it));
        items(now).saturating_sub(before.map_or(0, items))
    }
}

/// Items of a version: classes, and numbers of a regression.
pub(super) fn items(version: &Version) -> u64 {
    version.predictions + version.values.as_ref().map_or(0, |values| values.count)
}

fn less(
    now: &BTreeMap<String, u64>,
    before: Option<&BTreeMap<String, u64>>,
) -> BTreeMap<String, u64> {
    let was = |name: &String| before.and_then(|all| all.get(name)).copied().unwrap_or(0);
    let rest = now
        .iter()
        .map(|(name, count)| (name.clone(), count.saturating_sub(was(name))));
    rest.collect()
}

impl Histogram {
    fn less(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            for (now, was) in self.counts.iter_mut().zip(&before.counts) {
                *now = now.saturating_sub(*was);
            }
            self.count = self.count.saturating_sub(before.count);
            self.sum -= before.sum;
        }
        self
    }

    /// The least edge that at least `share` of them are not above; `None`: there are none, or it is above all
    /// edges.
    pub(super) fn quantile(&self, share: f64, edges: &[f64]) -> Option<f64> {
        let all: u64 = self.counts.iter().sum();
        if all == 0 {
            return None;
        }
        let mut below = 0;
        for (count, edge) in self.counts.iter().zip(edges) {
            below += count;
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
            if below as f64 >= share * all as f64 {
                return Some(*edge);
            }
        }
        None
    }

    pub(super) fn mean(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(counts: &[u64]) -> Histogram {
        Histogram {
            counts: counts.to_vec(),
            sum: 0.0,
            count: counts.iter().sum(),
        }
    }

    #[test]
    fn a_percentile_is_the_edge_that_so_many_are_not_above() {
        let edges = [0.1, 0.2, 0.5];
        let found = |counts: &[u64], share| histogram(counts).quantile(share, &edges);
        assert_eq!(found(&[0, 0, 0, 0], 0.5), None);
        assert_eq!(found(&[50, 49, 1, 0], 0.5), Some(0.1));
        assert_eq!(found(&[50, 49, 1, 0], 0.99), Some(0.2));
        assert_eq!(found(&[50, 49, 1, 0], 1.0), Some(0.5));
        // slower than the last edge: how much is not known
        assert_eq!(found(&[0, 0, 0, 3], 0.5), None);
    }

    #[test]
    fn rates_are_of_the_time_between_and_of_all_at_first() {
        let state = |unix: f64, ok: u64| State {
            unix,
            agent: super::super::state::Agent {
                uptime_seconds: unix,
                ..Default::default()
            },
            traffic: super::super::state::Traffic {
                requests: [("2xx".to_owned(), ok)].into(),
                ..Default::default()
            },
            ..State::default()
        };
        let (first, second) = (state(100.0, 1000), state(102.0, 1500));
        let between = Between::new(None, &first);
        assert!(between.is_all());
        let of = |between: &Between<'_>, state| between.rate(between.requests(state)["2xx"]);
        assert!((of(&between, &first) - 10.0).abs() < 1e-9);
        let between = Between::new(Some(&first), &second);
        assert!((of(&between, &second) - 250.0).abs() < 1e-9);
    }

    #[test]
    fn what_an_agent_that_began_anew_has_less_is_not_negative() {
        let before = histogram(&[5, 5]);
        assert_eq!(histogram(&[1, 7]).less(Some(&before)).counts, [0, 2]);
    }
}
