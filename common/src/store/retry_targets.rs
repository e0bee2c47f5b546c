//! Which jobs and attempts the filter of a bulk retry fits. Each condition stands here once, for the dry run and for the
//! set that is frozen alike.

use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::{
    ids::RetryId,
    retry_filter::{RetryFilter, Target},
};

/// Failures of one group that a filter fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group; `None`: no failure is known.
    pub fingerprint: Option<String>,
    /// The queue of the job.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// The class of the failure.
    pub error_class: Option<String>,
    /// The far side's code; empty: none.
    pub error_code: String,
    /// The message that its failures have in common.
    pub message: Option<String>,
    /// How many.
    pub count: i64,
}

/// One of what a filter fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The job, if it has one.
    pub job_id: Option<i64>,
    /// The attempt, if it serves one.
    pub receipt: Option<Uuid>,
    /// The queue.
    pub queue: String,
    /// The kind.
    pub kind: String,
    /// The class of the last failure.
    pub error_class: Option<String>,
    /// The last failure.
    pub last_error: Option<String>,
}

/// A statement about the dead jobs that a filter fits, without those that a running bulk retry has.
macro_rules! of_dead_jobs {
    ($query:ident [$($output:tt)*], $head:tt, $tail:tt, $filter:expr $(, $more:expr)*) => {
        sqlx::$query!(
            $($output)*
            $head + r#"
            FROM jobs LEFT JOIN attempts ON attempts.receipt_id = jobs.subject
            WHERE jobs.dead_at IS NOT NULL
              AND ($1::text IS NULL OR jobs.queue = $1)
              AND ($2::text IS NULL OR jobs.kind = $2)
              AND ($3::text IS NULL OR jobs.error_class = $3)
              AND ($4::text IS NULL OR (jobs.error_code <> '' AND jobs.error_code = $4))
              AND ($5::text IS NULL OR jobs.fingerprint = $5)
              AND ($6::bigint[] IS NULL OR jobs.id = ANY ($6))
              AND ($7::timestamptz IS NULL OR jobs.dead_at >= $7)
              AND ($8::timestamptz IS NULL OR jobs.dead_at <= $8)
              AND ($9::timestamptz IS NULL OR jobs.created_at >= $9)
              AND ($10::timestamptz IS NULL OR jobs.created_at <= $10)
              AND ($11::uuid[] IS NULL OR jobs.subject = ANY ($11))
              AND ($12::text IS NULL OR attempts.status = $12)
              AND ($13::text IS NULL OR attempts.error_code = $13)
              AND ($14::bigint IS NULL OR attempts.user_id = $14)
              AND ($15::timestamptz IS NULL OR attempts.submitted_at >= $15)
              AND ($16::timestamptz IS NULL OR attempts.submitted_at <= $16)
              AND NOT EXISTS (
                  SELECT 1 FROM retry_items JOIN retries ON retries.id = retry_items.retry_id
                  WHERE retries.status = 'running' AND retry_items.job_id = jobs.id)
              AND NOT EXISTS (
                  SELECT 1 FROM retry_items JOIN retries ON retries.id = retry_items.retry_id
                  WHERE retries.status = 'running' AND retry_items.receipt = jobs.subject)
            "# + $tail,
            $filter.queue.as_deref(),
            $filter.kind.as_deref(),
            $filter.error_class.as_deref(),
            $filter.error_code(),
            $filter.fingerprint.as_deref(),
            $filter.job_ids.as_deref(),
            $filter.failed_after,
            $filter.failed_before,
            $filter.created_after,
            $filter.created_before,
            $filter.receipts.as_deref(),
            $filter.status.as_deref(),
            $filter.vendor_code.as_deref(),
            $filter.user_id,
            $filter.submitted_after,
            $filter.submitted_before
            $(, $more)*
        )
    };
}

/// A statement about the attempts that a filter fits, without those that a running bulk retry has.
macro_rules! of_attempts {
    ($query:ident [$($output:tt)*], $head:tt, $tail:tt, $filter:expr $(, $more:expr)*) => {
        sqlx::$query!(
            $($output)*
            $head + r#"
            WHERE attempts.status = $1
              AND ($2::text IS NULL OR attempts.error_code = $2)
              AND ($3::bigint IS NULL OR attempts.user_id = $3)
              AND ($4::uuid[] IS NULL OR attempts.receipt_id = ANY ($4))
              AND ($5::timestamptz IS NULL OR attempts.created_at >= $5)
              AND ($6::timestamptz IS NULL OR attempts.created_at <= $6)
              AND ($7::timestamptz IS NULL OR attempts.submitted_at >= $7)
              AND ($8::timestamptz IS NULL OR attempts.submitted_at <= $8)
              AND NOT EXISTS (
                  SELECT 1 FROM retry_items JOIN retries ON retries.id = retry_items.retry_id
                  WHERE retries.status = 'running' AND retry_items.receipt = attempts.receipt_id)
              AND NOT EXISTS (
                  SELECT 1 FROM jobs
                  JOIN retry_items ON retry_items.job_id = jobs.id
                  JOIN retries ON retries.id = retry_items.retry_id
                  WHERE retries.status = 'running' AND jobs.subject = attempts.receipt_id)
            "# + $tail,
            $filter.status.as_deref(),
            $filter.vendor_code.as_deref(),
            $filter.user_id,
            $filter.receipts.as_deref(),
            $filter.created_after,
            $filter.created_before,
            $filter.submitted_after,
            $filter.submitted_before
            $(, $more)*
        )
    };
}

/// Plans each statement of this transaction for the fields that its filter has, since a plan for any filter would read
/// every dead job; and gives it longer than the daily work, since it may fit all of them.
pub(crate) async fn plan_for_filter(conn: &mut Connection) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS plan, set_config('statement_timeout', '120s', true) AS timeout"
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Freezes what a filter fits as the items of a bulk retry, oldest first; how many.
pub(crate) async fn freeze(conn: &mut Connection, id: RetryId, filter: &RetryFilter) -> Result<i64, StoreError> {
    let done = match filter.target() {
        Target::DeadJobs => {
            of_dead_jobs!(
                query [],
                "INSERT INTO retry_items (retry_id, position, job_id)
                 SELECT $17, row_number() OVER (ORDER BY jobs.id), jobs.id",
                "",
                filter,
                id.0
            )
            .execute(conn)
            .await?
        }
        Target::Attempts => {
            of_attempts!(
                query [],
                "INSERT INTO retry_items (retry_id, position, receipt)
                 SELECT $9, row_number() OVER (ORDER BY attempts.id), attempts.receipt_id FROM attempts",
                "",
                filter,
                id.0
            )
            .execute(conn)
            .await?
        }
    };
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Counts what a filter fits by the failures' groups, most first.
pub(crate) async fn groups(conn: &mut Connection, filter: &RetryFilter) -> Result<Vec<Group>, StoreError> {
    Ok(match filter.target() {
        Target::DeadJobs => {
            of_dead_jobs!(
                query_as [Group,],
                r#"
                SELECT found.*, error_groups.message AS "message?" FROM (
                    SELECT jobs.fingerprint, jobs.queue, jobs.kind, jobs.error_class, jobs.error_code, count(*) AS "count!"
                "#,
                r#"
                    GROUP BY 1, 2, 3, 4, 5
                ) AS found LEFT JOIN error_groups USING (fingerprint)
                ORDER BY found."count!" DESC, found.fingerprint
                "#,
                filter
            )
            .fetch_all(conn)
            .await?
        }
        Target::Attempts => {
            of_attempts!(
                query_as [Group,],
                r#"
                SELECT found.*, error_groups.message AS "message?" FROM (
                    SELECT stuck.fingerprint AS "fingerprint?", way.queue AS "queue!", way.kind AS "kind!",
                           stuck.error_class AS "error_class?", coalesce(stuck.error_code, '') AS "error_code!", count(*) AS "count!"
                    FROM attempts
                    JOIN (VALUES ('created', 'photos', 'prepare_photos'), ('ready', 'vendor', 'submit_to_vendor'),
                                 ('must_retry', 'vendor', 'submit_to_vendor'), ('submitted', 'vendor', 'submit_to_vendor'))
                         AS way (status, queue, kind) ON way.status = attempts.status
                    LEFT JOIN jobs AS stuck
                           ON stuck.subject = attempts.receipt_id AND stuck.kind = way.kind AND stuck.dead_at IS NOT NULL
                "#,
                r#"
                    GROUP BY 1, 2, 3, 4, 5
                ) AS found LEFT JOIN error_groups ON error_groups.fingerprint = found."fingerprint?"
                ORDER BY found."count!" DESC, found."fingerprint?"
                "#,
                filter
            )
            .fetch_all(conn)
            .await?
        }
    })
}

/// The oldest of what a filter fits.
pub(crate) async fn samples(conn: &mut Connection, filter: &RetryFilter, limit: i64) -> Result<Vec<Sample>, StoreError> {
    Ok(match filter.target() {
        Target::DeadJobs => {
            of_dead_jobs!(
                query_as [Sample,],
                r#"
                SELECT jobs.id AS "job_id?", jobs.subject AS receipt, jobs.queue, jobs.kind, jobs.error_class, jobs.last_error
                "#,
                "ORDER BY jobs.id LIMIT $17",
                filter,
                limit
            )
            .fetch_all(conn)
            .await?
        }
        Target::Attempts => {
            of_attempts!(
                query_as [Sample,],
                r#"
                SELECT stuck.id AS "job_id?", attempts.receipt_id AS "receipt?", way.queue AS "queue!", way.kind AS "kind!",
                       stuck.error_class AS "error_class?", stuck.last_error AS "last_error?"
                FROM attempts
                JOIN (VALUES ('created', 'photos', 'prepare_photos'), ('ready', 'vendor', 'submit_to_vendor'),
                             ('must_retry', 'vendor', 'submit_to_vendor'), ('submitted', 'vendor', 'submit_to_vendor'))
                     AS way (status, queue, kind) ON way.status = attempts.status
                LEFT JOIN jobs AS stuck
                       ON stuck.subject = attempts.receipt_id AND stuck.kind = way.kind AND stuck.dead_at IS NOT NULL
                "#,
                "ORDER BY attempts.id LIMIT $9",
                filter,
                limit
            )
            .fetch_all(conn)
            .await?
        }
    })
}
