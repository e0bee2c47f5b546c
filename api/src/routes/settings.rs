//! What the platform switches at run time, and the deadlines that it may read back.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::attempt::verdict::StatusMails,
    operations::{read_deadline, status_mails},
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

/// Switches and deadlines.
pub struct Settings;

/// A switch.
#[derive(Object)]
pub(super) struct SwitchDocument {
    /// Whether it is on.
    pub(super) enabled: bool,
}

impl SwitchDocument {
    /// What it says of the mails about verdicts at checkpoints.
    pub(super) const fn status_mails(&self) -> StatusMails {
        if self.enabled { StatusMails::On } else { StatusMails::Off }
    }
}

/// How a switch stands.
#[derive(Object)]
struct SwitchAnswer {
    /// Whether it is on.
    enabled: bool,
    /// The key that turned it, if anybody did.
    changed_by: Option<String>,
    /// When (UTC).
    changed_at: Option<DateTime<Utc>>,
}

/// A course's verification deadline.
#[derive(Object)]
struct DeadlineAnswer {
    /// Last moment at which learners may verify (UTC), if there is one.
    deadline: Option<DateTime<Utc>>,
    /// Whether the platform set (or removed) it itself; else it follows the end of the course.
    is_explicit: bool,
    /// Its changes, newest first.
    history: Vec<DeadlineChangeAnswer>,
}

/// A change of a deadline.
#[derive(Object)]
struct DeadlineChangeAnswer {
    /// `created`, `changed` or `deleted`.
    change: String,
    /// The deadline after it (UTC); of a deletion, the one that was deleted.
    deadline: DateTime<Utc>,
    /// Whether the platform said so itself.
    is_explicit: bool,
    /// The key that did it.
    actor: String,
    /// When (UTC).
    at: DateTime<Utc>,
}

#[OpenApi]
impl Settings {
    /// Turn the mails about verdicts at checkpoints on or off
    #[oai(path = "/settings/icrv-status-emails", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn set_status_mails(
        &self,
        state: Data<&AppState>,
        key: LmsWriter,
        document: Json<SwitchDocument>,
    ) -> Result<Kept, PushProblem> {
        let mails = document.status_mails();
        status_mails::set(state.db(), mails, &key.0.name, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }

    /// Whether verdicts at checkpoints are mailed
    #[oai(path = "/settings/icrv-status-emails", method = "get", tag = "super::answers::Tags::Reads")]
    async fn status_mails(&self, state: Data<&AppState>, _key: LmsWriter) -> Result<Json<SwitchAnswer>, ReadProblem> {
        let switch = status_mails::read(state.db()).await.map_err(Fault::from)?;
        Ok(Json(SwitchAnswer {
            enabled: switch.as_ref().is_some_and(|switch| switch.is_on),
            changed_at: switch.as_ref().map(|switch| switch.changed_at),
            changed_by: switch.map(|switch| switch.changed_by),
        }))
    }

    /// A course's verification deadline with its history
    #[oai(path = "/courses/:course/deadline", method = "get", tag = "super::answers::Tags::Reads")]
    async fn deadline(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        course: Path<String>,
    ) -> Result<Json<DeadlineAnswer>, ReadProblem> {
        let course = paths::course(&course.0)?;
        let found = read_deadline::read(state.db(), &course).await.map_err(Fault::from)?;
        let found = found.ok_or_else(|| Fault::not_found("This course is not known."))?;
        let history = found.history.into_iter().map(|line| DeadlineChangeAnswer {
            change: line.change,
            deadline: line.deadline,
            is_explicit: line.is_explicit,
            actor: line.actor,
            at: line.at,
        });
        Ok(Json(DeadlineAnswer {
            deadline: found.deadline.at(),
            is_explicit: found.deadline.is_explicit(),
            history: history.collect(),
        }))
    }
}
