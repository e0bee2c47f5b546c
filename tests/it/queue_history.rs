//! How the queues stood over the last hours.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vouch_tests::{TestApp, answer, wait_for};

async fn history(app: &TestApp, query: &str) -> Vec<Value> {
    app.get(&format!("queues/history{query}")).await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_the_queues_did_is_in_their_history() {
    let app = TestApp::start().await;
    let receipt = app.submit(1, "Ada", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let point = wait_for("a sample of the vendor's job", async || {
        // The time between samples passes.
        app.sql("UPDATE schedule_ticks SET tick_at = now() - interval '1 hour' WHERE task = 'queue_samples'").await;
        history(&app, "?hours=1").await.into_iter().find(|point| point["queue"] == "vendor" && point["done"] == 1)
    })
    .await;
    assert_eq!((&point["failed"], &point["dead"]), (&json!(0), &json!(0)));
    assert!(point["wait_seconds"].as_f64().unwrap() >= 0.0 && point["run_seconds"].as_f64().unwrap() > 0.0, "{point}");
    let done: i64 = history(&app, "")
        .await
        .iter()
        .filter(|point| point["queue"] == "vendor")
        .map(|point| point["done"].as_i64().unwrap())
        .sum();
    assert_eq!(done, 1, "no job is in two samples");
    app.finish().await;
}

#[tokio::test]
async fn a_long_history_is_thinned_and_its_sums_and_peaks_stay() {
    let app = TestApp::without_worker().await;
    app.sql(
        "INSERT INTO queue_samples (at, queue, done, failed, waiting, dead, oldest_due_seconds, wait_seconds, run_seconds)
         SELECT now() - make_interval(secs => 15 * step), queue, 2, 1, CASE step WHEN 5000 THEN 999 ELSE 3 END, 4, 5, 0.5, 0.25
         FROM generate_series(1, 11400) AS step, unnest('{vendor,mail}'::text[]) AS queue",
    )
    .await;
    let points = history(&app, "?hours=48").await;
    let mut by_queue: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for point in &points {
        by_queue.entry(point["queue"].as_str().unwrap()).or_default().push(point);
    }
    let vendor = &by_queue["vendor"];
    assert!((290..=300).contains(&vendor.len()), "{}", vendor.len());
    assert!(vendor.is_sorted_by_key(|point| point["at"].as_str().unwrap().to_owned()), "oldest first");
    assert_eq!(vendor.iter().map(|point| point["done"].as_i64().unwrap()).sum::<i64>(), 22_800);
    assert_eq!(vendor.iter().map(|point| point["waiting"].as_i64().unwrap()).max(), Some(999));
    assert!(vendor.iter().all(|point| point["wait_seconds"] == 0.5 && point["run_seconds"] == 0.25));
    assert!(history(&app, "?hours=1").await.len() <= 600);
}

#[tokio::test]
async fn hours_that_make_no_sense_are_refused() {
    let app = TestApp::without_worker().await;
    for hours in ["0", "49", "-1", "x", "1.5", ""] {
        let (status, text) =
            answer(app.api(reqwest::Method::GET, &format!("queues/history?hours={hours}")).send().await.unwrap()).await;
        assert_eq!(status, 400, "{hours}");
        assert!(text.contains("from 1 to 48"), "{text}");
    }
    assert_eq!(app.client.get(format!("{}/api/v1/queues/history", app.url)).send().await.unwrap().status(), 401);
}
