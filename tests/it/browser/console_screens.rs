//! Pictures of the console, for people to look at, as in `screens`.

use serde_json::{Value, json};
use vouch_tests::{
    API_KEY, TestApp,
    browser::{Browser, Camera},
};

use super::screens::{Shots, folder};
use crate::console::dead_job;

/// A bad night: an outage that is over, its dead, a poison photo, and a bulk retry that runs.
async fn night(app: &TestApp) -> (String, i64, String) {
    let mut receipts = Vec::new();
    for user in 7..12 {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    let mut last = 0;
    for receipt in &receipts {
        dead_job(app, receipt, ("photos", "prepare_photos"), "the photo can't be opened: JPEG: unexpected end of file").await;
        last = dead_job(
            app,
            receipt,
            ("vendor", "submit_to_vendor"),
            "the vendor refused the submission: status 400: ExpectedName is not accepted",
        )
        .await;
    }
    app.sql(
        "INSERT INTO jobs (queue, kind, args, failures, error_class, error_code, last_error, fingerprint, failed_at, dead_at)
         SELECT 'vendor', 'submit_to_vendor', '{\"v\": 1}', 20, 'vendor_busy', '503', 'the vendor is busy: status 503', 'feedfeedfeedfeed', now(), now() - make_interval(secs => n)
         FROM generate_series(1, 41207) n",
    ).await;
    app.sql("INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message) VALUES ('feedfeedfeedfeed', 'vendor', 'submit_to_vendor', 'vendor_busy', '503', 'the vendor is busy: status #')").await;
    app.sql("INSERT INTO jobs (queue, kind, args, due_at) SELECT 'vendor', 'submit_to_vendor', '{\"v\": 1}', now() - interval '50 minutes' FROM generate_series(1, 1800)").await;
    app.sql(&format!(
        "UPDATE attempts SET status = 'submitted', submitted_at = now() - interval '26 hours' WHERE receipt_id IN ('{}', '{}')",
        receipts[1], receipts[2]
    ))
    .await;
    app.sql(
        "INSERT INTO queue_samples (at, queue, done, failed, waiting, dead, oldest_due_seconds, wait_seconds, run_seconds)
         SELECT now() - make_interval(mins => m), q.name,
                CASE WHEN q.name = 'vendor' AND m BETWEEN 60 AND 130 THEN 0 ELSE (q.base * (1 + 0.3 * sin(m / 17.0)) * (1 + 0.2 * random()))::int END,
                CASE WHEN q.name = 'vendor' AND m BETWEEN 60 AND 130 THEN 35 + (10 * random())::int ELSE (1.4 * random())::int END,
                10, 0,
                CASE WHEN q.name = 'vendor' AND m <= 130 THEN greatest(0, least(4200, (130 - m) * 60) - greatest(0, 60 - m) * 50) ELSE random() END,
                CASE WHEN q.name = 'vendor' AND m < 60 THEN 900 - m * 3 ELSE 0.2 + q.base * 0.01 * random() END, 0.4
         FROM generate_series(0, 359) m, (VALUES ('photos', 40), ('vendor', 42), ('results', 40), ('credit', 12), ('mail', 80), ('events', 0), ('upkeep', 2)) q(name, base)",
    ).await;
    let post = |path: &str, document: Value| app.api(reqwest::Method::POST, path).json(&document).send();
    post("queues/mail/pause", json!({ "reason": "the mail server moves" })).await.unwrap();
    let retry = json!({ "filter": { "fingerprint": "feedfeedfeedfeed" }, "dry_run": false, "rate": 200, "reason": "the vendor is back, see incident 212" });
    let retry: Value = post("retries", retry).await.unwrap().json().await.unwrap();
    let id = retry["id"].as_str().unwrap().to_owned();
    app.sql("UPDATE retries SET retried = 17620, skipped = 4").await;
    app.sql("UPDATE breakers SET state = 'recovering', since = now() - interval '3 minutes', until = now() + interval '2 minutes', reason = 'a probe came back well'").await;
    (receipts.swap_remove(0), last, id)
}

#[tokio::test]
#[ignore = "makes pictures for people"]
async fn pictures_of_the_console() {
    let app = TestApp::without_worker().await;
    let (receipt, job, retry) = night(&app).await;
    let browser = Browser::start(Camera::Absent, "en").await;
    let shots = Shots { browser: &browser, folder: folder() };
    browser.open(&format!("{}/ops", app.url)).await;
    shots.take("ops-sign-in").await;
    browser.see("#key").await.send_keys(API_KEY).await.unwrap();
    browser.press("main button").await;
    browser.read("h1", "Overview").await;
    for (name, path) in [
        ("overview", String::new()),
        ("errors", "/errors".to_owned()),
        ("jobs", "/jobs".to_owned()),
        ("job", format!("/jobs/{job}")),
        ("search", "/search".to_owned()),
        ("attempt", format!("/attempts/{receipt}")),
        ("deny", format!("/attempts/{receipt}/deny")),
        ("retry-new", "/retries/new?state=dead&queue=photos".to_owned()),
        ("retry", format!("/retries/{retry}")),
        ("retries", "/retries".to_owned()),
        ("queue", "/queues/vendor".to_owned()),
        ("breaker", "/breakers/software-secure".to_owned()),
        ("audit", "/audit".to_owned()),
    ] {
        browser.open(&format!("{}/ops{path}", app.url)).await;
        shots.take(&format!("ops-{name}")).await;
    }
    browser.close().await;
}
