//! The jobs that this process has claimed and not settled yet: their leases are kept alive, and a shutdown gives
//! them back.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use vouch_common::store::jobs::Lease;

/// Leases in the hands of this process.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<Lease, Held>>);

#[derive(Debug, Clone, Copy)]
struct Held {
    since: Instant,
    run_window: Duration,
}

impl Registry {
    /// Takes a lease in hand, whose job may run for so long.
    pub fn hold(&self, lease: Lease, run_window: Duration) {
        let held = Held { since: Instant::now(), run_window };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lease, held);
    }

    /// Lets a lease go, settled or not.
    pub fn let_go(&self, lease: Lease) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&lease);
    }

    /// The leases that are in hand.
    #[must_use]
    pub fn in_hand(&self) -> Vec<Lease> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The leases that have been in hand for `age` or longer, each with how long its job may run.
    #[must_use]
    pub fn older_than(&self, age: Duration) -> Vec<(Lease, Duration)> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().filter(|(_, held)| held.since.elapsed() >= age).map(|(lease, held)| (*lease, held.run_window)).collect()
    }
}
