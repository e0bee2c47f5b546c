//! Who gets in, and what a form must carry.

use serde_json::json;
use vouch_tests::{API_KEY, TestApp, Wishes};

use super::{Desk, Shown, dead_job, give, key};

#[tokio::test]
async fn a_key_signs_in_by_a_cookie_that_hides_it_and_a_wrong_one_does_not() {
    let app = TestApp::without_worker().await;
    for wrong in ["", "vk_wrong", "two words", &"x".repeat(10_000)] {
        let answer = give(&app, wrong, "/ops").await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(answer.text.contains("That key is not valid") && answer.cookies.is_empty());
    }
    let service = key(&app, "platform", "lms:write").await;
    let answer = give(&app, &service, "/ops").await;
    assert_eq!((answer.status, answer.cookies.len()), (403, 0));
    assert!(answer.text.contains("attempts:read") && !answer.text.contains(&service));
    let answer = give(&app, API_KEY, "/ops/jobs?queue=vendor").await;
    assert_eq!((answer.status, answer.location.as_str()), (303, "/ops/jobs?queue=vendor"));
    let [cookie] = &answer.cookies[..] else { panic!("{:?}", answer.cookies) };
    for part in ["vouch_ops=", "; Path=/ops;", "; HttpOnly", "; SameSite=Strict", "; Max-Age=28800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(API_KEY) && !cookie.contains("Secure"));
    assert_eq!(give(&app, API_KEY, "https://evil.example/").await.location, "/ops");
}

#[tokio::test]
async fn over_https_every_cookie_is_secure() {
    let https = vec![("VOUCH_PUBLIC_URL", "https://vouch.example".to_owned())];
    let app = TestApp::start_with(Wishes { settings: https, is_without_worker: true, ..Wishes::default() }).await;
    let desk = Desk::open(&app).await;
    let answer = desk.send("/ops/theme", &[("theme", "dark"), ("next", "/ops/errors")]).await;
    assert_eq!(answer.location, "/ops/errors");
    let signed_in = give(&app, API_KEY, "").await;
    for cookie in answer.cookies.iter().chain(&signed_in.cookies) {
        assert!(cookie.contains("; Secure"), "{cookie}");
    }
}

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in_and_a_revoked_key_is_out_at_once() {
    let app = TestApp::without_worker().await;
    for path in ["/ops", "/ops/errors", "/ops/jobs/1", "/ops/retries/new", "/ops/nothing-there"] {
        let answer = Shown::of(app.client.get(format!("{}{path}", app.url)).send().await.unwrap()).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.location.starts_with("/ops/sign-in?next=%2Fops"), "{}", answer.location);
    }
    let key = key(&app, "ann", "attempts:operate").await;
    let desk = Desk::open_with(&app, &key).await;
    assert_eq!(desk.page("/ops/errors").await.status, 200);
    app.sql("UPDATE api_keys SET revoked_at = now() WHERE name = 'ann'").await;
    app.clock.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(desk.page("/ops/errors").await.status, 303);
    assert_eq!(desk.send("/ops/queues/vendor", &[("action", "pause"), ("reason", "x")]).await.status, 401);
    assert_eq!(desk.page("/ops/live/overview").await.status, 401);
}

#[tokio::test]
async fn a_session_ends_after_a_shift_and_by_signing_out() {
    let app = TestApp::without_worker().await;
    let desk = Desk::open(&app).await;
    let answer = desk.send("/ops/sign-out", &[]).await;
    assert!(answer.cookies[0].starts_with("vouch_ops=; ") && answer.cookies[0].contains("Max-Age=0"));
    app.clock.advance(chrono::TimeDelta::hours(8));
    assert_eq!(desk.page("/ops/errors").await.status, 303);
    let forged = Desk { app: &app, cookie: "vouch_ops=AAAA".to_owned(), csrf: String::new() };
    assert_eq!(forged.page("/ops/errors").await.status, 303);
}

#[tokio::test]
async fn a_link_from_elsewhere_finds_the_session_by_a_detour() {
    let app = TestApp::without_worker().await;
    let request = app.client.get(format!("{}/ops/errors?queue=vendor", app.url));
    let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
    let page = Shown::of(request.send().await.unwrap()).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(r#"content="0;url=&#x2f;ops&#x2f;errors?queue=vendor""#), "{}", page.text);
}

#[tokio::test]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let app = TestApp::without_worker().await;
    let desk = Desk::open(&app).await;
    let other = Desk::open(&app).await;
    let host = app.url.trim_start_matches("http://").to_owned();
    let pause = |csrf: &str, headers: &[(&'static str, String)]| {
        let mut request = app.client.post(format!("{}/ops/queues/vendor", app.url)).header("cookie", &desk.cookie);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.form(&[("csrf", csrf), ("action", "pause"), ("reason", "drill")])
    };
    let same = ("sec-fetch-site", "same-origin".to_owned());
    for (csrf, headers) in [
        (desk.csrf.as_str(), vec![]),
        (&desk.csrf, vec![("sec-fetch-site", "cross-site".to_owned())]),
        (&desk.csrf, vec![("sec-fetch-site", "same-site".to_owned())]),
        (&desk.csrf, vec![("origin", "https://evil.example".to_owned())]),
        (&desk.csrf, vec![("origin", "null".to_owned())]),
        (&other.csrf, vec![same.clone()]),
        ("", vec![same.clone()]),
    ] {
        let answer = Shown::of(pause(csrf, &headers).send().await.unwrap()).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 0);
    let own = Shown::of(pause(&desk.csrf, &[("origin", format!("http://{host}"))]).send().await.unwrap()).await;
    assert_eq!(own.status, 303, "an older browser tells the origin: {}", own.text);
    let sign_in = app.client.post(format!("{}/ops/sign-in", app.url)).header("sec-fetch-site", "cross-site");
    assert_eq!(sign_in.form(&[("key", API_KEY)]).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_viewer_sees_no_action_and_can_force_none() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let job = dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "the vendor refused").await;
    let key = key(&app, "eve", "attempts:read").await;
    let desk = Desk::open_with(&app, &key).await;
    for path in [
        "/ops",
        "/ops/errors",
        "/ops/jobs",
        &format!("/ops/jobs/{job}"),
        &format!("/ops/attempts/{receipt}"),
        "/ops/queues/vendor",
    ] {
        let page = desk.page(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let posts = page.text.matches(r#"method="post""#).count();
        assert_eq!(posts, 2, "{path}: only colours and signing out");
        assert!(!page.text.contains("/ops/retries/new") && !page.text.contains("/approve"), "{path}");
    }
    assert_eq!(desk.page("/ops/retries/new?state=dead").await.status, 403);
    for (path, fields) in [
        (format!("/ops/attempts/{receipt}/approve"), &[("reason", "x")][..]),
        (format!("/ops/jobs/{job}/retry"), &[("reason", "x")]),
        (format!("/ops/jobs/{job}/drop"), &[("reason", "x")]),
        ("/ops/queues/vendor".to_owned(), &[("reason", "x"), ("action", "pause")]),
        ("/ops/retries".to_owned(), &[("reason", "x"), ("rate", "5"), ("body", r#"{"state":"dead"}"#)]),
    ] {
        let answer = desk.send(&path, fields).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("attempts:operate"), "{}", answer.text);
    }
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 0);
}
