//! What is planted where only the learner, the vendor and the mail server may see it, so that a leak is recognised.

use base64::{Engine, engine::general_purpose::STANDARD};
use vouch_tests::{API_KEY, JWT_SECRET, SECRET, samples};

const NAME: &str = "Zephyrine Quillmarker";
const ADDRESS: &str = "quillmarker-address";
const PHOTO: &[u8] = b"PLANTED-IN-THE-PHOTO";
/// The master key's bytes.
pub const MASTER_KEY: [u8; 32] = *b"MASTER-KEY-THAT-NOBODY-MAY-SEE-1";

/// A learner's name; `part` tells the simulated vendor what to say.
pub fn name(user: i64, part: &str) -> String {
    format!("{NAME} {part} {}", number_in_words(user)).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names hold letters.
fn number_in_words(user: i64) -> String {
    user.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
}

pub fn address(user: i64) -> String {
    format!("{ADDRESS}-{user}@planted.example")
}

/// Whose address this is.
pub fn user_of(address: &str) -> i64 {
    let number = address.trim_start_matches(ADDRESS).trim_start_matches('-').split('@').next();
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Two good photos as data URLs, with a comment in each that says so.
#[derive(Clone)]
pub struct Photos {
    pub face: String,
    pub photo_id: String,
}

impl Photos {
    pub fn read() -> Self {
        Self { face: planted("good/face.jpg"), photo_id: planted("good/id.jpg") }
    }
}

/// A JPEG with a comment after its first marker.
fn planted(path: &str) -> String {
    let photo = samples::bytes(path);
    let length = u16::try_from(PHOTO.len() + 2).unwrap_or_default().to_be_bytes();
    let planted = [&photo[..2], &[0xff, 0xfe], &length, PHOTO, &photo[2..]].concat();
    samples::data_url(&planted)
}

/// What no log, dump or number may hold.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let photo = samples::bytes("good/face.jpg");
    let middle = &photo[photo.len() / 2..photo.len() / 2 + 24];
    vec![
        ("a learner's name", b"Quillmarker".to_vec()),
        ("a mail address", ADDRESS.as_bytes().to_vec()),
        ("a photo's comment", PHOTO.to_vec()),
        ("a photo's bytes", middle.to_vec()),
        ("a photo as base64", STANDARD.encode(&photo[photo.len() / 6 * 3..]).as_bytes()[..32].to_vec()),
        ("a photo as a data URL", b"base64,/9j/".to_vec()),
        ("the master key", MASTER_KEY.to_vec()),
        ("the master key as base64", STANDARD.encode(MASTER_KEY).into_bytes()),
        ("the vendor's secret", SECRET.as_bytes().to_vec()),
        ("the token secret", JWT_SECRET.as_bytes().to_vec()),
        ("the api key", API_KEY.as_bytes().to_vec()),
        ("a token", b"eyJ0eXAiOiJKV1Qi".to_vec()),
    ]
}
