//! What others ask of the api: operators, the learning platform, learners, the vendor, the payment processor.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::{payment::cybersource::sign, secret::Secret};
use vouch_tests::{percent, samples};

use super::{
    play::{Again, Play, call, request},
    world::World,
};
use crate::{
    acting::{WHY, post, text},
    create_order::CYBERSOURCE_SECRET,
};

async fn hold(world: &World, plays: Vec<Play>) {
    for play in plays {
        play.holds(world).await;
    }
}

/// Learner 1 waits for the photos and the mail that are dead, learner 2 for the vendor, 3 for nothing; what failed of
/// learner 5 is in a bulk retry; mails are held back. The two receipts, the two dead jobs and the bulk retry.
async fn prepared() -> (World, [String; 2], [i64; 2], String) {
    let mut world = World::start(vec![]).await;
    let app = &world.app;
    let [first, second] = [app.submit(1, "Sofia Marek", json!({})).await, app.submit(2, "Sofia Marek", json!({})).await];
    for user in [3, 5] {
        app.put_user(user, "Sofia Marek").await;
    }
    app.sql(&format!(
        "DELETE FROM jobs WHERE subject = '{second}'; UPDATE attempts SET status = 'submitted' WHERE receipt_id = '{second}'"
    ))
    .await;
    app.sql(
        "WITH made AS (INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
                       VALUES (gen_random_uuid(), 5, 'must_retry', 'Sofia Marek', now(), now()) RETURNING receipt_id)
         INSERT INTO jobs (queue, kind, args, subject, dead_at, failed_at, error_class, failures)
         SELECT 'vendor', 'submit_to_vendor', jsonb_build_object('v', 1, 'receipt', receipt_id), receipt_id, now(), now(),
                'vendor_refused', 1 FROM made",
    )
    .await;
    let order = json!({ "filter": { "state": "dead" }, "rate": 1, "reason": WHY });
    let (code, retry) = post(app, "retries", &order).await;
    assert_eq!(code, 202, "{retry}");
    app.sql(&format!("UPDATE jobs SET dead_at = now(), failed_at = now(), error_class = 'storage' WHERE subject = '{first}'"))
        .await;
    let (code, paused) = post(app, "queues/mail/pause", &json!({ "reason": WHY })).await;
    assert_eq!(code, 200, "{paused}");
    let job = async |kind: &str| app.count(&format!("SELECT id FROM jobs WHERE subject = '{first}' AND kind = '{kind}'")).await;
    let jobs = [job("prepare_photos").await, job("send_email").await];
    let retry = retry["id"].as_str().unwrap().to_owned();
    world.keep().await;
    (world, [first, second], jobs, retry)
}

#[tokio::test]
async fn what_operators_ask_for_is_done_once_however_often_it_breaks_off() {
    let (world, [first, second], [photos, mail], retry) = prepared().await;
    let why = || json!({ "reason": WHY });
    let post = |name: &str, path: &str, document: Value| call(name, Method::POST, path, document);
    let put = |name: &str, path: &str, document: Value| call(name, Method::PUT, path, document);
    let delete = |name: &str, path: &str| call(name, Method::DELETE, &format!("{path}?reason=over"), Value::Null);
    let start = json!({ "filter": { "state": "dead", "kind": "prepare_photos" }, "rate": 7, "reason": WHY });
    hold(
        &world,
        vec![
            post("retry_attempt", &format!("attempts/{first}/retry"), why()),
            post("decide_attempt", &format!("attempts/{second}/approve"), why()),
            // Who denies again may have other reasons, and both are kept.
            Play { again: Again::IsTwice, ..post("decide_attempt", &format!("attempts/{second}/deny"), why()) },
            post("retry_job", &format!("jobs/{photos}/retry"), why()),
            delete("drop_job", &format!("jobs/{mail}")),
            post("pause_queue", "queues/vendor/pause", why()),
            post("resume_queue", "queues/mail/resume", why()),
            put("limit_queue", "queues/vendor/limit", json!({ "rate": 5.0, "reason": WHY })),
            put("force_breaker", "breakers/software-secure", json!({ "force": "open", "reason": WHY })),
            post("start_retry", "retries", start),
            delete("cancel_retry", &format!("retries/{retry}")),
            post("grant_verification", "users/3/verifications", why()),
            post("start_erasure", "users/1/erasure", why()),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_the_platform_tells_is_kept_once_however_often_it_breaks_off() {
    let (world, ..) = prepared().await;
    let (course, usage) = (percent(samples::COURSE), percent(samples::USAGE));
    let put = |name: &str, path: &str, document: Value| call(name, Method::PUT, path, document);
    let user = json!({ "username": "u3", "email": "u3@example.com", "full_name": "Anna Novak", "country": "CZ" });
    let mut changed = samples::course();
    changed["display_name"] = json!("Another name");
    changed["verification_deadline"] = json!("2031-01-01T00:00:00Z");
    changed["embargo"] = json!({ "restricted": true, "blacklist": ["KP"] });
    hold(
        &world,
        vec![
            put("push_from_lms", "users/3", user),
            put("push_from_lms", &format!("courses/{course}"), changed),
            put("push_from_lms", &format!("users/3/enrollments/{course}"), json!({ "mode": "verified", "is_active": true })),
            put("skip_reverification", &format!("users/3/skips/{course}/{usage}"), Value::Null),
            put(
                "set_requirement",
                &format!("users/3/credit/{course}/requirements/reverification/{usage}"),
                json!({ "status": "satisfied" }),
            ),
            put("request_credit", &format!("users/3/credit/{course}/requests/u"), json!({ "status": "pending" })),
            call("start_checkpoint", Method::POST, &format!("users/3/checkpoints/{course}/{usage}/start"), Value::Null),
            put("status_mails", "settings/icrv-status-emails", json!({ "enabled": true })),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_the_platform_takes_back_is_gone_however_often_it_breaks_off() {
    let (mut world, ..) = prepared().await;
    let (course, usage) = (percent(samples::COURSE), percent(samples::USAGE));
    let requirement = format!("users/3/credit/{course}/requirements/reverification/{usage}");
    let skip = format!("users/3/skips/{course}/{usage}");
    world.app.put(&skip, &Value::Null).await;
    world.app.put(&requirement, &json!({ "status": "failed" })).await;
    world.keep().await;
    let delete = |name: &str, path: &str| call(name, Method::DELETE, path, Value::Null);
    hold(&world, vec![delete("skip_reverification", &skip), delete("set_requirement", &requirement)]).await;
}

#[tokio::test]
async fn what_learners_send_is_taken_once_however_often_it_breaks_off() {
    let (world, ..) = prepared().await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg"),
                         "course_key": samples::COURSE, "checkpoint": samples::USAGE, "full_name": "Anna Novak" });
    let submission = request("submit_photos, with a key", Again::IsOnce, move |world, base| {
        let post = world.app.client.post(format!("{base}/verify_student/submit-photos/"));
        post.bearer_auth(world.app.token(3)).header("Idempotency-Key", "a-key-of-learner-3").json(&fields)
    });
    let event = request("track_event, a page's report", Again::IsTwice, |world, base| {
        let post = world.app.client.post(format!("{base}/verify_student/events/"));
        post.bearer_auth(world.app.token(3)).json(&json!({ "name": "page", "step": "intro_step" }))
    });
    let order = request("create_order", Again::IsTwice, |world, base| {
        let fields = [("course_id", samples::COURSE), ("processor", "CyberSource2"), ("contribution", "50")];
        world.app.client.post(format!("{base}/verify_student/create_order/")).bearer_auth(world.app.token(3)).form(&fields)
    });
    hold(&world, vec![submission, event, order]).await;
}

#[tokio::test]
async fn what_the_vendor_calls_is_kept_once_however_often_it_breaks_off() {
    let (world, [_, second], ..) = prepared().await;
    let callback = request("record_callback", Again::IsOnce, move |world, base| {
        let body = json!({ "EdX-ID": second, "Result": "PASS", "Reason": "", "MessageType": "" });
        let signed = world.app.callback(&body).request().build().unwrap();
        let address = format!("{base}/verify_student/results_callback");
        world.app.client.post(address).headers(signed.headers().clone()).body(body.to_string())
    });
    hold(&world, vec![callback]).await;
}

#[tokio::test]
async fn what_the_payment_processor_says_counts_once_however_often_it_breaks_off() {
    let (mut world, ..) = prepared().await;
    let fields = paid(&world).await;
    world.keep().await;
    let payment = request("settle_payment", Again::IsOnce, move |world, base| {
        world.app.client.post(format!("{base}/shoppingcart/postpay_callback/")).form(&fields)
    });
    hold(&world, vec![payment]).await;
}

/// Learner 3 has an order on the payment page; what the processor says when it is paid.
async fn paid(world: &World) -> BTreeMap<&'static str, String> {
    let buy = world.app.client.post(format!("{}/verify_student/create_order/", world.app.url)).bearer_auth(world.app.token(3));
    let buy = buy.form(&[("course_id", samples::COURSE), ("processor", "CyberSource2"), ("contribution", "50")]);
    let bought: Value = buy.send().await.unwrap().json().await.unwrap();
    let form = &bought["payment_form_data"];
    let text = |name: &str| form[name].as_str().unwrap().to_owned();
    let mut fields = BTreeMap::from([
        ("decision", "ACCEPT".to_owned()),
        ("req_reference_number", text("reference_number")),
        ("req_amount", text("amount")),
        ("auth_amount", text("amount")),
        ("req_currency", text("currency")),
        ("req_transaction_uuid", text("transaction_uuid")),
        ("req_access_key", text("access_key")),
        ("req_profile_id", text("profile_id")),
        ("transaction_id", "4711".to_owned()),
        ("reason_code", "100".to_owned()),
        ("message", "well".to_owned()),
        ("req_bill_to_forename", "Sofia".to_owned()),
    ]);
    let names: Vec<_> = fields.keys().copied().chain(["signed_field_names"]).collect();
    fields.insert("signed_field_names", names.join(","));
    let signature = sign(&Secret::new(CYBERSOURCE_SECRET), names.iter().map(|name| (*name, fields[name].as_str())));
    fields.insert("signature", signature);
    fields
}

#[tokio::test]
async fn a_page_remembers_what_was_chosen_however_often_it_breaks_off() {
    let (world, ..) = prepared().await;
    let page = request("load_flow", Again::IsOnce, |world, base| {
        let address = format!("{base}/verify_student/start-flow/{}/?contribution=50", samples::COURSE);
        world.app.client.get(address).bearer_auth(world.app.token(3)).header("Accept", "application/json")
    });
    assert_eq!(text(&world.app, "SELECT count(*)::text FROM flow_choices").await, "0");
    hold(&world, vec![page]).await;
}
