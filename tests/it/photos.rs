//! Photos on their way: every good one arrives clean, every bad one is refused with a reason.

use std::path::PathBuf;

use serde_json::json;
use vouch_common::{
    photos::inspect::{Limits, inspect},
    vendor::software_secure::cipher::{PhotoKey, decrypt_photo},
};
use vouch_tests::{FACE_KEY, TestApp, samples};

#[tokio::test]
async fn every_good_photo_reaches_the_vendor_without_its_metadata() {
    let app = TestApp::start().await;
    let key = PhotoKey::parse_hex(FACE_KEY).unwrap();
    for (name, user) in [
        "face.jpg",
        "face-progressive.jpg",
        "face-gray.jpg",
        "face-cmyk.jpg",
        "face.png",
        "face.webp",
        "face-exif-rotated-gps.jpg",
        "face-1920.jpg",
    ]
    .into_iter()
    .zip(1..)
    {
        let receipt = app.submit(user, "Sofia Marek", json!({ "face_image": samples::good(name) })).await;
        app.wait_for_status(&receipt, "approved").await;
        let is_face = |path: &PathBuf| path.to_string_lossy().contains(&samples::stored("face", &receipt, ""));
        let stored = app.objects().into_iter().find(is_face).unwrap();
        let photo = decrypt_photo(&std::fs::read(stored).unwrap(), &key).unwrap();
        assert!(!photo.windows(4).any(|window| window == b"Exif" || window == b"Phon"), "{name}");
        assert!(inspect(&photo, &Limits::default()).is_ok(), "{name}");
    }
    app.wait_until_idle().await;
    assert!(app.objects().iter().all(|path| !path.to_string_lossy().contains("/uploads/")), "uploads are gone");
    app.finish().await;
}

#[tokio::test]
async fn every_bad_photo_is_denied_at_the_intake_with_a_reason_to_act_on() {
    let app = TestApp::start().await;
    for (name, user) in
        ["truncated.jpg", "corrupt.jpg", "tiny.jpg", "black.jpg", "bomb.png", "lying-header.png"].into_iter().zip(1..)
    {
        let receipt = app.submit(user, "Sofia Marek", json!({ "photo_id_image": samples::bad(name) })).await;
        let attempt = app.wait_for_status(&receipt, "denied").await;
        assert_eq!(attempt["reviewing_service"], "intake", "{name}");
        assert!(attempt["error_msg"].as_str().unwrap().starts_with(r#"[{"photoIdReasons":["#), "{name}");
        let reason = attempt["reasons"][0].as_str().unwrap();
        assert!(reason.contains("ID") && reason.ends_with('.'), "{name}: {reason}");
    }
    app.wait_until_idle().await;
    assert!(app.objects().is_empty());
    assert!(app.vendor.journal().entries().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn a_photo_link_is_only_good_as_it_was_signed_and_in_its_time() {
    let app = TestApp::start().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    let path = app.objects().into_iter().find(|path| path.to_string_lossy().contains("/face/")).unwrap();
    let name = path.strip_prefix(app.folder.path()).unwrap().to_str().unwrap().to_owned();
    let link = app.services().objects().link(&name, chrono::Utc::now()).await.unwrap().to_string();
    let get = async |url: String| app.client.get(url).send().await.unwrap();
    let served = get(link.clone()).await;
    assert_eq!(served.status(), 200);
    assert_eq!(served.headers()["cache-control"], "no-store");
    assert_eq!(served.bytes().await.unwrap(), std::fs::read(&path).unwrap());
    let changed = [
        link.replace("signature=", "signature=0"),
        link.replace("expires=", "expires=9"),
        link.replace("/photos/face/", "/photos/photo_id/"),
        link.replace("/photos/face/", "/photos/uploads/"),
        link.replace("/photos/face/", "/photos/..%2fface/"),
        link.split('?').next().unwrap().to_owned(),
    ];
    for url in changed {
        let status = get(url.clone()).await.status();
        assert!(status == 403 || status == 404, "{url}: {status}");
    }
    app.clock.advance(chrono::TimeDelta::days(6));
    assert_eq!(get(link).await.status(), 403);
}
