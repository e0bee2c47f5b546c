//! Who and what is there in `vouch dev`: courses of every kind, and a learner in every state.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

/// The course of the demo: free, verified and credit, with a checkpoint.
pub const IDENTITY: &str = "course-v1:Demo+Identity101+2026";
/// Its checkpoint.
pub const MIDTERM: &str = "block-v1:Demo+Identity101+2026+type@edx-reverification-block+block@midterm";
const PROFESSIONAL: &str = "course-v1:Demo+Auditing200+2026";
const MISSED: &str = "course-v1:Demo+History110+2025";
const ENDED: &str = "course-v1:Demo+Botany120+2026";
const EMBARGOED: &str = "course-v1:Demo+Rockets130+2026";
/// The country whose learners may not take the embargoed course.
const EMBARGOED_COUNTRY: &str = "AQ";

/// How a learner's photos fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Photos {
    /// None were sent.
    None,
    /// They are approved.
    Approved,
    /// They are denied, with a reason.
    Denied,
    /// The vendor never says.
    Pending,
    /// The vendor refuses them, until an operator acts.
    MustRetry,
}

/// A learner.
#[derive(Debug, Clone, Copy)]
pub struct Learner {
    /// The platform's number.
    pub id: i64,
    /// Their user name.
    pub username: &'static str,
    /// Their name, which says their state.
    pub name: &'static str,
    /// How their photos fare.
    pub photos: Photos,
    /// Where they are enrolled, and in which track.
    pub enrollments: &'static [(&'static str, &'static str)],
    /// The first page to look at, under the api's address; `{course}` is their first course.
    pub look_at: &'static str,
}

impl Learner {
    /// Where their mail goes.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@example.com", self.username)
    }

    /// What the platform pushes of them.
    #[must_use]
    pub fn document(&self) -> Value {
        let country = if self.username == "embargoed" { EMBARGOED_COUNTRY } else { "CZ" };
        json!({ "username": self.username, "email": self.email(), "full_name": self.name,
                "is_active": self.username != "inactive", "country": country })
    }

    /// The path of the first page to look at.
    #[must_use]
    pub fn path(&self) -> String {
        let course = self.enrollments.first().map_or(IDENTITY, |(course, _)| course);
        self.look_at.replace("{course}", course)
    }
}

const AUDIT: &[(&str, &str)] = &[(IDENTITY, "audit")];
const VERIFIED: &[(&str, &str)] = &[(IDENTITY, "verified")];

const fn learner(
    id: i64,
    (username, name): (&'static str, &'static str),
    photos: Photos,
    enrollments: &'static [(&'static str, &'static str)],
    look_at: &'static str,
) -> Learner {
    Learner { id, username, name, photos, enrollments, look_at }
}

const START: &str = "/verify_student/start-flow/{course}/";
const UPGRADE: &str = "/verify_student/upgrade/{course}/";
const VERIFY: &str = "/verify_student/verify-now/{course}/";
const REVERIFY: &str = "/verify_student/reverify";
const CHECKPOINT: &str = "/verify_student/reverify/course-v1:Demo+Identity101+2026/block-v1:Demo+Identity101+2026+type@edx-reverification-block+block@midterm/";

/// Everybody who can be signed in as.
pub const LEARNERS: [Learner; 13] = [
    learner(2001, ("new", "Nora New"), Photos::None, &[], "/verify_student/start-flow/course-v1:Demo+Identity101+2026/"),
    learner(2002, ("audit", "Aldo Audit"), Photos::None, AUDIT, UPGRADE),
    learner(2003, ("paid", "Paula Paid Unverified"), Photos::None, VERIFIED, VERIFY),
    learner(2004, ("pending", "Peter Pending"), Photos::Pending, VERIFIED, REVERIFY),
    learner(2005, ("approved", "Anna Approved"), Photos::Approved, VERIFIED, REVERIFY),
    learner(2006, ("denied", "Denis Denied"), Photos::Denied, VERIFIED, REVERIFY),
    learner(2007, ("must_retry", "Mira Must Retry"), Photos::MustRetry, VERIFIED, REVERIFY),
    learner(2008, ("inactive", "Ines Inactive"), Photos::None, AUDIT, START),
    learner(2009, ("in_course", "Ivan In Course"), Photos::Approved, VERIFIED, CHECKPOINT),
    learner(2010, ("professional", "Pia Professional"), Photos::None, &[(PROFESSIONAL, "professional")], START),
    learner(2011, ("missed", "Milo Missed Deadline"), Photos::None, &[(MISSED, "verified")], VERIFY),
    learner(2012, ("too_late", "Ulla Upgrade Too Late"), Photos::None, &[(ENDED, "audit")], UPGRADE),
    learner(2013, ("embargoed", "Emil Embargoed"), Photos::None, &[(EMBARGOED, "audit")], START),
];

/// The learner of a number.
#[must_use]
pub fn find(id: i64) -> Option<&'static Learner> {
    LEARNERS.iter().find(|learner| learner.id == id)
}

/// Every course: its key, and what the platform pushes of it at `now`.
#[must_use]
pub fn courses(now: DateTime<Utc>) -> [(&'static str, Value); 5] {
    let day = |days: i64| (now + TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let audit = || json!({ "slug": "audit", "display_name": "Audit" });
    let verified = || json!({ "slug": "verified", "display_name": "Verified Certificate", "min_price": 49 });
    [
        (IDENTITY, identity_course(&audit(), &verified(), &day(-30))),
        (
            PROFESSIONAL,
            json!({ "display_name": "Auditing 200", "start": day(-30), "modes": [
            { "slug": "professional", "display_name": "Professional Education", "min_price": 199 }] }),
        ),
        (
            MISSED,
            json!({ "display_name": "History 110", "start": day(-200), "modes": [audit(), verified()],
            "verification_deadline": day(-7) }),
        ),
        (
            ENDED,
            json!({ "display_name": "Botany 120", "start": day(-60), "modes": [audit(),
            { "slug": "verified", "display_name": "Verified Certificate", "min_price": 49, "expires_at": day(-7) }] }),
        ),
        (
            EMBARGOED,
            json!({ "display_name": "Rockets 130", "start": day(-30), "modes": [audit(), verified()],
            "embargo": { "restricted": true, "message_key": "embargo", "blacklist": [EMBARGOED_COUNTRY] } }),
        ),
    ]
}

fn identity_course(audit: &Value, verified: &Value, start: &str) -> Value {
    json!({
        "display_name": "Identity 101",
        "start": start,
        "modes": [audit, verified, { "slug": "credit", "display_name": "Credit", "min_price": 150 }],
        "reverification_blocks": [{ "usage": MIDTERM, "related_assessment": "Midterm", "attempts": 2,
                                    "chapter": "week3", "section": "exam", "position": "1" }],
        "credit": {
            "enabled": true,
            "requirements": [{ "namespace": "reverification", "name": MIDTERM, "display_name": "Midterm identity", "criteria": {} }],
            "providers": [{ "id": "utopia", "display_name": "Utopia State University" }],
        },
    })
}

/// The course's name, for the dashboard.
#[must_use]
pub fn course_name(key: &str) -> &'static str {
    match key {
        IDENTITY => "Identity 101",
        PROFESSIONAL => "Auditing 200",
        MISSED => "History 110 (its verification deadline is over)",
        ENDED => "Botany 120 (its upgrade deadline is over)",
        EMBARGOED => "Rockets 130 (not in every country)",
        _ => "A course",
    }
}
