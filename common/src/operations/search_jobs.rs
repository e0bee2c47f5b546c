//! An operator looks for jobs.

use chrono::{DateTime, TimeDelta, Utc};

use super::OperationError;
use crate::{
    domain::{
        ids::{JobId, ReceiptId, UserId},
        job::JobState,
        page::{Key, Page, Paged},
        timeline::Run,
    },
    store::{
        Connection, Db, attempt_search, brakes,
        job_rows::{self, JobRow},
        job_runs,
        job_search::{self, Among, DueFilter, GroupFilter, NextJob, Stretch},
    },
};

/// What is looked for; nothing given: all.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Where the job stands.
    pub state: Option<JobState>,
    /// What it is, and how it failed.
    pub group: GroupFilter,
    /// The attempt that it serves.
    pub receipt: Option<ReceiptId>,
    /// The learner whose attempt it serves.
    pub user: Option<UserId>,
    /// How long it has been there; a dead one, how long it has been dead.
    pub older_than: Option<TimeDelta>,
}

/// A lease, or a handing-out, is never longer: what is handed out or runs is due before.
const LEASE_MAX: TimeDelta = TimeDelta::minutes(2);

/// Candidates that are looked at for one page when few of them may be old enough: a page may be short, and the next
/// one goes on.
const LOOKED_AT_MAX: i64 = 1_000;

/// Finds jobs: the newest first; the dead, that died last, first; in any other state, what is due first, first.
///
/// # Errors
///
/// When the database is away.
pub async fn search(db: &Db, filter: &JobFilter, page: Page) -> Result<Paged<JobRow>, OperationError> {
    let mut conn = db.acquire().await?;
    let now = brakes::now(&mut conn).await?;
    let older_than = filter.older_than.map(|age| now - age);
    if filter.receipt.is_some() || filter.user.is_some() {
        let found = of_attempts(&mut conn, filter, older_than).await?;
        return Ok(page_of(found, page));
    }
    let among = if filter.group.is_of_failures() {
        Among::Groups(job_search::groups(&mut conn, &filter.group).await?)
    } else {
        Among::queues(filter.group.queue.as_deref(), filter.group.kind.as_deref())
    };
    let after = page.after.unwrap_or(Key::LAST).min(older_than.map_or(Key::LAST, Key::before));
    let keys = match filter.state {
        None => Paged::cut(
            job_search::newest(&mut conn, &among, Stretch { after, dead_before: older_than, limit: page.limit + 1 }).await?,
            page.limit,
            |key| *key,
        ),
        Some(JobState::Dead) => {
            Paged::cut(job_search::dead(&mut conn, &among, (after, page.limit + 1)).await?, page.limit, |key| *key)
        }
        Some(state) => {
            let room = if older_than.is_some() { LOOKED_AT_MAX / among.stretches().max(1) } else { 0 };
            let looked_at = room.max(page.limit + 1);
            let slice = (page.after.unwrap_or(Key::FIRST), looked_at);
            let found = job_search::next(&mut conn, &among, due_filter(state, now), slice).await?;
            let is_old = |job: &NextJob| older_than.is_none_or(|before| job.created_at < before);
            Paged::sift(found, (page.limit, looked_at), NextJob::key, is_old).map(|job| job.key())
        }
    };
    let ids: Vec<i64> = keys.items.iter().map(|key| key.id).collect();
    Ok(Paged { items: job_rows::load(&mut conn, &ids).await?, next: keys.next })
}

fn due_filter(state: JobState, now: DateTime<Utc>) -> DueFilter<'static> {
    let (after, until, phase) = match state {
        JobState::Due => (Key::FIRST.at, now, None),
        JobState::Dispatched => (now, now + LEASE_MAX, Some("dispatched")),
        JobState::Running => (now, now + LEASE_MAX, Some("running")),
        JobState::Scheduled | JobState::Dead => (now, Key::LAST.at, Some("waiting")),
    };
    DueFilter { after, until, phase }
}

/// All jobs of some attempts, which are few, the newest first.
async fn of_attempts(
    conn: &mut Connection,
    filter: &JobFilter,
    older_than: Option<DateTime<Utc>>,
) -> Result<Vec<JobRow>, OperationError> {
    let receipts = match (filter.receipt, filter.user) {
        (Some(receipt), None) => vec![receipt.0],
        (receipt, Some(user)) => {
            let mut receipts = attempt_search::receipts_of(conn, user).await?;
            receipts.retain(|found| receipt.is_none_or(|wanted| wanted.0 == *found));
            receipts
        }
        (None, None) => Vec::new(),
    };
    let mut found = job_rows::of_attempts(conn, &receipts).await?;
    found.retain(|row| fits(filter, row, older_than));
    found.reverse();
    Ok(found)
}

fn fits(filter: &JobFilter, row: &JobRow, older_than: Option<DateTime<Utc>>) -> bool {
    let (job, group) = (&row.job, &filter.group);
    let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    filter.state.is_none_or(|state| state == job.state)
        && is(&group.queue, Some(&job.queue))
        && is(&group.kind, Some(&job.kind))
        && is(&group.error_class, job.error_class.as_deref())
        && is(&group.error_code, Some(&job.error_code))
        && is(&group.fingerprint, job.fingerprint.as_deref())
        && older_than.is_none_or(|before| job.dead_at.unwrap_or(job.created_at) < before)
}

fn page_of(mut found: Vec<JobRow>, page: Page) -> Paged<JobRow> {
    let key = |row: &JobRow| Key { at: row.job.created_at, id: row.job.id.0 };
    found.sort_by_key(|row| std::cmp::Reverse(key(row)));
    found.retain(|row| page.after.is_none_or(|after| key(row) < after));
    Paged::cut(found, page.limit, key)
}

/// Finds a job with its tries; `None` when there is none, or when it is done.
///
/// # Errors
///
/// When the database is away.
pub async fn find(db: &Db, job: JobId) -> Result<Option<(JobRow, Vec<Run>)>, OperationError> {
    let mut conn = db.acquire().await?;
    let Some(row) = job_rows::load(&mut conn, &[job.0]).await?.into_iter().next() else { return Ok(None) };
    let runs = match row.subject {
        Some(subject) => job_runs::list_of_job(&mut conn, subject, job).await?,
        None => Vec::new(),
    };
    Ok(Some((row, runs)))
}
