//! Photos: how they are looked at (`inspect`), sealed (`seal`, `keys`) and named in the object store.
//!
//! A plain photo never touches a disk, Redis or a log.

pub mod inspect;
pub mod keys;
pub mod names;
pub mod seal;
