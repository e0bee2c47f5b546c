//! Fills a world with courses and with learners in every state, through the api alone. Doing it again
//! changes nothing: what was submitted once is not submitted again.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use vouch_common::clock::{Clock, SystemClock};

use super::{
    World,
    api::{data_url, percent},
    cast::{IDENTITY, LEARNERS, Learner, MIDTERM, Photos, courses},
    show::Steps,
};
use crate::simulator::{AnswerScript, CallbackScript, Fault, Script, Verdict, VerdictRule};

/// How long a state may take to come about.
const ARRIVAL_TIMEOUT: Duration = Duration::from_mins(1);
/// How often it is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// An answer of the vendor that no later try can mend, so the attempt stays where it is.
const FINAL_REFUSAL: u16 = 400;

const FACE: &[u8] = include_bytes!("../../../tests/photos/good/face.jpg");
const PHOTO_ID: &[u8] = include_bytes!("../../../tests/photos/good/id.jpg");

/// Pushes courses and learners, and brings each learner into their state.
///
/// # Errors
///
/// When the api refuses something, or a state does not come about.
pub async fn plant(world: &World, steps: &Steps) -> Result<()> {
    steps.heading("The learning platform tells of its courses and learners");
    let now = SystemClock.now();
    let mark = world.dir.join("enrolled");
    for (course, document) in courses(now) {
        world.api.put(&format!("courses/{}", percent(course)), &document).await?;
    }
    for learner in &LEARNERS {
        world.api.put(&format!("users/{}", learner.id), &learner.document()).await?;
        if !mark.exists() {
            enrol(world, learner).await?;
        }
    }
    std::fs::write(&mark, "").context("the folder can't be written")?;
    steps.done("Five courses, and a learner in every state");
    for photos in [Photos::Approved, Photos::Denied, Photos::Pending, Photos::MustRetry] {
        submit_all(world, photos, steps).await?;
    }
    Ok(())
}

/// Only the first time in a folder: what learners bought since is not taken back.
async fn enrol(world: &World, learner: &Learner) -> Result<()> {
    for (course, mode) in learner.enrollments {
        let path = format!("users/{}/enrollments/{}", learner.id, percent(course));
        world.api.put(&path, &json!({ "mode": mode, "is_active": true })).await?;
    }
    Ok(())
}

async fn submit_all(world: &World, photos: Photos, steps: &Steps) -> Result<()> {
    let mut waiting = Vec::new();
    for learner in LEARNERS.iter().filter(|learner| learner.photos == photos) {
        let standing = world.api.get(&format!("users/{}/verification", learner.id)).await?;
        if standing["status"] == "none" {
            waiting.push(learner);
        }
    }
    if waiting.is_empty() {
        return Ok(());
    }
    world.vendor.set_script(script_for(photos)).context("the simulated vendor takes no script")?;
    let result = submit(world, &waiting, wished_status(photos)).await;
    world.vendor.set_script(Script::default()).context("the simulated vendor takes no script")?;
    let names: Vec<&str> = waiting.iter().map(|learner| learner.name).collect();
    steps.done(&format!("{}: {}", wished_status(photos), names.join(", ")));
    result
}

async fn submit(world: &World, learners: &[&Learner], wished: &str) -> Result<()> {
    for learner in learners {
        let mut form = json!({ "face_image": data_url(FACE), "photo_id_image": data_url(PHOTO_ID) });
        if learner.username == "approved" {
            form["course_key"] = json!(IDENTITY);
            form["checkpoint"] = json!(MIDTERM);
        }
        let receipt = world.api.submit(learner.id, &form).await?;
        wait_for(world, &receipt, wished).await?;
    }
    Ok(())
}

fn script_for(photos: Photos) -> Script {
    let usual = Script::default();
    match photos {
        Photos::None | Photos::Approved => usual,
        Photos::Denied => Script { verdicts: vec![VerdictRule::for_name("", Verdict::fail())], ..usual },
        // It takes the photos and stays silent.
        Photos::Pending => Script { callback: CallbackScript { copies: 0, ..CallbackScript::default() }, ..usual },
        Photos::MustRetry => {
            let fault = Some(Fault::Status { status: FINAL_REFUSAL });
            Script { answer: AnswerScript { fault, ..AnswerScript::default() }, ..usual }
        }
    }
}

const fn wished_status(photos: Photos) -> &'static str {
    match photos {
        Photos::None => "none",
        Photos::Approved => "approved",
        Photos::Denied => "denied",
        Photos::Pending => "submitted",
        Photos::MustRetry => "must_retry",
    }
}

async fn wait_for(world: &World, receipt: &str, wished: &str) -> Result<()> {
    let looking = async {
        loop {
            let attempt: Value = world.api.get(&format!("attempts/{receipt}")).await?;
            if attempt["status"] == wished {
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    match tokio::time::timeout(ARRIVAL_TIMEOUT, looking).await {
        Ok(found) => found,
        Err(_) => bail!("an attempt did not become {wished} within {ARRIVAL_TIMEOUT:?}"),
    }
}

/// Says who can be signed in as, and where to look.
pub fn tell(world: &World) {
    println!("\nWho can be signed in as, at {}/login", world.platform.url());
    for learner in &LEARNERS {
        println!("  {:<22} {}{}", learner.name, world.api.url, learner.path());
    }
    println!("  Nobody is expired: an approval ends after a year, and the past can't be had through the api.");
}
