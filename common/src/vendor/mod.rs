//! The wire formats in which Vouch speaks with the vendor that compares the photos.
//!
//! Why here: the worker sends, the api receives and the simulator answers, so the formats live where all three see
//! them. What not: nothing here does I/O, asks a clock or logs; callers bring the bytes and the time.

pub mod software_secure;
pub mod strict_json;
