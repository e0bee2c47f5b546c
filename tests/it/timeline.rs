//! The story of an attempt, and what it waits for.

use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::domain::effect::Queue;
use vouch_tests::{TestApp, samples, wait_for};

/// Titles of the entries of that kind.
fn titles(attempt: &Value, kind: &str) -> Vec<String> {
    let entries = attempt["timeline"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind);
    entries.map(|entry| entry["title"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_whole_way_is_told_step_by_step() {
    let app = TestApp::start().await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let attempt = app.attempt(&receipt).await;
    assert_eq!(
        titles(&attempt, "event"),
        ["Received", "Photos checked and encrypted", "The vendor accepted it", "Approved by the vendor"]
    );
    let way: Vec<_> = titles(&attempt, "run").into_iter().filter(|title| !title.starts_with("Writing")).collect();
    assert_eq!(
        way,
        [
            "Checking the photos: done",
            "Sending it to the vendor: done",
            "Applying the verdict: done",
            "Updating the credit: done"
        ]
    );
    let mails = titles(&attempt, "run").into_iter().filter(|title| title == "Writing to the learner: done").count();
    assert!(mails >= 2, "{:?}", titles(&attempt, "run"));
    assert_eq!(titles(&attempt, "callback"), ["The vendor called back: PASS"]);
    assert_eq!(titles(&attempt, "job"), [] as [&str; 0]);
    assert_eq!(attempt["waits_for"], Value::Null);
    let entries = attempt["timeline"].as_array().unwrap();
    let times: Vec<_> =
        entries.iter().map(|entry| entry["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()).collect();
    assert!(times.is_sorted(), "oldest first");
    let sent = entries.iter().find(|entry| entry["title"] == "Sending it to the vendor: done").unwrap();
    assert!(sent["wait_seconds"].as_f64().is_some() && sent["run_seconds"].as_f64().is_some(), "{sent}");
    let approved = entries.iter().find(|entry| entry["to"] == "approved").unwrap();
    assert_eq!((&approved["from"], &approved["actor"]), (&json!("submitted"), &json!("vendor")));
    app.finish().await;
}

#[tokio::test]
async fn a_photo_that_our_own_checks_refuse_ends_the_story() {
    let app = TestApp::start().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "face_image": samples::bad("tiny.jpg") })).await;
    app.wait_for_status(&receipt, "denied").await;
    app.wait_until_idle().await;
    let attempt = app.attempt(&receipt).await;
    assert_eq!(titles(&attempt, "event"), ["Received", "Photos refused by our own checks"]);
    assert!(titles(&attempt, "run").contains(&"Checking the photos: done".to_owned()));
    assert_eq!(attempt["waits_for"], Value::Null);
}

#[tokio::test]
async fn an_attempt_tells_what_it_waits_for_on_its_way() {
    let mut app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let waits = async || app.attempt(&receipt).await["waits_for"].clone();
    let first = waits().await;
    assert_eq!((&first["what"], &first["queue"]), (&json!("queue"), &json!("photos")));
    app.sql("INSERT INTO queue_controls (queue, paused_at, paused_by) VALUES ('photos', now(), 'night')").await;
    let paused = waits().await;
    assert_eq!(
        (&paused["what"], &paused["text"]),
        (&json!("brake"), &json!("Checking the photos waits: night has paused the queue photos."))
    );
    let listed = app.get(&format!("attempts?receipt={receipt}")).await;
    assert_eq!(listed["items"][0]["waits_for"]["text"], paused["text"]);
    app.sql("UPDATE queue_controls SET paused_at = NULL, held_until = now() + interval '1 hour'").await;
    let held = waits().await;
    assert!(held["what"] == "brake" && held["until"].is_string(), "{held}");
    app.sql("DELETE FROM queue_controls").await;
    app.sql(
        "INSERT INTO breakers (vendor, queue, state) VALUES ('software-secure', 'vendor', 'open')
             ON CONFLICT (vendor) DO UPDATE SET state = 'open'",
    )
    .await;
    assert_eq!(waits().await["what"], "queue", "the breaker is another queue's");
    app.sql("UPDATE attempts SET status = 'ready'").await;
    app.sql("UPDATE jobs SET queue = 'vendor', kind = 'submit_to_vendor' WHERE kind = 'prepare_photos'").await;
    assert_eq!(waits().await["text"], "Sending it to the vendor waits: the breaker of software-secure is open.");
    app.sql("UPDATE breakers SET forced = 'closed'").await;
    assert_eq!(waits().await["what"], "queue", "an operator's word stands above the breaker");
    app.sql("UPDATE jobs SET due_at = now() + interval '1 hour', failures = 1, failed_at = now() WHERE queue = 'vendor'").await;
    assert_eq!(waits().await["what"], "retry");
    app.sql("DELETE FROM jobs WHERE queue = 'vendor'").await;
    app.sql("UPDATE attempts SET status = 'submitted', submitted_at = created_at").await;
    app.clock.advance(chrono::TimeDelta::hours(2));
    assert_eq!(waits().await["text"], "The vendor has had it for 2 hours and has not called back.");
    app.sql("UPDATE attempts SET status = 'approved'").await;
    assert_eq!(waits().await["text"].as_str().map(|text| text.starts_with("Writing to the learner")), Some(true));
    app.start_worker(&[Queue::Mail]);
    wait_for("the mail to be written", async || (app.attempt(&receipt).await["waits_for"] == Value::Null).then_some(())).await;
}

#[tokio::test]
async fn an_attempt_is_told_as_it_was_at_one_moment() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let mut change = app.db.begin().await.unwrap();
    sqlx::query("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE").execute(&mut *change).await.unwrap();
    let asked = app.api(Method::GET, &format!("attempts/{receipt}"));
    let answer = tokio::spawn(async move { asked.send().await.unwrap().json::<Value>().await.unwrap() });
    // By now the attempt itself has been read, and its jobs have not.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_for("the reader to wait", async || (app.count(waits).await == 1).then_some(())).await;
    sqlx::query("UPDATE attempts SET status = 'ready'").execute(&mut *change).await.unwrap();
    sqlx::query("DELETE FROM jobs").execute(&mut *change).await.unwrap();
    change.commit().await.unwrap();
    let attempt = answer.await.unwrap();
    assert_eq!((&attempt["status"], &attempt["jobs"][0]["kind"]), (&json!("created"), &json!("prepare_photos")));
    assert_eq!(app.attempt(&receipt).await["jobs"], json!([]), "what is read later knows of it");
}
