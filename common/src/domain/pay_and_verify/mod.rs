//! The way from an enrolment to a verified certificate: pay, then verify. Source: reference 4.2 to 4.6.
//!
//! One decision from the facts of a learner and a course: which page, which steps, or where to go instead.
//! Unlike the reference, who has paid is never sent to the shop, and a mode without a SKU neither.

mod redirect;
mod steps;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::{
    course::CourseMode,
    course_mode::{is_paid_slug, relevant},
};
pub use redirect::{Destination, Standing};
pub use steps::{Requirements, Step};

/// Why a learner comes; each address has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `start-flow` and `begin-flow`: paying and verifying for the first time.
    FirstTimeVerify,
    /// `upgrade`: from a free track to a paid one.
    Upgrade,
    /// `verify-now`: right after paying.
    VerifyNow,
    /// `verify-later`: some time after paying.
    VerifyLater,
    /// `payment-confirmation`: back from the payment.
    PaymentConfirmation,
}

impl Message {
    /// The message's name on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstTimeVerify => "first-time-verify",
            Self::Upgrade => "upgrade",
            Self::VerifyNow => "verify-now",
            Self::VerifyLater => "verify-later",
            Self::PaymentConfirmation => "payment-confirmation",
        }
    }

    /// The page's title for a course.
    #[must_use]
    pub fn title(self, course_name: &str) -> String {
        match self {
            Self::Upgrade => format!("Upgrade Your Enrollment For {course_name}."),
            Self::PaymentConfirmation => format!("Receipt For {course_name}"),
            Self::VerifyNow | Self::VerifyLater => format!("Verify For {course_name}"),
            Self::FirstTimeVerify => format!("Enroll In {course_name}"),
        }
    }

    const fn is_trying_to_pay(self) -> bool {
        matches!(self, Self::FirstTimeVerify | Self::Upgrade)
    }

    /// The payment steps are shown even to those who have paid: they come from them.
    const fn always_shows_payment(self) -> bool {
        matches!(self, Self::VerifyNow | Self::PaymentConfirmation)
    }

    /// The step at which the page opens, if not at its first.
    const fn opens_at(self) -> Option<Step> {
        match self {
            Self::VerifyNow => Some(Step::FacePhoto),
            Self::PaymentConfirmation => Some(Step::PaymentConfirmation),
            Self::FirstTimeVerify | Self::Upgrade | Self::VerifyLater => None,
        }
    }
}

/// What is known of a learner and a course.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The course's modes, in its order.
    pub modes: Vec<CourseMode>,
    /// Last moment at which learners may verify (UTC).
    pub verification_deadline: Option<DateTime<Utc>>,
    /// The mode of the learner's active enrolment, if there is one.
    pub enrolled_mode: Option<String>,
    /// Whether the learner is verified, or waits for a verdict.
    pub has_valid_or_pending: bool,
    /// Whether the learner's account is activated.
    pub is_active: bool,
    /// The shop in which learners pay, when they pay there: its product page.
    pub checkout_page: Option<url::Url>,
}

/// What a learner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Why they come.
    pub message: Message,
    /// Whether they have read the intro.
    pub skips_first_step: bool,
    /// When (UTC).
    pub at: DateTime<Utc>,
}

/// Which deadline a learner missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Verifying is over in this course.
    Verification(DateTime<Utc>),
    /// The paid mode is not sold any more.
    Upgrade(DateTime<Utc>),
}

impl Missed {
    /// The page's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Verification(_) => "Verification Deadline Has Passed",
            Self::Upgrade(_) => "Upgrade Deadline Has Passed",
        }
    }
}

/// The page with its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPage {
    /// The mode that it is about.
    pub mode: CourseMode,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The step at which it opens.
    pub current: Step,
    /// What the learner needs.
    pub requirements: Requirements,
    /// Whether the learner has nothing to verify here, or did already.
    pub is_already_verified: bool,
}

/// What a learner gets to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The course sells nothing: there is no such page.
    NoPaidMode,
    /// A deadline has passed.
    Missed(Missed),
    /// They belong elsewhere.
    Redirect(Destination),
    /// The page.
    Page(FlowPage),
}

/// Decides what a learner gets to see, in the reference's order of checks (4.2, from its third on).
#[must_use]
pub fn decide(facts: &Facts, visit: Visit) -> Outcome {
    if let Some(deadline) = facts.verification_deadline.filter(|deadline| *deadline < visit.at) {
        return Outcome::Missed(Missed::Verification(deadline));
    }
    let Some(mode) = relevant(&facts.modes, visit.at) else { return Outcome::NoPaidMode };
    if let Some(ended) = mode.expires_at.filter(|_| visit.message.is_trying_to_pay() && mode.is_expired(visit.at)) {
        return Outcome::Missed(Missed::Upgrade(ended));
    }
    let standing = Standing {
        is_verified: facts.has_valid_or_pending || !mode.asks_for_verification(),
        has_paid: facts.enrolled_mode.as_deref().is_some_and(|slug| is_paid_slug(&facts.modes, slug)),
        is_enrolled: facts.enrolled_mode.is_some(),
    };
    let shop = facts.checkout_page.as_ref().filter(|_| visit.message.is_trying_to_pay() && facts.is_active && !standing.has_paid);
    if let Some(destination) = redirect::to_shop(shop, mode).or_else(|| redirect::destination(visit.message, standing)) {
        return Outcome::Redirect(destination);
    }
    let steps = steps::displayed(visit.message, standing);
    let current = steps::current(visit, &steps);
    let requirements = Requirements::of(&steps, facts.is_active);
    Outcome::Page(FlowPage { mode: mode.clone(), steps, current, requirements, is_already_verified: standing.is_verified })
}
