//! What the parts of a path mean. What makes no sense is 400; what is not known is another's to say.

use vouch_common::domain::{
    ids::UserId,
    keys::{CourseKey, UsageKey},
};

use crate::error::Fault;

/// Reads a learner's number.
///
/// # Errors
///
/// 400 when it is none.
pub fn user(number: i64) -> Result<UserId, Fault> {
    if number > 0 { Ok(UserId(number)) } else { Err(Fault::bad_request("user_id must be a positive number.")) }
}

/// Reads a course key.
///
/// # Errors
///
/// 400 when it is none.
pub fn course(text: &str) -> Result<CourseKey, Fault> {
    CourseKey::parse(text).ok_or_else(|| Fault::bad_request("Invalid course key"))
}

/// Reads a usage key.
///
/// # Errors
///
/// 400 when it is none.
pub fn usage(text: &str) -> Result<UsageKey, Fault> {
    UsageKey::parse(text).ok_or_else(|| Fault::bad_request("Invalid usage key"))
}
