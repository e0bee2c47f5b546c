//! Sample values: photos, a course, a checkpoint.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vouch_common::{domain::ids::ReceiptId, photos::names};

pub const COURSE: &str = "course-v1:edX+DemoX+Fall";
pub const USAGE: &str = "i4x://edX/DemoX/edx-reverification-block/midterm";

/// Where the sample photos are.
pub fn photos() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/photos"))
}

pub fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(photos().join(path)).unwrap()
}

/// A good photo as a data URL.
pub fn good(name: &str) -> String {
    data_url(&bytes(&format!("good/{name}")))
}

/// A bad photo as a data URL.
pub fn bad(name: &str) -> String {
    data_url(&bytes(&format!("bad/{name}")))
}

pub fn data_url(bytes: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes))
}

/// A course with one checkpoint that is its one requirement for credit.
pub fn course() -> Value {
    json!({
        "display_name": "Demo course",
        "reverification_blocks": [{ "usage": USAGE, "related_assessment": "Midterm", "attempts": 1,
                                    "chapter": "c1", "section": "s1", "position": "2" }],
        "credit": { "enabled": true, "providers": [{ "id": "u", "display_name": "Utopia University" }],
                    "requirements": [{ "namespace": "reverification", "name": USAGE, "display_name": "Midterm", "criteria": {} }] },
    })
}

/// The name of an object of a receipt, as Vouch stores it.
pub fn stored(folder: &str, receipt: &str, last: &str) -> String {
    let id = ReceiptId::parse(receipt).expect("a receipt");
    format!("{}/{receipt}_{last}", names::shelf(folder, id))
}
