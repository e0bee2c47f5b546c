//! Buying a certificate, over real HTTP: in our own cart and in the e-commerce service.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jsonwebtoken::{DecodingKey, Validation, decode};
use poem::{
    EndpointExt, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use reqwest::{RequestBuilder, multipart::Form};
use serde_json::{Value, json};
use vouch_common::{payment::cybersource::Signed, secret::Secret};
use vouch_tests::{TestApp, Wishes, answer, percent, samples};

pub(crate) const CYBERSOURCE_SECRET: &str = "the processor's secret";
const SHOP_KEY: &str = "the shop's key, which is long enough to sign with";
const BELOW: &str = "No selected price or selected price is below minimum.";
const NO_NUMBER: &str = "Selected price is not valid number.";

/// The settings of our own payment page.
pub(crate) fn cybersource() -> Vec<(&'static str, String)> {
    vec![
        ("VOUCH_CYBERSOURCE_ACCESS_KEY", "access".to_owned()),
        ("VOUCH_CYBERSOURCE_PROFILE_ID", "profile".to_owned()),
        ("VOUCH_CYBERSOURCE_SECRET_KEY", CYBERSOURCE_SECRET.to_owned()),
        ("VOUCH_CYBERSOURCE_PURCHASE_URL", "https://pay.example.com/pay".to_owned()),
    ]
}

/// A Vouch that sells, with a known learner.
pub(crate) async fn selling(more: Vec<(&'static str, String)>) -> TestApp {
    let mut settings = cybersource();
    settings.extend(more);
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    app
}

pub(crate) async fn put_modes(app: &TestApp, course: &str, modes: Value) {
    app.put(&format!("courses/{}", percent(course)), &json!({ "display_name": "Demo", "modes": modes })).await;
}

pub(crate) fn verified(price: i64) -> Value {
    json!([{ "slug": "audit" }, { "slug": "honor" }, { "slug": "verified", "display_name": "Verified Certificate", "min_price": price }])
}

fn post_to(app: &TestApp) -> RequestBuilder {
    app.client.post(format!("{}/verify_student/create_order/", app.url)).bearer_auth(app.token(7))
}

pub(crate) fn buy(app: &TestApp, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut all = vec![("course_id", samples::COURSE), ("processor", "CyberSource2")];
    all.extend(fields);
    post_to(app).form(&all)
}

async fn nothing_was_ordered(app: &TestApp) {
    for table in ["orders", "order_items", "enrollments"] {
        assert_eq!(app.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

fn signed_form(answer: &Value) -> BTreeMap<String, String> {
    let form = answer["payment_form_data"].as_object().unwrap();
    form.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn a_mode_without_a_product_is_sold_from_our_own_cart() {
    let app = selling(vec![]).await;
    put_modes(
        &app,
        samples::COURSE,
        json!([{ "slug": "audit" }, { "slug": "verified", "display_name": "Vérifié", "min_price": 100, "currency": "EUR" }]),
    )
    .await;
    let response = buy(&app, &[("contribution", "100.999")]).send().await.unwrap();
    assert_eq!(
        (response.status(), response.headers()["content-type"].to_str().unwrap()),
        (reqwest::StatusCode::OK, "application/json")
    );
    let answer: Value = response.json().await.unwrap();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["payment_form_data", "payment_page_url", "payment_processor_name"]);
    assert_eq!(answer["payment_processor_name"], "CyberSource2");
    assert_eq!(answer["payment_page_url"], "https://pay.example.com/pay");
    let form = signed_form(&answer);
    let signed = Signed::verify(&Secret::new(CYBERSOURCE_SECRET), &form).expect("our own signature");
    let callback = format!("{}/shoppingcart/postpay_callback/", app.url);
    for (name, value) in [
        ("amount", "100.99"),
        ("currency", "eur"),
        ("orderNumber", "OrderId: 1"),
        ("reference_number", "1"),
        ("access_key", "access"),
        ("profile_id", "profile"),
        ("override_custom_receipt_page", callback.as_str()),
        ("override_custom_cancel_page", callback.as_str()),
        ("merchant_defined_data1", samples::COURSE),
        ("merchant_defined_data2", "verified"),
    ] {
        assert_eq!(signed.find(name), Some(value), "{name}");
    }
    let order = "SELECT count(*) FROM orders JOIN order_items ON order_id = orders.id WHERE orders.status = 'paying'
        AND order_items.status = 'paying' AND orders.currency = 'eur' AND order_items.currency = 'eur' AND quantity = 1
        AND unit_cost = 100.99 AND list_price = 100.99 AND line_desc = 'Vérifié for course Demo' AND mode = 'verified'";
    assert_eq!(app.count(order).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM enrollments WHERE mode = 'audit' AND NOT is_active").await, 1);
}

#[tokio::test]
async fn every_kind_of_form_and_both_spellings_of_the_path_are_accepted() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let document = json!({ "course_id": samples::COURSE, "contribution": 50.5, "processor": null, "unknown": "x" });
    let old_client: Value = post_to(&app).json(&document).send().await.unwrap().json().await.unwrap();
    assert_eq!(old_client["amount"], "50.50", "without a processor only the inner part is answered");
    let parts = Form::new().text("course_id", samples::COURSE).text("contribution", "60").text("processor", "");
    let answer: Value = post_to(&app).multipart(parts).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["payment_form_data"]["amount"], "60.00");
    let bare = app.client.post(format!("{}/verify_student/create_order", app.url)).bearer_auth(app.token(7));
    let fields = [("course_id", samples::COURSE), ("contribution", "٥٠")];
    assert_eq!(bare.form(&fields).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn each_refusal_has_its_text_and_nothing_is_ordered() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    put_modes(&app, "edX/Free/Run", json!([{ "slug": "audit" }, { "slug": "credit", "min_price": 5 }])).await;
    for text in
        ["", "1.a", "$50", "1,000", "1_000", "Infinity", "NaN", "sNaN", "1e26", "100000000000000000000000000", "1e999999999"]
    {
        assert_eq!(
            answer(buy(&app, &[("contribution", text)]).send().await.unwrap()).await,
            (400, NO_NUMBER.to_owned()),
            "{text}"
        );
    }
    for text in ["-1", "0", "49.999", "1e-400"] {
        assert_eq!(answer(buy(&app, &[("contribution", text)]).send().await.unwrap()).await, (400, BELOW.to_owned()), "{text}");
    }
    assert_eq!(answer(buy(&app, &[]).send().await.unwrap()).await, (400, BELOW.to_owned()));
    let cases = [
        (vec![("course_id", "edX/Free/Run"), ("contribution", "50")], 400, "This course doesn't support paid certificates"),
        (vec![("course_id", "edX/Free/Run"), ("contribution", "1.a")], 400, NO_NUMBER),
        (vec![("course_id", "edX/No/Run"), ("contribution", "50")], 404, "There is no such course."),
        (vec![("course_id", "nonsense"), ("contribution", "50")], 400, "Invalid course key"),
        (vec![("contribution", "50")], 400, "Missing required parameter course_id"),
        (
            vec![("course_id", samples::COURSE), ("contribution", "50"), ("contribution", "60")],
            400,
            "contribution was sent twice.",
        ),
    ];
    for (fields, status, text) in cases {
        assert_eq!(answer(post_to(&app).form(&fields).send().await.unwrap()).await, (status, text.to_owned()), "{fields:?}");
    }
    let kind = |kind: &str| post_to(&app).header("content-type", kind);
    assert_eq!(kind("application/json").body("[]").send().await.unwrap().status(), 400);
    assert_eq!(kind("text/xml").body("<x/>").send().await.unwrap().status(), 415);
    assert_eq!(kind("application/json").body(vec![b' '; 65 * 1024]).send().await.unwrap().status(), 413);
    nothing_was_ordered(&app).await;
}

#[tokio::test]
async fn the_amount_that_was_remembered_counts_when_none_is_posted() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let remember = |text: &str| {
        format!(
            "INSERT INTO flow_choices (user_id, course_key, contribution, updated_at) VALUES (7, '{}', '{text}', now())
             ON CONFLICT (user_id, course_key) DO UPDATE SET contribution = excluded.contribution",
            samples::COURSE
        )
    };
    app.sql(&remember("75.5")).await;
    let remembered: Value = buy(&app, &[]).send().await.unwrap().json().await.unwrap();
    assert_eq!(remembered["payment_form_data"]["amount"], "75.50");
    assert_eq!(answer(buy(&app, &[("contribution", "")]).send().await.unwrap()).await, (400, NO_NUMBER.to_owned()));
    app.sql(&remember("a lot")).await;
    assert_eq!(answer(buy(&app, &[]).send().await.unwrap()).await, (400, NO_NUMBER.to_owned()));
}

#[tokio::test]
async fn professional_education_is_sold_at_its_price_and_the_first_of_several_modes_wins() {
    let app = selling(vec![]).await;
    let professional = json!({ "slug": "professional", "min_price": 10 });
    put_modes(&app, samples::COURSE, json!([professional])).await;
    let sold: Value = buy(&app, &[]).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&sold["payment_form_data"]["amount"], &sold["payment_form_data"]["merchant_defined_data2"]),
        (&json!("10.00"), &json!("professional"))
    );
    put_modes(&app, samples::COURSE, json!([{ "slug": "no-id-professional", "min_price": 20 }, professional])).await;
    let sold: Value = buy(&app, &[("contribution", "500")]).send().await.unwrap().json().await.unwrap();
    assert_eq!(sold["payment_form_data"]["amount"], "20.00");
    assert_eq!(sold["payment_form_data"]["merchant_defined_data2"], "no-id-professional");
}

#[tokio::test]
async fn a_get_is_405_before_anybody_signs_in_and_a_post_without_a_learner_goes_to_sign_in() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let url = format!("{}/verify_student/create_order/", app.url);
    assert_eq!(app.client.get(&url).send().await.unwrap().status(), 405);
    let nobody = app.client.post(&url).form(&[("course_id", samples::COURSE)]).send().await.unwrap();
    assert_eq!(nobody.status(), 302);
    assert_eq!(nobody.headers()["location"], "/login?next=%2Fverify%5Fstudent%2Fcreate%5Forder%2F");
    let csrf = "0123456789abcdef0123";
    let cookie = || app.client.post(&url).header("cookie", format!("vouch_session={}; csrftoken={csrf}", app.token(7)));
    let fields = [("course_id", samples::COURSE), ("contribution", "50")];
    assert_eq!(cookie().form(&fields).send().await.unwrap().status(), 403);
    nothing_was_ordered(&app).await;
    assert_eq!(cookie().header("x-csrftoken", csrf).form(&fields).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_unknown_learner_is_registered_from_a_whole_token_only() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let fields = [("course_id", samples::COURSE), ("contribution", "50")];
    let post =
        |token: String| app.client.post(format!("{}/verify_student/create_order/", app.url)).bearer_auth(token).form(&fields);
    let refused = post(app.token(9)).send().await.unwrap();
    assert_eq!(answer(refused).await, (400, "No profile found for user".to_owned()));
    nothing_was_ordered(&app).await;
    let exp = app.now().timestamp() + 60;
    let whole = json!({ "sub": "9", "exp": exp, "username": "n", "email": "n@example.com", "name": "New Learner" });
    assert_eq!(post(app.token_of(&whole)).send().await.unwrap().status(), 200);
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE user_id = 9").await, 1);
}

#[tokio::test]
async fn orders_at_the_same_time_never_share_a_cart_and_a_former_cart_is_emptied() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    app.sql("INSERT INTO orders (user_id, status, currency, created_at, updated_at) VALUES (7, 'cart', 'usd', now(), now())")
        .await;
    app.sql(&format!(
        "INSERT INTO order_items (order_id, course_key, mode, status, quantity, unit_cost, list_price, currency, line_desc)
         SELECT id, '{}', 'honor', 'cart', 3, 1, 1, 'usd', 'old' FROM orders",
        samples::COURSE
    ))
    .await;
    let orders: Vec<_> = (0..8).map(|_| tokio::spawn(buy(&app, &[("contribution", "50")]).send())).collect();
    for order in orders {
        assert_eq!(order.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE status = 'cart'").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE status = 'paying'").await, 8, "the former cart is one of them");
    assert_eq!(
        app.count("SELECT count(*) FROM (SELECT order_id FROM order_items GROUP BY order_id HAVING count(*) = 1) AS whole").await,
        8
    );
    assert_eq!(app.count("SELECT count(*) FROM order_items WHERE line_desc = 'old'").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM enrollments").await, 1);
}

#[tokio::test]
async fn without_a_shop_nothing_is_sold_and_nothing_changes() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let (status, text) = answer(buy(&app, &[("contribution", "50")]).send().await.unwrap()).await;
    assert!(status == 503 && text.contains("can't be bought"), "{status} {text}");
    put_modes(&app, samples::COURSE, json!([{ "slug": "verified", "min_price": 50, "sku": "SKU1" }])).await;
    assert_eq!(buy(&app, &[("contribution", "50")]).send().await.unwrap().status(), 503);
    nothing_was_ordered(&app).await;
}

/// A shop that notes what it is asked and answers as it is told.
struct Shop {
    url: String,
    seen: Mutex<Vec<(String, String, Value)>>,
    answer: Mutex<(u16, String, Duration)>,
}

impl Shop {
    async fn start() -> Arc<Self> {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}/api/v2", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let shop =
            Arc::new(Self { url, seen: Mutex::default(), answer: Mutex::new((200, payment_data().to_string(), Duration::ZERO)) });
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
}

#[tokio::test]
async fn without_a_product_our_own_processor_is_named() {
    let app = selling(vec![]).await;
    put_modes(&app, samples::COURSE, verified(12)).await;
    assert_eq!(flow_page(&app).await["processors"], json!(["CyberSource2"]));
}
