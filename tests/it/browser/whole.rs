//! The pages on a whole Vouch: real routes, a real worker, a simulated vendor.

use serde_json::json;
use vouch_tests::{
    TestApp, Wishes,
    browser::{Browser, Camera},
    percent, samples,
};

#[tokio::test]
async fn a_denied_learner_reads_why_corrects_the_name_and_is_verified() {
    let app = TestApp::start().await;
    // The simulated vendor denies whoever is called FAIL.
    app.put_user(7, "Sofia FAIL").await;
    let browser = signed_in(&app).await;
    browser.open(&format!("{}/verify_student/reverify", app.url)).await;
    upload_both(&browser).await;
    browser.press("#submit-photos").await;
    browser.read(".standing-text", "Your photos could not be accepted").await;
    browser.read(".standing .reasons", "No photo ID was provided.").await;
    browser.read(".standing .reasons", "Take a photo of your ID as well.").await;
    browser.press(".again").await;
    browser.read(".former", "No photo ID was provided.").await;
    upload_both(&browser).await;
    browser.press("#review-photos-step summary").await;
    browser.see("#full-name").await.send_keys("Sofia Marek").await.unwrap();
    browser.press("#submit-photos").await;
    browser.read(".standing-text", "You are verified").await;
    browser.open(&format!("{}/verify_student/reverify", app.url)).await;
    browser.see(".reverify-blocked").await;
    browser.close().await;
    app.finish().await;
}

#[tokio::test]
async fn whoever_is_signed_out_meanwhile_loses_no_photo() {
    let elsewhere = vec![("VOUCH_LOGIN_URL", "http://localhost:9/login".to_owned())];
    let app = TestApp::start_with(Wishes { settings: elsewhere, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    let browser = signed_in(&app).await;
    browser.open(&format!("{}/verify_student/reverify", app.url)).await;
    upload_both(&browser).await;
    browser.command("Network.deleteCookies", json!({ "name": "vouch_session", "url": app.url })).await;
    browser.press("#submit-photos").await;
    browser.read("#review-photos-step .problem", "You are no longer signed in").await;
    sign_in(&browser, &app).await;
    browser.reload().await;
    browser.press("#submit-photos").await;
    browser.see("#reverify-success-step").await;
    browser.close().await;
}

#[tokio::test]
async fn every_page_of_the_flow_is_shown_under_its_own_address() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia <b>Marek</b>").await;
    let course = json!({ "display_name": "Demo <course>", "modes": [{ "slug": "verified", "min_price": 49 }] });
    app.put(&format!("courses/{}", percent(samples::COURSE)), &course).await;
    let browser = signed_in(&app).await;
    browser.open(&format!("{}/verify_student/start-flow/{}/", app.url, samples::COURSE)).await;
    browser.read("h1", "Demo <course>").await;
    browser.see("#make-payment-step").await;
    assert_eq!(browser.value("document.getElementById('pay-and-verify-container').dataset.courseModeMinPrice").await, "49");
    let enrolment = json!({ "mode": "verified", "is_active": true });
    app.put(&format!("users/7/enrollments/{}", percent(samples::COURSE)), &enrolment).await;
    browser.open(&format!("{}/verify_student/verify-now/{}/", app.url, samples::COURSE)).await;
    upload_both(&browser).await;
    browser.read("#review-photos-step .name strong", "Sofia <b>Marek</b>").await;
    browser.press("#submit-photos").await;
    browser.read(".standing-text", "Your photos are being checked").await;
    browser.close().await;
}

/// A browser whose learner has signed in at the learning platform.
async fn signed_in(app: &TestApp) -> Browser {
    let browser = Browser::start(Camera::Absent, "en").await;
    sign_in(&browser, app).await;
    browser
}

async fn sign_in(browser: &Browser, app: &TestApp) {
    browser.command("Network.setCookie", json!({ "name": "vouch_session", "value": app.token(7), "url": app.url })).await;
}

async fn upload_both(browser: &Browser) {
    browser.upload("#face-file", &samples::bytes("good/face.jpg")).await;
    browser.press("#face-photo-step [data-do=use]").await;
    browser.upload("#photo_id-file", &samples::bytes("good/id-1920.jpg")).await;
    browser.press("#id-photo-step [data-do=use]").await;
    browser.see("#submit-photos").await;
}
