//! What goes when its time is over, and what stays because somebody needs it.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use vouch_common::config::{Program, Settings, Source};
use vouch_tests::{TestApp, answer, samples, wait_for};

use super::{photos, plant, purge};

const NONE: [&str; 0] = [];

#[tokio::test]
async fn photos_go_their_days_after_the_decision_and_the_decision_stays() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let day = |days| app.now() - TimeDelta::days(days);
    let denied = plant(&app, "denied", day(40), day(29)).await;
    let approved = plant(&app, "approved", day(40), day(29)).await;
    let services = app.services();
    assert_eq!(purge(&services).await, 0);
    let link = services.objects().link(&samples::stored("face", &denied.receipt, "1-1"), app.now()).await.unwrap();
    assert_eq!(app.client.get(link.clone()).send().await.unwrap().status(), 200);
    app.clock.advance(TimeDelta::days(2));
    purge(&services).await;
    assert_eq!(photos(&app, &denied).await, NONE);
    assert_eq!(photos(&app, &approved).await, ["photo_id"], "a face at a checkpoint may still go with it");
    let (status, _) = answer(app.client.get(link).send().await.unwrap()).await;
    assert_eq!(status, 404);
    assert_eq!(app.attempt(&denied.receipt).await["status"], "denied");
    app.clock.advance(TimeDelta::days(365));
    purge(&services).await;
    assert_eq!(photos(&app, &approved).await, NONE);
    assert_eq!(app.attempt(&approved.receipt).await["status"], "approved");
}

#[tokio::test]
async fn an_open_attempt_keeps_its_photos_and_the_id_photo_that_it_borrows() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(1000);
    let lender = plant(&app, "approved", long_ago, long_ago).await;
    let mut open = Vec::new();
    for status in ["created", "ready", "submitted", "must_retry"] {
        open.push(plant(&app, status, long_ago, long_ago).await);
    }
    let borrower = &open[3];
    app.sql(&format!("UPDATE attempts SET copy_id_photo_from = {} WHERE id = {}", lender.id, borrower.id)).await;
    let services = app.services();
    purge(&services).await;
    for attempt in &open {
        assert_eq!(photos(&app, attempt).await, ["face", "photo_id"]);
    }
    assert_eq!(photos(&app, &lender).await, ["photo_id"]);
    app.sql(&format!("UPDATE attempts SET status = 'denied' WHERE id = {}", borrower.id)).await;
    purge(&services).await;
    assert_eq!(photos(&app, &lender).await, NONE);
    assert_eq!(photos(&app, borrower).await, NONE);
    assert_eq!(photos(&app, &open[0]).await, ["face", "photo_id"]);
}

#[tokio::test]
async fn names_and_reasons_go_with_their_days_but_not_while_a_job_is_left_or_the_approval_counts() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(731);
    let [old, young, busy, counting] = [
        plant(&app, "denied", long_ago, long_ago).await,
        plant(&app, "denied", long_ago, app.now() - TimeDelta::days(729)).await,
        plant(&app, "denied", long_ago, long_ago).await,
        plant(&app, "approved", app.now() - TimeDelta::days(300), long_ago).await,
    ];
    for attempt in [&old, &young, &busy, &counting] {
        let id = attempt.id;
        app.sql(&format!(
            "INSERT INTO attempt_events (attempt_id, at, actor, kind, detail) VALUES ({id}, now(), 'intake', 'denied', 'why')"
        ))
        .await;
        app.sql(&format!(
            "INSERT INTO job_runs (subject, job_id, queue, kind, queued_at, ended_at, outcome)
             VALUES ('{}', 1, 'mail', 'send_email', now(), now(), 'done')",
            attempt.receipt
        ))
        .await;
    }
    app.sql(&format!(
        "INSERT INTO jobs (queue, kind, args, subject, dead_at, error_class)
         VALUES ('mail', 'send_email', '{{}}', '{}', now(), 'smtp')",
        busy.receipt
    ))
    .await;
    purge(&app.services()).await;
    for (attempt, stays) in [(&old, false), (&young, true), (&busy, true), (&counting, true)] {
        let (id, receipt) = (attempt.id, &attempt.receipt);
        let sql = format!(
            "SELECT (SELECT count(*) FROM attempts WHERE id = {id} AND name = 'Sofia Marek' AND error_msg = 'why')
                  + (SELECT count(*) FROM attempt_events WHERE attempt_id = {id} AND detail = 'why')
                  + (SELECT count(*) FROM job_runs WHERE subject = '{receipt}')"
        );
        assert_eq!(app.count(&sql).await, if stays { 3 } else { 0 });
        assert_eq!(app.count(&format!("SELECT count(*) FROM attempts WHERE id = {id} AND status <> ''")).await, 1);
    }
    assert_eq!(app.attempt(&old.receipt).await["status"], "denied");
}

#[tokio::test]
async fn every_other_kind_goes_with_its_days_and_what_is_still_needed_stays() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_user(8, "Sofia Marek").await;
    app.put_course().await;
    for (table, columns, old, kept) in [
        ("user_name_changes", "user_id, old_name, new_name, changed_at", "7, 'a', 'b', $730", &["7, 'a', 'b', $729"][..]),
        (
            "vendor_callbacks",
            "event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed",
            "'1', 'applied', $90, 'sealed', 'r', 'PASS', true, 'x'",
            &["'2', 'applied', $89, 'sealed', 'r', 'PASS', true, 'x'", "'3', 'received', $900, 'sealed', 'r', 'PASS', true, 'x'"],
        ),
        (
            "flow_choices",
            "user_id, course_key, contribution, updated_at",
            "7, (SELECT course_key FROM courses), '20', $90",
            &["8, (SELECT course_key FROM courses), '20', $89"],
        ),
        (
            "analytics_events",
            "user_id, name, properties, message_id, at",
            "7, 'a', '{}', gen_random_uuid(), $90",
            &["7, 'a', '{}', gen_random_uuid(), $89", "8, 'a', '{}', gen_random_uuid(), $900"],
        ),
        (
            "operator_actions",
            "at, actor, action, target, reason",
            "$1095, 'ann', 'attempt.deny', 'r', 'why'",
            &["$1094, 'ann', 'attempt.deny', 'r', 'why'"],
        ),
    ] {
        for values in [old].iter().chain(kept) {
            app.sql(&format!("INSERT INTO {table} ({columns}) VALUES ({})", ages(values))).await;
        }
    }
    app.sql(r#"INSERT INTO jobs (queue, kind, args, dead_at) VALUES ('events', 'track_event', '{"v": 1, "user": 8}', now())"#)
        .await;
    purge(&app.services()).await;
    for (table, left) in
        [("user_name_changes", 1), ("vendor_callbacks", 2), ("flow_choices", 1), ("analytics_events", 2), ("operator_actions", 1)]
    {
        assert_eq!(app.count(&format!("SELECT count(*) FROM {table}")).await, left, "{table}");
    }
    assert_eq!(purge(&app.services()).await, 0, "what is gone is not met again");
}

/// `$90` is a moment of 90 days and an hour ago.
fn ages(values: &str) -> String {
    let mut parts = values.split('$');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        out += &format!("now() - interval '{} days 1 hour'{}", &part[..end], &part[end..]);
    }
    out
}

#[tokio::test]
async fn what_is_personal_in_orders_and_credit_is_emptied_and_the_rest_stays() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_course().await;
    app.sql(&ages(
        r#"INSERT INTO orders (user_id, status, currency, created_at, updated_at, billed_to)
           VALUES (7, 'purchased', 'usd', $4000, $3650, '{"city": "Brno"}'), (7, 'purchased', 'usd', $4000, $3649, '{"city": "Brno"}')"#,
    ))
    .await;
    app.sql(&ages(
        r#"INSERT INTO credit_requests (uuid, user_id, course_key, provider_id, parameters, status, created_at, updated_at)
           SELECT gen_random_uuid(), 7, course_key, status, '{"name": "Sofia"}', status, $900, $730
           FROM credit_courses, (VALUES ('pending'), ('approved')) AS states (status)"#,
    ))
    .await;
    app.sql(&ages(
        r#"INSERT INTO credit_requirement_statuses (user_id, requirement_id, status, reason, status_date)
           SELECT 7, id, 'satisfied', '{"note": "x"}', $730 FROM credit_requirements"#,
    ))
    .await;
    purge(&app.services()).await;
    assert_eq!(app.count("SELECT count(*) FROM orders").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE billed_to <> '{}'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM credit_requests").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM credit_requests WHERE parameters <> '{}' AND status = 'pending'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM credit_requests WHERE parameters <> '{}'").await, 1);
    assert_eq!(
        app.count("SELECT count(*) FROM credit_requirement_statuses WHERE reason = '{}' AND status = 'satisfied'").await,
        1
    );
}

#[tokio::test]
async fn a_worker_with_the_queue_upkeep_purges_by_itself() {
    let mut app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(31);
    let denied = plant(&app, "denied", long_ago, long_ago).await;
    app.start_worker(&[vouch_common::domain::effect::Queue::Upkeep]);
    let named = format!("SELECT count(*) FROM attempts WHERE id = {} AND photo_id_object IS NULL", denied.id);
    wait_for("the photos to go", async || (app.count(&named).await == 1).then_some(())).await;
    assert_eq!(photos(&app, &denied).await, NONE);
    app.stop_worker().await;
}

#[tokio::test]
async fn an_attempt_without_photos_and_names_can_still_be_decided_by_an_operator() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(1000);
    let denied = plant(&app, "denied", long_ago, long_ago).await;
    purge(&app.services()).await;
    let why = json!({ "reason": "an appeal" });
    let path = format!("attempts/{}/approve", denied.receipt);
    assert_eq!(app.api(Method::POST, &path).json(&why).send().await.unwrap().status(), 200);
    assert_eq!(app.attempt(&denied.receipt).await["status"], "approved");
}

#[tokio::test]
async fn a_span_of_no_days_or_shorter_than_the_vendor_may_repeat_itself_is_refused_at_start() {
    let app = TestApp::without_worker().await;
    for (name, value, fault) in [
        ("VOUCH_KEEP_PHOTOS_DAYS", "0", "it must be a number from 1 to 36500"),
        ("VOUCH_KEEP_CALLBACKS_DAYS", "29", "it must be a number from 30 to 36500"),
        ("VOUCH_KEEP_DETAILS_DAYS", "-1", "it must be a number from 1 to 36500"),
        ("VOUCH_KEEP_PAYERS_DAYS", "x", "it must be a number from 30 to 36500"),
        ("VOUCH_KEEP_AUDIT_DAYS", "36501", "it must be a number from 30 to 36500"),
    ] {
        let pairs = app.settings.iter().cloned().chain([(name.to_owned(), value.to_owned())]);
        let refused = Settings::read(&Source::from_pairs(pairs), Program::Worker).err().unwrap();
        assert_eq!(refused.faults, [format!("{name} is not right: {fault}")]);
    }
}

#[tokio::test]
async fn what_is_decided_anew_is_emptied_anew_when_its_time_is_over() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(1000);
    let denied = plant(&app, "denied", long_ago, long_ago).await;
    purge(&app.services()).await;
    let why = json!({ "reason": "an appeal", "learner_reasons": { "photoIdReasons": ["Not provided"] } });
    let path = format!("attempts/{}/deny", denied.receipt);
    assert_eq!(app.api(Method::POST, &path).json(&why).send().await.unwrap().status(), 200);
    app.sql("DELETE FROM jobs").await;
    let told = format!(
        "SELECT (SELECT count(*) FROM attempts WHERE id = {id} AND error_msg <> '')
              + (SELECT count(*) FROM attempt_events WHERE attempt_id = {id} AND detail = 'an appeal')",
        id = denied.id
    );
    app.clock.advance(TimeDelta::days(729));
    purge(&app.services()).await;
    assert_eq!(app.count(&told).await, 2);
    app.clock.advance(TimeDelta::days(2));
    purge(&app.services()).await;
    assert_eq!(app.count(&told).await, 0);
}
