//! A vendor's breaker, as operators see it.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::MaybeUndefined};
use vouch_common::{domain::breaker::Forced, store::breakers::NamedBreaker};

use crate::error::Fault;

/// A vendor's breaker.
#[derive(Object)]
pub(super) struct BreakerAnswer {
    /// The vendor.
    vendor: String,
    /// The queue that it stops.
    queue: String,
    /// `closed`: all goes. `open`: nothing goes but a probe. `recovering`: calls come back little by little.
    state: String,
    /// `open` or `closed` when an operator forces it.
    forced: Option<String>,
    /// Why it stands so.
    reason: String,
    /// Since when (UTC).
    since: DateTime<Utc>,
    /// Open: when a probe may go; none while it is forced. Recovering: when it is closed if nothing fails (UTC).
    until: Option<DateTime<Utc>>,
    /// Outages in a row.
    failures_in_row: u32,
}

impl From<NamedBreaker> for BreakerAnswer {
    fn from(named: NamedBreaker) -> Self {
        let breaker = named.breaker;
        Self {
            vendor: named.vendor,
            queue: named.queue,
            state: breaker.state.as_str().to_owned(),
            forced: breaker.forced.map(|forced| forced.as_str().to_owned()),
            reason: breaker.reason,
            since: breaker.since,
            until: breaker.until,
            failures_in_row: breaker.failures_in_row,
        }
    }
}

/// How a breaker is forced, and why.
#[derive(Object)]
pub(super) struct ForceOrder {
    /// `open`: nothing goes. `closed`: it never stops anything. `null`: it measures again.
    force: MaybeUndefined<String>,
    /// Why; a line of 1 to 500 characters.
    #[oai(default)]
    pub(super) reason: String,
}

impl ForceOrder {
    /// What is to be forced.
    ///
    /// # Errors
    ///
    /// 400 when it is missing or none of the words.
    pub(super) fn forced(&self) -> Result<Option<Forced>, Fault> {
        let bad = || Fault::bad_request("`force` must be \"open\", \"closed\" or null. Nothing was changed.");
        match &self.force {
            MaybeUndefined::Undefined => Err(bad()),
            MaybeUndefined::Null => Ok(None),
            MaybeUndefined::Value(word) => Forced::parse(word).map(Some).ok_or_else(bad),
        }
    }
}
