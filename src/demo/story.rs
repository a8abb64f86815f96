//! What happens, in which order, for how many predictions.
//!
//! A phase has as many predictions at every speed. How many is chosen so that what began in one is found and
//! over before the next begins, with margin: tests/e2e/demo.py plays the story with twenty seeds.

use super::traffic::Fault;

/// Predictions a second at speed 1.
pub const RATE: f64 = 60.0;
/// Predictions that become the baseline.
pub const BASELINE: u32 = 960;
/// Normal traffic behind the baseline, before anything happens. A drift with strong effects is seen for two to
/// three times as long as it and what came before it: longer windows still hold it.
const CALM: u32 = 180;
/// How long the traffic is normal at the end, where nothing happens.
const QUIET: u32 = 1500;

/// How long a fault lasts, and the traffic is normal after it: of twenty seeds the slowest was calm again after
/// 1,116, 1,040 and 512.
const fn length(fault: Fault) -> (u32, u32) {
    match fault {
        Fault::Inches => (240, 1380),
        Fault::MissingClass => (240, 1320),
        Fault::StuckSensor => (180, 900),
    }
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Everything, one after the other.
    Story,
    /// Lengths in inches.
    Inches,
    /// One class does not come.
    MissingClass,
    /// One value stays what it was.
    StuckSensor,
    /// Nothing happens.
    Nothing,
}

/// So many predictions of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// What is wrong with the traffic.
    pub fault: Option<Fault>,
    /// How many predictions.
    pub predictions: u32,
}

impl Scenario {
    /// What follows the baseline; the first phase is a calm one.
    pub fn phases(self) -> Vec<Phase> {
        let happening: &[Fault] = match self {
            Self::Story => &[Fault::Inches, Fault::MissingClass, Fault::StuckSensor],
            Self::Inches => &[Fault::Inches],
            Self::MissingClass => &[Fault::MissingClass],
            Self::StuckSensor => &[Fault::StuckSensor],
            Self::Nothing => &[],
        };
        let phase = |fault, predictions| Phase { fault, predictions };
        let mut phases = vec![phase(None, CALM)];
        for fault in happening {
            let (faulty, normal) = length(*fault);
            phases.extend([phase(Some(*fault), faulty), phase(None, normal)]);
        }
        if happening.is_empty() {
            phases.push(phase(None, QUIET));
        }
        phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_begins_and_ends_calm_and_no_fault_follows_another_at_once() {
        let all = [
            Scenario::Story,
            Scenario::Inches,
            Scenario::MissingClass,
            Scenario::StuckSensor,
            Scenario::Nothing,
        ];
        for scenario in all {
            let phases = scenario.phases();
            assert_eq!(phases.first().unwrap().fault, None);
            assert_eq!(phases.last().unwrap().fault, None);
            for two in phases.windows(2) {
                assert!(
                    two.iter().any(|phase| phase.fault.is_none()),
                    "{scenario:?}"
                );
            }
        }
        let faulty = |scenario: Scenario| {
            scenario
                .phases()
                .iter()
                .filter_map(|phase| phase.fault)
                .collect::<Vec<_>>()
        };
        let all_of = [
            Scenario::Inches,
            Scenario::MissingClass,
            Scenario::StuckSensor,
        ]
        .map(faulty);
        assert_eq!(faulty(Scenario::Story), all_of.concat());
        assert_eq!(faulty(Scenario::Nothing), []);
    }

    #[test]
    fn the_story_is_told_in_a_minute_and_a_half_and_calm_for_the_first_twenty_seconds() {
        let phases = Scenario::Story.phases();
        let seconds = |predictions: u32| f64::from(predictions) / RATE;
        let calm = seconds(BASELINE + phases[0].predictions);
        assert!((18.0..=20.0).contains(&calm), "{calm}");
        let all = seconds(BASELINE + phases.iter().map(|phase| phase.predictions).sum::<u32>());
        assert!((60.0..=100.0).contains(&all), "{all}");
    }
}
