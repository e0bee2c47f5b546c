//! Nothing of a photo, a name, an address or a key in Redis, in errors or on disk in the clear.

use serde_json::json;
use vouch_common::domain::effect::Queue;
use vouch_tests::{API_KEY, FACE_KEY, JWT_SECRET, SECRET, TestApp, samples};

#[tokio::test]
async fn redis_the_object_store_and_the_ledger_hold_nothing_personal_in_the_clear() {
    let mut app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Zyxwv Marker", json!({})).await;
    let face = samples::bytes("good/face.jpg");
    let markers: Vec<&[u8]> = vec![
        b"Zyxwv",
        b"u7@example",
        API_KEY.as_bytes(),
        JWT_SECRET.as_bytes(),
        SECRET.as_bytes(),
        FACE_KEY.as_bytes(),
        &face[2000..2024],
    ];
    let check = |place: &str, bytes: &[u8]| {
        for marker in &markers {
            assert!(!bytes.windows(marker.len()).any(|window| window == *marker), "{place}: {}", String::from_utf8_lossy(marker));
        }
    };
    for path in app.objects() {
        check("an upload", &std::fs::read(path).unwrap());
    }
    app.start_worker(&[Queue::Upkeep]);
    let mut connection = vouch_tests::patient_redis(&app.redis_url).await.unwrap();
    vouch_tests::wait_for("jobs to lie in Redis", async || {
        let mut connection = connection.clone();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        (keys.len() >= 2).then_some(())
    })
    .await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    for key in keys {
        let entries: Vec<String> = redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query_async(&mut connection).await.unwrap();
        assert!(entries.iter().all(|entry| entry.split(':').count() == 3), "three fields and no more");
        check("Redis", entries.concat().as_bytes());
    }
    let args: Vec<String> = sqlx::query_scalar("SELECT args::text FROM jobs").fetch_all(&app.db).await.unwrap();
    check("the ledger", args.concat().as_bytes());
    app.stop_worker().await;
    app.sql("UPDATE jobs SET due_at = now()").await;
    app.start_worker(&Queue::ALL);
    app.wait_for_status(&receipt, "approved").await;
    for path in app.objects() {
        check("a prepared photo", &std::fs::read(path).unwrap());
    }
    let callbacks: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body_sealed FROM vendor_callbacks").fetch_all(&app.db).await.unwrap();
    check("a kept callback", &callbacks.concat());
    app.finish().await;
}
