//! The whole way of attempts in Vouch, beside the same written plainly with Celery, Pillow and pycryptodome
//! (`bench/peers/pipeline.py`): attempts for each second of CPU that the programs use.

use std::{ffi::OsStr, fs::File, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use vouch_cli::{mail_catcher::MailCatcher, simulator::WireFormat};
use vouch_common::vendor::software_secure::cipher::PhotoKey;
use vouch_tests::{ACCESS_KEY, FACE_KEY, JWT_SECRET, SECRET};

use super::{
    peers::{last_lines, program, root},
    whole::{AT_ONCE, attempts_per_cpu_second, warm},
};
use crate::{
    figure::{Aim, Figure, median},
    ground::{Ground, PUBLIC_KEY, Place},
    load::{Learners, at_once},
    patience,
    process::cpu_of_tree,
};

const TABLE: &str = "CREATE TABLE peer_attempts (
    receipt uuid PRIMARY KEY,
    user_id bigint NOT NULL,
    name text NOT NULL,
    photo_id_key text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz
)";
const PYTHON: &str = "target/peers/python/bin/python";
/// How long the peer may take to start.
const START_MAX: Duration = Duration::from_mins(1);
/// How long the peer may take for all attempts.
const RUN_MAX: Duration = Duration::from_mins(10);
/// Mails that a learner gets: that the photos are here, and that they are verified.
const MAILS: usize = 2;

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let count = ground.amount(500, 4);
    let mut theirs = Vec::new();
    for _ in 0..ground.runs {
        let place = ground.place().await?;
        theirs.push(measure(ground, place, count).await?);
    }
    let (ours, theirs) = (attempts_per_cpu_second(ground).await?, median(&theirs));
    let notes = vec![
        "CPU of the programs alone: api and worker; gunicorn and Celery. Postgres and Redis serve both".to_owned(),
        "not durable: a job is in the memory of Redis alone".to_owned(),
    ];
    Ok(vec![Figure {
        name: "peer_pipeline",
        value: ours,
        unit: "attempts/CPU s",
        ceiling: Some(theirs),
        ratio: ours / theirs,
        aim: Aim::AtLeast(5.0),
        notes,
    }])
}

/// The peer's attempts for each second of CPU.
async fn measure(ground: &Ground, mut place: Place, count: usize) -> Result<f64> {
    place.sql(TABLE).await?;
    let warm = warm(ground);
    let format = WireFormat::SoftwareSecure { face_key: PhotoKey::parse_hex(FACE_KEY)? };
    let (vendor, mail) = place.start_far_sides_in(format, "{}").await?;
    let learners = Learners::register(&place, warm + count).await?;
    let far_sides = (vendor.addr(), mail.address());
    let (mut web, mut jobs) = (start(&place, far_sides, &web(&place))?, start(&place, far_sides, &JOBS)?);
    let pids = [pid(&web)?, pid(&jobs)?];
    let rate = async {
        let url = format!("http://{}/", place.api);
        patience(START_MAX, "gunicorn to start", async || crate::client().get(&url).send().await.ok()).await?;
        go(&mail, 0, warm, async |number| learners.submit(number).await).await?;
        let cost = || pids.iter().map(|pid| cpu_of_tree(*pid)).sum::<Result<f64>>();
        let before = cost()?;
        go(&mail, warm, count, async |number| learners.submit(number).await).await?;
        let approved = place.count("SELECT count(*) FROM peer_attempts WHERE status = 'approved'").await?;
        anyhow::ensure!(usize::try_from(approved)? == count + warm, "{approved} attempts were approved");
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        Ok::<f64, anyhow::Error>(count as f64 / (cost()? - before))
    };
    let rate = tokio::select! {
        rate = rate => rate,
        _ = web.wait() => Err(anyhow::anyhow!("gunicorn has ended")),
        _ = jobs.wait() => Err(anyhow::anyhow!("Celery has ended")),
    };
    let rate = rate.with_context(|| format!("it said: {}", last_lines(&place.folder().join("peer.log"))));
    stop(web).await?;
    stop(jobs).await?;
    vendor.shutdown().await?;
    ground.clear(place).await?;
    rate
}

/// So many learners submit, from that one on; waits until all have their mails.
async fn go(mail: &MailCatcher, from: usize, count: usize, submit: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
    at_once(AT_ONCE, count, async |number| submit(from + number).await).await?;
    timeout(RUN_MAX, mail.wait_until(|mails| mails.len() >= MAILS * (from + count))).await.context("mails are missing")?;
    Ok(())
}

/// A process a core with a few threads, as gunicorn's pages advise for work that waits a little. It keeps connections
/// for longer than a client leaves one unused.
fn web(place: &Place) -> Vec<String> {
    let address = place.api.to_string();
    let words = [
        "gunicorn",
        "--no-control-socket",
        "--workers",
        "2",
        "--threads",
        "4",
        "--keep-alive",
        "120",
        "--graceful-timeout",
        "5",
        "--bind",
    ];
    words.into_iter().chain([address.as_str(), "pipeline:application"]).map(ToOwned::to_owned).collect()
}

/// A process a core, and two more, for they wait for the vendor.
const JOBS: [&str; 11] = [
    "celery",
    "-A",
    "pipeline",
    "worker",
    "--concurrency",
    "4",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "--loglevel",
    "ERROR",
];

/// Starts a module of Python with the settings of the pipeline.
fn start(place: &Place, (vendor, mail): (SocketAddr, SocketAddr), module: &[impl AsRef<OsStr>]) -> Result<Child> {
    let photos = place.folder().join("photos");
    ["face", "photo_id"].iter().try_for_each(|kind| std::fs::create_dir_all(photos.join(kind)))?;
    let mut command = Command::new(program(PYTHON));
    command.arg("-m").args(module).current_dir(root().join("bench/peers")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("DATABASE_URL", place.database.as_str()).env("REDIS_URL", place.redis.as_str()).env("PHOTO_FOLDER", &photos);
    command.env("PUBLIC_URL", format!("http://{}", place.api)).env("VENDOR_URL", format!("http://{vendor}/"));
    command.env("SMTP", mail.to_string()).env("FACE_KEY", FACE_KEY).env("VENDOR_RSA_PUBLIC_KEY", PUBLIC_KEY);
    command.env("VENDOR_ACCESS_KEY", ACCESS_KEY).env("VENDOR_SECRET_KEY", SECRET).env("JWT_SECRET", JWT_SECRET);
    let log = File::options().create(true).append(true).open(place.folder().join("peer.log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn().context(PYTHON)
}

fn pid(program: &Child) -> Result<u32> {
    program.id().context("a program of the peer has ended")
}

/// Ends it as operators do, so that it ends what it has started.
async fn stop(mut program: Child) -> Result<()> {
    if let Some(pid) = program.id() {
        Command::new("kill").arg(pid.to_string()).status().await?;
        timeout(Duration::from_secs(20), program.wait()).await.context("the peer does not end")??;
    }
    Ok(())
}
