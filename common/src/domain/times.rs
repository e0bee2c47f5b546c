//! Times as learners read them, always in UTC. Source: reference 4.6.

use chrono::{DateTime, Utc};

/// A moment, as `Jun 01, 2016 at 12:00 UTC`.
#[must_use]
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%b %d, %Y at %H:%M UTC").to_string()
}

/// A day, as `Jun 01, 2016`.
#[must_use]
pub fn day(at: DateTime<Utc>) -> String {
    at.format("%b %d, %Y").to_string()
}

/// A day in figures, as `06/01/2016`.
#[must_use]
pub fn day_in_figures(at: DateTime<Utc>) -> String {
    at.format("%m/%d/%Y").to_string()
}
