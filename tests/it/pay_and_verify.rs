//! The way from an enrolment to a verified certificate, as its pages tell it over HTTP.

use chrono::{SecondsFormat, TimeDelta};
use reqwest::Response;
use serde_json::{Value, json};
use vouch_tests::{TestApp, Wishes, percent, samples::COURSE};

const LEARNER: i64 = 7;
const PAGES: [&str; 6] = ["start-flow", "begin-flow", "upgrade", "verify-now", "verify-later", "payment-confirmation"];
const PAYMENT: [&str; 2] = ["make-payment-step", "payment-confirmation-step"];
const VERIFICATION: [&str; 4] = ["face-photo-step", "id-photo-step", "review-photos-step", "enrollment-confirmation-step"];

/// A learner in a course with these modes.
async fn world(modes: &[(&str, i64)]) -> TestApp {
    let app = TestApp::without_worker().await;
    app.put_user(LEARNER, "Sofia <b>Marek</b>").await;
    push(&app, &json!({ "modes": modes_of(modes) })).await;
    app
}

fn modes_of(modes: &[(&str, i64)]) -> Value {
    modes.iter().map(|(slug, price)| json!({ "slug": slug, "min_price": price })).collect()
}

async fn push(app: &TestApp, more: &Value) {
    let mut document = json!({ "display_name": "Demo <course>" });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.put(&format!("courses/{}", percent(COURSE)), &document).await;
}

async fn enroll(app: &TestApp, mode: &str, is_active: bool) {
    let path = format!("users/{LEARNER}/enrollments/{}", percent(COURSE));
    app.put(&path, &json!({ "mode": mode, "is_active": is_active })).await;
}

/// Gives the learner an attempt of that status, created that many days ago.
async fn attempt(app: &TestApp, status: &str, days_ago: i64) {
    let at = (app.now() - TimeDelta::days(days_ago)).to_rfc3339();
    app.sql(&format!(
        "INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
         VALUES (gen_random_uuid(), {LEARNER}, '{status}', 'x', '{at}', '{at}')"
    ))
    .await;
}

async fn visit(app: &TestApp, path: &str) -> Response {
    let request = app.client.get(format!("{}{path}", app.url)).bearer_auth(app.token(LEARNER));
    request.header("accept", "application/json").send().await.unwrap()
}

async fn page(app: &TestApp, page: &str) -> Value {
    let answer = visit(app, &format!("/verify_student/{page}/{COURSE}/")).await;
    assert_eq!(answer.status(), 200, "{page}");
    answer.json().await.unwrap()
}

async fn redirect(app: &TestApp, page: &str) -> String {
    let answer = visit(app, &format!("/verify_student/{page}/{COURSE}/")).await;
    assert_eq!(answer.status(), 302, "{page}: {}", answer.text().await.unwrap());
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn steps(page: &Value) -> Vec<&str> {
    page["display_steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect()
}

fn all_steps() -> Vec<&'static str> {
    PAYMENT.into_iter().chain(VERIFICATION).collect()
}

fn needs(page: &Value) -> (bool, bool, bool) {
    let of = |name: &str| page["requirements"][name].as_bool().unwrap();
    (of("account-activation-required"), of("photo-id-required"), of("webcam-required"))
}

#[tokio::test]
async fn who_is_not_verified_pays_and_then_verifies() {
    for slug in ["verified", "professional"] {
        let app = world(&[("audit", 0), (slug, 12)]).await;
        enroll(&app, "audit", true).await;
        for (name, is_ab) in [("start-flow", false), ("begin-flow", true)] {
            let shown = page(&app, name).await;
            assert_eq!(shown["page"], "pay-and-verify");
            assert_eq!(shown["course_mode_slug"], slug);
            assert_eq!(steps(&shown), all_steps());
            assert_eq!(shown["current_step"], "make-payment-step");
            assert_eq!(shown["msg_key"], "first-time-verify");
            assert_eq!(needs(&shown), (false, true, true));
            assert_eq!((&shown["attempting_upgrade"], &shown["is_ab_testing"]), (&json!(false), &json!(is_ab)));
            assert_eq!(shown["course_mode_min_price"], 12);
            assert_eq!(shown["full_name"], "Sofia <b>Marek</b>");
        }
        app.finish().await;
    }
}

#[tokio::test]
async fn who_is_verified_or_waits_only_pays() {
    for status in ["created", "ready", "submitted", "must_retry", "approved"] {
        let app = world(&[("verified", 12)]).await;
        enroll(&app, "audit", true).await;
        attempt(&app, status, 1).await;
        for name in ["start-flow", "begin-flow", "upgrade"] {
            let shown = page(&app, name).await;
            assert_eq!(steps(&shown), PAYMENT, "{status}");
            assert_eq!(shown["already_verified"], true);
            assert_eq!(needs(&shown), (false, false, false));
            let good_until = (app.now() + TimeDelta::days(364)).format("%m/%d/%Y").to_string();
            assert_eq!(shown["verification_good_until"], good_until);
        }
        app.finish().await;
    }
}

#[tokio::test]
async fn who_was_denied_or_has_expired_verifies_again() {
    for (status, days_ago) in [("denied", 1), ("approved", 366)] {
        let app = world(&[("verified", 12)]).await;
        attempt(&app, status, days_ago).await;
        let shown = page(&app, "start-flow").await;
        assert_eq!(steps(&shown), all_steps(), "{status}");
        assert_eq!(shown["verification_good_until"], "");
        app.finish().await;
    }
}

#[tokio::test]
async fn a_mode_that_asks_for_no_id_needs_nothing() {
    let app = world(&[("no-id-professional", 12), ("professional", 20)]).await;
    let shown = page(&app, "begin-flow").await;
    assert_eq!((steps(&shown), needs(&shown)), (PAYMENT.to_vec(), (false, false, false)));
    app.finish().await;
}

#[tokio::test]
async fn who_has_paid_sees_the_intro_and_may_skip_it() {
    let app = world(&[("verified", 12)]).await;
    enroll(&app, "verified", true).await;
    for name in ["start-flow", "begin-flow", "verify-later"] {
        let shown = page(&app, name).await;
        assert_eq!(steps(&shown)[0], "intro-step");
        assert_eq!(shown["current_step"], "intro-step");
        let skipped = visit(&app, &format!("/verify_student/{name}/{COURSE}/?skip-first-step=1")).await;
        assert_eq!(skipped.json::<Value>().await.unwrap()["current_step"], "face-photo-step");
    }
    app.finish().await;
}

#[tokio::test]
async fn verify_now_opens_at_the_face_and_the_confirmation_at_the_receipt() {
    let app = world(&[("verified", 12)]).await;
    enroll(&app, "verified", true).await;
    for (name, current) in [("verify-now", "face-photo-step"), ("payment-confirmation", "payment-confirmation-step")] {
        let shown = page(&app, name).await;
        assert_eq!((steps(&shown), &shown["current_step"]), (all_steps(), &json!(current)));
        assert_eq!(shown["msg_key"], name);
    }
    attempt(&app, "submitted", 0).await;
    let done = visit(&app, &format!("/verify_student/payment-confirmation/{COURSE}/?skip-first-step=1")).await;
    let done: Value = done.json().await.unwrap();
    assert_eq!((steps(&done), &done["current_step"]), (PAYMENT.to_vec(), &json!("payment-confirmation-step")));
    app.finish().await;
}

#[tokio::test]
async fn learners_are_sent_to_where_they_belong() {
    let app = world(&[("audit", 0), ("verified", 12)]).await;
    let to = |page: &str| format!("/verify_student/{page}/{COURSE}/");
    for name in ["verify-now", "verify-later", "payment-confirmation", "upgrade"] {
        assert_eq!(redirect(&app, name).await, to("start-flow"), "not enrolled");
    }
    enroll(&app, "audit", true).await;
    for name in ["verify-now", "verify-later", "payment-confirmation"] {
        assert_eq!(redirect(&app, name).await, to("upgrade"), "not paid");
    }
    assert_eq!(page(&app, "upgrade").await["attempting_upgrade"], true);
    assert_eq!(app.count("SELECT count(*) FROM flow_choices WHERE is_upgrade").await, 1);
    enroll(&app, "verified", true).await;
    assert_eq!(redirect(&app, "upgrade").await, to("verify-now"), "paid");
    attempt(&app, "submitted", 0).await;
    for name in ["start-flow", "begin-flow", "upgrade", "verify-now", "verify-later"] {
        assert_eq!(redirect(&app, name).await, "/dashboard", "paid and verified");
    }
    enroll(&app, "verified", false).await;
    assert_eq!(steps(&page(&app, "start-flow").await), PAYMENT, "enrolled no more");
    app.finish().await;
}

#[tokio::test]
async fn a_course_that_sells_nothing_has_no_such_page() {
    for modes in [&[][..], &[("honor", 0)], &[("honor", 0), ("audit", 0)], &[("credit", 100)]] {
        let app = world(modes).await;
        enroll(&app, "audit", true).await;
        for name in PAGES {
            assert_eq!(visit(&app, &format!("/verify_student/{name}/{COURSE}/")).await.status(), 404, "{modes:?}");
        }
        app.finish().await;
    }
}

#[tokio::test]
async fn unknown_courses_and_broken_keys_are_not_found() {
    let app = world(&[("verified", 12)]).await;
    for name in PAGES {
        for key in ["course-v1:no+such+course", "no/such/course", "nonsense", "a/b/c/d", "%FF/b/c", "a/b/"] {
            let answer = visit(&app, &format!("/verify_student/{name}/{key}/")).await;
            assert_eq!(answer.status(), 404, "{name} {key}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn nobody_signed_in_is_sent_to_sign_in_and_back() {
    let app = world(&[("verified", 12)]).await;
    for name in PAGES {
        let path = format!("/verify_student/{name}/{COURSE}/?skip-first-step=1");
        let answer = app.client.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        let location = answer.headers()["location"].to_str().unwrap();
        let url = url::Url::parse("http://x").unwrap().join(location).unwrap();
        assert_eq!(url.path(), "/login");
        assert_eq!(url.query_pairs().next().unwrap(), ("next".into(), path.into()));
        let posted = app.client.post(format!("{}/verify_student/{name}/{COURSE}/", app.url)).send().await.unwrap();
        assert_eq!(posted.status(), 405, "the method is looked at first");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_missed_deadline_has_its_page() {
    let app = world(&[("audit", 0)]).await;
    let past = app.now() - TimeDelta::days(360);
    let text = past.format("%b %d, %Y at %H:%M UTC").to_string();
    let stamp = past.to_rfc3339_opts(SecondsFormat::Secs, true);
    push(
        &app,
        &json!({ "modes": [{ "slug": "verified", "min_price": 12, "expires_at": stamp }, { "slug": "credit", "min_price": 5 }] }),
    )
    .await;
    enroll(&app, "audit", true).await;
    for name in ["start-flow", "upgrade"] {
        let missed = page(&app, name).await;
        assert_eq!(
            (&missed["page"], &missed["kind"], &missed["deadline"]),
            (&json!("missed-deadline"), &json!("upgrade"), &json!(text))
        );
        assert_eq!(missed["title"], "Upgrade Deadline Has Passed");
    }
    enroll(&app, "verified", true).await;
    assert_eq!(page(&app, "verify-now").await["course_mode_slug"], "verified", "who has paid may still verify");
    push(&app, &json!({ "verification_deadline": stamp })).await;
    for name in PAGES {
        let missed = page(&app, name).await;
        assert_eq!((&missed["kind"], &missed["title"]), (&json!("verification"), &json!("Verification Deadline Has Passed")));
    }
    let to_come = app.now() + TimeDelta::days(5);
    push(&app, &json!({ "verification_deadline": to_come.to_rfc3339() })).await;
    let shown = page(&app, "verify-now").await;
    assert_eq!(shown["verification_deadline"], to_come.format("%b %d, %Y at %H:%M UTC").to_string());
    app.finish().await;
}

#[tokio::test]
async fn courseware_is_linked_once_the_course_has_started() {
    let app = world(&[("verified", 12)]).await;
    enroll(&app, "verified", true).await;
    let link = format!("/courses/{COURSE}/");
    assert_eq!(page(&app, "verify-now").await["courseware_url"], link);
    for (days, expected) in [(-1, link.as_str()), (1, "")] {
        push(&app, &json!({ "start": (app.now() + TimeDelta::days(days)).to_rfc3339() })).await;
        assert_eq!(page(&app, "verify-now").await["courseware_url"], expected);
    }
    app.finish().await;
}

#[tokio::test]
async fn an_amount_is_remembered_for_its_course_alone() {
    let app = world(&[("verified", 12)]).await;
    app.put("courses/edX%2FOther%2FRun", &json!({ "display_name": "Other", "modes": modes_of(&[("verified", 5)]) })).await;
    assert_eq!(page(&app, "start-flow").await["contribution_amount"], "");
    visit(&app, &format!("/verify_student/start-flow/{COURSE}/?contribution=20")).await;
    assert_eq!(page(&app, "begin-flow").await["contribution_amount"], "20");
    let other: Value = visit(&app, "/verify_student/start-flow/edX/Other/Run/").await.json().await.unwrap();
    assert_eq!(other["contribution_amount"], "");
    app.finish().await;
}

#[tokio::test]
async fn an_inactive_account_must_be_activated_first() {
    let app = world(&[("verified", 12)]).await;
    let document = json!({ "username": "u", "email": "u@example.com", "full_name": "U", "is_active": false });
    app.put(&format!("users/{LEARNER}"), &document).await;
    let shown = page(&app, "start-flow").await;
    assert_eq!((needs(&shown), &shown["is_active"]), ((true, true, true), &json!(false)));
    app.finish().await;
}

#[tokio::test]
async fn a_checkpoint_in_the_address_is_told() {
    let app = world(&[("verified", 12)]).await;
    assert!(page(&app, "start-flow").await.get("checkpoint_location").is_none());
    let answer = visit(&app, &format!("/verify_student/start-flow/{COURSE}/?checkpoint=i4x%3A%2F%2Fa%2Fb%2Fc%2Fd")).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["checkpoint_location"], "i4x://a/b/c/d");
    app.finish().await;
}

#[tokio::test]
async fn who_comes_back_without_having_paid_is_told_so() {
    let app = world(&[("verified", 12)]).await;
    for payment in ["declined", "cancelled"] {
        let path = format!("/verify_student/start-flow/{COURSE}/?payment={payment}");
        assert_eq!(visit(&app, &path).await.json::<Value>().await.unwrap()["payment"], payment);
        let html = app.client.get(format!("{}{path}", app.url)).bearer_auth(app.token(LEARNER)).send().await.unwrap();
        let charged = if payment == "declined" { "you have not been charged" } else { "Nothing was charged" };
        assert!(html.text().await.unwrap().contains(charged));
    }
    let odd = visit(&app, &format!("/verify_student/start-flow/{COURSE}/?payment=%3Cb%3E")).await;
    assert!(odd.json::<Value>().await.unwrap().get("payment").is_none());
    app.finish().await;
}

#[tokio::test]
async fn learners_pay_in_the_shop_when_the_course_is_sold_there() {
    let settings = vec![
        ("VOUCH_CHECKOUT_ON_ECOMMERCE", "true".to_owned()),
        ("VOUCH_ECOMMERCE_PUBLIC_URL", "https://shop.example.com".to_owned()),
    ];
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(LEARNER, "Sofia Marek").await;
    push(&app, &json!({ "modes": [{ "slug": "verified", "min_price": 12, "sku": "TEST" }] })).await;
    for name in ["start-flow", "begin-flow", "upgrade"] {
        assert_eq!(redirect(&app, name).await, "https://shop.example.com/basket/single-item/?sku=TEST");
    }
    enroll(&app, "verified", true).await;
    assert_eq!(page(&app, "start-flow").await["current_step"], "intro-step", "who has paid is not sent to the shop");
    push(&app, &json!({ "modes": modes_of(&[("verified", 12)]) })).await;
    enroll(&app, "audit", true).await;
    assert_eq!(page(&app, "start-flow").await["current_step"], "make-payment-step", "what has no SKU is not sold there");
    app.finish().await;
}

#[tokio::test]
async fn country_rules_hold_when_they_are_on() {
    let on = vec![("VOUCH_EMBARGO", "true".to_owned())];
    let app = TestApp::start_with(Wishes { settings: on, is_without_worker: true, ..Wishes::default() }).await;
    let live_in = async |country: Option<&str>| {
        let document = json!({ "username": "u", "email": "u@example.com", "full_name": "U", "country": country });
        app.put(&format!("users/{LEARNER}"), &document).await;
    };
    live_in(Some("IR")).await;
    let rules = |restricted: bool| json!({ "restricted": restricted, "message_key": "embargo", "blacklist": ["ir"] });
    push(&app, &json!({ "modes": modes_of(&[("verified", 12)]), "embargo": rules(true) })).await;
    for name in ["start-flow", "begin-flow"] {
        assert_eq!(redirect(&app, name).await, "/embargo/blocked-message/enrollment/embargo/");
    }
    let message = visit(&app, "/embargo/blocked-message/enrollment/embargo/").await;
    assert_eq!(message.json::<Value>().await.unwrap()["page"], "embargo-blocked");
    for country in [Some("AT"), None] {
        live_in(country).await;
        page(&app, "start-flow").await;
    }
    live_in(Some("IR")).await;
    push(&app, &json!({ "embargo": rules(false) })).await;
    page(&app, "start-flow").await;
    app.finish().await;
}

#[tokio::test]
async fn the_country_of_the_address_counts_before_that_of_the_profile() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vouch_tests::places::country_file("IR")).unwrap();
    let settings = vec![("VOUCH_EMBARGO", "true".to_owned()), ("VOUCH_GEOIP_DB", file.path().to_str().unwrap().to_owned())];
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(LEARNER, "Sofia Marek").await;
    let only = |country: &str| json!({ "embargo": { "restricted": true, "whitelist": [country] } });
    push(&app, &json!({ "modes": modes_of(&[("verified", 12)]) })).await;
    let from = async |address: &str| {
        let request = app.client.get(format!("{}/verify_student/start-flow/{COURSE}/", app.url)).bearer_auth(app.token(LEARNER));
        request.header("accept", "application/json").header("x-forwarded-for", address).send().await.unwrap().status().as_u16()
    };
    push(&app, &only("AT")).await;
    for (address, status) in
        [("8.8.8.8", 302), ("10.0.0.1, 8.8.8.8, 200.1.1.1", 302), ("200.1.1.1", 200), ("nonsense", 200), ("", 200)]
    {
        assert_eq!(from(address).await, status, "{address}");
    }
    push(&app, &only("ir")).await;
    assert_eq!(from("8.8.8.8").await, 200);
    app.finish().await;
}

#[tokio::test]
async fn an_address_without_its_last_slash_is_put_right() {
    let app = world(&[("verified", 12)]).await;
    let answer = visit(&app, &format!("/verify_student/start-flow/{COURSE}?x=1")).await;
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.headers()["location"], format!("/verify_student/start-flow/{COURSE}/?x=1"));
    app.finish().await;
}
