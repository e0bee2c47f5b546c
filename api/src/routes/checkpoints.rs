//! The checkpoints of a course, for the platform and its re-verification block. Source: reference 8.5, 8.6.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::course::reverify_path,
    operations::{
        read_checkpoints::{self, CheckpointView},
        skip_reverification, start_checkpoint,
    },
};

use super::{
    answers::{Kept, PushProblem, ReadProblem},
    paths,
};
use crate::{
    error::Fault,
    extract::api_key::{AttemptsReader, LmsWriter},
    state::AppState,
};

/// Checkpoints of courses.
pub struct Checkpoints;

/// A learner at the checkpoints of a course.
#[derive(Object)]
struct CheckpointsAnswer {
    /// Those where somebody was, oldest first, then the blocks that nobody reached yet.
    checkpoints: Vec<LearnerAtCheckpoint>,
}

/// A learner at one checkpoint.
#[derive(Object)]
struct LearnerAtCheckpoint {
    /// Its usage key.
    usage: String,
    /// The latest: `submitted`, `approved`, `denied`, `error`, or null.
    status: Option<String>,
    /// How often the learner submitted.
    attempts_used: i64,
    /// How often the learner may; null when the block is not known.
    attempts_allowed: Option<i64>,
    /// Whether the learner opted out in this course.
    skipped: bool,
    /// Whether it is open now.
    is_open: bool,
    /// When it closes (UTC).
    due: Option<DateTime<Utc>>,
    /// `allow` or `deny`: whether what it guards is shown.
    group: String,
}

/// What the block is told of a learner.
#[derive(Object)]
struct BlockStatusAnswer {
    /// `not-verified`, `skipped`, `submitted`, `approved`, `denied`, `error`, or null.
    status: Option<String>,
    /// How often the learner submitted.
    attempts_used: i64,
    /// How often the learner may; null when the block is not known.
    attempts_allowed: Option<i64>,
    /// How often the learner still may, never below 0; null when the block is not known.
    attempts_left: Option<i64>,
    /// Whether it is open now.
    is_open: bool,
    /// When it closes (UTC).
    due: Option<DateTime<Utc>>,
}

/// Where the learner verifies at a checkpoint.
#[derive(Object)]
struct CheckpointStartAnswer {
    /// The path of the page.
    url: String,
    /// The whole address of the page.
    absolute_url: String,
}

/// Who may see what the checkpoints of a course guard.
#[derive(Object)]
struct GatingAnswer {
    /// Each checkpoint.
    checkpoints: Vec<GateAnswer>,
}

/// Whether a learner may see what a checkpoint guards, and why.
#[derive(Object)]
struct GateAnswer {
    /// Its usage key.
    usage: String,
    /// `deny` when the learner is enrolled as verified, did not opt out and has no status; else `allow`.
    group: String,
    /// Whether the learner is actively enrolled as `verified`.
    is_verified_track: bool,
    /// Whether the learner opted out in this course.
    skipped: bool,
    /// Whether the learner has any status there; a denial counts too.
    has_status: bool,
}

#[OpenApi]
impl Checkpoints {
    /// A learner at the checkpoints of a course
    #[oai(path = "/users/:user_id/checkpoints/:course", method = "get", tag = "super::answers::Tags::Reads")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
    ) -> Result<Json<CheckpointsAnswer>, ReadProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let found = read_checkpoints::read(state.db(), user, &course, state.now()).await.map_err(Fault::from)?;
        let found = found.ok_or_else(unknown)?;
        let has_skipped = found.learner.has_skipped;
        let checkpoints = found.checkpoints.into_iter().map(|view| answer(view, has_skipped)).collect();
        Ok(Json(CheckpointsAnswer { checkpoints }))
    }

    /// What the block is told of a learner
    ///
    /// The platform's block asks this before it shows itself. There need not be a checkpoint yet.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/checkpoints/:course/:usage", method = "get", tag = "super::answers::Tags::Reads")]
    async fn status(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
        usage: Path<String>,
    ) -> Result<Json<BlockStatusAnswer>, ReadProblem> {
        let (user, course, usage) = (paths::user(user_id.0)?, paths::course(&course.0)?, paths::usage(&usage.0)?);
        let found = read_checkpoints::read_one(state.db(), user, (&course, &usage), state.now()).await.map_err(Fault::from)?;
        let view = found.ok_or_else(unknown)?;
        Ok(Json(BlockStatusAnswer {
            status: view.status_for_block.map(str::to_owned),
            attempts_used: view.tries.used,
            attempts_allowed: view.tries.allowed,
            attempts_left: view.tries.left(),
            is_open: view.is_open,
            due: view.due,
        }))
    }

    /// Start verifying at a checkpoint
    ///
    /// The checkpoint is there from now on. Any number of learners may start at once.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/checkpoints/:course/:usage/start", method = "post", tag = "super::answers::Tags::Pushes")]
    async fn start(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        usage: Path<String>,
    ) -> Result<Json<CheckpointStartAnswer>, PushProblem> {
        let (user, course, usage) = (paths::user(user_id.0)?, paths::course(&course.0)?, paths::usage(&usage.0)?);
        start_checkpoint::start(state.db(), user, &course, &usage, state.now()).await.map_err(Fault::from)?;
        let url = reverify_path(&course, &usage);
        let root = state.settings().public_url.as_str().trim_end_matches('/');
        Ok(Json(CheckpointStartAnswer { absolute_url: format!("{root}{url}"), url }))
    }

    /// Keep that a learner opted out of re-verification
    ///
    /// One opt-out holds for the whole course; a second one changes nothing. The requirement for credit of
    /// the checkpoint is declined.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/skips/:course/:usage", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn skip(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        usage: Path<String>,
    ) -> Result<Kept, PushProblem> {
        let (user, course, usage) = (paths::user(user_id.0)?, paths::course(&course.0)?, paths::usage(&usage.0)?);
        skip_reverification::put(state.db(), user, &course, &usage, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }

    /// Take back that a learner opted out
    ///
    /// Whichever checkpoint of the course it was said at. A requirement that it declined has the status of
    /// the newest verdict again, or none.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/skips/:course/:usage", method = "delete", tag = "super::answers::Tags::Pushes")]
    async fn unskip(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        usage: Path<String>,
    ) -> Result<Kept, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        paths::usage(&usage.0)?;
        skip_reverification::delete(state.db(), user, &course).await.map_err(Fault::from)?;
        state.wake();
        Ok(Kept::Done)
    }

    /// Whether a learner may see what the checkpoints of a course guard
    #[oai(path = "/users/:user_id/gating/:course", method = "get", tag = "super::answers::Tags::Reads")]
    async fn gating(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
    ) -> Result<Json<GatingAnswer>, ReadProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let found = read_checkpoints::read(state.db(), user, &course, state.now()).await.map_err(Fault::from)?;
        let found = found.ok_or_else(unknown)?;
        let checkpoints = found.checkpoints.into_iter().map(|view| GateAnswer {
            group: view.gate.as_str().to_owned(),
            usage: view.usage,
            is_verified_track: found.learner.is_verified_track,
            skipped: found.learner.has_skipped,
            has_status: view.status.is_some(),
        });
        Ok(Json(GatingAnswer { checkpoints: checkpoints.collect() }))
    }
}

fn unknown() -> Fault {
    Fault::not_found("This user or this course is not known.")
}

fn answer(view: CheckpointView, has_skipped: bool) -> LearnerAtCheckpoint {
    LearnerAtCheckpoint {
        usage: view.usage,
        status: view.status.map(str::to_owned),
        attempts_used: view.tries.used,
        attempts_allowed: view.tries.allowed,
        skipped: has_skipped,
        is_open: view.is_open,
        due: view.due,
        group: view.gate.as_str().to_owned(),
    }
}
