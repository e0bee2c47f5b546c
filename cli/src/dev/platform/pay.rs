//! The payment page: what CyberSource would show, with play money. The browser brings the signed answer
//! back, as there.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::context;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form},
};
use vouch_common::{
    config::Cybersource,
    domain::payment::Decision,
    ids::random_bytes,
    payment::cybersource::{Signed, sign},
};

use super::Shared;

type Fields = BTreeMap<String, String>;

/// What is decided; the other fields are those that came.
const DECISION: &str = "decision";
/// What is told back of the purchase, with `req_` before it.
const TOLD_BACK: [&str; 9] = [
    "access_key",
    "profile_id",
    "reference_number",
    "amount",
    "currency",
    "transaction_uuid",
    "transaction_type",
    "payment_method",
    "locale",
];

/// Shows what is to be paid, with a button for each end.
#[handler]
pub(super) fn show(Form(form): Form<Fields>, Data(shared): Data<&Arc<Shared>>) -> Response {
    let Some(purchase) = verified(&shared.account, &form) else { return refused() };
    let find = |name: &str| purchase.find(name).unwrap_or_default();
    shared.pages.show(
        "pay.html",
        &context! {
            amount => find("amount"), currency => find("currency").to_uppercase(), order => find("reference_number"),
            course => find("merchant_defined_data1"), mode => find("merchant_defined_data2"), fields => &form,
        },
    )
}

/// Brings the signed answer back to the shop.
#[handler]
pub(super) fn decide(Form(form): Form<Fields>, Data(shared): Data<&Arc<Shared>>) -> Response {
    let purchase = verified(&shared.account, &form);
    let decision = form.get(DECISION).and_then(|text| Decision::parse(text));
    let (Some(purchase), Some(decision)) = (purchase, decision) else { return refused() };
    let is_cancelled = decision == Decision::Cancel;
    let page = if is_cancelled { "override_custom_cancel_page" } else { "override_custom_receipt_page" };
    let action = purchase.find(page).unwrap_or_default();
    shared.pages.show("pay_answer.html", &context! { action, fields => answer(&shared.account, &purchase, decision) })
}

fn refused() -> Response {
    Response::builder()
        .status(StatusCode::FORBIDDEN)
        .content_type("text/plain; charset=utf-8")
        .body("The signature is not valid.")
}

fn verified<'a>(account: &Cybersource, fields: &'a Fields) -> Option<Signed<'a>> {
    let signed = Signed::verify(&account.secret_key, fields).ok()?;
    let is_ours =
        signed.find("access_key") == Some(&account.access_key) && signed.find("profile_id") == Some(&account.profile_id);
    is_ours.then_some(signed)
}

/// What CyberSource says of a purchase, signed.
fn answer(account: &Cybersource, purchase: &Signed<'_>, decision: Decision) -> Fields {
    let mut fields: Fields =
        TOLD_BACK.iter().filter_map(|name| Some((format!("req_{name}"), purchase.find(name)?.to_owned()))).collect();
    let (code, message) = match decision {
        Decision::Accept => ("100", "Request was processed successfully."),
        Decision::Cancel => ("", "The consumer cancelled the transaction."),
        Decision::Decline | Decision::Error | Decision::Review => ("203", "The card was declined."),
    };
    let mut add = |name: &str, value: &str| fields.insert(name.to_owned(), value.to_owned());
    add(DECISION, decision.as_str());
    add("reason_code", code);
    add("message", message);
    if decision != Decision::Cancel {
        add("transaction_id", &u64::from_be_bytes(random_bytes::<8>()).to_string());
        for (name, value) in [
            ("forename", "Play"),
            ("surname", "Money"),
            ("address_city", "Brno"),
            ("address_country", "CZ"),
            ("address_postal_code", "602 00"),
        ] {
            add(&format!("req_bill_to_{name}"), value);
        }
    }
    if decision == Decision::Accept {
        add("auth_amount", purchase.find("amount").unwrap_or_default());
    }
    let names = fields.keys().cloned().chain(["signed_field_names".to_owned()]).collect::<Vec<_>>();
    fields.insert("signed_field_names".to_owned(), names.join(","));
    let pairs = names.iter().filter_map(|name| fields.get_key_value(name)).map(|(name, value)| (name.as_str(), value.as_str()));
    let signature = sign(&account.secret_key, pairs);
    fields.insert("signature".to_owned(), signature);
    fields
}

#[cfg(test)]
mod tests {
    use vouch_common::{
        domain::{ids::OrderId, keys::CourseKey, price::Amount},
        ids::new_uuid,
        payment::cybersource::{Purchase, purchase_form, read_reply},
        secret::Secret,
    };

    use super::*;

    #[test]
    fn what_the_payment_page_answers_is_what_the_api_believes() {
        let account = Cybersource {
            access_key: "a".to_owned(),
            profile_id: "p".to_owned(),
            secret_key: Secret::new("secret"),
            purchase_url: "http://127.0.0.1/pay".parse().expect("an address"),
        };
        let course = CourseKey::parse("a/b/c").expect("a course");
        let purchase = Purchase {
            order: OrderId(7),
            amount: Amount::from_units(49),
            currency: "usd",
            visit: new_uuid(),
            callback_url: "http://127.0.0.1/callback",
            course: &course,
            mode: "verified",
        };
        let form = purchase_form(&account, &purchase, chrono::DateTime::UNIX_EPOCH);
        let mut sent: Fields = form.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        sent.insert(DECISION.to_owned(), "ACCEPT".to_owned());
        for decision in [Decision::Accept, Decision::Decline, Decision::Cancel] {
            let signed = verified(&account, &sent).expect("our own signature");
            let payment = read_reply(&account, &answer(&account, &signed, decision)).expect("believed");
            assert_eq!((payment.order, payment.decision, payment.visit), (OrderId(7), decision, Some(purchase.visit)));
            assert_eq!(payment.amount, (decision == Decision::Accept).then_some(purchase.amount));
        }
        sent.insert("amount".to_owned(), "1.00".to_owned());
        assert!(verified(&account, &sent).is_none(), "who changes the amount is refused");
    }
}
