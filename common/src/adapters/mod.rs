//! The far sides that more than one program speaks to.

pub mod objects;
pub mod redis;
pub mod wake;
