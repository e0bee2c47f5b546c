//! The wire formats in which Vouch speaks with who takes money.
//!
//! Why here: the api sends and receives, and the development platform answers, so the format lives where
//! both see it. What not: nothing here does I/O, asks a clock or logs.

pub mod cybersource;
