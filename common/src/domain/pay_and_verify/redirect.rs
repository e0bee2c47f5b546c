//! Where a learner belongs instead: the redirect table. Source: reference 4.4.

use url::Url;

use super::Message;
use crate::domain::course::CourseMode;

/// How far a learner is in a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Verified, waiting for a verdict, or in a mode that asks for none.
    pub is_verified: bool,
    /// Enrolled in a mode that was bought.
    pub has_paid: bool,
    /// Actively enrolled.
    pub is_enrolled: bool,
}

/// Where a learner is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The learner's dashboard.
    Dashboard,
    /// The page `upgrade` of the course.
    Upgrade,
    /// The page `start-flow` of the course.
    StartFlow,
    /// The page `verify-now` of the course.
    VerifyNow,
    /// The shop, at the mode's product.
    Shop(Url),
}

/// Where a learner belongs instead; `None`: here.
#[must_use]
pub(super) fn destination(message: Message, standing: Standing) -> Option<Destination> {
    let Standing { is_verified, has_paid, is_enrolled } = standing;
    match message {
        Message::PaymentConfirmation if has_paid => None,
        _ if is_verified && has_paid => Some(Destination::Dashboard),
        Message::FirstTimeVerify => None,
        Message::VerifyNow | Message::VerifyLater if has_paid => None,
        Message::Upgrade if has_paid => Some(Destination::VerifyNow),
        Message::Upgrade if is_enrolled => None,
        Message::VerifyNow | Message::VerifyLater | Message::PaymentConfirmation if is_enrolled => Some(Destination::Upgrade),
        Message::VerifyNow | Message::VerifyLater | Message::PaymentConfirmation | Message::Upgrade => {
            Some(Destination::StartFlow)
        }
    }
}

/// The shop's page of a mode; `None` when the learner does not pay there, or the mode is no product.
#[must_use]
pub(super) fn to_shop(checkout_page: Option<&Url>, mode: &CourseMode) -> Option<Destination> {
    let sku = mode.sku.as_deref().filter(|sku| !sku.is_empty())?;
    let mut page = checkout_page?.clone();
    page.query_pairs_mut().append_pair("sku", sku);
    Some(Destination::Shop(page))
}
