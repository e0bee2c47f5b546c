//! Jobs as people see them, with all that is known of each.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    ids::JobId,
    job::{JobState, OpenJob},
};

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
