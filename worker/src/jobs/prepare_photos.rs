//! - **Trigger**: a submission was committed.
//! - **Does**: opens the sealed photos, checks them, takes out all metadata, encrypts them for the vendor, stores them, and goes on to `submit_to_vendor`; a bad photo denies the attempt with a reason.
//! - **Safe to repeat because**: what it stores is named after its own delivery, and the row says which name holds; the uploads are deleted only after the commit.
//! - **Limits**: 40 megapixels, 256 MiB, 10 s a photo; as many at once as there are cores.
//! - **Retries when**: the object store or the database is away, or a photo took too long on a busy machine.
//! - **Gives up when, and then**: an upload is missing or can't be opened with the present master keys; an operator restores them and retries.
//! - **Personal data**: the photos, in memory only.

use std::time::Duration;

use vouch_common::{
    adapters::objects::ObjectsError,
    domain::{
        attempt::{Status, reasons::intake_reasons},
        backoff::Backoff,
        effect::Queue,
        ids::ReceiptId,
        photo::{PhotoFault, PhotoKind},
    },
    operations::{OperationError, finish_preparation, load_work},
    photos::{
        inspect::{Limits, inspect},
        names,
        seal::{open, with_context},
    },
    store::{attempt_work::AttemptWork, attempts::Objects},
    telemetry::chain,
};

use crate::{
    adapters::vendor::{EncryptedPhoto, VendorError},
    runtime::job::{Classify, Delivery, Policy, Verdict},
    services::Services,
};

/// How it is run.
pub const POLICY: Policy = Policy {
    queue: Queue::Photos,
    tries_max: 8,
    timeout: Duration::from_mins(1),
    backoff: Backoff { base: Duration::from_secs(2), cap: Duration::from_mins(5) },
};

/// A photo that takes too long is tried so often before it is refused: the machine may be busy.
const SLOW_TRIES_MAX: u32 = 2;

/// Prepares the photos of an attempt.
///
/// # Errors
///
/// See [`PrepareError`].
pub async fn run(services: &Services, delivery: Delivery, receipt: ReceiptId) -> Result<(), PrepareError> {
    let work = load_work::load_attempt(services.db(), receipt).await?;
    if work.status != Status::Created {
        return Ok(services.finish(delivery.lease).await?);
    }
    let (face, photo_id) = tokio::try_join!(
        prepare(services, receipt, PhotoKind::Face, work.objects.face_upload.as_deref()),
        prepare_photo_id(services, &work),
    )?;
    let faults: Vec<(PhotoKind, PhotoFault)> =
        [(PhotoKind::Face, face.as_ref().err()), (PhotoKind::PhotoId, photo_id.as_ref().err())]
            .into_iter()
            .filter_map(|(kind, fault)| fault.map(|fault| (kind, *fault)))
            .collect();
    let is_slow = faults.iter().any(|(_, fault)| *fault == PhotoFault::TookTooLong);
    if is_slow && delivery.failures < SLOW_TRIES_MAX {
        return Err(PrepareError::TookTooLong);
    }
    let (Ok(face), Ok(photo_id)) = (face, photo_id) else {
        let now = services.now();
        finish_preparation::rejected(services.db(), delivery.lease, receipt, &intake_reasons(&faults), now).await?;
        tracing::info!(attempt.receipt = %receipt, faults = ?faults, "photos were refused at the intake");
        return finish(services, &work).await;
    };
    let objects = store(services, delivery, receipt, (face, photo_id)).await?;
    finish_preparation::prepared(services.db(), delivery.lease, (work.id, receipt), &objects, services.now()).await?;
    finish(services, &work).await
}

/// The uploads have served. If they can't be deleted now, the sweep does it.
async fn finish(services: &Services, work: &AttemptWork) -> Result<(), PrepareError> {
    services.wake();
    for upload in [&work.objects.face_upload, &work.objects.photo_id_upload].into_iter().flatten() {
        if let Err(error) = services.objects().delete(upload).await {
            tracing::warn!(error = %chain(&error), "an upload was not deleted; the sweep does it after a day");
        }
    }
    Ok(())
}

async fn prepare_photo_id(
    services: &Services,
    work: &AttemptWork,
) -> Result<Result<Option<EncryptedPhoto>, PhotoFault>, PrepareError> {
    if work.borrows_photo_id {
        return Ok(Ok(None));
    }
    let upload = work.objects.photo_id_upload.as_deref();
    Ok(prepare(services, work.receipt, PhotoKind::PhotoId, upload).await?.map(Some))
}

/// Opens an upload, looks through it, and encrypts what is left of it for the vendor, off the runtime's threads.
async fn prepare(
    services: &Services,
    receipt: ReceiptId,
    kind: PhotoKind,
    upload: Option<&str>,
) -> Result<Result<EncryptedPhoto, PhotoFault>, PrepareError> {
    let upload = upload.ok_or(PrepareError::NoUpload { kind: kind.as_str() })?;
    let _slot = services.decoding().acquire().await.map_err(|_| PrepareError::Stopped)?;
    let sealed = services.objects().get(upload).await?;
    let services = services.clone();
    let work = tokio::task::spawn_blocking(move || {
        let keys = &services.settings().master_keys;
        let plain = with_context(receipt, kind.as_str(), |context| open(keys, context, &sealed))
            .map_err(|_| PrepareError::CannotOpen { kind: kind.as_str() })?;
        drop(sealed);
        let inspected = inspect(&plain, &Limits::default());
        drop(plain);
        match inspected {
            Ok(clean) => Ok(Ok(services.vendor().encrypt(receipt, kind, &clean.bytes)?)),
            Err(fault) => Ok(Err(fault)),
        }
    });
    work.await.map_err(|_| PrepareError::Stopped)?
}

/// Stores the photos under names that only this delivery writes.
async fn store(
    services: &Services,
    delivery: Delivery,
    receipt: ReceiptId,
    (face, photo_id): (EncryptedPhoto, Option<EncryptedPhoto>),
) -> Result<Objects, PrepareError> {
    let put = async |kind, photo: EncryptedPhoto| -> Result<(Option<String>, String), PrepareError> {
        let name = names::prepared(receipt, kind, delivery.lease);
        services.objects().put(&name, photo.body.into()).await?;
        Ok((Some(name), photo.wrapped_key))
    };
    let put_photo_id = async {
        match photo_id {
            Some(photo_id) => put(PhotoKind::PhotoId, photo_id).await,
            None => Ok((None, String::new())),
        }
    };
    let ((face, face_key), (photo_id, photo_id_key)) = tokio::try_join!(put(PhotoKind::Face, face), put_photo_id)?;
    let format = services.vendor().format();
    Ok(Objects { face_upload: None, photo_id_upload: None, face, photo_id, face_key, photo_id_key, format })
}

/// Why photos were not prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The ledger or the attempt.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The encryption for the vendor.
    #[error(transparent)]
    Vendor(#[from] VendorError),
    /// The attempt names no upload.
    #[error("the attempt names no upload of the {kind} photo")]
    NoUpload {
        /// Which photo.
        kind: &'static str,
    },
    /// The upload was sealed with a master key that is gone, or was changed.
    #[error("the sealed {kind} photo can't be opened with the present master keys")]
    CannotOpen {
        /// Which photo.
        kind: &'static str,
    },
    /// A photo took too long.
    #[error("a photo took too long to decode")]
    TookTooLong,
    /// The process is stopping.
    #[error("the process is stopping")]
    Stopped,
}

impl Classify for PrepareError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::Objects(ObjectsError::Missing(_)) | Self::NoUpload { .. } => "upload_missing",
            Self::Objects(_) => "storage",
            Self::Vendor(cause) => cause.class(),
            Self::CannotOpen { .. } => "cannot_open",
            Self::TookTooLong => "photo_too_slow",
            Self::Stopped => "stopped",
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Vendor(cause) => cause.verdict(),
            Self::Objects(ObjectsError::Missing(_)) | Self::NoUpload { .. } | Self::CannotOpen { .. } => Verdict::GiveUp,
            Self::Objects(_) | Self::TookTooLong | Self::Stopped => Verdict::Retry,
        }
    }
}
