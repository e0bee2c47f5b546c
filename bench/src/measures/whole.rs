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
const AT_ONCE: usize = 8;
/// How often it is looked whether all is done.
const LOOK: Duration = Duration::from_millis(50);

/// What is left to do, mails included.
pub(super) const LEFT: &str = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM attempts WHERE status <> 'approved')";

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let count = ground.amount(1_000, 10);
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..ground.runs {
        let mut place = ground.place().await?;
        let (vendor, _mail) = place.start_far_sides("{}").await?;
        let (api, worker) = (place.start_api().await?, place.start_worker(&[]).await?);
        let learners = Learners::register(&place, count).await?;
        let cost = async || -> Result<f64> { Ok(cpu_of_tree(api.pid)? + cpu_of_tree(worker.pid)? + place.servers_cpu().await?) };
        let (before, began) = (cost().await?, Instant::now());
        at_once(AT_ONCE, count, async |number| learners.submit(number).await).await?;
        wait_until_done(&place).await?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let attempts = count as f64;
        rates.push(attempts / began.elapsed().as_secs_f64());
        costs.push((cost().await? - before) / attempts);
        worker.stop().await?;
        api.stop().await?;
        vendor.shutdown().await?;
        ground.clear(place).await?;
    }
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
