//! The steps of the page, and what a learner needs for them. Source: reference 4.5.

use super::{Message, Standing, Visit};

/// A step of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What comes, and what is needed.
    Intro,
    /// Choosing how to pay.
    MakePayment,
    /// The receipt.
    PaymentConfirmation,
    /// A photo of the face.
    FacePhoto,
    /// A photo of the ID.
    IdPhoto,
    /// Looking at both before they are sent.
    ReviewPhotos,
    /// It is done.
    EnrollmentConfirmation,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 7] = [
        Self::Intro,
        Self::MakePayment,
        Self::PaymentConfirmation,
        Self::FacePhoto,
        Self::IdPhoto,
        Self::ReviewPhotos,
        Self::EnrollmentConfirmation,
    ];

    /// The step's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intro => "intro-step",
            Self::MakePayment => "make-payment-step",
            Self::PaymentConfirmation => "payment-confirmation-step",
            Self::FacePhoto => "face-photo-step",
            Self::IdPhoto => "id-photo-step",
            Self::ReviewPhotos => "review-photos-step",
            Self::EnrollmentConfirmation => "enrollment-confirmation-step",
        }
    }

    /// The step's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Intro => "Intro",
            Self::MakePayment => "Make payment",
            Self::PaymentConfirmation => "Payment confirmation",
            Self::FacePhoto => "Take photo",
            Self::IdPhoto => "Take a photo of your ID",
            Self::ReviewPhotos => "Review your info",
            Self::EnrollmentConfirmation => "Enrollment confirmation",
        }
    }

    const fn is_payment(self) -> bool {
        matches!(self, Self::MakePayment | Self::PaymentConfirmation)
    }

    const fn is_verification(self) -> bool {
        matches!(self, Self::FacePhoto | Self::IdPhoto | Self::ReviewPhotos | Self::EnrollmentConfirmation)
    }
}

/// What a learner needs for the steps that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// The account must be activated first.
    pub account_activation_required: bool,
    /// A photo ID must be at hand.
    pub photo_id_required: bool,
    /// A camera must be at hand.
    pub webcam_required: bool,
}

impl Requirements {
    pub(super) fn of(steps: &[Step], is_active: bool) -> Self {
        let photo_id_required = steps.contains(&Step::IdPhoto);
        Self {
            account_activation_required: !is_active,
            photo_id_required,
            webcam_required: photo_id_required || steps.contains(&Step::FacePhoto),
        }
    }
}

/// The steps that are shown.
pub(super) fn displayed(message: Message, standing: Standing) -> Vec<Step> {
    let shows_intro = standing.has_paid && !message.always_shows_payment();
    let is_shown = |step: &Step| match step {
        Step::Intro => shows_intro,
        step if step.is_payment() => !shows_intro,
        step => !(step.is_verification() && standing.is_verified),
    };
    Step::ALL.into_iter().filter(is_shown).collect()
}

/// The step at which the page opens. The intro, once read, can be skipped.
pub(super) fn current(visit: Visit, steps: &[Step]) -> Step {
    let first = steps.first().copied().unwrap_or(Step::Intro);
    let opens_at = visit.message.opens_at().unwrap_or(first);
    if visit.skips_first_step && opens_at == Step::Intro {
        return steps.get(1).copied().unwrap_or(opens_at);
    }
    opens_at
}
