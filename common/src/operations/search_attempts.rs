//! An operator looks for attempts.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::OperationError;
use crate::{
    domain::{
        attempt::Status,
        ids::{ReceiptId, UserId},
        job::OpenJob,
        page::{Key, Page, Paged},
        waiting::{self, Standing, Waiting},
    },
    store::{
        Connection, Db,
        attempt_search::{self, AttemptRow, Having, Place, WithJob},
        brakes, job_rows,
        job_search::{self, Among, GroupFilter, Stretch},
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

/// Candidates that are looked at for one page, so that a rare sort among many costs no more than it may: a page may
/// be short, and the next one goes on.
const LOOKED_AT_MAX: i64 = 1_000;
/// A job is born with its attempt or later; so far may the clocks of the database and of a program be apart.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::days(1);

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
    let mut conn = db.acquire().await?;
    let places = places(&mut conn, filter, page).await?;
    let ids: Vec<i64> = places.items.iter().filter_map(|place| place.attempt).collect();
    let attempts = attempt_search::load(&mut conn, &ids).await?;
    let receipts: Vec<Uuid> = attempts.iter().map(|attempt| attempt.receipt.0).collect();
    let mut jobs: HashMap<Uuid, Vec<OpenJob>> = HashMap::new();
    for row in job_rows::of_attempts(&mut conn, &receipts).await? {
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

async fn places(conn: &mut Connection, filter: &AttemptFilter, page: Page) -> Result<Paged<Place>, OperationError> {
    let having = having(filter);
    let groups = if filter.job.is_of_failures() { Some(job_search::groups(conn, &filter.job).await?) } else { None };
    let job = WithJob { queue: filter.job.queue.clone(), kind: filter.job.kind.clone(), groups };
    let after = page.after.unwrap_or(Key::LAST);
    let user = match (filter.user, filter.receipt) {
        (Some(user), _) => Some(user),
        (None, Some(receipt)) => match attempt_search::user_of(conn, receipt).await? {
            Some(user) => Some(user),
            None => return Ok(Paged { items: Vec::new(), next: None }),
        },
        (None, None) => None,
    };
    if let Some(user) = user {
        let found = attempt_search::of_user(conn, (user, filter.receipt), (&having, &job), (after, page.limit + 1)).await?;
        return Ok(Paged::cut(found, page.limit, Place::key));
    }
    if job.is_asked() {
        return with_job(conn, (&having, &job), page).await;
    }
    let looked_at = if having.submitted_before.is_some() { LOOKED_AT_MAX } else { page.limit + 1 };
    // What the vendor accepted before arrived before.
    let bounds = [Some(having.created.1), having.submitted_before].map(|bound| bound.map_or(Key::LAST, Key::before));
    let after = after.min(bounds[0]).min(bounds[1]);
    let found = attempt_search::newest(conn, &having, (after, looked_at)).await?;
    Ok(Paged::sift(found, (page.limit, looked_at), Place::key, Place::fits))
}

/// Those with a job that is asked for: the jobs are walked, first a few, then as many as one page may cost.
async fn with_job(conn: &mut Connection, (having, job): (&Having, &WithJob), page: Page) -> Result<Paged<Place>, OperationError> {
    let among = match &job.groups {
        Some(groups) => Among::Groups(groups.clone()),
        None => Among::queues(job.queue.as_deref(), job.kind.as_deref()),
    };
    // Nearly always all of them fit; some attempts have two such jobs.
    let few = page.limit + 1 + page.limit / 5;
    let many = LOOKED_AT_MAX / among.stretches().max(1);
    let mut found = Paged { items: Vec::new(), next: Some(page.after.unwrap_or(Key::LAST)) };
    for looked_at in std::iter::once(few).chain((many > few).then_some(many)) {
        let Some(after) = found.next else { break };
        let limit = page.limit - i64::try_from(found.items.len()).unwrap_or(0);
        if limit == 0 && found.next == found.items.last().map(Place::key) {
            // The page was cut: there is another.
            break;
        }
        let keys = job_search::newest(conn, &among, Stretch { after, dead_before: None, limit: looked_at }).await?;
        let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
        let fitting = attempt_search::of_jobs(conn, &ids, having, job).await?;
        if limit == 0 && !fitting.is_empty() {
            // Behind a full page there is another.
            break;
        }
        let places = keys.iter().map(|key| Place { at: key.at, id: key.id, attempt: fitting.get(&key.id).copied() }).collect();
        let more = Paged::sift(places, (limit, looked_at), Place::key, Place::fits);
        found.items.extend(more.items);
        // Behind this the jobs of too old attempts begin.
        found.next = more.next.filter(|next| next.at + CLOCKS_APART_MAX >= having.created.0);
    }
    Ok(found)
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
