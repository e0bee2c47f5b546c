//! Values that a handler can't get without passing a check.

pub mod api_key;
pub mod body;
pub mod caller_address;
pub mod course_path;
pub mod csrf;
pub mod fields;
pub mod form_kind;
pub mod idempotency_key;
mod json_members;
pub mod learner;
pub mod submission_form;
pub mod token;
