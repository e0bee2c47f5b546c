//! The vendor as it should be: strict with submissions, truthful with verdicts.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::SysRng;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use vouch_common::vendor::software_secure::cipher::PhotoKey;
use vouch_common::vendor::software_secure::request::{RequestFacts, RequestKeys, SignedRequest, build_request};

use super::super::{Clock, Excerpt, Kind, Script, SimulatorError, start};
use super::world::{
    ACCESS_KEY, FACE, Heard, LIMIT, NAME, RECEIPT, World, config, decisions, photo_id_key, private_key, secret, statuses,
};

#[tokio::test]
async fn a_good_submission_is_answered_and_its_signed_verdict_called_back() {
    let mut world = World::with_script(json!({})).await;

    assert_eq!(world.submit(RECEIPT, NAME).await, 200);

    let heard = world.hear().await;
    let callback = world.read(&heard).unwrap();
    assert_eq!(callback.receipt.as_deref(), Some(RECEIPT));
    assert_eq!((callback.result.as_str(), callback.reason_json.as_str()), ("PASS", "\"\""));
    let entries = world.wait_for_entries(2).await;
    assert_eq!(entries[0].event.kind, Kind::Submission);
    assert_eq!(entries[0].event.face.as_ref().unwrap().bytes, FACE.len());
    assert_eq!(entries[0].event.photo_id.as_ref().unwrap().media_type, "image/png");
    assert_eq!(entries[0].event.name_sha256, Some(hex::encode(Sha256::digest(NAME))));
    assert_eq!(entries[1].event.kind, Kind::Callback);
    assert_eq!(entries[1].event.body_sha256, hex::encode(Sha256::digest(&heard.body)));
    assert_eq!(statuses(&entries), [Some(200), Some(200)]);
    world.simulator.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_verdict_follows_the_name_and_its_signature_may_cover_the_content_type() {
    let mut world = World::with_script(json!({"callback": {"covers": "content_type_and_date"}})).await;

    assert_eq!(world.submit("r1", "Sofia FAIL").await, 200);
    let heard = world.hear().await;
    let callback = world.read(&heard).unwrap();
    assert_eq!(callback.result, "FAIL");
    assert_eq!(callback.reason_json, r#"[{"photoIdReasons": ["Not provided"]}]"#);
    assert_eq!(callback.message_type, "Photo reasons");
    assert_eq!(world.submit("r2", "Sofia SYSTEM").await, 200);
    assert_eq!(world.verdict().await, "SYSTEM FAIL");
    let bare = Heard { content_type: String::new(), ..heard };
    assert!(world.read(&bare).is_err());
}

#[tokio::test]
async fn the_journal_is_served_without_name_address_or_key() {
    let mut world = World::with_script(json!({})).await;
    world.submit(RECEIPT, NAME).await;
    world.hear().await;
    world.wait_for_entries(2).await;

    let url = format!("http://{}/_journal?after=1", world.simulator.addr());
    let text = world.client.get(url).send().await.unwrap().text().await.unwrap();
    let excerpt: Excerpt = serde_json::from_str(&text).unwrap();
    assert_eq!(excerpt.entries.len(), 1);
    assert_eq!(excerpt.entries[0].seq, 2);
    let all = serde_json::to_string(&world.simulator.journal().entries()).unwrap();
    for hidden in ["Sofia", "http:", "127.0.0.1", ACCESS_KEY] {
        assert!(!all.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn a_wrong_signature_key_or_date_is_answered_with_401_and_journalled_with_its_reason() {
    let world = World::with_script(json!({})).await;
    let good = world.request(RECEIPT, NAME, "photo_id");
    let with_header = |place: usize, change: &dyn Fn(&str) -> String| {
        let mut request = good.clone();
        request.headers[place].1 = change(&good.headers[place].1);
        request
    };
    let another_body = {
        let body = String::from_utf8(good.body.clone()).unwrap().replace("Sofia", "Eve");
        SignedRequest { body: body.into_bytes(), ..good.clone() }
    };

    let wrong = [
        (another_body, "the signature is wrong"),
        (with_header(0, &|_| "text/plain".to_owned()), "the signature is wrong"),
        (with_header(1, &|_| "Wed, 01 Jun 2016 12:00:01 GMT".to_owned()), "the signature is wrong"),
        (with_header(2, &|value| value.replace("SSI B", "SSI C")), "the access key is unknown"),
        (with_header(2, &|_| "SSI".to_owned()), "the authorization is missing or malformed"),
    ];
    for (request, _) in &wrong {
        assert_eq!(world.post(request).await.unwrap().status().as_u16(), 401);
    }
    *world.now.lock().unwrap() += TimeDelta::seconds(301);
    assert_eq!(world.post(&good).await.unwrap().status().as_u16(), 401);

    let entries = world.simulator.journal().entries();
    let details: Vec<&str> = entries.iter().map(|entry| entry.event.detail.as_str()).collect();
    let expected: Vec<&str> = wrong.iter().map(|(_, detail)| *detail).chain(["the date is too far from now"]).collect();
    assert_eq!(details, expected);
    assert!(entries.iter().all(|entry| entry.event.receipt.is_none() && entry.event.decision == "refused"));
}

#[tokio::test]
async fn a_body_that_is_no_submission_is_answered_with_4xx() {
    let world = World::with_script(json!({})).await;
    let request = |body: Vec<u8>| SignedRequest { headers: Vec::new(), body };

    assert_eq!(world.post(&request(b"no json".to_vec())).await.unwrap().status().as_u16(), 400);
    assert_eq!(world.post(&request(b"[]".to_vec())).await.unwrap().status().as_u16(), 400);
    assert_eq!(world.post(&request(vec![b' '; 300_000])).await.unwrap().status().as_u16(), 413);
    assert_eq!(world.client.get(format!("http://{}/", world.simulator.addr())).send().await.unwrap().status(), 405);
    assert_eq!(statuses(&world.simulator.journal().entries()), [Some(400), Some(400), Some(413)]);
}

#[tokio::test]
async fn a_photo_that_is_missing_or_no_picture_is_answered_with_422_and_may_be_submitted_again() {
    let mut world = World::with_script(json!({})).await;

    for photo_id in ["text", "absent", "face"] {
        let answer = world.post(&world.request(RECEIPT, NAME, photo_id)).await.unwrap();
        assert_eq!(answer.status().as_u16(), 422, "{photo_id}");
    }
    assert_eq!(world.submit(RECEIPT, NAME).await, 200);

    assert_eq!(world.verdict().await, "PASS");
    let entries = world.wait_for_entries(5).await;
    assert_eq!(entries[0].event.detail, "ID photo: the photo has no known format");
    assert_eq!(entries[1].event.detail, "ID photo: the photo's address answered with status 404");
    assert!(entries[2].event.detail.starts_with("ID photo: could not decrypt the photo"));
}

#[tokio::test]
async fn a_face_key_that_is_not_the_shared_one_is_refused() {
    let world = World::with_script(json!({})).await;
    let vendor_key = private_key().public_key();
    let url = world.address("photos/face");
    let wrapped = vendor_key.wrap(&photo_id_key(), &mut SysRng).unwrap();
    let facts = RequestFacts {
        receipt_id: RECEIPT,
        expected_name: NAME,
        photo_id_url: &url,
        photo_id_key: &wrapped,
        send_response_to: &url,
        user_photo_url: &url,
    };
    let (secret, another) = (secret(), PhotoKey::parse_bytes(&[1; 32]).unwrap());
    let keys = RequestKeys { access_key: ACCESS_KEY, secret: &secret, public_key: &vendor_key, face_key: &another };
    let request = build_request(&facts, &keys, *world.now.lock().unwrap(), &mut SysRng).unwrap();

    assert_eq!(world.post(&request).await.unwrap().status().as_u16(), 422);
}

#[tokio::test]
async fn the_same_receipt_again_is_answered_alike_but_gets_one_verdict_only() {
    let mut world = World::with_script(json!({})).await;

    for _ in 0..3 {
        assert_eq!(world.submit(RECEIPT, NAME).await, 200);
    }
    assert_eq!(world.submit("another", NAME).await, 200);

    let heard = [world.hear().await, world.hear().await];
    let receipts: Vec<_> = heard.iter().map(|heard| world.read(heard).unwrap().receipt.unwrap()).collect();
    assert!(receipts.contains(&RECEIPT.to_owned()) && receipts.contains(&"another".to_owned()));
    let entries = world.wait_for_entries(6).await;
    assert_eq!(decisions(&entries).iter().filter(|decision| **decision == "repeated").count(), 2);
    assert_eq!(entries.iter().filter(|entry| entry.event.kind == Kind::Callback).count(), 2);
}

#[tokio::test]
async fn a_shutdown_drops_verdicts_that_still_wait() {
    let world = World::with_script(json!({"callback": {"delay_ms": 86_400_000}})).await;
    assert_eq!(world.submit(RECEIPT, NAME).await, 200);
    let journal = world.simulator.journal();

    timeout(LIMIT, world.simulator.shutdown()).await.expect("the shutdown is quick").unwrap();

    assert_eq!(journal.entries().len(), 1);
}

#[tokio::test]
async fn a_taken_address_and_a_bad_script_are_told_at_the_start() {
    let world = World::with_script(json!({})).await;
    let clock: Clock = Arc::new(|| DateTime::<Utc>::UNIX_EPOCH);
    let mut taken = config(Script::default(), Arc::clone(&clock));
    taken.listen = world.simulator.addr();
    let mut bad = config(Script::default(), clock);
    bad.script.callback.tries = 0;

    assert!(matches!(start(taken).await, Err(SimulatorError::Listen { .. })));
    assert!(matches!(start(bad.clone()).await, Err(SimulatorError::Script { .. })));
    assert!(!format!("{bad:?}").contains('C'.to_string().repeat(40).as_str()));
}
