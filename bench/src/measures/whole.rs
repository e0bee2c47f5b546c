//! The whole way of attempts: from submission over the vendor to approved and mailed.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};
use vouch_cli::simulator::Kind;

use super::Pairs;
use crate::{
    figure::{Aim, Figure, median, quantile},
    ground::{Ground, Place},
    load::{Learners, at_once},
    process::{Program, cpu_of_tree},
};

/// Learners who submit at once.
pub(super) const AT_ONCE: usize = 8;
/// Attempts that go by before anything is counted: connections, statements and the shelves of the store are there then.
const WARM: usize = 300;
/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(250);

/// What is left to do, mails included.
pub(super) const LEFT: &str = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM attempts WHERE status <> 'approved')";

/// The queues whose work is done one after the other when the parts are measured, and what waits there.
const PARTS: [(&str, &str); 3] = [
    ("photos", "SELECT count(*) FROM jobs WHERE queue = 'photos'"),
    // The vendor's callback is part of it.
    ("vendor", "SELECT (SELECT count(*) FROM attempts) - (SELECT count(*) FROM vendor_callbacks)"),
    ("results,credit,mail,events", LEFT),
];

/// CPU of the whole way beside the sum of its parts: the same attempts with one part at work at a time.
pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let (mut pairs, mut rates, mut own_costs, mut parts) = (Pairs::default(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ground.runs {
        let by_part = measure_parts(ground).await?;
        let way = measure(ground).await?;
        rates.push(way.attempts_per_second);
        own_costs.push(way.cpu_of_programs);
        pairs.push(1_000.0 * (way.cpu_of_programs + way.cpu_of_servers), 1_000.0 * by_part.iter().sum::<f64>());
        parts.push(by_part);
    }
    let _ = ground.attempts_per_cpu_second.set(1.0 / median(&own_costs));
    let mut figure = pairs.figure("whole_way", "CPU ms", Aim::AtMost(1.3));
    figure.notes.push(format!("{:.1} attempts/s", median(&rates)));
    let part = |number: usize| 1_000.0 * median(&parts.iter().map(|by_part| by_part[number]).collect::<Vec<_>>());
    let (submission, photos, vendor, results) = (part(0), part(1), part(2), part(3));
    figure.notes.push(format!(
        "by part: submission {submission:.1} ms, photos {photos:.1} ms, vendor and its callback {vendor:.1} ms, verdict and mails {results:.1} ms"
    ));
    Ok(vec![figure])
}

/// CPU in seconds an attempt of each part, api, worker, Postgres and Redis together: submission, and then each of
/// [`PARTS`].
async fn measure_parts(ground: &Ground) -> Result<[f64; 4]> {
    let count = ground.amount(1_000, 10);
    let mut place = ground.place().await?;
    let (vendor, _mail) = place.start_far_sides("{}").await?;
    let api = place.start_api().await?;
    let warm = warm(ground);
    let learners = Learners::register(&place, warm + count).await?;
    let worker = place.start_worker(&[]).await?;
    warm_up(&place, &learners, warm).await?;
    worker.stop().await?;
    let cost = async |worker: Option<&Program>| -> Result<f64> {
        let of_worker = worker.map_or(Ok(0.0), |worker| cpu_of_tree(worker.pid))?;
        Ok(cpu_of_tree(api.pid)? + of_worker + place.servers_cpu().await?)
    };
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let attempts = count as f64;
    let mut costs = [0.0; 4];
    let before = cost(None).await?;
    at_once(AT_ONCE, count, async |number| learners.submit(warm + number).await).await?;
    costs[0] = (cost(None).await? - before) / attempts;
    for (cost_of_part, (queues, left)) in costs[1..].iter_mut().zip(PARTS) {
        let worker = place.start_worker(&["--queues", queues]).await?;
        let before = cost(Some(&worker)).await?;
        wait_until_none(&place, left).await?;
        *cost_of_part = (cost(Some(&worker)).await? - before) / attempts;
        worker.stop().await?;
    }
    api.stop().await?;
    vendor.shutdown().await?;
    ground.clear(place).await?;
    Ok(costs)
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
    let warm = warm(ground);
    let learners = Learners::register(&place, warm + count).await?;
    warm_up(&place, &learners, warm).await?;
    let cost =
        async || -> Result<(f64, f64)> { Ok((cpu_of_tree(api.pid)? + cpu_of_tree(worker.pid)?, place.servers_cpu().await?)) };
    let (before, began) = (cost().await?, Instant::now());
    at_once(AT_ONCE, count, async |number| learners.submit(warm + number).await).await?;
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

/// How many attempts go by before anything is counted.
pub(super) fn warm(ground: &Ground) -> usize {
    ground.amount(WARM, 2)
}

/// Lets the first so many learners go the whole way.
async fn warm_up(place: &Place, learners: &Learners, count: usize) -> Result<()> {
    at_once(AT_ONCE, count, async |number| learners.submit(number).await).await?;
    wait_until_done(place).await
}

/// Waits until nothing is left to do.
pub(super) async fn wait_until_done(place: &Place) -> Result<()> {
    wait_until_none(place, LEFT).await
}

async fn wait_until_none(place: &Place, left: &'static str) -> Result<()> {
    while place.count(left).await? > 0 {
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
