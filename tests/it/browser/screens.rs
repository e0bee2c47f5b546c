//! Pictures of every page and step, for people to look at: `cargo test -p vouch-tests --test it screens -- --ignored`.
//! They go to the folder `VOUCH_SHOTS`, or else to a temporary one that is printed.

use std::path::PathBuf;

use serde_json::json;
use vouch_tests::{
    browser::{Browser, Camera},
    samples,
};

use super::stand_in::{Answer, StandIn, flow};

const STEPS: [&str; 7] = [
    "intro-step",
    "make-payment-step",
    "payment-confirmation-step",
    "face-photo-step",
    "id-photo-step",
    "review-photos-step",
    "enrollment-confirmation-step",
];

pub(super) struct Shots<'a> {
    pub(super) browser: &'a Browser,
    pub(super) folder: PathBuf,
}

impl Shots<'_> {
    /// A wide and a narrow screen, by day and by night.
    pub(super) async fn take(&self, name: &str) {
        for (width, height, kind) in [(1280, 900, "wide"), (390, 844, "phone")] {
            for is_dark in [false, true] {
                let light = if is_dark { "dark" } else { "light" };
                self.browser.set_screen(width, height, is_dark).await;
                std::fs::write(self.folder.join(format!("{name}-{kind}-{light}.png")), self.browser.picture().await).unwrap();
            }
        }
    }
}

/// Where the pictures go.
pub(super) fn folder() -> PathBuf {
    let folder = std::env::var("VOUCH_SHOTS").map_or_else(|_| std::env::temp_dir().join("vouch-shots"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    println!("{}", folder.display());
    folder
}

#[tokio::test]
#[ignore = "makes pictures for people"]
async fn pictures_of_every_page() {
    let folder = folder();
    let vouch = StandIn::start().await;
    let browser = Browser::start(Camera::Shows(samples::bytes("good/face-1920.jpg")), "en").await;
    let shots = Shots { browser: &browser, folder };
    for page in ["missed-deadline", "reverify-not-allowed", "incourse-reverify", "embargo-blocked"] {
        browser.client.goto(&vouch.page(page)).await.unwrap();
        shots.take(page).await;
    }
    let reasons = ["The image of your face was not clear.", "Your name was not visible on your photo ID."];
    vouch.set_facts(json!({ "status": "must_reverify", "reasons": reasons }));
    browser.open(&vouch.page("reverify")).await;
    shots.take("reverify").await;
    for step in ["intro-step", "make-payment-step", "payment-confirmation-step"] {
        vouch.set_facts(flow(step, &STEPS));
        browser.open(&format!("{}?payment-order-num=7", vouch.page("pay-and-verify"))).await;
        shots.take(step).await;
    }
    photos(&vouch, &browser, &shots).await;
    browser.close().await;
}

async fn photos(vouch: &StandIn, browser: &Browser, shots: &Shots<'_>) {
    vouch.set_facts(json!({}));
    vouch.will_answer([Answer::Refused(400, "Image data is not valid.")]);
    browser.open(&vouch.page("pay-and-verify")).await;
    shots.take("face-off").await;
    browser.press("#face-photo-step [data-do=open]").await;
    browser.read("#face-photo-step .hint", "Looks good").await;
    shots.take("face-live").await;
    browser.press("#face-photo-step [data-do=shoot]").await;
    browser.see("#face-photo-step [data-do=use]").await;
    shots.take("face-taken").await;
    browser.press("#face-photo-step [data-do=use]").await;
    browser.upload("#photo_id-file", &samples::bytes("bad/black.jpg")).await;
    browser.read("#id-photo-step .hint", "too dark").await;
    shots.take("id-doubt").await;
    browser.upload("#photo_id-file", &samples::bytes("bad/text.jpg")).await;
    browser.read("#id-photo-step .problem", "can't be used").await;
    shots.take("id-wrong").await;
    browser.press("#id-photo-step [data-do=open]").await;
    browser.see("#id-photo-step [data-do=shoot]").await;
    shots.take("id-live").await;
    browser.upload("#photo_id-file", &samples::bytes("good/id-1920.jpg")).await;
    browser.press("#id-photo-step [data-do=use]").await;
    browser.press("#submit-photos").await;
    browser.read("#review-photos-step .problem", "not valid").await;
    shots.take("review").await;
    browser.press("#submit-photos").await;
    browser.read(".receipt", "7b0c").await;
    shots.take("sent").await;
    let reason = "The photo of your face and the photo on your ID do not match.";
    vouch.set_standing(json!({ "status": "must_reverify", "can_verify": true, "reasons": [reason] }));
    browser.client.goto(&vouch.page("submission-status")).await.unwrap();
    browser.read(".reasons", "do not match").await;
    shots.take("denied").await;
}
