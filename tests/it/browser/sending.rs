//! Sending photos, paying, and reading: what goes wrong, other languages, the keyboard, small screens.

use fantoccini::key::Key;
use vouch_tests::{
    browser::{Browser, Camera},
    samples,
};

use super::stand_in::{Answer, StandIn, flow};

/// Uploads both photos, up to the review.
async fn upload_both(browser: &Browser) {
    browser.upload("#face-file", &samples::bytes("good/face.jpg")).await;
    browser.press("#face-photo-step [data-do=use]").await;
    browser.upload("#photo_id-file", &samples::bytes("good/id-1920.jpg")).await;
    browser.press("#id-photo-step [data-do=use]").await;
    browser.see("#submit-photos").await;
}

#[tokio::test]
async fn a_refusal_is_shown_in_the_servers_words_and_can_be_mended() {
    let vouch = StandIn::start().await;
    vouch.will_answer([Answer::Refused(400, "Name must be at least 2 characters long."), Answer::Refused(500, "secret")]);
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    upload_both(&browser).await;
    browser.press("#review-photos-step summary").await;
    browser.see("#full-name").await.send_keys("S").await.unwrap();
    browser.press("#submit-photos:enabled").await;
    browser.read("#review-photos-step .problem", "Could not submit photos").await;
    browser.read("#review-photos-step .problem", "Name must be at least 2 characters long.").await;
    browser.see("#full-name").await.send_keys("ofia Marek").await.unwrap();
    browser.press("#submit-photos:enabled").await;
    browser.read("#review-photos-step .problem", "An error has occurred. Please try again later.").await;
    browser.press("#submit-photos:enabled").await;
    browser.see("#enrollment-confirmation-step").await;
    vouch.submissions(|sent| {
        assert_eq!(sent[0].parts["full_name"], b"S");
        assert_eq!(sent[2].parts["full_name"], b"Sofia Marek");
        assert_ne!(sent[0].key, sent[1].key, "another name is another submission");
        assert_eq!(sent[1].key, sent[2].key);
    });
    assert!(vouch.has_event("edx.bi.user.full_name.changed"));
    browser.close().await;
}

#[tokio::test]
async fn after_a_reload_the_same_name_has_the_same_key_and_another_name_another() {
    let vouch = StandIn::start().await;
    let lost = || Answer::Refused(500, "lost");
    vouch.will_answer([lost(), lost(), Answer::Refused(422, "This Idempotency-Key was used for another submission.")]);
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    upload_both(&browser).await;
    browser.press("#review-photos-step summary").await;
    browser.see("#full-name").await.send_keys("Sofia").await.unwrap();
    for more in ["", " Marek"] {
        browser.press("#submit-photos:enabled").await;
        browser.read("#review-photos-step .problem", "An error has occurred. Please try again later.").await;
        browser.reload().await;
        browser.see("#full-name").await.send_keys(more).await.unwrap();
    }
    browser.press("#submit-photos:enabled").await;
    browser.see("#enrollment-confirmation-step").await;
    vouch.submissions(|sent| {
        let names: Vec<&[u8]> = sent.iter().map(|one| one.parts["full_name"].as_slice()).collect();
        assert_eq!(names, [&b"Sofia"[..], b"Sofia", b"Sofia Marek", b"Sofia Marek"]);
        assert_eq!(sent[0].key, sent[1].key);
        assert_ne!(sent[1].key, sent[2].key, "another name is another submission");
        assert_ne!(sent[2].key, sent[3].key, "a key that was used for another submission is replaced");
    });
    browser.close().await;
}

#[tokio::test]
async fn a_submission_that_gets_no_answer_is_sent_again_with_its_key() {
    let vouch = StandIn::start().await;
    vouch.will_answer([Answer::Refused(503, "busy")]);
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    upload_both(&browser).await;
    browser.press("#submit-photos").await;
    browser.see("#enrollment-confirmation-step").await;
    vouch.submissions(|sent| {
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].key, sent[1].key);
    });
    browser.close().await;
}

#[tokio::test]
async fn a_sign_in_page_that_names_our_address_is_not_taken_for_an_answer() {
    let vouch = StandIn::start().await;
    vouch.will_answer([Answer::SignIn]);
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    upload_both(&browser).await;
    browser.press("#submit-photos").await;
    browser.read("#review-photos-step .problem", "You are no longer signed in").await;
    browser.press("#submit-photos:enabled").await;
    browser.see("#enrollment-confirmation-step").await;
    vouch.submissions(|sent| assert_eq!(sent[0].key, sent[1].key));
    browser.close().await;
}

#[tokio::test]
async fn a_checkpoint_sends_the_learner_back_to_the_course() {
    let vouch = StandIn::start().await;
    vouch.will_answer([Answer::Back("/elsewhere?activate_block_id=x")]);
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("incourse-reverify")).await;
    browser.upload("#face-file", &samples::bytes("good/face.jpg")).await;
    browser.press("#face-photo-step [data-do=use]").await;
    browser.find("#elsewhere").await;
    assert!(browser.client.current_url().await.unwrap().as_str().ends_with("/elsewhere?activate_block_id=x"));
    browser.close().await;
}

#[tokio::test]
async fn the_pages_speak_german_to_whoever_wants_german() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "de").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    assert_eq!(browser.value("document.documentElement.lang").await, "de");
    browser.read("h1", "Verifizierung für Introduction to Statistics").await;
    browser.read(".where", "Schritt 2 von 5").await;
    browser.press("#face-photo-step [data-do=open]").await;
    browser.read("#face-photo-step .problem", "Es wurde keine Kamera gefunden").await;
    browser.press("a[hreflang=en]").await;
    browser.read("h1", "Verify For").await;
    browser.open(&vouch.page("reverify")).await;
    browser.read("h1", "Verify your identity again").await;
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Shows(samples::bytes("good/face-1920.jpg")), "en").await;
    browser.open(&vouch.page("reverify")).await;
    for step in ["face-photo-step", "id-photo-step"] {
        browser.see(&format!("#{step}")).await;
        tab_to(&browser, &format!("#{step} [data-do=open]")).await;
        browser.key(Key::Enter).await;
        browser.find(&format!("#{step} [data-do=shoot]:focus")).await;
        browser.key(Key::Enter).await;
        browser.find(&format!("#{step} [data-do=use]:focus")).await;
        browser.key(Key::Enter).await;
    }
    browser.find("#review-photos-step-title:focus").await;
    tab_to(&browser, "#submit-photos").await;
    browser.key(Key::Enter).await;
    browser.find("#reverify-success-step-title:focus").await;
    browser.close().await;
}

/// Presses the tabulator until the focus is there.
async fn tab_to(browser: &Browser, css: &str) {
    for _ in 0..30 {
        if browser.value(&format!("document.activeElement?.matches('{css}')")).await == true {
            return;
        }
        browser.key(Key::Tab).await;
    }
    panic!("{css} can't be reached with the keyboard");
}

#[tokio::test]
async fn a_narrow_screen_never_scrolls_sideways() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "de").await;
    browser.set_screen(320, 640, false).await;
    let pages =
        ["reverify", "missed-deadline", "reverify-not-allowed", "incourse-reverify", "embargo-blocked", "submission-status"];
    for page in pages {
        browser.client.goto(&vouch.page(page)).await.unwrap();
        assert_fits(&browser, page).await;
    }
    let steps = ["make-payment-step", "payment-confirmation-step", "face-photo-step", "id-photo-step", "review-photos-step"];
    for step in ["intro-step"].into_iter().chain(steps) {
        vouch.set_facts(flow(step, &[&["intro-step"], &steps[..], &["enrollment-confirmation-step"]].concat()));
        browser.open(&format!("{}?payment-order-num=7", vouch.page("pay-and-verify"))).await;
        assert_fits(&browser, step).await;
    }
    browser.close().await;
}

async fn assert_fits(browser: &Browser, what: &str) {
    let width = browser.value("document.documentElement.scrollWidth").await;
    assert_eq!(width, 320, "{what}");
    let small = "[...document.querySelectorAll('main button, main a, main select, main summary, main input[type=text], main label, .top a, .foot a')]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24).map((one) => one.outerHTML)";
    assert_eq!(browser.value(small).await, serde_json::json!([]), "too small to hit: {what}");
}

#[tokio::test]
async fn paying_shows_a_refusal_and_then_leaves_for_the_payment_page() {
    let vouch = StandIn::start().await;
    vouch.set_facts(flow("make-payment-step", &["make-payment-step", "payment-confirmation-step"]));
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    browser.press("#paypal").await;
    browser.read("#make-payment-step .problem", "Selected price is not valid number.").await;
    browser.press("#CyberSource2:enabled").await;
    browser.find("#elsewhere").await;
    let orders = vouch.orders();
    assert_eq!(orders[0], "processor=paypal&contribution=49.00&course_id=course-v1%3AedX%2BDemoX%2BFall&sku=");
    assert!(orders[1].starts_with("processor=CyberSource2&"));
    browser.close().await;
}

#[tokio::test]
async fn the_receipt_of_a_payment_is_shown_and_verification_is_next() {
    let vouch = StandIn::start().await;
    vouch.set_facts(flow("payment-confirmation-step", &["make-payment-step", "payment-confirmation-step", "face-photo-step"]));
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&format!("{}?payment-order-num=9", vouch.page("pay-and-verify"))).await;
    browser.read("tfoot", "49.50 USD").await;
    browser.see("table.is-refunded").await;
    let next = browser.see("#verify-now").await.attr("href").await.unwrap().unwrap();
    assert_eq!(next, "/verify_student/verify-now/course-v1:edX+DemoX+Fall/");
    browser.open(&format!("{}?payment-order-num=404", vouch.page("pay-and-verify"))).await;
    browser.read("#payment-confirmation-step .problem", "Could not retrieve payment information").await;
    browser.close().await;
}
