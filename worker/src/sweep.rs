//! The sweep: what must not happen is looked for, mended, and counted.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vouch_common::{
    domain::retention::Kind,
    operations::{compact_tallies, forget_retries, forget_submission_keys, match_orphans, mend_stuck, remind_expired},
    photos::names,
    telemetry::chain,
};

use crate::{purge, services::Services};

/// An object that no attempt names is removed when it is so old: a submission may still be on its way.
const LEFTOVER_AGE: TimeDelta = TimeDelta::days(1);
/// Objects compared with the database at once.
const BATCH: usize = 500;

/// Compares what is not finished with the job that must exist for it, and mends the difference.
pub async fn mend(services: &Services) -> usize {
    match mend_stuck::mend(services.db(), services.now()).await {
        Ok(0) => 0,
        Ok(repaired) => {
            tracing::error!(repaired, "the sweep found stuck work and set it going again; find out why");
            metrics::counter!("vouch_sweep_repaired_total").increment(repaired as u64);
            services.wake();
            repaired
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "the sweep could not look");
            0
        }
    }
}

/// Looks again for the attempts of callbacks that came before they were known.
pub async fn match_orphans(services: &Services) {
    match match_orphans::match_again(services.db(), services.now()).await {
        Ok(0) => {}
        Ok(matched) => {
            tracing::info!(matched, "callbacks whose receipt was not known have found their attempts");
            services.wake();
        }
        Err(error) => tracing::warn!(error = %chain(&error), "orphaned callbacks could not be looked at; the next sweep does"),
    }
}

/// Removes objects older than a day that no attempt names; returns how many.
pub async fn remove_leftovers(services: &Services, stop: &CancellationToken) -> usize {
    let before = services.now() - LEFTOVER_AGE;
    let mut removed = 0;
    for folder in names::FOLDERS {
        let old = services
            .objects()
            .list(folder)
            .filter_map(|listed| async move { listed.ok().filter(|object| object.stored_at < before).map(|object| object.name) });
        let mut batches = Box::pin(old.chunks(BATCH));
        while let Some(batch) = batches.next().await {
            if stop.is_cancelled() {
                return removed;
            }
            removed += remove_unnamed(services, batch).await;
        }
    }
    removed
}

async fn remove_unnamed(services: &Services, batch: Vec<String>) -> usize {
    let receipts: Vec<Uuid> = batch.iter().filter_map(|name| names::receipt_of(name)).collect();
    let named: HashSet<String> = match mend_stuck::names_in_use(services.db(), &receipts).await {
        Ok(named) => named.into_iter().collect(),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "leftovers can't be told from what is needed; nothing was removed");
            return 0;
        }
    };
    let mut removed = 0;
    for name in batch.iter().filter(|name| !named.contains(*name) && names::receipt_of(name).is_some()) {
        match services.objects().delete(name).await {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(error = %chain(&error), "a leftover could not be removed; the next sweep tries again"),
        }
    }
    if removed > 0 {
        tracing::info!(removed, "objects that belong to no attempt were removed");
        metrics::counter!("vouch_leftovers_removed_total").increment(removed as u64);
    }
    removed
}

/// Forgets the keys of submissions that nobody sends again.
pub async fn forget_keys(services: &Services) {
    match forget_submission_keys::forget(services.db(), services.now()).await {
        Ok(0) => {}
        Ok(forgotten) => {
            purge::count(Kind::SubmissionKeys, forgotten);
            tracing::info!(forgotten, "old keys of submissions were forgotten");
        }
        Err(error) => tracing::warn!(error = %chain(&error), "old keys could not be forgotten; the next sweep tries again"),
    }
}

/// Asks for the mails that tell learners of an expired verification; returns how many.
pub async fn remind(services: &Services) -> usize {
    let settings = services.settings();
    match remind_expired::remind(services.db(), settings.reminders, settings.validity.days_good_for, services.now()).await {
        Ok(0) => 0,
        Ok(told) => {
            tracing::info!(told, "learners are told that their verification has expired");
            services.wake();
            told
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "expired verifications could not be looked at; the next hour tries again");
            0
        }
    }
}

/// Forgets the items of bulk retries that are long over.
pub async fn forget_retries(services: &Services) {
    match forget_retries::forget(services.db(), services.now()).await {
        Ok(0) => {}
        Ok(forgotten) => {
            purge::count(Kind::BulkRetries, forgotten);
            tracing::info!(forgotten, "items of old bulk retries were forgotten");
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "old bulk retries could not be forgotten; the next sweep tries again");
        }
    }
}

/// Adds the tallies of dead jobs up.
pub async fn compact_tallies(services: &Services) {
    if let Err(error) = compact_tallies::compact(services.db()).await {
        tracing::warn!(error = %chain(&error), "the tallies of dead jobs could not be added up; the next round does");
    }
}
