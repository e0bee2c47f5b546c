//! An operator looks for attempts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::OperationError;
use crate::{
    domain::{
        attempt::Status,
        effect::{Effect, Queue},
        ids::{ReceiptId, UserId},
        job::OpenJob,
        page::{Key, Page, Paged},
        waiting::{self, Standing, Waiting},
    },
    store::{
        Connection, Db,
        attempt_search::{self, AttemptRow, Having, Place, WithJob},
        brakes,
        job_search::{self, GroupFilter},
    },
};

/// What is looked for; nothing given: all.
#[derive(Debug, Clone, Default)]
pub struct AttemptFilter {
    /// One of these states; empty: any.
    pub statuses: Vec<Status>,
    /// The learner.
    pub user: Option<UserId>,
    /// The attempt itself.
    pub receipt: Option<ReceiptId>,
    /// It has a job that is still to be done, of this sort.
    pub job: GroupFilter,
    /// The vendor's `MessageType`.
    pub vendor_code: Option<String>,
    /// It arrived at this moment or after (UTC).
    pub created_after: Option<DateTime<Utc>>,
    /// It arrived before (UTC).
    pub created_before: Option<DateTime<Utc>>,
    /// The vendor accepted it before (UTC).
    pub submitted_before: Option<DateTime<Utc>>,
}

/// An attempt, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAttempt {
    /// The attempt.
    pub attempt: AttemptRow,
    /// What it waits for.
    pub waits_for: Option<Waiting>,
}

/// Finds attempts, newest first; those with a job of some sort in the order of the newest such job of each.
///
/// # Errors
///
/// When the database is away.
pub async fn search(
    db: &Db,
    filter: &AttemptFilter,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Paged<FoundAttempt>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    let found = places(&mut conn, filter, (page.after.unwrap_or(Key::LAST), page.limit + 1)).await?;
    let places = Paged::cut(found, page.limit, Place::key);
    let ids: Vec<i64> = places.items.iter().map(|place| place.attempt).collect();
    let attempts = attempt_search::load(&mut conn, &ids).await?;
    let receipts: Vec<Uuid> = attempts.iter().map(|attempt| attempt.receipt.0).collect();
    let mut jobs: HashMap<Uuid, Vec<OpenJob>> = HashMap::new();
    for row in job_search::of_attempts(&mut conn, &receipts).await? {
        if let Some(subject) = row.subject {
            jobs.entry(subject).or_default().push(row.job);
        }
    }
    let brakes = brakes::list_on(&mut conn).await?;
    let items = attempts.into_iter().map(|attempt| {
        let standing = Standing { status: attempt.status, updated_at: attempt.updated_at, submitted_at: attempt.submitted_at };
        let open = jobs.remove(&attempt.receipt.0).unwrap_or_default();
        FoundAttempt { waits_for: waiting::find(standing, &open, &brakes, now), attempt }
    });
    Ok(Paged { items: items.collect(), next: places.next })
}

async fn places(conn: &mut Connection, filter: &AttemptFilter, slice: (Key, i64)) -> Result<Vec<Place>, OperationError> {
    let having = having(filter);
    let user = match (filter.user, filter.receipt) {
        (Some(user), _) => Some(user),
        (None, Some(receipt)) => match attempt_search::user_of(conn, receipt).await? {
            Some(user) => Some(user),
            None => return Ok(Vec::new()),
        },
        (None, None) => None,
    };
    let groups = if filter.job.is_of_failures() { Some(job_search::groups(conn, &filter.job).await?) } else { None };
    if let Some(user) = user {
        let job = WithJob { queue: filter.job.queue.clone(), kind: filter.job.kind.clone(), groups };
        return Ok(attempt_search::of_user(conn, (user, filter.receipt), (&having, &job), slice).await?);
    }
    if let Some(groups) = groups {
        return Ok(attempt_search::with_failure(conn, &groups, &having, slice).await?);
    }
    let of_kind = filter.job.kind.as_deref().and_then(Effect::queue_of).map(Queue::as_str);
    match (filter.job.queue.as_deref(), of_kind) {
        (None, None) => Ok(attempt_search::newest(conn, &having, slice).await?),
        (Some(queue), Some(of_kind)) if queue != of_kind => Ok(Vec::new()),
        (Some(queue), _) | (None, Some(queue)) => {
            Ok(attempt_search::with_job_on(conn, (queue, filter.job.kind.as_deref()), &having, slice).await?)
        }
    }
}

fn having(filter: &AttemptFilter) -> Having {
    // What the vendor never accepted is in one of these states, and need not be looked through.
    let may_be = |status: &Status| filter.submitted_before.is_none() || !matches!(status, Status::Created | Status::Ready);
    let wanted = |status: &Status| (filter.statuses.is_empty() || filter.statuses.contains(status)) && may_be(status);
    Having {
        statuses: Status::ALL.iter().filter(|status| wanted(status)).map(|status| status.as_str().to_owned()).collect(),
        vendor_code: filter.vendor_code.clone(),
        created: (filter.created_after.unwrap_or(Key::FIRST.at), filter.created_before.unwrap_or(Key::LAST.at)),
        submitted_before: filter.submitted_before,
    }
}
