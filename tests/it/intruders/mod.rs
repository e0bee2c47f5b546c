//! Nobody gets in: who may call what, and what everybody else is told.

mod answers;
mod callbacks;
mod injection;
mod limits;
mod markers;
mod routes;
mod table;
mod tokens;

use vouch_tests::TestApp;

/// Everything that stands in the database, as one text a table.
pub(crate) async fn everything(app: &TestApp) -> Vec<(String, String)> {
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&app.db).await.unwrap();
    assert!(tables.iter().any(|table| table == "attempts"), "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let rows = format!("SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM {table} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&app.db).await.unwrap();
        found.push((table, rows));
    }
    found
}
