//! Courses: what the learning platform says of them, and how a browser gets to a checkpoint.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    embargo::CountryRules,
    keys::{CourseKey, UsageKey},
};

/// Where a reverification block stands in its course.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockPlace {
    /// The chapter, if known.
    pub chapter: Option<String>,
    /// The section in it, if known.
    pub section: Option<String>,
    /// The position in it, such as `2` or `2_1`; the first number counts.
    pub position: Option<String>,
}

/// What the learning platform says of a course. An outer `None` leaves a part as it is; an inner `None`,
/// or an empty list, removes it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CourseUpdate {
    /// The course's name; needed when the course is new.
    pub display_name: Option<String>,
    /// When it starts (UTC).
    pub starts_at: Option<Option<DateTime<Utc>>>,
    /// When it ends (UTC).
    pub ends_at: Option<Option<DateTime<Utc>>>,
    /// Last moment at which learners may verify (UTC).
    pub verification_deadline: Option<Option<DateTime<Utc>>>,
    /// Its tracks.
    pub modes: Option<Vec<CourseMode>>,
    /// Its checkpoints.
    pub reverification_blocks: Option<Vec<ReverificationBlock>>,
    /// Its way to credit.
    pub credit: Option<Option<CreditUpdate>>,
    /// Where it may not be taken.
    pub embargo: Option<Option<EmbargoUpdate>>,
}

/// A track of a course. Source: reference 1.7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseMode {
    /// `audit`, `honor`, `verified`, `professional`, `no-id-professional` or `credit`.
    pub slug: String,
    /// What learners read.
    pub display_name: String,
    /// Price in whole units of the currency.
    pub min_price: i64,
    /// ISO code, lower case.
    pub currency: String,
    /// The shop's product.
    pub sku: Option<String>,
    /// The upgrade deadline (UTC).
    pub expires_at: Option<DateTime<Utc>>,
}

/// A block in which learners re-verify. Source: reference, appendix B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverificationBlock {
    /// Where it is.
    pub usage: UsageKey,
    /// The assessment that it guards.
    pub related_assessment: String,
    /// How many attempts it allows; 0 allows one.
    pub attempts: i32,
    /// When it closes (UTC).
    pub due: Option<DateTime<Utc>>,
    /// Its place in the courseware.
    pub place: BlockPlace,
}

/// A course's way to credit.
#[derive(Debug, Clone, PartialEq)]
pub struct CreditUpdate {
    /// Whether credit can be earned; `None` leaves it as it is.
    pub is_enabled: Option<bool>,
    /// What it takes, in order; `None` leaves the list as it is.
    pub requirements: Option<Vec<CreditRequirement>>,
    /// Who gives it, in order; `None` leaves the list as it is.
    pub providers: Option<Vec<CreditProvider>>,
}

/// One requirement for credit. Source: reference 8.1.
#[derive(Debug, Clone, PartialEq)]
pub struct CreditRequirement {
    /// Its namespace, such as `reverification`.
    pub namespace: String,
    /// Its name in the namespace; for a checkpoint, the usage key.
    pub name: String,
    /// What learners read.
    pub display_name: String,
    /// What it takes.
    pub criteria: serde_json::Value,
}

/// Who gives credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditProvider {
    /// The provider's id.
    pub id: String,
    /// What learners read.
    pub display_name: String,
}

/// What is told of a course's country rules; `None` leaves a part as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbargoUpdate {
    /// Whether the rules hold at all.
    pub is_restricted: bool,
    /// Which message a blocked learner sees.
    pub message_key: Option<String>,
    /// Only these countries, unless empty; ISO codes in capitals.
    pub whitelist: Option<Vec<String>>,
    /// Not these countries.
    pub blacklist: Option<Vec<String>>,
}

/// The message of a course of which no other was told.
const DEFAULT_MESSAGE: &str = "default";

impl EmbargoUpdate {
    /// The rules after this was told, if any hold then.
    ///
    /// # Errors
    ///
    /// [`CourseFault::CountryInBothLists`].
    pub fn after(&self, before: Option<CountryRules>) -> Result<Option<CountryRules>, CourseFault> {
        if !self.is_restricted {
            return Ok(None);
        }
        let before =
            before.unwrap_or_else(|| CountryRules { message_key: DEFAULT_MESSAGE.to_owned(), ..CountryRules::default() });
        let after = CountryRules {
            message_key: self.message_key.clone().unwrap_or(before.message_key),
            whitelist: self.whitelist.clone().unwrap_or(before.whitelist),
            blacklist: self.blacklist.clone().unwrap_or(before.blacklist),
        };
        match after.whitelist.iter().find(|country| after.blacklist.contains(country)) {
            Some(country) => Err(CourseFault::CountryInBothLists(country.clone())),
            None => Ok(Some(after)),
        }
    }
}

/// Why what a platform says of a course is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourseFault {
    /// A country stands in both lists of an embargo.
    #[error("{0} stands in both the whitelist and the blacklist")]
    CountryInBothLists(String),
    /// A new course has no name.
    #[error("a new course needs a display_name")]
    NameMissing,
    /// A paid track is free. Source: reference 1.7.
    #[error("Verified modes cannot be free.")]
    FreeVerifiedMode,
    /// A professional track has an upgrade deadline. Source: reference 1.7.
    #[error("Professional education modes are not allowed to have expiration_datetime set.")]
    ExpiringProfessionalMode,
    /// Learners could upgrade and then not verify any more. Source: reference 1.9.
    #[error("Verification deadline must be after the course mode upgrade deadlines.")]
    DeadlineBeforeUpgrades,
    /// A course without credit demands something for it. Source: reference 8.3 (InvalidCreditCourse).
    #[error("credit is not enabled for this course, so it can't have requirements")]
    RequirementsWithoutCredit,
    /// The same thing stands twice in a list.
    #[error("{0} stands twice in the list")]
    Twice(String),
    /// A required text is empty.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// A number that must not be negative is.
    #[error("{0} must not be negative")]
    Negative(&'static str),
}

impl CourseUpdate {
    /// Checks what can be checked without knowing the course.
    ///
    /// # Errors
    ///
    /// The first [`CourseFault`]; tell it to the caller and change nothing.
    pub fn check(&self) -> Result<(), CourseFault> {
        for mode in self.modes.iter().flatten() {
            check_mode(mode)?;
        }
        once(self.modes.iter().flatten().map(|mode| mode.slug.as_str()))?;
        let blocks = || self.reverification_blocks.iter().flatten();
        if blocks().any(|block| block.attempts < 0) {
            return Err(CourseFault::Negative("attempts"));
        }
        once(blocks().map(|block| block.usage.as_str()))?;
        let Some(Some(credit)) = &self.credit else { return Ok(()) };
        for requirement in credit.requirements.iter().flatten() {
            let texts =
                [("namespace", &requirement.namespace), ("name", &requirement.name), ("display_name", &requirement.display_name)];
            if let Some((field, _)) = texts.into_iter().find(|(_, text)| text.is_empty()) {
                return Err(CourseFault::Empty(field));
            }
        }
        let mut seen = HashSet::new();
        for requirement in credit.requirements.iter().flatten() {
            // The pair, for either may hold a slash.
            if !seen.insert((&requirement.namespace, &requirement.name)) {
                return Err(CourseFault::Twice(format!("{}/{}", requirement.namespace, requirement.name)));
            }
        }
        once(credit.providers.iter().flatten().map(|provider| provider.id.as_str()))
    }
}

fn check_mode(mode: &CourseMode) -> Result<(), CourseFault> {
    if mode.slug.is_empty() {
        return Err(CourseFault::Empty("slug"));
    }
    if mode.min_price < 0 {
        return Err(CourseFault::Negative("min_price"));
    }
    if matches!(mode.slug.as_str(), "verified" | "professional") && mode.min_price == 0 {
        return Err(CourseFault::FreeVerifiedMode);
    }
    if matches!(mode.slug.as_str(), "professional" | "no-id-professional") && mode.expires_at.is_some() {
        return Err(CourseFault::ExpiringProfessionalMode);
    }
    Ok(())
}

fn once<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), CourseFault> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(CourseFault::Twice(name.to_owned()));
        }
    }
    Ok(())
}

const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b':').remove(b'+').remove(b'@');
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A course as a part of a path.
#[must_use]
pub fn path_segment(course: &CourseKey) -> String {
    utf8_percent_encode(course.as_str(), PATH).to_string()
}

/// The path of a checkpoint's page, with no more percent-encoded than a path needs. Source: reference 8.6.
#[must_use]
pub fn reverify_path(course: &CourseKey, usage: &UsageKey) -> String {
    format!("/verify_student/reverify/{}/{}/", path_segment(course), utf8_percent_encode(usage.as_str(), PATH))
}

/// The address of a checkpoint in the courseware. `root` is the deployment's courseware address, without
/// a slash at its end. Source: reference 4.11.
#[must_use]
pub fn courseware_url(root: &str, course: &CourseKey, usage: &UsageKey, place: &BlockPlace) -> String {
    let mut url = format!("{root}/{}/courseware/", path_segment(course));
    let position = place.position.as_deref().map(|text| text.split('_').next().unwrap_or(text));
    for part in [place.chapter.as_deref(), place.section.as_deref(), position] {
        // A missing level shortens the path.
        let Some(part) = part else { break };
        url.push_str(&utf8_percent_encode(part, PATH).to_string());
        url.push('/');
    }
    if position.is_some() && place.section.is_some() && place.chapter.is_some() {
        url.pop();
    }
    url.push_str("?activate_block_id=");
    url.push_str(&utf8_percent_encode(usage.as_str(), QUERY).to_string());
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_checkpoints_page_has_its_keys_as_they_are() {
        let path = |course, usage| {
            let keys = CourseKey::parse(course).zip(UsageKey::parse(usage)).expect("keys");
            reverify_path(&keys.0, &keys.1)
        };
        assert_eq!(
            path("edX/DemoX/Fall", "i4x://edX/DemoX/edx-reverification-block/midterm"),
            "/verify_student/reverify/edX/DemoX/Fall/i4x://edX/DemoX/edx-reverification-block/midterm/"
        );
        assert_eq!(
            path("course-v1:edX+DemoX+100%", "block-v1:a+b+c+type@x+block@\u{fc}"),
            "/verify_student/reverify/course-v1:edX+DemoX+100%25/block-v1:a+b+c+type@x+block@%C3%BC/"
        );
    }

    #[test]
    fn missing_levels_shorten_the_way_to_a_checkpoint() {
        let course = CourseKey::parse("course-v1:edX+DemoX+Fall").expect("a course key");
        let usage = UsageKey::parse("i4x://edX/DemoX/edx-reverification-block/midterm").expect("a usage key");
        let text = |text: &str| Some(text.to_owned());
        let full = BlockPlace { chapter: text("ch1"), section: text("s1"), position: text("3_1") };
        let tail = "?activate_block_id=i4x%3A%2F%2FedX%2FDemoX%2Fedx-reverification-block%2Fmidterm";
        let root = "/courses/course-v1:edX+DemoX+Fall/courseware/";
        let url = |place: &BlockPlace| courseware_url("/courses", &course, &usage, place);
        assert_eq!(url(&full), format!("{root}ch1/s1/3{tail}"));
        assert_eq!(url(&BlockPlace { position: None, ..full.clone() }), format!("{root}ch1/s1/{tail}"));
        assert_eq!(url(&BlockPlace { section: None, ..full }), format!("{root}ch1/{tail}"));
        assert_eq!(url(&BlockPlace::default()), format!("{root}{tail}"));
    }
}
