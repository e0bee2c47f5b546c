//! The jobs: one file each, and the match that leaves none out.

pub mod apply_vendor_result;
pub mod erase_learner;
pub mod prepare_photos;
pub mod retry_batch;
pub mod send_email;
pub mod submit_to_vendor;
pub mod track_event;
pub mod update_credit_requirement;

use std::time::Duration;

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use vouch_common::{config::Settings, domain::effect::Effect};

use crate::{
    runtime::job::{Delivery, JobFailure, Policy},
    services::Services,
};

/// How long a job of an unknown kind is held while it is put back.
const UNKNOWN_RUN_WINDOW: Duration = Duration::from_secs(30);

/// How an effect is run in this deployment.
#[must_use]
pub fn policy(effect: &Effect, settings: &Settings) -> Policy {
    match effect {
        Effect::PreparePhotos { .. } => prepare_photos::POLICY,
        Effect::SubmitToVendor { .. } => submit_to_vendor::policy(&settings.vendor),
        Effect::ApplyVendorResult { .. } => apply_vendor_result::POLICY,
        Effect::UpdateCreditRequirement { .. } => update_credit_requirement::POLICY,
        Effect::SendEmail { .. } => send_email::POLICY,
        Effect::TrackEvent { .. } => track_event::POLICY,
        Effect::RetryBatch { .. } => retry_batch::POLICY,
        Effect::EraseLearner { .. } => erase_learner::POLICY,
    }
}

/// Every job with its policy, by kind.
pub const POLICIES: [(&str, Policy); 8] = [
    ("prepare_photos", prepare_photos::POLICY),
    ("submit_to_vendor", submit_to_vendor::POLICY),
    ("apply_vendor_result", apply_vendor_result::POLICY),
    ("update_credit_requirement", update_credit_requirement::POLICY),
    ("send_email", send_email::POLICY),
    ("track_event", track_event::POLICY),
    ("retry_batch", retry_batch::POLICY),
    ("erase_learner", erase_learner::POLICY),
];

/// How long a claimed job of that kind is its worker's at most: so long a job waits that hangs.
#[must_use]
pub fn run_window(kind: &str, settings: &Settings) -> Duration {
    match POLICIES.iter().find(|(known, _)| *known == kind) {
        Some(("submit_to_vendor", _)) => submit_to_vendor::policy(&settings.vendor).run_window(),
        Some((_, policy)) => policy.run_window(),
        None => UNKNOWN_RUN_WINDOW,
    }
}

/// Runs an effect. What moves through the worker library is a pointer and has not the size of the largest job.
///
/// # Errors
///
/// How it failed and what should be done next; the runner records it.
#[must_use]
pub fn run(services: &Services, delivery: Delivery, effect: Effect) -> BoxFuture<'_, Result<(), JobFailure>> {
    match effect {
        Effect::PreparePhotos { receipt } => prepare_photos::run(services, delivery, receipt).err_into().boxed(),
        Effect::SubmitToVendor { receipt } => submit_to_vendor::run(services, delivery, receipt).err_into().boxed(),
        Effect::ApplyVendorResult { callback } => apply_vendor_result::run(services, delivery, callback).err_into().boxed(),
        Effect::UpdateCreditRequirement { user, checkpoint } => {
            update_credit_requirement::run(services, delivery, (user, checkpoint)).err_into().boxed()
        }
        Effect::SendEmail { template, user, receipt, course } => {
            let mail = send_email::Arguments { template, user, receipt, course };
            async move { Ok(send_email::run(services, delivery, &mail).await?) }.boxed()
        }
        Effect::TrackEvent { user, event, receipt } => {
            track_event::run(services, delivery, user, event.zip(receipt)).err_into().boxed()
        }
        Effect::RetryBatch { retry } => retry_batch::run(services, delivery, retry).err_into().boxed(),
        Effect::EraseLearner { erasure } => erase_learner::run(services, delivery, erasure).err_into().boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_effect_has_its_policy() {
        assert_eq!(POLICIES.map(|(kind, _)| kind), Effect::KINDS);
    }
}
