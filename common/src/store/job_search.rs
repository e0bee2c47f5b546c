//! Finding jobs among a million: each statement walks one index in the order of the list and stops at a page.
//!
//! What a failure is (kind, class, code) is its group's, and groups are few; so whatever is asked of failures
//! becomes a list of fingerprints, each with its own stretch of an index.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    ids::JobId,
    job::{JobState, OpenJob},
    page::Key,
};

/// Most groups that one search looks through.
const GROUPS_MAX: i64 = 1_000;

/// A job as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// What is known of it.
    pub job: OpenJob,
    /// The attempt that it serves.
    pub subject: Option<Uuid>,
    /// Its arguments: ids only.
    pub args: Value,
}

/// What failures have in common that are looked for; nothing given: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// The queue.
    pub queue: Option<String>,
    /// The kind of job.
    pub kind: Option<String>,
    /// The class.
    pub error_class: Option<String>,
    /// The far side's code.
    pub error_code: Option<String>,
    /// The group itself.
    pub fingerprint: Option<String>,
}

impl GroupFilter {
    /// Whether it asks for failures: a queue and a kind alone do not.
    #[must_use]
    pub const fn is_of_failures(&self) -> bool {
        self.error_class.is_some() || self.error_code.is_some() || self.fingerprint.is_some()
    }
}

/// Which stretches of an index are walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Among {
    /// The jobs of these queues, of that kind if one is given.
    Queues(Vec<String>, Option<String>),
    /// The failures of these groups.
    Groups(Vec<String>),
}

/// Where a page begins and how much of it there is; `older_than` is a moment before which a job must have been
/// born, or died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) after: Key,
    pub(crate) older_than: DateTime<Utc>,
    pub(crate) limit: i64,
}

/// When a job may be due, and in which phase it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DueFilter<'a> {
    pub(crate) after: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) phase: Option<&'a str>,
}

struct Found {
    at: DateTime<Utc>,
    id: i64,
}

impl From<Found> for Key {
    fn from(found: Found) -> Self {
        Self { at: found.at, id: found.id }
    }
}

/// The groups of failures that fit, by fingerprint.
pub(crate) async fn groups(conn: &mut Connection, filter: &GroupFilter) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT fingerprint FROM error_groups
        WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
          AND ($3::text IS NULL OR error_class = $3) AND ($4::text IS NULL OR error_code = $4)
          AND ($5::text IS NULL OR fingerprint = $5)
        ORDER BY first_seen DESC, fingerprint
        LIMIT $6
        "#,
        filter.queue,
        filter.kind,
        filter.error_class,
        filter.error_code,
        filter.fingerprint,
        GROUPS_MAX,
    )
    .fetch_all(conn)
    .await?)
}

/// Jobs in any state, the newest first.
pub(crate) async fn newest(conn: &mut Connection, among: &Among, stretch: Stretch) -> Result<Vec<Key>, StoreError> {
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT created_at, id FROM jobs
                    WHERE jobs.queue = wanted.queue AND (created_at, id) < ($2, $3) AND created_at < $4
                      AND (dead_at IS NULL OR dead_at < $4) AND ($5::text IS NULL OR kind = $5)
                    ORDER BY created_at DESC, id DESC
                    LIMIT $6) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $6
                "#,
                queues,
                stretch.after.at,
                stretch.after.id,
                stretch.older_than,
                kind.as_deref(),
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT created_at, id FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND (created_at, id) < ($2, $3) AND created_at < $4
                      AND (dead_at IS NULL OR dead_at < $4)
                    ORDER BY created_at DESC, id DESC
                    LIMIT $5) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $5
                "#,
                groups,
                stretch.after.at,
                stretch.after.id,
                stretch.older_than,
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().map(Key::from).collect())
}

/// Dead jobs, the last that died first.
pub(crate) async fn dead(conn: &mut Connection, among: &Among, stretch: Stretch) -> Result<Vec<Key>, StoreError> {
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.dead_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT dead_at, id FROM jobs
                    WHERE jobs.queue = wanted.queue AND dead_at IS NOT NULL AND (dead_at, id) < ($2, $3) AND dead_at < $4
                      AND ($5::text IS NULL OR kind = $5)
                    ORDER BY dead_at DESC, id DESC
                    LIMIT $6) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $6
                "#,
                queues,
                stretch.after.at,
                stretch.after.id,
                stretch.older_than,
                kind.as_deref(),
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.dead_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT dead_at, id FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND dead_at IS NOT NULL AND (dead_at, id) < ($2, $3)
                      AND dead_at < $4
                    ORDER BY dead_at DESC, id DESC
                    LIMIT $5) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $5
                "#,
                groups,
                stretch.after.at,
                stretch.after.id,
                stretch.older_than,
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().map(Key::from).collect())
}

/// Jobs that are not dead, the first due first.
pub(crate) async fn next(
    conn: &mut Connection,
    among: &Among,
    due: DueFilter<'_>,
    stretch: Stretch,
) -> Result<Vec<Key>, StoreError> {
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.due_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT due_at, id FROM jobs
                    WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND (due_at, id) > ($2, $3)
                      AND due_at > $4 AND due_at <= $5 AND ($6::text IS NULL OR phase = $6)
                      AND created_at < $7 AND ($8::text IS NULL OR kind = $8)
                    ORDER BY due_at, id
                    LIMIT $9) AS found
                ORDER BY 1, 2
                LIMIT $9
                "#,
                queues,
                stretch.after.at,
                stretch.after.id,
                due.after,
                due.until,
                due.phase,
                stretch.older_than,
                kind.as_deref(),
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.due_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT due_at, id FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND dead_at IS NULL AND (due_at, id) > ($2, $3)
                      AND due_at > $4 AND due_at <= $5 AND ($6::text IS NULL OR phase = $6) AND created_at < $7
                    ORDER BY due_at, id
                    LIMIT $8) AS found
                ORDER BY 1, 2
                LIMIT $8
                "#,
                groups,
                stretch.after.at,
                stretch.after.id,
                due.after,
                due.until,
                due.phase,
                stretch.older_than,
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().map(Key::from).collect())
}

struct Row {
    id: i64,
    queue: String,
    kind: String,
    state: String,
    created_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    ready_at: Option<DateTime<Utc>>,
    claimed_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    dead_at: Option<DateTime<Utc>>,
    failures: i32,
    deliveries: i32,
    error_class: Option<String>,
    error_code: String,
    last_error: Option<String>,
    fingerprint: Option<String>,
    trace: Option<String>,
    subject: Option<Uuid>,
    args: Value,
}

impl TryFrom<Row> for JobRow {
    type Error = BadRow;

    fn try_from(row: Row) -> Result<Self, BadRow> {
        let job = OpenJob {
            id: JobId(row.id),
            queue: row.queue,
            kind: row.kind,
            state: JobState::parse(&row.state).ok_or(BadRow { table: "jobs", column: "phase" })?,
            created_at: row.created_at,
            due_at: row.due_at,
            ready_at: row.ready_at,
            claimed_at: row.claimed_at,
            failed_at: row.failed_at,
            dead_at: row.dead_at,
            failures: row.failures,
            deliveries: row.deliveries,
            error_class: row.error_class,
            error_code: row.error_code,
            last_error: row.last_error,
            fingerprint: row.fingerprint,
            trace: row.trace,
        };
        Ok(Self { job, subject: row.subject, args: row.args })
    }
}

/// These jobs, in this order; what is gone meanwhile is left out.
pub(crate) async fn load(conn: &mut Connection, ids: &[i64]) -> Result<Vec<JobRow>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, queue, kind, created_at, due_at, ready_at, claimed_at, failed_at, dead_at, failures, deliveries,
               error_class, error_code, last_error, fingerprint, trace, subject, args,
               CASE WHEN dead_at IS NOT NULL THEN 'dead'
                    WHEN due_at <= now() THEN 'due'
                    WHEN phase = 'waiting' THEN 'scheduled'
                    ELSE phase END AS "state!"
        FROM jobs WHERE id = ANY ($1)
        "#,
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<i64, Row> = rows.into_iter().map(|row| (row.id, row)).collect();
    let ordered = ids.iter().filter_map(|id| found.remove(id));
    Ok(ordered.map(JobRow::try_from).collect::<Result<_, _>>()?)
}

/// Most jobs of one attempt that are looked at.
const JOBS_OF_ONE_MAX: i64 = 100;

/// The jobs that serve these attempts, the oldest first, at most 100 each.
pub(crate) async fn of_attempts(conn: &mut Connection, receipts: &[Uuid]) -> Result<Vec<JobRow>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT found.id AS "id!"
        FROM unnest($1::uuid[]) AS wanted (subject) CROSS JOIN LATERAL (
            SELECT id FROM jobs WHERE jobs.subject = wanted.subject ORDER BY id LIMIT $2) AS found
        ORDER BY 1
        "#,
        receipts,
        JOBS_OF_ONE_MAX,
    )
    .fetch_all(&mut *conn)
    .await?;
    load(conn, &ids).await
}
