//! The string to sign: one line for the method, one for each signed header, one for each value of the body.
//!
//! Containers lose the names around them (`Reason:[{"photoIdReasons":["Not provided"]}]` becomes the line
//! `photoIdReasons.0:Not provided`) and values follow Python's spelling: faults of the format that both sides must
//! share. A newline in a key or value would imitate another line, so [`has_line_break`] tells callers what to refuse.
//! Source: reference 3.7.

use super::python;
use crate::vendor::strict_json::Json;

/// What is signed: a method, the values of at most three headers, and the members of the body.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The HTTP method in capitals.
    pub method: &'a str,
    /// The value of `Content-Type` if the signature covers it.
    pub content_type: Option<&'a str>,
    /// The value of `Date` if the signature covers it.
    pub date: Option<&'a str>,
    /// The value of `Content-MD5` if the signature covers it.
    pub content_md5: Option<&'a str>,
    /// The members of the body, in any order.
    pub body: &'a [(String, Json)],
}

/// Writes the string that is signed, in the order in which the vendor expects it.
#[must_use]
pub fn string_to_sign(message: &Message<'_>) -> String {
    let mut out = format!("{}\n\n", message.method);
    for value in [message.content_type, message.date, message.content_md5].into_iter().flatten() {
        out.push_str(value);
        out.push('\n');
    }
    push_members(&mut out, message.body, "");
    out
}

/// Tells whether a value could imitate further lines of the string to sign.
#[must_use]
pub fn has_line_break(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

fn push_members(out: &mut String, members: &[(String, Json)], prefix: &str) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    for (key, value) in sorted {
        match value {
            Json::List(items) => push_items(out, key, items),
            Json::Object(inner) => push_members(out, inner, &format!("{key}:")),
            Json::Null => push_line(out, prefix, key, "null"),
            Json::Bool(_) | Json::Number(_) | Json::Text(_) => push_line(out, prefix, key, &python::to_text(value)),
        }
    }
}

fn push_items(out: &mut String, key: &str, items: &[Json]) {
    for (place, item) in items.iter().enumerate() {
        match item {
            Json::Object(inner) => push_members(out, inner, &format!("{key}.{place}.")),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
                push_line(out, "", &format!("{key}.{place}"), &python::to_text(item));
            }
        }
    }
}

fn push_line(out: &mut String, prefix: &str, key: &str, value: &str) {
    for part in [prefix, key, ":", value, "\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{DATE, RECEIPT, members};
    use super::{Message, has_line_break, string_to_sign};

    fn signed(content_type: Option<&str>, content_md5: Option<&str>, body: &str) -> String {
        let body = members(body);
        string_to_sign(&Message { method: "POST", content_type, date: Some(DATE), content_md5, body: &body })
    }

    #[test]
    fn a_submission_is_written_as_in_vector_1() {
        let body = format!(
            r#"{{"EdX-ID":"{RECEIPT}","ExpectedName":"Rustƴ","PhotoID":"http://fake-edx-s3.edx.org/",
                "PhotoIDKey":"QUJD\nREVG\n","SendResponseTo":"https://example.com/verify_student/results_callback",
                "UserPhoto":"http://fake-edx-s3.edx.org/","UserPhotoKey":"R0hJ\n"}}"#
        );

        let expected = format!(
            "POST\n\napplication/json\n{DATE}\nEdX-ID:{RECEIPT}\nExpectedName:Rustƴ\n\
             PhotoID:http://fake-edx-s3.edx.org/\nPhotoIDKey:QUJD\nREVG\n\n\
             SendResponseTo:https://example.com/verify_student/results_callback\n\
             UserPhoto:http://fake-edx-s3.edx.org/\nUserPhotoKey:R0hJ\n\n"
        );
        assert_eq!(signed(Some("application/json"), None, &body), expected);
    }

    #[test]
    fn verdicts_are_written_as_in_vectors_2_and_3() {
        let pass = format!(r#"{{"EdX-ID":"{RECEIPT}","Result":"PASS","Reason":"","MessageType":"You have been verified."}}"#);
        let fail = format!(
            r#"{{"EdX-ID":"{RECEIPT}","Result":"FAIL","Reason":[{{"photoIdReasons":["Not provided"]}}],
                "MessageType":"Photo reasons"}}"#
        );

        let start = format!("POST\n\n{DATE}\nEdX-ID:{RECEIPT}\n");
        let passed = format!("{start}MessageType:You have been verified.\nReason:\nResult:PASS\n");
        let failed = format!("{start}MessageType:Photo reasons\nphotoIdReasons.0:Not provided\nResult:FAIL\n");
        assert_eq!(signed(None, None, &pass), passed);
        assert_eq!(signed(None, None, &fail), failed);
    }

    #[test]
    fn every_kind_of_value_is_written_as_in_vector_4() {
        let body = super::super::signature::VECTOR_4_BODY;

        let expected = format!(
            "POST\n\napplication/json\n{DATE}\nabc\nZ:1\na:null\nb:True\nc.0:None\nc.1:1\nc.2:2.5\nc.3:x\nc.4:False\n\
             d:k:v\nl.0:1\nd:n:null\no:p:q\nh:i:j\nm.0.n:o\ng.0.z:y\nt:1000.0\nu:0.1\nv:10000000000000000000000\n\
             w.0:[1, 2]\né:è\n"
        );
        assert_eq!(signed(Some("application/json"), Some("abc"), body), expected);
    }

    #[test]
    fn nothing_is_written_as_in_vector_5() {
        let nothing = Message { method: "POST", content_type: None, date: None, content_md5: None, body: &[] };

        assert_eq!(string_to_sign(&nothing), "POST\n\n");
    }

    #[test]
    fn keys_are_sorted_by_code_point_and_not_by_utf_16() {
        let body = members(r#"{"\uffff":"1","😀":"2","a":"3"}"#);
        let message = Message { method: "POST", content_type: None, date: None, content_md5: None, body: &body };

        assert_eq!(string_to_sign(&message), "POST\n\na:3\n\u{ffff}:1\n😀:2\n");
    }

    #[test]
    fn a_line_break_is_a_line_feed_or_a_carriage_return() {
        assert!(has_line_break("a\nb"));
        assert!(has_line_break("a\rb"));
        assert!(!has_line_break("a\tb\u{2028}"));
    }
}
