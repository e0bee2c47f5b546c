//! Clocks that are wrong, and that jump.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use vouch_cli::simulator::{Kind, Script};

use crate::{
    learners::GOOD,
    patience,
    scenarios::Skip,
    stage::{Stage, WAIT_MAX},
};

/// Which clock is off by how many seconds. The vendor and the api check signatures and so must be within five minutes.
const OFF: [(&str, &str); 4] = [("photos", "+3600"), ("vendor", "+200"), ("rest", "-3600"), ("api", "-240")];

fn library() -> Result<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.ok_or_else(|| Skip("libfaketime is not installed (Debian: libfaketime)".to_owned()).into())
}

/// Each program with a clock of its own, which it reads from a file again and again; waiting is not changed.
async fn set(stage: &mut Stage, name: &str, offset: &str) -> Result<()> {
    let file = stage.folder.join(format!("{name}.clock"));
    let clock = [
        ("LD_PRELOAD", library()?.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    jump(stage, name, offset)?;
    stage.kill(name).await?;
    stage.program(name)?.clock = clock.map(|(name, value)| (name.to_owned(), value)).into();
    stage.start(name).await
}

fn jump(stage: &Stage, name: &str, offset: &str) -> Result<()> {
    let (file, new) = (stage.folder.join(format!("{name}.clock")), stage.folder.join(format!("{name}.clock.new")));
    std::fs::write(&new, format!("{offset}\n"))?;
    Ok(std::fs::rename(new, file)?)
}

/// An hour before and an hour behind; then a clock that jumps while its worker has jobs in its hands.
pub async fn apart(stage: &mut Stage) -> Result<()> {
    for (name, offset) in OFF {
        set(stage, name, offset).await?;
    }
    let skew = told_by(stage, "photos")?;
    anyhow::ensure!(skew > 3000, Skip(format!("libfaketime does not work with these programs: {skew} s")));
    stage.vendor.set_script(Script::parse(br#"{"answer": {"delay_ms": 3000}, "callback": {"tries": 20, "delay_ms": 100}}"#)?)?;
    stage.learners.submit(12, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 12).await?;
    stage.vendor.set_script(Script::parse(br#"{"answer": {"delay_ms": 40000}, "callback": {"tries": 20, "delay_ms": 100}}"#)?)?;
    for offset in ["+3600", "-3600"] {
        // The vendor has read the signatures of all four, and takes its time.
        let arrived = |stage: &Stage| {
            let entries = stage.vendor.journal().entries();
            entries.iter().filter(|entry| entry.event.kind == Kind::Submission).count()
        };
        let before = arrived(stage);
        stage.learners.submit(4, GOOD).await?;
        patience(WAIT_MAX, "four at the vendor", async || (arrived(stage) >= before + 4).then_some(())).await?;
        jump(stage, "vendor", offset)?;
        // Longer than a lease: each must be renewed by a worker whose clock has jumped.
        tokio::time::sleep(Duration::from_secs(18)).await;
        let once = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND phase = 'running' AND deliveries = 1";
        let once = stage.count(once).await?;
        stage.expect(once == 4, format!("{once} of 4 jobs are still in the first hands after a jump of {offset} s"));
        let left = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor'";
        let answered =
            patience(WAIT_MAX, "the answers", async || stage.count(left).await.ok().filter(|left| *left == 0).map(drop));
        answered.await?;
        jump(stage, "vendor", "+0")?;
    }
    let calls = stage.vendor.journal().entries();
    let repeated = calls.iter().filter(|entry| entry.event.decision == "repeated").count();
    stage.expect(repeated == 0, format!("{repeated} jobs were taken from a worker that still had them"));
    Ok(())
}

/// How many seconds a program's clock is ahead, by the newest line of its log.
fn told_by(stage: &Stage, name: &str) -> Result<i64> {
    let log = std::fs::read_to_string(stage.folder.join(format!("{name}.log")))?;
    let mut times = log.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        chrono::DateTime::parse_from_rfc3339(line.get("timestamp")?.as_str()?).ok()
    });
    let newest = times.next_back().map(|time| time.timestamp());
    Ok(newest.unwrap_or_default() - chrono::Utc::now().timestamp())
}
