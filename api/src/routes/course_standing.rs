//! What a learner's verification means in courses, for dashboards, reports and certificates.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use vouch_common::{
    domain::{
        attempt::Status,
        course_mode::{VERIFIED, asks_for_verification},
        course_standing::{self, Facts},
        ids::UserId,
        keys::CourseKey,
        times, verification,
    },
    operations::read_course_standing::{self, InCourse},
};

use super::answers::ReadProblem;
use crate::{error::Fault, extract::api_key::AttemptsReader, state::AppState};

/// Reads about learners in courses.
pub struct CourseStandings;

/// What a learner's verification means in a course.
#[derive(Object)]
struct CourseStandingView {
    /// The course.
    course: String,
    /// The mode of the active enrolment.
    mode: Option<String>,
    /// For the dashboard: `verify_need_to_verify`, `verify_need_to_reverify`, `verify_submitted`,
    /// `verify_approved`, `verify_missed_deadline`, or null.
    dashboard_status: Option<String>,
    /// Whole days until the verification deadline; null without one, or when it has passed.
    days_until_deadline: Option<i64>,
    /// Until when the approval counts, as `MM/DD/YYYY`, when one counts for any of the learner's courses.
    verification_good_until: Option<String>,
    /// Last moment at which learners may verify (UTC).
    verification_deadline: Option<DateTime<Utc>>,
    /// For the list of dates: `verification-deadline-passed`, `-retry`, `-upcoming`, or null.
    deadline_notice: Option<String>,
    /// When the verified mode stops being sold (UTC).
    upgrade_deadline: Option<DateTime<Utc>>,
    /// For the grade report: `ID Verified`, `Not ID Verified` or `N/A`.
    grade_report: String,
    /// Whether the learner is verified.
    is_verified: bool,
    /// Whether the learner is verified or waits for a verdict.
    is_verified_or_pending: bool,
    /// The certificate: `verified`, `ordinary`, `honor`, `unverified`, or null without an enrolment.
    certificate: Option<String>,
}

/// Every course in which a learner is actively enrolled.
#[derive(Object)]
struct CourseStandingsAnswer {
    /// The courses, in order of their keys.
    courses: Vec<CourseStandingView>,
}

/// Whether a learner was verified at a moment.
#[derive(Object)]
struct VerifiedAtAnswer {
    /// The moment (UTC).
    at: DateTime<Utc>,
    /// Whether an approved attempt was active then.
    is_verified: bool,
    /// The newest attempt that was active then, whatever its status.
    receipt_id: Option<String>,
    /// Its status.
    status: Option<String>,
}

#[OpenApi]
impl CourseStandings {
    /// What a learner's verification means in each of their courses
    #[oai(path = "/users/:user_id/verification/courses", method = "get", tag = "super::answers::Tags::Reads")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
    ) -> Result<Json<CourseStandingsAnswer>, ReadProblem> {
        let found = read_course_standing::list(state.db(), UserId(user_id.0)).await.map_err(Fault::from)?;
        let all = found.ok_or_else(|| Fault::not_found("This user is not known."))?;
        let good_until = good_until(state.0, all.iter());
        Ok(Json(CourseStandingsAnswer { courses: all.iter().map(|one| view(state.0, one, good_until.clone())).collect() }))
    }

    /// What a learner's verification means in a course
    #[oai(path = "/users/:user_id/verification/courses/:course", method = "get", tag = "super::answers::Tags::Reads")]
    async fn one(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
    ) -> Result<Json<CourseStandingView>, ReadProblem> {
        let course = CourseKey::parse(&course.0).ok_or_else(|| Fault::not_found("There is no course of that key."))?;
        let found = read_course_standing::load(state.db(), UserId(user_id.0), &course).await.map_err(Fault::from)?;
        let found = found.ok_or_else(|| Fault::not_found("This user or this course is not known."))?;
        let good_until = good_until(state.0, std::iter::once(&found));
        Ok(Json(view(state.0, &found, good_until)))
    }

    /// Whether a learner was verified at a moment
    #[oai(path = "/users/:user_id/verification/at", method = "get", tag = "super::answers::Tags::Reads")]
    async fn verified_at(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        /// The moment, in RFC 3339.
        at: Query<DateTime<Utc>>,
    ) -> Result<Json<VerifiedAtAnswer>, ReadProblem> {
        let attempts = read_course_standing::list_attempts(state.db(), UserId(user_id.0)).await.map_err(Fault::from)?;
        let attempts = attempts.ok_or_else(|| Fault::not_found("This user is not known."))?;
        let validity = state.settings().validity;
        let newest = verification::for_deadline(&attempts, Some(at.0), validity);
        let is_verified = attempts
            .iter()
            .any(|attempt| attempt.status == Status::Approved && attempt.is_active_at(at.0, validity.days_good_for));
        Ok(Json(VerifiedAtAnswer {
            at: at.0,
            is_verified,
            receipt_id: newest.map(|attempt| attempt.receipt.to_string()),
            status: newest.map(|attempt| attempt.status.as_str().to_owned()),
        }))
    }
}

/// The latest end of the approvals that count for those of these courses whose certificate needs one. Source:
/// reference A.1.
fn good_until<'a>(state: &AppState, courses: impl Iterator<Item = &'a InCourse>) -> Option<String> {
    let validity = state.settings().validity;
    let courses = courses.filter(|one| one.facts.enrolled_mode.as_deref().is_some_and(asks_for_verification));
    let counting = courses.filter_map(|one| verification::for_deadline(&one.facts.attempts, one.facts.deadline, validity));
    let approved = counting.filter(|attempt| attempt.status == Status::Approved);
    approved.map(|attempt| attempt.expires_at(validity.days_good_for)).max().map(times::day_in_figures)
}

fn view(state: &AppState, in_course: &InCourse, verification_good_until: Option<String>) -> CourseStandingView {
    let (now, validity) = (state.now(), state.settings().validity);
    let facts: &Facts = &in_course.facts;
    let standing = verification::standing(&facts.attempts, now, validity).standing;
    let verified_mode = facts.modes.iter().find(|mode| mode.slug == VERIFIED);
    CourseStandingView {
        course: in_course.course.to_string(),
        mode: facts.enrolled_mode.clone(),
        dashboard_status: course_standing::dashboard(facts, now, validity).map(|status| status.as_str().to_owned()),
        days_until_deadline: course_standing::days_until(facts.deadline, now),
        verification_good_until,
        verification_deadline: facts.deadline,
        deadline_notice: course_standing::deadline_notice(facts, standing, now).map(|notice| notice.as_str().to_owned()),
        upgrade_deadline: verified_mode.and_then(|mode| mode.expires_at),
        grade_report: course_standing::grade_report(facts, now, validity).to_owned(),
        is_verified: verification::is_verified(&facts.attempts, now, validity),
        is_verified_or_pending: verification::valid_or_pending(&facts.attempts, now, validity).is_some(),
        certificate: course_standing::certificate(facts, now, validity).map(|certificate| certificate.as_str().to_owned()),
    }
}
