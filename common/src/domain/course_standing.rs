//! What a learner's verification means in one course: dashboard, dates, certificate, report.
//!
//! Source: reference, appendix A.1 to A.6. The reference told a denied learner that the verification had
//! expired; here each is told what happened.

use chrono::{DateTime, Utc};

use super::{
    attempt::{Attempt, Status},
    course::CourseMode,
    course_mode::{VERIFIED, asks_for_verification},
    verification::{self, Standing, Validity},
};

/// What the dashboard says of a course. Source: reference A.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DashboardStatus {
    /// The learner has still to verify.
    NeedToVerify,
    /// What there is will have expired by the deadline.
    NeedToReverify,
    /// The vendor has it.
    Submitted,
    /// Verified.
    Approved,
    /// The deadline passed without a verification.
    MissedDeadline,
}

impl DashboardStatus {
    /// The status in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeedToVerify => "verify_need_to_verify",
            Self::NeedToReverify => "verify_need_to_reverify",
            Self::Submitted => "verify_submitted",
            Self::Approved => "verify_approved",
            Self::MissedDeadline => "verify_missed_deadline",
        }
    }
}

/// A learner in a course.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Every attempt of the learner, in any order.
    pub attempts: Vec<Attempt>,
    /// The mode of the active enrolment, if there is one.
    pub enrolled_mode: Option<String>,
    /// Last moment at which learners may verify (UTC).
    pub deadline: Option<DateTime<Utc>>,
    /// The course's modes.
    pub modes: Vec<CourseMode>,
}

/// What the dashboard says, if anything; learners in other modes, and those who were denied or whose
/// submission is tried again, see nothing here. Source: reference A.1.
#[must_use]
pub fn dashboard(facts: &Facts, now: DateTime<Utc>, validity: Validity) -> Option<DashboardStatus> {
    facts.enrolled_mode.as_deref().filter(|slug| asks_for_verification(slug))?;
    let has_any = verification::valid_or_pending(&facts.attempts, now, validity).is_some();
    let is_over = facts.deadline.is_some_and(|deadline| deadline < now);
    match verification::for_deadline(&facts.attempts, facts.deadline, validity).map(|attempt| attempt.status) {
        Some(Status::Approved) => Some(DashboardStatus::Approved),
        // A queued attempt waits for its verdict like one that the vendor has.
        Some(Status::Created | Status::Ready | Status::Submitted) => Some(DashboardStatus::Submitted),
        Some(Status::Denied | Status::MustRetry) => None,
        None => Some(match (is_over, has_any) {
            (true, true) => DashboardStatus::Approved,
            (true, false) => DashboardStatus::MissedDeadline,
            (false, true) => DashboardStatus::NeedToReverify,
            (false, false) => DashboardStatus::NeedToVerify,
        }),
    }
}

/// Whole days until the deadline; `None` without one, or when it has passed. Source: reference A.1.
#[must_use]
pub fn days_until(deadline: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<i64> {
    deadline.filter(|deadline| *deadline > now).map(|deadline| (deadline - now).num_days())
}

/// What the grade report says of a learner. Source: reference 2.4 and A.5.
#[must_use]
pub fn grade_report(facts: &Facts, now: DateTime<Utc>, validity: Validity) -> &'static str {
    if !facts.enrolled_mode.as_deref().is_some_and(asks_for_verification) {
        "N/A"
    } else if verification::is_verified(&facts.attempts, now, validity) {
        "ID Verified"
    } else {
        "Not ID Verified"
    }
}

/// What the course's list of dates says of the verification deadline. Source: reference A.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadlineNotice {
    /// It has passed.
    Passed,
    /// The learner was denied and may try again.
    Retry,
    /// It is still to come.
    Upcoming,
}

impl DeadlineNotice {
    /// The notice in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "verification-deadline-passed",
            Self::Retry => "verification-deadline-retry",
            Self::Upcoming => "verification-deadline-upcoming",
        }
    }
}

/// The notice about the verification deadline, for learners in the verified mode who still have to act.
#[must_use]
pub fn deadline_notice(facts: &Facts, standing: Standing, now: DateTime<Utc>) -> Option<DeadlineNotice> {
    let deadline = facts.deadline.filter(|_| facts.enrolled_mode.as_deref() == Some(VERIFIED))?;
    match standing {
        Standing::Approved | Standing::Pending => None,
        _ if deadline <= now => Some(DeadlineNotice::Passed),
        Standing::MustReverify => Some(DeadlineNotice::Retry),
        Standing::None | Standing::Expired => Some(DeadlineNotice::Upcoming),
    }
}

/// Which certificate a learner gets. Source: reference A.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// The verified one.
    Verified,
    /// The ordinary one, in the mode of the enrolment.
    Ordinary,
    /// The ordinary one, in mode `honor`: the identity is not verified.
    Honor,
    /// None: the identity is not verified, and the course has no mode `honor`.
    Unverified,
}

impl Certificate {
    /// The certificate in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Ordinary => "ordinary",
            Self::Honor => "honor",
            Self::Unverified => "unverified",
        }
    }
}

/// Which certificate a learner gets; `None` without an active enrolment.
#[must_use]
pub fn certificate(facts: &Facts, now: DateTime<Utc>, validity: Validity) -> Option<Certificate> {
    let slug = facts.enrolled_mode.as_deref()?;
    // Here a bought credit counts as verified, and professional does not.
    if !matches!(slug, VERIFIED | "credit") {
        return Some(Certificate::Ordinary);
    }
    if verification::is_verified(&facts.attempts, now, validity) {
        return Some(Certificate::Verified);
    }
    let has_honor = facts.modes.iter().any(|mode| mode.slug == "honor");
    Some(if has_honor { Certificate::Honor } else { Certificate::Unverified })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::course_mode::tests::mode;

    const VALIDITY: Validity = Validity { days_good_for: 365, expiring_soon_days: 28 };

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn attempt(days_ago: i64, status: Status) -> Attempt {
        crate::domain::attempt::tests::attempt(status, now() - TimeDelta::days(days_ago))
    }

    fn facts(attempts: Vec<Attempt>, deadline_in_days: Option<i64>) -> Facts {
        let deadline = deadline_in_days.map(|days| now() + TimeDelta::days(days));
        Facts { attempts, enrolled_mode: Some("verified".to_owned()), deadline, modes: vec![mode("verified", 12)] }
    }

    fn shown(attempts: Vec<Attempt>, deadline_in_days: Option<i64>) -> Option<DashboardStatus> {
        dashboard(&facts(attempts, deadline_in_days), now(), VALIDITY)
    }

    #[test]
    fn the_dashboard_says_what_the_reference_says() {
        use DashboardStatus::{Approved, MissedDeadline, NeedToReverify, NeedToVerify, Submitted};
        for deadline in [None, Some(5)] {
            assert_eq!(shown(vec![], deadline), Some(NeedToVerify));
            assert_eq!(shown(vec![attempt(1, Status::Submitted)], deadline), Some(Submitted));
            assert_eq!(shown(vec![attempt(1, Status::Approved)], deadline), Some(Approved));
            assert_eq!(shown(vec![attempt(1, Status::Created)], deadline), Some(Submitted), "queued");
            assert_eq!(shown(vec![attempt(1, Status::MustRetry)], deadline), None);
            assert_eq!(shown(vec![attempt(1, Status::Denied)], deadline), None);
        }
        assert_eq!(shown(vec![], Some(-1)), Some(MissedDeadline));
        assert_eq!(shown(vec![attempt(900, Status::Approved)], Some(-1)), Some(MissedDeadline), "expired long before");
        assert_eq!(shown(vec![attempt(364, Status::Submitted)], Some(5)), Some(NeedToReverify), "it expires before the deadline");
        assert_eq!(shown(vec![attempt(1, Status::Approved)], Some(-20)), Some(Approved), "verified, though later");
        let audit = Facts { enrolled_mode: Some("audit".to_owned()), ..facts(vec![], Some(5)) };
        assert_eq!(dashboard(&audit, now(), VALIDITY), None);
    }

    #[test]
    fn days_until_a_deadline_are_whole_ones() {
        let soon = now() + TimeDelta::days(5) - TimeDelta::seconds(1);
        assert_eq!(days_until(Some(soon), now()), Some(4));
        assert_eq!(days_until(Some(now()), now()), None);
        assert_eq!(days_until(None, now()), None);
    }

    #[test]
    fn the_report_knows_three_words() {
        let report = |mode: Option<&str>, status| {
            let facts = Facts { enrolled_mode: mode.map(str::to_owned), ..facts(vec![attempt(1, status)], None) };
            grade_report(&facts, now(), VALIDITY)
        };
        for mode in [None, Some("audit"), Some("honor"), Some("no-id-professional")] {
            assert_eq!(report(mode, Status::Approved), "N/A");
        }
        for mode in ["verified", "professional"] {
            assert_eq!(report(Some(mode), Status::Approved), "ID Verified");
            assert_eq!(report(Some(mode), Status::MustRetry), "Not ID Verified");
        }
    }

    #[test]
    fn a_notice_of_the_deadline_goes_to_those_who_still_have_to_act() {
        let notice = |days, standing| deadline_notice(&facts(vec![], days), standing, now());
        for done in [Standing::Approved, Standing::Pending] {
            assert_eq!(notice(Some(5), done), None);
        }
        assert_eq!(notice(None, Standing::None), None);
        for standing in [Standing::None, Standing::Expired, Standing::MustReverify] {
            assert_eq!(notice(Some(0), standing), Some(DeadlineNotice::Passed));
        }
        assert_eq!(notice(Some(5), Standing::MustReverify), Some(DeadlineNotice::Retry));
        assert_eq!(notice(Some(5), Standing::Expired), Some(DeadlineNotice::Upcoming));
    }

    #[test]
    fn without_a_verification_the_certificate_is_an_honor_one_or_none() {
        let certificate = |mode: &str, status, modes: &[&str]| {
            let modes = modes.iter().map(|slug| super::super::course_mode::tests::mode(slug, 0)).collect();
            let facts = Facts { enrolled_mode: Some(mode.to_owned()), modes, ..facts(vec![attempt(1, status)], None) };
            super::certificate(&facts, now(), VALIDITY)
        };
        assert_eq!(certificate("verified", Status::Approved, &["honor"]), Some(Certificate::Verified));
        assert_eq!(certificate("credit", Status::Submitted, &["honor"]), Some(Certificate::Honor));
        assert_eq!(certificate("verified", Status::Submitted, &["audit"]), Some(Certificate::Unverified));
        assert_eq!(certificate("professional", Status::Denied, &["audit"]), Some(Certificate::Ordinary));
    }
}
