//! - **Trigger**: the photos of an attempt are prepared; or an operator sends it again.
//! - **Does**: signs the attempt with fresh photo links and posts it to the vendor; accepted, it is `submitted`, else `must_retry`.
//! - **Safe to repeat because**: the vendor knows the receipt, and in `sealed` the job too; an attempt that has its verdict is not sent.
//! - **Limits**: the vendor's timeout, at most a minute; no redirect is followed.
//! - **Retries when**: the vendor is away, slow, busy (429 holds the whole queue for as long as it asks, and costs no try on the first day) or at fault (5xx); when that is no single case, the breaker opens and waiting costs no tries.
//! - **Gives up when, and then**: the vendor refuses (other 4xx), its format is another than the photos', or the tries are used up; the attempt stays `must_retry` and an operator decides.
//! - **Personal data**: the learner's name and photo links go to the vendor.

use std::time::Duration;

use vouch_common::{
    adapters::objects::ObjectsError,
    config::Vendor,
    domain::{
        attempt::{Status, transition::Move, transition::Step},
        backoff::Backoff,
        effect::Queue,
        ids::ReceiptId,
    },
    operations::{OperationError, load_work, record_submission},
    store::attempt_work::AttemptWork,
};

use crate::{
    adapters::vendor::{VendorError, VendorPhoto, VendorRequest},
    runtime::{
        far_side,
        job::{Classify, Delivery, FarSide, Policy, Verdict},
    },
    services::Services,
};

/// How it is run, but for what the deployment sets.
pub const POLICY: Policy = Policy {
    queue: Queue::Vendor,
    tries_max: 12,
    timeout: Duration::from_secs(15),
    backoff: Backoff { base: Duration::from_secs(5), cap: Duration::from_hours(1) },
};

/// What one try takes besides waiting for the vendor.
const AROUND: Duration = Duration::from_secs(5);

/// How it is run in a deployment.
#[must_use]
pub fn policy(vendor: &Vendor) -> Policy {
    Policy { tries_max: vendor.tries_max, backoff: vendor.backoff, timeout: vendor.timeout + AROUND, ..POLICY }
}

/// Sends an attempt to the vendor.
///
/// # Errors
///
/// See [`SubmitError`].
pub async fn run(services: &Services, delivery: Delivery, receipt: ReceiptId) -> Result<(), SubmitError> {
    let work = load_work::load_attempt(services.db(), receipt).await?;
    if !matches!(Move::Submit.step(work.status), Step::To(Status::Submitted)) {
        // The verdict has fallen, or the photos are not ready: nothing to send.
        return Ok(services.finish(delivery.lease).await?);
    }
    match send(services, delivery, &work).await {
        Ok(()) => {
            let accepted = record_submission::accepted(services.db(), delivery.lease, work.id, services.now()).await;
            // Without a database it can't be told either, and the time of this try is short.
            if !matches!(accepted, Err(OperationError::Store(_))) {
                far_side::answered(services, POLICY.queue, delivery.claimed_at).await;
            }
            accepted?;
            tracing::info!(attempt.receipt = %receipt, "the vendor accepted the attempt");
            Ok(())
        }
        Err(error) => {
            let answer = error.answer();
            record_submission::failed(services.db(), delivery.lease, work.id, &answer, services.now()).await?;
            Err(error)
        }
    }
}

async fn send(services: &Services, delivery: Delivery, work: &AttemptWork) -> Result<(), SubmitError> {
    let face = work.objects.face.as_deref().ok_or(SubmitError::NoPhoto { kind: "face" })?;
    let photo_id = work.photo_id.as_ref().ok_or(SubmitError::NoPhoto { kind: "photo_id" })?;
    for (kind, format) in [("face", work.objects.format), ("photo_id", photo_id.format)] {
        if format != services.vendor().format() {
            return Err(SubmitError::FormatChanged { kind, format: format.as_str() });
        }
    }
    let now = services.now();
    let (receipt, objects) = (work.receipt, services.objects());
    let face = VendorPhoto { url: objects.link(face, now).await?, wrapped_key: &work.objects.face_key, receipt };
    let url = objects.link(&photo_id.object, now).await?;
    let photo_id = VendorPhoto { url, wrapped_key: &photo_id.wrapped_key, receipt: photo_id.receipt };
    let request = VendorRequest { receipt, job: delivery.lease.job, name: &work.name, face, photo_id };
    Ok(services.vendor().submit(&request, now).await?)
}

/// Why an attempt was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The ledger or the attempt.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The photo links.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The vendor.
    #[error(transparent)]
    Vendor(#[from] VendorError),
    /// A photo that should be ready is not.
    #[error("the attempt has no prepared {kind} photo")]
    NoPhoto {
        /// Which photo.
        kind: &'static str,
    },
    /// The vendor could not read a photo: `VOUCH_VENDOR_FORMAT` was changed after it was prepared. The upload is gone,
    /// so it can't be prepared again: set the former format until such attempts are finished, or deny them.
    #[error("the {kind} photo was prepared in the vendor format {format}, which is not the configured one any more")]
    FormatChanged {
        /// Which photo.
        kind: &'static str,
        /// In which format it was prepared.
        format: &'static str,
    },
}

impl SubmitError {
    /// What the attempt keeps of it: the vendor's answer, or what went wrong.
    fn answer(&self) -> String {
        match self {
            Self::Vendor(VendorError::Refused { answer, .. } | VendorError::Busy { answer, .. }) if !answer.is_empty() => {
                answer.clone()
            }
            other => vouch_common::telemetry::chain(other),
        }
    }
}

impl Classify for SubmitError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::Objects(_) => "storage",
            Self::Vendor(cause) => cause.class(),
            Self::NoPhoto { .. } => "photo_missing",
            Self::FormatChanged { .. } => "format_changed",
        }
    }

    fn code(&self) -> String {
        if let Self::Vendor(cause) = self { cause.code() } else { String::new() }
    }

    fn far_side(&self) -> FarSide {
        if let Self::Vendor(cause) = self { cause.far_side() } else { FarSide::NotAsked }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Objects(_) => Verdict::Retry,
            Self::Vendor(cause) => cause.verdict(),
            Self::NoPhoto { .. } | Self::FormatChanged { .. } => Verdict::GiveUp,
        }
    }
}
