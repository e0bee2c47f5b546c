//! How long the programs take to start, and what they weigh.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::{
    figure::{Aim, Figure, median},
    ground::Ground,
};

/// Seconds until the api and a worker are ready, whichever takes longer.
pub async fn cold(ground: &Ground) -> Result<Vec<Figure>> {
    let (mut slowest, mut notes) = (0.0_f64, Vec::new());
    let place = ground.place().await?;
    for name in ["api", "worker"] {
        let mut seen = Vec::new();
        for _ in 0..ground.amount(10, 1) {
            let began = Instant::now();
            let program = if name == "api" { place.start_api().await? } else { place.start_worker(&[]).await? };
            seen.push(began.elapsed().as_secs_f64());
            program.stop().await?;
        }
        notes.push(format!("{name}: {:.0} ms", 1_000.0 * median(&seen)));
        slowest = slowest.max(median(&seen));
    }
    ground.clear(place).await?;
    Ok(vec![Figure {
        name: "cold_start",
        value: slowest,
        unit: "s",
        ceiling: None,
        ratio: slowest,
        aim: Aim::AtMost(0.5),
        notes,
    }])
}

/// What is installed and what is compiled, in all and by program.
pub async fn weight(_: &Ground) -> Result<Vec<Figure>> {
    let (mut total, mut notes) = (0.0, Vec::new());
    let here = std::env::current_exe()?;
    for name in ["vouch-api", "vouch-worker", "vouch"] {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let mib = std::fs::metadata(here.with_file_name(name)).context(name)?.len() as f64 / 1024.0 / 1024.0;
        notes.push(format!("{name}: {mib:.1} MiB"));
        total += mib;
    }
    let lock = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let crates = std::fs::read_to_string(lock)?.matches("[[package]]").count();
    notes.push(format!("{crates} crates are locked, those of tests and measurements included"));
    Ok(vec![Figure { name: "weight", value: total, unit: "MiB", ceiling: None, ratio: total, aim: Aim::Shown, notes }])
}
