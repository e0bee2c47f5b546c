//! The tables, from nothing to this release.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use vouch_common::store::Db;

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
