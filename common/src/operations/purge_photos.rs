//! Photos go when their time is over: first the object, then its name and key, so that nothing is left without a name.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        photo::PhotoKind,
        retention::{Kind, Periods},
    },
    store::{
        Db,
        kept_photos::{self, Cursor, OldPhoto},
    },
};

/// Photos of one batch.
const BATCH: i64 = 100;

/// The kind that a photo is.
#[must_use]
pub const fn kind_of(photo: PhotoKind) -> Kind {
    match photo {
        PhotoKind::Face => Kind::Faces,
        PhotoKind::PhotoId => Kind::IdPhotos,
    }
}

/// Photos whose time is over, oldest decision first, after `from`. Delete their objects, then [`forget`] them.
///
/// # Errors
///
/// When the database is away.
pub async fn list(
    db: &Db,
    photo: PhotoKind,
    periods: &Periods,
    from: Cursor,
    now: DateTime<Utc>,
) -> Result<Vec<OldPhoto>, OperationError> {
    let Some(before) = periods.cutoff(kind_of(photo), now) else { return Ok(Vec::new()) };
    let mut conn = db.acquire().await?;
    Ok(match photo {
        PhotoKind::Face => kept_photos::list_faces(&mut conn, before, from, BATCH).await?,
        PhotoKind::PhotoId => {
            let bounds = (before, periods.expired_before(now));
            kept_photos::list_id_photos(&mut conn, bounds, from, BATCH).await?
        }
    })
}

/// Forgets photos whose objects are gone; how many.
///
/// # Errors
///
/// When the database is away: the names stay, and the next purge deletes and forgets them again.
pub async fn forget(db: &Db, photo: PhotoKind, photos: &[OldPhoto]) -> Result<u64, OperationError> {
    let mut tx = db.begin().await?;
    let gone = match photo {
        PhotoKind::Face => kept_photos::forget_faces(&mut tx, photos).await?,
        PhotoKind::PhotoId => kept_photos::forget_id_photos(&mut tx, photos).await?,
    };
    tx.commit().await?;
    Ok(gone)
}
