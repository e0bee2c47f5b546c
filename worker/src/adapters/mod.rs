//! The far sides that only jobs speak to. Each: the client, its errors and what they mean for a job.

pub mod analytics;
pub mod mail;
pub mod vendor;

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Reads `Retry-After`: seconds, or a date. `None` when it is absent or makes no sense.
#[must_use]
pub fn retry_after(value: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse::<i64>() {
        return Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    }
    let date = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
    Some((date - now).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nonsense_is_no_wish() {
        let now = DateTime::from_timestamp(1_464_782_400, 0).expect("a time");
        let seconds = |value| retry_after(Some(value), now).map(|wait| wait.as_secs());
        assert_eq!(seconds("30"), Some(30));
        assert_eq!(seconds("999999"), Some(999_999));
        assert_eq!(seconds("-1"), Some(0));
        assert_eq!(seconds("Wed, 01 Jun 2016 12:01:00 GMT"), Some(60));
        assert_eq!(seconds("Wed, 01 Jun 2016 11:00:00 GMT"), Some(0));
        for nonsense in ["", "soon", "1e3", "30 seconds"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(None, now), None);
    }
}
