//! What operators do about a learner who is erased, and what they wrote of them before.

use serde_json::json;
use vouch_tests::TestApp;

use super::erasure::{ask, ask_well, plant, run_once, shown};
use crate::acting::{delete, everything};

const JOB: &str = "SELECT count(*) FROM jobs WHERE kind = 'erase_learner'";

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
