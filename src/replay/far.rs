//! Times that cannot be those of a log: one of the year 9999 would stretch its period over millennia.

use jiff::{SignedDuration, Timestamp};

/// Farther from the rest is no time of the same log.
const FAR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Clocks of two hosts are not farther apart.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// So many in a row that agree are a part of the log, however long nothing was written before.
const ENOUGH: u64 = 8;

/// Where the times of a log are, as far as it was read.
#[derive(Debug)]
pub(super) struct Rest {
    /// Later is the future.
    latest: Timestamp,
    /// The last of them, and how many there were.
    near: Option<(Timestamp, u64)>,
    /// The last in a row that are far from those, but not from each other.
    far: Option<(Timestamp, u64)>,
}

/// Where a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// With the rest.
    Near,
    /// Far from it.
    Far,
    /// With the rest, and the `before` that came before were far from it.
    Moved { before: u64 },
}

impl Rest {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            latest: now.checked_add(AHEAD).unwrap_or(Timestamp::MAX),
            near: None,
            far: None,
        }
    }

    /// Takes the next one.
    pub(super) fn place(&mut self, at: Timestamp) -> Place {
        let Some((near, count)) = self.near else {
            self.near = Some((at, 1));
            return Place::Near;
        };
        if !self.is_far(at, near) {
            (self.near, self.far) = (Some((at, count + 1)), None);
            return Place::Near;
        }
        let others = match self.far {
            Some((far, others)) if !self.is_far(at, far) => others + 1,
            _ => 1,
        };
        // a future that the rest is in is none, but a single time may be wrong
        let is_future = near > self.latest && at <= self.latest;
        if others < ENOUGH && others <= count && !is_future {
            self.far = Some((at, others));
            return Place::Far;
        }
        (self.near, self.far) = (Some((at, others)), None);
        if count < ENOUGH {
            Place::Moved { before: count }
        } else {
            Place::Near
        }
    }

    fn is_far(&self, at: Timestamp, from: Timestamp) -> bool {
        let is_future = at > self.latest && from <= self.latest;
        is_future || at.duration_since(from).abs() > FAR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(times: &[&str]) -> Vec<Place> {
        let mut rest = Rest::new("2026-11-26T00:00:00Z".parse().unwrap());
        let at = |time: &&str| format!("{time}T00:00:00Z").parse().unwrap();
        times.iter().map(|time| rest.place(at(time))).collect()
    }

    #[test]
    fn one_that_is_far_is_left_out_wherever_it_stands() {
        use Place::{Far, Moved, Near};
        let today = "2026-11-20";
        for far in ["9999-12-01", "2026-12-20", "1971-01-01"] {
            assert_eq!(places(&[today, far, today]), [Near, Far, Near], "{far}");
        }
        for far in ["9999-12-01", "2026-12-20"] {
            let found = places(&[far, "2026-11-20", "2026-11-21"]);
            // a month is near enough to go on from there, and yet in the future
            assert_eq!(found[0], Near, "{far}");
            assert_eq!(found[2], Near, "{far}");
        }
        assert_eq!(
            places(&["9999-12-01", today, today]),
            [Near, Moved { before: 1 }, Near]
        );
        assert_eq!(
            places(&["1971-01-01", today, today, today]),
            [Near, Far, Moved { before: 1 }, Near]
        );
    }

    #[test]
    fn years_without_a_line_are_a_gap_where_many_come_behind_it() {
        let mut times = vec!["2020-01-01"; 20];
        times.extend(["2024-01-01"; 20]);
        let found = places(&times);
        let far = found.iter().filter(|place| **place == Place::Far);
        assert_eq!(far.count(), 7);
        assert!(found[27..].iter().all(|place| *place == Place::Near));
        // a log that goes on for years is near itself all the time
        let years: Vec<String> = (2000..2026).map(|year| format!("{year}-06-01")).collect();
        let years: Vec<&str> = years.iter().map(String::as_str).collect();
        assert!(places(&years).iter().all(|place| *place == Place::Near));
    }

    #[test]
    fn a_log_that_is_all_in_the_future_has_its_times() {
        let found = places(&["2031-01-01", "2031-01-02", "2031-01-03"]);
        assert!(found.iter().all(|place| *place == Place::Near), "{found:?}");
    }
}
