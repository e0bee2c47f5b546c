//! Buying a certificate that the e-commerce service sells; a real server stands in for it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use jsonwebtoken::{DecodingKey, Validation, decode};
use poem::{
    EndpointExt, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use vouch_tests::{TestApp, answer, samples, wait_for};

use crate::create_order::{BELOW, buy, nothing_was_ordered, post_to, put_modes, selling, verified};

const SHOP_KEY: &str = "the shop's key, which is long enough to sign with";

/// A shop that notes what it is asked and answers as it is told.
struct Shop {
    url: String,
    seen: Mutex<Vec<(String, String, Value)>>,
    answer: Mutex<(u16, String, Duration)>,
    /// While it is held nothing is answered.
    gate: RwLock<()>,
}

impl Shop {
    async fn start() -> Arc<Self> {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}/api/v2", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let answer = Mutex::new((200, payment_data().to_string(), Duration::ZERO));
        let shop = Arc::new(Self { url, seen: Mutex::default(), answer, gate: RwLock::default() });
        let routes = Route::new()
            .at("/api/v2/baskets/", post(shop_answers))
            .at("/api/v2/payment/processors/", get(shop_answers))
            .data(Arc::clone(&shop));
        tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));
        shop
    }

    fn answers(&self, status: u16, body: impl ToString) {
        *self.answer.lock().unwrap() = (status, body.to_string(), Duration::ZERO);
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

#[handler]
async fn shop_answers(request: &poem::Request, body: String, shop: Data<&Arc<Shop>>) -> poem::Response {
    let authorization = request.header("authorization").unwrap_or_default().to_owned();
    shop.seen.lock().unwrap().push((
        request.uri().path().to_owned(),
        authorization,
        serde_json::from_str(&body).unwrap_or_default(),
    ));
    drop(shop.gate.read().await);
    let (status, text, wait) = shop.answer.lock().unwrap().clone();
    tokio::time::sleep(wait).await;
    poem::Response::builder().status(StatusCode::from_u16(status).unwrap()).body(text)
}

fn payment_data() -> Value {
    json!({ "id": 5, "payment_data": { "payment_processor_name": "paypal", "payment_page_url": "https://paypal.example.com/",
            "payment_form_data": { "token": "t" } } })
}

async fn selling_in(shop: &Shop) -> TestApp {
    let app = selling(vec![
        ("VOUCH_ECOMMERCE_API_URL", shop.url.clone()),
        ("VOUCH_ECOMMERCE_SIGNING_KEY", SHOP_KEY.to_owned()),
        ("VOUCH_ECOMMERCE_TIMEOUT", "500ms".to_owned()),
    ])
    .await;
    put_modes(&app, samples::COURSE, json!([{ "slug": "audit" }, { "slug": "verified", "min_price": 50, "sku": "SKU1" }])).await;
    app
}

#[tokio::test]
async fn a_mode_with_a_product_is_sold_by_the_shop() {
    let shop = Shop::start().await;
    let app = selling_in(&shop).await;
    let fields = [("contribution", "50"), ("sku", "SKU1")];
    let bought = buy(&app, &fields).header("cookie", "_ga=GA1.2.1033501218.1368477899").send().await.unwrap();
    assert_eq!(bought.json::<Value>().await.unwrap(), payment_data()["payment_data"]);
    let (path, authorization, body) = shop.seen.lock().unwrap()[0].clone();
    assert_eq!(path, "/api/v2/baskets/");
    assert_eq!(body, json!({ "products": [{ "sku": "SKU1" }], "checkout": true, "payment_processor_name": "CyberSource2" }));
    let token = authorization.strip_prefix("JWT ").unwrap();
    let mut validation = Validation::default();
    validation.set_issuer(&["vouch"]);
    validation.validate_exp = false;
    let claims = decode::<Value>(token, &DecodingKey::from_secret(SHOP_KEY.as_bytes()), &validation).unwrap().claims;
    assert_eq!(claims["exp"], app.now().timestamp() + 30);
    assert_eq!(
        (&claims["username"], &claims["email"], &claims["full_name"]),
        (&json!("u7"), &json!("u7@example.com"), &json!("Sofia Marek"))
    );
    let tracking = &claims["tracking_context"];
    assert_eq!((&tracking["lms_user_id"], &tracking["lms_client_id"]), (&json!(7), &json!("1033501218.1368477899")));
    assert_eq!(tracking["lms_ip"], "127.0.0.1");
    nothing_was_ordered(&app).await;
    let old = post_to(&app).form(&[("course_id", samples::COURSE), ("contribution", "50")]).send().await.unwrap();
    assert_eq!(old.json::<Value>().await.unwrap(), json!({ "token": "t" }));
    assert_eq!(shop.seen.lock().unwrap()[1].2["payment_processor_name"], Value::Null);
}

/// What was logged, as JSON.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_checkout_is_told_in_the_log_without_a_name_whether_it_succeeds_or_not() {
    let shop = Shop::start().await;
    let app = selling_in(&shop).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    assert_eq!(buy(&app, &[("contribution", "50")]).send().await.unwrap().status(), 200);
    shop.answers(500, "");
    let odd = [("course_id", samples::COURSE), ("contribution", "50"), ("processor", "Sofia Marek")];
    assert_eq!(post_to(&app).form(&odd).send().await.unwrap().status(), 502);
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let told = |processor: &str| {
        let fields = json!({ "message": "checkout_requested", "level": "INFO", "course_id": samples::COURSE, "mode": "verified",
                             "processor_name": processor, "user_id": 7 });
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| fields.as_object().unwrap().iter().all(|(name, value)| line[name] == *value)).count()
    };
    assert_eq!((told("CyberSource2"), told("(odd)")), (1, 1), "{text}");
    assert!(!text.contains("Sofia") && !text.contains("u7@example.com"), "{text}");
}

#[tokio::test]
async fn the_shop_is_not_asked_for_what_is_refused() {
    let shop = Shop::start().await;
    let app = selling_in(&shop).await;
    assert_eq!(answer(buy(&app, &[("contribution", "49.9")]).send().await.unwrap()).await, (400, BELOW.to_owned()));
    put_modes(&app, "edX/Other/Run", json!([{ "slug": "verified", "min_price": 1, "sku": "CHEAP" }])).await;
    let foreign = buy(&app, &[("contribution", "1"), ("sku", "CHEAP")]).send().await.unwrap();
    assert_eq!(answer(foreign).await, (400, BELOW.to_owned()), "a product of another course is passed over");
    assert_eq!(shop.count(), 0);
    let foreign = buy(&app, &[("contribution", "50"), ("sku", "CHEAP")]).send().await.unwrap();
    assert_eq!(foreign.status(), 200);
    assert_eq!(shop.seen.lock().unwrap()[0].2["products"], json!([{ "sku": "SKU1" }]));
}

#[tokio::test]
async fn a_shop_that_fails_dawdles_or_talks_nonsense_is_told_to_the_learner() {
    let shop = Shop::start().await;
    let app = selling_in(&shop).await;
    let text = "The shop can't be reached. Please try again in a few minutes.";
    let try_to_buy = async || answer(buy(&app, &[("contribution", "50")]).send().await.unwrap()).await;
    for (status, body) in [
        (500, "{}".to_owned()),
        (400, "{}".to_owned()),
        (302, String::new()),
        (200, "nonsense".to_owned()),
        (200, json!({ "id": 1 }).to_string()),
        (200, payment_data().to_string().replace("https://paypal.example.com/", "javascript:alert(1)")),
        (200, format!("\"{}\"", "x".repeat(300 * 1024))),
    ] {
        shop.answers(status, body);
        assert_eq!(try_to_buy().await, (502, text.to_owned()));
    }
    *shop.answer.lock().unwrap() = (200, payment_data().to_string(), Duration::from_secs(3));
    assert_eq!(try_to_buy().await, (503, text.to_owned()));
    nothing_was_ordered(&app).await;
}

async fn flow_page(app: &TestApp) -> Value {
    let request = app.client.get(format!("{}/verify_student/start-flow/{}/", app.url, samples::COURSE)).bearer_auth(app.token(7));
    let answer = request.header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_page_names_the_shops_processors_and_asks_for_them_once() {
    let shop = Shop::start().await;
    shop.answers(200, json!(["cybersource", "paypal"]));
    let app = selling_in(&shop).await;
    for _ in 0..3 {
        let page = flow_page(&app).await;
        assert_eq!((&page["processors"], &page["processors_available"]), (&json!(["cybersource", "paypal"]), &json!(true)));
    }
    assert_eq!(shop.count(), 1);
    assert_eq!(shop.seen.lock().unwrap()[0].0, "/api/v2/payment/processors/");
    shop.answers(500, "");
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(flow_page(&app).await["processors"], json!(["cybersource", "paypal"]), "the former ones hold");
    assert_eq!(shop.count(), 2);
}

#[tokio::test]
async fn the_page_opens_without_the_shop_says_so_and_lets_it_rest() {
    let shop = Shop::start().await;
    shop.answers(500, "");
    let app = selling_in(&shop).await;
    for _ in 0..3 {
        let page = flow_page(&app).await;
        assert_eq!((&page["processors"], &page["processors_available"]), (&json!([]), &json!(false)));
    }
    assert_eq!(shop.count(), 1, "nobody else waits for a shop that just failed");
    shop.answers(200, json!(["paypal"]));
    app.clock.advance(TimeDelta::seconds(10));
    assert_eq!(flow_page(&app).await["processors"], json!(["paypal"]), "it is asked again");
}

#[tokio::test]
async fn a_shop_that_took_long_to_fail_rests_from_then_on() {
    let shop = Shop::start().await;
    shop.answers(500, "");
    let app = selling_in(&shop).await;
    let closed = shop.gate.write().await;
    tokio::join!(flow_page(&app), async {
        wait_for("the shop to be asked", async || (shop.count() == 1).then_some(())).await;
        app.clock.advance(TimeDelta::seconds(12));
        drop(closed);
    });
    flow_page(&app).await;
    assert_eq!(shop.count(), 1);
}

#[tokio::test]
async fn without_a_product_our_own_processor_is_named() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(12)).await;
    assert_eq!(flow_page(&app).await["processors"], json!(["CyberSource2"]));
}
