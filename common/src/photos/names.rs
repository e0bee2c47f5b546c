//! Names in the object store. They carry the receipt, so that what lies there can be matched with its row,
//! and what was prepared carries the job and its generation, so that a worker which froze can't overwrite
//! what its successor stored: the row says which name holds.

use uuid::Uuid;

use crate::{
    domain::{ids::ReceiptId, photo::PhotoKind},
    store::jobs::Lease,
};

/// The folders, with what lies in them: sealed uploads, and the two photos that the vendor downloads.
pub const FOLDERS: [&str; 3] = ["uploads", "face", "photo_id"];

/// The name of a sealed upload.
#[must_use]
pub fn upload(receipt: ReceiptId, kind: PhotoKind) -> String {
    format!("uploads/{receipt}/{}", kind.as_str())
}

/// The name of a photo that one delivery of a job prepared.
#[must_use]
pub fn prepared(receipt: ReceiptId, kind: PhotoKind, lease: Lease) -> String {
    format!("{}/{receipt}/{}-{}", kind.as_str(), lease.job, lease.generation)
}

/// Whether the vendor may download an object of that name.
#[must_use]
pub fn is_for_vendor(name: &str) -> bool {
    receipt_of(name).is_some() && !name.starts_with("uploads/")
}

/// The receipt in a name; `None` for what Vouch did not store.
#[must_use]
pub fn receipt_of(name: &str) -> Option<Uuid> {
    let mut parts = name.split('/');
    let folder = parts.next()?;
    let receipt = ReceiptId::parse(parts.next()?)?;
    let is_ours = FOLDERS.contains(&folder) && parts.next().is_some_and(|last| !last.is_empty()) && parts.next().is_none();
    is_ours.then_some(receipt.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::JobId;

    #[test]
    fn the_vendor_may_download_prepared_photos_and_nothing_else() {
        let receipt = ReceiptId(Uuid::from_u128(1));
        let lease = Lease { job: JobId(7), generation: 2 };
        let prepared = prepared(receipt, PhotoKind::Face, lease);
        assert_eq!(prepared, "face/00000000-0000-0000-0000-000000000001/7-2");
        assert!(is_for_vendor(&prepared));
        assert_eq!(receipt_of(&prepared), Some(receipt.0));
        for other in
            ["", "face", "face/x/1-1", &upload(receipt, PhotoKind::Face), &format!("{prepared}/x"), &format!("../{prepared}")]
        {
            assert!(!is_for_vendor(other), "{other}");
        }
    }
}
