//! The vendor's callbacks by the rules, where both formats are held to the same. `docs/callbacks.md` lists them all.

use std::collections::BTreeSet;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use vouch_cli::simulator::Script;
use vouch_tests::{
    TestApp, Wishes,
    sealed::{self, SealedCallback},
};

use crate::tidy::{root, sources};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// A vendor that accepts and never calls back, so that the test can.
async fn submitted(is_sealed: bool) -> (TestApp, String) {
    let silent = r#"{"callback": {"copies": 0}}"#;
    let open = Wishes { script: Script::parse(silent.as_bytes()).unwrap(), ..Wishes::default() };
    let app = TestApp::start_with(if is_sealed { sealed::wishes(silent) } else { open }).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    (app, receipt)
}

fn verdict(receipt: &str, result: &str) -> Value {
    json!({ "EdX-ID": receipt, "Result": result, "Reason": "", "MessageType": "said so" })
}

/// The headers and the body of a request as they would go out.
fn parts(request: RequestBuilder) -> (Vec<(String, String)>, Vec<u8>) {
    let request = request.build().unwrap();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (headers.collect(), request.body().unwrap().as_bytes().unwrap().to_vec())
}

async fn send(app: &TestApp, path: &str, headers: &[(String, String)], body: Vec<u8>) -> Response {
    let request = app.client.post(format!("{}{path}", app.url));
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).body(body).send().await.unwrap()
}

/// Sends a signed callback once for each byte of its signed parts, with one bit of it turned.
async fn flip_everywhere(app: &TestApp, path: &str, request: RequestBuilder, signed: &[&str]) -> usize {
    let (headers, body) = parts(request);
    let mut sent = 0;
    for place in 0..body.len() {
        let mut flipped = body.clone();
        flipped[place] ^= 1;
        let answer = send(app, path, &headers, flipped).await;
        assert!([400, 401].contains(&answer.status().as_u16()), "byte {place} of the body: {}", answer.status());
        sent += 1;
    }
    for (index, (name, value)) in headers.iter().enumerate().filter(|(_, (name, _))| signed.contains(&name.as_str())) {
        // The scheme is a word before what is signed; as at Open edX, nobody reads it.
        let begin = if value.starts_with("SSI ") { 4 } else { 0 };
        for place in begin..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[place] ^= 1;
            let mut flipped = headers.clone();
            flipped[index].1 = String::from_utf8(bytes).unwrap();
            let answer = send(app, path, &flipped, body.clone()).await;
            assert!([400, 401].contains(&answer.status().as_u16()), "byte {place} of {name}: {}", answer.status());
            sent += 1;
        }
    }
    sent
}

#[tokio::test]
async fn one_flipped_bit_anywhere_and_a_callback_of_software_secure_is_refused() {
    let (app, receipt) = submitted(false).await;
    let body = verdict(&receipt, "PASS");
    let callback = app.callback(&body);
    let path = "/verify_student/results_callback";
    let sent = flip_everywhere(&app, path, callback.request(), &["date", "authorization"]).await;
    assert!(sent > 150, "{sent}");
    let (headers, body) = parts(callback.request());
    for missing in ["date", "authorization"] {
        let others: Vec<_> = headers.iter().filter(|(name, _)| name != missing).cloned().collect();
        assert_eq!(send(&app, path, &others, body.clone()).await.status(), 400, "without {missing}");
    }
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 0);
    assert_eq!(callback.send().await, (200, "OK!".to_owned()));
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn one_flipped_bit_anywhere_and_a_sealed_callback_is_refused() {
    let (app, receipt) = submitted(true).await;
    let callback = SealedCallback::new(&app, "evt_1", &sealed::verdict(&receipt, "approved"));
    let signed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let sent = flip_everywhere(&app, "/callbacks/vendor", callback.request(&app, &callback.signature()), &signed).await;
    assert!(sent > 150, "{sent}");
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 0);
    assert_eq!(callback.send(&app).await.0, 202);
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

/// Everything that an answer tells.
async fn told(response: Response) -> (u16, BTreeSet<String>, String) {
    let headers = response.headers().iter().filter(|(name, _)| *name != "date").map(|header| format!("{header:?}")).collect();
    (response.status().as_u16(), headers, response.text().await.unwrap())
}

#[tokio::test]
async fn whoever_can_not_sign_learns_nothing_of_a_receipt_in_either_format() {
    let (app, receipt) = submitted(false).await;
    let mut answers = Vec::new();
    for (receipt, result) in [(receipt.as_str(), "PASS"), (UNKNOWN, "PASS"), (&receipt, "nonsense"), ("no receipt", "FAIL")] {
        let body = verdict(receipt, result);
        let mut callback = app.callback(&body);
        callback.secret = "guessed";
        answers.push(told(callback.request().send().await.unwrap()).await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 400), "{answers:?}");
    app.finish().await;
    let (app, receipt) = submitted(true).await;
    let mut answers = Vec::new();
    for (receipt, result) in
        [(receipt.as_str(), "approved"), (UNKNOWN, "approved"), (&receipt, "nonsense"), ("no receipt", "denied")]
    {
        let callback = SealedCallback::new(&app, "evt_1", &sealed::verdict(receipt, result));
        answers.push(told(callback.request(&app, "v1,AAAA").send().await.unwrap()).await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 401), "{answers:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_callback_of_software_secure_may_have_64_kib_and_not_a_byte_more() {
    let (app, receipt) = submitted(false).await;
    let body = verdict(&receipt, "PASS");
    let mut callback = app.callback(&body);
    let room = 64 * 1024 - callback.body.len();
    callback.body.push_str(&" ".repeat(room + 1));
    assert_eq!(callback.send().await.0, 413);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let chunked = callback.request().body(reqwest::Body::wrap_stream(endless)).send().await;
    // The server hangs up in the middle, and a client may or may not have heard the answer by then.
    assert!(chunked.is_err() || chunked.unwrap().status() == 413);
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 0);
    callback.body.pop();
    assert_eq!(callback.send().await, (200, "OK!".to_owned()));
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn what_could_be_signed_for_two_bodies_is_taken_for_neither() {
    let (app, receipt) = submitted(false).await;
    // In the string that is signed each line is a member: these say what another body would.
    for (name, value) in [
        ("MessageType", json!("x\nReason:\nResult:PASS")),
        ("Reason", json!("x\nResult:PASS")),
        ("Reason", json!([{ "generalReasons": ["x\nResult:PASS"] }])),
        ("Reason", json!({ "a\nResult": "PASS" })),
        ("Zeta\nResult", json!("PASS")),
        ("MessageType", json!("x\r\nResult:PASS")),
        ("MessageType", json!(null)),
        ("MessageType", json!(true)),
        ("MessageType", json!(1.5)),
    ] {
        let mut body = verdict(&receipt, "FAIL");
        body[name] = value;
        assert_eq!(app.callback(&body).send().await, (400, "Signature is invalid".to_owned()), "{body}");
    }
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 0);
    assert_eq!(app.attempt(&receipt).await["status"], "submitted");
    app.finish().await;
}

#[test]
fn every_rule_of_callbacks_names_a_test_that_is_there() {
    let page = std::fs::read_to_string(root().join("docs/callbacks.md")).unwrap();
    let mut code = String::new();
    for folder in ["tests/it", "common/src", "api/src"] {
        for file in sources(folder) {
            code.push_str(&std::fs::read_to_string(file).unwrap());
        }
    }
    for rule in 1..=21 {
        let row =
            page.lines().find(|line| line.starts_with(&format!("| {rule} |"))).unwrap_or_else(|| panic!("no row of {rule}"));
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() || shown.contains("not built"), "rule {rule} is shown by nothing");
        for name in names {
            assert!(code.contains(&format!("fn {name}()")), "rule {rule}: there is no test {name}");
        }
    }
}
