//! Photos that are made to do harm, and a job that kills whoever works on it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vouch_cli::simulator::Script;
use vouch_tests::samples;

use crate::{
    learners::{GOOD, Wish},
    stage::Stage,
};

const DENIED: Wish = Wish { name: "", ends: &["denied"], is_at_checkpoints: false };
const EITHER: Wish = Wish { name: "", ends: &["approved", "denied"], is_at_checkpoints: false };
const POISON: Wish = Wish { name: "POISON", ends: &["approved"], is_at_checkpoints: false };

/// Photos that are accepted and denied with a reason.
const BAD: [&str; 6] = ["bomb.png", "lying-header.png", "truncated.jpg", "corrupt.jpg", "tiny.jpg", "black.jpg"];
/// Photos that are none.
const NO_PHOTOS: [&str; 5] = ["text.jpg", "script.svg", "polyglot.gif", "animated.gif", "empty.jpg"];

/// Bombs, broken and lying files, twice at once: learners are told why, and no program dies or grows.
pub async fn photos(stage: &mut Stage) -> Result<()> {
    let ids = |stage: &Stage| stage.programs.iter().map(crate::process::Program::id).collect::<Vec<_>>();
    let before = ids(stage);
    let users = stage.learners.register(2 * BAD.len() as i64, DENIED).await?;
    let submissions: Vec<(i64, Value)> =
        users.iter().zip(BAD.iter().cycle()).map(|(user, name)| (*user, with(stage, samples::bad(name)))).collect();
    let sent = submissions.iter().map(|(user, fields)| stage.learners.submit_fields(*user, DENIED, fields));
    futures_util::future::try_join_all(sent).await?;
    for photo in [laden_with_exif(), polyglot()] {
        let user = stage.learners.register(1, EITHER).await?[0];
        stage.learners.submit_fields(user, EITHER, &with(stage, photo)).await?;
    }
    stage.learners.submit(3, GOOD).await?;
    for name in NO_PHOTOS {
        let user = stage.learners.register(1, GOOD).await?[0];
        let answer = stage.learners.request(user, &with(stage, samples::bad(name)))?.send().await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        stage.expect(status == 400 && text.contains("not valid"), format!("{name} was answered {status}: {text}"));
    }
    let user = stage.learners.register(1, GOOD).await?[0];
    let huge = [br#"{"face_image": "data:image/png;base64,"#, &[b'A'; 1 << 20].repeat(134)[..], br#""}"#].concat();
    // A server may hang up while the rest is still on its way.
    if let Ok(answer) = stage.learners.request_with_body(user, huge)?.send().await {
        let status = answer.status().as_u16();
        stage.expect(matches!(status, 400 | 413), format!("a photo of 100 MB was answered {status}"));
    }
    let decided = "SELECT count(*) FROM attempts WHERE status IN ('approved', 'denied')";
    stage.wait_for_count("all to be decided", decided, 2 * BAD.len() as i64 + 5).await?;
    for (user, _) in submissions {
        let standing: Value = stage.learners.ask_standing(user).await?.error_for_status()?.json().await?;
        let has_reason = standing["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty());
        stage.expect(has_reason, format!("learner {user} was denied without a reason: {standing}"));
    }
    stage.expect(ids(stage) == before, "a program died of a photo");
    let most = stage.programs.iter().filter_map(crate::process::Program::usage).map(|usage| usage.rss_mib).max();
    stage.notes.push(format!("no program ever had more than {} MiB", most.unwrap_or_default()));
    Ok(())
}

fn with(stage: &Stage, photo_id: String) -> Value {
    json!({ "face_image": stage.learners.good_photos()["face_image"], "photo_id_image": photo_id })
}

/// A good photo with 4 MB of EXIF whose directories point at themselves.
fn laden_with_exif() -> String {
    let photo = samples::bytes("good/face.jpg");
    let mut segment = b"Exif\0\0II*\0\x08\0\0\0".to_vec();
    // A directory with as many entries as can be said, each a sub-directory at its own place.
    segment.extend(u16::MAX.to_le_bytes());
    while segment.len() < 65_000 {
        segment.extend([0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0]);
    }
    let length = u16::try_from(segment.len() + 2).unwrap_or_default().to_be_bytes();
    let segment = [&[0xff, 0xe1], &length[..], &segment].concat();
    samples::data_url(&[&photo[..2], &segment.repeat(64), &photo[2..]].concat())
}

/// A good photo that is a web page as well, and an archive.
fn polyglot() -> String {
    let photo = samples::bytes("good/id.jpg");
    samples::data_url(&[&photo[..], b"<html><script>alert(1)</script></html>PK\x05\x06", &[0; 18]].concat())
}

/// The worker dies each time that it works on one job: after three times nobody gets it any more; all others flow.
pub async fn job(stage: &mut Stage) -> Result<()> {
    let hangs = br#"{"answer": {"fault": {"kind": "hang"}, "name_contains": "POISON"}, "callback": {"copies": 0}}"#;
    stage.vendor.set_script(Script::parse(hangs)?)?;
    let user = stage.learners.register(1, POISON).await?[0];
    let receipt = stage.learners.submit_one(user, POISON).await?;
    let job = format!("FROM jobs WHERE kind = 'submit_to_vendor' AND subject = '{receipt}'");
    for delivery in 1..=3 {
        let claimed = format!("SELECT count(*) {job} AND phase = 'running' AND deliveries = {delivery}");
        stage.wait_for_count("the claim that kills", &claimed, 1).await?;
        stage.kill("vendor").await?;
        stage.start("vendor").await?;
        stage.learners.submit(3, GOOD).await?;
        let flowed = "SELECT count(*) FROM attempts WHERE status = 'submitted'";
        stage.wait_for_count("the others", flowed, 3 * delivery).await?;
    }
    stage.wait_for_count("quarantine", &format!("SELECT count(*) {job} AND dead_at IS NOT NULL"), 1).await?;
    let dead = stage.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await?;
    let classed = stage.count(&format!("SELECT count(*) {job} AND error_class = 'no_outcome' AND failures = 0")).await?;
    stage.expect(dead == 1 && classed == 1, format!("{dead} jobs are dead, {classed} of them for want of an outcome"));
    let orders = |stage: &Stage| {
        let entries = stage.vendor.journal().entries();
        entries.iter().filter(|entry| entry.event.receipt.as_deref() == Some(&receipt)).count()
    };
    let calls = orders(stage);
    stage.learners.submit(3, GOOD).await?;
    stage.wait_for_count("the others", "SELECT count(*) FROM attempts WHERE status = 'submitted'", 12).await?;
    stage.expect(orders(stage) == calls && calls <= 3, format!("the vendor had {calls} calls for it, then {}", orders(stage)));
    // What killed its workers is over, and an operator says so. Verdicts come at last.
    stage.vendor.set_script(stage.well.clone())?;
    stage.retry_the_dead("error_class = 'no_outcome'").await?;
    // The vendor may have heard of it for the first time now, and then calls back by itself.
    stage.wait_for_count("all", "SELECT count(*) FROM attempts WHERE status IN ('submitted', 'approved')", 13).await?;
    for accepted in stage.learners.noted().accepted {
        let status = stage.call_back(&accepted.receipt, "approved").await.context("a verdict")?.status();
        stage.expect(status.is_success(), format!("a verdict was answered {status}"));
    }
    Ok(())
}
