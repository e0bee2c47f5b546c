//! Whether this process gets on: when its relay and its heartbeat last ended a round well.
//!
//! What a process does not run is not judged, and neither is what it has ended. The bound is far above what a slow server
//! or a large batch costs, so that only what hangs is told of.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A part that has ended no round well for so long hangs: 300 rounds of the relay, 15 of the heartbeat.
const STALL: Duration = Duration::from_mins(1);

/// What goes round in a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Hands due jobs out.
    Relay,
    /// Renews the leases of jobs in hand.
    Heartbeat,
}

impl Part {
    const ALL: [Self; 2] = [Self::Relay, Self::Heartbeat];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// When each part last ended a round well; `None`: it does not run.
#[derive(Debug, Default)]
pub struct Progress([Mutex<Option<Instant>>; 2]);

impl Progress {
    /// The part begins, or has ended a round well.
    pub fn goes_on(&self, part: Part, now: Instant) {
        self.set(part, Some(now));
    }

    /// The part has ended, and is not judged any more.
    pub fn ends(&self, part: Part) {
        self.set(part, None);
    }

    /// The first part that runs and hangs.
    #[must_use]
    pub fn find_stalled(&self, now: Instant) -> Option<Part> {
        Part::ALL.into_iter().find(|part| {
            let last = *self.of(*part).lock().unwrap_or_else(PoisonError::into_inner);
            last.is_some_and(|last| now.saturating_duration_since(last) > STALL)
        })
    }

    fn set(&self, part: Part, last: Option<Instant>) {
        *self.of(part).lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    const fn of(&self, part: Part) -> &Mutex<Option<Instant>> {
        let [relay, heartbeat] = &self.0;
        match part {
            Part::Relay => relay,
            Part::Heartbeat => heartbeat,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_runs_and_ends_no_round_for_over_a_minute_hangs() {
        let (progress, start) = (Progress::default(), Instant::now());
        assert_eq!(progress.find_stalled(start + STALL * 9), None, "what does not run is not judged");
        progress.goes_on(Part::Relay, start);
        progress.goes_on(Part::Heartbeat, start + STALL);
        assert_eq!(progress.find_stalled(start + STALL), None);
        assert_eq!(progress.find_stalled(start + STALL * 2), Some(Part::Relay));
        progress.goes_on(Part::Relay, start + STALL * 2);
        assert_eq!(progress.find_stalled(start + STALL * 2), None);
        assert_eq!(progress.find_stalled(start + STALL * 3), Some(Part::Heartbeat));
        progress.ends(Part::Heartbeat);
        assert_eq!(progress.find_stalled(start + STALL * 3), None, "what has ended is not judged");
    }
}
