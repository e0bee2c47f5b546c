//! What operators find and understand: attempts, jobs, groups of failures, and who did what.

mod answers;
mod story;
mod wanted;

pub(crate) use answers::JobAnswer;
pub(crate) use story::{TimelineAnswer, WaitsForAnswer};

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
    payload::Json,
};
use vouch_common::{
    domain::{
        ids::{JobId, UserId},
        page::Paged,
    },
    operations::{
        list_errors, read_audit,
        search_attempts::{self, AttemptFilter},
        search_jobs::{self, JobFilter},
    },
    store::{audit::AuditFilter, job_search::GroupFilter},
};

use super::answers::ReadProblem;
use crate::{
    error::Fault,
    extract::api_key::{AnyKey, AttemptsReader},
    state::AppState,
};
use answers::{AttemptsPage, AuditPage, ErrorsPage, JobDetail, JobsPage, MeAnswer};

/// Finds attempts, jobs, groups of failures and what operators did.
pub struct Finding;

#[OpenApi]
impl Finding {
    /// Whose key this is
    #[oai(path = "/me", method = "get", tag = "super::answers::Tags::Operators")]
    #[expect(clippy::unused_async, reason = "the macro awaits it")]
    async fn me(&self, key: AnyKey) -> Result<Json<MeAnswer>, ReadProblem> {
        Ok(Json(MeAnswer::from(key.0)))
    }

    /// Attempts, newest first
    ///
    /// With `queue`, `kind`, `error_class` or `http_status` those that have such a job still to be done, in the
    /// order of the newest such job of each.
    #[oai(path = "/attempts", method = "get", tag = "super::answers::Tags::Operators")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn attempts(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// One state or several with commas between: `created`, `ready`, `submitted`, `must_retry`, `approved`, `denied`.
        status: Query<Option<String>>,
        /// The learner.
        user_id: Query<Option<i64>>,
        /// The receipt.
        receipt: Query<Option<String>>,
        /// The queue of an open job.
        queue: Query<Option<String>>,
        /// The kind of an open job.
        kind: Query<Option<String>>,
        /// The class of the last failure of an open job.
        error_class: Query<Option<String>>,
        /// The far side's status in the last failure of an open job.
        http_status: Query<Option<u16>>,
        /// The vendor's `MessageType`.
        vendor_code: Query<Option<String>>,
        /// It arrived then or later.
        created_after: Query<Option<DateTime<Utc>>>,
        /// It arrived before.
        created_before: Query<Option<DateTime<Utc>>>,
        /// The vendor accepted it before.
        submitted_before: Query<Option<DateTime<Utc>>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Entries of a page, 1 to 200; 50 when absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<AttemptsPage>, ReadProblem> {
        let page = wanted::page(cursor.0.as_deref(), limit.0)?;
        let job = wanted::group(queue.0, kind.0, error_class.0, http_status.0)?;
        let filter = AttemptFilter {
            statuses: wanted::statuses(status.0.as_deref())?,
            user: user_id.0.map(UserId),
            receipt: receipt.0.as_deref().map(wanted::receipt).transpose()?,
            job,
            vendor_code: vendor_code.0.filter(|code| !code.is_empty()),
            created_after: created_after.0,
            created_before: created_before.0,
            submitted_before: submitted_before.0,
        };
        let found = search_attempts::search(state.db(), &filter, page, state.now()).await.map_err(Fault::from)?;
        Ok(Json(AttemptsPage::from(found)))
    }

    /// Jobs: the newest first; the dead, that died last, first; in any other state, what is due first, first
    #[oai(path = "/jobs", method = "get", tag = "super::answers::Tags::Operators")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn jobs(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// `due`, `dispatched`, `running`, `scheduled` or `dead`.
        #[oai(name = "state")]
        job_state: Query<Option<String>>,
        /// The queue.
        queue: Query<Option<String>>,
        /// The kind.
        kind: Query<Option<String>>,
        /// The class of the last failure.
        error_class: Query<Option<String>>,
        /// The far side's status in the last failure.
        http_status: Query<Option<u16>>,
        /// The group of failures.
        fingerprint: Query<Option<String>>,
        /// The attempt that it serves.
        receipt: Query<Option<String>>,
        /// The learner whose attempt it serves.
        user_id: Query<Option<i64>>,
        /// How long it has been there, such as `1h`; a dead one, how long it has been dead.
        older_than: Query<Option<String>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Entries of a page, 1 to 200; 50 when absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<JobsPage>, ReadProblem> {
        let page = wanted::page(cursor.0.as_deref(), limit.0)?;
        let group = wanted::group(queue.0, kind.0, error_class.0, http_status.0)?;
        let filter = JobFilter {
            state: job_state.0.as_deref().map(wanted::job_state).transpose()?,
            group: GroupFilter { fingerprint: fingerprint.0, ..group },
            receipt: receipt.0.as_deref().map(wanted::receipt).transpose()?,
            user: user_id.0.map(UserId),
            older_than: older_than.0.as_deref().map(wanted::age).transpose()?,
        };
        let found = search_jobs::search(state.db(), &filter, page).await.map_err(Fault::from)?;
        Ok(Json(JobsPage::from(found)))
    }

    /// A job with its causes and tries
    #[oai(path = "/jobs/:id", method = "get", tag = "super::answers::Tags::Operators")]
    async fn job(&self, state: Data<&AppState>, _key: AttemptsReader, id: Path<i64>) -> Result<Json<JobDetail>, ReadProblem> {
        let found = search_jobs::find(state.db(), JobId(id.0)).await.map_err(Fault::from)?;
        let (row, runs) = found.ok_or_else(|| Fault::not_found("There is no job of that number; what is done is gone."))?;
        Ok(Json(JobDetail::new(row, runs)))
    }

    /// Dead jobs that failed alike, most first
    #[oai(path = "/errors", method = "get", tag = "super::answers::Tags::Operators")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn errors(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// The queue.
        queue: Query<Option<String>>,
        /// The kind.
        kind: Query<Option<String>>,
        /// The class.
        error_class: Query<Option<String>>,
        /// The far side's status.
        http_status: Query<Option<u16>>,
        /// Groups, 1 to 200; 50 when absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<ErrorsPage>, ReadProblem> {
        let limit = wanted::page(None, limit.0)?.limit;
        let filter = wanted::group(queue.0, kind.0, error_class.0, http_status.0)?;
        let found = list_errors::list(state.db(), &filter, limit).await.map_err(Fault::from)?;
        Ok(Json(ErrorsPage::from(Paged { items: found, next: None })))
    }

    /// What operators did, newest first
    #[oai(path = "/audit", method = "get", tag = "super::answers::Tags::Operators")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn audit(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        /// What it was done to: a receipt, a job's number, a queue, a vendor, a bulk retry.
        target: Query<Option<String>>,
        /// The name of the key.
        actor: Query<Option<String>>,
        /// What was done, such as `attempt.approve`.
        action: Query<Option<String>>,
        /// Then or later.
        after: Query<Option<DateTime<Utc>>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Entries of a page, 1 to 200; 50 when absent.
        limit: Query<Option<i64>>,
    ) -> Result<Json<AuditPage>, ReadProblem> {
        let page = wanted::page(cursor.0.as_deref(), limit.0)?;
        let action = action.0.as_deref().map(wanted::action).transpose()?;
        let filter = AuditFilter { target: target.0, actor: actor.0, action, after: after.0 };
        let found = read_audit::read(state.db(), &filter, page).await.map_err(Fault::from)?;
        Ok(Json(AuditPage::from(found)))
    }
}
