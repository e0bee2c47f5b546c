//! What stops queues right now: a pause, a hold, an open breaker.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::waiting::{Brake, BrakeKind};

/// Every brake that is on, and what time the database has. A pause stands before a breaker, and that before a
/// hold.
pub(crate) async fn list_on(conn: &mut Connection) -> Result<Vec<Brake>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT queue AS "queue!", 1 AS "rank!", coalesce(paused_by, '') AS "who!", paused_at AS since, NULL::timestamptz AS until
        FROM queue_controls WHERE paused_at IS NOT NULL
        UNION ALL
        SELECT queue, 2, vendor, since, until FROM breakers WHERE coalesce(forced, state) = 'open'
        UNION ALL
        SELECT queue, 3, '', NULL, held_until FROM queue_controls WHERE held_until > now()
        ORDER BY 1, 2
        LIMIT 100
        "#
    )
    .fetch_all(conn)
    .await?;
    let brake = |rank, who| match rank {
        1 => BrakeKind::Paused(who),
        2 => BrakeKind::Broken(who),
        _ => BrakeKind::Held,
    };
    Ok(rows
        .into_iter()
        .map(|row| Brake { queue: row.queue, kind: brake(row.rank, row.who), since: row.since, until: row.until })
        .collect())
}

/// What time the database has: jobs live by it.
pub(crate) async fn now(conn: &mut Connection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(conn).await?)
}
