//! The HTTP side of the simulator: takes submissions in the vendor's strictness, shows and sets its state.

use std::sync::Arc;
use std::time::Duration;

use poem::http::{HeaderMap, StatusCode, header};
use poem::web::{Data, Json as JsonBody, Query};
use poem::{Body, EndpointExt as _, IntoResponse as _, Response, Route, get, handler, post};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::callback::{self, Plan};
use super::journal::{Event, Kind, PhotoFacts};
use super::photos::{self, Lock, PhotoError, chain};
use super::script::{Fault, Script, Timing};
use super::submission::{self, Refused, Submission};
use super::{PENDING_VERDICTS_MAX, Shared};

const SUBMISSION_BYTES_MAX: usize = 256 << 10;
const SCRIPT_BYTES_MAX: usize = 256 << 10;
const HANG: Duration = Duration::from_hours(1);
const GARBAGE: &[u8] = b"\xff\xfe{\"EdX-ID\":";

/// Builds the routes of a simulator.
pub(super) fn routes(shared: Arc<Shared>) -> impl poem::Endpoint {
    Route::new()
        .at("/_journal", get(show_journal))
        .at("/_script", get(show_script).put(set_script))
        .at("/", post(take_submission))
        .at("/*path", post(take_submission))
        .data(shared)
}

#[derive(Deserialize)]
struct JournalQuery {
    #[serde(default)]
    after: u64,
}

#[handler]
fn show_journal(Query(query): Query<JournalQuery>, Data(shared): Data<&Arc<Shared>>) -> Response {
    JsonBody(shared.journal.excerpt(query.after)).into_response()
}

#[handler]
fn show_script(Data(shared): Data<&Arc<Shared>>) -> Response {
    JsonBody(shared.script().as_ref()).into_response()
}

#[handler]
async fn set_script(body: Body, Data(shared): Data<&Arc<Shared>>) -> Response {
    let Ok(json) = body.into_bytes_limit(SCRIPT_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the script is too long");
    };
    match Script::parse(&json).and_then(|script| shared.set_script(script)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => plain(StatusCode::BAD_REQUEST, &chain(&error)),
    }
}

#[handler]
async fn take_submission(headers: &HeaderMap, body: Body, Data(shared): Data<&Arc<Shared>>) -> Response {
    let Ok(body) = body.into_bytes_limit(SUBMISSION_BYTES_MAX).await else {
        let refused = Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
        return refused.note(shared, submission_event(b""));
    };
    // A task of its own, because a caller who hangs up must not undo what the vendor has begun.
    let work = process(Arc::clone(shared), headers.clone(), body.to_vec());
    let Ok(reply) = shared.tasks.spawn(work).await else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the simulator broke off");
    };
    if reply.is_silent {
        pause(shared, HANG).await;
    }
    reply.response
}

/// Checks, counts and journals a submission, sees to its verdict, and gives the answer.
async fn process(shared: Arc<Shared>, headers: HeaderMap, body: Vec<u8>) -> Reply {
    let mut event = submission_event(&body);
    let submission = match submission::read(&shared, &headers, &body) {
        Ok(submission) => submission,
        Err(refused) => return Reply::from(refused.note(&shared, event)),
    };
    event.receipt = Some(submission.receipt.clone());
    event.name_sha256 = Some(hex::encode(Sha256::digest(&submission.name)));
    let (script, fault) = shared.next_turn(&submission.name);
    let delay = Duration::from_millis(script.answer.delay_ms);
    let Planned { reply, is_counted } = fault.as_ref().map_or_else(Planned::acceptance, Planned::fault);
    if !is_counted {
        let event = Event { http_status: reply.http_status(), ..event };
        note(&shared, event, "fault", "the script says so");
        pause(&shared, delay).await;
        return reply;
    }
    if shared.tasks.len() >= PENDING_VERDICTS_MAX {
        let refused = Refused::new(StatusCode::SERVICE_UNAVAILABLE, "too many verdicts wait");
        return Reply::from(refused.note(&shared, event));
    }
    if script.inspect_photos {
        let stopped = || Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the simulator stops"));
        match shared.stop.run_until_cancelled(inspect(&shared, &submission)).await.unwrap_or_else(stopped) {
            Ok((face, photo_id)) => (event.face, event.photo_id) = (Some(face), Some(photo_id)),
            Err(refused) => return Reply::from(refused.note(&shared, event)),
        }
    }
    event.http_status = reply.http_status();
    match accept(&shared, &script, submission, event) {
        None => pause(&shared, delay).await,
        Some(plan) if plan.script.timing == Timing::BeforeAnswer => {
            shared.stop.run_until_cancelled(callback::carry_out(Arc::clone(&shared), plan)).await;
            pause(&shared, delay).await;
        }
        Some(plan) => {
            pause(&shared, delay).await;
            let work = callback::carry_out(Arc::clone(&shared), plan);
            shared.tasks.spawn(shared.stop.clone().run_until_cancelled_owned(work));
        }
    }
    reply
}

impl Refused {
    /// Writes the refusal into the journal and gives the answer.
    fn note(self, shared: &Shared, event: Event) -> Response {
        let event = Event { http_status: Some(self.status.as_u16()), ..event };
        note(shared, event, "refused", &self.detail);
        plain(self.status, &self.detail)
    }
}

/// Opens both photos as the vendor's people would have to.
async fn inspect(shared: &Arc<Shared>, submission: &Submission) -> Result<(PhotoFacts, PhotoFacts), Refused> {
    let odd = |what: &str, detail: &str| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("{what}: {detail}"));
    let (face_lock, photo_id_lock) = submission::unlock(shared, submission)?;
    let (face, photo_id) = tokio::join!(
        fetch(shared, &submission.face.address, face_lock),
        fetch(shared, &submission.photo_id.address, photo_id_lock),
    );
    Ok((face.map_err(|detail| odd("face", &detail))?, photo_id.map_err(|detail| odd("ID photo", &detail))?))
}

async fn fetch(shared: &Arc<Shared>, address: &str, lock: Lock) -> Result<PhotoFacts, String> {
    let stored = photos::download(&shared.client, address).await.map_err(|error| chain(&error))?;
    let permit = Arc::clone(&shared.decoders).acquire_owned().await.map_err(|error| chain(&error))?;
    let opened: Result<PhotoFacts, PhotoError> = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        photos::open(&stored, &lock)
    })
    .await
    .map_err(|error| chain(&error))?;
    opened.map_err(|error| chain(&error))
}

/// Journals a good submission and plans the verdict of a new order; a known one gets no second verdict.
fn accept(shared: &Shared, script: &Script, submission: Submission, event: Event) -> Option<Plan> {
    if !shared.remember(&submission.order) {
        note(shared, event, "repeated", "the order is known; no second verdict");
        return None;
    }
    let verdict = script.verdict(&submission.receipt, &submission.name);
    note(shared, event, &verdict.result, "accepted");
    Some(Plan {
        receipt: submission.receipt,
        order: submission.order,
        send_response_to: submission.send_response_to,
        verdict,
        script: script.callback.clone(),
    })
}

/// An answer to a submission, or silence until the caller hangs up.
struct Reply {
    response: Response,
    is_silent: bool,
}

impl Reply {
    fn http_status(&self) -> Option<u16> {
        (!self.is_silent).then(|| self.response.status().as_u16())
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, is_silent: false }
    }
}

/// The answer that a good submission will get, and whether the submission counts.
struct Planned {
    reply: Reply,
    is_counted: bool,
}

impl Planned {
    fn acceptance() -> Self {
        Self { reply: plain(StatusCode::OK, "accepted").into(), is_counted: true }
    }

    fn fault(fault: &Fault) -> Self {
        let not_counted = |response: Response| Self { reply: response.into(), is_counted: false };
        match fault {
            Fault::Status { status } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                not_counted(plain(status, "the script says so"))
            }
            Fault::TooManyRequests { retry_after } => {
                let answer = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
                not_counted(answer.header(header::RETRY_AFTER, retry_after).finish())
            }
            Fault::Redirect { location } => {
                let answer = Response::builder().status(StatusCode::FOUND);
                not_counted(answer.header(header::LOCATION, location).finish())
            }
            Fault::Hang => {
                let response = plain(StatusCode::SERVICE_UNAVAILABLE, "the simulator stops");
                Self { reply: Reply { response, is_silent: true }, is_counted: true }
            }
            Fault::Garbage => {
                let answer = Response::builder().status(StatusCode::OK).content_type("application/json");
                Self { reply: answer.body(GARBAGE).into(), is_counted: true }
            }
        }
    }
}

/// Writes the journal's line for a submission.
fn note(shared: &Shared, event: Event, decision: &str, detail: &str) {
    let event = Event { decision: decision.to_owned(), detail: detail.to_owned(), ..event };
    shared.journal.append(shared.now(), event);
}

fn submission_event(body: &[u8]) -> Event {
    Event {
        kind: Kind::Submission,
        receipt: None,
        body_sha256: hex::encode(Sha256::digest(body)),
        name_sha256: None,
        face: None,
        photo_id: None,
        decision: String::new(),
        http_status: None,
        detail: String::new(),
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    Response::builder().status(status).content_type("text/plain; charset=utf-8").body(text.to_owned())
}

/// Waits, but not beyond the end of the simulator.
async fn pause(shared: &Shared, wait: Duration) {
    if !wait.is_zero() {
        shared.stop.run_until_cancelled(sleep(wait)).await;
    }
}
