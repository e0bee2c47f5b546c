//! Course modes: which track of a course a learner buys, and what it asks of them. Source: reference 1.7, 4.3.

use chrono::{DateTime, Utc};

use super::course::CourseMode;

/// The mode in which learners are verified by photo.
pub const VERIFIED: &str = "verified";
/// The paid mode that is verified by photo and has no free sibling.
pub const PROFESSIONAL: &str = "professional";
/// The paid mode that asks for no ID.
pub const NO_ID_PROFESSIONAL: &str = "no-id-professional";
/// The mode in which credit is bought after a course; it is never sold by these pages.
pub const CREDIT: &str = "credit";

impl CourseMode {
    /// Whether learners in it are verified by photo.
    #[must_use]
    pub fn asks_for_verification(&self) -> bool {
        asks_for_verification(&self.slug)
    }

    /// Whether it can be bought by these pages.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        self.min_price > 0 && self.slug != CREDIT
    }

    /// Whether its upgrade deadline has passed; the deadline itself still counts.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|at| at < now)
    }
}

/// Whether learners in a mode of that slug are verified by photo.
#[must_use]
pub fn asks_for_verification(slug: &str) -> bool {
    slug == VERIFIED || slug == PROFESSIONAL
}

/// The paid mode that a learner sees: the first that can still be bought, else the first that could.
///
/// `modes` are the course's, in its order. Source: reference 4.3.
#[must_use]
pub fn relevant(modes: &[CourseMode], now: DateTime<Utc>) -> Option<&CourseMode> {
    let paid = || modes.iter().filter(|mode| mode.is_paid());
    paid().find(|mode| !mode.is_expired(now)).or_else(|| paid().next())
}

/// Whether an enrolment in the mode `slug` was paid for: the course sells that mode, expired or not.
#[must_use]
pub fn is_paid_slug(modes: &[CourseMode], slug: &str) -> bool {
    modes.iter().any(|mode| mode.slug == slug && mode.is_paid())
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// A mode of that slug and price without an end.
    pub(crate) fn mode(slug: &str, min_price: i64) -> CourseMode {
        CourseMode {
            slug: slug.to_owned(),
            display_name: slug.to_owned(),
            min_price,
            currency: "usd".to_owned(),
            sku: None,
            expires_at: None,
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn slug(modes: &[CourseMode]) -> Option<&str> {
        relevant(modes, now()).map(|mode| mode.slug.as_str())
    }

    #[test]
    fn the_first_paid_mode_that_can_still_be_bought_is_the_relevant_one() {
        let expired = CourseMode { expires_at: Some(now() - TimeDelta::seconds(1)), ..mode("verified", 12) };
        let ends_now = CourseMode { expires_at: Some(now()), ..mode("verified", 12) };
        assert_eq!(slug(&[mode("audit", 0), mode("verified", 12), mode("professional", 5)]), Some("verified"));
        assert_eq!(slug(&[expired.clone(), mode("professional", 5)]), Some("professional"));
        assert_eq!(slug(&[ends_now, mode("professional", 5)]), Some("verified"), "its last moment counts");
        assert_eq!(slug(&[mode("audit", 0), expired]), Some("verified"), "better an expired one than none");
        assert_eq!(slug(&[mode("honor", 5)]), Some("honor"), "honor with a price is sold");
    }

    #[test]
    fn free_modes_and_credit_are_never_sold_here() {
        assert_eq!(slug(&[]), None);
        assert_eq!(slug(&[mode("audit", 0), mode("honor", 0), mode("credit", 100)]), None);
        assert!(!is_paid_slug(&[mode("credit", 100)], "credit"));
        assert!(!is_paid_slug(&[], "verified"));
    }
}
