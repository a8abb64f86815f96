//! When the windows of a series began.

use serde::{Deserialize, Serialize};

use super::scan::{BLOCK, LEVELS};

/// Blocks of a window, and the one before it, at whose end the window begins.
const ENDS: usize = 5;

/// The times at which the last blocks of every level ended, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    ends: [[f64; ENDS]; LEVELS],
}

impl Clock {
    /// The windows begin now.
    pub(super) const fn new(now: f64) -> Self {
        Self {
            ends: [[now; ENDS]; LEVELS],
        }
    }

    /// Notes that prediction `count` came at `now`; only those that end a block matter.
    pub(super) fn tick(&mut self, count: u64, now: f64) {
        if !count.is_multiple_of(BLOCK) {
            return;
        }
        let mut ended = count / BLOCK;
        for ends in &mut self.ends {
            ends.rotate_left(1);
            ends[ENDS - 1] = now;
            if !ended.is_multiple_of(2) {
                break;
            }
            ended /= 2;
        }
    }

    /// When the window of `level` that was full last began.
    pub(super) fn start(&self, level: usize) -> f64 {
        self.ends[level.min(LEVELS - 1)][0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_where_the_block_before_it_ended() {
        let mut clock = Clock::new(0.0);
        for count in 1..=200_u32 {
            clock.tick(count.into(), f64::from(count));
        }
        // 32 predictions, 169 to 200, and 64, the last of which ended with 192
        assert_eq!(clock.start(0).to_bits(), 168.0_f64.to_bits());
        assert_eq!(clock.start(1).to_bits(), 128.0_f64.to_bits());
        assert_eq!(clock.start(10).to_bits(), 0.0_f64.to_bits());
    }
}
