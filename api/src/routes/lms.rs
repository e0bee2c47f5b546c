//! What the learning platform pushes: learners, courses, enrolments. Telling twice changes nothing.

mod documents;

use poem::web::Data;
use poem_openapi::{ApiResponse, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::{ids::UserId, keys::CourseKey},
    operations::push_from_lms,
};

use super::answers::PushProblem;
use crate::{error::Fault, extract::api_key::LmsWriter, state::AppState};
use documents::{CourseDocument, EnrollmentDocument, UserDocument};

/// Pushes of the learning platform.
pub struct Lms;

/// It is kept.
#[derive(ApiResponse)]
enum Kept {
    /// It is kept.
    #[oai(status = 204)]
    Done,
}

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
        let user = document.0.into_user(user_id_of(user_id.0)?)?;
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
        _key: LmsWriter,
        course: Path<String>,
        document: Json<CourseDocument>,
    ) -> Result<Kept, PushProblem> {
        let course = course_of(&course.0)?;
        let update = document.0.into_update()?;
        push_from_lms::put_course(state.db(), &course, &update, state.now()).await.map_err(Fault::from)?;
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
        let (user, course) = (user_id_of(user_id.0)?, course_of(&course.0)?);
        let mode = documents::text("mode", &document.mode)?;
        let enrollment = (mode.as_str(), document.is_active);
        push_from_lms::put_enrollment(state.db(), user, &course, enrollment, state.now()).await.map_err(Fault::from)?;
        Ok(Kept::Done)
    }
}

fn user_id_of(number: i64) -> Result<UserId, Fault> {
    if number > 0 { Ok(UserId(number)) } else { Err(Fault::bad_request("user_id must be a positive number.")) }
}

fn course_of(text: &str) -> Result<CourseKey, Fault> {
    CourseKey::parse(text).ok_or_else(|| Fault::bad_request("Invalid course key"))
}
