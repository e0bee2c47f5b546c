//! What is measured. Each measure is a function that sets its place up, measures both sides and clears it away.

mod callback;
mod ledger;
mod memory;
mod peers;
mod photo;
mod pipeline;
mod queue;
mod round_trips;
mod start;
mod submission;
mod whole;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;

use crate::{
    figure::{Aim, Figure, median},
    ground::Ground,
};

/// One measure.
pub struct Measure {
    pub name: &'static str,
    pub what: &'static str,
    pub run: for<'a> fn(&'a Ground) -> LocalBoxFuture<'a, Result<Vec<Figure>>>,
}

/// All, in the order in which they run.
pub const ALL: &[Measure] = &[
    Measure {
        name: "ledger_noop",
        what: "jobs without work, from insert to settled",
        run: |ground| Box::pin(ledger::noop(ground)),
    },
    Measure {
        name: "ledger_noop_1m",
        what: "the same with a million waiting",
        run: |ground| Box::pin(ledger::noop_behind_many(ground)),
    },
    Measure { name: "queue_only", what: "the queue alone, without the ledger", run: |ground| Box::pin(queue::run(ground)) },
    Measure { name: "submission", what: "submissions until they are committed", run: |ground| Box::pin(submission::run(ground)) },
    Measure {
        name: "callback",
        what: "the vendor's callbacks until they are committed",
        run: |ground| Box::pin(callback::run(ground)),
    },
    Measure { name: "photo_640", what: "the photo work of an attempt at 640×480", run: |ground| Box::pin(photo::small(ground)) },
    Measure {
        name: "photo_1920",
        what: "the photo work of an attempt at 1920×1440",
        run: |ground| Box::pin(photo::large(ground)),
    },
    Measure { name: "whole_way", what: "from submission to approved and mailed", run: |ground| Box::pin(whole::run(ground)) },
    Measure {
        name: "to_vendor",
        what: "from a submission to the vendor's door, idle",
        run: |ground| Box::pin(whole::to_vendor(ground)),
    },
    Measure { name: "round_trips", what: "what an attempt asks of Postgres", run: |ground| Box::pin(round_trips::run(ground)) },
    Measure {
        name: "worker_memory",
        what: "a worker with 64 photos of 8 megapixels",
        run: |ground| Box::pin(memory::worker(ground)),
    },
    Measure { name: "api_memory", what: "an api with 200 bodies of 20 MiB", run: |ground| Box::pin(memory::api(ground)) },
    Measure { name: "cold_start", what: "until api and worker are ready", run: |ground| Box::pin(start::cold(ground)) },
    Measure { name: "weight", what: "what is installed and compiled", run: |ground| Box::pin(start::weight(ground)) },
];

/// What others do, as far as they can be had, in the order in which they run.
pub const PEERS: &[Measure] = &[
    Measure {
        name: "peer_bullmq",
        what: "jobs without work: BullMQ on Redis",
        run: |ground| Box::pin(peers::beside(ground, &peers::BULLMQ)),
    },
    Measure {
        name: "peer_celery",
        what: "jobs without work: Celery on Redis",
        run: |ground| Box::pin(peers::beside(ground, &peers::CELERY)),
    },
    Measure {
        name: "peer_sidekiq",
        what: "jobs without work: Sidekiq on Redis",
        run: |ground| Box::pin(peers::beside(ground, &peers::SIDEKIQ)),
    },
    Measure {
        name: "peer_pgboss",
        what: "jobs without work: pg-boss on Postgres",
        run: |ground| Box::pin(peers::beside(ground, &peers::PG_BOSS)),
    },
    Measure {
        name: "peer_apalis_postgres",
        what: "jobs without work: apalis-postgres",
        run: |ground| Box::pin(peers::beside(ground, &peers::APALIS_POSTGRES)),
    },
    Measure {
        name: "peer_pipeline",
        what: "the whole way, written plainly with Celery",
        run: |ground| Box::pin(pipeline::run(ground)),
    },
];

/// Pairs of our value and its ceiling, measured one after the other in one run.
#[derive(Default)]
struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    fn push(&mut self, ours: f64, ceiling: f64) {
        self.0.push((ours, ceiling));
    }

    /// The medians, and the median of the ratios.
    fn figure(self, name: &'static str, unit: &'static str, aim: Aim) -> Figure {
        let column = |value: fn(&(f64, f64)) -> f64| median(&self.0.iter().map(value).collect::<Vec<_>>());
        Figure {
            name,
            value: column(|pair| pair.0),
            unit,
            ceiling: Some(column(|pair| pair.1)),
            ratio: column(|pair| pair.0 / pair.1),
            aim,
            notes: Vec::new(),
        }
    }
}
