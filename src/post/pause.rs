//! How long to wait before another try.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// The longest wait that a receiver can ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// After `failures` in a row, from 1: 1 s, doubled with each to 1 minute, of which a random half is left
/// out, so that agents that failed together do not come back together. Not less than is `asked`, which
/// counts up to 5 minutes.
pub fn pause(failures: u32, asked: Option<Duration>, random: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(6);
    let most = (FIRST * (1 << doublings)).min(LONGEST);
    let own = most.mul_f64(0.5 + random.f64() / 2.0);
    own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_minute_and_differ() {
        let mut random = fastrand::Rng::with_seed(1);
        for (failures, most) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)] {
            let most = Duration::from_secs(most);
            let pauses: Vec<_> = (0..50)
                .map(|_| pause(failures, None, &mut random))
                .collect();
            assert!(pauses.iter().all(|p| (most / 2..=most).contains(p)));
            assert_ne!(pauses[0], pauses[1]);
        }
    }

    #[test]
    fn what_a_receiver_asks_for_counts_within_a_bound() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut of = |seconds| pause(1, Some(Duration::from_secs(seconds)), &mut random);
        assert_eq!(of(30), Duration::from_secs(30));
        assert_eq!(of(1 << 40), LONGEST_ASKED);
        assert!(of(0) >= FIRST / 2);
    }
}
