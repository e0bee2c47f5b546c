//! The purge: what is known of people goes when its time is over. `domain::retention` has the table.
//!
//! It goes on where it was stopped, because what is gone is not met again. An object goes before the row forgets it.

use tokio_util::sync::CancellationToken;
use vouch_common::{
    domain::{photo::PhotoKind, retention::Kind},
    operations::{
        OperationError, purge_photos,
        purge_rows::{self, BATCHES_MAX, START},
    },
    store::kept_photos::OldPhoto,
    telemetry::chain,
};

use crate::services::Services;

/// Purges every kind whose time is over, a batch at a time; how many photos and rows went.
pub async fn run(services: &Services, stop: &CancellationToken) -> u64 {
    let mut total = 0;
    for photo in [PhotoKind::Face, PhotoKind::PhotoId] {
        total += told(purge_photos::kind_of(photo), photos(services, photo, stop).await);
    }
    for kind in purge_rows::KINDS {
        total += told(kind, rows(services, kind, stop).await);
    }
    total
}

/// Counts what went of a kind elsewhere.
pub(crate) fn count(kind: Kind, gone: u64) {
    metrics::counter!("vouch_purged_total", "kind" => kind.as_str()).increment(gone);
}

fn told(kind: Kind, (gone, result): (u64, Result<(), OperationError>)) -> u64 {
    if gone > 0 {
        tracing::info!(kind = kind.as_str(), gone, "data whose time was over is gone");
    }
    if let Err(error) = result {
        tracing::warn!(kind = kind.as_str(), error = %chain(&error), "a purge stopped; the next one goes on");
    }
    gone
}

async fn rows(services: &Services, kind: Kind, stop: &CancellationToken) -> (u64, Result<(), OperationError>) {
    let (mut gone, mut from) = (0, START);
    for _ in 0..BATCHES_MAX {
        if stop.is_cancelled() {
            break;
        }
        match purge_rows::purge(services.db(), kind, &services.settings().retention, from, services.now()).await {
            Ok(purged) => {
                gone += purged.rows;
                count(kind, purged.rows);
                let Some(next) = purged.next else { break };
                from = next;
            }
            Err(error) => return (gone, Err(error)),
        }
    }
    (gone, Ok(()))
}

async fn photos(services: &Services, photo: PhotoKind, stop: &CancellationToken) -> (u64, Result<(), OperationError>) {
    let (mut gone, mut from) = (0, START);
    for _ in 0..BATCHES_MAX {
        if stop.is_cancelled() {
            break;
        }
        let old = match purge_photos::list(services.db(), photo, &services.settings().retention, from, services.now()).await {
            Ok(old) => old,
            Err(error) => return (gone, Err(error)),
        };
        let Some(last) = old.last() else { break };
        from = (last.decided_at, last.attempt.0);
        match purge_photos::forget(services.db(), photo, &delete_objects(services, old).await).await {
            Ok(forgotten) => {
                gone += forgotten;
                count(purge_photos::kind_of(photo), forgotten);
            }
            Err(error) => return (gone, Err(error)),
        }
    }
    (gone, Ok(()))
}

/// Deletes the objects; those that are gone.
async fn delete_objects(services: &Services, old: Vec<OldPhoto>) -> Vec<OldPhoto> {
    let mut gone = Vec::with_capacity(old.len());
    for photo in old {
        match services.objects().delete(&photo.object).await {
            Ok(()) => gone.push(photo),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a photo whose time is over could not be deleted; the next purge tries again");
            }
        }
    }
    gone
}
