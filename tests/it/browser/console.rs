//! The operators' console in a real browser.

use fantoccini::{Locator, key::Key};
use serde_json::json;
use vouch_cli::simulator::Script;
use vouch_tests::{
    API_KEY, TestApp, Wishes,
    browser::{Browser, Camera},
    wait_for,
};

const REFUSES: &[u8] = br#"{"answer": {"fault": {"kind": "status", "status": 400}}}"#;

async fn signed_in(app: &TestApp) -> Browser {
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&format!("{}/ops/errors", app.url)).await;
    browser.see("#key").await.send_keys(API_KEY).await.unwrap();
    browser.press("main button").await;
    browser.read("h1", "Errors").await;
    browser
}

async fn type_in(browser: &Browser, css: &str, text: &str) {
    browser.see(css).await.send_keys(text).await.unwrap();
}

#[tokio::test]
async fn an_operator_finds_what_died_retries_it_in_bulk_and_watches_it_drain() {
    let app = TestApp::start_with(Wishes { script: Script::parse(REFUSES).unwrap(), ..Wishes::default() }).await;
    let mut receipts = Vec::new();
    for user in 7..10 {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    wait_for("all to die", async || (app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await == 3).then_some(()))
        .await;
    let browser = signed_in(&app).await;
    browser.read("#groups-title", "3 dead jobs in 1 group").await;
    browser.press(".groups .button").await;
    browser.read("#found-title", "3 jobs would be retried").await;
    app.vendor.set_script(Script::default()).unwrap();
    type_in(&browser, "#start-reason", "the vendor mended it").await;
    browser.press("#start .primary").await;
    browser.read(".flash", "3 jobs are being retried").await;
    // Nobody reloads: the page tells it.
    browser.read("[data-region=now] .lead", "done").await;
    browser.read("#ended", "3").await;
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    browser.open(&format!("{}/ops/attempts/{}", app.url, receipts[0])).await;
    browser.read("#main", "the vendor mended it").await;
    browser.read(".lead", "approved").await;
    browser.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_page_that_is_renewed_keeps_the_focus_and_what_is_being_typed() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let browser = signed_in(&app).await;
    browser.open(&format!("{}/ops/attempts/{receipt}", app.url)).await;
    browser.read("#live", "Live").await;
    type_in(&browser, "#retry-reason", "half a rea").await;
    app.sql("UPDATE attempts SET status = 'submitted', submitted_at = now()").await;
    browser.read("[data-region=now] .lead", "submitted").await;
    assert_eq!(browser.value("document.activeElement.id").await, "retry-reason");
    assert_eq!(browser.value("document.activeElement.value").await, "half a rea");
    browser.open(&format!("{}/ops", app.url)).await;
    browser.read("#live", "Live").await;
    browser.client.execute("document.querySelector('#queue-vendor a').focus()", Vec::new()).await.unwrap();
    app.sql("INSERT INTO jobs (queue, kind, args, error_class, last_error, fingerprint, dead_at, failed_at) VALUES ('photos', 'prepare_photos', '{}', 'panic', 'x', 'abc', now(), now())").await;
    browser.read("#needs-title + ul", "1 dead job").await;
    assert_eq!(browser.value("document.activeElement.closest('tr').id").await, "queue-vendor");
    browser.close().await;
}

#[tokio::test]
async fn with_the_keyboard_alone_an_attempt_is_found_and_retried() {
    let app = TestApp::start_with(Wishes { script: Script::parse(REFUSES).unwrap(), ..Wishes::default() }).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    wait_for("it to die", async || (app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await == 1).then_some(()))
        .await;
    app.vendor.set_script(Script::default()).unwrap();
    let browser = signed_in(&app).await;
    browser.client.find(Locator::Css("body")).await.unwrap().send_keys("/").await.unwrap();
    browser.until("the box has the focus", async || browser.value("document.activeElement.id").await == "find").await;
    let typed = format!("{receipt}{}", char::from(Key::Enter));
    browser.client.active_element().await.unwrap().send_keys(&typed).await.unwrap();
    browser.read("h1", &receipt).await;
    browser.find("html[data-ready]").await;
    tab_to(&browser, "retry-reason").await;
    let typed = format!("by hand{}", char::from(Key::Enter));
    browser.client.active_element().await.unwrap().send_keys(&typed).await.unwrap();
    browser.read(".flash", "set going again").await;
    browser.read("[data-region=now] .lead", "approved").await;
    browser.client.find(Locator::Css("body")).await.unwrap().send_keys("ga").await.unwrap();
    browser.read("h1", "Audit").await;
    browser.read("table", "by hand").await;
    browser.close().await;
    app.finish().await;
}

/// Goes on with Tab until an element has the focus; each on the way must be seen to have it.
async fn tab_to(browser: &Browser, id: &str) {
    for _ in 0..40 {
        browser.key(Key::Tab).await;
        if browser.value("document.activeElement.id").await == id {
            return;
        }
        let style = "getComputedStyle(document.activeElement)";
        let is_seen = browser.value(&format!("{style}.outlineStyle !== 'none' && parseFloat({style}.outlineWidth) >= 2")).await;
        assert_eq!(is_seen, true, "{}", browser.value("document.activeElement.outerHTML").await);
    }
    panic!("Tab does not lead to {id}");
}

#[tokio::test]
async fn no_page_is_wider_than_a_phone_and_colours_are_remembered() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    crate::console::dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), &"a long error ".repeat(40)).await;
    let browser = signed_in(&app).await;
    browser.set_screen(360, 780, false).await;
    let mut wide = Vec::new();
    for path in [
        "",
        "/errors",
        "/jobs",
        "/search",
        "/retries/new?state=dead",
        "/audit",
        "/queues/vendor",
        &format!("/attempts/{receipt}"),
    ] {
        browser.open(&format!("{}/ops{path}", app.url)).await;
        let width = browser.value("document.documentElement.scrollWidth").await.as_f64().unwrap();
        if width > 360.0 {
            wide.push(format!("{path}: {width}"));
        }
    }
    assert!(wide.is_empty(), "{wide:?}");
    browser.press(".themes [value=dark]").await;
    browser.find("html[data-theme=dark]").await;
    browser.open(&format!("{}/ops/audit", app.url)).await;
    browser.find("html[data-theme=dark]").await;
    assert_eq!(browser.value("getComputedStyle(document.documentElement).colorScheme").await, "dark");
    browser.close().await;
}
