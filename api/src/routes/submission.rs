//! Taking a submission, whoever brings it: check, seal, store, commit.

use poem::http::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use vouch_common::{
    domain::{
        course::courseware_url,
        ids::ReceiptId,
        photo::PhotoKind,
        submission::{self, Accepted, Refusal, SentPhoto, Submission},
    },
    ids,
    operations::{
        OperationError,
        submit_photos::{self, StoredUploads, SubmissionKey, Submitter, ToSubmit},
    },
    photos::{
        names,
        seal::{seal, with_context},
    },
    store::{StoreError, submission_keys::Answered},
    telemetry::chain,
};

use crate::{error::Fault, state::AppState};

/// What is told of a submission that was taken, now or before.
pub(super) struct Taken {
    /// The attempt.
    pub(super) receipt: ReceiptId,
    /// The way back into the course, from a re-verification.
    pub(super) url: Option<String>,
    /// Whether it was taken before, under the same key.
    is_repeated: bool,
}

/// Takes a submission of `who`; `key` is the caller (whose keys are their own) and their name for it.
///
/// # Errors
///
/// [`Fault`], and nothing is changed.
pub(super) async fn take(
    state: &AppState,
    who: &Submitter,
    submission: Submission,
    key: Option<(String, String)>,
) -> Result<Taken, Fault> {
    let taken = take_or_repeat(state, who, submission, key).await;
    let outcome = match &taken {
        Ok(Taken { is_repeated: false, .. }) => "taken",
        Ok(Taken { is_repeated: true, .. }) => "repeated",
        Err(Fault::Refused(..) | Fault::TooMany(_)) => "refused",
        Err(Fault::Unavailable | Fault::Internal) => "failed",
    };
    metrics::counter!("vouch_submissions_total", "outcome" => outcome).increment(1);
    taken
}

async fn take_or_repeat(
    state: &AppState,
    who: &Submitter,
    submission: Submission,
    key: Option<(String, String)>,
) -> Result<Taken, Fault> {
    let key = key.map(|(caller, key)| SubmissionKey { caller, key, digest: digest(who, &submission) });
    if let Some(key) = &key
        && let Some(answered) = submit_photos::find_answered(state.db(), key).await?
    {
        return repeated(key, &answered);
    }
    let now = state.now();
    let rules = (state.settings().validity.days_good_for, state.settings().vendor.format);
    let facts = submit_photos::load_facts(state.db(), who, now, rules).await?;
    let accepted = submission::check(submission, &facts).map_err(refused)?;
    let url = way_back(state, &accepted).await?;
    let uploads = store_sealed(state, &accepted).await?;
    let answer = json!({ "url": url });
    let new = ToSubmit { accepted: &accepted, uploads: &uploads, key: key.as_ref(), answer: &answer };
    let submitted = submit_photos::submit(state.db(), who, new, now).await;
    if matches!(submitted, Err(OperationError::Store(StoreError::Erased))) {
        remove(state, &uploads).await;
    }
    if let Some(answered) = submitted? {
        return key.map_or(Err(Fault::Internal), |key| repeated(&key, &answered));
    }
    state.wake();
    tracing::Span::current().record("attempt.receipt", tracing::field::display(uploads.receipt));
    tracing::info!(attempt.receipt = %uploads.receipt, "submission committed");
    Ok(Taken { receipt: uploads.receipt, url, is_repeated: false })
}

/// Nothing of a learner who was erased is left lying; what can't be deleted now goes with the leftovers.
async fn remove(state: &AppState, uploads: &StoredUploads) {
    for name in [Some(&uploads.face), uploads.photo_id.as_ref()].into_iter().flatten() {
        if let Err(error) = state.objects().delete(name).await {
            tracing::warn!(error = %chain(&error), "an upload was not deleted; the sweep does it after a day");
        }
    }
}

/// What was answered to the key before, if what came with it is the same.
fn repeated(key: &SubmissionKey, answered: &Answered) -> Result<Taken, Fault> {
    if key.digest != answered.digest {
        let text = "This Idempotency-Key was used for another submission. Send a new one.";
        return Err(Fault::Refused(StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
    }
    let url = answered.answer["url"].as_str().map(str::to_owned);
    Ok(Taken { receipt: answered.receipt, url, is_repeated: true })
}

/// A digest of what was sent, however it was packed.
fn digest(who: &Submitter, submission: &Submission) -> Vec<u8> {
    let parts = [
        submission.face_image.as_ref().map(SentPhoto::as_bytes),
        submission.photo_id_image.as_ref().map(SentPhoto::as_bytes),
        submission.full_name.as_deref().map(str::as_bytes),
        submission.course_key.as_deref().map(str::as_bytes),
        submission.checkpoint.as_deref().map(str::as_bytes),
    ];
    let mut hash = Sha256::new();
    hash.update(who.user.0.to_be_bytes());
    for part in parts {
        // Lengths keep the parts apart; an absent part has one that no other has.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::PhotoTooLarge => Fault::too_large(refusal.to_string()),
        other => Fault::bad_request(other.to_string()),
    }
}

/// For a re-verification inside a course the way back to its checkpoint. Source: reference 6.1, 11a.
///
/// A checkpoint must be one of that course: a place that nobody told of would wait for ever.
async fn way_back(state: &AppState, accepted: &Accepted) -> Result<Option<String>, Fault> {
    if let Some((course, usage)) = &accepted.checkpoint
        && !submit_photos::is_checkpoint(state.db(), course, usage).await?
    {
        return Err(refused(Refusal::InvalidCheckpoint));
    }
    let Some((course, usage)) = accepted.checkpoint.as_ref().filter(|_| accepted.is_reverification()) else {
        return Ok(None);
    };
    let place = submit_photos::find_block(state.db(), course, usage).await?;
    let place = place.ok_or_else(|| refused(Refusal::InvalidCheckpoint))?;
    Ok(Some(courseware_url(&state.settings().courseware_url, course, usage, &place)))
}

/// Seals the photos and stores them. What is stored and then not committed is nobody's, and goes after a day.
async fn store_sealed(state: &AppState, accepted: &Accepted) -> Result<StoredUploads, Fault> {
    let receipt = ids::new_receipt();
    let store = async |kind: PhotoKind, photo: &[u8]| {
        let sealed = with_context(receipt, kind.as_str(), |context| seal(&state.settings().master_keys, context, photo))
            .map_err(|error| {
                tracing::error!(error = %error, "a photo can't be sealed");
                Fault::Internal
            })?;
        let name = names::upload(receipt, kind);
        state.objects().put(&name, sealed).await?;
        Ok::<String, Fault>(name)
    };
    let photo_id = async {
        match &accepted.photo_id {
            Some(photo) => store(PhotoKind::PhotoId, photo).await.map(Some),
            None => Ok(None),
        }
    };
    let (face, photo_id) = tokio::try_join!(store(PhotoKind::Face, &accepted.face), photo_id)?;
    let master_key = state.settings().master_keys.newest().to_owned();
    Ok(StoredUploads { receipt, face, photo_id, master_key })
}
