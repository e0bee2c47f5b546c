//! CyberSource "Secure Acceptance": the signed form that a browser takes to the payment page, and the
//! signed answer that it brings back.
//!
//! Source: reference 5.5. A value of an answer can be read only when the signature covers it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer, ser::SerializeMap};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{
    config::Cybersource,
    domain::{
        ids::OrderId,
        keys::CourseKey,
        payment::{BilledTo, Decision, Payment},
        price::Amount,
    },
    secret::Secret,
    vendor::software_secure::signature::hmac_sha256,
};

/// The name by which pages and clients know this processor.
pub const PROCESSOR_NAME: &str = "CyberSource2";

const SIGNED_NAMES: &str = "signed_field_names";
const SIGNATURE: &str = "signature";
/// Most characters of a text that is kept of an answer.
const TEXT_LENGTH_MAX: usize = 255;

/// What is to be paid, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Purchase<'a> {
    /// The order.
    pub order: OrderId,
    /// Its price.
    pub amount: Amount,
    /// In which currency.
    pub currency: &'a str,
    /// Names this visit to the payment page.
    pub visit: Uuid,
    /// Where the browser brings the answer.
    pub callback_url: &'a str,
    /// The course.
    pub course: &'a CourseKey,
    /// The track.
    pub mode: &'a str,
}

/// A form in its order; as JSON an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormData(pub Vec<(&'static str, String)>);

impl Serialize for FormData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The form for the payment page, signed. Source: reference 5.5.
#[must_use]
pub fn purchase_form(account: &Cybersource, purchase: &Purchase<'_>, now: DateTime<Utc>) -> FormData {
    let callback = purchase.callback_url.to_owned();
    let mut fields = vec![
        ("amount", purchase.amount.to_string()),
        ("currency", purchase.currency.to_owned()),
        ("orderNumber", format!("OrderId: {}", purchase.order)),
        ("access_key", account.access_key.clone()),
        ("profile_id", account.profile_id.clone()),
        ("reference_number", purchase.order.to_string()),
        ("transaction_type", "sale".to_owned()),
        ("locale", "en".to_owned()),
        ("signed_date_time", now.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        (SIGNED_NAMES, String::new()),
        ("unsigned_field_names", String::new()),
        ("transaction_uuid", purchase.visit.simple().to_string()),
        ("payment_method", "card".to_owned()),
        ("override_custom_receipt_page", callback.clone()),
        ("override_custom_cancel_page", callback),
        ("merchant_defined_data1", purchase.course.to_string()),
        ("merchant_defined_data2", purchase.mode.to_owned()),
    ];
    let names = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    if let Some((_, value)) = fields.iter_mut().find(|(name, _)| *name == SIGNED_NAMES) {
        *value = names;
    }
    let signature = sign(&account.secret_key, fields.iter().map(|(name, value)| (*name, value.as_str())));
    fields.push((SIGNATURE, signature));
    FormData(fields)
}

/// The signature of fields in their order. Source: reference 5.5.
#[must_use]
pub fn sign<'a>(secret: &Secret, fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let text = fields.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
    STANDARD.encode(hmac_sha256(secret, text.as_bytes()))
}

/// Fields whose signature was verified; what it does not cover can't be read.
#[derive(Clone)]
pub struct Signed<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Signed<'a> {
    /// Verifies the signature of fields that came from outside.
    ///
    /// # Errors
    ///
    /// [`ReplyFault::Signature`] when it is missing or wrong, or would also be right for other values.
    pub fn verify(secret: &Secret, fields: &'a BTreeMap<String, String>) -> Result<Self, ReplyFault> {
        let field = |name: &str| fields.get(name).map(String::as_str).ok_or(ReplyFault::Signature);
        let (names, offered) = (field(SIGNED_NAMES)?, field(SIGNATURE)?);
        let signed =
            names.split(',').map(|name| Ok((fields.get_key_value(name).ok_or(ReplyFault::Signature)?.0.as_str(), field(name)?)));
        let signed = signed.collect::<Result<Vec<_>, ReplyFault>>()?;
        let expected = sign(secret, signed.iter().copied());
        if !bool::from(expected.as_bytes().ct_eq(offered.as_bytes())) {
            return Err(ReplyFault::Signature);
        }
        if !is_cut_one_way(&signed) {
            return Err(ReplyFault::Signature);
        }
        Ok(Self(signed.into_iter().collect()))
    }

    /// A value, when it is there and signed.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|value| !value.is_empty())
    }

    fn get(&self, name: &'static str) -> Result<&'a str, ReplyFault> {
        self.find(name).ok_or(ReplyFault::Missing(name))
    }

    /// A text of bounded length without control characters, or nothing.
    fn text(&self, name: &str) -> String {
        self.find(name).unwrap_or_default().chars().filter(|c| !c.is_control()).take(TEXT_LENGTH_MAX).collect()
    }
}

/// Whether no other values have the same signed text.
///
/// It is names and values joined by commas, and the payer types some of the values: one that imitates a field would let
/// them cut the text otherwise than it was signed. With the list of names among what is signed, each name once, and no
/// value that holds the begin of a field, the text says one thing only.
fn is_cut_one_way(signed: &[(&str, &str)]) -> bool {
    let names: BTreeSet<&str> = signed.iter().map(|(name, _)| *name).collect();
    let is_plain = names.len() == signed.len() && names.contains(SIGNED_NAMES) && !names.iter().any(|name| name.contains('='));
    let imitates = |value: &str| {
        let pieces = value.split(',').skip(1);
        pieces.filter_map(|piece| piece.split_once('=')).any(|(name, _)| names.contains(name))
    };
    is_plain && !signed.iter().any(|(_, value)| imitates(value))
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// It is not signed by who knows the secret.
    #[error("The signature of the payment is not valid.")]
    Signature,
    /// Something that must be there and signed is not.
    #[error("The payment lacks {0}, or its signature does not cover it.")]
    Missing(&'static str),
    /// Something that is there makes no sense.
    #[error("The payment's {0} makes no sense.")]
    Nonsense(&'static str),
    /// It was meant for somebody else.
    #[error("The payment is for another merchant.")]
    NotOurs,
}

/// Reads what CyberSource says of an order. Source: reference 5.5.
///
/// # Errors
///
/// [`ReplyFault`]; change nothing.
pub fn read_reply(account: &Cybersource, fields: &BTreeMap<String, String>) -> Result<Payment, ReplyFault> {
    let signed = Signed::verify(&account.secret_key, fields)?;
    if signed.get("req_access_key")? != account.access_key || signed.get("req_profile_id")? != account.profile_id {
        return Err(ReplyFault::NotOurs);
    }
    let decision = Decision::parse(signed.get("decision")?).ok_or(ReplyFault::Nonsense("decision"))?;
    let order = signed.get("req_reference_number")?.parse().map_err(|_| ReplyFault::Nonsense("req_reference_number"))?;
    let amount = |name: &'static str| {
        let read = |text| Amount::parse_plain(text).ok_or(ReplyFault::Nonsense(name));
        signed.find(name).map(read).transpose()
    };
    if decision == Decision::Accept {
        signed.get("auth_amount")?;
        signed.get("req_currency")?;
    }
    let visit = signed
        .find("req_transaction_uuid")
        .map(|text| Uuid::try_parse(text).map_err(|_| ReplyFault::Nonsense("req_transaction_uuid")));
    Ok(Payment {
        order: OrderId(order),
        decision,
        amount: amount("auth_amount")?,
        requested: amount("req_amount")?,
        currency: signed.find("req_currency").map(str::to_owned),
        visit: visit.transpose()?,
        reference: Some(signed.text("transaction_id")).filter(|text| !text.is_empty()),
        billed_to: BilledTo {
            first_name: signed.text("req_bill_to_forename"),
            last_name: signed.text("req_bill_to_surname"),
            city: signed.text("req_bill_to_address_city"),
            state: signed.text("req_bill_to_address_state"),
            postal_code: signed.text("req_bill_to_address_postal_code"),
            country: signed.text("req_bill_to_address_country"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Cybersource {
        Cybersource {
            access_key: "0123456789012345678901".to_owned(),
            profile_id: "edx".to_owned(),
            secret_key: Secret::new("abcd123"),
            purchase_url: "https://pay.example.com/".parse().expect("an address"),
        }
    }

    fn form() -> FormData {
        let course = CourseKey::parse("Robot/999/Test_Course").expect("a course");
        let purchase = Purchase {
            order: OrderId(7),
            amount: Amount::from_units(50),
            currency: "usd",
            visit: Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000),
            callback_url: "http://testserver/shoppingcart/postpay_callback/",
            course: &course,
            mode: "verified",
        };
        purchase_form(&account(), &purchase, "2016-06-01T12:00:00Z".parse().expect("a time"))
    }

    fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// An answer that signs what it has.
    fn reply(changes: &[(&str, Option<&str>)]) -> BTreeMap<String, String> {
        let usual = [
            ("decision", "ACCEPT"),
            ("req_reference_number", "7"),
            ("req_amount", "50.00"),
            ("auth_amount", "50.00"),
            ("req_currency", "usd"),
            ("transaction_id", "t1"),
            ("req_access_key", "0123456789012345678901"),
            ("req_profile_id", "edx"),
            ("req_bill_to_forename", "Søfia 王"),
            ("req_transaction_uuid", "00000000000040008000000000000000"),
        ];
        let mut answer = fields(usual);
        for (name, value) in changes {
            match value {
                Some(value) => answer.insert((*name).to_owned(), (*value).to_owned()),
                None => answer.remove(*name),
            };
        }
        let names = answer.keys().cloned().chain([SIGNED_NAMES.to_owned()]).collect::<Vec<_>>();
        answer.insert(SIGNED_NAMES.to_owned(), names.join(","));
        let signature = sign(&account().secret_key, names.iter().map(|name| (name.as_str(), answer[name].as_str())));
        answer.insert(SIGNATURE.to_owned(), signature);
        answer
    }

    #[test]
    fn the_form_is_signed_as_in_the_reference() {
        let FormData(form) = form();
        assert_eq!(form.last().map(|(_, value)| value.as_str()), Some("iZeyQc8FKtJnuVIcedxt/pML8ny1nwkfFsdVBRqzJFs="));
        let names = form.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(form[9].1, names[..17].join(","));
        let sent = fields(form.iter().map(|(name, value)| (*name, value.as_str())));
        assert_eq!(Signed::verify(&account().secret_key, &sent).expect("signed").find("amount"), Some("50.00"));
    }

    #[test]
    fn the_form_as_json_keeps_its_order() {
        let text = serde_json::to_string(&form()).expect("json");
        assert!(text.starts_with(r#"{"amount":"50.00","currency":"usd","orderNumber":"OrderId: 7","access_key""#), "{text}");
    }

    #[test]
    fn an_answer_in_any_script_is_read_when_its_signature_is_right() {
        let payment = read_reply(&account(), &reply(&[])).expect("a payment");
        assert_eq!(
            (payment.order, payment.decision, payment.amount),
            (OrderId(7), Decision::Accept, Some(Amount::from_units(50)))
        );
        assert_eq!(payment.billed_to.first_name, "Søfia 王");
        assert_eq!(payment.reference.as_deref(), Some("t1"));
    }

    #[test]
    fn a_field_that_was_changed_added_or_left_unsigned_is_not_believed() {
        for name in ["decision", "auth_amount", "req_currency", "req_reference_number", SIGNATURE, SIGNED_NAMES] {
            let mut answer = reply(&[]);
            answer.insert(name.to_owned(), "2".to_owned());
            assert_eq!(read_reply(&account(), &answer), Err(ReplyFault::Signature), "{name}");
            answer.remove(name);
            assert_eq!(read_reply(&account(), &answer), Err(ReplyFault::Signature), "{name}");
        }
        for name in ["decision", "auth_amount", "req_currency", "req_reference_number", "req_access_key", "req_profile_id"] {
            let mut unsigned = reply(&[(name, None)]);
            unsigned.insert(name.to_owned(), reply(&[])[name].clone());
            assert_eq!(read_reply(&account(), &unsigned), Err(ReplyFault::Missing(name)));
        }
    }

    #[test]
    fn an_answer_whose_signed_text_can_be_cut_in_two_ways_is_not_believed() {
        let read = |fields: &[(&str, &str)], names: &str| {
            let mut answer = self::fields(fields.iter().copied());
            answer.insert(SIGNED_NAMES.to_owned(), names.to_owned());
            let signature = sign(&account().secret_key, names.split(',').map(|name| (name, answer[name].as_str())));
            answer.insert(SIGNATURE.to_owned(), signature);
            read_reply(&account(), &answer).map(|payment| payment.decision)
        };
        let usual = [
            ("decision", "DECLINE"),
            ("req_access_key", "0123456789012345678901"),
            ("req_profile_id", "edx"),
            ("req_reference_number", "7"),
            ("req_bill_to_surname", "Marek, Sofia = S. M."),
        ];
        let names = "decision,req_access_key,req_profile_id,req_reference_number,req_bill_to_surname";
        let with_list = format!("{names},{SIGNED_NAMES}");
        assert_eq!(read(&usual, &with_list), Ok(Decision::Decline), "a comma and a sign alone imitate nothing");
        assert_eq!(read(&usual, names), Err(ReplyFault::Signature), "the list itself is not signed");
        assert_eq!(read(&usual, &format!("{with_list},decision")), Err(ReplyFault::Signature), "a name stands twice");
        let swallowed = [usual[0], usual[1], usual[2], usual[3], ("req_bill_to_surname", "x,decision=ACCEPT")];
        assert_eq!(read(&swallowed, &with_list), Err(ReplyFault::Signature), "a value imitates a field");
    }

    #[test]
    fn an_answer_for_somebody_else_or_without_sense_is_refused() {
        let read = |name, value| read_reply(&account(), &reply(&[(name, Some(value))]));
        assert_eq!(read("req_access_key", "another"), Err(ReplyFault::NotOurs));
        assert_eq!(read("req_profile_id", "another"), Err(ReplyFault::NotOurs));
        assert_eq!(read("decision", "MAYBE"), Err(ReplyFault::Nonsense("decision")));
        assert_eq!(read("req_reference_number", "seven"), Err(ReplyFault::Nonsense("req_reference_number")));
        assert_eq!(read("auth_amount", "5e1"), Err(ReplyFault::Nonsense("auth_amount")));
        assert_eq!(read("req_transaction_uuid", "x"), Err(ReplyFault::Nonsense("req_transaction_uuid")));
    }

    #[test]
    fn a_cancelled_payment_says_no_amount() {
        let changes = [("decision", Some("CANCEL")), ("auth_amount", None), ("req_currency", None), ("transaction_id", None)];
        let payment = read_reply(&account(), &reply(&changes)).expect("a payment");
        assert_eq!((payment.decision, payment.amount, payment.reference), (Decision::Cancel, None, None));
    }
}
