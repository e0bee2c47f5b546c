//! What the forms do: each action through the api, with its reason in the audit.

use serde_json::{Value, json};
use vouch_tests::TestApp;

use super::{Desk, dead_job};

async fn last_action(app: &TestApp) -> Value {
    app.get("audit?limit=1").await["items"][0].clone()
}

#[tokio::test]
async fn each_action_says_what_comes_next_and_leaves_its_reason() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let desk = Desk::open(&app).await;
    let job = dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "the vendor refused").await;
    let loose = dead_job(&app, &receipt, ("mail", "send_email"), "no such mailbox").await;
    app.sql("UPDATE attempts SET status = 'must_retry'").await;
    let attempt = format!("/ops/attempts/{receipt}");
    let other = app.submit(8, "Ada Lovelace", json!({})).await;
    app.sql(&format!("DELETE FROM jobs WHERE subject = '{other}'")).await;
    for (path, fields, action, said) in [
        (format!("/ops/jobs/{loose}/drop"), &[][..], "job.drop", "is dropped"),
        (format!("/ops/jobs/{job}/retry"), &[], "job.retry", "again."),
        ("/ops/queues/mail".to_owned(), &[("action", "pause")], "queue.pause", "The queue mail is paused."),
        ("/ops/queues/mail".to_owned(), &[("action", "resume")], "queue.resume", "The queue mail runs again."),
        ("/ops/queues/vendor".to_owned(), &[("action", "limit"), ("rate", "2.5")], "queue.limit", "another limit"),
        ("/ops/queues/vendor".to_owned(), &[("action", "limit"), ("rate", "")], "queue.limit", "another limit"),
        ("/ops/breakers/software-secure".to_owned(), &[("force", "open")], "breaker.force", "held open"),
        ("/ops/breakers/software-secure".to_owned(), &[("force", "")], "breaker.force", "what is measured"),
        (format!("/ops/attempts/{other}/retry"), &[], "attempt.retry", "The attempt is set going again"),
        (format!("{attempt}/approve"), &[], "attempt.approve", "The attempt is approved."),
    ] {
        let reason = format!("drill {action}");
        let answer = desk.send(&path, &[fields, &[("reason", reason.as_str())]].concat()).await;
        let page = desk.after(&answer).await;
        assert!(page.contains(said), "{path}: {page}");
        let kept = last_action(&app).await;
        assert_eq!(
            (&kept["action"], &kept["reason"], &kept["actor"]),
            (&json!(action), &json!(reason), &json!("bootstrap")),
            "{path}"
        );
    }
    assert_eq!(app.attempt(&receipt).await["status"], "approved");
    let page = desk.page(&attempt).await.text;
    assert!(page.contains("drill attempt.approve"), "{page}");
}

#[tokio::test]
async fn a_denial_tells_the_learner_what_was_ticked_and_never_the_reason() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let desk = Desk::open(&app).await;
    let path = format!("/ops/attempts/{receipt}/deny");
    let too_early = desk.send(&format!("/ops/attempts/{receipt}/approve"), &[("reason", "a forgery")]).await;
    assert_eq!(too_early.status, 409);
    assert!(too_early.text.contains("created") && too_early.text.contains(r#"value="a forgery""#), "{}", too_early.text);
    app.sql("UPDATE attempts SET status = 'submitted', submitted_at = now()").await;
    let fields = [
        ("learner_reason", "photoIdReasons:Not provided"),
        ("learner_reason", "userPhotoReasons:Image not clear"),
        ("reason", "a forgery"),
    ];
    let without_reason = desk.send(&path, &fields[..2]).await;
    assert_eq!(without_reason.status, 400);
    assert_eq!(without_reason.text.matches("checked").count(), 2, "what was ticked stays ticked");
    let answer = desk.send(&path, &fields).await;
    assert!(desk.after(&answer).await.contains("The attempt is denied."));
    let attempt = app.attempt(&receipt).await;
    assert_eq!(attempt["reasons"], json!(["No photo ID was provided.", "The image of your face was not clear."]));
    assert!(!attempt["error_msg"].to_string().contains("forgery"));
}

#[tokio::test]
async fn a_refused_form_says_why_and_keeps_what_was_filled_in() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let job = dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "the vendor refused").await;
    let desk = Desk::open(&app).await;
    for (path, fields, kept) in [
        (format!("/ops/jobs/{job}/retry"), &[("reason", "")][..], r#"role="alert""#),
        (
            "/ops/queues/vendor".to_owned(),
            &[("action", "limit"), ("rate", "fast"), ("reason", "too many")],
            r#"value="too many""#,
        ),
        ("/ops/queues/vendor".to_owned(), &[("action", "limit"), ("rate", "-1"), ("reason", "too many")], r#"value="-1""#),
        (
            "/ops/retries".to_owned(),
            &[("body", r#"{"state":"dead"}"#), ("rate", "0"), ("once", "aaaaaaaaaaaaaaaaaaaa"), ("reason", "vendor is back")],
            r#"value="vendor is back""#,
        ),
    ] {
        let answer = desk.send(&path, fields).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        assert!(answer.text.contains(kept) && answer.text.contains(r#"role="alert""#), "{path}: {}", answer.text);
    }
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 0);
}

#[tokio::test]
async fn a_bulk_retry_is_looked_at_started_once_watched_and_cancelled() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "the vendor refused").await.to_string());
    }
    let desk = Desk::open(&app).await;
    let dry = desk.page(&format!("/ops/retries/new?job_id={}&job_id={}", jobs[0], jobs[1])).await.text;
    assert!(
        dry.contains("2 jobs would be retried") && dry.contains("the vendor refused") && dry.contains("at 50 a second"),
        "{dry}"
    );
    assert_eq!(app.count("SELECT count(*) FROM retries").await, 0, "looking starts nothing");
    let field = |name: &str| {
        let rest = dry.split(&format!(r#"name="{name}" value=""#)).nth(1).unwrap();
        rest.split('"').next().unwrap().replace("&quot;", "\"").replace("&#x2f;", "/").replace("&#34;", "\"")
    };
    let form =
        [("body", field("body")), ("once", field("once")), ("rate", "1".to_owned()), ("reason", "they mended it".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let first = desk.send("/ops/retries", &form).await;
    let second = desk.send("/ops/retries", &form).await;
    assert_eq!(first.location, second.location, "pressed twice it runs once: {}", second.text);
    let page = desk.after(&first).await;
    assert!(page.contains("2 jobs are being retried") && page.contains("they mended it"), "{page}");
    let cancelled = desk.send(&format!("{}/cancel", first.location), &[("reason", "wrong ones")]).await;
    assert!(desk.after(&cancelled).await.contains("cancelled"));
    assert_eq!(last_action(&app).await["action"], "retries.cancel");
    assert!(desk.page("/ops/retries").await.text.contains("they mended it"));
}
