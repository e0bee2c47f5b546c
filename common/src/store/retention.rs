//! Rows about a person that outlived their purpose, a batch at a time. What another transaction has is left for later.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};

/// Deletes callbacks that arrived before `before` and were dealt with.
pub(crate) async fn purge_callbacks(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM vendor_callbacks WHERE id IN (
            SELECT id FROM vendor_callbacks WHERE outcome <> 'received' AND received_at < $1
            ORDER BY received_at, id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes former names that were changed before `before`.
pub(crate) async fn purge_former_names(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM user_name_changes WHERE id IN (
            SELECT id FROM user_name_changes WHERE changed_at < $1 ORDER BY changed_at, id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Empties why requirements for credit are met or not, where that changed last before `before`.
pub(crate) async fn purge_credit_reasons(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE credit_requirement_statuses SET reason = '{}'
        WHERE (user_id, requirement_id) IN (
            SELECT user_id, requirement_id FROM credit_requirement_statuses WHERE reason <> '{}' AND status_date < $1
            ORDER BY status_date LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Empties what providers of credit were told, where they answered before `before`.
pub(crate) async fn purge_credit_applications(
    conn: &mut Connection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE credit_requests SET parameters = '{}' WHERE uuid IN (
            SELECT uuid FROM credit_requests WHERE parameters <> '{}' AND status <> 'pending' AND updated_at < $1
            ORDER BY updated_at LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Empties who paid orders that changed last before `before`.
pub(crate) async fn purge_payers(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE orders SET billed_to = '{}' WHERE id IN (
            SELECT id FROM orders WHERE billed_to <> '{}' AND updated_at < $1 ORDER BY updated_at, id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes choices that changed last before `before`.
pub(crate) async fn purge_drafts(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM flow_choices WHERE (user_id, course_key) IN (
            SELECT user_id, course_key FROM flow_choices WHERE updated_at < $1 ORDER BY updated_at LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes events of before `before`, but for those whose learner has a dead job that would deliver them.
pub(crate) async fn purge_events(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM analytics_events WHERE id IN (
            SELECT id FROM analytics_events
            WHERE at < $1 AND NOT EXISTS (
                SELECT 1 FROM jobs
                WHERE queue = 'events' AND dead_at IS NOT NULL AND args ->> 'user' = analytics_events.user_id::text)
            ORDER BY at, id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes what operators did before `before`, and bulk retries that ended before.
pub(crate) async fn purge_audit(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
    let acts = sqlx::query!(
        r#"
        DELETE FROM operator_actions WHERE id IN (
            SELECT id FROM operator_actions WHERE at < $1 ORDER BY at, id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(&mut *conn)
    .await?;
    // Items and keys went long before: the purge waits for them.
    let retries = sqlx::query!(
        r#"
        DELETE FROM retries WHERE id IN (
            SELECT id FROM retries
            WHERE finished_at < $1
              AND NOT EXISTS (SELECT 1 FROM retry_keys WHERE retry_id = retries.id)
              AND NOT EXISTS (SELECT 1 FROM retry_items WHERE retry_id = retries.id)
            ORDER BY finished_at LIMIT $2
            FOR UPDATE SKIP LOCKED)
        "#,
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(acts.rows_affected() + retries.rows_affected())
}
