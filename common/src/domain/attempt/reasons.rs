//! Why an attempt was denied, in words for the learner.
//!
//! The vendor sends `[{"photoIdReasons": ["Not provided"]}]`; our own intake writes the same shape.
//! Source: reference 2.6. Any other shape gives a sentence too, never a failure.

use std::fmt;

use serde_json::Value;

use crate::domain::photo::{PhotoFault, PhotoKind};

/// Shown when the reasons can't be read.
pub const UNREADABLE: &str = "There was an error verifying your ID photos.";

/// What an attempt keeps that an operator denied without reasons for the learner, who reads [`UNREADABLE`].
pub const DENIED_BY_HAND: &str = "Denied by hand";

/// The vendor's reasons: category, reason, text, stable code.
const TEXTS: [(&str, &str, &str, &str); 14] = [
    ("photoIdReasons", "Not provided", "No photo ID was provided.", "id-missing"),
    ("photoIdReasons", "Text not clear", "We couldn't read your name from your photo ID image.", "id-name-unreadable"),
    (
        "generalReasons",
        "Name mismatch",
        "The name associated with your account and the name on your ID do not match.",
        "name-differs",
    ),
    ("userPhotoReasons", "Image not clear", "The image of your face was not clear.", "face-unclear"),
    ("userPhotoReasons", "Face out of view", "Your face was not visible in your self-photo.", "face-hidden"),
    ("generalReasons", "EdX name not provided", "Your account does not say your full name.", "account-name-missing"),
    (
        "generalReasons",
        "Photo/ID Photo mismatch",
        "The photo of your face and the photo on your ID do not match.",
        "faces-differ",
    ),
    ("photoIdReasons", "ID name not provided", "Your name was not visible on your photo ID.", "id-name-missing"),
    ("photoIdReasons", "Invalid Id", "The ID that you showed is not accepted.", "id-not-accepted"),
    ("photoIdReasons", "No text", "We could not find any text on your photo ID.", "id-text-missing"),
    ("photoIdReasons", "Photo hidden/No photo", "The photo on your ID was hidden or missing.", "id-photo-hidden"),
    ("photoIdReasons", "Image not clear", "The image of your photo ID was not clear.", "id-unclear"),
    ("userPhotoReasons", "Photo not provided", "No photo of your face was provided.", "face-missing"),
    ("userPhotoReasons", "Not provided", "No photo of your face was provided.", "face-missing"),
];

/// The reasons of a denial as texts; empty when it has none. `error_msg` is the attempt's.
#[must_use]
pub fn texts(error_msg: &str) -> Vec<String> {
    if error_msg.is_empty() {
        return Vec::new();
    }
    read(error_msg).unwrap_or_else(|| vec![UNREADABLE.to_owned()])
}

/// Reasons that an operator gives for the learner, in the vendor's shape: a list of objects, or one of them.
///
/// # Errors
///
/// [`UnknownReasons`] when the learner would not be told of them in words.
pub fn by_hand(given: &Value) -> Result<String, UnknownReasons> {
    let list = if given.is_object() { Value::Array(vec![given.clone()]) } else { given.clone() };
    let text = list.to_string();
    if read(&text).is_some_and(|texts| !texts.is_empty()) { Ok(text) } else { Err(UnknownReasons) }
}

/// Reasons for a learner that have no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownReasons;

impl std::error::Error for UnknownReasons {}

impl fmt::Display for UnknownReasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "learner_reasons must name reasons as the vendor does, such as {\"photoIdReasons\":[\"Not provided\"]}. Known: ",
        )?;
        for (index, (category, reason, ..)) in TEXTS.iter().enumerate() {
            write!(f, "{}{category} \"{reason}\"", if index == 0 { "" } else { ", " })?;
        }
        f.write_str(". Nothing was changed.")
    }
}

/// `None` for any shape or reason that is not known.
fn read(error_msg: &str) -> Option<Vec<String>> {
    let value: Value = serde_json::from_str(error_msg).ok()?;
    let items = value.as_array().filter(|items| !items.is_empty())?;
    let mut texts = Vec::new();
    for item in items {
        match item {
            Value::Object(categories) => {
                for (category, reasons) in categories {
                    for reason in reasons.as_array()? {
                        texts.push(text_of(category, reason.as_str()?)?);
                    }
                }
            }
            Value::Array(inner) if inner.is_empty() => {}
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        }
    }
    Some(texts)
}

fn text_of(category: &str, reason: &str) -> Option<String> {
    let vendor = TEXTS.iter().find(|(c, r, ..)| *c == category && *r == reason).map(|(_, _, text, _)| *text);
    vendor.map(str::to_owned).or_else(|| intake_text(category, reason))
}

fn intake_text(category: &str, reason: &str) -> Option<String> {
    [PhotoKind::Face, PhotoKind::PhotoId].into_iter().find_map(|kind| {
        let fault = PhotoFault::ALL.into_iter().find(|fault| PhotoFault::category(kind) == category && fault.reason() == reason);
        fault.map(|fault| fault.text(kind).to_owned())
    })
}

/// What somebody who denies by hand may tell the learner: category and reason as the vendor writes them, and the
/// words, each once.
pub fn choices() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let firsts =
        TEXTS.iter().enumerate().filter(|(place, entry)| TEXTS.iter().position(|other| other.2 == entry.2) == Some(*place));
    firsts.map(|(_, (category, reason, words, _))| (*category, *reason, *words))
}

/// Every text that [`texts`] may give, with a code that does not change when its words do: pages find their
/// translation and their advice by it. Two reasons with the same text share a code.
pub fn coded_texts() -> impl Iterator<Item = (String, &'static str)> {
    let vendor = TEXTS.iter().map(|(_, _, text, code)| ((*code).to_owned(), *text));
    let intake = PhotoKind::ALL.into_iter().flat_map(|kind| {
        PhotoFault::ALL.into_iter().map(move |fault| {
            let kind_name = kind.as_str().replace('_', "-");
            let fault_name = fault.reason().to_lowercase().replace(' ', "-");
            (format!("{kind_name}-{fault_name}"), fault.text(kind))
        })
    });
    vendor.chain(intake).chain([("unreadable".to_owned(), UNREADABLE)])
}

/// Reasons that the vendor names by their codes, in the shape of the others; a code that is not known gives the
/// general sentence.
#[must_use]
pub fn from_codes<'a>(codes: impl IntoIterator<Item = &'a str>) -> String {
    let items = codes.into_iter().map(|code| match TEXTS.iter().find(|(.., known)| *known == code) {
        Some((category, reason, ..)) => serde_json::json!({ *category: [reason] }),
        None => serde_json::json!({ "otherReasons": [code] }),
    });
    Value::Array(items.collect()).to_string()
}

/// The code of a reason; `None` for one that is not known.
#[must_use]
pub fn code_of(category: &str, reason: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(c, r, ..)| *c == category && *r == reason).map(|(.., code)| *code)
}

/// The intake's reasons in the vendor's shape.
#[must_use]
pub fn intake_reasons(faults: &[(PhotoKind, PhotoFault)]) -> String {
    let items: Vec<Value> =
        faults.iter().map(|(kind, fault)| serde_json::json!({ PhotoFault::category(*kind): [fault.reason()] })).collect();
    Value::Array(items).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_reasons_become_their_texts() {
        assert_eq!(
            texts(r#"[{"photoIdReasons": ["Not provided", "Text not clear"]}]"#),
            ["No photo ID was provided.", "We couldn't read your name from your photo ID image."]
        );
        assert_eq!(
            texts(r#"[{"generalReasons": ["Name mismatch"]}, {"userPhotoReasons": ["Face out of view"]}]"#),
            [
                "The name associated with your account and the name on your ID do not match.",
                "Your face was not visible in your self-photo."
            ]
        );
    }

    #[test]
    fn a_code_means_one_text_and_a_text_has_one_code() {
        let coded: Vec<(String, &str)> = coded_texts().collect();
        for (code, text) in &coded {
            for (other_code, other_text) in &coded {
                assert_eq!(code == other_code, text == other_text, "{code} {other_code}");
            }
        }
    }

    #[test]
    fn a_reason_by_its_code_has_the_words_of_the_reason_and_an_unknown_code_the_general_ones() {
        for (category, reason, words, _) in TEXTS {
            let code = code_of(category, reason).unwrap();
            assert_eq!(texts(&from_codes([code])), [words]);
        }
        assert_eq!(texts(&from_codes(["id-missing", "name-differs"])).len(), 2);
        for unknown in [vec![], vec!["new"], vec!["id-missing", "new"], vec![""]] {
            assert_eq!(texts(&from_codes(unknown.iter().copied())), [UNREADABLE], "{unknown:?}");
        }
        assert_eq!(code_of("photoIdReasons", "Something new"), None);
    }

    #[test]
    fn an_attempt_without_a_message_has_no_reasons() {
        assert!(texts("").is_empty());
        for empty in [r"[{}]", r"[[]]", r#"[{"photoIdReasons":[]}]"#] {
            assert!(texts(empty).is_empty(), "{empty}");
        }
    }

    #[test]
    fn any_other_shape_gives_the_general_sentence_and_never_a_failure() {
        for odd in [
            "not JSON",
            r#""Invalid photo""#,
            r#""""#,
            "[]",
            "null",
            "5",
            "true",
            "[null]",
            r#"["x"]"#,
            "{}",
            r#"[{"photoIdReasons":null}]"#,
            r#"[{"photoIdReasons":"Not provided"}]"#,
            r#"[{"photoIdReasons":["Not provided","Something new"]}]"#,
            r#"[{"Ünknown":["Not provided"]}]"#,
            r#"{"photoIdReasons":["Not provided"]}"#,
            "Denied by hand",
        ] {
            assert_eq!(texts(odd), [UNREADABLE], "{odd}");
        }
    }

    #[test]
    fn reasons_by_hand_are_those_that_have_words() {
        let one = serde_json::json!({ "photoIdReasons": ["Not provided"] });
        assert_eq!(by_hand(&one).map(|text| texts(&text)), Ok(vec!["No photo ID was provided.".to_owned()]));
        assert_eq!(by_hand(&serde_json::json!([one])), by_hand(&one));
        for odd in [serde_json::json!({}), serde_json::json!({ "photoIdReasons": ["Ugly"] }), serde_json::json!("Ugly")] {
            assert_eq!(by_hand(&odd), Err(UnknownReasons));
        }
        assert!(UnknownReasons.to_string().contains(r#"userPhotoReasons "Face out of view""#));
    }

    #[test]
    fn every_fault_of_the_intake_has_a_text_that_comes_back_from_its_json() {
        for kind in [PhotoKind::Face, PhotoKind::PhotoId] {
            for fault in PhotoFault::ALL {
                assert_eq!(texts(&intake_reasons(&[(kind, fault)])), [fault.text(kind)]);
            }
        }
    }
}
