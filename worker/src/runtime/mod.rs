//! How jobs are run: claimed, watched, settled. Only `queue` and `monitor` know the worker library.

pub mod claim;
pub mod far_side;
pub mod finisher;
pub mod heartbeat;
pub mod job;
pub mod monitor;
pub mod queue;
pub mod registry;
pub mod runner;
