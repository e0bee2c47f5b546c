//! What the learning platform pushes: learners, courses, enrolments. Telling twice changes nothing.

pub mod bulk;
mod documents;

use poem::web::Data;
use poem_openapi::{OpenApi, param::Path, payload::Json};
use vouch_common::operations::push_from_lms;

use super::{
    answers::{Kept, PushProblem},
    paths,
};
use crate::{error::Fault, extract::api_key::LmsWriter, state::AppState};
use documents::{CourseDocument, EnrollmentDocument, UserDocument};

/// Pushes of the learning platform.
pub struct Lms;

#[OpenApi]
impl Lms {
    /// Keep a learner
    #[oai(path = "/users/:user_id", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn put_user(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        document: Json<UserDocument>,
    ) -> Result<Kept, PushProblem> {
        let user = document.0.into_user(paths::user(user_id.0)?)?;
        push_from_lms::put_user(state.db(), &user, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }

    /// Keep what is said of a course
    ///
    /// What is absent is left as it is; null removes.
    #[oai(path = "/courses/:course", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn put_course(
        &self,
        state: Data<&AppState>,
        key: LmsWriter,
        course: Path<String>,
        document: Json<CourseDocument>,
    ) -> Result<Kept, PushProblem> {
        let course = paths::course(&course.0)?;
        let update = document.0.into_update()?;
        push_from_lms::put_course(state.db(), &course, &update, &key.0.name, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }

    /// Keep an enrolment
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/enrollments/:course", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn put_enrollment(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        document: Json<EnrollmentDocument>,
    ) -> Result<Kept, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let mode = documents::text("mode", &document.mode)?;
        let enrollment = (mode.as_str(), document.is_active);
        push_from_lms::put_enrollment(state.db(), user, &course, enrollment, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }
}
