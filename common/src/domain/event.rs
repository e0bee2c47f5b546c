//! Events for analytics: a closed list, with what each says. Source: reference 9.

use serde_json::{Value, json};

/// The events that Vouch's own pages may report, beside page views.
const OF_PAGES: [EventName; 6] = [
    EventName::FullNameChanged,
    EventName::FaceCaptured,
    EventName::IdCaptured,
    EventName::ImagesRetaken,
    EventName::VerifiesAtOnce,
    EventName::VerifiesLater,
];

/// Steps that count as page views, with their category.
const STEPS: [(&str, &str); 9] = [
    ("intro_step", VERIFICATION),
    ("face_photo_step", VERIFICATION),
    ("id_photo_step", VERIFICATION),
    ("review_photos_step", VERIFICATION),
    ("enrollment_confirmation_step", VERIFICATION),
    ("make_payment_step", PAYMENT),
    ("make_payment_step_ab_testing", PAYMENT),
    ("payment_confirmation_step", PAYMENT),
    ("payment_processor_step", PAYMENT),
];

const VERIFICATION: &str = "verification";
const PAYMENT: &str = "payment";
/// The name under which a page reports that it was looked at.
const PAGE: &str = "page";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventName {
    /// Photos were submitted for a verification.
    VerifySubmitted,
    /// A face was submitted at a checkpoint, with the ID photo of an earlier attempt.
    ReverifySubmitted,
    /// The page of a checkpoint was shown.
    ReverifyStarted,
    /// The learner gave a new name with the photos.
    FullNameChanged,
    /// The learner took a photo of the face.
    FaceCaptured,
    /// The learner took a photo of the ID.
    IdCaptured,
    /// The learner took photos again.
    ImagesRetaken,
    /// The learner verifies right after paying.
    VerifiesAtOnce,
    /// The learner puts verifying off.
    VerifiesLater,
    /// A step of the flow was looked at.
    PageViewed(&'static str),
}

impl EventName {
    /// The name at the analytics service; of a page view, the step's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifySubmitted => "edx.bi.verify.submitted",
            Self::ReverifySubmitted => "edx.bi.reverify.submitted",
            Self::ReverifyStarted => "edx.bi.reverify.started",
            Self::FullNameChanged => "edx.bi.user.full_name.changed",
            Self::FaceCaptured => "edx.bi.user.face_image.captured",
            Self::IdCaptured => "edx.bi.user.identification_image.captured",
            Self::ImagesRetaken => "edx.bi.user.images.retaken",
            Self::VerifiesAtOnce => "edx.bi.user.verification.immediate",
            Self::VerifiesLater => "edx.bi.user.verification.deferred",
            Self::PageViewed(step) => step,
        }
    }
}

/// Whether an event of that name is a page view.
#[must_use]
pub fn is_page_view(name: &str) -> bool {
    find_step(name).is_some()
}

/// What an event says: nothing personal, and nothing that a page made up.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// What it says besides.
    pub properties: Value,
}

impl Event {
    /// An event of the verification that says nothing else.
    #[must_use]
    pub fn of_verification(name: EventName) -> Self {
        Self { name, properties: json!({ "category": VERIFICATION }) }
    }

    /// An event at a checkpoint; `checkpoint` is what it guards or, if nobody told, its usage key.
    #[must_use]
    pub fn at_checkpoint(name: EventName, course: &str, checkpoint: &str) -> Self {
        let properties = json!({ "category": VERIFICATION, "label": course, "checkpoint": checkpoint });
        Self { name, properties }
    }

    /// Reads what a page reports: one of the pages' names, a step's name, or `page` with a step. `None` when
    /// it is not on the list.
    #[must_use]
    pub fn parse(name: &str, step: Option<&str>) -> Option<Self> {
        let known_step = match step {
            Some(step) => Some(find_step(step)?),
            None => None,
        };
        if let Some(name) = OF_PAGES.into_iter().find(|known| known.as_str() == name) {
            return Some(Self::of_verification(name));
        }
        let (step, category) = if name == PAGE { known_step? } else { find_step(name)? };
        Some(Self { name: EventName::PageViewed(step), properties: json!({ "category": category }) })
    }
}

fn find_step(name: &str) -> Option<(&'static str, &'static str)> {
    STEPS.into_iter().find(|(step, _)| *step == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_report_what_is_on_the_list_and_nothing_else() {
        let event = Event::parse("edx.bi.user.images.retaken", None).expect("it is on the list");
        assert_eq!(
            (event.name.as_str(), event.properties["category"].as_str()),
            ("edx.bi.user.images.retaken", Some("verification"))
        );
        for (name, step) in [("page", Some("make_payment_step")), ("make_payment_step", None)] {
            let event = Event::parse(name, step).expect("it is on the list");
            assert_eq!(
                (event.name, &event.properties["category"]),
                (EventName::PageViewed("make_payment_step"), &json!("payment"))
            );
            assert!(is_page_view(event.name.as_str()));
        }
        for (name, step) in
            [("edx.bi.verify.submitted", None), ("page", None), ("page", Some("x")), ("", None), ("intro_step", Some("x"))]
        {
            assert_eq!(Event::parse(name, step), None, "{name} {step:?}: the server's own events are not for pages");
        }
    }
}
