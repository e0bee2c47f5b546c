//! The whole way of attempts: from submission over the vendor to approved and mailed.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};
use vouch_cli::simulator::Kind;

use crate::{
    figure::{Aim, Figure, median, quantile},
    ground::{Ground, Place},
    load::{Learners, at_once},
    process::cpu_of_tree,
};

/// Learners who submit at once.
pub(super) const AT_ONCE: usize = 8;
/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(50);

/// What is left to do, mails included.
pub(super) const LEFT: &str = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM attempts WHERE status <> 'approved')";

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let (mut rates, mut costs, mut own_costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ground.runs {
        let way = measure(ground).await?;
        rates.push(way.attempts_per_second);
        costs.push(way.cpu_of_programs + way.cpu_of_servers);
        own_costs.push(way.cpu_of_programs);
    }
    let _ = ground.attempts_per_cpu_second.set(1.0 / median(&own_costs));
    let rate = median(&rates);
    let note = format!("CPU an attempt, api, worker, Postgres and Redis together: {:.1} ms", 1_000.0 * median(&costs));
    Ok(vec![Figure {
        name: "whole_way",
        value: rate,
        unit: "attempts/s",
        ceiling: None,
        ratio: rate,
        aim: Aim::Shown,
        notes: vec![note],
    }])
}

/// Attempts for each second of CPU that api and worker use, for who is measured beside it; measured once a run.
pub(super) async fn attempts_per_cpu_second(ground: &Ground) -> Result<f64> {
    let median_of_runs = async || -> Result<f64> {
        let mut costs = Vec::new();
        for _ in 0..ground.runs {
            costs.push(measure(ground).await?.cpu_of_programs);
        }
        Ok(1.0 / median(&costs))
    };
    ground.attempts_per_cpu_second.get_or_try_init(median_of_runs).await.copied()
}

/// What attempts took; CPU in seconds an attempt.
struct Way {
    attempts_per_second: f64,
    /// Of api and worker.
    cpu_of_programs: f64,
    /// Of Postgres and Redis.
    cpu_of_servers: f64,
}

async fn measure(ground: &Ground) -> Result<Way> {
    let count = ground.amount(1_000, 10);
    let mut place = ground.place().await?;
    let (vendor, _mail) = place.start_far_sides("{}").await?;
    let (api, worker) = (place.start_api().await?, place.start_worker(&[]).await?);
    let learners = Learners::register(&place, count).await?;
    let cost =
        async || -> Result<(f64, f64)> { Ok((cpu_of_tree(api.pid)? + cpu_of_tree(worker.pid)?, place.servers_cpu().await?)) };
    let (before, began) = (cost().await?, Instant::now());
    at_once(AT_ONCE, count, async |number| learners.submit(number).await).await?;
    wait_until_done(&place).await?;
    let (seconds, after) = (began.elapsed().as_secs_f64(), cost().await?);
    worker.stop().await?;
    api.stop().await?;
    vendor.shutdown().await?;
    ground.clear(place).await?;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let attempts = count as f64;
    Ok(Way {
        attempts_per_second: attempts / seconds,
        cpu_of_programs: (after.0 - before.0) / attempts,
        cpu_of_servers: (after.1 - before.1) / attempts,
    })
}

/// Waits until nothing is left to do.
pub(super) async fn wait_until_done(place: &Place) -> Result<()> {
    while place.count(LEFT).await? > 0 {
        sleep(LOOK).await;
    }
    Ok(())
}

/// Time from a submission to the vendor's door, while nothing else is going on.
pub async fn to_vendor(ground: &Ground) -> Result<Vec<Figure>> {
    let count = ground.amount(200, 3);
    let mut place = ground.place().await?;
    let (vendor, _mail) = place.start_far_sides("{}").await?;
    let (api, worker) = (place.start_api().await?, place.start_worker(&[]).await?);
    let learners = Learners::register(&place, count).await?;
    let journal = vendor.journal();
    let mut seen = Vec::new();
    for number in 0..count {
        let (before, began) = (journal.entries().len(), chrono::Utc::now());
        learners.submit(number).await?;
        wait_until_done(&place).await?;
        let entries = journal.entries();
        let arrived =
            entries.iter().skip(before).find(|entry| entry.event.kind == Kind::Submission).context("the vendor saw nothing")?;
        seen.push((arrived.at - began).as_seconds_f64() * 1_000.0);
    }
    worker.stop().await?;
    api.stop().await?;
    vendor.shutdown().await?;
    ground.clear(place).await?;
    let (middle, late) = (quantile(&seen, 0.5), quantile(&seen, 0.99));
    let figure =
        |name, value, most, notes| Figure { name, value, unit: "ms", ceiling: None, ratio: value, aim: Aim::AtMost(most), notes };
    let note = "the vendor's own work on the request, and its download of both photos, are in it".to_owned();
    Ok(vec![figure("to_vendor", middle, 60.0, vec![note]), figure("to_vendor_p99", late, 200.0, Vec::new())])
}
