//! `POST /callbacks/vendor`, over real HTTP: every rule, in its order.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vouch_common::{secret::Secret, vendor::sealed::webhook::parse_secret};
use vouch_tests::{
    FORMER_SECRET, TestApp, Wishes, answer,
    sealed::{self, SealedCallback, verdict},
};

const ACCEPTED: (u16, &str) = (202, "Accepted.");
const UNAUTHORIZED: (u16, &str) = (401, "Unauthorized.");
const NOT_READABLE: (u16, &str) = (400, "The body is not a JSON object, repeats a key, or nests too deeply.");

/// A vendor that accepts and never calls back, so that the test can.
fn silent() -> Wishes {
    sealed::wishes(r#"{"callback": {"copies": 0}}"#)
}

async fn submitted() -> (TestApp, String) {
    let app = TestApp::start_with(silent()).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    (app, receipt)
}

fn is(answer: &(u16, String), expected: (u16, &str)) -> bool {
    (answer.0, answer.1.as_str()) == expected
}

async fn send_as(callback: &SealedCallback, app: &TestApp, signature: &str) -> (u16, String) {
    answer(callback.request(app, signature).send().await.unwrap()).await
}

async fn kept(app: &TestApp) -> i64 {
    app.count("SELECT count(*) FROM vendor_callbacks").await
}

#[tokio::test]
async fn only_a_post_of_json_of_bounded_size_is_looked_at() {
    let (app, receipt) = submitted().await;
    let callback = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved"));
    let got = app.client.get(format!("{}/callbacks/vendor", app.url)).send().await.unwrap();
    assert_eq!(got.status(), 405);
    for content_type in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "json", ""] {
        let request = app.client.post(format!("{}/callbacks/vendor", app.url)).body(callback.body.clone());
        let request = request.header("content-type", content_type).header("webhook-id", "evt_1");
        assert_eq!(request.send().await.unwrap().status(), 415, "{content_type}");
    }
    let mut long = callback.clone();
    long.body = [callback.body.as_slice(), &vec![b' '; 64 * 1024 - callback.body.len()]].concat();
    assert!(is(&long.send(&app).await, ACCEPTED), "64 KiB are taken");
    long.body.push(b' ');
    assert_eq!(long.send(&app).await.0, 413);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let request = callback.request(&app, &callback.signature()).body(reqwest::Body::wrap_stream(endless));
    let chunked = request.send().await;
    assert!(chunked.is_err() || chunked.unwrap().status() == 413);
    app.wait_for_status(&receipt, "approved").await;
    let mut charset = SealedCallback::new(&app, "evt_2", &verdict(&receipt, "approved"));
    charset.body.extend(b"\n ");
    let request = app.client.post(format!("{}/callbacks/vendor", app.url)).body(charset.body.clone());
    let request = request.header("content-type", "Application/JSON; charset=utf-8").header("webhook-id", "evt_2");
    let request = request.header("webhook-timestamp", &charset.timestamp).header("webhook-signature", charset.signature());
    assert_eq!(request.send().await.unwrap().status(), 202);
    app.finish().await;
}

#[tokio::test]
async fn whoever_can_not_sign_gets_one_answer_whatever_is_wrong_and_nothing_is_kept() {
    let (app, receipt) = submitted().await;
    let good = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved"));
    let signature = good.signature();
    let with = |change: &dyn Fn(&mut SealedCallback)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let at = |seconds: i64| (app.now().timestamp() + seconds).to_string();
    // What was changed after it was signed.
    for changed in [
        with(&|callback| callback.body[5] ^= 1),
        with(&|callback| callback.body.push(b' ')),
        with(&|callback| callback.id.push('x')),
        with(&|callback| callback.timestamp = at(1)),
        with(&|callback| callback.body = verdict("00000000-0000-4000-8000-000000000000", "approved").to_string().into_bytes()),
    ] {
        assert!(is(&send_as(&changed, &app, &signature).await, UNAUTHORIZED));
    }
    // What was signed, but wrongly.
    for changed in [
        with(&|callback| callback.secret = Secret::new("guessed")),
        with(&|callback| callback.secret = Secret::new("")),
        with(&|callback| callback.timestamp = at(-301)),
        with(&|callback| callback.timestamp = at(301)),
        with(&|callback| callback.timestamp = at(0) + ".0"),
        with(&|callback| callback.timestamp = format!("+{}", at(0))),
        with(&|callback| callback.timestamp = String::new()),
        with(&|callback| callback.id = "evt.1".to_owned()),
        with(&|callback| callback.id = String::new()),
        with(&|callback| callback.id = "x".repeat(256)),
        // Not even a broken body shows before the signature is right.
        with(&|callback| (callback.body, callback.secret) = (b"no json".to_vec(), Secret::new("guessed"))),
    ] {
        assert!(is(&changed.send(&app).await, UNAUTHORIZED), "{} {}", changed.id, changed.timestamp);
    }
    for odd in ["", "v1,", "v2,x", signature.trim_start_matches("v1,"), &signature.to_uppercase(), "v1,AAAA v1a,AAAA"] {
        assert!(is(&send_as(&good, &app, odd).await, UNAUTHORIZED), "{odd}");
    }
    let headers = [("webhook-id", good.id.as_str()), ("webhook-timestamp", &good.timestamp), ("webhook-signature", &signature)];
    for (place, (name, value)) in headers.iter().enumerate() {
        let others = headers.iter().enumerate().filter(|(other, _)| *other != place);
        let lacking = others.fold(good.bare(&app), |request, (_, (name, value))| request.header(*name, *value));
        assert!(is(&answer(lacking.send().await.unwrap()).await, UNAUTHORIZED), "without {name}");
        let twice = good.request(&app, &signature).header(*name, *value);
        assert!(is(&answer(twice.send().await.unwrap()).await, UNAUTHORIZED), "{name} twice");
    }
    assert_eq!(kept(&app).await, 0);
    assert_eq!(app.attempt(&receipt).await["status"], "submitted");
    app.finish().await;
}

#[tokio::test]
async fn one_good_signature_among_several_is_enough_and_the_former_secret_still_signs() {
    let (app, receipt) = submitted().await;
    let good = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "nonsense"));
    let foreign = SealedCallback { secret: Secret::new([1; 32]), ..good.clone() }.signature();
    assert!(is(&send_as(&good, &app, &format!("{foreign} {}", good.signature())).await, ACCEPTED));
    assert!(is(&send_as(&good, &app, &format!("v1a,AAAA {} {foreign}", good.signature())).await, ACCEPTED));
    let mut former = SealedCallback::new(&app, "evt_2", &verdict(&receipt, "approved"));
    former.secret = parse_secret(FORMER_SECRET).unwrap();
    assert!(is(&former.send(&app).await, ACCEPTED));
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn times_up_to_five_minutes_off_are_taken_both_ways() {
    let (app, receipt) = submitted().await;
    for (seconds, id) in [(-300, "evt_1"), (300, "evt_2")] {
        let mut callback = SealedCallback::new(&app, id, &verdict(&receipt, "approved"));
        callback.timestamp = (app.now().timestamp() + seconds).to_string();
        assert!(is(&callback.send(&app).await, ACCEPTED), "{seconds}");
    }
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn a_signed_body_that_is_no_strict_json_object_is_refused() {
    let (app, receipt) = submitted().await;
    let twice = format!(r#"{{"receipt_id":"{receipt}","result":"denied","result":"approved"}}"#);
    let deep = format!(r#"{{"receipt_id":"{receipt}","result":"approved","x":{}{}}}"#, "[".repeat(16), "]".repeat(16));
    for body in ["", "no json", "[]", "\"text\"", "{\"a\":1} x", &twice, &deep] {
        let mut callback = SealedCallback::new(&app, "evt_1", &json!({}));
        callback.body = body.as_bytes().to_vec();
        let refused = callback.send(&app).await;
        assert!(is(&refused, NOT_READABLE), "{body}: {refused:?}");
    }
    assert_eq!(kept(&app).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn fifty_repeats_at_once_make_one_transition_and_one_mail() {
    let (app, receipt) = submitted().await;
    let callback = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved"));
    let requests: Vec<_> = (0..50).map(|_| tokio::spawn(callback.request(&app, &callback.signature()).send())).collect();
    for request in requests {
        assert!(is(&answer(request.await.unwrap().unwrap()).await, ACCEPTED));
    }
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    // The vendor's later tries have another moment and signature, and the same name.
    app.clock.advance(chrono::TimeDelta::hours(20));
    let later = SealedCallback { timestamp: app.now().timestamp().to_string(), ..callback };
    assert!(is(&later.send(&app).await, ACCEPTED));
    assert_eq!(kept(&app).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE to_status = 'approved'").await, 1);
    assert_eq!(app.mail.mails().iter().filter(|mail| mail.subject.contains("approved")).count(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_name_that_comes_back_with_another_body_is_answered_alike_and_not_applied() {
    let (app, receipt) = submitted().await;
    let parked = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "later"));
    assert!(is(&parked.send(&app).await, ACCEPTED));
    let other = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved"));
    assert!(is(&other.send(&app).await, ACCEPTED));
    app.wait_until_idle().await;
    assert_eq!(app.attempt(&receipt).await["status"], "submitted");
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'unknown_result'").await, 1);
    assert_eq!(kept(&app).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn known_and_unknown_receipts_and_results_are_answered_alike_to_the_last_header() {
    let (app, receipt) = submitted().await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let mut answers = Vec::new();
    for (place, body) in [
        verdict(&receipt, "nonsense"),
        verdict(&receipt, "approved"),
        verdict(&receipt, "PASS"),
        verdict(unknown, "approved"),
        verdict(unknown, "nonsense"),
        verdict("no receipt at all", "approved"),
        json!({ "result": "approved" }),
        json!({ "receipt_id": 7, "result": 8, "reasons": 9, "decided_at": 10, "code": [] }),
        json!({}),
    ]
    .iter()
    .enumerate()
    {
        let callback = SealedCallback::new(&app, &format!("evt_{place}"), body);
        let response = callback.request(&app, &callback.signature()).send().await.unwrap();
        let mut headers: Vec<_> = response.headers().iter().filter(|(name, _)| *name != "date").collect();
        headers.sort_by_key(|(name, _)| name.as_str());
        let headers = format!("{headers:?}");
        answers.push((response.status().as_u16(), headers, response.text().await.unwrap()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 202), "{answers:?}");
    app.wait_for_status(&receipt, "approved").await;
    let outcomes = "SELECT string_agg(outcome, ' ' ORDER BY id) FROM vendor_callbacks";
    app.wait_until_idle().await;
    let outcomes: String = sqlx::query_scalar(outcomes).fetch_one(&app.db).await.unwrap();
    assert_eq!(outcomes, "unknown_result applied unknown_result orphan orphan orphan orphan orphan orphan");
    app.finish().await;
}

#[tokio::test]
async fn without_the_database_the_vendor_is_asked_to_call_again_and_a_fault_of_ours_is_no_success() {
    let mut wishes = Wishes { is_without_worker: true, ..silent() };
    wishes.settings.push(("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing".to_owned()));
    let app = TestApp::start_with(wishes).await;
    let callback = SealedCallback::new(&app, "evt_1", &verdict("00000000-0000-4000-8000-000000000000", "approved"));
    let away = callback.request(&app, &callback.signature()).send().await.unwrap();
    assert_eq!((away.status().as_u16(), away.headers().contains_key("retry-after")), (503, true));
    let (app, receipt) = submitted().await;
    app.sql("ALTER TABLE vendor_callbacks RENAME TO away").await;
    let failed = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved")).send(&app).await;
    assert_eq!(failed.0, 500);
}

#[tokio::test]
async fn a_deployment_serves_the_callbacks_of_its_own_format_only() {
    let (app, receipt) = submitted().await;
    let old = app.callback(&json!({ "EdX-ID": receipt, "Result": "PASS", "Reason": "", "MessageType": "" }));
    assert_eq!(old.send().await.0, 404);
    app.finish().await;
    let other = TestApp::without_worker().await;
    assert_eq!(SealedCallback::new(&other, "evt_1", &json!({})).send(&other).await.0, 404);
}

#[tokio::test]
async fn a_caller_who_never_ends_holds_up_nobody() {
    let (app, receipt) = submitted().await;
    let mut slow = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head =
        "POST /callbacks/vendor HTTP/1.1\r\nhost: vouch\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    assert!(is(&SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved")).send(&app).await, ACCEPTED));
    app.wait_for_status(&receipt, "approved").await;
    let mut heard = [0; 12];
    slow.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 408");
    app.finish().await;
}

#[tokio::test]
async fn the_simulated_vendor_forges_in_every_way_and_nothing_is_applied() {
    for forgery in ["wrong_secret", "flipped_bit", "stale_date", "wrong_access_key"] {
        let app = TestApp::start_with(sealed::wishes(&json!({ "callback": { "forgery": forgery } }).to_string())).await;
        let receipt = app.submit(7, "Sofia Marek", json!({})).await;
        let journal = app.vendor.journal();
        let entries = journal.wait_until(|entries| entries.len() >= 2).await;
        assert_eq!(entries[1].event.http_status, Some(401), "{forgery}");
        app.wait_for_status(&receipt, "submitted").await;
        assert_eq!(kept(&app).await, 0);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_kept_callback_says_nothing_in_the_clear() {
    let (app, receipt) = submitted().await;
    let mut body: Value = verdict(&receipt, "denied");
    body["code"] = json!("Zyxwv Marker");
    assert!(is(&SealedCallback::new(&app, "evt_1", &body).send(&app).await, ACCEPTED));
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT body_sealed FROM vendor_callbacks").fetch_one(&app.db).await.unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"Zyxwv"));
    app.wait_for_status(&receipt, "denied").await;
    app.finish().await;
}
