//! A strict reader of JSON: no duplicate keys, a bounded depth, numbers kept as they were written.
//!
//! Why here: a signature over a decoded document is worth something only if everybody decodes it to the same thing.
//! `serde_json::Value` lets the last duplicate win and rounds big integers. The grammar itself is `serde_json`'s: each
//! level is read into raw pieces, and each piece is read again, which costs at most depth times size. What not: no
//! writing, and no bound on the size; the caller limits the bytes before.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest nesting of lists and objects in a document of the vendor; the document itself is level 1.
pub const DEPTH_MAX: usize = 16;

/// The members of an object in the order in which they were written.
pub type Members = Vec<(String, Json)>;

/// A JSON document that was read without losing anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// The literal `null`.
    Null,
    /// The literal `true` or `false`.
    Bool(bool),
    /// A number, as the text that stood in the document.
    Number(String),
    /// A string without its escapes.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object whose keys differ.
    Object(Members),
}

impl Json {
    /// Finds the member with this key if the document is an object and has it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }
}

/// Reads a document in UTF-8 from its first byte to its last.
///
/// # Errors
/// [`StrictJsonError`] if the bytes are not JSON, repeat a key or nest deeper than [`DEPTH_MAX`]; refuse the document.
pub fn parse(bytes: &[u8]) -> Result<Json, StrictJsonError> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|cause| StrictJsonError::Syntax { cause })?;
    read_value(raw.get(), 1)
}

fn read_value(text: &str, depth: usize) -> Result<Json, StrictJsonError> {
    let syntax = |cause| StrictJsonError::Syntax { cause };
    match text.as_bytes().first() {
        Some(b'n') => Ok(Json::Null),
        Some(b't') => Ok(Json::Bool(true)),
        Some(b'f') => Ok(Json::Bool(false)),
        Some(b'"') => serde_json::from_str(text).map(Json::Text).map_err(syntax),
        Some(b'[' | b'{') if depth > DEPTH_MAX => Err(StrictJsonError::TooDeep),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .map_err(syntax)?
            .into_iter()
            .map(|item| read_value(item.get(), depth + 1))
            .collect::<Result<_, _>>()
            .map(Json::List),
        Some(b'{') => serde_json::Deserializer::from_str(text)
            .deserialize_map(UniqueMembers)
            .map_err(syntax)?
            .into_iter()
            .map(|(key, value)| Ok((key, read_value(value.get(), depth + 1)?)))
            .collect::<Result<_, _>>()
            .map(Json::Object),
        _ => Ok(Json::Number(text.to_owned())),
    }
}

struct UniqueMembers;

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object whose keys differ")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key occurs twice"));
            }
            members.push((key, value));
        }
        Ok(members)
    }
}

/// Why a document was not read.
#[derive(Debug, thiserror::Error)]
pub enum StrictJsonError {
    /// The bytes are not JSON in UTF-8, or an object repeats a key.
    #[error("could not read the document as strict JSON")]
    Syntax {
        /// What the parser says, with the place.
        #[source]
        cause: serde_json::Error,
    },
    /// Lists and objects nest deeper than [`DEPTH_MAX`].
    #[error("the document nests too deeply")]
    TooDeep,
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, Json, StrictJsonError, parse};

    #[test]
    fn a_document_keeps_its_order_and_its_numbers() {
        let document = parse(br#" {"b": [1.0, 10000000000000000000000, null], "a": "\u00e9", "c": false} "#).unwrap();

        let numbers = vec![Json::Number("1.0".into()), Json::Number("10000000000000000000000".into()), Json::Null];
        let expected = Json::Object(vec![
            ("b".into(), Json::List(numbers)),
            ("a".into(), Json::Text("é".into())),
            ("c".into(), Json::Bool(false)),
        ]);
        assert_eq!(document, expected);
        assert_eq!(document.find("a"), Some(&Json::Text("é".into())));
        assert_eq!(document.find("z"), None);
        assert_eq!(Json::Null.find("a"), None);
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused_at_every_level_and_in_every_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(matches!(parse(text.as_bytes()), Err(StrictJsonError::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn sixteen_levels_are_read_and_seventeen_are_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));

        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(matches!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(StrictJsonError::TooDeep)));
        assert!(matches!(parse(nested(30_000).as_bytes()), Err(StrictJsonError::TooDeep)));
        assert!(matches!(parse(r#"{"a":"#.repeat(9_000).as_bytes()), Err(StrictJsonError::Syntax { .. })));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{} {}", "{'a':1}", "[1,]", "NaN", "01", "\u{feff}{}", "\"\\ud800\"", "nul", "\"a\nb\""] {
            assert!(matches!(parse(text.as_bytes()), Err(StrictJsonError::Syntax { .. })), "{text:?}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
