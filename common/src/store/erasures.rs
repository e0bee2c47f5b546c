//! Erasures of learners: one row each, for good.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::{
    domain::{
        erasure::Counts,
        ids::{ErasureId, UserId},
    },
    receipts::Signed,
};

/// An erasure as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its name.
    pub id: ErasureId,
    /// The learner.
    pub user: UserId,
    /// The name of the key that was used.
    pub requested_by: String,
    /// When it was asked for (UTC).
    pub requested_at: DateTime<Utc>,
    /// When it was done (UTC).
    pub finished_at: Option<DateTime<Utc>>,
    /// What went so far.
    pub counts: Counts,
    /// The receipt, once it is done.
    pub signed: Option<Signed>,
}

struct Row {
    id: Uuid,
    user_id: i64,
    requested_by: String,
    requested_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    counts: Value,
    receipt: Option<String>,
    signature: Option<String>,
    public_key: Option<String>,
}

impl TryFrom<Row> for Erasure {
    type Error = BadRow;

    fn try_from(row: Row) -> Result<Self, BadRow> {
        let signed = match (row.receipt, row.signature, row.public_key) {
            (Some(receipt), Some(signature), Some(public_key)) => Some(Signed { receipt, signature, public_key }),
            _ => None,
        };
        Ok(Self {
            id: ErasureId(row.id),
            user: UserId(row.user_id),
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            finished_at: row.finished_at,
            counts: serde_json::from_value(row.counts).map_err(|_| BadRow { table: "erasures", column: "counts" })?,
            signed,
        })
    }
}

/// Keeps that an erasure was asked for.
pub(crate) async fn insert(
    conn: &mut Connection,
    (id, user): (ErasureId, UserId),
    requested_by: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO erasures (id, user_id, status, requested_by, requested_at) VALUES ($1, $2, 'running', $3, $4)",
        id.0,
        user.0,
        requested_by,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The erasure of a learner, if there is one.
pub(crate) async fn find_of_user(conn: &mut Connection, user: UserId) -> Result<Option<ErasureId>, StoreError> {
    let id = sqlx::query_scalar!("SELECT id FROM erasures WHERE user_id = $1", user.0).fetch_optional(conn).await?;
    Ok(id.map(ErasureId))
}

/// Whether an erasure is not done and has no job that would go on with it.
pub(crate) async fn lacks_job(conn: &mut Connection, id: ErasureId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM erasures WHERE id = $1 AND status = 'running')
           AND NOT EXISTS (SELECT 1 FROM jobs WHERE kind = 'erase_learner' AND args ->> 'erasure' = $1::uuid::text) AS "lacks!"
        "#,
        id.0
    )
    .fetch_one(conn)
    .await?)
}

/// Finds an erasure.
pub(crate) async fn find(conn: &mut Connection, id: ErasureId) -> Result<Option<Erasure>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT id, user_id, requested_by, requested_at, finished_at, counts, receipt, signature, public_key
        FROM erasures WHERE id = $1
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Erasure::try_from).transpose()?)
}

/// Locks an erasure that is not done and adds what goes in this transaction; `None`: it is done.
pub(crate) async fn add(conn: &mut Connection, id: ErasureId, more: &Counts) -> Result<Option<Counts>, StoreError> {
    let bad = BadRow { table: "erasures", column: "counts" };
    let stored = sqlx::query_scalar!("SELECT counts FROM erasures WHERE id = $1 AND status = 'running' FOR UPDATE", id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(stored) = stored else { return Ok(None) };
    let mut counts: Counts = serde_json::from_value(stored).map_err(|_| bad.clone())?;
    counts.add_all(more);
    let value = serde_json::to_value(&counts).map_err(|_| bad)?;
    sqlx::query!("UPDATE erasures SET counts = $2 WHERE id = $1", id.0, value).execute(conn).await?;
    Ok(Some(counts))
}

/// Keeps until when workers may still store what they had in their hands.
pub(crate) async fn stay_awake(conn: &mut Connection, id: ErasureId, seconds: f64) -> Result<(), StoreError> {
    sqlx::query!("UPDATE erasures SET quiet_at = now() + make_interval(secs => $2) WHERE id = $1", id.0, seconds)
        .execute(conn)
        .await?;
    Ok(())
}

/// For how many seconds workers may still store what they had in their hands; 0: they can't any more.
pub(crate) async fn seconds_until_quiet(conn: &mut Connection, id: ErasureId) -> Result<f64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT greatest(extract(epoch FROM quiet_at - now()), 0)::float8 AS "seconds!" FROM erasures WHERE id = $1"#,
        id.0
    )
    .fetch_one(conn)
    .await?)
}

/// An erasure is done.
pub(crate) async fn finish(conn: &mut Connection, id: ErasureId, signed: &Signed, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE erasures SET status = 'done', finished_at = $2, receipt = $3, signature = $4, public_key = $5
        WHERE id = $1 AND status = 'running'
        "#,
        id.0,
        now,
        signed.receipt,
        signed.signature,
        signed.public_key
    )
    .execute(conn)
    .await?;
    must_touch_one("erasures", done.rows_affected())
}
