//! The jobs that this process has claimed and not settled yet, so that a shutdown can give them back.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use vouch_common::store::jobs::Lease;

/// Leases in the hands of this process.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashSet<Lease>>);

impl Registry {
    /// Takes a lease in hand.
    pub fn hold(&self, lease: Lease) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lease);
    }

    /// Lets a lease go, settled or not.
    pub fn let_go(&self, lease: Lease) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&lease);
    }

    /// The leases that are in hand.
    #[must_use]
    pub fn in_hand(&self) -> Vec<Lease> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
