//! A database for each test, copied from a template that is made once.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use url::Url;
use vouch_common::store::{Db, MIGRATOR};

use crate::PATIENCE;

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test, which starts private servers"))
}

fn named(base: &str, name: &str) -> String {
    let mut url = Url::parse(base).unwrap();
    url.set_path(name);
    url.to_string()
}

/// Makes a database; its address and a pool to look into it.
pub(crate) async fn create() -> (String, PgPool) {
    let base = setting("DATABASE_URL");
    let mut server = PgConnection::connect(&base).await.unwrap();
    let template = template_name();
    // Of all tests that start at once, one makes the template.
    run(&mut server, "SELECT pg_advisory_lock(4711)").await;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&template)
        .fetch_one(&mut server)
        .await
        .unwrap();
    if !exists {
        run(&mut server, &format!("CREATE DATABASE making_{template}")).await;
        let db = Db::new(&named(&base, &format!("making_{template}")), 2).unwrap();
        db.migrate().await.unwrap();
        db.close().await;
        run(&mut server, &format!("ALTER DATABASE making_{template} RENAME TO {template}")).await;
    }
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(&mut server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    run(&mut server, "SELECT pg_advisory_unlock(4711)").await;
    let url = named(&base, &name);
    let pool = PgPool::connect_lazy(&url).unwrap();
    (url, pool)
}

async fn run(server: &mut PgConnection, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(server).await.unwrap();
}

fn template_name() -> String {
    let digest = MIGRATOR.iter().fold(Sha256::new(), |digest, migration| digest.chain_update(&migration.checksum)).finalize();
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("template_{digits}")
}

/// A connection to a Redis that may take its time: a busy machine fails no test.
pub async fn patient_redis(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    let patient = redis::AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await
}

/// Chooses a Redis database that no other test of this run has.
pub(crate) async fn choose_redis() -> String {
    let base = setting("REDIS_URL");
    let mut connection = patient_redis(&base).await.unwrap();
    let number: u64 = redis::cmd("INCR").arg("tests").query_async(&mut connection).await.unwrap();
    let url = named(&base, &format!("{}", number % 4000 + 1));
    let mut chosen = patient_redis(&url).await.unwrap();
    redis::cmd("FLUSHDB").query_async::<()>(&mut chosen).await.unwrap();
    url
}
