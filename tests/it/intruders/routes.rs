//! The table of who may call what, compared with the routes that are there, and held against every route.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use vouch_common::operations::api_keys;
use vouch_tests::{TestApp, Wishes, percent, samples};

use super::{
    everything,
    table::{ROUTES, Scope, Who},
};
use crate::{
    console::{Desk, give, key},
    tidy::{root, sources},
};

pub(super) const RECEIPT: &str = "00000000-0000-4000-8000-000000000000";

/// The routes as the sources and the description have them: method and path.
fn routes_that_are_there() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (file, prefix) in
        [("api/src/routes/mod.rs", ""), ("api/src/ops/mod.rs", "/ops"), ("api/src/pages/assets.rs", "/verify_student/static")]
    {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for (at, _) in text.match_indices(".at(\"") {
            let rest = &text[at + 5..];
            let (path, rest) = rest.split_once('"').unwrap();
            let served = rest.split(['\n', ';']).next().unwrap();
            let methods = [("GET", "get("), ("POST", "post("), ("PUT", "put("), ("DELETE", "delete("), ("PATCH", "patch(")];
            let mut methods: Vec<&str> =
                methods.into_iter().filter(|(_, call)| served.contains(call)).map(|(method, _)| method).collect();
            if methods.is_empty() {
                assert!(served.contains("document"), "{file}: how is {path} served?");
                methods.push("GET");
            }
            found.extend(methods.into_iter().map(|method| (method.to_owned(), format!("{prefix}{path}"))));
        }
        for (at, _) in text.match_indices(".nest(\"") {
            let path = text[at + 7..].split('"').next().unwrap();
            // Under `/api` alone nothing is: it says so to everybody.
            let known = ["/verify_student/static", "/docs", "/ops", "/api/v1", "/api"];
            assert!(known.contains(&path), "{path} is nested and not looked at");
        }
    }
    found.insert(("GET".to_owned(), "/docs".to_owned()));
    let document: Value = serde_json::from_str(&vouch_api::routes::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.insert((method.to_uppercase(), format!("/api/v1{path}")));
        }
    }
    found
}

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let there = routes_that_are_there();
    assert!(there.len() > 90, "{}", there.len());
    let told: BTreeSet<_> = ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(told.len(), ROUTES.len(), "a route has two rows");
    let without_row: Vec<_> = there.difference(&told).collect();
    let without_route: Vec<_> = told.difference(&there).collect();
    assert!(without_row.is_empty() && without_route.is_empty(), "no row: {without_row:?}; no route: {without_route:?}");
    // Routes are made in these places, and nowhere else.
    let makers = ["routes/mod.rs", "ops/mod.rs", "pages/assets.rs", "routes/description.rs"];
    for file in sources("api/src").iter().filter(|file| !makers.iter().any(|maker| file.ends_with(maker))) {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains(".at(\"") && !text.contains(".nest(\""), "{} makes routes", file.display());
    }
}

/// An address of a route, with something sensible in every place.
fn address(app: &TestApp, path: &str) -> String {
    let course = percent(samples::COURSE);
    let mut filled = path.to_owned();
    for (place, value) in [
        ("*course", format!("{course}/")),
        ("*checkpoint", format!("{course}/{}/", percent(samples::USAGE))),
        ("*name", samples::stored("face", RECEIPT, "1-1")),
        ("*screen", "overview".to_owned()),
        (":access_point", "enrollment".to_owned()),
        (":message_key", "default".to_owned()),
        (":file", "vouch.js".to_owned()),
        (":receipt/:action", format!("{RECEIPT}/approve")),
        (":id/:action", "1/retry".to_owned()),
        (":receipt", RECEIPT.to_owned()),
        (":name", "vendor".to_owned()),
        (":vendor", "software-secure".to_owned()),
        (":nothing", "nothing".to_owned()),
        (":id", "1".to_owned()),
        ("{receipt_id}", RECEIPT.to_owned()),
        ("{erasure_id}", RECEIPT.to_owned()),
        ("{user_id}", "7".to_owned()),
        ("{course}", course.clone()),
        ("{usage}", percent(samples::USAGE)),
        ("{vendor}", "software-secure".to_owned()),
        ("queues/{name}", "queues/vendor".to_owned()),
        ("{namespace}/{name}", "grade/grade".to_owned()),
        ("{provider}", "u".to_owned()),
        ("{id}", "1".to_owned()),
    ] {
        filled = filled.replace(place, &value);
    }
    assert!(!filled.contains(['*', '{']) && !filled.contains("/:"), "{filled}");
    format!("{}{filled}", app.url)
}

pub(super) fn request(app: &TestApp, method: &str, path: &str) -> RequestBuilder {
    let request = app.client.request(Method::from_bytes(method.as_bytes()).unwrap(), address(app, path));
    if method == "GET" { request } else { request.json(&json!({ "reason": "to see whether it is refused" })) }
}

pub(super) fn rows(wanted: impl Fn(Who) -> bool) -> Vec<(&'static str, &'static str, Who)> {
    let rows: Vec<_> = ROUTES.iter().copied().filter(|(_, _, who)| wanted(*who)).collect();
    assert!(!rows.is_empty());
    rows
}

async fn with_learner() -> TestApp {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_course().await;
    app
}

#[tokio::test]
async fn a_route_of_the_api_is_served_to_its_scope_and_refused_to_everybody_else() {
    let app = with_learner().await;
    let mut keys = Vec::new();
    for scope in api_keys::SCOPES {
        keys.push((scope, key(&app, scope, scope).await));
    }
    let revoked = key(&app, "revoked", "admin").await;
    let expires = Some(app.now() + chrono::TimeDelta::hours(1));
    let expired = api_keys::create(app.services().db(), "expired", &["admin".to_owned()], expires, app.now()).await.unwrap();
    let expired = String::from_utf8(expired.expose().to_vec()).unwrap();
    app.sql("UPDATE api_keys SET revoked_at = now() WHERE name = 'revoked'").await;
    app.clock.advance(chrono::TimeDelta::hours(1));
    let learner = app.token(7);
    // That a good key was used is noted once a minute, whatever it is used for; the clock stands still from here on.
    for (held, key) in &keys {
        let known = request(&app, "GET", "/api/v1/me").bearer_auth(key).send().await.unwrap().status();
        assert_ne!(known, 401, "{held}");
    }
    let before = everything(&app).await;
    let rows = rows(|who| matches!(who, Who::Key(_)));
    let scope_of = |who: Who| if let Who::Key(scope) = who { scope } else { Scope::Any };
    for (method, path, who) in &rows {
        let bare = request(&app, method, path).send().await.unwrap();
        is_problem(bare, 401, path).await;
        let admin = &keys.last().unwrap().1;
        let in_cookie = request(&app, method, path).header("cookie", format!("vouch_session={admin}"));
        is_problem(in_cookie.send().await.unwrap(), 401, path).await;
        let basic = request(&app, method, path).basic_auth("x", Some(admin)).send().await.unwrap();
        is_problem(basic, 401, path).await;
        for wrong in ["vk_", "vk_wrong", &learner, &revoked, &expired, &admin[..admin.len() - 1], &format!("{admin}x")] {
            is_problem(request(&app, method, path).bearer_auth(wrong).send().await.unwrap(), 401, path).await;
        }
        for (held, key) in keys.iter().filter(|(held, _)| !scope_of(*who).admits(held)) {
            let refused = request(&app, method, path).bearer_auth(key).send().await.unwrap();
            is_problem(refused, 403, &format!("{method} {path} with {held}")).await;
        }
    }
    assert!(everything(&app).await == before, "something was changed by a call that was refused");
    for (method, path, who) in &rows {
        for (held, key) in keys.iter().filter(|(held, _)| scope_of(*who).admits(held)) {
            let served = request(&app, method, path).bearer_auth(key).send().await.unwrap().status().as_u16();
            assert!(![401, 403].contains(&served) && served < 500, "{method} {path} with {held}: {served}");
        }
    }
}

async fn is_problem(answer: Response, status: u16, what: &str) {
    assert_eq!(answer.status(), status, "{what}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status, "{what}: {body}");
}

#[tokio::test]
async fn a_learners_route_sends_everybody_else_to_sign_in_and_changes_nothing() {
    let app = with_learner().await;
    let admin = key(&app, "admin", "admin").await;
    let late = app.token_of(&json!({ "sub": "7", "exp": app.now().timestamp() }));
    let before = everything(&app).await;
    let rows = rows(|who| who == Who::Learner);
    for (method, path, _) in &rows {
        let mut answers = vec![request(&app, method, path).send().await.unwrap()];
        for wrong in [admin.as_str(), vouch_tests::API_KEY, &late, "x.y.z", ""] {
            answers.push(request(&app, method, path).bearer_auth(wrong).send().await.unwrap());
            let cookie = request(&app, method, path).header("cookie", format!("vouch_session={wrong}"));
            answers.push(cookie.send().await.unwrap());
        }
        for answer in answers {
            assert_eq!(answer.status(), 302, "{method} {path}");
            let location = answer.headers()["location"].to_str().unwrap();
            assert!(location.starts_with("/login?next=%2F"), "{method} {path}: {location}");
        }
        if *method == "POST" {
            let forged = request(&app, method, path).header("cookie", format!("vouch_session={}", app.token(7)));
            let forged = forged.send().await.unwrap().status().as_u16();
            assert!([400, 403].contains(&forged), "{method} {path} without the CSRF token: {forged}");
        }
    }
    assert!(everything(&app).await == before, "something was changed by a call that was refused");
    for (method, path, _) in rows {
        let served = request(&app, method, path).bearer_auth(app.token(7)).send().await.unwrap();
        let to_sign_in = served.headers().get("location").is_some_and(|to| to.to_str().unwrap().starts_with("/login"));
        assert!(![401, 403].contains(&served.status().as_u16()) && !to_sign_in, "{method} {path}: {}", served.status());
    }
}

#[tokio::test]
async fn whoever_has_no_signature_and_no_signed_link_is_refused_and_changes_nothing() {
    let shop = crate::create_order::cybersource();
    for (format, wanted) in [("software-secure", Who::SoftwareSecure), ("sealed", Who::Sealed)] {
        let mut wishes = Wishes { is_without_worker: true, settings: shop.clone(), ..Wishes::default() };
        wishes.settings.push(("VOUCH_VENDOR_FORMAT", format.to_owned()));
        let app = TestApp::start_with(wishes).await;
        let before = everything(&app).await;
        for (method, path, who) in rows(|who| who == wanted || matches!(who, Who::Payments | Who::Link)) {
            let documented = match who {
                Who::SoftwareSecure => 400,
                Who::Sealed => 401,
                _ => 403,
            };
            for credential in [None, Some(vouch_tests::API_KEY.to_owned()), Some(app.token(7))] {
                let mut call = request(&app, method, path);
                if let Some(credential) = credential {
                    call = call.bearer_auth(credential);
                }
                assert_eq!(call.send().await.unwrap().status(), documented, "{method} {path}");
            }
        }
        assert!(everything(&app).await == before, "something was changed by a call that was refused");
    }
}

#[tokio::test]
async fn the_console_is_open_to_who_is_signed_in_and_acts_for_operators_alone() {
    let app = with_learner().await;
    let service = key(&app, "platform", "lms:write").await;
    assert_eq!(give(&app, &service, "/ops").await.status, 403);
    let viewer = key(&app, "eve", "attempts:read").await;
    let viewer = Desk::open_with(&app, &viewer).await;
    let operator = Desk::open(&app).await;
    let before = everything(&app).await;
    let rows = rows(|who| matches!(who, Who::Console | Who::ConsoleOperator));
    let form = |method: &str, path: &str, csrf: &str| {
        let call = app.client.request(Method::from_bytes(method.as_bytes()).unwrap(), address(&app, path));
        let call = call.header("sec-fetch-site", "same-origin");
        if method == "GET" { call } else { call.form(&[("csrf", csrf), ("reason", "x"), ("action", "pause"), ("force", "open")]) }
    };
    for (method, path, who) in &rows {
        let documented = if *method == "GET" && !path.contains("/live/") { 303 } else { 401 };
        for cookie in ["", "vouch_ops=AAAA", &format!("vouch_ops={}", vouch_tests::API_KEY)] {
            let refused = form(method, path, "").header("cookie", cookie).bearer_auth(vouch_tests::API_KEY).send().await.unwrap();
            assert_eq!(refused.status(), documented, "{method} {path} with {cookie}");
        }
        if *method == "POST" {
            let forged = form(method, path, &viewer.csrf).header("cookie", &operator.cookie).send().await.unwrap();
            assert_eq!(forged.status(), 403, "{method} {path} with another session's token");
        }
        if *who == Who::ConsoleOperator {
            let small = form(method, path, &viewer.csrf).header("cookie", &viewer.cookie).send().await.unwrap();
            assert!(matches!(small.status().as_u16(), 400 | 403 | 404), "{method} {path} by a viewer: {}", small.status());
        }
    }
    assert!(everything(&app).await == before, "something was changed by a call that was refused");
    for (method, path, who) in rows {
        let desk = if who == Who::Console && !path.ends_with("/new") && !path.contains(":action") { &viewer } else { &operator };
        let served = form(method, path, &desk.csrf).header("cookie", &desk.cookie).send().await.unwrap().status().as_u16();
        assert!(![401, 403].contains(&served) && served < 500, "{method} {path}: {served}");
    }
}

#[tokio::test]
async fn what_is_open_to_anybody_is_served_without_a_credential_and_changes_nothing() {
    let app = with_learner().await;
    let before = everything(&app).await;
    for (method, path, _) in rows(|who| who == Who::Anybody) {
        let served = request(&app, method, path).send().await.unwrap().status().as_u16();
        // Nothing is signed in by a form that no page of ours sent.
        let documented = if method == "POST" { 403 } else { 200 };
        assert!(served == documented || (path.contains(":file") && served == 404), "{method} {path}: {served}");
    }
    assert!(everything(&app).await == before);
}
