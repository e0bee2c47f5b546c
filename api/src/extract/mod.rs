//! Values that a handler can't get without passing a check.

pub mod api_key;
pub mod body;
pub mod csrf;
pub mod fields;
pub mod learner;
pub mod token;
