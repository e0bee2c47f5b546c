//! Gathers the facts after a scenario.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use sqlx::FromRow;
use vouch_cli::simulator::{Entry, Kind};

use crate::{
    check::facts::{Attempt, CheckpointStatus, Credit, Facts, Job, Mail, Move, VendorCall},
    markers,
    stage::{CONNECTIONS, Stage},
};

/// Everything that the checker looks at.
pub async fn gather(stage: &mut Stage) -> Result<Facts> {
    stage.take_dump().await;
    let noted = stage.learners.noted();
    let mut facts = Facts { accepted: noted.accepted, submitters: noted.submitters, ..from_database(stage).await? };
    facts.vendor_calls = stage.vendor.journal().entries().iter().filter_map(vendor_call).collect();
    facts.mails = stage
        .mail
        .mails()
        .into_iter()
        .map(|mail| Mail { user: markers::user_of(&mail.to), subject: mail.subject, message_id: mail.message_id })
        .collect();
    facts.disturbances = stage.disturbances;
    facts.redis_entries = stage.ground.redis.entries().await?;
    facts.processes = stage.programs.iter().filter_map(crate::process::Program::usage).collect();
    facts.connections_max = i64::try_from(facts.processes.len()).unwrap_or_default() * CONNECTIONS;
    facts.markers = markers::all();
    facts.texts = texts(stage).await?;
    Ok(facts)
}

async fn from_database(stage: &Stage) -> Result<Facts> {
    let attempts = rows(
        stage,
        "SELECT receipt_id::text, user_id, status, submitted_at IS NOT NULL FROM attempts ORDER BY id",
        |(receipt, user, status, was_submitted)| Attempt { receipt, user, status, was_submitted },
    );
    let history = rows(
        stage,
        "SELECT receipt_id::text, coalesce(from_status, ''), to_status FROM attempt_events
         JOIN attempts ON attempts.id = attempt_id WHERE to_status IS NOT NULL ORDER BY attempt_events.id",
        |(receipt, from, to)| Move { receipt, from, to },
    );
    let statuses = rows(
        stage,
        "SELECT receipt_id::text, checkpoint_statuses.status FROM checkpoint_statuses
         JOIN attempts ON attempts.id = attempt_id ORDER BY checkpoint_statuses.id",
        |(receipt, status)| CheckpointStatus { receipt, status },
    );
    let credits = rows(
        stage,
        "SELECT user_id, requirement_id, status FROM credit_requirement_statuses ORDER BY user_id",
        |(user, requirement, status)| Credit { user, requirement, status },
    );
    let jobs = rows(
        stage,
        "SELECT id, kind, phase, dead_at IS NOT NULL FROM jobs ORDER BY id LIMIT 1000",
        |(id, kind, phase, is_dead)| Job { id, kind, phase, is_dead },
    );
    let eligible = rows(stage, "SELECT user_id FROM credit_eligibilities ORDER BY user_id", |(user,)| user);
    Ok(Facts {
        attempts: attempts.await?,
        history: history.await?,
        checkpoint_statuses: statuses.await?,
        credits: credits.await?,
        eligible: eligible.await?,
        jobs: jobs.await?,
        callbacks_open: stage.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'received'").await?,
        connections: stage
            .count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vouch'")
            .await?,
        objects_missing: objects_missing(stage).await?,
        ..Facts::default()
    })
}

async fn rows<Row, Fact>(stage: &Stage, sql: &'static str, fact: impl Fn(Row) -> Fact) -> Result<Vec<Fact>>
where
    Row: for<'row> FromRow<'row, sqlx::postgres::PgRow> + Send + Unpin,
{
    Ok(sqlx::query_as::<_, Row>(sql).fetch_all(&stage.db).await?.into_iter().map(fact).collect())
}

async fn objects_missing(stage: &Stage) -> Result<Vec<String>> {
    let sql = "SELECT object FROM attempts, unnest(ARRAY[face_upload, photo_id_upload, face_object, photo_id_object]) AS object
               WHERE object IS NOT NULL";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&stage.db).await?;
    let objects = stage.folder.join("objects");
    Ok(names.into_iter().filter(|name| !objects.join(name).exists()).collect())
}

fn vendor_call(entry: &Entry) -> Option<VendorCall> {
    let event = &entry.event;
    let receipt = event.receipt.clone().filter(|_| event.kind == Kind::Submission)?;
    let decision = match event.decision.as_str() {
        known @ ("refused" | "fault" | "repeated") => known,
        _ => "accepted",
    };
    let substance = format!("{:?} {:?} {:?}", event.name_sha256, event.face, event.photo_id);
    Some(VendorCall { receipt, decision: decision.to_owned(), substance })
}

/// Logs of programs and servers, dumps of Redis, numbers.
async fn texts(stage: &Stage) -> Result<Vec<(String, Vec<u8>)>> {
    let mut texts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for program in &stage.programs {
        let page = crate::client().get(format!("http://{}/metrics", program.address)).send().await;
        if let Ok(page) = page {
            texts.insert(format!("the numbers of {}", program.name), page.bytes().await?.to_vec());
        }
        read(&mut texts, format!("the log of {}", program.name), &program.log)?;
    }
    read(&mut texts, "the log of Postgres".to_owned(), &stage.ground.postgres.log())?;
    for (number, dump) in stage.dumps.iter().enumerate() {
        texts.insert(format!("dump {number} of Redis"), dump.clone());
    }
    Ok(texts.into_iter().collect())
}

fn read(texts: &mut BTreeMap<String, Vec<u8>>, place: String, path: &Path) -> Result<()> {
    texts.insert(place, std::fs::read(path)?);
    Ok(())
}
