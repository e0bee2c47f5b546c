//! Groups of dead jobs that failed alike, counted without counting jobs.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::store::job_search::GroupFilter;

/// A group of dead jobs that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorGroup {
    /// Its name.
    pub fingerprint: String,
    /// The queue.
    pub queue: String,
    /// The kind of job.
    pub kind: String,
    /// The class of the failures.
    pub error_class: String,
    /// The far side's code; empty: none.
    pub error_code: String,
    /// What was said, with what differs from case to case replaced.
    pub message: String,
    /// How many jobs are dead of it.
    pub dead: i64,
    /// When the first of them died (UTC).
    pub first_seen: DateTime<Utc>,
    /// When the last of them died (UTC).
    pub last_seen: DateTime<Utc>,
    /// The one that died last.
    pub sample_job: Option<i64>,
    /// Its attempt.
    pub sample_receipt: Option<Uuid>,
    /// What it died of.
    pub sample_error: Option<String>,
}

/// The groups with dead jobs, most first.
pub(crate) async fn list(conn: &mut Connection, filter: &GroupFilter, limit: i64) -> Result<Vec<ErrorGroup>, StoreError> {
    Ok(sqlx::query_as!(
        ErrorGroup,
        r#"
        WITH counted AS (
            SELECT fingerprint, queue, sum(jobs)::bigint AS dead, min(first_at) AS first_at, max(last_at) AS last_at
            FROM dead_tallies
            GROUP BY fingerprint, queue
            HAVING sum(jobs) > 0
        ), largest AS (
            SELECT counted.fingerprint, counted.queue, coalesce(kind, '') AS kind, coalesce(error_class, '') AS error_class,
                   coalesce(error_code, '') AS error_code, coalesce(message, '') AS message, dead,
                   coalesce(first_at, first_seen, now()) AS first_seen, coalesce(last_at, first_seen, now()) AS last_seen
            FROM counted LEFT JOIN error_groups ON error_groups.fingerprint = counted.fingerprint
            WHERE ($1::text IS NULL OR counted.queue = $1) AND ($2::text IS NULL OR kind = $2)
              AND ($3::text IS NULL OR error_class = $3) AND ($4::text IS NULL OR error_code = $4)
              AND ($5::text IS NULL OR counted.fingerprint = $5)
            ORDER BY dead DESC, counted.fingerprint
            LIMIT $6
        )
        SELECT largest.fingerprint, largest.queue, kind AS "kind!", error_class AS "error_class!", error_code AS "error_code!",
               message AS "message!", dead AS "dead!", first_seen AS "first_seen!", last_seen AS "last_seen!",
               sample.id AS "sample_job?", sample.subject AS "sample_receipt?", sample.last_error AS "sample_error?"
        FROM largest LEFT JOIN LATERAL (
            SELECT id, subject, last_error FROM jobs
            WHERE jobs.fingerprint = largest.fingerprint AND dead_at IS NOT NULL
            ORDER BY dead_at DESC, id DESC
            LIMIT 1) AS sample ON true
        ORDER BY dead DESC, largest.fingerprint
        "#,
        filter.queue,
        filter.kind,
        filter.error_class,
        filter.error_code,
        filter.fingerprint,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

/// Most tallies that are added up at once.
const TALLIES_MAX: i64 = 100_000;

/// Adds the tallies of each group up, and drops those that say nothing any more; returns how many went.
///
/// One statement: whoever counts meanwhile sees the tallies before it or those after it. Two at once add up
/// different rows.
pub(crate) async fn compact(conn: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        WITH scattered AS (
            SELECT queue, fingerprint FROM dead_tallies
            GROUP BY queue, fingerprint
            HAVING count(*) > 1 OR sum(jobs) = 0
        ), taken AS (
            SELECT dead_tallies.id FROM dead_tallies JOIN scattered USING (queue, fingerprint)
            ORDER BY dead_tallies.id
            LIMIT $1
            FOR UPDATE OF dead_tallies SKIP LOCKED
        ), gone AS (
            DELETE FROM dead_tallies USING taken WHERE dead_tallies.id = taken.id
            RETURNING queue, fingerprint, jobs, first_at, last_at
        ), summed AS (
            INSERT INTO dead_tallies (queue, fingerprint, jobs, first_at, last_at)
            SELECT queue, fingerprint, sum(jobs), min(first_at), max(last_at) FROM gone
            GROUP BY queue, fingerprint
            HAVING sum(jobs) <> 0
        )
        SELECT count(*) AS "count!" FROM gone
        "#,
        TALLIES_MAX,
    )
    .fetch_one(conn)
    .await?)
}
