//! How much one caller may take, seen from outside, on real sockets.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vouch_common::{config::Program, telemetry::numbers::Numbers};
use vouch_tests::{API_KEY, TestApp, Wishes, samples, sealed, sealed::SealedCallback, wait_for};

use super::everything;
use crate::console::key;

async fn limited(settings: &[(&'static str, &str)]) -> TestApp {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await
}

async fn get(app: &TestApp, path: &str, key: &str) -> Response {
    app.client.get(format!("{}{path}", app.url)).bearer_auth(key).send().await.unwrap()
}

fn waits(answer: &Response) -> u64 {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_key_that_has_had_enough_is_told_when_to_come_again_and_another_key_is_served() {
    let app = limited(&[("VOUCH_RATE_KEY", "3/1h")]).await;
    let [mine, yours] = [key(&app, "mine", "admin").await, key(&app, "yours", "admin").await];
    for _ in 0..3 {
        assert_eq!(get(&app, "/api/v1/me", &mine).await.status(), 200);
    }
    let refused = get(&app, "/api/v1/queues", &mine).await;
    assert!((1..=3600).contains(&waits(&refused)));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.json::<Value>().await.unwrap()["status"], 429);
    let before = everything(&app).await;
    let document = json!({ "username": "u9", "email": "u9@example.com", "full_name": "N" });
    let pushed = app.client.put(format!("{}/api/v1/users/9", app.url)).bearer_auth(&mine).json(&document).send().await.unwrap();
    waits(&pushed);
    assert!(everything(&app).await == before);
    assert_eq!(get(&app, "/api/v1/me", &yours).await.status(), 200);
}

#[tokio::test]
async fn a_learner_who_has_had_enough_waits_and_others_do_not() {
    let app = limited(&[("VOUCH_RATE_LEARNER", "4/1h"), ("VOUCH_RATE_SUBMISSIONS", "1/1h")]).await;
    app.submit(7, "Sofia Marek", json!({})).await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let again = app.submission(7, &fields).send().await.unwrap();
    assert!((1..=3600).contains(&waits(&again)));
    assert!(again.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 1);
    app.submit(8, "Ann Else", json!({})).await;
    let status = async || get(&app, "/verify_student/status/", &app.token(7)).await;
    for _ in 0..2 {
        assert_eq!(status().await.status(), 200);
    }
    waits(&status().await);
    assert_eq!(get(&app, "/verify_student/status/", &app.token(8)).await.status(), 200);
}

#[tokio::test]
async fn a_submission_that_could_not_be_taken_is_not_counted() {
    let app = limited(&[("VOUCH_RATE_SUBMISSIONS", "1/1h")]).await;
    app.put_user(7, "Sofia Marek").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let submit = async || app.submission(7, &fields).send().await.unwrap();
    // The storage is away: where its folder should be is none.
    let uploads = app.folder.path().join("uploads");
    std::fs::write(&uploads, "no folder").unwrap();
    for _ in 0..3 {
        assert_eq!(submit().await.status(), 503);
    }
    std::fs::remove_file(&uploads).unwrap();
    assert_eq!(submit().await.status(), 200);
    waits(&submit().await);
}

#[tokio::test]
async fn wrong_credentials_are_refused_harder_and_lock_nobody_out() {
    let mut wishes = sealed::wishes("{}");
    wishes.is_without_worker = true;
    wishes.settings.push(("VOUCH_RATE_FAILURES", "5/1h".to_owned()));
    let app = TestApp::start_with(wishes).await;
    app.put_user(7, "Sofia Marek").await;
    assert_eq!(get(&app, "/api/v1/me", "vk_wrong").await.status(), 401);
    assert_eq!(get(&app, "/verify_student/status/", "no.token.atall").await.status(), 302);
    assert_eq!(app.client.get(format!("{}/photos/x", app.url)).send().await.unwrap().status(), 403);
    let forged = SealedCallback::new(&app, "evt_1", &json!({}));
    assert_eq!(forged.request(&app, "v1,AAAA").send().await.unwrap().status(), 401);
    let form = [("key", "vk_wrong")];
    let sign_in = || app.client.post(format!("{}/ops/sign-in", app.url)).header("sec-fetch-site", "same-origin").form(&form);
    assert_eq!(sign_in().send().await.unwrap().status(), 401);
    // Each way to be wrong counts, and from now on each is told to wait.
    waits(&get(&app, "/api/v1/me", "vk_wrong").await);
    waits(&get(&app, "/verify_student/status/", "no.token.atall").await);
    waits(&app.client.get(format!("{}/photos/x", app.url)).send().await.unwrap());
    waits(&forged.request(&app, "v1,AAAA").send().await.unwrap());
    waits(&sign_in().send().await.unwrap());
    waits(&app.client.get(format!("{}/ops", app.url)).header("cookie", "vouch_ops=AAAA").send().await.unwrap());
    // Who is right is served all the same, from the same address.
    assert_eq!(get(&app, "/api/v1/me", API_KEY).await.status(), 200);
    assert_eq!(get(&app, "/verify_student/status/", &app.token(7)).await.status(), 200);
    assert_eq!(SealedCallback::new(&app, "evt_2", &json!({})).send(&app).await.0, 202);
}

#[tokio::test]
async fn an_address_that_proves_nobody_has_enough_at_some_time_and_whoever_proves_somebody_does_not_count() {
    let app = limited(&[("VOUCH_RATE_ADDRESS", "3/1h")]).await;
    app.put_user(7, "Sofia Marek").await;
    let anybody = async |path: &str| app.client.get(format!("{}{path}", app.url)).send().await.unwrap();
    for path in ["/openapi.json", "/embargo/blocked-message/enrollment/default/", "/verify_student/status/"] {
        assert!(anybody(path).await.status().as_u16() < 400, "{path}");
    }
    waits(&anybody("/openapi.json").await);
    // A credential that nobody looks at is none.
    waits(&get(&app, "/openapi.json", API_KEY).await);
    let api = anybody("/api/v1/me").await;
    assert_eq!(api.headers()["content-type"], "application/problem+json");
    waits(&api);
    for _ in 0..5 {
        assert_eq!(get(&app, "/api/v1/me", API_KEY).await.status(), 200);
        assert_eq!(get(&app, "/verify_student/status/", &app.token(7)).await.status(), 200);
        assert_eq!(anybody("/healthz").await.status(), 200);
    }
}

#[tokio::test]
async fn an_address_is_taken_from_a_header_only_if_a_trusted_proxy_wrote_it() {
    let far = async |app: &TestApp, forwarded: &str| {
        let request = app.client.get(format!("{}/openapi.json", app.url)).header("x-forwarded-for", forwarded);
        request.header("forwarded", format!("for={forwarded}")).send().await.unwrap().status().as_u16()
    };
    let app = limited(&[("VOUCH_RATE_ADDRESS", "1/1h")]).await;
    assert_eq!((far(&app, "9.9.9.1").await, far(&app, "9.9.9.2").await), (200, 429), "anybody may write a header");
    let app = limited(&[("VOUCH_RATE_ADDRESS", "1/1h"), ("VOUCH_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    assert_eq!((far(&app, "9.9.9.1").await, far(&app, "9.9.9.2").await), (200, 200));
    assert_eq!(far(&app, "6.6.6.6, 9.9.9.1").await, 429, "what stands before the caller's address is the caller's own");
}

async fn open(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap()
}

/// What comes until the other side closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset is a close too.
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn a_connection_that_never_ends_its_first_head_is_closed() {
    let app = limited(&[("VOUCH_HEADER_TIMEOUT", "100ms")]).await;
    for begin in ["", "P", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\nhost: vouch\r\nx-slow: "] {
        let mut slow = open(&app).await;
        slow.write_all(begin.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut slow).await, "", "{begin}");
    }
    assert_eq!(app.client.get(format!("{}/healthz", app.url)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up_with_408() {
    let app = limited(&[("VOUCH_BODY_TIMEOUT", "200ms")]).await;
    app.put_user(7, "Sofia Marek").await;
    for (path, credential, kind) in [
        ("/api/v1/users/9", API_KEY.to_owned(), "application/problem+json"),
        ("/verify_student/submit-photos/", app.token(7), "text/plain"),
        ("/ops/sign-in", String::new(), "text/plain"),
    ] {
        let method = if path.starts_with("/api") { "PUT" } else { "POST" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: vouch\r\nauthorization: Bearer {credential}\r\ncontent-type: application/json\r\nsec-fetch-site: same-origin\r\ncontent-length: 1000\r\n\r\n{{"
        );
        let mut slow = open(&app).await;
        slow.write_all(head.as_bytes()).await.unwrap();
        let mut heard = vec![0; 4096];
        let length = slow.read(&mut heard).await.unwrap();
        let heard = String::from_utf8_lossy(&heard[..length]).to_lowercase();
        assert!(heard.starts_with("http/1.1 408") && heard.contains(kind), "{path}: {heard}");
    }
}

#[tokio::test]
async fn a_form_of_another_site_costs_the_learner_no_submission() {
    let app = limited(&[("VOUCH_RATE_SUBMISSIONS", "1/1h")]).await;
    app.put_user(7, "Sofia Marek").await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    for site in ["cross-site", "same-site"] {
        let sent = app.client.post(&url).header("cookie", format!("vouch_session={}", app.token(7)));
        let sent = sent.header("sec-fetch-site", site).form(&[("face_image", "x")]).send().await.unwrap();
        assert_eq!(sent.status(), 403, "{site}");
    }
    app.submit(7, "Sofia Marek", json!({})).await;
}

#[tokio::test]
async fn who_has_no_credential_is_refused_before_the_body_is_read() {
    let app = TestApp::without_worker().await;
    for (path, status) in [("/api/v1/attempts", "401"), ("/api/v1/bulk", "401"), ("/verify_student/submit-photos/", "302")] {
        for credential in ["", "authorization: Bearer vk_wrong\r\n"] {
            let mut caller = open(&app).await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: vouch\r\n{credential}content-type: application/json\r\ncontent-length: 20000000\r\n\r\n"
            );
            caller.write_all(head.as_bytes()).await.unwrap();
            // Not a byte of the body is sent, and the answer is there.
            let mut heard = [0; 12];
            caller.read_exact(&mut heard).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&heard), format!("HTTP/1.1 {status}"), "{path} {credential}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_headers_is_refused() {
    let app = TestApp::without_worker().await;
    let long = format!("x-long: {}\r\n", "x".repeat(64 * 1024));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for headers in [long, many] {
        let mut caller = open(&app).await;
        let head = format!("GET /healthz HTTP/1.1\r\nhost: vouch\r\n{headers}\r\n");
        // The server may be gone before all of it is written.
        let _ = caller.write_all(head.as_bytes()).await;
        let heard = until_closed(&mut caller).await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431"), "{heard}");
    }
    assert_eq!(app.client.get(format!("{}/healthz", app.url)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn connections_beyond_the_most_wait_until_one_ends() {
    let app = limited(&[("VOUCH_CONNECTIONS", "10"), ("VOUCH_HEADER_TIMEOUT", "5m")]).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(open(&app).await);
    }
    let mut waiting = open(&app).await;
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nhost: vouch\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut heard = [0; 12];
    let answered = tokio::time::timeout(std::time::Duration::from_millis(300), waiting.read_exact(&mut heard)).await;
    assert!(answered.is_err(), "ten are the most");
    silent.pop();
    assert!(until_closed(&mut waiting).await.starts_with("HTTP/1.1 200"));
}

/// Begins a submission of 24 MiB, and sends so much of it.
async fn hoard(app: &TestApp, bytes: usize) -> TcpStream {
    let mut stream = open(app).await;
    let head = format!(
        "POST /verify_student/submit-photos/ HTTP/1.1\r\nhost: vouch\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        app.token(7),
        24 * 1024 * 1024,
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; bytes]).await.unwrap();
    stream
}

#[tokio::test]
async fn who_was_refused_keeps_no_room_while_the_rest_of_its_body_comes() {
    let settings = [("VOUCH_BODY_MEMORY", "24MiB"), ("VOUCH_BODY_TIMEOUT", "10m")];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let numbers = Numbers::start(&[Program::Api], &[]).unwrap();
    let app =
        TestApp::start_with(Wishes { settings, numbers: Some(numbers), is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(8, "Ann Else").await;
    let _first = hoard(&app, 12 * 1024 * 1024).await;
    let mut second = hoard(&app, 13 * 1024 * 1024).await;
    wait_for("the second to be refused", async || {
        let page = app.client.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
        page.contains("vouch_limited_total{limit=\"room\"} 1").then_some(())
    })
    .await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    assert_eq!(app.submission(8, &fields).send().await.unwrap().status(), 200);
    let mut heard = [0; 12];
    let answered = tokio::time::timeout(std::time::Duration::from_millis(300), second.read_exact(&mut heard)).await;
    assert!(answered.is_err(), "it has not sent all yet, and so has heard nothing");
}

#[tokio::test]
async fn without_room_for_a_body_a_submission_is_asked_to_come_again_and_room_comes_back() {
    let app =
        limited(&[("VOUCH_BODY_MEMORY", "24MiB"), ("VOUCH_BODY_TIMEOUT", "10m"), ("VOUCH_RATE_SUBMISSIONS", "100000/1h")]).await;
    app.put_user(7, "Sofia Marek").await;
    app.put_user(8, "Ann Else").await;
    let hoarder = hoard(&app, 24 * 1024 * 1024 - 1024).await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let submit = async || app.submission(8, &fields).send().await.unwrap();
    let refused = wait_for("the room to be full", async || {
        let answer = submit().await;
        (answer.status() == 503).then_some(answer)
    })
    .await;
    assert_eq!(refused.headers()["retry-after"], "5");
    // Who sends much hears it too, and is not cut off.
    let much = json!({ "face_image": "x".repeat(20 * 1024 * 1024) });
    assert_eq!(app.submission(8, &much).send().await.unwrap().status(), 503);
    // Small bodies need no room.
    assert_eq!(app.api(reqwest::Method::GET, "me").send().await.unwrap().status(), 200);
    drop(hoarder);
    wait_for("room", async || (submit().await.status() == 200).then_some(())).await;
}
