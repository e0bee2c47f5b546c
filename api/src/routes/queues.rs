//! Queues with their brakes: how they stand, pause, resume, limit; and the breakers of vendors.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::MaybeUndefined};
use vouch_common::{
    domain::{
        effect::Queue,
        operator::{NoReason, Order},
    },
    operations::{
        force_breaker::{self, Outcome},
        limit_queue::{self, BadRate, Rate},
        pause_queue,
        read_brakes::{self, Brakes, QueueView},
        resume_queue,
    },
};

use super::{
    answers::{ActProblem, ReadProblem},
    breakers::{BreakerAnswer, ForceOrder},
};
use crate::{
    error::Fault,
    extract::api_key::{AttemptsReader, Operator},
    state::AppState,
};

/// Queues and breakers.
pub struct Braking;

/// A queue and what stops it.
#[derive(Object)]
struct QueueAnswer {
    /// Its name.
    name: String,
    /// `running`; `paused`: by an operator; `held`: the far side asked for it; `broken`: the breaker is open;
    /// `limited`: by an operator, or by a breaker that recovers.
    state: String,
    /// When an operator paused it (UTC).
    paused_at: Option<DateTime<Utc>>,
    /// The key that paused it.
    paused_by: Option<String>,
    /// Until when the far side wants to be left alone (UTC).
    held_until: Option<DateTime<Utc>>,
    /// Why it is in that state; empty when it runs.
    reason: String,
    /// Jobs a second over all workers.
    limit: Option<f64>,
    /// All jobs that are not dead.
    waiting: i64,
    /// Whether there are too many to be counted, so that the numbers but `dead` are estimates.
    is_waiting_about: bool,
    /// Jobs that may start now, but for brakes.
    due: i64,
    /// Jobs that lie ready for workers.
    dispatched: i64,
    /// Jobs that workers have.
    running: i64,
    /// Jobs whose time has not come.
    scheduled: i64,
    /// Jobs that were given up.
    dead: i64,
    /// For how long the oldest due job has been due.
    oldest_due_seconds: f64,
}

/// Every queue and every breaker.
#[derive(Object)]
struct QueuesAnswer {
    /// The queues, in the order in which a submission meets them.
    items: Vec<QueueAnswer>,
    /// Always null: they stand on one page.
    next_cursor: Option<String>,
    /// The breakers.
    breakers: Vec<BreakerAnswer>,
}

/// Why a queue is paused or resumed.
#[derive(Object)]
struct QueueOrder {
    /// Why; a line of 1 to 500 characters.
    #[oai(default)]
    reason: String,
}

/// A limit, and why.
#[derive(Object)]
struct LimitOrder {
    /// Jobs a second over all workers, above 0 and at most 100,000; `null`: no limit.
    rate: MaybeUndefined<f64>,
    /// Why; a line of 1 to 500 characters.
    #[oai(default)]
    reason: String,
}

#[OpenApi]
impl Braking {
    /// Every queue with its brakes and counts, and every breaker
    #[oai(path = "/queues", method = "get", tag = "super::answers::Tags::Operators")]
    async fn queues(&self, state: Data<&AppState>, _key: AttemptsReader) -> Result<Json<QueuesAnswer>, ReadProblem> {
        let Brakes { queues, breakers } = read_brakes::read(state.db()).await.map_err(Fault::from)?;
        let items = queues.into_iter().map(QueueAnswer::from).collect();
        let breakers = breakers.into_iter().map(BreakerAnswer::from).collect();
        Ok(Json(QueuesAnswer { items, next_cursor: None, breakers }))
    }

    /// Pause a queue: nothing of it starts anywhere until it is resumed
    #[oai(path = "/queues/:name/pause", method = "post", tag = "super::answers::Tags::Operators")]
    async fn pause(
        &self,
        state: Data<&AppState>,
        key: Operator,
        name: Path<String>,
        order: Json<QueueOrder>,
    ) -> Result<Json<QueueAnswer>, ActProblem> {
        let (queue, order) = (queue(&name.0)?, why(&key, &order.reason)?);
        pause_queue::pause(state.db(), queue, &order, state.now()).await.map_err(Fault::from)?;
        Ok(Json(show(&state, queue).await?))
    }

    /// Resume a queue
    #[oai(path = "/queues/:name/resume", method = "post", tag = "super::answers::Tags::Operators")]
    async fn resume(
        &self,
        state: Data<&AppState>,
        key: Operator,
        name: Path<String>,
        order: Json<QueueOrder>,
    ) -> Result<Json<QueueAnswer>, ActProblem> {
        let (queue, order) = (queue(&name.0)?, why(&key, &order.reason)?);
        resume_queue::resume(state.db(), queue, &order, state.now()).await.map_err(Fault::from)?;
        state.wake();
        Ok(Json(show(&state, queue).await?))
    }

    /// Limit how many jobs of a queue start in a second, or lift the limit
    #[oai(path = "/queues/:name/limit", method = "put", tag = "super::answers::Tags::Operators")]
    async fn limit(
        &self,
        state: Data<&AppState>,
        key: Operator,
        name: Path<String>,
        order: Json<LimitOrder>,
    ) -> Result<Json<QueueAnswer>, ActProblem> {
        let (queue, why) = (queue(&name.0)?, why(&key, &order.reason)?);
        let rate = match order.rate {
            MaybeUndefined::Undefined => Err(BadRate),
            MaybeUndefined::Null => Ok(None),
            MaybeUndefined::Value(rate) => Rate::new(rate).map(Some),
        };
        let rate = rate.map_err(|error| Fault::bad_request(error.to_string()))?;
        limit_queue::limit(state.db(), queue, rate, &why, state.now()).await.map_err(Fault::from)?;
        state.wake();
        Ok(Json(show(&state, queue).await?))
    }

    /// Force a vendor's breaker open or closed, or let it measure again
    #[oai(path = "/breakers/:vendor", method = "put", tag = "super::answers::Tags::Operators")]
    async fn force(
        &self,
        state: Data<&AppState>,
        key: Operator,
        vendor: Path<String>,
        order: Json<ForceOrder>,
    ) -> Result<Json<BreakerAnswer>, ActProblem> {
        let (forced, why) = (order.forced()?, why(&key, &order.reason)?);
        let outcome = force_breaker::force(state.db(), &vendor.0, forced, &why, state.now()).await.map_err(Fault::from)?;
        state.wake();
        let breakers = read_brakes::read(state.db()).await.map_err(Fault::from)?.breakers;
        let known: Vec<&str> = breakers.iter().map(|named| named.vendor.as_str()).collect();
        let unknown = format!("There is no breaker of that name. Known: {}.", known.join(", "));
        let found = breakers.into_iter().find(|named| outcome != Outcome::Unknown && named.vendor == vendor.0);
        Ok(Json(found.ok_or_else(|| Fault::not_found(unknown))?.into()))
    }
}

fn queue(name: &str) -> Result<Queue, Fault> {
    Queue::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Queue::ALL.iter().map(|queue| queue.as_str()).collect();
        Fault::not_found(format!("There is no queue of that name. Known: {}.", known.join(", ")))
    })
}

fn why(key: &Operator, reason: &str) -> Result<Order, Fault> {
    Order::new(key.0.name.clone(), reason).map_err(|error: NoReason| Fault::bad_request(error.to_string()))
}

async fn show(state: &AppState, queue: Queue) -> Result<QueueAnswer, Fault> {
    let queues = read_brakes::read(state.db()).await?.queues;
    queues.into_iter().find(|view| view.depth.queue == queue).map(QueueAnswer::from).ok_or(Fault::Internal)
}

impl From<QueueView> for QueueAnswer {
    fn from(view: QueueView) -> Self {
        let (depth, control) = (view.depth, view.control);
        Self {
            name: depth.queue.as_str().to_owned(),
            state: view.state.as_str().to_owned(),
            paused_at: control.paused_at,
            paused_by: control.paused_by,
            held_until: control.held_until,
            reason: view.reason,
            limit: control.rate_limit,
            waiting: depth.waiting,
            is_waiting_about: depth.is_about,
            due: depth.due,
            dispatched: depth.dispatched,
            running: depth.running,
            scheduled: depth.scheduled,
            dead: depth.dead,
            oldest_due_seconds: depth.oldest_due_seconds,
        }
    }
}
