//! Events for analytics: kept with what they tell of, delivered in order, lost never.

use std::sync::{Arc, Mutex};

use poem::{
    EndpointExt, Route, Server, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::{Data, Json},
};
use serde_json::{Value, json};
use vouch_common::{
    domain::{
        effect::Queue,
        event::EventName,
        ids::UserId,
        keys::{CourseKey, UsageKey},
    },
    operations::track_event,
};
use vouch_tests::{TestApp, Wishes, receipt, samples, wait_for};

/// A stand-in for the analytics service.
#[derive(Clone, Default)]
pub(crate) struct Service(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    refusals: usize,
    batches: Vec<Vec<Value>>,
    at_once: usize,
    at_once_max: usize,
}

#[handler]
async fn take(service: Data<&Service>, body: Json<Value>) -> StatusCode {
    {
        let mut state = service.0.0.lock().unwrap();
        state.at_once += 1;
        state.at_once_max = state.at_once_max.max(state.at_once);
    }
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    let mut state = service.0.0.lock().unwrap();
    state.at_once -= 1;
    if state.refusals > 0 {
        state.refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    state.batches.push(body.0["batch"].as_array().unwrap().clone());
    StatusCode::OK
}

impl Service {
    pub(crate) async fn start() -> (Self, String) {
        let service = Self::default();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
        let route = Route::new().at("/v1/batch", post(take)).data(service.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(route));
        (service, format!("http://{address}"))
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.0.lock().unwrap().batches.concat()
    }

    fn names(&self) -> Vec<String> {
        let name = |event: &Value| event["event"].as_str().or(event["name"].as_str()).unwrap().to_owned();
        self.events().iter().map(name).collect()
    }
}

async fn ready() -> (TestApp, Service) {
    let (service, url) = Service::start().await;
    let settings = vec![("VOUCH_SEGMENT_KEY", "write-key".to_owned()), ("VOUCH_SEGMENT_URL", url)];
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    (app, service)
}

async fn report(app: &TestApp, document: &Value) -> u16 {
    let url = format!("{}/verify_student/events/", app.url);
    app.client.post(url).bearer_auth(app.token(7)).json(document).send().await.unwrap().status().as_u16()
}

const STEPS: [&str; 4] = ["intro_step", "make_payment_step", "payment_confirmation_step", "face_photo_step"];

#[tokio::test]
async fn a_submission_is_told_with_what_it_was_and_where() {
    let (mut app, service) = ready().await;
    app.start_worker(&Queue::ALL);
    app.put_course().await;
    let first = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&first, "approved").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    receipt(&app.submission(7, &fields).send().await.unwrap());
    app.wait_until_idle().await;
    let events = service.events();
    assert_eq!(service.names(), ["edx.bi.verify.submitted", "edx.bi.reverify.submitted"]);
    assert_eq!(events[0]["properties"], json!({ "category": "verification" }));
    let properties = json!({ "category": "verification", "label": samples::COURSE, "checkpoint": "Midterm" });
    assert_eq!(events[1]["properties"], properties);
    for event in &events {
        assert_eq!((&event["type"], &event["userId"]), (&json!("track"), &json!("7")));
        assert_eq!(event["context"], json!({ "ip": null, "Google Analytics": { "clientId": null } }));
        assert!(event["messageId"].is_string() && event["timestamp"].is_string());
    }
    assert_eq!(app.count("SELECT count(*) FROM analytics_events").await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_service_that_fails_gets_everything_later_in_order_and_nothing_twice() {
    let (mut app, service) = ready().await;
    service.0.lock().unwrap().refusals = 3;
    app.start_worker(&[Queue::Events]);
    let mut expected = Vec::new();
    for round in 0..10 {
        for step in STEPS {
            assert_eq!(report(&app, &json!({ "name": "page", "step": step })).await, 204);
            expected.push(step.to_owned());
        }
        if round == 3 {
            wait_for("a refusal", async || (service.0.lock().unwrap().refusals < 3).then_some(())).await;
        }
    }
    wait_for("every event to arrive", async || {
        // The wait between tries is for the service; the test does not wait it out.
        app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'waiting' AND dead_at IS NULL").await;
        (app.count("SELECT count(*) FROM analytics_events").await == 0).then_some(())
    })
    .await;
    app.wait_until_idle().await;
    assert_eq!(service.names(), expected);
    let state = service.0.lock().unwrap();
    assert_eq!(state.at_once_max, 1, "of a learner's jobs one sends");
    assert!(state.batches.iter().all(|batch| batch.len() <= 100));
}

#[tokio::test]
async fn many_events_at_once_go_in_batches_of_a_hundred() {
    let (mut app, service) = ready().await;
    let services = app.services();
    for number in 0..250 {
        track_event::record(services.db(), UserId(7), EventName::ImagesRetaken, json!({ "number": number }), app.now())
            .await
            .unwrap();
    }
    app.start_worker(&[Queue::Events]);
    app.wait_until_idle().await;
    let numbers: Vec<_> = service.events().iter().map(|event| event["properties"]["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..250).collect::<Vec<_>>());
    let sizes: Vec<_> = service.0.lock().unwrap().batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
    app.finish().await;
}

#[tokio::test]
async fn a_dead_job_leaves_its_events_to_the_next_one_and_its_retry_harms_nothing() {
    let (mut app, service) = ready().await;
    assert_eq!(report(&app, &json!({ "name": "intro_step" })).await, 204);
    app.sql("UPDATE jobs SET dead_at = now()").await;
    assert_eq!(report(&app, &json!({ "name": "make_payment_step" })).await, 204);
    app.start_worker(&[Queue::Events]);
    app.wait_until_idle().await;
    assert_eq!(service.names(), ["intro_step", "make_payment_step"]);
    app.sql("UPDATE jobs SET dead_at = NULL, due_at = now()").await;
    app.wait_until_idle().await;
    assert_eq!(service.events().len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_job_of_the_former_release_is_still_delivered() {
    let (mut app, service) = ready().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("DELETE FROM analytics_events; ").await;
    app.sql("DELETE FROM jobs").await;
    app.sql(&format!(
        "INSERT INTO jobs (queue, kind, args) VALUES
         ('events', 'track_event', '{{\"v\": 1, \"event\": \"verify_submitted\", \"user\": 7, \"receipt\": \"{receipt}\"}}')"
    ))
    .await;
    app.start_worker(&[Queue::Events]);
    app.wait_until_idle().await;
    assert_eq!(service.names(), ["edx.bi.verify.submitted"]);
    app.finish().await;
}

#[tokio::test]
async fn the_page_of_a_checkpoint_is_told_as_started() {
    let (mut app, service) = ready().await;
    app.put_course().await;
    let services = app.services();
    let course = CourseKey::parse(samples::COURSE).unwrap();
    for usage in [samples::USAGE, "i4x://edX/DemoX/block/other"] {
        let usage = UsageKey::parse(usage).unwrap();
        track_event::record_start(services.db(), UserId(7), (&course, &usage), app.now()).await.unwrap();
    }
    app.start_worker(&[Queue::Events]);
    app.wait_until_idle().await;
    assert_eq!(service.names(), ["edx.bi.reverify.started"; 2]);
    let checkpoints: Vec<_> = service.events().iter().map(|event| event["properties"]["checkpoint"].clone()).collect();
    assert_eq!(checkpoints, ["Midterm", "i4x://edX/DemoX/block/other"]);
    app.finish().await;
}

#[tokio::test]
async fn a_page_reports_what_is_on_the_list_for_who_is_signed_in() {
    let (mut app, service) = ready().await;
    assert_eq!(report(&app, &json!({ "name": "edx.bi.user.images.retaken" })).await, 204);
    assert_eq!(report(&app, &json!({ "name": "page", "step": "payment_processor_step" })).await, 204);
    for bad in [
        json!({ "name": "edx.bi.verify.submitted" }),
        json!({ "name": "page" }),
        json!({ "name": "page", "step": "x" }),
        json!({ "step": "intro_step" }),
        json!([]),
    ] {
        assert_eq!(report(&app, &bad).await, 400, "{bad}");
    }
    assert_eq!(report(&app, &json!({ "name": "x".repeat(3000) })).await, 413);
    let url = format!("{}/verify_student/events/", app.url);
    let event = json!({ "name": "intro_step" });
    assert_eq!(app.client.post(&url).json(&event).send().await.unwrap().status(), 302, "nobody is signed in");
    let cookie = format!("vouch_session={}; csrftoken=0123456789abcdef", app.token(7));
    let with_cookie = || app.client.post(&url).header("cookie", cookie.clone());
    assert_eq!(with_cookie().json(&event).send().await.unwrap().status(), 403);
    assert_eq!(with_cookie().header("X-CSRFToken", "0123456789abcdef").json(&event).send().await.unwrap().status(), 204);
    let leaving = json!({ "name": "intro_step", "csrfmiddlewaretoken": "0123456789abcdef" });
    assert_eq!(with_cookie().json(&leaving).send().await.unwrap().status(), 204, "a page that is left can't set a header");
    let stranger = app.client.post(&url).bearer_auth(app.token(99)).json(&event).send().await.unwrap();
    assert_eq!(stranger.status(), 400);
    app.start_worker(&[Queue::Events]);
    app.wait_until_idle().await;
    assert_eq!(service.names(), ["edx.bi.user.images.retaken", "payment_processor_step", "intro_step", "intro_step"]);
    let page = &service.events()[1];
    assert_eq!((&page["type"], &page["category"]), (&json!("page"), &json!("payment")));
    app.finish().await;
}

#[tokio::test]
async fn who_has_too_many_events_waiting_is_told_when_to_report_again() {
    let (app, _service) = ready().await;
    app.sql(
        "INSERT INTO analytics_events (user_id, name, properties, message_id, at)
         SELECT 7, 'a', '{}', gen_random_uuid(), now() FROM generate_series(1, 1000)",
    )
    .await;
    let url = format!("{}/verify_student/events/", app.url);
    let answer = app.client.post(url).bearer_auth(app.token(7)).json(&json!({ "name": "intro_step" })).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "60"));
}

#[tokio::test]
async fn without_a_key_nothing_is_kept_and_nothing_sent() {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    assert_eq!(report(&app, &json!({ "name": "intro_step" })).await, 204);
    assert_eq!(report(&app, &json!({ "name": "nonsense" })).await, 400);
    assert_eq!(app.count("SELECT count(*) FROM analytics_events").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'track_event'").await, 0);
}
