//! Bulk retries: looked at first, started, watched and cancelled.

use chrono::{DateTime, Utc};
use poem::{Request, web::Data};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Any,
};
use serde_json::Value;
use uuid::Uuid;
use vouch_common::{
    domain::{
        ids::RetryId,
        retry_filter::{RATE_DEFAULT, Rate, RetryFilter},
    },
    operations::{
        act_refused::ActRefused,
        cancel_retry, read_retries,
        start_retry::{self, Preview, ToStart},
    },
    store::retries::Retry,
};

use super::{
    acting::{order, told},
    answers::{ActProblem, ReadProblem},
};
use crate::{
    error::Fault,
    extract::{
        api_key::{AttemptsReader, Operator},
        idempotency_key,
    },
    state::AppState,
};

/// Acts on all that a filter fits.
pub struct Retries;

/// Items of a list, unless the caller says otherwise, and at most.
const LIMIT: (i64, i64) = (50, 200);

/// What is to be retried.
#[derive(Object)]
struct RetryDocument {
    /// Fields of which every one must fit, at least one: `state` (`dead`), `queue`, `kind`, `error_class`,
    /// `http_status`, `fingerprint`, `vendor_code`, `status`, `user_id`, `receipts`, `job_ids`, `created_after`,
    /// `created_before`, `failed_after`, `failed_before`, `submitted_after`, `submitted_before`. Without `status` it is
    /// about dead jobs; with `status` (`created`, `ready`, `must_retry`, `submitted`) and no field of jobs about attempts.
    filter: Any<Value>,
    /// Only tell what would be retried.
    #[oai(default)]
    dry_run: bool,
    /// Items a second, 1 to 10000; 50 if absent.
    rate: Option<i64>,
    /// Why: a line of 1 to 500 characters. A dry run needs none.
    reason: Option<String>,
}

/// Failures that are alike.
#[derive(Object)]
struct RetryGroupAnswer {
    /// The group; null: no failure is known.
    fingerprint: Option<String>,
    /// The queue.
    queue: String,
    /// The kind of job.
    kind: String,
    /// The class of the failure.
    error_class: Option<String>,
    /// The far side's code, such as an HTTP status; empty: none.
    error_code: String,
    /// What the failures say in common.
    message: Option<String>,
    /// How many there are.
    count: i64,
}

/// One of what would be retried.
#[derive(Object)]
struct RetrySampleAnswer {
    /// The job; null: the attempt would get one.
    job_id: Option<i64>,
    /// The attempt, if it is about one.
    receipt_id: Option<String>,
    /// The queue.
    queue: String,
    /// The kind of job.
    kind: String,
    /// The class of the last failure.
    error_class: Option<String>,
    /// The last failure.
    last_error: Option<String>,
}

/// What would be retried.
#[derive(Object)]
struct RetryPreviewAnswer {
    /// True.
    dry_run: bool,
    /// How many items.
    total: i64,
    /// By which failures, most first.
    groups: Vec<RetryGroupAnswer>,
    /// The oldest, at most 20.
    samples: Vec<RetrySampleAnswer>,
    /// Items a second.
    rate: i32,
    /// How long it would take.
    minutes: f64,
}

/// A bulk retry.
#[derive(Object)]
struct RetryAnswer {
    /// Its id.
    id: String,
    /// `running`, `done` or `cancelled`.
    status: String,
    /// The filter, in one spelling.
    filter: Any<Value>,
    /// Items a second.
    rate: i32,
    /// Why.
    reason: String,
    /// The name of the key that started it.
    created_by: String,
    /// When (UTC).
    created_at: DateTime<Utc>,
    /// When it was done or cancelled (UTC).
    finished_at: Option<DateTime<Utc>>,
    /// Items in the set, which was frozen at the start.
    total: i64,
    /// Items that were set going again.
    retried: i64,
    /// Items that needed it no more when their turn came.
    skipped: i64,
    /// Items whose turn has not come.
    left: i64,
    /// How long it will take yet; 0 when it runs no more.
    minutes_left: f64,
}

/// Bulk retries.
#[derive(Object)]
struct RetriesAnswer {
    /// Newest first.
    items: Vec<RetryAnswer>,
    /// What to ask for the next page with; null: this is the last.
    next_cursor: Option<String>,
}

/// What came of it.
#[derive(ApiResponse)]
enum Started {
    /// A dry run: nothing was changed.
    #[oai(status = 200)]
    Preview(Json<RetryPreviewAnswer>),
    /// It runs; or, pressed twice, it ran already.
    #[oai(status = 202)]
    Running(Json<RetryAnswer>),
}

#[OpenApi]
impl Retries {
    /// Retry all that a filter fits
    ///
    /// Ask with `dry_run` first. The set is frozen when it starts; each item is retried once. The same filter again while
    /// it runs, or the same `Idempotency-Key`, answers the same bulk retry. What another one has that runs is left out.
    #[oai(path = "/retries", method = "post", tag = "super::answers::Tags::Operators")]
    async fn start(
        &self,
        request: &Request,
        state: Data<&AppState>,
        key: Operator,
        document: Json<RetryDocument>,
    ) -> Result<Started, ActProblem> {
        let asked = document.0;
        let rate = Rate::new(asked.rate.unwrap_or_else(|| RATE_DEFAULT.into())).map_err(ActRefused::from).map_err(Fault::from)?;
        let filter = RetryFilter::parse(&asked.filter.0).map_err(ActRefused::from).map_err(Fault::from)?;
        if asked.dry_run {
            let preview = start_retry::preview(state.db(), &filter).await.map_err(Fault::from)?;
            return Ok(Started::Preview(Json(preview_answer(preview, rate))));
        }
        let order = order(&key, asked.reason.as_deref())?;
        let (caller, idempotency_key) = (key.0.owner(), idempotency_key::read(request)?);
        let new = ToStart { filter: &filter, rate, key: idempotency_key.as_deref().map(|named| (caller.as_str(), named)) };
        let retry = start_retry::start(state.db(), new, &order, state.now()).await.map_err(Fault::from)?;
        told(&state, &order, "retries.start", &retry.id.to_string());
        Ok(Started::Running(Json(answer(retry))))
    }

    /// Bulk retries, newest first
    #[oai(path = "/retries", method = "get", tag = "super::answers::Tags::Operators")]
    async fn list(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// Where the page before ended.
        cursor: Query<Option<String>>,
        /// How many, 1 to 200; 50 if absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<RetriesAnswer>, ReadProblem> {
        let limit = limit.0.unwrap_or(LIMIT.0);
        if !(1..=LIMIT.1).contains(&limit) {
            return Err(Fault::bad_request(format!("limit must be a number from 1 to {}.", LIMIT.1)).into());
        }
        let before = cursor.0.as_deref().map(read_cursor).transpose()?;
        let mut found = read_retries::list(state.db(), before, limit + 1).await.map_err(Fault::from)?;
        let has_more = i64::try_from(found.len()).is_ok_and(|count| count > limit);
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = found.last().filter(|_| has_more).map(write_cursor);
        Ok(Json(RetriesAnswer { items: found.into_iter().map(answer).collect(), next_cursor }))
    }

    /// A bulk retry
    #[oai(path = "/retries/:id", method = "get", tag = "super::answers::Tags::Operators")]
    async fn show(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        id: Path<String>,
    ) -> Result<Json<RetryAnswer>, ReadProblem> {
        let found = read_retries::read(state.db(), retry_id(&id.0)?).await.map_err(Fault::from)?;
        Ok(Json(answer(found.ok_or_else(not_found)?)))
    }

    /// Cancel a bulk retry
    ///
    /// What was set going goes on; the rest stays as it is.
    #[oai(path = "/retries/:id", method = "delete", tag = "super::answers::Tags::Operators")]
    async fn cancel(
        &self,
        state: Data<&AppState>,
        key: Operator,
        id: Path<String>,
        /// Why: a line of 1 to 500 characters.
        reason: Query<Option<String>>,
    ) -> Result<Json<RetryAnswer>, ActProblem> {
        let order = order(&key, reason.0.as_deref())?;
        let cancelled = cancel_retry::cancel(state.db(), retry_id(&id.0)?, &order, state.now()).await.map_err(Fault::from)?;
        told(&state, &order, "retries.cancel", &id.0);
        Ok(Json(answer(cancelled)))
    }
}

fn not_found() -> Fault {
    Fault::not_found("There is no bulk retry of that id.")
}

fn retry_id(text: &str) -> Result<RetryId, Fault> {
    Uuid::try_parse(text).map(RetryId).map_err(|_| not_found())
}

/// A place in the list: the time in microseconds, as exact as the database, and the id.
fn write_cursor(retry: &Retry) -> String {
    format!("{}.{}", retry.created_at.timestamp_micros(), retry.id.simple())
}

fn read_cursor(text: &str) -> Result<(DateTime<Utc>, Uuid), Fault> {
    let read = || {
        let (micros, id) = text.split_once('.')?;
        Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, Uuid::try_parse(id).ok()?))
    };
    read().ok_or_else(|| Fault::bad_request("This cursor is none; take next_cursor of a page, or leave it out."))
}

fn answer(retry: Retry) -> RetryAnswer {
    let left = retry.left();
    let rate = Rate::new(retry.rate.into()).ok().filter(|_| retry.is_running());
    RetryAnswer {
        id: retry.id.to_string(),
        status: retry.status,
        filter: Any(retry.filter),
        rate: retry.rate,
        reason: retry.reason,
        created_by: retry.created_by,
        created_at: retry.created_at,
        finished_at: retry.finished_at,
        total: retry.total,
        retried: retry.retried,
        skipped: retry.skipped,
        left,
        minutes_left: rate.map_or(0.0, |rate| rate.minutes(left)),
    }
}

fn preview_answer(preview: Preview, rate: Rate) -> RetryPreviewAnswer {
    let groups = preview.groups.into_iter().map(|group| RetryGroupAnswer {
        fingerprint: group.fingerprint,
        queue: group.queue,
        kind: group.kind,
        error_class: group.error_class,
        error_code: group.error_code,
        message: group.message,
        count: group.count,
    });
    let samples = preview.samples.into_iter().map(|sample| RetrySampleAnswer {
        job_id: sample.job_id,
        receipt_id: sample.receipt.map(|receipt| receipt.to_string()),
        queue: sample.queue,
        kind: sample.kind,
        error_class: sample.error_class,
        last_error: sample.last_error,
    });
    RetryPreviewAnswer {
        dry_run: true,
        total: preview.total,
        groups: groups.collect(),
        samples: samples.collect(),
        rate: rate.per_second(),
        minutes: rate.minutes(preview.total),
    }
}
