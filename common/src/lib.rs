//! The heart of Vouch: what it decides (`domain`), what it keeps (`store`), what it does in one
//! transaction (`operations`), and the few edges that every program shares.
//!
//! No HTTP server and no job queue live here; those are the `api` and `worker` crates.

pub mod adapters;
pub mod clock;
pub mod config;
pub mod domain;
pub mod ids;
pub mod operations;
pub mod payment;
pub mod photos;
pub mod receipts;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod vendor;
