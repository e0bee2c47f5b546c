//! Tests on real parts: Postgres, Redis, SMTP, HTTP, files, a vendor.
#![allow(clippy::disallowed_methods, reason = "tests look in from outside")]

mod acting;
mod brakes;
mod browser;
mod bulk;
mod checkpoints;
mod console;
mod create_order;
mod create_order_in_shop;
mod credit;
mod deadlines;
mod deploy;
mod events;
mod finding;
mod generated;
mod ledger;
mod lms;
mod metrics;
mod pay_and_verify;
mod payment;
mod photos;
mod processes;
mod queue_history;
mod results_callback;
mod retries;
mod retry_requests;
mod reverification_mail;
mod reverify;
mod secrets;
mod submit_photos;
mod tidy;
mod timeline;
mod traces;
mod vendor;
mod whole_way;
