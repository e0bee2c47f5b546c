//! `GET /verify_student/reverify` and `GET /verify_student/reverify/{course}/{usage}/`: verifying again, from
//! anywhere or at a checkpoint. Source: reference 4.7 and 4.8.

use chrono::TimeDelta;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{Request, Response, handler, http::StatusCode, web::Data};
use serde_json::{Map, Value, json};
use vouch_common::{
    domain::{
        checkpoint,
        course::path_segment,
        keys::{CourseKey, UsageKey},
        times,
        verification::{self, Standing},
    },
    operations::{
        load_flow::{self, CheckpointVisit},
        track_event,
    },
};

use super::page;
use crate::{
    error::Fault,
    extract::{course_path, learner::Learner},
    state::AppState,
};

/// What may stand in a query's value as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Verifying again, for those who may.
#[handler]
pub(super) async fn reverify(request: &Request, learner: Learner, state: Data<&AppState>) -> Result<Response, Fault> {
    let now = state.now();
    let record = load_flow::load_record(state.db(), &learner.submitter, now).await?;
    let found = verification::standing(&record.attempts, now, state.settings().validity);
    let mut facts = Map::new();
    let mut tell = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    tell("full_name", record.learner.map(|learner| learner.full_name).unwrap_or_default().into());
    tell("status", found.standing.as_str().into());
    tell("can_verify", found.can_verify.into());
    tell("reasons", json!(found.reasons));
    tell("expires_at", found.expires_at.map(times::moment).unwrap_or_default().into());
    let is_blocked = found.standing == Standing::Approved && !found.can_verify;
    page::answer(request, state.0, if is_blocked { "reverify-not-allowed" } else { "reverify" }, facts)
}

/// Verifying again at a checkpoint.
#[handler]
pub(super) async fn in_course(request: &Request, learner: Learner, state: Data<&AppState>) -> Result<Response, Fault> {
    let (course, usage) = course_path::course_and_usage(request)?;
    if let Some(moved) = course_path::with_slash(request) {
        return Ok(moved);
    }
    let now = state.now();
    let earliest = now - TimeDelta::days(i64::from(state.settings().validity.days_good_for));
    let visit = load_flow::load_checkpoint(
        state.db(),
        learner.submitter.user,
        (&course, &usage),
        (earliest, state.settings().vendor.format),
    )
    .await?;
    let visit = visit.ok_or_else(course_path::no_checkpoint)?;
    if !visit.has_initial_verification {
        return Ok(to_first_verification(&course, &usage));
    }
    tracing::info!(course = %course, user_id = learner.submitter.user.0, "a re-verification was started");
    track_event::record_start(state.db(), learner.submitter.user, (&course, &usage), now).await?;
    page::answer(request, state.0, "incourse-reverify", in_course_facts(&course, &usage, &visit, now))
}

fn to_first_verification(course: &CourseKey, usage: &UsageKey) -> Response {
    let checkpoint = utf8_percent_encode(usage.as_str(), QUERY);
    let location = format!("/verify_student/verify-now/{}/?checkpoint={checkpoint}", path_segment(course));
    Response::builder().status(StatusCode::FOUND).header("location", location).finish()
}

fn in_course_facts(
    course: &CourseKey,
    usage: &UsageKey,
    visit: &CheckpointVisit,
    now: chrono::DateTime<chrono::Utc>,
) -> Map<String, Value> {
    let facts = json!({
        "title": format!("Re-Verify for {}", visit.course_name),
        "course_key": course.as_str(),
        "course_name": visit.course_name,
        "usage_id": usage.as_str(),
        "checkpoint_name": visit.name,
        "attempts_used": visit.tries.used,
        "attempts_allowed": visit.tries.allowed,
        "due": visit.due.map(times::moment).unwrap_or_default(),
        "is_open": checkpoint::is_open(visit.due, now),
    });
    match facts {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
