//! The scenarios: each does its harm, says what must hold meanwhile, and leaves the rest to the checker.

mod backlog;
mod callbacks;
mod clocks;
mod deploy;
mod mail;
mod poison;
mod postgres;
mod redis;
mod shutdown;
mod storage;
mod vendor;
mod workers;

use std::fmt;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;

use crate::stage::Stage;

/// One way of breaking Vouch.
pub struct Scenario {
    pub name: &'static str,
    pub what: &'static str,
    /// Whether `scripts/test` runs it.
    pub is_short: bool,
    /// Settings over the usual ones.
    pub settings: &'static [(&'static str, &'static str)],
    pub run: for<'stage> fn(&'stage mut Stage) -> LocalBoxFuture<'stage, Result<()>>,
}

/// A scenario with its number in the list, from 1.
pub type Numbered = (usize, &'static Scenario);

/// What a scenario answers when it can't be played here.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skip {}

macro_rules! scenario {
    ($short:literal, $function:path, $name:literal, $what:literal) => {
        scenario!($short, $function, $name, $what, &[])
    };
    ($short:literal, $function:path, $name:literal, $what:literal, $settings:expr) => {
        Scenario { name: $name, what: $what, is_short: $short, settings: $settings, run: |stage| Box::pin($function(stage)) }
    };
}

/// All scenarios, in the order in which they run.
pub const ALL: &[Scenario] = &[
    scenario!(
        true,
        workers::between_answer_and_commit,
        "vendor-answered-worker-killed",
        "the vendor's worker is killed between the vendor's answer and the commit"
    ),
    scenario!(
        true,
        workers::after_claim,
        "claimed-worker-killed",
        "the vendor's worker is killed after the claim and before the vendor has heard of it"
    ),
    scenario!(
        false,
        workers::frozen,
        "worker-frozen",
        "the vendor's worker stands still until its leases have passed to another"
    ),
    scenario!(
        false,
        workers::between_any_two_steps,
        "worker-killed-at-every-step",
        "a worker is cut off and killed after each of its round trips to Postgres in turn"
    ),
    scenario!(true, redis::flushed, "redis-flushed", "FLUSHALL again and again while jobs wait"),
    scenario!(true, redis::from_the_past, "redis-from-the-past", "Redis is killed, and comes back with an old dump"),
    scenario!(
        false,
        redis::stalled,
        "redis-stalled",
        "Redis says nothing for a while, then cuts every connection again and again"
    ),
    scenario!(true, postgres::restarted, "postgres-restarted", "Postgres is ended at once, twice, while learners submit"),
    scenario!(
        false,
        postgres::away,
        "postgres-away",
        "Postgres is away for a minute while learners submit, the vendor calls back, and jobs lie ready",
        // Learners here don't wait for as long as they are told to.
        &[("VOUCH_RATE_SUBMISSIONS", "1000/1h")]
    ),
    scenario!(false, postgres::contended, "writes-contended", "every thirteenth write ends with 40001 or 40P01"),
    scenario!(
        false,
        backlog::idle_transaction,
        "transaction-left-open",
        "an idle transaction keeps every dead row while jobs by the thousand are drained"
    ),
    scenario!(false, backlog::backlog, "backlog", "a million jobs wait for later, and ten thousand are due at one instant"),
    scenario!(
        true,
        vendor::accepts_and_hangs,
        "vendor-hangs",
        "the vendor takes submissions and never answers",
        &[("VOUCH_VENDOR_TIMEOUT", "2s")]
    ),
    scenario!(false, vendor::out_of_order, "vendor-out-of-order", "the vendor answers 500 for five minutes, then is well"),
    scenario!(false, vendor::busy, "vendor-busy", "429 with Retry-After holds every process"),
    scenario!(false, vendor::busy_and_confused, "vendor-busy-and-confused", "429 with Retry-After of -1, words, nothing, 999999"),
    scenario!(false, vendor::lying, "vendor-lying", "200 with garbage, a redirect, a refused and a cut connection"),
    scenario!(true, mail::kept_and_cut, "mail-kept-and-cut", "the mail server keeps a mail and hangs up before it says so"),
    scenario!(false, mail::refused, "mail-refused", "the mail server refuses, for now and for good"),
    scenario!(false, mail::away, "mail-away", "nobody listens for mail, then nobody answers"),
    scenario!(false, mail::kept_and_silent, "mail-kept-and-silent", "the mail server keeps a mail and never answers"),
    scenario!(true, callbacks::hundredfold, "callbacks-hundredfold", "each verdict is called back a hundred times at once"),
    scenario!(true, callbacks::early, "callbacks-early", "the verdict comes before the submission is answered"),
    scenario!(false, callbacks::forged, "callbacks-forged", "callbacks signed by another, too old, too long"),
    scenario!(true, shutdown::terminated, "terminated", "SIGTERM for every program while learners submit"),
    scenario!(false, shutdown::terminated_then_killed, "terminated-then-killed", "SIGTERM twice with full hands, then SIGKILL"),
    scenario!(false, storage::full, "disk-full", "no room for photos, at the api and at the worker"),
    scenario!(false, storage::read_only, "disk-read-only", "the store takes nothing any more"),
    scenario!(true, poison::photos, "photos-poisonous", "bombs, broken and lying files, 100 MB, two formats in one"),
    scenario!(
        false,
        poison::job,
        "job-poisonous",
        "the worker is killed each time that it works on one job",
        &[("VOUCH_VENDOR_TIMEOUT", "1m")]
    ),
    scenario!(false, deploy::rolling, "rolling-deploy", "jobs of a newer release, and each program started anew"),
    scenario!(
        false,
        clocks::apart,
        "clocks-apart",
        "clocks an hour before and behind, and one that jumps while its worker has jobs in its hands",
        &[("VOUCH_VENDOR_TIMEOUT", "1m")]
    ),
];
