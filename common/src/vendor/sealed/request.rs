//! The submission that goes to the vendor: a JSON body and its headers.
//!
//! Nothing in it is random and the keys were wrapped when the photos were prepared, so two tries of one order differ in
//! the links, the moment and the signature only. What not: sending it, and what the answer means.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::webhook::{ID_HEADER, Message, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use crate::secret::Secret;
use crate::vendor::SignedRequest;

/// The version of the body; another one means another reading.
pub const VERSION: u32 = 1;

/// Where a photo lies and how it opens.
#[derive(Clone, Copy)]
pub struct PhotoFacts<'a> {
    /// The signed address of the container.
    pub url: &'a str,
    /// Its key, wrapped.
    pub wrapped_key: &'a str,
    /// The receipt that is bound into it: this attempt's, or that of the attempt whose ID photo goes with it.
    pub receipt_id: &'a str,
}

/// What a submission says about one attempt.
#[derive(Clone, Copy)]
pub struct RequestFacts<'a> {
    /// This attempt's receipt.
    pub receipt_id: &'a str,
    /// What names this order, at each try the same; another order for the same attempt has another.
    pub order: &'a str,
    /// The name that the ID must show.
    pub name: &'a str,
    /// The face.
    pub face: PhotoFacts<'a>,
    /// The ID photo.
    pub photo_id: PhotoFacts<'a>,
    /// Where the vendor posts its verdict.
    pub callback_url: &'a str,
}

/// Builds and signs a submission. The access key tells the vendor who calls and proves nothing; the signature does.
#[must_use]
pub fn build_request(facts: &RequestFacts<'_>, access_key: &str, secret: &Secret, now: DateTime<Utc>) -> SignedRequest {
    let photo = |photo: PhotoFacts<'_>| json!({ "key": photo.wrapped_key, "receipt_id": photo.receipt_id, "url": photo.url });
    let body = json!({
        "callback_url": facts.callback_url,
        "name": facts.name,
        "photos": { "face": photo(facts.face), "photo_id": photo(facts.photo_id) },
        "receipt_id": facts.receipt_id,
        "version": VERSION,
    })
    .to_string()
    .into_bytes();
    let id = format!("{}_{}", facts.receipt_id, facts.order);
    let timestamp = now.timestamp().to_string();
    let signature = sign(Message { id: &id, timestamp: &timestamp, body: &body }, secret);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("authorization", format!("Bearer {access_key}")),
        (ID_HEADER, id),
        (TIMESTAMP_HEADER, timestamp),
        (SIGNATURE_HEADER, signature),
    ];
    SignedRequest { headers: headers.map(|(name, value)| (name.to_owned(), value)).into(), body }
}

#[cfg(test)]
mod tests {
    use super::super::webhook::{find_matching_secret, is_id};
    use super::*;

    const FACTS: RequestFacts<'static> = RequestFacts {
        receipt_id: "4dd1add9-6719-42f7-bea0-115c008c4fca",
        order: "17",
        name: "Rustƴ \"\n\u{1}",
        face: PhotoFacts { url: "http://a/f", wrapped_key: "QUJD", receipt_id: "4dd1add9-6719-42f7-bea0-115c008c4fca" },
        photo_id: PhotoFacts { url: "http://a/i", wrapped_key: "REVG", receipt_id: "former" },
        callback_url: "http://a/callbacks/vendor",
    };

    fn build(facts: &RequestFacts<'_>, seconds: i64) -> SignedRequest {
        build_request(facts, "access", &Secret::new([3; 32]), DateTime::from_timestamp(seconds, 0).unwrap())
    }

    fn header<'a>(request: &'a SignedRequest, name: &str) -> &'a str {
        &request.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    #[test]
    fn every_name_survives_the_body_and_the_signature_holds_over_its_bytes() {
        let request = build(&FACTS, 1_464_782_400);
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["name"], FACTS.name);
        assert_eq!(body["photos"]["photo_id"], json!({ "key": "REVG", "receipt_id": "former", "url": "http://a/i" }));
        let message =
            Message { id: header(&request, ID_HEADER), timestamp: header(&request, TIMESTAMP_HEADER), body: &request.body };
        assert!(is_id(message.id));
        assert_eq!(find_matching_secret(message, header(&request, SIGNATURE_HEADER), &[Secret::new([3; 32])]), Some(0));
    }

    #[test]
    fn a_later_try_of_one_order_has_the_same_name_and_the_same_bytes() {
        let (one, two) = (build(&FACTS, 1_464_782_400), build(&FACTS, 1_464_782_460));
        assert_eq!(one.body, two.body);
        assert_eq!(header(&one, ID_HEADER), header(&two, ID_HEADER));
        assert_ne!(header(&one, SIGNATURE_HEADER), header(&two, SIGNATURE_HEADER));
        assert_ne!(header(&one, ID_HEADER), header(&build(&RequestFacts { order: "18", ..FACTS }, 0), ID_HEADER));
    }
}
