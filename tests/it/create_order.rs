//! Buying a certificate from our own cart, over real HTTP.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, multipart::Form};
use serde_json::{Value, json};
use vouch_common::{payment::cybersource::Signed, secret::Secret};
use vouch_tests::{TestApp, Wishes, answer, percent, samples};

pub(crate) const CYBERSOURCE_SECRET: &str = "the processor's secret";
pub(crate) const BELOW: &str = "No selected price or selected price is below minimum.";
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

pub(crate) fn post_to(app: &TestApp) -> RequestBuilder {
    app.client.post(format!("{}/verify_student/create_order/", app.url)).bearer_auth(app.token(7))
}

pub(crate) fn buy(app: &TestApp, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut all = vec![("course_id", samples::COURSE), ("processor", "CyberSource2")];
    all.extend(fields);
    post_to(app).form(&all)
}

pub(crate) async fn nothing_was_ordered(app: &TestApp) {
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

#[tokio::test]
async fn the_page_names_the_amount_that_the_order_will_cost() {
    let app = selling(vec![]).await;
    for (mode, contribution, amount) in [
        ("verified", "20", "20.00"),
        ("verified", "%D9%A5%D9%A0", "50.00"),
        ("verified", "+50.999", "50.99"),
        ("verified", "11.99", "12.00"),
        ("verified", "NaN", "12.00"),
        ("professional", "500", "12.00"),
    ] {
        put_modes(&app, samples::COURSE, json!([{ "slug": mode, "min_price": 12 }])).await;
        let url = format!("{}/verify_student/start-flow/{}/?contribution={contribution}", app.url, samples::COURSE);
        let visit = app.client.get(url).bearer_auth(app.token(7)).header("accept", "application/json");
        let page: Value = visit.send().await.unwrap().json().await.unwrap();
        assert_eq!(page["amount_to_pay"], amount, "{mode} {contribution}");
        let order: Value = buy(&app, &[("contribution", amount)]).send().await.unwrap().json().await.unwrap();
        assert_eq!(signed_form(&order)["amount"], amount, "{mode} {contribution}");
    }
}
