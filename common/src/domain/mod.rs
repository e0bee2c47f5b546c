//! What Vouch decides, and nothing else: pure functions from facts to the next state and to wishes.
//!
//! No database, no network, no clock and no randomness: those are arguments. The words used here are
//! the words used everywhere, in code, SQL, API, logs and papers:
//!
//! - **attempt**: one submission of photos; its public name is the **receipt**.
//! - **checkpoint**: a place in a course that waits for a verdict.
//! - **verdict**: what the vendor (or the intake, or an operator) says of an attempt.
//! - **requirement**: what a course demands for credit; **eligible**: all of them are satisfied.
//! - **effect**: a wish for work outside the database; it becomes a **job** in the **ledger**.
//! - **relay**: hands due jobs to Redis. **Lease**: a worker's right to act on a job, for a while.
//! - **breaker**: stops the calls to a far side that is out; **outage**: no answer, or a fault of its own.
//! - **dead letter**: a job that was given up; an operator decides.

pub mod attempt;
pub mod backoff;
pub mod breaker;
pub mod bucket;
pub mod callback;
pub mod checkpoint;
pub mod course;
pub mod course_mode;
pub mod course_standing;
pub mod credit;
pub mod deadline;
pub mod effect;
pub mod embargo;
pub mod erasure;
pub mod event;
pub mod failure;
pub mod grade;
pub mod ids;
pub mod job;
pub mod keys;
pub mod operator;
pub mod order;
pub mod page;
pub mod pay_and_verify;
pub mod payment;
pub mod photo;
pub mod price;
pub mod renewal;
pub mod retention;
pub mod retry_filter;
pub mod submission;
pub mod timeline;
pub mod times;
pub mod vendor_format;
pub mod verification;
pub mod waiting;
