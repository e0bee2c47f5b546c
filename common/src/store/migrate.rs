//! Brings the tables to this release while programs of this one and of the last work on them.

use std::{sync::LazyLock, time::Duration};

use sqlx::{
    PgConnection,
    migrate::{Migrate, MigrateError, Migration, Migrator},
};

use super::StoreError;

/// The migrations that this release needs.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    // Its own lock waits inside a statement, and an index that is built concurrently waits for that statement.
    migrator.set_locking(false);
    // After a release was taken back, what it added stays.
    migrator.set_ignore_missing(true);
    migrator
});

/// Held by whoever migrates, among the advisory locks of the database.
const MIGRATION_LOCK: i64 = 0x766f_7563_6831;
/// How often somebody who waits for that lock looks.
const MIGRATION_POLL: Duration = Duration::from_millis(200);
/// How long a change waits for its table. Whoever comes to the table meanwhile waits behind it.
const LOCK_TIMEOUT: &str = "2s";

/// Runs what is missing, one file after the other. A connection that ran it is none for the daily work any more.
pub(super) async fn run(conn: &mut PgConnection) -> Result<(), StoreError> {
    // A large index takes longer than any statement of the daily work may.
    sqlx::query!("SELECT set_config('statement_timeout', '0', false)").fetch_one(&mut *conn).await?;
    while !sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "is_ours!""#, MIGRATION_LOCK).fetch_one(&mut *conn).await? {
        tokio::time::sleep(MIGRATION_POLL).await;
    }
    wait_for_locks(conn, LOCK_TIMEOUT).await?;
    drop_half_built(conn).await?;
    for migration in MIGRATOR.iter() {
        // An index that is built concurrently waits for all transactions, and nobody waits for it.
        let timeout = if migration.no_tx { "0" } else { LOCK_TIMEOUT };
        wait_for_locks(conn, timeout).await?;
        match MIGRATOR.run_to(migration.version, &mut *conn).await {
            Ok(()) => {}
            Err(MigrateError::ExecuteMigration(cause, _)) if was_done(migration, &cause) => {
                conn.skip(&MIGRATOR.table_name, migration).await.map_err(StoreError::Migration)?;
            }
            Err(MigrateError::ExecuteMigration(cause, _)) if code(&cause).as_deref() == Some("55P03") => {
                return Err(StoreError::Contended(cause));
            }
            Err(error) => return Err(StoreError::Migration(error)),
        }
    }
    Ok(())
}

/// Sets how long statements wait for a lock from now on.
async fn wait_for_locks(conn: &mut PgConnection, timeout: &str) -> Result<(), StoreError> {
    sqlx::query!("SELECT set_config('lock_timeout', $1, false)", timeout).fetch_one(conn).await?;
    Ok(())
}

/// Drops indexes that somebody began to build, and was killed. They are built again.
async fn drop_half_built(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        DO $$
        DECLARE half regclass;
        BEGIN
            FOR half IN SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                        WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
                          AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)
            LOOP
                EXECUTE format('DROP INDEX %s', half);
            END LOOP;
        END $$
        "#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the one statement of a file without a transaction was done, and whoever did it was killed before it could
/// be noted: what it makes is there, or what it drops is gone.
fn was_done(migration: &Migration, cause: &sqlx::Error) -> bool {
    migration.no_tx && matches!(code(cause).as_deref(), Some("42P07" | "42704"))
}

fn code(cause: &sqlx::Error) -> Option<String> {
    cause.as_database_error().and_then(sqlx::error::DatabaseError::code).map(|code| code.to_string())
}
