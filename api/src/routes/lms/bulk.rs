//! Many pushes in one request: a document a line, each line a transaction of its own.
//!
//! A line is `{"put": "users/5", "document": {…}}`: the path under `/api/v1` of the call that it stands for,
//! with its document. What a call refuses, its line refuses with the same text, and the others go on. The
//! same request again changes nothing.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use poem::{Body, Request, web::Data};
use poem_openapi::{
    Object, OpenApi,
    payload::{Binary, Json},
    types::ParseFromJSON,
};
use serde::Deserialize;
use serde_json::Value;
use vouch_common::{
    domain::ids::UserId,
    operations::{push_from_lms, skip_reverification, status_mails},
};

use super::documents::{self, CourseDocument, EnrollmentDocument, UserDocument};
use crate::{
    error::Fault,
    extract::{api_key::LmsWriter, body},
    routes::{answers::PushProblem, paths, settings::SwitchDocument},
    state::AppState,
};

/// Largest request.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most lines of a request: so many take a minute or two.
const LINES_MAX: usize = 50_000;
/// Most failures that are told.
const FAILURES_MAX: usize = 100;

/// Pushes in bulk.
pub struct Bulk;

/// What came of a request.
#[derive(Object)]
struct BulkAnswer {
    /// How many lines were applied.
    applied: usize,
    /// How many were not.
    failures: usize,
    /// The first 100 that were not.
    failed: Vec<FailedLine>,
}

/// A line that was not applied.
#[derive(Object)]
struct FailedLine {
    /// Its number, from 1.
    line: usize,
    /// The status that the call would answer with.
    status: u16,
    /// What is wrong with it.
    detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    put: String,
    #[serde(default)]
    document: Value,
}

#[OpenApi]
impl Bulk {
    /// Keep many documents
    ///
    /// NDJSON, at most 16 MiB and 50,000 lines: `{"put": "users/5", "document": {…}}` a line, with the path
    /// and the document of any push of a learner, a course, an enrolment, an opt-out or a setting. Lines are
    /// applied in order, each in a transaction of its own; empty lines don't count.
    #[oai(path = "/bulk", method = "post", tag = "super::super::answers::Tags::Pushes")]
    async fn put(
        &self,
        state: Data<&AppState>,
        key: LmsWriter,
        request: &Request,
        lines: Binary<Body>,
    ) -> Result<Json<BulkAnswer>, PushProblem> {
        // The whole request is read before a line is applied, so that one that is too large changes nothing.
        let bytes = body::read(request, lines.0, BODY_BYTES_MAX).await?;
        let lines = || bytes.split(|&byte| byte == b'\n').zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
        if lines().take(LINES_MAX + 1).count() > LINES_MAX {
            return Err(Fault::too_large(format!("The request must not have more than {LINES_MAX} lines.")).into());
        }
        let mut answer = BulkAnswer { applied: 0, failures: 0, failed: Vec::new() };
        for (line, number) in lines() {
            match apply(state.0, &key.0.name, line).await {
                Ok(()) => answer.applied += 1,
                // Later lines would fail as well; what was applied does no harm when the request is repeated.
                Err(Fault::Unavailable) => return Err(Fault::Unavailable.into()),
                Err(fault) => {
                    answer.failures += 1;
                    if answer.failed.len() < FAILURES_MAX {
                        let failed = FailedLine { line: number, status: fault.status().as_u16(), detail: fault.to_string() };
                        answer.failed.push(failed);
                    }
                }
            }
        }
        tracing::info!(applied = answer.applied, failures = answer.failures, "documents were pushed in bulk");
        Ok(Json(answer))
    }
}

async fn apply(state: &AppState, actor: &str, line: &[u8]) -> Result<(), Fault> {
    let line: Line = serde_json::from_slice(line)
        .map_err(|_| Fault::bad_request("A line must be a JSON object with `put`, a path, and `document`, and nothing else."))?;
    let parts: Vec<String> = line
        .put
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8().map(Cow::into_owned))
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::bad_request("put must be a path in UTF-8."))?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (db, now) = (state.db(), state.now());
    match parts.as_slice() {
        ["users", id] => {
            let user = read::<UserDocument>(line.document)?.into_user(user(id)?)?;
            Ok(push_from_lms::put_user(db, &user, now).await?)
        }
        ["courses", course] => {
            let update = read::<CourseDocument>(line.document)?.into_update()?;
            Ok(push_from_lms::put_course(db, &paths::course(course)?, &update, actor, now).await?)
        }
        ["users", id, "enrollments", course] => {
            let document = read::<EnrollmentDocument>(line.document)?;
            let mode = documents::text("mode", &document.mode)?;
            let enrollment = (mode.as_str(), document.is_active);
            Ok(push_from_lms::put_enrollment(db, user(id)?, &paths::course(course)?, enrollment, now).await?)
        }
        ["users", id, "skips", course, usage] => {
            Ok(skip_reverification::put(db, user(id)?, &paths::course(course)?, &paths::usage(usage)?, now).await?)
        }
        ["settings", "icrv-status-emails"] => {
            Ok(status_mails::set(db, read::<SwitchDocument>(line.document)?.status_mails(), actor, now).await?)
        }
        _ => Err(Fault::not_found("There is no push of that path.")),
    }
}

fn user(text: &str) -> Result<UserId, Fault> {
    paths::user(text.parse().unwrap_or_default())
}

fn read<D: ParseFromJSON>(document: Value) -> Result<D, Fault> {
    D::parse_from_json(Some(document)).map_err(|error| Fault::bad_request(error.into_message()))
}
