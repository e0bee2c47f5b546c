//! How the queues stood over the last hours.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Query, payload::Json};
use vouch_common::{operations::sample_queues, store::queue_samples::QueuePoint};

use super::answers::ReadProblem;
use crate::{error::Fault, extract::api_key::AttemptsReader, state::AppState};

/// Hours that are shown without a wish.
const HOURS_USUAL: i32 = 6;
/// Hours that are kept.
const HOURS_MAX: i32 = 48;

/// What the queues did over time.
pub struct Numbers;

/// The last hours of the queues.
#[derive(Object)]
struct QueueHistoryAnswer {
    /// Oldest first; at most 300 a queue, in which sums stay sums and peaks stay peaks.
    items: Vec<QueueHistoryPoint>,
    /// Always null: they stand on one page.
    next_cursor: Option<String>,
}

/// How a queue stood, and what ended in the time before.
#[derive(Object)]
struct QueueHistoryPoint {
    /// The end of that time (UTC).
    at: DateTime<Utc>,
    /// The queue.
    queue: String,
    /// Tries of jobs that serve an attempt and that ended well.
    done: i64,
    /// Tries of jobs that serve an attempt and that failed.
    failed: i64,
    /// Jobs that are not dead; the most in that time.
    waiting: i64,
    /// Dead jobs; the most in that time.
    dead: i64,
    /// For how long the oldest due job had been due; the longest in that time.
    oldest_due_seconds: f64,
    /// Mean time from due to claimed; null: nothing ended.
    wait_seconds: Option<f64>,
    /// Mean time from claimed to ended; null: nothing ended.
    run_seconds: Option<f64>,
}

impl From<QueuePoint> for QueueHistoryPoint {
    fn from(point: QueuePoint) -> Self {
        Self {
            at: point.at,
            queue: point.queue,
            done: point.done,
            failed: point.failed,
            waiting: point.waiting,
            dead: point.dead,
            oldest_due_seconds: point.oldest_due_seconds,
            wait_seconds: point.wait_seconds,
            run_seconds: point.run_seconds,
        }
    }
}

#[OpenApi]
impl Numbers {
    /// How the queues stood over the last hours
    #[oai(path = "/queues/history", method = "get", tag = "super::answers::Tags::Operators")]
    async fn history(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// How far back, in hours: 1 to 48, 6 without it.
        hours: Query<Option<String>>,
    ) -> Result<Json<QueueHistoryAnswer>, ReadProblem> {
        let hours = parse_hours(hours.0.as_deref())?;
        let points = sample_queues::history(state.db(), hours).await.map_err(Fault::from)?;
        Ok(Json(QueueHistoryAnswer { items: points.into_iter().map(QueueHistoryPoint::from).collect(), next_cursor: None }))
    }
}

fn parse_hours(text: Option<&str>) -> Result<i32, Fault> {
    let Some(text) = text else { return Ok(HOURS_USUAL) };
    let hours = text.parse().ok().filter(|hours| (1..=HOURS_MAX).contains(hours));
    hours.ok_or_else(|| Fault::bad_request(format!("`hours` must be a whole number from 1 to {HOURS_MAX}.")))
}
