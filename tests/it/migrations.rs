//! The tables, from nothing to this release, and while programs work on them.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use vouch_common::{
    domain::effect::Queue,
    store::{Db, StoreError},
};
use vouch_tests::{TestApp, wait_for};

use crate::processes::program;

#[tokio::test]
async fn two_who_migrate_at_once_do_no_harm() {
    let base = std::env::var("DATABASE_URL").unwrap();
    let mut server = PgConnection::connect(&base).await.unwrap();
    let name = format!("empty_{}", uuid::Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut server).await.unwrap();
    let mut url = url::Url::parse(&base).unwrap();
    url.set_path(&name);
    let [one, other] = [(); 2].map(|()| Db::new(url.as_str(), 2).unwrap());
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    one.check().await.unwrap();
    one.close().await;
    other.close().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name}"))).execute(&mut server).await.unwrap();
}

#[tokio::test]
async fn an_index_that_was_left_half_built_or_not_noted_is_made_whole() {
    let app = TestApp::without_worker().await;
    let services = app.services();
    let is_valid = "SELECT count(*) FROM pg_index WHERE indexrelid = 'vendor_callbacks_orphans'::regclass AND indisvalid";
    let is_noted = "SELECT count(*) FROM _sqlx_migrations WHERE version = 20261125002603 AND success";
    for left in [
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'vendor_callbacks_orphans'::regclass",
        "DROP INDEX vendor_callbacks_orphans",
        "SELECT 1",
    ] {
        app.sql(left).await;
        app.sql("DELETE FROM _sqlx_migrations WHERE version = 20261125002603").await;
        services.db().migrate().await.unwrap();
        assert_eq!((app.count(is_valid).await, app.count(is_noted).await), (1, 1), "{left}");
    }
}

#[tokio::test]
async fn a_release_that_was_taken_back_migrates_beside_what_the_newer_one_added() {
    let app = TestApp::without_worker().await;
    app.sql("ALTER TABLE attempts ADD COLUMN of_tomorrow text").await;
    app.sql("INSERT INTO _sqlx_migrations VALUES (20991231235959, 'of tomorrow', now(), true, '\\x00', 1)").await;
    app.services().db().migrate().await.unwrap();
    app.services().db().check().await.unwrap();
    app.submit(7, "Sofia Marek", json!({})).await;
}

#[tokio::test]
async fn a_migration_that_waits_for_a_table_makes_nobody_wait_for_long() {
    let app = TestApp::without_worker().await;
    app.sql("ALTER TABLE jobs DROP COLUMN unknown_since").await;
    app.sql("DELETE FROM _sqlx_migrations WHERE version = 20261129003100").await;
    // A report that somebody left open.
    let mut report = app.db.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM jobs").execute(&mut *report).await.unwrap();
    for left in ["SELECT 1", "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'jobs_subject'::regclass"] {
        app.sql(left).await;
        let refused = app.services().db().migrate().await;
        assert!(matches!(refused, Err(StoreError::Contended(_))), "{left}: {refused:?}");
        app.sql("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'jobs_subject'::regclass").await;
    }
    let url = &app.settings.iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1;
    let mut migrates = program("vouch").args(["migrate", "--database-url", url]).spawn().unwrap();
    wait_for("it to wait for the table", async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'jobs'::regclass \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        (app.count(waiting).await > 0).then_some(())
    })
    .await;
    // Whoever comes now waits behind the migration, and that gives up before the report ends.
    app.sql("INSERT INTO jobs (queue, kind, args) VALUES ('mail', 'send_pigeon', '{}')").await;
    report.rollback().await.unwrap();
    assert!(tokio::task::spawn_blocking(move || migrates.wait()).await.unwrap().unwrap().success());
    assert_eq!(app.count("SELECT count(unknown_since) FROM jobs").await, 0);
}

#[tokio::test]
async fn tables_may_grow_and_shrink_while_the_programs_write() {
    let mut app = TestApp::without_worker().await;
    app.start_worker(&Queue::ALL);
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace \
         AND relname NOT LIKE '\\_sqlx%' ORDER BY relname",
    )
    .fetch_all(&app.db)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut receipts = vec![app.submit(1, "Sofia Marek", json!({})).await];
    for (change, user) in [("ADD COLUMN of_tomorrow text NOT NULL DEFAULT 'new'", 2), ("DROP COLUMN of_tomorrow", 102)] {
        for (table, user) in tables.iter().zip(user..) {
            app.sql(&format!("ALTER TABLE {table} {change}")).await;
            if user % 3 == 0 {
                receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
            }
        }
    }
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    // The vendor's verdict may come before our own record; it waits.
    let odd = "SELECT count(*) FROM job_runs WHERE outcome <> 'done' AND error_class IS DISTINCT FROM 'not_submitted_yet'";
    assert_eq!(app.count(odd).await, 0);
    app.finish().await;
}
