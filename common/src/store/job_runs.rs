//! What became of each try of a job that serves an attempt.

use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::{
    ids::{JobId, ReceiptId},
    timeline::Run,
};

/// Most tries that are told of one attempt.
const RUNS_MAX: i64 = 500;

/// The tries of all jobs of an attempt, oldest first, the newest 500.
pub(crate) async fn list(conn: &mut Connection, receipt: ReceiptId) -> Result<Vec<Run>, StoreError> {
    Ok(sqlx::query_as!(
        Run,
        r#"
        SELECT job_id AS job, queue, kind, queued_at, ready_at, claimed_at, ended_at, outcome, error_class, error_code, error, trace
        FROM (SELECT * FROM job_runs WHERE subject = $1 ORDER BY id DESC LIMIT $2) AS newest
        ORDER BY id
        "#,
        receipt.0,
        RUNS_MAX,
    )
    .fetch_all(conn)
    .await?)
}

/// The tries of one job, oldest first, the newest 500.
pub(crate) async fn list_of_job(conn: &mut Connection, subject: Uuid, job: JobId) -> Result<Vec<Run>, StoreError> {
    Ok(sqlx::query_as!(
        Run,
        r#"
        SELECT job_id AS job, queue, kind, queued_at, ready_at, claimed_at, ended_at, outcome, error_class, error_code, error, trace
        FROM (SELECT * FROM job_runs WHERE subject = $1 AND job_id = $2 ORDER BY id DESC LIMIT $3) AS newest
        ORDER BY id
        "#,
        subject,
        job.0,
        RUNS_MAX,
    )
    .fetch_all(conn)
    .await?)
}
