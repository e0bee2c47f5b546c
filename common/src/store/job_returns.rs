//! Jobs that come back undone, by nobody's fault: they are due again, in their old place.
//!
//! The place is when they were due before they were handed out. At the end of the backlog they would look young, and nobody
//! would be told of a queue that moves nothing.

use super::{
    Connection, StoreError,
    jobs::{Lease, columns},
};
use crate::domain::effect::Queue;

/// Takes back what was handed out but reached nobody: due again, in its old place.
pub(crate) async fn take_back(conn: &mut Connection, leases: &[Lease]) -> Result<u64, StoreError> {
    let (ids, generations) = columns(leases);
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = coalesce(ready_at, now()), phase = 'waiting'
        FROM unnest($1::bigint[], $2::int[]) AS ticket (id, generation)
        WHERE jobs.id = ticket.id AND jobs.generation = ticket.generation AND phase = 'dispatched'
        "#,
        &ids,
        &generations,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Takes back all of a queue that was handed out and nobody claimed: due again, in its old place, and its tickets are stale.
/// What is locked is being claimed, and is left.
pub(crate) async fn recall(conn: &mut Connection, queue: Queue) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = coalesce(ready_at, now()), phase = 'waiting'
        WHERE id = ANY (ARRAY(
            SELECT id FROM jobs WHERE queue = $1 AND phase = 'dispatched' AND dead_at IS NULL FOR UPDATE SKIP LOCKED))
        "#,
        queue.as_str()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Puts claimed jobs back unharmed: due again, in their old place, and the delivery does not count.
pub(crate) async fn put_back(conn: &mut Connection, leases: &[Lease]) -> Result<u64, StoreError> {
    let (ids, generations) = columns(leases);
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = coalesce(ready_at, now()), phase = 'waiting', deliveries = greatest(deliveries - 1, 0)
        FROM unnest($1::bigint[], $2::int[]) AS ticket (id, generation)
        WHERE jobs.id = ticket.id AND jobs.generation = ticket.generation AND phase = 'running' AND dead_at IS NULL
        "#,
        &ids,
        &generations,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
