//! Whether hits have become more frequent, looked at after each.
//!
//! Of independent or dependent trials, each of which hits with a probability of at most `q0` given all
//! before it, the likelihood ratio of a trial for a share `q` above `q0`, `q/q0` for a hit and
//! `(1-q)/(1-q0)` otherwise, is 1 or less on average. So of the sum `R = ratio * (1 + R before)` the mean
//! after `n` trials is at most `n`, and the mean time until it reaches `A` for the first time is at least `A`
//! trials, however often one looks. The same holds for the mean of such sums over several `q`, which are
//! there because nobody knows how large a change will be.
//! Source: Shiryaev, Theory Probab. Appl. 8 (1963); Roberts, Technometrics 8 (1966); as an e-detector for
//! all of `q0` and below: Shin, Ramdas, Rinaldo, arXiv 2203.03532 (2022).

use super::real;

/// How far above `q0` the alternatives are: each 1.6 times as far as the one before it.
const STEPS: [f64; 8] = [0.02, 0.032, 0.0512, 0.0819, 0.131, 0.21, 0.336, 0.537];
/// A share of hits that is 0 or 1 has no ratio.
const LEAST_SHARE: f64 = 1e-3;

/// The sums over all alternatives.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiryaevRoberts {
    alternatives: Vec<Alternative>,
    trials: u64,
}

/// One share that hits may have come to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Alternative {
    /// Ratio of a trial that does not hit, and of one that does.
    ratios: [f64; 2],
    /// Their logarithms.
    logarithms: [f64; 2],
    sums: Sums,
}

/// What an alternative has come to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Its sum, 0 or more.
    pub evidence: f64,
    /// Logarithm of the largest ratio of all that ends now, 0 or more.
    pub largest: f64,
    /// Trials before the one at which that begins.
    pub since: u64,
    /// Hits from then on.
    pub hits: u64,
}

impl ShiryaevRoberts {
    /// Against shares above `q0`, which is brought into `[0.001, 0.999]`.
    pub fn new(q0: f64) -> Self {
        let q0 = q0.clamp(LEAST_SHARE, 1.0 - LEAST_SHARE);
        let most = 1.0 - LEAST_SHARE / 2.0;
        let shares = STEPS.map(|step| q0 + step);
        let mut shares: Vec<f64> = shares.into_iter().filter(|q| *q <= most).collect();
        if shares.is_empty() {
            shares.push(most);
        }
        let alternative = |q: f64| {
            let ratios = [(1.0 - q) / (1.0 - q0), q / q0];
            Alternative {
                ratios,
                logarithms: ratios.map(f64::ln),
                sums: Sums::default(),
            }
        };
        Self {
            alternatives: shares.into_iter().map(alternative).collect(),
            trials: 0,
        }
    }

    /// One more trial. A few multiplications for each of at most 8 alternatives.
    pub fn push(&mut self, hit: bool) {
        for alternative in &mut self.alternatives {
            let sums = &mut alternative.sums;
            let ratio = usize::from(hit);
            // what is beyond all thresholds need not be told apart, and must not become infinite
            sums.evidence =
                (alternative.ratios[ratio] * (1.0 + sums.evidence)).min(f64::MAX / 16.0);
            sums.largest += alternative.logarithms[ratio];
            sums.hits += u64::from(hit);
            if sums.largest <= 0.0 {
                (sums.largest, sums.hits) = (0.0, 0);
                sums.since = self.trials + 1;
            }
        }
        self.trials += 1;
    }

    /// The mean of all sums: 0 or more.
    pub fn evidence(&self) -> f64 {
        let sums = self.alternatives.iter().map(|a| a.sums.evidence);
        sums.sum::<f64>() / real(self.alternatives.len())
    }

    /// Trials so far.
    pub fn trials(&self) -> u64 {
        self.trials
    }

    /// What the alternative with the most evidence has come to: when the change was, and hits since then.
    pub fn strongest(&self) -> Sums {
        let sums = self.alternatives.iter().map(|a| a.sums);
        let most = sums.max_by(|a, b| a.evidence.total_cmp(&b.evidence));
        most.unwrap_or_default()
    }

    /// Forgets all trials.
    pub fn restart(&mut self) {
        self.trials = 0;
        for alternative in &mut self.alternatives {
            alternative.sums = Sums::default();
        }
    }

    /// What there is, alternative by alternative, to write it down with [`ShiryaevRoberts::trials`].
    pub fn sums(&self) -> Vec<Sums> {
        self.alternatives.iter().map(|a| a.sums).collect()
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, trials: u64, sums: &[Sums]) -> bool {
        let is_sound = sums.len() == self.alternatives.len()
            && sums.iter().all(|sums| {
                let numbers = [sums.evidence, sums.largest];
                let are_numbers = numbers.iter().all(|n| n.is_finite() && *n >= 0.0);
                are_numbers && sums.since <= trials && sums.hits <= trials - sums.since
            });
        if is_sound {
            self.trials = trials;
            for (alternative, sums) in self.alternatives.iter_mut().zip(sums) {
                alternative.sums = *sums;
            }
        }
        is_sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean of the ratios of a trial that hits with probability `q`.
    fn means(q0: f64, q: f64) -> Vec<f64> {
        let detector = ShiryaevRoberts::new(q0);
        let alternatives = detector.alternatives.iter();
        alternatives
            .map(|a| q * a.ratios[1] + (1.0 - q) * a.ratios[0])
            .collect()
    }

    #[test]
    fn while_hits_are_no_more_frequent_than_the_bound_a_ratio_is_at_most_1_on_average() {
        for q0 in [0.001, 0.03, 0.1, 0.5, 0.9, 0.98, 0.999] {
            for share in [0.0, 0.25, 0.5, 0.99, 1.0] {
                let means = means(q0, q0 * share);
                assert!(
                    means.iter().all(|mean| *mean <= 1.0 + 1e-12),
                    "{q0} {means:?}"
                );
            }
            assert!(means(q0, q0).iter().all(|mean| (mean - 1.0).abs() < 1e-12));
        }
        assert!(means(0.1, 0.2).iter().any(|mean| *mean > 1.0));
    }

    #[test]
    fn the_mean_after_n_trials_at_the_bound_is_n() {
        // every one of the 2^12 outcomes with its probability
        let (q0, n) = (0.3, 12);
        let mut mean = 0.0;
        for outcome in 0..1_u32 << n {
            let mut detector = ShiryaevRoberts::new(q0);
            let mut probability = 1.0;
            for trial in 0..n {
                let hit = outcome >> trial & 1 == 1;
                probability *= if hit { q0 } else { 1.0 - q0 };
                detector.push(hit);
            }
            mean += probability * detector.evidence();
        }
        assert!((mean - f64::from(n)).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn a_change_is_dated() {
        let mut detector = ShiryaevRoberts::new(0.1);
        (0..300).for_each(|trial| detector.push(trial % 20 == 0));
        (0..60).for_each(|trial| detector.push(trial % 2 == 0));
        assert!(detector.evidence() > 1e6, "{}", detector.evidence());
        let change = detector.strongest();
        assert!((290..=301).contains(&change.since), "{change:?}");
        assert_eq!(change.hits, 30, "{change:?}");
    }

    #[test]
    fn hits_alone_never_make_it_infinite() {
        let mut detector = ShiryaevRoberts::new(0.001);
        (0..5_000).for_each(|_| detector.push(true));
        assert!(detector.evidence().is_finite());
        let sums = detector.sums();
        let mut again = ShiryaevRoberts::new(0.001);
        assert!(again.restore(detector.trials(), &sums));
        assert_eq!(again, detector);
    }

    #[test]
    fn what_cannot_have_been_is_not_restored() {
        let mut detector = ShiryaevRoberts::new(0.1);
        detector.push(true);
        let sums = detector.sums();
        let mut other = ShiryaevRoberts::new(0.1);
        assert!(!other.restore(1, &sums[1..]));
        let mut later = sums.clone();
        later[0].since = 2;
        assert!(!other.restore(1, &later));
        let mut infinite = sums;
        infinite[0].evidence = f64::INFINITY;
        assert!(!other.restore(1, &infinite));
        assert_eq!(other, ShiryaevRoberts::new(0.1));
    }
}
