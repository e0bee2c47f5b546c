//! The vendor as the script wants it: late, failing, silent, repeating, contradicting itself, lying.

use chrono::TimeDelta;
use serde_json::json;

use super::super::{Kind, Script};
use super::world::{NAME, RECEIPT, World, decisions, statuses};

#[tokio::test]
async fn a_callback_is_tried_again_until_it_is_taken() {
    let mut world = World::with_script(json!({"callback": {"backoff_ms": 1}})).await;
    world.state.statuses.lock().unwrap().extend([503, 400]);

    world.submit(RECEIPT, NAME).await;

    for _ in 0..3 {
        assert_eq!(world.verdict().await, "PASS");
    }
    let entries = world.wait_for_entries(4).await;
    assert_eq!(statuses(&entries[1..]), [Some(503), Some(400), Some(200)]);
    assert_eq!(entries[3].event.detail, "try 3 of 5: taken");
}

#[tokio::test]
async fn a_callback_gives_up_after_its_tries() {
    let mut world = World::with_script(json!({"callback": {"backoff_ms": 0, "tries": 2}})).await;
    world.state.statuses.lock().unwrap().extend([500, 500]);

    world.submit("given-up", NAME).await;
    let entries = world.wait_for_entries(3).await;
    assert_eq!(statuses(&entries), [Some(200), Some(500), Some(500)]);
    world.hear().await;
    world.hear().await;
    world.submit("next", NAME).await;
    let heard = world.hear().await;
    assert_eq!(world.read(&heard).unwrap().receipt.as_deref(), Some("next"));
}

#[tokio::test]
async fn the_first_submissions_meet_a_fault_and_do_not_count() {
    let fault = json!({"kind": "status", "status": 503});
    let mut world = World::with_script(json!({"answer": {"fault": fault, "first": 2}})).await;

    let answers = [world.submit(RECEIPT, NAME).await, world.submit(RECEIPT, NAME).await, world.submit(RECEIPT, NAME).await];

    assert_eq!(answers, [503, 503, 200]);
    assert_eq!(world.verdict().await, "PASS");
    assert_eq!(decisions(&world.simulator.journal().entries()[..3]), ["fault", "fault", "PASS"]);
}

#[tokio::test]
async fn a_fault_ends_when_its_time_is_over() {
    let fault = json!({"kind": "status", "status": 500});
    let world = World::with_script(json!({"answer": {"fault": fault, "for_ms": 60_000}})).await;

    assert_eq!(world.submit("r1", NAME).await, 500);
    *world.now.lock().unwrap() += TimeDelta::seconds(60);
    assert_eq!(world.submit("r1", NAME).await, 200);
}

#[tokio::test]
async fn too_many_requests_and_redirects_carry_their_header() {
    let world = World::with_script(json!({"answer": {"fault": {"kind": "too_many_requests", "retry_after": "7"}}})).await;
    let request = world.request(RECEIPT, NAME, "photo_id");

    let answer = world.post(&request).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    let redirect = Script::parse(br#"{"answer":{"fault":{"kind":"redirect","location":"http://127.0.0.1:1/"}}}"#);
    world.simulator.set_script(redirect.unwrap()).unwrap();
    let answer = world.post(&request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    assert_eq!(answer.headers()["location"], "http://127.0.0.1:1/");
}

#[tokio::test]
async fn a_hanging_vendor_took_the_submission_and_calls_back_without_ever_answering() {
    let mut world = World::with_script(json!({"answer": {"fault": {"kind": "hang"}}})).await;
    let request = world.request(RECEIPT, NAME, "photo_id");
    let waiting = tokio::spawn(world.post(&request));

    assert_eq!(world.verdict().await, "PASS");
    let entries = world.wait_for_entries(2).await;
    assert_eq!(statuses(&entries), [None, Some(200)]);
    assert!(!waiting.is_finished());
    world.simulator.shutdown().await.unwrap();
    assert_ne!(waiting.await.unwrap().map(|answer| answer.status().as_u16()).ok(), Some(200));
}

#[tokio::test]
async fn a_garbage_answer_is_a_200_that_is_no_text() {
    let mut world = World::with_script(json!({"answer": {"fault": {"kind": "garbage"}}})).await;

    let answer = world.post(&world.request(RECEIPT, NAME, "photo_id")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(std::str::from_utf8(&answer.bytes().await.unwrap()).is_err());
    assert_eq!(world.verdict().await, "PASS");
}

#[tokio::test]
async fn copies_of_a_callback_are_equal_byte_for_byte() {
    let mut world = World::with_script(json!({"callback": {"copies": 50}})).await;

    world.submit(RECEIPT, NAME).await;

    let first = world.hear().await;
    for _ in 1..50 {
        assert_eq!(world.hear().await, first);
    }
    assert_eq!(world.wait_for_entries(51).await.len(), 51);
}

#[tokio::test]
async fn a_verdict_may_be_followed_by_another_with_an_older_date() {
    let follow = json!([{"verdict": {"result": "FAIL", "reason": "late"}, "date_offset_s": -60}]);
    let mut world = World::with_script(json!({"callback": {"followed_by": follow}})).await;

    world.submit(RECEIPT, NAME).await;

    let (first, second) = (world.hear().await, world.hear().await);
    let (first, second) = (world.read(&first).unwrap(), world.read(&second).unwrap());
    assert_eq!((first.result.as_str(), second.result.as_str()), ("PASS", "FAIL"));
    assert_eq!(first.signed_at.unwrap() - second.signed_at.unwrap(), TimeDelta::seconds(60));
    assert_eq!(second.reason_json, "\"late\"");
}

#[tokio::test]
async fn every_forgery_is_refused_and_tried_once() {
    let mut world = World::with_script(json!({})).await;
    let forgeries = [
        ("wrong_secret", "Signature is invalid"),
        ("flipped_bit", "Signature is invalid"),
        ("stale_date", "Signature is invalid"),
        ("wrong_access_key", "Access key invalid"),
    ];

    for (forgery, text) in forgeries {
        let script = Script::parse(json!({"callback": {"forgery": forgery}}).to_string().as_bytes()).unwrap();
        world.simulator.set_script(script).unwrap();
        world.state.statuses.lock().unwrap().push_back(400);
        assert_eq!(world.submit(forgery, NAME).await, 200);
        let heard = world.hear().await;
        assert_eq!(world.read(&heard).err().unwrap().to_string(), text, "{forgery}");
    }
    let entries = world.wait_for_entries(8).await;
    assert_eq!(entries.iter().filter(|entry| entry.event.http_status == Some(400)).count(), 4);
    assert!(
        entries
            .iter()
            .filter(|entry| entry.event.kind == Kind::Callback)
            .all(|entry| entry.event.detail == "try 1 of 1: not taken")
    );
}

#[tokio::test]
async fn a_callback_may_come_before_the_answer() {
    let world = World::with_script(json!({"callback": {"timing": "before_answer"}})).await;

    assert_eq!(world.submit(RECEIPT, NAME).await, 200);

    let entries = world.simulator.journal().entries();
    assert_eq!(entries.iter().map(|entry| entry.event.kind).collect::<Vec<_>>(), [Kind::Submission, Kind::Callback]);
}

#[tokio::test]
async fn a_silent_vendor_calls_nobody_back() {
    let mut world = World::with_script(json!({"callback": {"copies": 0, "timing": "before_answer"}})).await;

    assert_eq!(world.submit(RECEIPT, NAME).await, 200);

    assert!(world.heard.try_recv().is_err());
    assert_eq!(world.simulator.journal().entries().len(), 1);
}

#[tokio::test]
async fn a_script_is_set_and_shown_over_http_and_a_bad_one_leaves_the_old() {
    let world = World::with_script(json!({})).await;
    let url = format!("http://{}/_script", world.simulator.addr());
    let put = |body: &'static str| world.client.put(&url).body(body).send();

    let status = put(r#"{"answer":{"fault":{"kind":"status","status":418}},"inspect_photos":false}"#).await.unwrap();
    assert_eq!(status.status().as_u16(), 204);
    assert_eq!(put(r#"{"answers":{}}"#).await.unwrap().status().as_u16(), 400);
    assert_eq!(put(r#"{"callback":{"copies":4000000}}"#).await.unwrap().status().as_u16(), 400);

    let shown = world.client.get(&url).send().await.unwrap().bytes().await.unwrap();
    assert!(!Script::parse(&shown).unwrap().inspect_photos);
    assert_eq!(world.submit(RECEIPT, NAME).await, 418);
}

#[tokio::test]
async fn photos_may_be_left_alone_for_measuring() {
    let mut world = World::with_script(json!({"inspect_photos": false})).await;

    let answer = world.post(&world.request(RECEIPT, NAME, "absent")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(world.verdict().await, "PASS");
}

#[tokio::test]
async fn a_slow_answer_comes_after_its_delay_and_the_verdict_after_the_answer() {
    let mut world = World::with_script(json!({"answer": {"delay_ms": 86_400_000}})).await;
    let waiting = tokio::spawn(world.post(&world.request(RECEIPT, NAME, "photo_id")));

    let entries = world.wait_for_entries(1).await;
    assert_eq!(decisions(&entries), ["PASS"]);
    assert!(!waiting.is_finished());
    assert!(world.heard.try_recv().is_err());
    world.simulator.shutdown().await.unwrap();
    assert!(waiting.await.is_ok());
}

#[tokio::test]
async fn a_caller_who_hangs_up_gets_the_verdict_all_the_same() {
    let mut world = World::with_script(json!({"answer": {"delay_ms": 50}})).await;
    let waiting = tokio::spawn(world.post(&world.request(RECEIPT, NAME, "photo_id")));

    world.wait_for_entries(1).await;
    waiting.abort();

    assert_eq!(world.verdict().await, "PASS");
}
