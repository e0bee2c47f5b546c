//! How the queues and the breakers stand, for operators.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::breaker::{Breaker, State},
    store::{
        Db,
        breakers::{self, NamedBreaker},
        job_views::{self, QueueDepth},
        queues::{self, QueueControl},
    },
};

/// How everything stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Brakes {
    /// Each queue.
    pub queues: Vec<QueueView>,
    /// Each breaker.
    pub breakers: Vec<NamedBreaker>,
}

/// How a queue stands.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueView {
    /// What it holds.
    pub depth: QueueDepth,
    /// Its brakes; a hold that is over is not shown.
    pub control: QueueControl,
    /// What stops it first.
    pub state: QueueState,
    /// Why.
    pub reason: String,
}

/// What stops a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// Nothing.
    Running,
    /// An operator.
    Paused,
    /// The far side asked for it.
    Held,
    /// The breaker is open.
    Broken,
    /// It goes, but limited: by an operator, or by a breaker that recovers.
    Limited,
}

impl QueueState {
    /// Its word in the api.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Limited => "limited",
        }
    }
}

/// Reads how everything stands. A long queue is not counted, so it costs milliseconds.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db) -> Result<Brakes, OperationError> {
    let mut conn = db.acquire().await?;
    let depths = job_views::depths(&mut conn).await?;
    let controls = queues::list(&mut conn).await?;
    let mut breakers = breakers::list(&mut conn).await?;
    let now = queues::now(&mut conn).await?;
    for named in &mut breakers {
        named.breaker = named.breaker.clone().at(now);
    }
    let view = |depth: QueueDepth| {
        let control = controls.iter().find(|control| control.queue == depth.queue).cloned();
        let mut control = control.unwrap_or_else(|| QueueControl::none(depth.queue, now));
        control.held_until = control.held_until.filter(|until| *until > now);
        let breaker = breakers.iter().find(|named| named.queue == depth.queue.as_str()).map(|named| &named.breaker);
        let (state, reason) = judge(&control, breaker, now);
        QueueView { depth, control, state, reason }
    };
    let queues = depths.into_iter().map(view).collect();
    Ok(Brakes { queues, breakers })
}

/// What stops a queue first, and why.
fn judge(control: &QueueControl, breaker: Option<&Breaker>, now: DateTime<Utc>) -> (QueueState, String) {
    let stands = |state| breaker.filter(|breaker| breaker.state == state).map(|breaker| breaker.reason.clone());
    if control.paused_at.is_some() {
        (QueueState::Paused, control.paused_reason.clone())
    } else if let Some(reason) = stands(State::Open) {
        (QueueState::Broken, reason)
    } else if control.is_held(now) {
        (QueueState::Held, control.held_reason.clone())
    } else if let Some(reason) = stands(State::Recovering) {
        (QueueState::Limited, reason)
    } else if control.rate_limit.is_some() {
        (QueueState::Limited, control.limit_reason.clone())
    } else {
        (QueueState::Running, String::new())
    }
}
