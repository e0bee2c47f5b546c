//! Names of courses and of places in them, as the learning platform spells them.

use std::fmt;

/// Longest course or usage key, in characters. Source: reference 1.2.
pub const KEY_LENGTH_MAX: usize = 255;

/// A course: `Org/Course/Run` or `course-v1:Org+Course+Run`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CourseKey(String);

impl CourseKey {
    /// Reads a course key; `None` when the text is none. Source: reference 0.3 and 4.1.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > KEY_LENGTH_MAX {
            return None;
        }
        let parts: Vec<&str> = match text.strip_prefix("course-v1:") {
            Some(rest) => rest.split('+').collect(),
            None => text.split('/').collect(),
        };
        let is_course = parts.len() == 3 && parts.iter().all(|part| is_key_part(part));
        is_course.then(|| Self(text.to_owned()))
    }

    /// The key as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CourseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a course: `i4x://Org/Course/category/name` or `block-v1:…+type@category+block@name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsageKey(String);

impl UsageKey {
    /// Reads a usage key; `None` when the text is none. Source: reference 0.3 and 4.1.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > KEY_LENGTH_MAX {
            return None;
        }
        let is_usage = match (text.strip_prefix("i4x:"), text.strip_prefix("block-v1:")) {
            (Some(rest), _) => is_legacy_location(rest),
            (None, Some(rest)) => is_block(rest),
            (None, None) => false,
        };
        is_usage.then(|| Self(text.to_owned()))
    }

    /// The key as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UsageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `//Org/Course/category/name`, with an optional `@revision`; one slash at the front will do.
fn is_legacy_location(rest: &str) -> bool {
    let rest = rest.strip_prefix("//").or_else(|| rest.strip_prefix('/'));
    let Some(rest) = rest else { return false };
    let (path, revision) = rest.split_once('@').map_or((rest, None), |(path, revision)| (path, Some(revision)));
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() == 4 && parts.iter().all(|part| is_key_part(part)) && revision.is_none_or(is_key_part)
}

/// `Org+Course+Run+type@category+block@name`.
fn is_block(rest: &str) -> bool {
    let parts: Vec<&str> = rest.split('+').collect();
    let [org, course, run, category, block] = parts.as_slice() else { return false };
    let named = |part: &&str, prefix: &str| part.strip_prefix(prefix).is_some_and(is_key_part);
    [org, course, run].iter().all(|part| is_key_part(part)) && named(category, "type@") && named(block, "block@")
}

/// Letters, digits and `-_.~:%` of any script; no blanks, slashes, pluses, `@`, `?`, `#` or controls.
fn is_key_part(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | ':' | '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_key_has_three_parts_in_one_of_two_spellings() {
        for good in ["edX/DemoX/Fall", "course-v1:edX+DemoX+Fall", "course-v1:Ünì+Kurs.1+2026_T1"] {
            assert_eq!(CourseKey::parse(good).map(|key| key.to_string()).as_deref(), Some(good));
        }
        for bad in ["", "edX", "edX/DemoX", "edX/DemoX/", "course-v1:a+b", "course-v1:a+b+c+d", "a/b/c d", "a/b/c?x", "a/b\n/c"] {
            assert_eq!(CourseKey::parse(bad), None, "{bad:?}");
        }
        assert_eq!(CourseKey::parse(&format!("course-v1:a+b+{}", "c".repeat(300))), None);
    }

    #[test]
    fn a_usage_key_is_a_legacy_location_or_a_block() {
        for good in [
            "i4x://edX/DemoX/edx-reverification-block/midterm",
            "i4x:/edX/DemoX/problem/x@draft",
            "block-v1:edX+DemoX+Fall+type@edx-reverification-block+block@midterm_1",
        ] {
            assert!(UsageKey::parse(good).is_some(), "{good:?}");
        }
        for bad in [
            "",
            "midterm",
            "i4x://a/b/c",
            "block-v1:a+b+c",
            "block-v1:a+b+c+type@x+name@y",
            "block-v1:a+b+c+type@x+block@",
            "i4x://a/b/c/d/e",
        ] {
            assert!(UsageKey::parse(bad).is_none(), "{bad:?}");
        }
    }
}
