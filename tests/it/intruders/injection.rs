//! Texts of people and of the platform stay texts: in mails, in pages, in the console; and none is an order to fetch.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use vouch_cli::simulator::Script;
use vouch_tests::{API_KEY, JWT_SECRET, TestApp, Wishes, percent, samples, wait_for};

use super::everything;
use crate::console::Desk;

const LINE_BREAKS: [&str; 6] = ["\r\n", "\n", "\r", "\u{85}", "\u{b}", "\u{0}"];
const ODD_SPACES: &str = "\u{2028}\u{2029}\u{202e}";

#[tokio::test]
async fn a_line_break_in_a_name_or_a_course_is_refused_wherever_it_comes_in() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    for line_break in LINE_BREAKS {
        let evil = format!("Eve{line_break}Bcc: victim@example.com");
        for field in ["username", "email", "full_name"] {
            let mut document = json!({ "username": "u8", "email": "u8@example.com", "full_name": "Eve" });
            document[field] = json!(evil);
            assert_eq!(app.api(Method::PUT, "users/8").json(&document).send().await.unwrap().status(), 400, "{field} {evil:?}");
        }
        let course = json!({ "display_name": evil });
        let path = format!("courses/{}", percent(samples::COURSE));
        assert_eq!(app.api(Method::PUT, &path).json(&course).send().await.unwrap().status(), 400, "{evil:?}");
        let mut fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
        fields["full_name"] = json!(evil);
        let sent = app.submission(7, &fields).send().await.unwrap();
        assert_eq!(sent.status(), 400, "{evil:?}: {}", sent.text().await.unwrap());
        let exp = app.now().timestamp() + 60;
        let claims = json!({ "sub": "9", "exp": exp, "username": "u9", "email": "u9@example.com", "name": evil });
        fields["full_name"] = json!("Eve");
        let url = format!("{}/verify_student/submit-photos/", app.url);
        let unknown = app.client.post(url).bearer_auth(app.token_of(&claims)).json(&fields).send().await.unwrap();
        assert_eq!(unknown.status(), 400, "{evil:?}");
    }
    assert_eq!(app.count("SELECT count(*) FROM users WHERE user_id <> 7").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 0);
}

#[tokio::test]
async fn a_name_that_is_html_or_turns_lines_is_a_name_in_the_mail_the_page_and_the_console() {
    let script = Script::parse(br#"{"callback": {"copies": 0}}"#).unwrap();
    let app = TestApp::start_with(Wishes { script, ..Wishes::default() }).await;
    let evil = format!("<script>alert(1)</script>\" onload='x' {{{{ 7*7 }}}} {ODD_SPACES}");
    let receipt = app.submit(7, &evil, json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    let reason = json!([{ "photoIdReasons": ["<img src=x onerror=alert(2)>"] }]);
    let verdict = json!({ "EdX-ID": receipt, "Result": "FAIL", "Reason": reason, "MessageType": "<b>bold</b>" });
    assert_eq!(app.callback(&verdict).send().await.0, 200);
    app.wait_for_status(&receipt, "denied").await;
    app.wait_until_idle().await;
    let mails = app.mail.mails();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail.to, ["u7@example.com"]);
        assert!(!mail.subject.contains(['\r', '\n']) && mail.message_id.starts_with("vouch-job-"), "{mail:?}");
        assert!(mail.html.contains("&lt;script&gt;") && !mail.html.contains("<script"), "{}", mail.html);
        assert!(!mail.html.contains("<img") && mail.text.contains("<script>alert(1)</script>"), "{}", mail.text);
        assert!(!mail.html.contains("49") || mail.html.contains("7*7"), "a name is no template: {}", mail.html);
    }
    let desk = Desk::open(&app).await;
    for path in
        [format!("/ops/attempts/{receipt}"), "/ops/search?q=7".to_owned(), "/ops/search?q=%3Cscript%3Ealert(3)".to_owned()]
    {
        let page = desk.page(&path).await.text;
        for tag in ["<script>alert", "<img src=x", "<b>bold", " onload='x'"] {
            assert!(!page.contains(tag), "{path} has {tag}");
        }
    }
    let page = app.client.get(format!("{}/verify_student/reverify?lang=%22%3E%3Cscript%3Ealert(4)", app.url));
    let page = page.header("accept", "text/html").bearer_auth(app.token(7)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
}

#[tokio::test]
async fn a_moment_that_is_too_long_ago_to_be_kept_is_refused_and_changes_nothing() {
    let app = TestApp::without_worker().await;
    let before = everything(&app).await;
    let long_ago = "-9999-01-01T00:00:00Z";
    for path in [
        format!("attempts?created_after={long_ago}"),
        format!("audit?after={long_ago}"),
        "retries?cursor=-8000000000000000000.00000000000040008000000000000000".to_owned(),
    ] {
        let answer = app.api(Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{path}: {}", answer.text().await.unwrap());
    }
    let mut course = samples::course();
    course["end"] = json!(long_ago);
    let put = app.api(Method::PUT, &format!("courses/{}", percent(samples::COURSE))).json(&course);
    let (status, text) = vouch_tests::answer(put.send().await.unwrap()).await;
    assert!(status == 400 && text.contains("4713 BC"), "{status} {text}");
    assert!(everything(&app).await == before);
}

#[tokio::test]
async fn no_address_that_a_caller_gives_is_fetched() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", trap.local_addr().unwrap());
    let caught: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let seen = Arc::clone(&caught);
    tokio::spawn(async move {
        while let Ok((_, peer)) = trap.accept().await {
            seen.lock().unwrap().push(peer);
        }
    });
    let app = TestApp::start().await;
    app.put_course().await;
    app.put_user(7, &address).await;
    for photo in [address.clone(), format!("file://{}", app.folder.path().display()), format!("url({address})")] {
        let fields = json!({ "face_image": photo, "photo_id_image": samples::good("id.jpg"), "full_name": address });
        assert_eq!(app.submission(7, &fields).send().await.unwrap().status(), 400);
    }
    let receipt =
        app.submit(8, &address, json!({ "full_name": address, "callback_url": address, "face_image_url": address })).await;
    app.wait_for_status(&receipt, "approved").await;
    let svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>"#);
    let fields = json!({ "face_image": samples::data_url(svg.as_bytes()), "photo_id_image": samples::good("id.jpg") });
    assert_eq!(app.submission(7, &fields).send().await.unwrap().status(), 400);
    let header = jsonwebtoken::Header { jku: Some(address.clone()), x5u: Some(address.clone()), ..Default::default() };
    let claims = json!({ "sub": "7", "exp": app.now().timestamp() + 60, "iss": address, "aud": address });
    let token = jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap();
    for (name, value) in
        [("x-forwarded-host", &address), ("referer", &address), ("origin", &address), ("forwarded", &format!("host={address}"))]
    {
        let call = app.client.get(format!("{}/verify_student/reverify?next={address}", app.url)).header(name, value);
        call.bearer_auth(&token).send().await.unwrap();
        let call = app.client.get(format!("{}/api/v1/me", app.url)).header(name, value).bearer_auth(API_KEY);
        call.send().await.unwrap();
    }
    app.wait_until_idle().await;
    // The trap takes callers in their order, so whoever came before us is known when we are.
    let own = tokio::net::TcpStream::connect(address.trim_start_matches("http://").trim_end_matches('/')).await.unwrap();
    let own = own.local_addr().unwrap();
    wait_for("the trap", async || caught.lock().unwrap().contains(&own).then_some(())).await;
    assert_eq!(*caught.lock().unwrap(), [own], "an address that a caller gave was fetched");
    app.finish().await;
}
