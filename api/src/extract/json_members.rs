//! The members of a JSON object as they were written, also those that stand there twice: `serde_json::Value` would keep the
//! last and say nothing.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::error::Fault;

/// A member of an object.
pub(super) struct Member {
    /// Its name.
    pub(super) name: String,
    /// What it holds.
    pub(super) value: Value,
    /// Whether one of this name stood before it.
    pub(super) is_repeated: bool,
}

/// Reads an object.
///
/// # Errors
///
/// 400 when it is no JSON, or no object.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Member>, Fault> {
    let members: Members = serde_json::from_slice(bytes).map_err(|error| {
        let is_other = error.is_data();
        Fault::bad_request(if is_other { "The request must be a JSON object." } else { "The request is not valid JSON." })
    })?;
    Ok(members.0)
}

struct Members(Vec<Member>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AsWritten).map(Self)
    }
}

struct AsWritten;

impl<'de> Visitor<'de> for AsWritten {
    type Value = Vec<Member>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let is_repeated = !seen.insert(name.clone());
            members.push(Member { name, value, is_repeated });
        }
        Ok(members)
    }
}
