//! Which failures a bulk retry sets going again, and how fast.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::effect::{Effect, Queue};

/// Items a second, unless the operator says otherwise.
pub const RATE_DEFAULT: i32 = 50;
/// Most items a second.
pub const RATE_MAX: i32 = 10_000;
/// Most items of one transaction.
const CHUNK_MAX: i32 = 1000;
/// Most receipts or job numbers in a filter.
const LIST_MAX: usize = 10_000;
/// Longest text in a filter, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// States of an attempt in which a retry makes sense.
const STATUSES: [&str; 4] = ["created", "ready", "must_retry", "submitted"];

/// A filter as an operator gives it; every field that is there must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetryFilter {
    /// `dead`: all dead jobs.
    pub state: Option<String>,
    /// The job's queue.
    pub queue: Option<String>,
    /// The job's kind.
    pub kind: Option<String>,
    /// The class of its last failure.
    pub error_class: Option<String>,
    /// What the far side answered last.
    pub http_status: Option<u16>,
    /// The group of its last failure.
    pub fingerprint: Option<String>,
    /// These jobs.
    pub job_ids: Option<Vec<i64>>,
    /// The job died then or later (UTC).
    pub failed_after: Option<DateTime<Utc>>,
    /// The job died then or earlier (UTC).
    pub failed_before: Option<DateTime<Utc>>,
    /// The attempt's state.
    pub status: Option<String>,
    /// The vendor's code on the attempt.
    pub vendor_code: Option<String>,
    /// The learner.
    pub user_id: Option<i64>,
    /// These attempts.
    pub receipts: Option<Vec<Uuid>>,
    /// The job or attempt was created then or later (UTC).
    pub created_after: Option<DateTime<Utc>>,
    /// The job or attempt was created then or earlier (UTC).
    pub created_before: Option<DateTime<Utc>>,
    /// The vendor accepted the attempt then or later (UTC).
    pub submitted_after: Option<DateTime<Utc>>,
    /// The vendor accepted the attempt then or earlier (UTC).
    pub submitted_before: Option<DateTime<Utc>>,
}

/// What a filter speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Dead jobs.
    DeadJobs,
    /// Attempts that are not finished.
    Attempts,
}

/// A filter that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// It is no JSON object.
    #[error("filter must be an object. Nothing was changed.")]
    NoObject,
    /// It has no field.
    #[error("The filter is empty. Say {{\"state\":\"dead\"}} for all dead jobs. Nothing was changed.")]
    Empty,
    /// A field is not known.
    #[error("filter.{0} is not known. Known: {known}. Nothing was changed.", known = FIELDS.join(", "))]
    UnknownField(String),
    /// A field holds what makes no sense.
    #[error("filter.{field} must be {wanted}. Nothing was changed.")]
    Value {
        /// The field.
        field: &'static str,
        /// What it must be.
        wanted: String,
    },
}

/// Every field, in the order of the documentation.
const FIELDS: [&str; 17] = [
    "state",
    "queue",
    "kind",
    "error_class",
    "http_status",
    "fingerprint",
    "vendor_code",
    "status",
    "user_id",
    "receipts",
    "job_ids",
    "created_after",
    "created_before",
    "failed_after",
    "failed_before",
    "submitted_after",
    "submitted_before",
];

impl RetryFilter {
    /// Reads a filter. A field that is null counts as absent.
    ///
    /// # Errors
    ///
    /// [`BadFilter`], which says what to write instead.
    pub fn parse(value: &Value) -> Result<Self, BadFilter> {
        let given = value.as_object().ok_or(BadFilter::NoObject)?;
        let mut filter = Self::default();
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            let field = FIELDS.into_iter().find(|field| field == name);
            let field = Field { name: field.ok_or_else(|| BadFilter::UnknownField(name.clone()))?, value };
            match field.name {
                "state" => filter.state = Some(field.one_of(&["dead"])?),
                "queue" => filter.queue = Some(field.one_of(&Queue::ALL.map(Queue::as_str))?),
                "kind" => filter.kind = Some(field.one_of(&Effect::KINDS)?),
                "error_class" => filter.error_class = Some(field.text()?),
                "http_status" => filter.http_status = Some(field.http_status()?),
                "fingerprint" => filter.fingerprint = Some(field.text()?),
                "vendor_code" => filter.vendor_code = Some(field.text()?),
                "status" => filter.status = Some(field.one_of(&STATUSES)?),
                "user_id" => filter.user_id = Some(field.read("a number")?),
                "receipts" => filter.receipts = Some(field.list("receipts")?),
                "job_ids" => filter.job_ids = Some(field.list("job numbers")?),
                "created_after" => filter.created_after = Some(field.time()?),
                "created_before" => filter.created_before = Some(field.time()?),
                "failed_after" => filter.failed_after = Some(field.time()?),
                "failed_before" => filter.failed_before = Some(field.time()?),
                "submitted_after" => filter.submitted_after = Some(field.time()?),
                _ => filter.submitted_before = Some(field.time()?),
            }
        }
        if filter == Self::default() { Err(BadFilter::Empty) } else { Ok(filter) }
    }

    /// What it speaks of: attempts when it names a status and nothing that only jobs have.
    #[must_use]
    pub fn target(&self) -> Target {
        let has_job_field =
            [&self.state, &self.queue, &self.kind, &self.error_class, &self.fingerprint].into_iter().any(Option::is_some)
                || self.http_status.is_some()
                || self.job_ids.is_some()
                || self.failed_after.is_some()
                || self.failed_before.is_some();
        if self.status.is_some() && !has_job_field { Target::Attempts } else { Target::DeadJobs }
    }

    /// The filter in one spelling, without what is absent: filters that mean the same are the same.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = whole.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        whole
    }

    /// The HTTP status as jobs keep it.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        self.http_status.map(|status| status.to_string())
    }
}

/// A field of a filter that is being read.
struct Field<'a> {
    name: &'static str,
    value: &'a Value,
}

impl Field<'_> {
    fn bad(&self, wanted: impl Into<String>) -> BadFilter {
        BadFilter::Value { field: self.name, wanted: wanted.into() }
    }

    fn read<T: DeserializeOwned>(&self, wanted: &str) -> Result<T, BadFilter> {
        T::deserialize(self.value).map_err(|_| self.bad(wanted))
    }

    fn text(&self) -> Result<String, BadFilter> {
        let wanted = format!("a text of 1 to {TEXT_CHARS_MAX} characters");
        let text: String = self.read(&wanted)?;
        let is_sound = !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.contains(char::is_control);
        if is_sound { Ok(text) } else { Err(self.bad(wanted)) }
    }

    fn one_of(&self, known: &[&str]) -> Result<String, BadFilter> {
        let found = self.value.as_str().filter(|text| known.contains(text));
        found.map(str::to_owned).ok_or_else(|| self.bad(format!("one of {}", known.join(", "))))
    }

    fn http_status(&self) -> Result<u16, BadFilter> {
        let number = self.value.as_u64().or_else(|| self.value.as_str().and_then(|text| text.parse().ok()));
        let status = number.and_then(|number| u16::try_from(number).ok()).filter(|status| (100..600).contains(status));
        status.ok_or_else(|| self.bad("a number from 100 to 599"))
    }

    fn time(&self) -> Result<DateTime<Utc>, BadFilter> {
        self.read("a time, such as 2026-11-25T03:00:00Z")
    }

    fn list<T: DeserializeOwned + Ord>(&self, of: &str) -> Result<Vec<T>, BadFilter> {
        let wanted = format!("a list of 1 to {LIST_MAX} {of}");
        let mut items: Vec<T> = self.read(&wanted)?;
        items.sort_unstable();
        items.dedup();
        if (1..=LIST_MAX).contains(&items.len()) { Ok(items) } else { Err(self.bad(wanted)) }
    }
}

/// A rate that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rate must be a whole number from 1 to {RATE_MAX}: items a second. Nothing was changed.")]
pub struct BadRate;

/// Items a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(i32);

impl Rate {
    /// A rate, if it is one.
    ///
    /// # Errors
    ///
    /// [`BadRate`] when it is none or too high.
    pub fn new(rate: i64) -> Result<Self, BadRate> {
        i32::try_from(rate).ok().filter(|rate| (1..=RATE_MAX).contains(rate)).map(Self).ok_or(BadRate)
    }

    /// Items a second.
    #[must_use]
    pub const fn per_second(self) -> i32 {
        self.0
    }

    /// How many items one run takes.
    #[must_use]
    pub fn chunk(self) -> i32 {
        self.0.min(CHUNK_MAX)
    }

    /// How long after one run the next is due: as long as its items take at the rate.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(f64::from(self.chunk()) / f64::from(self.0))
    }

    /// Minutes that so many items take, rounded up to a tenth.
    #[must_use]
    pub fn minutes(self, items: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 jobs")]
        let minutes = items as f64 / f64::from(self.0) / 60.0;
        (minutes * 10.0).ceil() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_comes_back_in_one_spelling() {
        let given = json!({ "job_ids": [5, 1, 5], "http_status": "503", "queue": "vendor", "kind": null });
        let filter = RetryFilter::parse(&given).unwrap();
        assert_eq!(filter.to_json(), json!({ "job_ids": [1, 5], "http_status": 503, "queue": "vendor" }));
        assert_eq!(RetryFilter::parse(&filter.to_json()), Ok(filter));
    }

    #[test]
    fn every_field_is_read_into_its_own_place() {
        let receipt = Uuid::from_u128(7);
        let mut whole = json!({
            "state": "dead", "queue": "mail", "kind": "send_email", "error_class": "smtp", "http_status": 450, "fingerprint": "ab",
            "vendor_code": "x", "status": "created", "user_id": 5, "receipts": [receipt], "job_ids": [1]
        });
        for (name, hour) in FIELDS[11..].iter().zip(0..) {
            whole[name] = json!(format!("2026-11-25T0{hour}:00:00Z"));
        }
        assert_eq!(whole.as_object().unwrap().len(), FIELDS.len());
        assert_eq!(RetryFilter::parse(&whole).unwrap().to_json(), whole);
    }

    #[test]
    fn a_filter_that_says_nothing_or_nonsense_is_refused_with_what_to_write() {
        let refused = |value: Value| RetryFilter::parse(&value).unwrap_err().to_string();
        assert!(refused(json!({})).contains(r#"{"state":"dead"}"#));
        assert!(refused(json!({ "queue": null })).contains(r#"{"state":"dead"}"#));
        assert!(refused(json!([])).contains("an object"));
        assert!(refused(json!({ "colour": "red" })).contains("filter.colour is not known. Known: state, queue,"));
        assert!(refused(json!({ "queue": "post" })).contains("one of photos, vendor,"));
        assert!(refused(json!({ "status": "approved" })).contains("one of created, ready, must_retry, submitted"));
        for bad in
            [json!({ "http_status": 42 }), json!({ "http_status": "x" }), json!({ "user_id": "5" }), json!({ "receipts": [] })]
        {
            assert!(refused(bad.clone()).contains(" must be "), "{bad}");
        }
        for bad in [json!({ "created_after": "today" }), json!({ "error_class": "" }), json!({ "job_ids": ["1"] })] {
            assert!(refused(bad.clone()).contains(" must be "), "{bad}");
        }
    }

    #[test]
    fn a_status_alone_speaks_of_attempts_and_with_a_field_of_jobs_of_dead_jobs() {
        let target = |value: Value| RetryFilter::parse(&value).unwrap().target();
        assert_eq!(target(json!({ "status": "must_retry", "user_id": 5 })), Target::Attempts);
        assert_eq!(target(json!({ "status": "must_retry", "queue": "vendor" })), Target::DeadJobs);
        assert_eq!(target(json!({ "user_id": 5 })), Target::DeadJobs);
    }

    #[test]
    fn a_chunk_is_a_second_of_work_or_a_thousand_items() {
        assert_eq!(Rate::new(0), Err(BadRate));
        assert_eq!(Rate::new(10_001), Err(BadRate));
        for (rate, chunk, interval) in [(1, 1, 1000), (50, 50, 1000), (1000, 1000, 1000), (10_000, 1000, 100)] {
            let rate = Rate::new(rate).unwrap();
            assert_eq!((rate.chunk(), rate.interval()), (chunk, Duration::from_millis(interval)));
        }
        assert!((Rate::new(50).unwrap().minutes(40_000) - 13.4).abs() < 1e-9);
        assert!(Rate::new(50).unwrap().minutes(0).abs() < 1e-9);
    }
}
