//! Taking photos: with a camera, without one, and with one that is forbidden.

use serde_json::json;
use vouch_tests::{
    browser::{Browser, Camera},
    samples,
};

use super::stand_in::{RECEIPT, StandIn};

const FACE: &str = "#face-photo-step";
const ID: &str = "#id-photo-step";

fn a_camera() -> Camera {
    Camera::Shows(samples::bytes("good/face-1920.jpg"))
}

/// Takes a photo with the camera and uses it.
async fn take(browser: &Browser, step: &str) {
    browser.press(&format!("{step} [data-do=open]")).await;
    browser.press(&format!("{step} [data-do=shoot]")).await;
    browser.read(&format!("{step} .hint"), "The photo is taken.").await;
    browser.press(&format!("{step} [data-do=use]")).await;
}

#[tokio::test]
async fn a_learner_takes_both_photos_and_sends_them() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    browser.see(FACE).await;
    browser.read(".where", "Step 2 of 5").await;
    take(&browser, FACE).await;
    take(&browser, ID).await;
    browser.read("#review-photos-step .name strong", "Sofia <b>Marek</b>").await;
    browser.press("#submit-photos").await;
    browser.read("#enrollment-confirmation-step .receipt", RECEIPT).await;
    browser.read(".standing-text", "Your photos are being checked").await;
    vouch.submissions(|sent| {
        assert_eq!(sent.len(), 1);
        let names: std::collections::BTreeSet<&str> = sent[0].parts.keys().map(String::as_str).collect();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["face_image", "photo_id_image"]);
        assert!(sent[0].parts.values().all(|photo| photo.starts_with(&[0xFF, 0xD8, 0xFF])));
        assert_eq!((sent[0].key.len(), sent[0].csrf.len()), (36, 32));
    });
    assert!(vouch.has_event("edx.bi.user.face_image.captured"));
    assert!(vouch.has_event("edx.bi.user.identification_image.captured"));
    browser.close().await;
}

#[tokio::test]
async fn a_denial_tells_why_and_what_to_do() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "de").await;
    let reason = "The image of your face was not clear.";
    vouch.set_standing(json!({ "status": "must_reverify", "can_verify": true, "reasons": [reason, "Something new"] }));
    browser.client.goto(&vouch.page("submission-status")).await.unwrap();
    browser.read(".standing-text", "Ihre Fotos konnten nicht angenommen werden").await;
    browser.read(".reasons", "Das Foto Ihres Gesichts war nicht deutlich.").await;
    browser.read(".reasons", "wischen Sie die Linse ab").await;
    browser.read(".reasons", "Something new").await;
    browser.see(".again").await;
    browser.close().await;
}

#[tokio::test]
async fn whoever_forbids_the_camera_learns_how_to_allow_it_and_can_upload() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Denied, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    browser.press(&format!("{FACE} [data-do=open]")).await;
    browser.read(&format!("{FACE} .problem"), "The camera is blocked").await;
    browser.read(&format!("{FACE} .problem"), "allow the camera").await;
    browser.upload("#face-file", &samples::bytes("good/face.jpg")).await;
    browser.read(&format!("{FACE} .hint"), "The photo is taken.").await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    browser.see(ID).await;
    browser.close().await;
}

#[tokio::test]
async fn a_machine_without_a_camera_uploads_both_photos() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("reverify")).await;
    browser.press(&format!("{FACE} [data-do=open]")).await;
    browser.read(&format!("{FACE} .problem"), "No camera was found").await;
    browser.upload("#face-file", &samples::bytes("good/face.webp")).await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    browser.upload("#photo_id-file", &samples::bytes("bad/text.jpg")).await;
    browser.read(&format!("{ID} .problem"), "This file can't be used").await;
    browser.upload("#photo_id-file", &samples::bytes("good/id-1920.jpg")).await;
    browser.press(&format!("{ID} [data-do=use]")).await;
    browser.press("#submit-photos").await;
    browser.read("#reverify-success-step", "We have your photos").await;
    browser.close().await;
}

#[tokio::test]
async fn a_photo_that_lies_on_its_side_is_sent_upright_and_without_its_place() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("incourse-reverify")).await;
    browser.upload("#face-file", &samples::bytes("good/face-exif-rotated-gps.jpg")).await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    browser.until("it is sent", async || vouch.submissions(|sent| sent.len() == 1)).await;
    vouch.submissions(|sent| {
        let photo = &sent[0].parts["face_image"];
        let size = image::ImageReader::new(std::io::Cursor::new(photo)).with_guessed_format().unwrap().into_dimensions().unwrap();
        assert_eq!(size, (640, 480));
        assert!(!photo.windows(4).any(|part| part == b"Exif"));
        assert_eq!(sent[0].parts["checkpoint"], samples::USAGE.as_bytes());
        assert_eq!(sent[0].parts["course_key"], b"course-v1:edX+DemoX+Fall");
    });
    browser.close().await;
}

#[tokio::test]
async fn taking_one_photo_again_keeps_the_other() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    take(&browser, FACE).await;
    take(&browser, ID).await;
    browser.press("[data-change=photo_id]").await;
    browser.press(&format!("{ID} [data-do=retake]")).await;
    browser.press(&format!("{ID} [data-do=shoot]")).await;
    browser.press(&format!("{ID} [data-do=use]")).await;
    browser.see("#submit-photos").await;
    assert_eq!(browser.value("document.getElementById('review-face').naturalWidth > 0").await, true);
    assert!(vouch.has_event("edx.bi.user.images.retaken"));
    browser.press("[data-change=face]").await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    browser.press("#submit-photos").await;
    browser.see("#enrollment-confirmation-step").await;
    browser.close().await;
}

#[tokio::test]
async fn photos_outlive_a_reload_until_they_are_sent() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    take(&browser, FACE).await;
    take(&browser, ID).await;
    browser.see("#submit-photos").await;
    browser.until("the draft is kept", async || kept(&browser).await == json!(1)).await;
    browser.reload().await;
    browser.press("#submit-photos").await;
    browser.see("#enrollment-confirmation-step").await;
    browser.until("the draft is gone", async || kept(&browser).await == json!(0)).await;
    browser.close().await;
}

/// How many drafts the browser keeps whose step is the review's.
async fn kept(browser: &Browser) -> serde_json::Value {
    let script = "const done = arguments[0]; const opening = indexedDB.open('vouch', 1);
        opening.onsuccess = () => { const all = opening.result.transaction('drafts').objectStore('drafts').getAll();
            all.onsuccess = () => { opening.result.close(); done(all.result.filter((one) => one.step === 'review-photos-step').length); }; };";
    browser.client.execute_async(script, Vec::new()).await.unwrap()
}

#[tokio::test]
async fn a_poor_photo_is_warned_about_twice_and_then_accepted() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Absent, "en").await;
    browser.open(&vouch.page("pay-and-verify")).await;
    let hint = format!("{FACE} .hint");
    browser.upload("#face-file", &samples::bytes("bad/black.jpg")).await;
    browser.read(&hint, "too dark").await;
    assert!(!browser.find(&format!("{FACE} [data-do=use]")).await.is_displayed().await.unwrap());
    browser.upload("#face-file", &blurred()).await;
    browser.read(&hint, "not sharp. Please take it once more").await;
    browser.upload("#face-file", &blurred()).await;
    browser.read(&hint, "we accept it").await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    browser.see(ID).await;
    browser.close().await;
}

#[tokio::test]
async fn each_trouble_with_the_camera_has_its_own_words_and_an_upload_beside_them() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    let mut words = std::collections::BTreeSet::new();
    let errors = ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "SecurityError"];
    for error in errors {
        browser.open(&vouch.page("reverify")).await;
        let refusal = format!("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{error}'))");
        browser.value(&refusal).await;
        browser.press(&format!("{FACE} [data-do=open]")).await;
        browser.read(&format!("{FACE} .problem"), "Or upload a photo").await;
        words.insert(browser.see(&format!("{FACE} .problem strong")).await.text().await.unwrap());
        browser.see(&format!("{FACE} .upload label")).await;
    }
    assert_eq!(words.len(), errors.len(), "{words:?}");
    browser.close().await;
}

#[tokio::test]
async fn a_camera_that_is_unplugged_or_out_of_sight_is_let_go() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    browser.open(&vouch.page("reverify")).await;
    browser.press(&format!("{FACE} [data-do=open]")).await;
    browser.see(&format!("{FACE} [data-do=shoot]")).await;
    browser.value("document.querySelector('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))").await;
    browser.read(&format!("{FACE} .problem"), "unplugged").await;
    browser.press(&format!("{FACE} [data-do=open]")).await;
    browser.see(&format!("{FACE} [data-do=shoot]")).await;
    browser.value("window.held = document.querySelector('video').srcObject.getVideoTracks()[0]").await;
    browser.value("Object.defineProperty(document, 'hidden', { value: true })").await;
    browser.value("document.dispatchEvent(new Event('visibilitychange'))").await;
    browser.read(&format!("{FACE} .hint"), "The camera was switched off while you were away.").await;
    assert_eq!(browser.value("window.held.readyState").await, "ended");
    browser.close().await;
}

#[tokio::test]
async fn the_face_is_mirrored_on_the_screen_and_not_in_the_photo() {
    let vouch = StandIn::start().await;
    let browser = Browser::start(a_camera(), "en").await;
    browser.open(&vouch.page("reverify")).await;
    browser.press(&format!("{FACE} [data-do=open]")).await;
    browser.see(&format!("{FACE} [data-do=shoot]")).await;
    let style = format!("getComputedStyle(document.querySelector('{FACE} video')).transform");
    assert_eq!(browser.value(&style).await, "matrix(-1, 0, 0, 1, 0, 0)");
    browser.press(&format!("{FACE} [data-do=shoot]")).await;
    browser.press(&format!("{FACE} [data-do=use]")).await;
    take(&browser, ID).await;
    browser.press("#submit-photos").await;
    browser.see("#reverify-success-step").await;
    let sent = vouch.submissions(|sent| image::load_from_memory(&sent[0].parts["face_image"]).unwrap());
    let original = image::load_from_memory(&samples::bytes("good/face-1920.jpg")).unwrap();
    let far = |one: &image::DynamicImage| {
        let small = |photo: &image::DynamicImage| photo.thumbnail_exact(64, 48).to_luma8();
        let pairs = small(one).into_raw().into_iter().zip(small(&original).into_raw());
        pairs.map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>()
    };
    assert!(far(&sent) * 3 < far(&sent.fliph()));
    browser.close().await;
}

fn blurred() -> Vec<u8> {
    let sharp = image::load_from_memory(&samples::bytes("good/face.jpg")).unwrap();
    let mut photo = std::io::Cursor::new(Vec::new());
    sharp.fast_blur(6.0).write_to(&mut photo, image::ImageFormat::Jpeg).unwrap();
    photo.into_inner()
}
