//! What happens, in which order, for how many predictions.
//!
//! Lengths are predictions, the same at every speed. A fault lasts long enough to be noticed with margin, and the
//! next one begins when Sidelight has said that all is calm again: tests/e2e/demo.py plays the story with
//! twenty seeds.

use super::traffic::Fault;

/// Predictions a second at speed 1.
pub const RATE: f64 = 60.0;
/// Predictions that become the baseline.
pub const BASELINE: u32 = 900;
/// Normal traffic behind the baseline, before anything happens. A drift with strong effects is seen for two to
/// three times as long as it and what came before it: longer windows still hold it.
const CALM: u32 = 180;
/// How long the traffic is normal at the end, where nothing happens.
const QUIET: u32 = 1500;
/// How long it is normal after a fault, at most. Mostly all is calm again after 300 to 1,200, and 180 later the next begins.
const RECOVERY: u32 = 3000;
/// How long all is calm before the next fault.
pub const BREATH: u32 = 180;

/// How long a fault lasts: three times as long and more as it takes to be noticed.
const fn length(fault: Fault) -> u32 {
    match fault {
        Fault::Inches | Fault::MissingClass => 240,
        Fault::StuckSensor => 180,
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
    /// Or fewer: it ends when all has been calm for [`BREATH`].
    pub is_recovery: bool,
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
        let phase = |fault, predictions| Phase {
            fault,
            predictions,
            is_recovery: false,
        };
        let recovery = Phase {
            is_recovery: true,
            ..phase(None, RECOVERY)
        };
        let mut phases = vec![phase(None, CALM)];
        for fault in happening {
            phases.extend([phase(Some(*fault), length(*fault)), recovery]);
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
    fn a_phase_behind_a_fault_is_a_recovery_and_no_other_is() {
        let phases = Scenario::Story.phases();
        for two in phases.windows(2) {
            assert_eq!(two[1].is_recovery, two[0].fault.is_some());
        }
        assert!(!phases[0].is_recovery);
        assert!(
            Scenario::Nothing
                .phases()
                .iter()
                .all(|phase| !phase.is_recovery)
        );
    }

    #[test]
    fn the_first_twenty_seconds_are_calm() {
        let calm = BASELINE + Scenario::Story.phases()[0].predictions;
        let seconds = f64::from(calm) / RATE;
        // the baseline is put to use within a second
        assert!((17.0..=20.0).contains(&seconds), "{seconds}");
    }
}
