//! Brakes on queues, which every relay honours.

use std::time::Duration;

use super::{Connection, StoreError};
use crate::domain::effect::Queue;

/// Holds a queue back for `hold` from now, or longer if it already is; all relays of all machines obey.
pub(crate) async fn hold(conn: &mut Connection, queue: Queue, hold: Duration, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO queue_controls (queue, held_until, reason)
        VALUES ($1, now() + make_interval(secs => $2), $3)
        ON CONFLICT (queue) DO UPDATE
        SET held_until = greatest(queue_controls.held_until, excluded.held_until), reason = excluded.reason, updated_at = now()
        "#,
        queue.as_str(),
        hold.as_secs_f64(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}
