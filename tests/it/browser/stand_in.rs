//! A stand-in for Vouch behind the pages: it serves them with sample facts, answers their calls as a test
//! scripts it, and remembers what it was sent. So a test can have a refusal or a lost connection when it wants one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use poem::{
    EndpointExt, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::{Data, Html, Multipart, Path},
};
use serde_json::{Value, json};
use vouch_api::pages::{PageFacts, Pages, static_routes};

pub(super) const RECEIPT: &str = "7b0c8a52-3f1e-4f57-9d52-0a4d4d5f9c11";

/// How a submission is answered.
pub(super) enum Answer {
    Accepted,
    /// Accepted, and the learner goes back to a checkpoint.
    Back(&'static str),
    Refused(u16, &'static str),
    /// Signed out: on to a page of the platform whose address tells where from.
    SignIn,
}

/// A submission that came in.
pub(super) struct Submission {
    pub(super) key: String,
    pub(super) csrf: String,
    pub(super) parts: HashMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Story {
    answers: VecDeque<Answer>,
    submissions: Vec<Submission>,
    events: Vec<Value>,
    orders: Vec<String>,
    standing: Value,
    facts: Value,
}

#[derive(Clone)]
pub(super) struct StandIn {
    story: Arc<Mutex<Story>>,
    pages: Arc<Pages>,
    pub(super) url: String,
}

impl StandIn {
    pub(super) async fn start() -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().copied().unwrap());
        let story = Story { standing: json!({ "status": "pending", "can_verify": true, "reasons": [] }), ..Story::default() };
        let stand_in = Self { story: Arc::new(Mutex::new(story)), pages: Arc::new(Pages::new(false).unwrap()), url };
        let routes = Route::new()
            .at("/page/:name", get(serve_page))
            .at("/verify_student/submit-photos/", post(take_submission))
            .at("/verify_student/status/", get(tell_status))
            .at("/verify_student/create_order/", post(take_order))
            .at("/verify_student/events/", post(take_event))
            .at("/shoppingcart/receipt/:number/", get(show_receipt))
            .at("/elsewhere", get(show_elsewhere).post(show_elsewhere))
            .nest("/verify_student/static", static_routes())
            .data(stand_in.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));
        stand_in
    }

    /// The address of a page.
    pub(super) fn page(&self, name: &str) -> String {
        format!("{}/page/{name}", self.url)
    }

    /// The next answers to submissions; after them everything is accepted.
    pub(super) fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.story.lock().unwrap().answers.extend(answers);
    }

    /// What the learner's status is from now on.
    pub(super) fn set_standing(&self, standing: Value) {
        self.story.lock().unwrap().standing = standing;
    }

    /// Facts of the pages that differ from the usual ones.
    pub(super) fn set_facts(&self, facts: Value) {
        self.story.lock().unwrap().facts = facts;
    }

    pub(super) fn submissions<T>(&self, look: impl FnOnce(&[Submission]) -> T) -> T {
        look(&self.story.lock().unwrap().submissions)
    }

    pub(super) fn has_event(&self, name: &str) -> bool {
        self.story.lock().unwrap().events.iter().any(|event| event["name"] == name)
    }

    pub(super) fn orders(&self) -> Vec<String> {
        self.story.lock().unwrap().orders.clone()
    }
}

/// Sample facts of a page.
pub(super) fn facts(page: &str) -> Value {
    let mut facts = json!({
        "page": page, "platform_name": "Northwind Academy", "dashboard_url": "/elsewhere", "support_email": "help@example.com",
        "full_name": "Sofia <b>Marek</b>", "course_key": "course-v1:edX+DemoX+Fall", "course_name": "Introduction to Statistics",
        "checkpoint_name": "Midterm exam", "usage_id": "i4x://edX/DemoX/edx-reverification-block/midterm", "attempts_used": 1,
        "attempts_allowed": 3, "due": "Jun 01, 2027 at 12:00 UTC", "is_open": true, "status": "none", "reasons": [],
        "can_verify": true, "kind": "verification", "deadline": "Jun 01, 2026 at 12:00 UTC", "expires_at": "Jun 01, 2027",
        "access_point": "enrollment", "message_key": "default",
    });
    if page == "pay-and-verify" {
        merge(
            &mut facts,
            flow(
                "face-photo-step",
                &["intro-step", "face-photo-step", "id-photo-step", "review-photos-step", "enrollment-confirmation-step"],
            ),
        );
    }
    facts
}

/// The flow's own facts, at a step.
pub(super) fn flow(current: &str, steps: &[&str]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|name| json!({ "name": name, "title": title(name) })).collect();
    json!({
        "title": "Verify For Introduction to Statistics", "course_start_date": "Jan 01, 2016", "courseware_url": "/elsewhere",
        "course_mode_name": "Verified", "course_mode_slug": "verified", "course_mode_min_price": 49, "course_mode_sku": "",
        "course_mode_suggested_prices": "", "course_mode_currency": "usd", "contribution_amount": "", "amount_to_pay": "49.00",
        "processors": ["CyberSource2", "paypal"], "processors_available": true,
        "verification_deadline": "Jun 01, 2027 at 12:00 UTC", "display_steps": steps, "current_step": current,
        "requirements": { "account-activation-required": false, "photo-id-required": true, "webcam-required": true },
        "msg_key": "verify-now", "is_active": true, "already_verified": false, "verification_good_until": "",
        "is_ab_testing": false,
    })
}

fn title(step: &str) -> &'static str {
    match step {
        "intro-step" => "Intro",
        "make-payment-step" => "Make payment",
        "payment-confirmation-step" => "Payment confirmation",
        "face-photo-step" => "Take photo",
        "id-photo-step" => "Take a photo of your ID",
        "review-photos-step" => "Review your info",
        _ => "Enrollment confirmation",
    }
}

pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

#[handler]
fn serve_page(request: &Request, Path(name): Path<String>, stand_in: Data<&StandIn>) -> Response {
    let mut facts = facts(&name);
    merge(&mut facts, stand_in.story.lock().unwrap().facts.clone());
    stand_in.pages.answer(request, &PageFacts { page: &name, facts: &facts, status: StatusCode::OK })
}

#[handler]
async fn take_submission(request: &Request, mut form: Multipart, stand_in: Data<&StandIn>) -> Response {
    let mut parts = HashMap::new();
    while let Some(part) = form.next_field().await.unwrap() {
        parts.insert(part.name().unwrap().to_owned(), part.bytes().await.unwrap());
    }
    let header = |name| request.header(name).unwrap_or_default().to_owned();
    let submission = Submission { key: header("idempotency-key"), csrf: header("x-csrftoken"), parts };
    let mut story = stand_in.story.lock().unwrap();
    story.submissions.push(submission);
    let answer = story.answers.pop_front().unwrap_or(Answer::Accepted);
    let accepted = |body: Value| Response::builder().header("vouch-receipt-id", RECEIPT).body(body.to_string());
    match answer {
        Answer::Accepted => accepted(json!({})),
        Answer::Back(url) => accepted(json!({ "url": url })),
        Answer::SignIn => {
            let page = "/elsewhere?next=/verify_student/submit-photos/";
            Response::builder().status(StatusCode::FOUND).header("location", page).finish()
        }
        Answer::Refused(status, text) => Response::builder().status(StatusCode::from_u16(status).unwrap()).body(text),
    }
}

#[handler]
fn tell_status(stand_in: Data<&StandIn>) -> String {
    stand_in.story.lock().unwrap().standing.to_string()
}

#[handler]
fn take_order(body: String, stand_in: Data<&StandIn>) -> Response {
    let mut story = stand_in.story.lock().unwrap();
    story.orders.push(body);
    if story.orders.len() == 1 {
        return Response::builder().status(StatusCode::BAD_REQUEST).body("Selected price is not valid number.");
    }
    let page = format!("{}/elsewhere", stand_in.url);
    Response::builder().body(
        json!({ "payment_processor_name": "paypal", "payment_page_url": page, "payment_form_data": { "submit": "1" } })
            .to_string(),
    )
}

#[handler]
fn take_event(body: String, stand_in: Data<&StandIn>) -> StatusCode {
    stand_in.story.lock().unwrap().events.push(serde_json::from_str(&body).unwrap());
    StatusCode::ACCEPTED
}

#[handler]
fn show_receipt(Path(number): Path<String>) -> Response {
    if number == "404" {
        return StatusCode::NOT_FOUND.into();
    }
    Response::builder().body(
        json!({ "orderNum": number, "currency": "usd", "purchase_datetime": "November 25, 2026", "total_cost": "49.5",
            "status": if number == "9" { "refunded" } else { "purchased" },
            "billed_to": { "first_name": "Sofia", "last_name": "Marek", "city": "Oslo", "state": "", "postal_code": "0150", "country": "NO" },
            "items": [{ "line_desc": "Verified Certificate for Introduction to Statistics", "line_cost": "49.50" }] })
        .to_string(),
    )
}

#[handler]
fn show_elsewhere() -> Html<&'static str> {
    Html("<!doctype html><title>Elsewhere</title><main id=\"elsewhere\">elsewhere</main>")
}
