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
    format!("{}/{receipt}_{}", shelf("uploads", receipt), kind.as_str())
}

/// The name of a photo that one delivery of a job prepared.
#[must_use]
pub fn prepared(receipt: ReceiptId, kind: PhotoKind, lease: Lease) -> String {
    format!("{}/{receipt}_{}-{}", shelf(kind.as_str(), receipt), lease.job, lease.generation)
}

/// Where in a folder the objects of a receipt lie: one of 256 shelves, so that none holds too many. A directory of
/// its own for each attempt would cost a local store as much as a photo does, and stay when the photos are gone.
#[must_use]
pub fn shelf(folder: &str, receipt: ReceiptId) -> String {
    format!("{folder}/{:02x}", receipt.0.as_bytes()[15])
}

/// Whether the vendor may download an object of that name.
#[must_use]
pub fn is_for_vendor(name: &str) -> bool {
    receipt_of(name).is_some() && !name.starts_with("uploads/")
}

/// The receipt in a name; `None` for what Vouch did not store.
#[must_use]
pub fn receipt_of(name: &str) -> Option<Uuid> {
    let (place, last) = name.rsplit_once('/')?;
    let (receipt, rest) = last.split_once('_')?;
    let receipt = ReceiptId::parse(receipt)?;
    let is_ours = !rest.is_empty() && FOLDERS.iter().any(|folder| shelf(folder, receipt) == place);
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
        assert_eq!(prepared, "face/01/00000000-0000-0000-0000-000000000001_7-2");
        assert!(is_for_vendor(&prepared));
        assert_eq!(receipt_of(&prepared), Some(receipt.0));
        let (beside, within) = (prepared.replace("/01/", "/02/"), format!("{prepared}/x"));
        let above = format!("../{prepared}");
        let upload = upload(receipt, PhotoKind::Face);
        assert_eq!(upload, "uploads/01/00000000-0000-0000-0000-000000000001_face");
        for other in ["", "face", "face/01/x_1-1", &upload, &beside, &within, &above] {
            assert!(!is_for_vendor(other), "{other}");
        }
    }
}
