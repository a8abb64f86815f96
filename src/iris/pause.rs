//! How long a child that keeps dying stays away.

use std::time::Duration;

/// Time between a death and the next start.
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Self::SHORTEST)
    }
}

impl Pause {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);
    /// Who has lived this long was well.
    const WELL: Duration = Duration::from_secs(10);

    /// The pause after a life of this length.
    pub(super) fn after(&mut self, life: Duration) -> Duration {
        if life >= Self::WELL {
            self.0 = Self::SHORTEST;
        }
        let pause = self.0;
        self.0 = (pause * 2).min(Self::LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_to_five_seconds_and_begins_anew_after_a_good_life() {
        let mut pause = Pause::default();
        let short = Duration::from_secs(1);
        let pauses: Vec<u128> = (0..8).map(|_| pause.after(short).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pause.after(Pause::WELL).as_millis(), 100);
        assert_eq!(pause.after(short).as_millis(), 200);
    }
}
