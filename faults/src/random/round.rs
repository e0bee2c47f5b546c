//! One round: learners in the background, one harm after the other in front.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::Result;
use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;
use vouch_cli::simulator::{AnswerScript, Script};
use vouch_tests::proxy::{Mode, Proxy};

use super::{
    Progress,
    harm::{Harm, How, Line, Throw},
};
use crate::{
    learners::{GOOD, Learners, Wish},
    patience,
    stage::Stage,
};

/// Whom the vendor turns down.
const BAD: Wish = Wish { name: "FAIL", ends: &["denied"], is_at_checkpoints: true };
/// Learners who wait to submit in one round, and how many of them the vendor turns down.
const LEARNERS: i64 = 240;
const BAD_LEARNERS: i64 = 60;
/// Learners who submit at once.
const AT_ONCE: usize = 3;
/// Time between a learner's answer and the next learner.
const LEARNER_PAUSE: Duration = Duration::from_millis(300);
/// After so many harms there is a breath, until another submission was answered: harms that come faster than this machine
/// can work would only show that nothing goes then.
const BREATH_EVERY: usize = 25;
/// How long a breath may take.
const BREATH_MAX: Duration = Duration::from_mins(4);
/// How long a program may take to end by itself before it is killed.
const END_MAX: Duration = Duration::from_millis(1500);
/// Mails that one worker sends at once: so many may come again when it is killed or cut off.
const MAILS_AT_ONCE: usize = 10;
/// Dumps of Redis that are kept for the search for secrets.
const DUMPS_MAX: usize = 10;
/// The second worker of each kind, and its queues.
const MORE_WORKERS: [(&str, &str); 3] =
    [("photos-2", "photos"), ("vendor-2", "vendor"), ("rest-2", "results,credit,mail,events,upkeep")];

/// Does harm until so many programs were killed, or the time is over.
pub async fn play(stage: &mut Stage, progress: &Arc<Progress>, kills: usize) -> Result<()> {
    stage.may_quarantine = true;
    stage.without_downloads()?;
    for (name, queues) in MORE_WORKERS {
        stage.add(name, "vouch-worker", &["--queues", queues], super::SETTINGS).await?;
    }
    stage.start_all().await?;
    let good = stage.learners.register(LEARNERS - BAD_LEARNERS, GOOD).await?;
    let bad = stage.learners.register(BAD_LEARNERS, BAD).await?;
    let everybody = mix(good, bad);
    let is_enough = Arc::new(AtomicBool::new(false));
    let submitting = tokio::spawn(submit(Arc::clone(&stage.learners), everybody, Arc::clone(&is_enough)));
    let mut round = Round { broken_lines: Vec::new(), killed: 0, submitted: 0 };
    for harms in 1.. {
        if round.killed >= kills || progress.is_over() {
            break;
        }
        let throw = Throw::next(&mut stage.dice, stage.programs.len());
        tokio::time::sleep(throw.pause).await;
        let before = round.killed;
        round.restart(stage)?;
        round.mend(stage);
        progress.count(throw.harm.name());
        round.harm(stage, throw.harm).await?;
        progress.kills.fetch_add(round.killed - before, SeqCst);
        let submitted = stage.learners.accepted();
        progress.submissions.fetch_add(submitted - round.submitted, SeqCst);
        if harms % BREATH_EVERY == 0 {
            round.breathe(stage, &submitting).await?;
        }
        round.submitted = submitted;
    }
    is_enough.store(true, SeqCst);
    stage.heal().await?;
    submitting.await??;
    progress.submissions.fetch_add(stage.learners.accepted() - round.submitted, SeqCst);
    // What waits for its next try need not wait that long: an hour goes by.
    stage.sql("UPDATE jobs SET due_at = now() WHERE phase = 'waiting' AND dead_at IS NULL AND due_at > now()").await
}

/// Every fourth is one whom the vendor turns down.
fn mix(good: Vec<i64>, bad: Vec<i64>) -> Vec<(i64, Wish)> {
    let mut good = good.into_iter();
    let mut mixed = Vec::new();
    for user in bad {
        mixed.push((user, BAD));
        mixed.extend(good.by_ref().take(3).map(|user| (user, GOOD)));
    }
    mixed
}

/// Submits until it is enough; whoever has begun is answered first.
async fn submit(learners: Arc<Learners>, everybody: Vec<(i64, Wish)>, is_enough: Arc<AtomicBool>) -> Result<()> {
    let one = |(user, wish)| {
        let (learners, is_enough) = (&learners, &is_enough);
        async move {
            if is_enough.load(SeqCst) {
                return Ok(());
            }
            learners.submit_one(user, wish).await?;
            tokio::time::sleep(LEARNER_PAUSE).await;
            anyhow::Ok(())
        }
    };
    let mut answers = stream::iter(everybody).map(one).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}

struct Round {
    /// Lines that are broken, and how many harms later each is mended.
    broken_lines: Vec<(Line, usize)>,
    /// Programs that were killed.
    killed: usize,
    /// Submissions that were counted already.
    submitted: usize,
}

impl Round {
    /// Starts again what does not run, as a supervisor does; what has ended by itself is told.
    fn restart(&self, stage: &mut Stage) -> Result<()> {
        let mut ended = Vec::new();
        for program in &mut stage.programs {
            if let Some(code) = program.has_ended() {
                ended.push(format!("{} ended by itself with {code}", program.name));
            }
            program.start()?;
        }
        stage.broken.append(&mut ended);
        Ok(())
    }

    fn mend(&mut self, stage: &mut Stage) {
        for (line, left) in &mut self.broken_lines {
            *left -= 1;
            if *left == 0 {
                proxy(stage, *line).heal();
            }
        }
        self.broken_lines.retain(|(_, left)| *left > 0);
    }

    /// All lines are mended and all programs run, until another learner was answered or all were.
    async fn breathe<T>(&mut self, stage: &mut Stage, submitting: &JoinHandle<T>) -> Result<()> {
        self.broken_lines.drain(..).for_each(|(line, _)| proxy(stage, line).heal());
        self.restart(stage)?;
        let learners = Arc::clone(&stage.learners);
        let before = learners.accepted();
        patience(BREATH_MAX, "a submission to be answered while all is well", async || {
            (learners.accepted() > before || submitting.is_finished()).then_some(())
        })
        .await
    }

    async fn harm(&mut self, stage: &mut Stage, harm: Harm) -> Result<()> {
        match harm {
            Harm::Kill(place) => return self.kill(stage, place).await,
            Harm::Terminate(place) => return self.terminate(stage, place).await,
            Harm::RedisFlushed => return stage.ground.redis.ask(&["FLUSHALL"]).await,
            Harm::RedisSaved => {
                let dump = stage.ground.redis.snapshot().await?;
                if stage.dumps.len() < DUMPS_MAX {
                    stage.dumps.push(dump);
                }
            }
            Harm::RedisKilled { keeps_dump } => {
                stage.ground.redis.kill().await?;
                stage.server_kills += 1;
                if !keeps_dump {
                    stage.ground.redis.forget_dump();
                }
                return stage.ground.redis.up().await;
            }
            Harm::PostgresRestarted => {
                stage.ground.postgres.stop().await?;
                stage.server_kills += 1;
                stage.disturbances += 2 * MAILS_AT_ONCE;
                return stage.ground.postgres.up().await;
            }
            Harm::Line { line, how, lasts } => {
                self.break_line(stage, line, how);
                self.broken_lines.push((line, lasts));
            }
            Harm::Vendor(answer) => vendor_answers(stage, answer)?,
            Harm::Mail(fault, count) => {
                stage.disturbances += count;
                stage.mail.set(Some((fault, count)));
            }
        }
        Ok(())
    }

    async fn kill(&mut self, stage: &mut Stage, place: usize) -> Result<()> {
        let program = &mut stage.programs[place];
        let was_running = program.kill().await?;
        let sends_mail = program.name.starts_with("rest");
        program.start()?;
        self.killed += usize::from(was_running);
        stage.disturbances += if sends_mail { MAILS_AT_ONCE } else { 0 };
        Ok(())
    }

    /// A program that has not yet got as far as to listen for the signal ends by it, without a code.
    async fn terminate(&mut self, stage: &mut Stage, place: usize) -> Result<()> {
        let program = &mut stage.programs[place];
        program.signal("TERM").await?;
        match tokio::time::timeout(END_MAX, program.wait_for_end()).await {
            Ok(code) => {
                let (code, name) = (code?, program.name.clone());
                program.start()?;
                stage.expect(matches!(code, None | Some(0)), format!("{name} ended with {code:?} after SIGTERM"));
                Ok(())
            }
            Err(_) => self.kill(stage, place).await,
        }
    }

    fn break_line(&mut self, stage: &mut Stage, line: Line, how: How) {
        let line = proxy(stage, line);
        match how {
            How::Cut => line.cut(),
            How::Silent => line.set(Mode::Silent),
            How::Closed => line.set(Mode::Closed),
            How::CutAfter(requests) => line.cut_after_requests(requests),
            How::CutBeforeAnswer(requests) => line.cut_before_answer(requests),
        }
        stage.disturbances += MAILS_AT_ONCE;
    }
}

fn vendor_answers(stage: &Stage, answer: AnswerScript) -> Result<()> {
    Ok(stage.vendor.set_script(Script { answer, ..stage.well.clone() })?)
}

fn proxy(stage: &Stage, line: Line) -> &Proxy {
    match line {
        Line::Redis => &stage.redis,
        Line::Vendor => &stage.vendor_line,
        Line::Mail => &stage.mail_line,
        Line::Postgres(place) => &stage.programs[place].postgres,
    }
}
