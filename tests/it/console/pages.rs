//! What every page holds, and what it never does.

use serde_json::{Value, json};
use vouch_tests::{API_KEY, TestApp, wait_for};

use super::{Desk, dead_job};

/// What somebody bad would write where the console shows what others wrote.
const NASTY: &str = r#"<script>alert("x")</script> & <b onmouseover='x'>"#;

async fn some(app: &TestApp) -> (String, i64, String) {
    let receipt = app.submit(7, NASTY, json!({})).await;
    let job = dead_job(app, &receipt, ("vendor", "submit_to_vendor"), &format!("the vendor refused: {NASTY}")).await;
    let retry = app.api(reqwest::Method::POST, "retries");
    let document = json!({ "filter": { "state": "dead" }, "dry_run": false, "rate": 1, "reason": NASTY });
    let retry: Value = retry.json(&document).send().await.unwrap().json().await.unwrap();
    (receipt, job, retry["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_page_has_its_headers_its_landmarks_and_no_key() {
    let app = TestApp::without_worker().await;
    let (receipt, job, retry) = some(&app).await;
    let desk = Desk::open(&app).await;
    for path in [
        "/ops",
        "/ops?hours=24",
        "/ops/search",
        "/ops/search?q=7",
        "/ops/search?q=nonsense",
        "/ops/search?status=created&age=1h",
        "/ops/errors",
        "/ops/errors?queue=vendor",
        &format!("/ops/attempts/{receipt}"),
        &format!("/ops/attempts/{receipt}/approve"),
        &format!("/ops/attempts/{receipt}/deny"),
        "/ops/jobs",
        "/ops/jobs?state=",
        "/ops/jobs?state=nonsense",
        &format!("/ops/jobs/{job}"),
        &format!("/ops/jobs/{job}/drop"),
        "/ops/retries",
        "/ops/retries/new",
        "/ops/retries/new?state=dead",
        "/ops/retries/new?status=nonsense",
        &format!("/ops/retries/{retry}"),
        "/ops/queues/vendor",
        "/ops/breakers/software-secure",
        "/ops/audit",
        "/ops/nothing",
        "/ops/jobs/999999",
    ] {
        let answer = desk.get(path).await;
        let status = answer.status().as_u16();
        let header =
            |name: &str| answer.headers().get(name).unwrap_or_else(|| panic!("{path}: {name}")).to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'")
                && policy.contains("frame-ancestors 'none'")
        );
        assert!(!policy.contains("unsafe") && policy.contains("require-trusted-types-for 'script'"));
        assert_eq!((header("cache-control").as_str(), header("x-content-type-options").as_str()), ("no-store", "nosniff"));
        let text = answer.text().await.unwrap();
        let expected = match path {
            "/ops/nothing" | "/ops/jobs/999999" => 404,
            path if path.contains("nonsense") => 400,
            _ => 200,
        };
        assert_eq!(status, expected, "{path}: {text}");
        check_basics(path, &text);
    }
}

#[tokio::test]
async fn the_form_to_sign_in_has_the_same_basics() {
    let app = TestApp::without_worker().await;
    let text = app.client.get(format!("{}/ops/sign-in", app.url)).send().await.unwrap().text().await.unwrap();
    check_basics("/ops/sign-in", &text);
    assert!(text.contains(r#"type="password""#));
}

/// What a reader of the screen and the browser's policy need.
fn check_basics(path: &str, text: &str) {
    assert!(text.contains(r#"<html lang="en""#) && text.contains("<title>"), "{path}");
    assert_eq!((text.matches("<h1").count(), text.matches("<main").count()), (1, 1), "{path}");
    assert!(text.contains("<header") && text.contains("<footer") && text.contains(r##"href="#main""##), "{path}");
    assert!(!text.contains(API_KEY) && !text.contains("vk_"), "{path}: a key");
    assert!(
        !text.contains("style=\"") && !text.contains(" onclick") && !text.contains("<style"),
        "{path}: the policy forbids it"
    );
    assert!(!text.contains("<script>") && !text.contains("<b on"), "{path}: what others wrote is text\n{text}");
    assert!(!text.contains("none none") && !text.contains("undefined"), "{path}");
    assert!(!text.contains("<img") && !text.contains("/photos/"), "{path}: photos are never shown");
    check_labels(path, text);
    for tag in tags(text, "<table") {
        assert!(
            text[tag..].trim_start_matches(|c| c != '>').trim_start_matches(['>', '\n']).starts_with("<caption"),
            "{path}: a table without a caption"
        );
    }
    assert!(
        tags(text, "<th").into_iter().filter(|at| !text[*at..].starts_with("<thead")).all(|at| head(text, at).contains("scope=")),
        "{path}"
    );
    let mut ids: Vec<&str> = text.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{path}: an id stands twice");
}

fn check_labels(path: &str, text: &str) {
    for at in ["<input", "<select", "<textarea"].into_iter().flat_map(|tag| tags(text, tag)) {
        let tag = head(text, at);
        if tag.contains(r#"type="hidden""#) || tag.contains("aria-label=") {
            continue;
        }
        let id = tag.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next());
        let has_own =
            id.is_some_and(|id| text.contains(&format!(r#"<label for="{id}""#)) || text.contains(&format!(r#"for="{id}""#)));
        let is_inside = text[..at].rfind("<label") > text[..at].rfind("</label");
        assert!(has_own || is_inside, "{path}: no label for {tag}");
    }
}

fn tags(text: &str, tag: &str) -> Vec<usize> {
    text.match_indices(tag).map(|(at, _)| at).collect()
}

fn head(text: &str, at: usize) -> &str {
    text[at..].split('>').next().unwrap()
}

#[tokio::test]
async fn one_box_finds_a_receipt_a_user_and_a_job() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let desk = Desk::open(&app).await;
    assert_eq!(desk.page(&format!("/ops/search?q={receipt}")).await.location, format!("/ops/attempts/{receipt}"));
    assert_eq!(desk.page("/ops/search?q=%2312").await.location, "/ops/jobs/12");
    let found = desk.page("/ops/search?q=7").await;
    assert!(found.text.contains(&receipt) && !found.text.contains("Sofia"), "no name in a list");
    assert!(!desk.page("/ops/search?q=8").await.text.contains(&receipt));
}

#[tokio::test]
async fn the_overview_tells_what_needs_somebody_and_links_to_it() {
    let app = TestApp::without_worker().await;
    let desk = Desk::open(&app).await;
    let calm = desk.page("/ops").await;
    assert!(calm.text.contains("Nothing is dead"), "{}", calm.text);
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "the vendor refused").await;
    desk.send("/ops/queues/mail", &[("action", "pause"), ("reason", "mail server moves")]).await;
    desk.send("/ops/breakers/software-secure", &[("force", "open"), ("reason", "they told us")]).await;
    let now = wait_for("the overview to tell it", async || {
        let page = desk.page("/ops").await;
        page.text.contains("1 dead job<").then_some(page.text)
    })
    .await;
    for told in ["mail is paused", "mail server moves", "breaker held open", "/ops/jobs?state=dead&amp;queue=vendor"] {
        assert!(now.contains(told), "{told}\n{now}");
    }
}

#[tokio::test]
async fn a_list_of_a_hundred_thousand_dead_jobs_is_paged_and_none_is_skipped() {
    let app = TestApp::without_worker().await;
    app.sql(
        "INSERT INTO jobs (queue, kind, args, failures, error_class, last_error, fingerprint, failed_at, dead_at)
         SELECT 'mail', 'send_email', '{\"v\": 1}', 3, 'network', 'refused', 'abc', now(), now() - make_interval(secs => n)
         FROM generate_series(1, 100000) n",
    )
    .await;
    let desk = Desk::open(&app).await;
    let overview = desk.page("/ops").await.text;
    assert!(overview.contains("100,000 dead jobs"), "{overview}");
    let mut seen = std::collections::BTreeSet::new();
    let mut path = "/ops/jobs?limit=200".to_owned();
    for _ in 0..5 {
        let page = desk.page(&path).await.text;
        seen.extend(page.split("name=\"job_id\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        let next = page.split("\" rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
        path = next.replace("&#x2f;", "/").replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 1000);
}
