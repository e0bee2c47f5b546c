//! The erasure of one learner: what its receipt says. Who it was about stands in the table and not in the receipt.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{ids::ErasureId, retention::Kind};

/// How many rows and photos of each kind went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds what went of a kind.
    pub fn add(&mut self, kind: Kind, gone: u64) {
        if gone > 0 {
            *self.0.entry(kind.as_str().to_owned()).or_default() += gone;
        }
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (kind, gone) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += gone;
        }
    }

    /// What went of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.0.get(kind.as_str()).copied().unwrap_or_default()
    }
}

/// The version of a receipt's fields.
const VERSION: u8 = 1;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// 1.
    pub version: u8,
    /// The request.
    pub erasure: ErasureId,
    /// The name of the key that was used.
    pub requested_by: String,
    /// When it was asked for (RFC 3339, UTC).
    pub requested_at: String,
    /// When it was done (RFC 3339, UTC).
    pub finished_at: String,
    /// What went.
    pub erased: Counts,
}

impl Receipt {
    /// The receipt of an erasure that is done.
    #[must_use]
    pub fn new(
        erasure: ErasureId,
        (requested_by, requested_at): (&str, DateTime<Utc>),
        finished_at: DateTime<Utc>,
        erased: Counts,
    ) -> Self {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            version: VERSION,
            erasure,
            requested_by: requested_by.to_owned(),
            requested_at: text(requested_at),
            finished_at: text(finished_at),
            erased,
        }
    }

    /// The text that is signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings, numbers and a map of them can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_says_what_went_and_nothing_of_whom() {
        let mut erased = Counts::default();
        erased.add(Kind::Faces, 2);
        erased.add(Kind::Audit, 0);
        let mut more = Counts::default();
        more.add(Kind::Faces, 1);
        erased.add_all(&more);
        let at = DateTime::UNIX_EPOCH;
        let receipt = Receipt::new(ErasureId(uuid::Uuid::nil()), ("ann", at), at, erased);
        assert_eq!(
            receipt.to_text(),
            r#"{"version":1,"erasure":"00000000-0000-0000-0000-000000000000","requested_by":"ann","#.to_owned()
                + r#""requested_at":"1970-01-01T00:00:00Z","finished_at":"1970-01-01T00:00:00Z","erased":{"faces":3}}"#
        );
        assert_eq!(serde_json::from_str::<Receipt>(&receipt.to_text()).unwrap(), receipt);
    }
}
