//! Wishes: what a decision wants done outside the database.
//!
//! An operation writes each wish as a job row in the transaction that makes it necessary; each kind of
//! effect has exactly one job file in the worker, which matches this enum without a wildcard.
//!
//! Arguments are ids, never photos and nothing personal: they travel through logs and Redis.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    attempt::Status,
    checkpoint::Outcome,
    event::EventName,
    ids::{CallbackId, CheckpointId, ErasureId, ReceiptId, RetryId, UserId},
};

/// A queue of jobs; each can be scaled by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// Opening, checking and encrypting photos; bound by CPU.
    Photos,
    /// Speaking to the vendor; bound by the vendor's rate.
    Vendor,
    /// Applying the vendor's verdicts.
    Results,
    /// Credit requirements and eligibility.
    Credit,
    /// Sending mail; bound by SMTP.
    Mail,
    /// Sending analytics events.
    Events,
    /// Care: the sweep, the purge, bulk retries, and erasures.
    Upkeep,
}

impl Queue {
    /// Every queue, in the order in which a submission meets them.
    pub const ALL: [Self; 7] = [Self::Photos, Self::Vendor, Self::Results, Self::Credit, Self::Mail, Self::Events, Self::Upkeep];

    /// The queue's name in settings, SQL, Redis and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Photos => "photos",
            Self::Vendor => "vendor",
            Self::Results => "results",
            Self::Credit => "credit",
            Self::Mail => "mail",
            Self::Events => "events",
            Self::Upkeep => "upkeep",
        }
    }

    /// Reads a queue's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == text)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a learner is written about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTemplate {
    /// The photos arrived. Source: reference 6.3.
    PhotosReceived,
    /// The attempt was approved.
    Approved,
    /// The attempt was denied, with the reasons and what to do.
    Denied,
    /// All requirements of a course are satisfied. Source: reference 8.4.
    CreditEligible,
    /// A verdict on an attempt at a checkpoint, with how many tries are left. Source: reference 7.3.
    ReverificationStatus(Outcome),
    /// The verification has expired, and how to renew it. Source: reference 10.3.
    VerificationExpired,
}

impl MailTemplate {
    /// The template's folder, and its name in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhotosReceived => "photos_received",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::CreditEligible => "credit_eligible",
            Self::ReverificationStatus(_) => "reverification_status",
            Self::VerificationExpired => "verification_expired",
        }
    }

    /// Whether what the mail tells of an attempt still holds when the attempt stands there.
    #[must_use]
    pub const fn holds(self, status: Status) -> bool {
        match self {
            Self::Approved | Self::ReverificationStatus(Outcome::Approved) => matches!(status, Status::Approved),
            Self::Denied | Self::ReverificationStatus(Outcome::Denied) => matches!(status, Status::Denied),
            // It is sent again meanwhile, which brings no verdict yet.
            Self::ReverificationStatus(Outcome::Error) => !status.is_terminal(),
            Self::PhotosReceived | Self::CreditEligible | Self::VerificationExpired => true,
        }
    }
}

/// An event as the release before this one named it in a job's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnalyticsEvent {
    /// Photos were submitted for a verification.
    VerifySubmitted,
    /// A face was submitted at a checkpoint, with the ID photo of an earlier attempt.
    ReverifySubmitted,
}

impl From<AnalyticsEvent> for EventName {
    fn from(event: AnalyticsEvent) -> Self {
        match event {
            AnalyticsEvent::VerifySubmitted => Self::VerifySubmitted,
            AnalyticsEvent::ReverifySubmitted => Self::ReverifySubmitted,
        }
    }
}

/// A wish for work outside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "args", rename_all = "snake_case")]
pub enum Effect {
    /// Check the uploaded photos and make them ready for the vendor.
    PreparePhotos {
        /// The attempt.
        receipt: ReceiptId,
    },
    /// Send the attempt to the vendor.
    SubmitToVendor {
        /// The attempt.
        receipt: ReceiptId,
    },
    /// Apply a stored callback of the vendor.
    ApplyVendorResult {
        /// The callback.
        callback: CallbackId,
    },
    /// Bring the credit requirement of a checkpoint up to a learner's status there.
    UpdateCreditRequirement {
        /// The learner.
        user: UserId,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// Write to a learner.
    SendEmail {
        /// What about.
        template: MailTemplate,
        /// The learner.
        user: UserId,
        /// The attempt that it is about, if any.
        receipt: Option<ReceiptId>,
        /// The course that it is about, if any.
        course: Option<String>,
    },
    /// Tell analytics what a learner did: every event that is kept of them, in order.
    TrackEvent {
        /// The learner.
        user: UserId,
        /// What happened, in a job of the former release, which kept no events.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<AnalyticsEvent>,
        /// The attempt, in a job of the former release.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<ReceiptId>,
    },
    /// Set the next items of a bulk retry going again.
    RetryBatch {
        /// The bulk retry.
        retry: RetryId,
    },
    /// Erase a learner.
    EraseLearner {
        /// The erasure.
        erasure: ErasureId,
    },
}

/// A job whose kind or version this program does not know; another release may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this release does not know the job kind or the version of its arguments")]
pub struct UnknownEffect;

/// The version of every kind's arguments; it rises when old arguments could be misread.
///
/// It did not rise when `track_event` dropped two of its arguments: the former ones are still understood, and
/// a release that misses them puts the job back for others.
const VERSION: u64 = 1;

impl Effect {
    /// Every kind of effect, by name.
    pub const KINDS: [&'static str; 8] = [
        "prepare_photos",
        "submit_to_vendor",
        "apply_vendor_result",
        "update_credit_requirement",
        "send_email",
        "track_event",
        "retry_batch",
        "erase_learner",
    ];

    /// The kind's name in the ledger, in logs and in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PreparePhotos { .. } => "prepare_photos",
            Self::SubmitToVendor { .. } => "submit_to_vendor",
            Self::ApplyVendorResult { .. } => "apply_vendor_result",
            Self::UpdateCreditRequirement { .. } => "update_credit_requirement",
            Self::SendEmail { .. } => "send_email",
            Self::TrackEvent { .. } => "track_event",
            Self::RetryBatch { .. } => "retry_batch",
            Self::EraseLearner { .. } => "erase_learner",
        }
    }

    /// The queue on which the job waits.
    #[must_use]
    pub const fn queue(&self) -> Queue {
        match self {
            Self::PreparePhotos { .. } => Queue::Photos,
            Self::SubmitToVendor { .. } => Queue::Vendor,
            Self::ApplyVendorResult { .. } => Queue::Results,
            Self::UpdateCreditRequirement { .. } => Queue::Credit,
            Self::SendEmail { .. } => Queue::Mail,
            Self::TrackEvent { .. } => Queue::Events,
            Self::RetryBatch { .. } | Self::EraseLearner { .. } => Queue::Upkeep,
        }
    }

    /// The queue on which jobs of a kind wait; `None` when the kind is not known here.
    #[must_use]
    pub fn queue_of(kind: &str) -> Option<Queue> {
        Some(match kind {
            "prepare_photos" => Queue::Photos,
            "submit_to_vendor" => Queue::Vendor,
            "apply_vendor_result" => Queue::Results,
            "update_credit_requirement" => Queue::Credit,
            "send_email" => Queue::Mail,
            "track_event" => Queue::Events,
            "retry_batch" | "erase_learner" => Queue::Upkeep,
            _ => return None,
        })
    }

    /// The arguments as the ledger keeps them, with their version.
    #[must_use]
    pub fn to_args(&self) -> Value {
        let mut args = serde_json::to_value(self).map_or(Value::Null, |mut whole| whole["args"].take());
        args["v"] = VERSION.into();
        args
    }

    /// Reads a job of the ledger.
    ///
    /// # Errors
    ///
    /// [`UnknownEffect`] when the kind, its version or its arguments are of another release. The caller
    /// puts the job back.
    pub fn from_parts(kind: &str, args: &Value) -> Result<Self, UnknownEffect> {
        if args.get("v").and_then(Value::as_u64) != Some(VERSION) {
            return Err(UnknownEffect);
        }
        serde_json::from_value(serde_json::json!({ "kind": kind, "args": args })).map_err(|_| UnknownEffect)
    }
}

/// When the job of a wish may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// After this long.
    After(Duration),
    /// Not before an operator says so: the job is born dead, for this reason.
    ByOperator {
        /// The error class under which operators find it.
        class: &'static str,
        /// Why, in words.
        error: String,
    },
}

/// An effect and when it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What is wanted.
    pub effect: Effect,
    /// When.
    pub start: Start,
}

impl From<Effect> for Wish {
    fn from(effect: Effect) -> Self {
        Self { effect, start: Start::Now }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_mail_about_a_verdict_holds_while_the_verdict_does_and_one_about_a_failure_until_there_is_one() {
        use Status::{Approved, Created, Denied, MustRetry, Ready, Submitted};
        for (template, holding) in [
            (MailTemplate::Approved, &[Approved][..]),
            (MailTemplate::ReverificationStatus(Outcome::Approved), &[Approved]),
            (MailTemplate::Denied, &[Denied]),
            (MailTemplate::ReverificationStatus(Outcome::Denied), &[Denied]),
            (MailTemplate::ReverificationStatus(Outcome::Error), &[Created, Ready, Submitted, MustRetry]),
            (MailTemplate::PhotosReceived, &Status::ALL),
            (MailTemplate::CreditEligible, &Status::ALL),
            (MailTemplate::VerificationExpired, &Status::ALL),
        ] {
            for status in Status::ALL {
                assert_eq!(template.holds(status), holding.contains(&status), "{template:?} of an attempt that is {status}");
            }
        }
    }

    fn samples() -> Vec<Effect> {
        let receipt = ReceiptId(Uuid::from_u128(7));
        vec![
            Effect::PreparePhotos { receipt },
            Effect::SubmitToVendor { receipt },
            Effect::ApplyVendorResult { callback: CallbackId(3) },
            Effect::UpdateCreditRequirement { user: UserId(1), checkpoint: CheckpointId(2) },
            Effect::SendEmail { template: MailTemplate::Approved, user: UserId(1), receipt: Some(receipt), course: None },
            Effect::TrackEvent { user: UserId(1), event: None, receipt: None },
            Effect::RetryBatch { retry: RetryId(Uuid::from_u128(9)) },
            Effect::EraseLearner { erasure: ErasureId(Uuid::from_u128(11)) },
        ]
    }

    #[test]
    fn every_effect_comes_back_from_the_ledger_as_it_went_in() {
        for effect in samples() {
            assert_eq!(Effect::queue_of(effect.kind()), Some(effect.queue()));
            assert_eq!(Effect::from_parts(effect.kind(), &effect.to_args()), Ok(effect));
        }
        assert_eq!(samples().iter().map(Effect::kind).collect::<Vec<_>>(), Effect::KINDS);
    }

    #[test]
    fn arguments_of_the_former_release_are_still_understood() {
        let receipt = ReceiptId(Uuid::from_u128(7));
        let former = json!({ "v": 1, "event": "verify_submitted", "user": 1, "receipt": receipt });
        let (user, event) = (UserId(1), Some(AnalyticsEvent::VerifySubmitted));
        assert_eq!(Effect::from_parts("track_event", &former), Ok(Effect::TrackEvent { user, event, receipt: Some(receipt) }));
        assert_eq!(Effect::TrackEvent { user, event: None, receipt: None }.to_args(), json!({ "v": 1, "user": 1 }));
    }

    #[test]
    fn the_verdict_of_a_mail_travels_with_it() {
        let template = MailTemplate::ReverificationStatus(Outcome::Error);
        let mail = Effect::SendEmail { template, user: UserId(1), receipt: None, course: None };
        assert_eq!(mail.to_args()["template"], json!({ "reverification_status": "error" }));
        assert_eq!(Effect::from_parts("send_email", &mail.to_args()), Ok(mail));
    }

    #[test]
    fn a_foreign_kind_or_version_is_unknown_and_nothing_worse() {
        let args = samples()[0].to_args();
        assert_eq!(Effect::from_parts("prepare_video", &args), Err(UnknownEffect));
        let mut newer = args.clone();
        newer["v"] = json!(2);
        assert_eq!(Effect::from_parts("prepare_photos", &newer), Err(UnknownEffect));
        for broken in [json!(null), json!([]), json!("x"), json!({"v": 1}), json!({"v": 1, "receipt": 5})] {
            assert_eq!(Effect::from_parts("prepare_photos", &broken), Err(UnknownEffect), "{broken}");
        }
    }
}
