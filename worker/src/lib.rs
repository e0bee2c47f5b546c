//! Everything that leaves the building: the relay, the jobs, and the far sides that they speak to.

pub mod adapters;
pub mod gauges;
pub mod jobs;
pub mod options;
pub mod progress;
pub mod purge;
pub mod relay;
pub mod runtime;
pub mod schedule;
pub mod services;
pub mod status;
pub mod sweep;
pub mod worker;

pub use worker::{Stop, run};
