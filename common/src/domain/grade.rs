//! What a grade does to the requirement of a least grade. Source: reference 8.3, the grade signal.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::credit::RequirementStatus;

/// The namespace and the name of the requirement of a least grade.
pub const GRADE: &str = "grade";

/// A grade as the platform reports it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grade {
    /// The share of all points, 0 to 1.
    pub percent: f64,
    /// From when on it comes too late (UTC); `None`: never.
    pub deadline: Option<DateTime<Utc>>,
}

/// The least grade that a requirement's criteria ask for, 0 to 1; `None` when they ask for none.
#[must_use]
pub fn minimum(criteria: &Value) -> Option<f64> {
    criteria.get("min_grade").and_then(Value::as_f64)
}

/// The status and its reason that a grade brings; `None` while it is too low and not too late.
#[must_use]
pub fn rule(grade: Grade, minimum: f64, now: DateTime<Utc>) -> Option<(RequirementStatus, Value)> {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let too_late = grade.deadline.filter(|&deadline| now >= deadline);
    match (grade.percent >= minimum, too_late) {
        (true, None) => Some((RequirementStatus::Satisfied, json!({ "final_grade": grade.percent }))),
        (true, Some(deadline)) => {
            Some((RequirementStatus::Failed, json!({ "current_date": text(now), "deadline": text(deadline) })))
        }
        (false, Some(_)) => Some((RequirementStatus::Failed, json!({ "final_grade": grade.percent, "minimum_grade": minimum }))),
        (false, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grade_counts_before_the_deadline_and_fails_from_it_on() {
        let now = DateTime::from_timestamp(1_464_782_400, 0).expect("a moment");
        let told = |percent, deadline| rule(Grade { percent, deadline }, 0.5, now);
        let status = |percent, deadline| told(percent, deadline).map(|(status, _)| status);
        let later = Some(now + chrono::TimeDelta::seconds(1));
        assert_eq!(told(0.5, None), Some((RequirementStatus::Satisfied, json!({ "final_grade": 0.5 }))));
        assert_eq!(status(0.7, later), Some(RequirementStatus::Satisfied));
        assert_eq!(status(0.22, later), None, "there is time");
        assert_eq!(told(0.7, Some(now)).map(|(_, reason)| reason["deadline"].clone()), Some(json!("2016-06-01T12:00:00Z")));
        assert_eq!(
            told(0.22, Some(now)),
            Some((RequirementStatus::Failed, json!({ "final_grade": 0.22, "minimum_grade": 0.5 })))
        );
    }

    #[test]
    fn criteria_without_a_number_ask_for_no_grade() {
        assert_eq!(minimum(&json!({ "min_grade": 0.8 })), Some(0.8));
        assert_eq!(minimum(&json!({ "min_grade": "0.8" })), None);
        assert_eq!(minimum(&json!([])), None);
    }
}
