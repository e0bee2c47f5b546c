//! Fresh random values: the only place that draws them.

use rand::RngExt;
use uuid::Uuid;

use crate::domain::ids::ReceiptId;

/// Draws the public id of a new attempt (a version 4 UUID).
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that draws receipt ids")]
pub fn new_receipt() -> ReceiptId {
    ReceiptId(Uuid::new_v4())
}

/// Draws `N` bytes that nobody can guess.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// Draws an evenly spread fraction of `0.0..1.0`, for jitter.
#[must_use]
pub fn random_fraction() -> f64 {
    rand::rng().random()
}

/// Draws an id that an outside program will know a thing by (a version 4 UUID).
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this file is the one place that draws ids")]
pub fn new_uuid() -> Uuid {
    Uuid::new_v4()
}
