//! What answers let a browser do, and where they send it.

use reqwest::Response;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use vouch_tests::{API_KEY, TestApp, percent, samples};

use super::{
    routes::{RECEIPT, request, rows},
    table::Who,
};
use crate::console::Desk;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

fn is_guarded(answer: &Response, what: &str) {
    let policy = header(answer, "content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(policy.contains("base-uri 'none'"), "{what}: {policy}");
    assert_eq!(header(answer, "x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header(answer, "x-frame-options"), "DENY", "{what}");
    assert!(["no-referrer", "same-origin"].contains(&header(answer, "referrer-policy")), "{what}");
    // The description's page is one file with its script in it; it has nothing of anybody's.
    if !what.contains("/docs") {
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{what}: {policy}");
        let script = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap_or("script-src 'self'");
        assert_eq!(script.trim(), "script-src 'self'", "{what}");
    }
}

#[tokio::test]
async fn no_answer_may_be_framed_guessed_or_run_whoever_asks_and_whatever_comes() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_course().await;
    let desk = Desk::open(&app).await;
    for (method, path, who) in rows(|who| !matches!(who, Who::Sealed)) {
        let what = format!("{method} {path}");
        is_guarded(&request(&app, method, path).send().await.unwrap(), &what);
        let call = request(&app, method, path).header("accept", "text/html").header("sec-fetch-site", "same-origin");
        let call = match who {
            Who::Key(_) => call.bearer_auth(API_KEY),
            Who::Console | Who::ConsoleOperator => call.header("cookie", &desk.cookie),
            _ => call.bearer_auth(app.token(7)),
        };
        let answer = call.send().await.unwrap();
        is_guarded(&answer, &what);
        if header(&answer, "content-type").starts_with("text/html") && !path.starts_with("/docs") {
            let policy = header(&answer, "content-security-policy").to_owned();
            assert!(policy.contains("require-trusted-types-for 'script'"), "{what}: {policy}");
            let page = answer.text().await.unwrap();
            assert!(!page.contains("<script>") && !page.contains(" onclick=") && !page.contains("javascript:"), "{what}");
        }
    }
    is_guarded(&app.client.get(format!("{}/nothing/at/all", app.url)).send().await.unwrap(), "nothing");
}

#[tokio::test]
async fn whoever_signs_in_comes_back_to_vouch_and_nowhere_else() {
    let app = TestApp::without_worker().await;
    let course = percent(samples::COURSE);
    for path in [
        "/verify_student/status/?next=https://evil.example",
        "/verify_student/reverify?next=//evil.example&next=%5C%5Cevil.example",
        &format!("/verify_student/start-flow/{course}/?next=https:evil.example%0d%0aset-cookie:%20a=b"),
    ] {
        let answer = app.client.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        let location = header(&answer, "location");
        assert!(location.starts_with("/login?next=%2Fverify%5Fstudent%2F"), "{location}");
        assert!(location.matches("next=").count() == 1 && !location.contains("//"), "{location}");
    }
    let host = "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\n";
    for target in [
        "http://evil.example/verify_student/reverify",
        "//evil.example/verify_student/reverify",
        "/verify_student/start-flow/a/b/c",
    ] {
        let heard = raw(&app, &format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
        let location = heard.lines().find(|line| line.to_lowercase().starts_with("location:")).unwrap_or_default();
        assert!(!location.contains("evil"), "{target}: {location}");
    }
    let desk = Desk::open(&app).await;
    for next in [
        "https://evil.example/",
        "//evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "https:evil.example",
        "/ops//evil.example",
        "/ops/../..//evil.example",
        "/ops\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/opsevil.example",
        "%2F%2Fevil.example",
    ] {
        let signed_in = crate::console::give(&app, API_KEY, next).await;
        assert_eq!((signed_in.status, signed_in.location.as_str()), (303, "/ops"), "{next}");
        let themed = desk.send("/ops/theme", &[("theme", "dark"), ("next", next)]).await;
        assert_eq!((themed.status, themed.location.as_str()), (303, "/ops"), "{next}");
    }
}

/// Sends bytes as they are; what comes back.
async fn raw(app: &TestApp, text: &str) -> String {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn no_address_of_a_photo_leads_out_of_the_photos() {
    let app = TestApp::without_worker().await;
    std::fs::write(app.folder.path().join("outside"), b"Zyxwv").unwrap();
    app.submit(7, "Sofia Marek", json!({})).await;
    let receipt: String = sqlx::query_scalar("SELECT receipt_id::text FROM attempts").fetch_one(&app.db).await.unwrap();
    for path in [
        "/photos/../outside",
        "/photos/%2e%2e/outside",
        "/photos/..%2foutside",
        "/photos/..%5coutside",
        "/photos/face/../../outside",
        "/photos//etc/passwd",
        "/photos/%2fetc%2fpasswd",
        "/photos/outside%00",
        "/photos/outside",
        &format!("/photos/{}", samples::stored("uploads", &receipt, "face")),
        &format!("/photos/{}", samples::stored("face", RECEIPT, "1-1")),
    ] {
        for query in ["", "?expires=99999999999&signature=AAAA", "?expires=&signature="] {
            let heard = raw(&app, &format!("GET {path}{query} HTTP/1.1\r\nHost: vouch\r\nConnection: close\r\n\r\n")).await;
            let status = heard.split(' ').nth(1).unwrap();
            assert!(["400", "403", "404"].contains(&status) && !heard.contains("Zyxwv"), "{path}{query}: {heard}");
        }
    }
}

#[tokio::test]
async fn another_sites_form_is_refused_even_with_the_right_token() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let cookies = format!("vouch_session={}; csrftoken=abcdefghijklmnopqrst", app.token(7));
    let send = async |site: Option<&str>| {
        let call = app.client.post(format!("{}/verify_student/submit-photos/", app.url)).header("cookie", &cookies);
        let mut call = call.header("x-csrftoken", "abcdefghijklmnopqrst");
        if let Some(site) = site {
            call = call.header("sec-fetch-site", site);
        }
        let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
        call.json(&fields).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(Some("cross-site")).await, 403);
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 0);
    for site in [None, Some("same-origin"), Some("same-site")] {
        assert_eq!(send(site).await, 200, "{site:?}");
    }
}
