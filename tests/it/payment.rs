//! What the payment processor says of an order, and the receipt.

use std::collections::BTreeMap;

use reqwest::Response;
use serde_json::{Value, json};
use vouch_common::{payment::cybersource::sign, secret::Secret};
use vouch_tests::{TestApp, answer, samples};

use crate::create_order::{CYBERSOURCE_SECRET, buy, put_modes, selling, verified};

type Fields = BTreeMap<&'static str, String>;

/// A learner on the payment page of an order for 50; what an acceptance says of it.
async fn paying(app: &TestApp, mode: &str) -> Fields {
    put_modes(app, samples::COURSE, json!([{ "slug": mode, "display_name": "Certificate", "min_price": 50, "currency": "eur" }]))
        .await;
    order(app).await
}

async fn order(app: &TestApp) -> Fields {
    let bought: Value = buy(app, &[("contribution", "50")]).send().await.unwrap().json().await.unwrap();
    let form = &bought["payment_form_data"];
    let text = |name: &str| form[name].as_str().unwrap().to_owned();
    [
        ("decision", "ACCEPT".to_owned()),
        ("req_reference_number", text("reference_number")),
        ("req_amount", text("amount")),
        ("auth_amount", text("amount")),
        ("req_currency", text("currency")),
        ("req_transaction_uuid", text("transaction_uuid")),
        ("req_access_key", text("access_key")),
        ("req_profile_id", text("profile_id")),
        ("transaction_id", "4711".to_owned()),
        ("reason_code", "100".to_owned()),
        ("message", "Request was processed successfully, ünïcode too".to_owned()),
        ("req_bill_to_forename", "Søfia".to_owned()),
        ("req_bill_to_surname", "Marek".to_owned()),
        ("req_bill_to_address_city", "Brno".to_owned()),
        ("req_bill_to_address_postal_code", "602 00".to_owned()),
        ("req_bill_to_address_country", "CZ".to_owned()),
    ]
    .into()
}

fn with(fields: &Fields, name: &'static str, value: &str) -> Fields {
    let mut changed = fields.clone();
    changed.insert(name, value.to_owned());
    changed
}

fn signed(fields: &Fields) -> Fields {
    let mut all = fields.clone();
    let names = fields.keys().copied().chain(["signed_field_names"]).collect::<Vec<_>>();
    all.insert("signed_field_names", names.join(","));
    let pairs = names.iter().map(|name| (*name, all[name].as_str()));
    let signature = sign(&Secret::new(CYBERSOURCE_SECRET), pairs);
    all.insert("signature", signature);
    all
}

async fn post(app: &TestApp, fields: &Fields) -> Response {
    app.client.post(format!("{}/shoppingcart/postpay_callback/", app.url)).form(fields).send().await.unwrap()
}

async fn location(app: &TestApp, fields: &Fields) -> String {
    let response = post(app, &signed(fields)).await;
    assert_eq!(response.status(), 302, "{}", response.text().await.unwrap());
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn is_unpaid(app: &TestApp) -> bool {
    app.count("SELECT count(*) FROM orders WHERE status <> 'paying'").await == 0
        && app.count("SELECT count(*) FROM order_items WHERE status <> 'paying'").await == 0
        && app.count("SELECT count(*) FROM enrollments WHERE is_active OR mode <> 'audit'").await == 0
}

const CONFIRMATION: &str = "/verify_student/payment-confirmation/course-v1:edX+DemoX+Fall/?payment-order-num=";

#[tokio::test]
async fn a_paid_order_activates_the_enrolment_and_leads_on_by_the_orders_own_number() {
    let app = selling(vec![]).await;
    let earlier = paying(&app, "verified").await;
    // An order without an item, so that the numbers of orders and items differ.
    app.sql(
        "INSERT INTO orders (user_id, status, currency, created_at, updated_at) VALUES (7, 'defunct-cart', 'eur', now(), now())",
    )
    .await;
    let fields = order(&app).await;
    assert_ne!(earlier["req_reference_number"], fields["req_reference_number"]);
    let number = &fields["req_reference_number"];
    assert_eq!(number, "3");
    assert_eq!(location(&app, &fields).await, format!("{CONFIRMATION}{number}"));
    assert_eq!(app.count("SELECT count(*) FROM enrollments WHERE is_active AND mode = 'verified'").await, 1);
    let paid = format!(
        "SELECT count(*) FROM orders JOIN order_items ON order_id = orders.id WHERE orders.id = {number}
         AND orders.status = 'purchased' AND order_items.status = 'purchased' AND fulfilled_at IS NOT NULL
         AND purchased_at IS NOT NULL AND processor_reference = '4711' AND billed_to ->> 'first_name' = 'Søfia'"
    );
    assert_eq!(app.count(&paid).await, 1);
}

#[tokio::test]
async fn of_twenty_equal_answers_at_once_one_takes_effect_and_all_lead_on() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "verified").await;
    app.sql("CREATE TABLE enrolled (at timestamptz)").await;
    app.sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO enrolled VALUES (now()); RETURN NEW; END $$",
    )
    .await;
    app.sql("CREATE TRIGGER note AFTER INSERT OR UPDATE ON enrollments FOR EACH ROW EXECUTE FUNCTION note()").await;
    let url = format!("{}/shoppingcart/postpay_callback/", app.url);
    let answers: Vec<_> = (0..20).map(|_| tokio::spawn(app.client.post(&url).form(&signed(&fields)).send())).collect();
    for answer in answers {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
            (302, format!("{CONFIRMATION}1").as_str())
        );
    }
    assert_eq!(app.count("SELECT count(*) FROM enrolled").await, 1);
    // The learner leaves the course; the same answer again must not bring them back.
    app.sql("UPDATE enrollments SET is_active = false").await;
    assert_eq!(location(&app, &fields).await, format!("{CONFIRMATION}1"));
    assert_eq!(location(&app, &with(&fields, "decision", "DECLINE")).await, format!("{CONFIRMATION}1"));
    assert_eq!(app.count("SELECT count(*) FROM enrollments WHERE is_active").await, 0);
}

#[tokio::test]
async fn what_is_tampered_with_or_does_not_fit_is_refused_and_nothing_changes() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "verified").await;
    let good = signed(&fields);
    for name in ["decision", "auth_amount", "req_reference_number", "req_currency", "signature", "signed_field_names", "message"]
    {
        assert_eq!(post(&app, &with(&good, name, "another")).await.status(), 403, "{name} was changed");
        let mut without = good.clone();
        without.remove(name);
        assert_eq!(post(&app, &without).await.status(), 403, "{name} was taken away");
    }
    for name in ["decision", "auth_amount", "req_currency", "req_reference_number", "req_access_key", "req_profile_id"] {
        let mut unsigned = fields.clone();
        let value = unsigned.remove(name).unwrap();
        let (status, text) = answer(post(&app, &with(&signed(&unsigned), name, &value)).await).await;
        assert!(status == 400 && text.contains(name), "{name} is not signed: {status} {text}");
    }
    for (name, value, status) in [
        ("auth_amount", "49.99", 400),
        ("auth_amount", "50.01", 400),
        ("req_amount", "49.00", 400),
        ("auth_amount", "fifty", 400),
        ("req_currency", "usd", 400),
        ("req_transaction_uuid", "00000000000040008000000000000000", 400),
        ("req_access_key", "another", 400),
        ("req_profile_id", "another", 400),
        ("decision", "PERHAPS", 400),
        ("req_reference_number", "99", 404),
        ("req_reference_number", "x", 400),
    ] {
        assert_eq!(post(&app, &signed(&with(&fields, name, value))).await.status(), status, "{name}={value}");
    }
    let url = format!("{}/shoppingcart/postpay_callback/", app.url);
    let twice = [("decision", "ACCEPT"), ("decision", "ACCEPT")];
    assert_eq!(app.client.post(&url).form(&twice).send().await.unwrap().status(), 400);
    assert_eq!(app.client.post(&url).form(&[("x", "y".repeat(65 * 1024))]).send().await.unwrap().status(), 413);
    assert_eq!(app.client.get(&url).send().await.unwrap().status(), 405);
    assert!(is_unpaid(&app).await);
    assert_eq!(location(&app, &fields).await, format!("{CONFIRMATION}1"), "the true answer is still taken");
}

#[tokio::test]
async fn who_turns_back_or_is_declined_is_sent_back_and_may_pay_later() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "verified").await;
    let back = "/verify_student/start-flow/course-v1:edX+DemoX+Fall/?payment=";
    for (decision, how) in [("CANCEL", "cancelled"), ("DECLINE", "declined"), ("ERROR", "declined"), ("REVIEW", "declined")] {
        let mut said = with(&fields, "decision", decision);
        said.remove("auth_amount");
        assert_eq!(location(&app, &said).await, format!("{back}{how}"));
        assert!(is_unpaid(&app).await);
    }
    let upgrade =
        "INSERT INTO flow_choices (user_id, course_key, is_upgrade, updated_at) SELECT 7, course_key, true, now() FROM courses";
    app.sql(upgrade).await;
    let cancelled = location(&app, &with(&fields, "decision", "CANCEL")).await;
    assert_eq!(cancelled, "/verify_student/upgrade/course-v1:edX+DemoX+Fall/?payment=cancelled");
    assert_eq!(location(&app, &order(&app).await).await, format!("{CONFIRMATION}2"));
}

#[tokio::test]
async fn paid_is_paid_even_when_the_mode_ended_meanwhile() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "verified").await;
    app.sql("UPDATE course_modes SET expires_at = now() - interval '1 day'").await;
    assert_eq!(location(&app, &fields).await, format!("{CONFIRMATION}1"));
    put_modes(&app, samples::COURSE, json!([])).await;
    assert_eq!(app.count("SELECT count(*) FROM enrollments WHERE is_active AND mode = 'verified'").await, 1);
}

#[tokio::test]
async fn a_second_payment_of_one_order_gives_nothing_twice() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "verified").await;
    location(&app, &fields).await;
    app.sql("UPDATE enrollments SET is_active = false").await;
    assert_eq!(location(&app, &with(&fields, "transaction_id", "4712")).await, format!("{CONFIRMATION}1"));
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE processor_reference = '4711'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM enrollments WHERE is_active").await, 0);
}

#[tokio::test]
async fn a_receipt_is_shown_to_who_paid_and_to_nobody_else() {
    let app = selling(vec![]).await;
    let fields = paying(&app, "professional").await;
    let url = format!("{}/shoppingcart/receipt/1/", app.url);
    let look = |user: i64| app.client.get(&url).bearer_auth(app.token(user)).header("accept", "application/json");
    assert_eq!(look(7).send().await.unwrap().status(), 404, "it is not paid");
    assert_eq!(location(&app, &fields).await, "/shoppingcart/receipt/1/", "no identity is asked for");
    let receipt: Value = look(7).send().await.unwrap().json().await.unwrap();
    let paid_at = app.now().format("%b %d, %Y at %H:%M UTC").to_string();
    assert_eq!(
        receipt,
        json!({
            "orderNum": 1, "currency": "eur", "purchase_datetime": paid_at, "total_cost": "50.00", "status": "purchased",
            "billed_to": { "first_name": "Søfia", "last_name": "Marek", "city": "Brno", "state": "", "postal_code": "602 00", "country": "CZ" },
            "items": [{ "line_desc": "Certificate for course Demo", "line_cost": "50.00" }],
        })
    );
    let (status, text) = answer(app.client.get(&url).bearer_auth(app.token(7)).send().await.unwrap()).await;
    assert!(status == 200 && text.contains("Certificate for course Demo: 50.00 EUR"), "{text}");
    assert_eq!(look(8).send().await.unwrap().status(), 404);
    assert_eq!(app.client.get(&url).send().await.unwrap().status(), 302);
    for nonsense in ["x", "99999999999999999999", "-1"] {
        let url = format!("{}/shoppingcart/receipt/{nonsense}/", app.url);
        assert_eq!(app.client.get(url).bearer_auth(app.token(7)).send().await.unwrap().status(), 404);
    }
    app.sql("UPDATE orders SET status = 'refunded'").await;
    assert_eq!(look(7).send().await.unwrap().json::<Value>().await.unwrap()["status"], "refunded");
    assert_eq!(location(&app, &fields).await, "/shoppingcart/receipt/1/", "a refunded order is not paid again");
}

#[tokio::test]
async fn without_a_payment_page_no_answer_is_taken() {
    let app = TestApp::without_worker().await;
    put_modes(&app, samples::COURSE, verified(50)).await;
    let fields = [("decision", "ACCEPT".to_owned())].into();
    assert_eq!(post(&app, &signed(&fields)).await.status(), 404);
}
