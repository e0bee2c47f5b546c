//! Connections to Postgres that are kept between uses: what one who used them left is not met by the next.

use std::net::Ipv4Addr;

use sqlx::PgConnection;
use url::Url;
use vouch_common::{
    domain::effect::Queue,
    operations::{OperationError, hand_out_jobs::find_due},
    store::{Db, Tx},
};
use vouch_tests::{
    TestApp,
    proxy::{Mode, Proxy},
    wait_for,
};

const OPEN_TRANSACTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vouch' AND state LIKE 'idle in%'";
const CONNECTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vouch'";
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
const CUT: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vouch' AND datname = current_database()";

/// A database, and a pool of one connection to it.
async fn one() -> (TestApp, Db) {
    let app = TestApp::without_worker().await;
    app.sql("CREATE TABLE kept (number int)").await;
    let db = Db::new(&app.settings[0].1, 1).unwrap();
    (app, db)
}

async fn run(conn: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(conn).await.unwrap();
}

async fn backend(tx: &mut Tx) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **tx).await.unwrap()
}

#[tokio::test]
async fn a_transaction_that_was_dropped_is_undone_and_its_connection_serves_the_next() {
    let (app, db) = one().await;
    let mut tx = db.begin().await.unwrap();
    let first = backend(&mut tx).await;
    run(&mut tx, "INSERT INTO kept VALUES (1)").await;
    drop(tx);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(backend(&mut tx).await, first);
    run(&mut tx, "INSERT INTO kept VALUES (2)").await;
    drop(tx);
    wait_for("nothing to be open", async || (app.count(OPEN_TRANSACTIONS).await == 0).then_some(())).await;
    assert_eq!(app.count("SELECT count(*) FROM kept").await, 0);
}

#[tokio::test]
async fn what_was_cut_while_nobody_used_it_is_met_by_nobody() {
    let (app, db) = one().await;
    let first = backend(&mut db.begin().await.unwrap()).await;
    app.sql(CUT).await;
    assert_ne!(backend(&mut db.begin().await.unwrap()).await, first);
    app.sql(CUT).await;
    db.check().await.unwrap();
}

#[tokio::test]
async fn what_may_be_done_twice_is_done_again_when_its_connection_was_cut_a_moment_ago() {
    let (app, db) = one().await;
    app.sql("INSERT INTO jobs (queue, kind, args) VALUES ('mail', 'send_email', '{}')").await;
    for _ in 0..3 {
        assert_eq!(find_due(&db, &Queue::ALL).await.unwrap(), [Queue::Mail]);
        app.sql(CUT).await;
    }
}

#[tokio::test]
async fn who_gives_up_what_may_be_done_twice_leaves_no_connection() {
    let (app, db) = one().await;
    find_due(&db, &Queue::ALL).await.unwrap();
    let mut other = app.db.begin().await.unwrap();
    run(&mut other, "LOCK TABLE jobs").await;
    tokio::select! {
        _ = find_due(&db, &Queue::ALL) => panic!("it waits for the table"),
        () = wait_for("it to wait for the table", async || (app.count(WAITING).await == 1).then_some(())) => {}
    }
    other.commit().await.unwrap();
    wait_for("it to be closed", async || (app.count(CONNECTIONS).await == 0).then_some(())).await;
}

/// A pool of one connection, which passes through a proxy.
async fn behind_a_proxy() -> (TestApp, Proxy, Db) {
    let (app, _db) = one().await;
    let mut url = Url::parse(&app.settings[0].1).unwrap();
    let upstream = (Ipv4Addr::LOCALHOST, url.port().unwrap()).into();
    let proxy = Proxy::start(upstream).await;
    url.set_port(Some(proxy.addr().port())).unwrap();
    let db = Db::new(url.as_str(), 1).unwrap();
    (app, proxy, db)
}

#[tokio::test]
async fn a_line_that_died_amid_a_transaction_does_not_keep_its_place_in_the_pool() {
    let (_app, proxy, db) = behind_a_proxy().await;
    let tx = db.begin().await.unwrap();
    proxy.strand();
    drop(tx);
    // Given up after 35 seconds, as long as a slow server may take to undo it.
    wait_for("a connection in its place", async || db.check().await.ok()).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_told_of_and_asked_anew_when_it_speaks() {
    let (_app, proxy, db) = behind_a_proxy().await;
    find_due(&db, &Queue::ALL).await.unwrap();
    proxy.set(Mode::Silent);
    // Two limits, of 35 and 5 seconds: for an answer, which a slow server may give, and for another connection.
    let silence = find_due(&db, &Queue::ALL).await.unwrap_err();
    assert!(matches!(&silence, OperationError::Store(cause) if cause.is_transient()), "{silence:?}");
    proxy.heal();
    assert_eq!(find_due(&db, &Queue::ALL).await.unwrap(), []);
}

#[tokio::test]
async fn who_gives_up_amid_a_statement_leaves_nothing_to_the_next() {
    let (app, db) = one().await;
    app.sql("INSERT INTO kept VALUES (0)").await;
    let mut other = app.db.begin().await.unwrap();
    run(&mut other, "UPDATE kept SET number = 5").await;
    let given_up = async {
        let mut tx = db.begin().await.unwrap();
        run(&mut tx, "UPDATE kept SET number = number + 1").await;
        tx
    };
    tokio::select! {
        _ = given_up => panic!("it waits for the row"),
        () = wait_for("it to wait for the row", async || (app.count(WAITING).await == 1).then_some(())) => {}
    }
    other.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let seen: i32 = sqlx::query_scalar("SELECT number FROM kept").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn no_more_connect_than_are_allowed_and_none_when_it_is_closed() {
    let app = TestApp::without_worker().await;
    let db = Db::new(&app.settings[0].1, 2).unwrap();
    let looks = (0..8).map(async |_| db.check().await);
    futures_util::future::try_join_all(looks).await.unwrap();
    assert!((1..=2).contains(&app.count(CONNECTIONS).await));
    db.close().await;
    wait_for("all to be closed", async || (app.count(CONNECTIONS).await == 0).then_some(())).await;
    assert!(db.check().await.is_err(), "it is closed");
}

#[tokio::test]
async fn a_server_that_refuses_is_told_of() {
    let (app, _db) = one().await;
    let nowhere = Db::new(&format!("{}_nowhere", app.settings[0].1), 1).unwrap();
    let error = nowhere.check().await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn what_a_pool_shows_of_itself_has_no_password_in_it() {
    let db = Db::new("postgres://vouch:a-secret-word@127.0.0.1:9/vouch", 1).unwrap();
    let shown = format!("{db:?}");
    assert!(shown.contains("Connector") && !shown.contains("a-secret-word"), "{shown}");
}
