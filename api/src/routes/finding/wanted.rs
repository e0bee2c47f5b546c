//! What a search asks for. What makes no sense is 400, and the text says what would.

use chrono::TimeDelta;
use vouch_common::{
    domain::{
        attempt::Status,
        effect::{Effect, Queue},
        ids::ReceiptId,
        job::JobState,
        operator::ACTIONS,
        page::{Key, LIMIT_DEFAULT, LIMIT_MAX, Page},
    },
    store::job_search::GroupFilter,
};

use crate::error::Fault;

/// Longest age that is looked for.
const AGE_MAX: TimeDelta = TimeDelta::days(36_500);

/// Which page is wanted.
pub(crate) fn page(cursor: Option<&str>, limit: Option<i64>) -> Result<Page, Fault> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Fault::bad_request(format!("limit must be 1 to {LIMIT_MAX}.")));
    }
    let broken = || Fault::bad_request("cursor can't be read: take `next_cursor` of the page before, or leave it out.");
    let after = cursor.map(|cursor| Key::parse(cursor).ok_or_else(broken)).transpose()?;
    Ok(Page { after, limit })
}

/// States of attempts, with commas between.
pub(crate) fn statuses(text: Option<&str>) -> Result<Vec<Status>, Fault> {
    let names = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let parse = |name| Status::parse(name).ok_or_else(|| unknown("status", name, &Status::ALL.map(Status::as_str)));
    names.map(parse).collect()
}

/// A job's state.
pub(crate) fn job_state(name: &str) -> Result<JobState, Fault> {
    JobState::parse(name).ok_or_else(|| unknown("state", name, &JobState::ALL.map(JobState::as_str)))
}

/// A receipt.
pub(crate) fn receipt(text: &str) -> Result<ReceiptId, Fault> {
    let broken = || Fault::bad_request("receipt must be 36 characters, such as 5b1c4f0e-5f0e-4f0e-9f0e-5f0e4f0e9f0e.");
    ReceiptId::parse(text).ok_or_else(broken)
}

/// What a job is and how it failed.
pub(crate) fn group(
    queue: Option<String>,
    kind: Option<String>,
    error_class: Option<String>,
    http_status: Option<u16>,
) -> Result<GroupFilter, Fault> {
    if let Some(name) = queue.as_deref().filter(|name| Queue::parse(name).is_none()) {
        return Err(unknown("queue", name, &Queue::ALL.map(Queue::as_str)));
    }
    if let Some(name) = kind.as_deref().filter(|name| Effect::queue_of(name).is_none()) {
        return Err(unknown("kind", name, &Effect::KINDS));
    }
    Ok(GroupFilter { queue, kind, error_class, error_code: http_status.map(|status| status.to_string()), fingerprint: None })
}

/// How long something has been there.
pub(crate) fn age(text: &str) -> Result<TimeDelta, Fault> {
    let read = humantime::parse_duration(text).ok().and_then(|age| TimeDelta::from_std(age).ok());
    let broken = || Fault::bad_request("older_than must be a length of time, such as 90s, 15m, 2h or 3d.");
    read.filter(|age| *age <= AGE_MAX).ok_or_else(broken)
}

/// What operators do.
pub(crate) fn action(name: &str) -> Result<String, Fault> {
    if ACTIONS.contains(&name) { Ok(name.to_owned()) } else { Err(unknown("action", name, &ACTIONS)) }
}

fn unknown(field: &str, name: &str, known: &[&str]) -> Fault {
    let name: String = name.chars().take(50).collect();
    Fault::bad_request(format!("{field} `{name}` is not known. Known are: {}.", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_with_commas_between() {
        assert_eq!(statuses(Some("created, ready")).unwrap(), [Status::Created, Status::Ready]);
        assert_eq!(statuses(None).unwrap(), []);
        let said = statuses(Some("created,lost")).unwrap_err().to_string();
        assert_eq!(said, "status `lost` is not known. Known are: created, ready, submitted, must_retry, approved, denied.");
    }

    #[test]
    fn a_page_has_bounds() {
        assert_eq!(page(None, None).unwrap(), Page { after: None, limit: LIMIT_DEFAULT });
        for limit in [-1, 0, 201] {
            assert!(page(None, Some(limit)).is_err());
        }
        assert!(page(Some("x"), None).is_err());
    }

    #[test]
    fn an_age_is_a_length_of_time() {
        assert_eq!(age("90s").unwrap(), TimeDelta::seconds(90));
        for broken in ["", "1", "-1h", "yesterday", "99999999999d"] {
            assert!(age(broken).is_err(), "{broken}");
        }
    }
}
