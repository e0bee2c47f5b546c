//! `POST /api/v1/attempts`: another program submits a learner's photos.

use poem::{Request, web::Data};
use poem_openapi::{
    ApiRequest, ApiResponse, Multipart, Object, OpenApi,
    payload::Json,
    types::{Binary, multipart::JsonField},
};
use vouch_common::{
    domain::{
        ids::UserId,
        submission::{SentPhoto, Submission},
    },
    operations::submit_photos::Submitter,
};

use super::{answers::SubmitProblem, submission};
use crate::{
    extract::{api_key::LmsWriter, idempotency_key},
    state::AppState,
};

/// Submissions of other programs.
pub struct MachineSubmissions;

/// A submission as JSON; photos are data URLs.
#[derive(Object)]
struct SubmissionDocument {
    /// The learner, whom the platform told of before.
    user_id: i64,
    /// The photo of the face.
    face_image: Option<String>,
    /// The photo of the ID; without it that of an earlier attempt is used again.
    photo_id_image: Option<String>,
    /// The legal name, when it is another than the profile's.
    full_name: Option<String>,
    /// The course, with a checkpoint.
    course_key: Option<String>,
    /// The checkpoint's usage key.
    checkpoint: Option<String>,
}

/// A submission as a form; photos are binary parts or data URLs.
#[derive(Multipart)]
struct SubmissionParts {
    /// The learner, whom the platform told of before.
    user_id: JsonField<i64>,
    /// The photo of the face.
    face_image: Option<Binary<Vec<u8>>>,
    /// The photo of the ID; without it that of an earlier attempt is used again.
    photo_id_image: Option<Binary<Vec<u8>>>,
    /// The legal name, when it is another than the profile's.
    full_name: Option<String>,
    /// The course, with a checkpoint.
    course_key: Option<String>,
    /// The checkpoint's usage key.
    checkpoint: Option<String>,
}

/// A submission.
#[derive(ApiRequest)]
enum SubmissionRequest {
    /// As JSON.
    Document(Json<SubmissionDocument>),
    /// As a form.
    Form(SubmissionParts),
}

/// It is safe, and on its way.
#[derive(Object)]
struct SubmissionAnswer {
    /// The attempt.
    receipt_id: String,
    /// Where its state can be read.
    status_url: String,
}

/// The submission is taken.
#[derive(ApiResponse)]
enum Accepted {
    /// It is safe, and on its way. The same `Idempotency-Key` again: the same answer.
    #[oai(status = 202)]
    Done(Json<SubmissionAnswer>),
}

#[OpenApi]
impl MachineSubmissions {
    /// Submit a learner's photos
    ///
    /// With the header `Idempotency-Key` the same submission can be sent again.
    #[oai(path = "/attempts", method = "post", tag = "super::answers::Tags::Pushes")]
    async fn submit(
        &self,
        request: &Request,
        state: Data<&AppState>,
        key: LmsWriter,
        body: SubmissionRequest,
    ) -> Result<Accepted, SubmitProblem> {
        let (user_id, submission) = body.into_submission();
        let who = Submitter { user: UserId(user_id), profile: None };
        let key = idempotency_key::read(request)?.map(|text| (key.0.owner(), text));
        let taken = submission::take(state.0, &who, submission, key).await?;
        let base = state.settings().public_url.as_str().trim_end_matches('/');
        Ok(Accepted::Done(Json(SubmissionAnswer {
            receipt_id: taken.receipt.to_string(),
            status_url: format!("{base}/api/v1/attempts/{}", taken.receipt),
        })))
    }
}

impl SubmissionRequest {
    fn into_submission(self) -> (i64, Submission) {
        match self {
            Self::Document(Json(it)) => {
                let [face_image, photo_id_image] = [it.face_image, it.photo_id_image].map(|photo| photo.map(SentPhoto::DataUrl));
                let (full_name, course_key, checkpoint) = (it.full_name, it.course_key, it.checkpoint);
                (it.user_id, Submission { face_image, photo_id_image, full_name, course_key, checkpoint })
            }
            Self::Form(it) => {
                let of_part = |part: Binary<Vec<u8>>| SentPhoto::of_part(part.0, true);
                let [face_image, photo_id_image] = [it.face_image, it.photo_id_image].map(|photo| photo.map(of_part));
                let (full_name, course_key, checkpoint) = (it.full_name, it.course_key, it.checkpoint);
                (it.user_id.0, Submission { face_image, photo_id_image, full_name, course_key, checkpoint })
            }
        }
    }
}
