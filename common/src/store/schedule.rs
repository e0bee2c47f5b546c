//! Ticks of recurring tasks: of many workers one takes each tick.

use std::time::Duration;

use super::{Connection, StoreError};

/// Takes the present tick of `task`, which recurs every `period`; `false` when it is taken already.
pub(crate) async fn take_tick(conn: &mut Connection, task: &str, period: Duration) -> Result<bool, StoreError> {
    let taken = sqlx::query_scalar!(
        r#"
        INSERT INTO schedule_ticks (task, tick_at) VALUES ($1, now())
        ON CONFLICT (task) DO UPDATE SET tick_at = now()
        WHERE schedule_ticks.tick_at <= now() - make_interval(secs => $2)
        RETURNING task
        "#,
        task,
        period.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(taken.is_some())
}
