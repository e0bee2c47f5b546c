//! A far side answered: the breaker of its queue is told.
//!
//! Answers are many, and all is well mostly. So an answer costs a look; a row is written only when the breaker is
//! not at rest, and once a second for the counts.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        breaker::{Event, State},
        effect::Queue,
    },
    store::{Db, breakers, queues, repeat},
};

/// Answers that the breaker was not told of yet.
#[derive(Debug, Clone, Copy)]
pub struct Answers {
    /// How many.
    pub calls: u32,
    /// When the last call began.
    pub began: DateTime<Utc>,
    /// Whether they are told although the breaker is at rest.
    pub must_be_told: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing was written; the counts can wait.
    Later,
    /// The breaker was told.
    Told,
    /// It was told, and lets calls through again.
    Healing,
}

/// Tells the breaker of a queue that the far side answered.
///
/// # Errors
///
/// When the database is away; tell the next time.
pub async fn record(db: &Db, queue: Queue, answers: Answers) -> Result<Recorded, OperationError> {
    if !answers.must_be_told && repeat!(db, conn => breakers::is_at_rest(conn, queue).await)? {
        return Ok(Recorded::Later);
    }
    let mut tx = db.begin().await?;
    let Some(mut named) = breakers::find_of_queue_and_lock(&mut tx, queue, true).await? else { return Ok(Recorded::Told) };
    let now = queues::now(&mut tx).await?;
    let was_open = named.breaker.state == State::Open;
    named.breaker = named.breaker.judge(&Event::Answer { calls: answers.calls, began: answers.began }, now).breaker;
    breakers::save(&mut tx, &named).await?;
    tx.commit().await?;
    Ok(if was_open && named.breaker.state == State::Recovering { Recorded::Healing } else { Recorded::Told })
}
