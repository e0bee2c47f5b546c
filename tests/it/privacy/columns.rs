//! Every column that can hold a text is on the list.

use std::collections::BTreeSet;

use sqlx::Row;
use vouch_common::domain::retention::{
    TABLE,
    columns::{About, COLUMNS},
};
use vouch_tests::TestApp;

#[tokio::test]
async fn every_column_of_text_json_or_bytes_says_whom_it_is_about_and_none_is_listed_that_is_gone() {
    let app = TestApp::without_worker().await;
    let rows = sqlx::query(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
           AND data_type NOT IN ('bigint', 'integer', 'smallint', 'boolean', 'numeric', 'double precision', 'uuid',
                                 'timestamp with time zone')",
    )
    .fetch_all(&app.db)
    .await
    .unwrap();
    let there: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let all: Vec<String> =
        COLUMNS.iter().flat_map(|group| group.names.iter().map(|name| format!("{}.{name}", group.table))).collect();
    let listed: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(listed.len(), all.len(), "a column is listed twice");
    let missing: Vec<_> = there.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(missing.is_empty(), "say in domain/retention/columns.rs whom these are about: {missing:?}");
    assert!(gone.is_empty(), "these are no columns any more: {gone:?}");
    assert!(there.len() > 100, "{}", there.len());
}

#[test]
fn every_kind_that_stands_in_a_table_names_it() {
    for group in COLUMNS {
        match group.about {
            About::Person(kind) => {
                let place = kind.rule().place;
                assert!(place.contains(&format!("`{}`", group.table)), "{}: {place}", group.table);
            }
            About::Nobody(what) => assert!(!what.is_empty(), "{}", group.table),
        }
    }
    for rule in &TABLE {
        let stands = COLUMNS.iter().any(|group| group.about == About::Person(rule.kind));
        assert!(stands, "{} stands nowhere", rule.name);
    }
}
