//! What operators do about a learner who is erased, and what they wrote of them before.

use serde_json::{Value, json};
use vouch_tests::TestApp;

use super::erasure::{ask, ask_well, dump, plant, run_once, shown};
use crate::acting::{delete, everything, post};

const JOB: &str = "SELECT count(*) FROM jobs WHERE kind = 'erase_learner'";

#[tokio::test]
async fn no_operator_decides_an_attempt_of_an_erased_learner() {
    let app = TestApp::without_worker().await;
    let receipts = plant(&app, 7).await;
    let erasure = ask_well(&app, 7).await;
    for is_done in [false, true] {
        if is_done {
            run_once(&app, &app.services(), erasure).await.unwrap();
        }
        let before = everything(&app).await;
        for receipt in &receipts {
            for act in ["approve", "deny"] {
                let (code, answer) = post(&app, &format!("attempts/{receipt}/{act}"), &json!({ "reason": "an appeal" })).await;
                assert_eq!(code, 410, "{act}: {answer}");
                assert!(answer["detail"].as_str().unwrap().contains("erased"), "{answer}");
            }
        }
        assert_eq!(everything(&app).await, before);
    }
}

#[tokio::test]
async fn the_job_of_an_erasure_that_is_not_done_can_not_be_dropped() {
    let app = TestApp::without_worker().await;
    plant(&app, 7).await;
    let erasure = ask_well(&app, 7).await;
    let kill = "UPDATE jobs SET dead_at = now() WHERE kind = 'erase_learner'";
    app.sql(kill).await;
    let job = app.count("SELECT id FROM jobs WHERE kind = 'erase_learner'").await;
    let before = everything(&app).await;
    let (code, answer) = delete(&app, &format!("jobs/{job}?reason=x")).await;
    assert_eq!(code, 409);
    assert!(answer["detail"].as_str().unwrap().contains("erasure"), "{answer}");
    assert_eq!(everything(&app).await, before);
    app.sql(&format!("UPDATE erasures SET status = 'done', finished_at = now() WHERE id = '{erasure}'")).await;
    assert_eq!(delete(&app, &format!("jobs/{job}?reason=x")).await.0, 204, "nobody needs it then");
}

#[tokio::test]
async fn an_erasure_without_a_job_gets_one_when_it_is_asked_for_again() {
    let app = TestApp::without_worker().await;
    plant(&app, 7).await;
    let first = ask(&app, 7).await;
    app.sql("DELETE FROM jobs WHERE kind = 'erase_learner'").await;
    for _ in 0..2 {
        assert_eq!(ask(&app, 7).await, first);
        assert_eq!(app.count(JOB).await, 1);
    }
    let erasure = ask_well(&app, 7).await;
    run_once(&app, &app.services(), erasure).await.unwrap();
    assert_eq!(shown(&app, erasure).await["status"], "done");
    assert_eq!(ask(&app, 7).await, first);
    assert_eq!(app.count(JOB).await, 0, "one that is done needs none");
}

#[tokio::test]
async fn what_operators_wrote_of_a_learners_jobs_and_of_bulk_retries_that_name_them_is_emptied() {
    const WHY: &str = "Ms Marek of ticket 99";
    let app = TestApp::without_worker().await;
    let [_, open] = plant(&app, 7).await;
    let [_, other] = plant(&app, 8).await;
    let kill = "UPDATE jobs SET dead_at = now() WHERE subject IS NOT NULL";
    app.sql(kill).await;
    let job = app.count(&format!("SELECT min(id) FROM jobs WHERE subject = '{open}'")).await;
    assert_eq!(post(&app, &format!("jobs/{job}/retry"), &json!({ "reason": WHY })).await.0, 200);
    app.sql(kill).await;
    let mail = app.count("SELECT id FROM jobs WHERE subject IS NULL AND args ->> 'user' = '7'").await;
    assert_eq!(delete(&app, &format!("jobs/{mail}?reason={}", WHY.replace(' ', "+"))).await.0, 204);
    let start = async |filter: Value, why: &str| {
        let (code, retry) = post(&app, "retries", &json!({ "filter": filter, "reason": why })).await;
        assert_eq!(code, 202, "{retry}");
        retry["id"].as_str().unwrap().to_owned()
    };
    let by_user = start(json!({ "state": "dead", "user_id": 7 }), WHY).await;
    assert_eq!(delete(&app, &format!("retries/{by_user}?reason={}", WHY.replace(' ', "+"))).await.0, 200);
    start(json!({ "state": "dead", "receipts": [open] }), WHY).await;
    start(json!({ "state": "dead", "receipts": [other] }), "of somebody else").await;
    let erasure = ask_well(&app, 7).await;
    run_once(&app, &app.services(), erasure).await.unwrap();
    let left = dump(&app).await;
    assert!(!left.contains(WHY), "{:#?}", left.lines().filter(|line| line.contains(WHY)).collect::<Vec<_>>());
    let others = "SELECT (SELECT count(*) FROM retries WHERE reason = 'of somebody else')
                       + (SELECT count(*) FROM operator_actions WHERE reason = 'of somebody else')";
    assert_eq!(app.count(others).await, 2);
    let receipt: Value = serde_json::from_str(shown(&app, erasure).await["receipt"].as_str().unwrap()).unwrap();
    // Five planted; a retried job and a dropped one; two bulk retries with how they began, and how one ended.
    assert_eq!(receipt["erased"]["audit"], 5 + 2 + 2 + 3);
}
