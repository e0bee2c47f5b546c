//! An operator retries all that a filter fits. The set is frozen here; `run_retry` goes through it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::act_refused::ActRefused;
use crate::{
    domain::{
        effect::{Effect, Wish},
        ids::RetryId,
        operator::Order,
        retry_filter::{Rate, RetryFilter},
    },
    ids,
    store::{
        Connection, Db, StoreError, jobs,
        operator_actions::{self, Action},
        retries::{self, Retry},
        retry_targets::{self, Group, Sample},
    },
};

/// Most samples of a dry run.
const SAMPLES_MAX: i64 = 20;

/// What a filter fits right now.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// How many items.
    pub total: i64,
    /// By which failures, most first.
    pub groups: Vec<Group>,
    /// The oldest of them.
    pub samples: Vec<Sample>,
}

/// Tells what a bulk retry would do, and does nothing.
///
/// # Errors
///
/// When the database is away.
pub async fn preview(db: &Db, filter: &RetryFilter) -> Result<Preview, ActRefused> {
    let mut tx = db.begin().await?;
    retry_targets::plan_for_filter(&mut tx).await?;
    let groups = retry_targets::groups(&mut tx, filter).await?;
    let samples = retry_targets::samples(&mut tx, filter, SAMPLES_MAX).await?;
    tx.rollback().await?;
    Ok(Preview { total: groups.iter().map(|group| group.count).sum(), groups, samples })
}

/// What is to be retried, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct ToStart<'a> {
    /// Which.
    pub filter: &'a RetryFilter,
    /// How fast.
    pub rate: Rate,
    /// The caller and its name for the request, if it has one. Two keys of one name are two callers.
    pub key: Option<(&'a str, &'a str)>,
}

/// Starts a bulk retry: the set, the job that goes through it and the audit are written, or nothing.
///
/// Answers with the one that runs when the same filter is retried already, and with the first one when the key was used
/// before.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed.
pub async fn start(db: &Db, new: ToStart<'_>, order: &Order, now: DateTime<Utc>) -> Result<Retry, ActRefused> {
    let filter = new.filter.to_json();
    let digest = digest(&filter, new.rate, order);
    let mut tx = db.begin().await?;
    retries::lock_starts(&mut tx).await?;
    if let Some((caller, key)) = new.key
        && let Some((used_for, id)) = retries::find_key(&mut tx, caller, key).await?
    {
        let same = if used_for == digest { retries::find(&mut tx, id).await? } else { None };
        return same.ok_or(ActRefused::KeyUsed);
    }
    let retry = match retries::find_running(&mut tx, &filter).await? {
        Some(running) => running,
        None => freeze(&mut tx, new, filter, order, now).await?,
    };
    if let Some(key) = new.key {
        retries::insert_key(&mut tx, key, (&digest, RetryId(retry.id)), now).await?;
    }
    tx.commit().await?;
    Ok(retry)
}

async fn freeze(
    conn: &mut Connection,
    new: ToStart<'_>,
    filter: Value,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Retry, ActRefused> {
    let id = RetryId(ids::new_uuid());
    let mut retry = Retry {
        id: id.0,
        status: "running".to_owned(),
        filter,
        rate: new.rate.per_second(),
        reason: order.reason.clone(),
        created_by: order.actor.clone(),
        created_at: now,
        finished_at: None,
        total: 0,
        retried: 0,
        skipped: 0,
    };
    retries::insert(conn, &retry).await?;
    retry_targets::plan_for_filter(conn).await?;
    retry.total = retry_targets::freeze(conn, id, new.filter).await?;
    if retry.total == 0 {
        return Err(ActRefused::NothingMatches);
    }
    retries::set_total(conn, id, retry.total).await?;
    tell(conn, &retry, order, now).await?;
    jobs::insert(conn, &[Wish::from(Effect::RetryBatch { retry: id })], None).await?;
    Ok(retry)
}

async fn tell(conn: &mut Connection, retry: &Retry, order: &Order, now: DateTime<Utc>) -> Result<(), StoreError> {
    let detail = json!({ "filter": retry.filter, "rate": retry.rate, "total": retry.total });
    let target = retry.id.to_string();
    operator_actions::append(conn, &Action { at: now, order, action: "retries.start", target: &target, detail }).await
}

/// A digest of what is asked for.
fn digest(filter: &Value, rate: Rate, order: &Order) -> Vec<u8> {
    Sha256::digest(json!([filter, rate.per_second(), order.reason]).to_string()).to_vec()
}
