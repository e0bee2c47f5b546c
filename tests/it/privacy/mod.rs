//! What is known of people: how long it is kept, and that it goes.

mod columns;
mod erasure;
mod operators;
mod purge;
mod purge_cut;

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vouch_common::config::{Program, Settings, Source};
use vouch_tests::{TestApp, proxy::Proxy, samples};
use vouch_worker::services::Services;

/// An attempt in the tables, with objects in the store.
struct Planted {
    receipt: String,
    id: i64,
}

/// Plants an attempt of learner 7 that was created and last changed at these moments, with both photos.
async fn plant(app: &TestApp, status: &str, created_at: DateTime<Utc>, updated_at: DateTime<Utc>) -> Planted {
    let receipt = Uuid::new_v4().to_string();
    let objects = ["face", "photo_id"].map(|kind| samples::stored(kind, &receipt, "1-1"));
    for object in &objects {
        let path = app.folder.path().join(object);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "a photo").unwrap();
    }
    let [face, photo_id] = objects;
    let id = app
        .count(&format!(
            "INSERT INTO attempts (receipt_id, user_id, status, name, error_msg, created_at, updated_at, face_object,
                                   photo_id_object, face_key, photo_id_key)
             VALUES ('{receipt}', 7, '{status}', 'Sofia Marek', 'why', '{created_at}', '{updated_at}', '{face}', '{photo_id}', 'k', 'k')
             RETURNING id"
        ))
        .await;
    Planted { receipt, id }
}

/// Which photos of an attempt there are: in its row and in the store. Both must say the same.
async fn photos(app: &TestApp, planted: &Planted) -> Vec<&'static str> {
    let mut found = Vec::new();
    for kind in ["face", "photo_id"] {
        let sql =
            format!("SELECT count(*) FROM attempts WHERE id = {} AND {kind}_object IS NOT NULL AND {kind}_key <> ''", planted.id);
        let is_named = app.count(&sql).await == 1;
        let lies_there = app.folder.path().join(samples::stored(kind, &planted.receipt, "1-1")).exists();
        assert_eq!(is_named, lies_there, "{kind}");
        if is_named {
            found.push(kind);
        }
    }
    found
}

/// Services of a worker that reaches Postgres through a proxy.
async fn services_behind_proxy(app: &TestApp) -> (Services, Proxy) {
    let mut settings = app.settings.clone();
    let (_, url) = settings.iter_mut().find(|(name, _)| name == "DATABASE_URL").unwrap();
    let mut parsed = url::Url::parse(url).unwrap();
    let upstream: SocketAddr = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap()).parse().unwrap();
    let proxy = Proxy::start(upstream).await;
    parsed.set_port(Some(proxy.addr().port())).unwrap();
    *url = parsed.to_string();
    let settings = Settings::read(&Source::from_pairs(settings), Program::Worker).unwrap();
    (Services::with_clock(settings, app.clock.clone()).unwrap(), proxy)
}

async fn purge(services: &Services) -> u64 {
    vouch_worker::purge::run(services, &CancellationToken::new()).await
}
