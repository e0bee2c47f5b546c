//! HTTP in, and nothing out except through operations: checks, writes, answers.
//!
//! On the request path it never talks to the queue, the vendor or the mail server; it can't even see them.
//! The one far side that is asked while somebody waits is the shop (`adapters`).

pub mod adapters;
pub mod error;
pub mod extract;
pub mod limits;
mod ops;
pub mod pages;
pub mod routes;
pub mod serve;
pub mod state;

pub use routes::app;
pub use serve::serve;
