//! The checker: what must hold after every scenario, as pure functions over what was gathered.
//!
//! | | must hold |
//! |---|---|
//! | I1 | every submission that was answered 2xx exists, ended as it should, and its learner was written to |
//! | I2 | the vendor has one order an attempt, of one substance, and none that nobody submitted |
//! | I3 | no move out of a final state, none twice |
//! | I4 | credit is counted once, and says what the verdict says |
//! | I5 | a learner gets each mail once; a second one around a kill has the same `Message-ID` |
//! | I6 | nothing is left: no job, no lease, no entry in Redis, no callback that nobody applied |
//! | I7 | no planted name, address, photo or secret in logs, Redis, metrics |
//! | I8 | memory, files, threads and connections stay within bounds |

pub mod facts;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use facts::Facts;

/// Resident memory of one process at its highest, in MiB: photos of 40 megapixels may be open.
const RSS_MIB_MAX: u64 = 800;
/// Open files and sockets of one process.
const FILES_MAX: usize = 512;
/// Threads of one process; tokio keeps up to 512 for blocking work.
const THREADS_MAX: usize = 560;

/// What was found to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule, such as `I1`.
    pub rule: &'static str,
    pub kind: Kind,
    pub text: String,
}

/// How the table counts a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Lost,
    Doubled,
    Other,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

const FINAL: [&str; 2] = ["approved", "denied"];

/// Everything that is broken; nothing when all is well.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let rules: [fn(&Facts) -> Vec<Finding>; 8] =
        [none_lost, vendor_once, one_end, credit_once, mail_once, drained, no_secrets, bounded];
    rules.iter().flat_map(|rule| rule(facts)).collect()
}

fn finding(rule: &'static str, kind: Kind, text: String) -> Finding {
    Finding { rule, kind, text }
}

/// I1
fn none_lost(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let statuses: BTreeMap<&str, &str> =
        facts.attempts.iter().map(|attempt| (attempt.receipt.as_str(), attempt.status.as_str())).collect();
    let subjects: BTreeSet<(i64, &str)> = facts.mails.iter().map(|mail| (mail.user, mail.subject.as_str())).collect();
    let has_mail = |user: i64, part: &str| subjects.iter().any(|(to, subject)| *to == user && subject.contains(part));
    for accepted in &facts.accepted {
        let receipt = &accepted.receipt;
        match statuses.get(receipt.as_str()) {
            None => found.push(finding("I1", Kind::Lost, format!("{receipt} was accepted and does not exist"))),
            Some(status) if !accepted.ends.contains(status) => {
                found.push(finding("I1", Kind::Lost, format!("{receipt} is {status}, and should be {:?}", accepted.ends)));
            }
            Some(_) if !has_mail(accepted.user, "photos received") => {
                found.push(finding("I1", Kind::Lost, format!("the learner of {receipt} was not told that it arrived")));
            }
            Some(&"approved") if !has_mail(accepted.user, "approved") => {
                found.push(finding("I1", Kind::Lost, format!("the learner of {receipt} was not told of the approval")));
            }
            Some(&"denied") if !has_mail(accepted.user, "needs another try") => {
                found.push(finding("I1", Kind::Lost, format!("the learner of {receipt} was not told of the denial")));
            }
            Some(_) => {}
        }
    }
    for name in &facts.objects_missing {
        found.push(finding("I1", Kind::Lost, format!("a row names the object {name}, and the store does not have it")));
    }
    // One submission that is sent again and again with its key is one attempt.
    let mut attempts_of: BTreeMap<i64, usize> = BTreeMap::new();
    for attempt in &facts.attempts {
        *attempts_of.entry(attempt.user).or_default() += 1;
    }
    for (user, count) in attempts_of {
        if count > 1 {
            found.push(finding("I1", Kind::Doubled, format!("learner {user} submitted once and has {count} attempts")));
        }
        if !facts.submitters.contains(&user) {
            found.push(finding("I1", Kind::Other, format!("learner {user} never submitted and has an attempt")));
        }
    }
    found
}

/// I2
fn vendor_once(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let known: BTreeSet<&str> = facts.attempts.iter().map(|attempt| attempt.receipt.as_str()).collect();
    let mut orders: BTreeMap<&str, usize> = BTreeMap::new();
    let mut substances: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in &facts.vendor_calls {
        let is_new = call.decision == "accepted";
        if !(is_new || call.decision == "repeated") {
            continue;
        }
        *orders.entry(&call.receipt).or_default() += usize::from(is_new);
        substances.entry(&call.receipt).or_default().insert(&call.substance);
        if !known.contains(call.receipt.as_str()) {
            found.push(finding("I2", Kind::Other, format!("the vendor has {}, which nobody submitted", call.receipt)));
        }
    }
    for attempt in facts.attempts.iter().filter(|attempt| attempt.was_submitted) {
        if orders.get(attempt.receipt.as_str()).copied().unwrap_or_default() == 0 {
            found.push(finding(
                "I2",
                Kind::Lost,
                format!("{} counts as submitted, and the vendor has no order", attempt.receipt),
            ));
        }
    }
    for (receipt, count) in orders.iter().filter(|(_, count)| **count > 1) {
        found.push(finding("I2", Kind::Doubled, format!("the vendor has {count} orders for {receipt}")));
    }
    for (receipt, kinds) in substances.iter().filter(|(_, kinds)| kinds.len() > 1) {
        found.push(finding("I2", Kind::Doubled, format!("the vendor got {} different submissions of {receipt}", kinds.len())));
    }
    found
}

/// I3
fn one_end(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut moves: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in facts.history.iter().filter(|entry| entry.from != entry.to) {
        *moves.entry((&entry.receipt, &entry.to)).or_default() += 1;
        if FINAL.contains(&entry.from.as_str()) {
            found.push(finding("I3", Kind::Doubled, format!("{} went from {} to {}", entry.receipt, entry.from, entry.to)));
        }
    }
    for ((receipt, to), count) in moves.iter().filter(|(_, count)| **count > 1) {
        found.push(finding("I3", Kind::Doubled, format!("{receipt} became {to} {count} times")));
    }
    for attempt in facts.attempts.iter().filter(|attempt| FINAL.contains(&attempt.status.as_str())) {
        if !moves.contains_key(&(attempt.receipt.as_str(), attempt.status.as_str())) {
            found.push(finding("I3", Kind::Lost, format!("{} is {} without a line of history", attempt.receipt, attempt.status)));
        }
    }
    found
}

/// I4
fn credit_once(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut credits: BTreeMap<(i64, i64), usize> = BTreeMap::new();
    let mut state: BTreeMap<i64, &str> = BTreeMap::new();
    for credit in &facts.credits {
        *credits.entry((credit.user, credit.requirement)).or_default() += 1;
        state.insert(credit.user, &credit.status);
    }
    for ((user, requirement), count) in credits.iter().filter(|(_, count)| **count > 1) {
        found.push(finding("I4", Kind::Doubled, format!("requirement {requirement} counts {count} times for learner {user}")));
    }
    let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in &facts.checkpoint_statuses {
        *told.entry((&entry.receipt, &entry.status)).or_default() += 1;
    }
    for ((receipt, status), count) in told.iter().filter(|(_, count)| **count > 1) {
        found.push(finding("I4", Kind::Doubled, format!("the checkpoint of {receipt} became {status} {count} times")));
    }
    for accepted in facts.accepted.iter().filter(|accepted| accepted.is_at_checkpoint) {
        let Some(attempt) = facts.attempts.iter().find(|attempt| attempt.receipt == accepted.receipt) else { continue };
        let wanted = match attempt.status.as_str() {
            "approved" => "satisfied",
            "denied" => "failed",
            _ => continue,
        };
        if state.get(&accepted.user) != Some(&wanted) {
            found.push(finding(
                "I4",
                Kind::Lost,
                format!("{} is {}, and its requirement is not {wanted}", accepted.receipt, attempt.status),
            ));
        }
        let eligible = facts.eligible.iter().filter(|user| **user == accepted.user).count();
        if eligible != usize::from(wanted == "satisfied") {
            found.push(finding("I4", Kind::Other, format!("learner {} is eligible {eligible} times", accepted.user)));
        }
    }
    found
}

/// I5
fn mail_once(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut groups: BTreeMap<(i64, &str), Vec<&str>> = BTreeMap::new();
    for mail in &facts.mails {
        groups.entry((mail.user, &mail.subject)).or_default().push(&mail.message_id);
    }
    let mut repeated = 0;
    for ((user, subject), ids) in groups {
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        repeated += ids.len() - distinct.len();
        if distinct.len() > 1 {
            found.push(finding("I5", Kind::Doubled, format!("learner {user} got `{subject}` as {} mails", distinct.len())));
        }
    }
    if repeated > facts.disturbances {
        let text = format!("{repeated} mails came again, and only {} kills or cuts explain one", facts.disturbances);
        found.push(finding("I5", Kind::Doubled, text));
    }
    found
}

/// I6
fn drained(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts
        .jobs
        .iter()
        .map(|job| {
            let state = if job.is_dead { "dead" } else { &job.phase };
            finding("I6", Kind::Lost, format!("the job {} ({}) is left, {state}", job.id, job.kind))
        })
        .collect();
    if facts.redis_entries > 0 {
        found.push(finding("I6", Kind::Other, format!("{} entries lie on Redis' lists", facts.redis_entries)));
    }
    if facts.callbacks_open > 0 {
        found.push(finding("I6", Kind::Lost, format!("{} callbacks were kept and not applied", facts.callbacks_open)));
    }
    found
}

/// I7
fn no_secrets(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (place, bytes) in &facts.texts {
        for (what, marker) in &facts.markers {
            if contains(bytes, marker) {
                found.push(finding("I7", Kind::Other, format!("{what} stands in {place}")));
            }
        }
    }
    found
}

/// I8
fn bounded(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for process in &facts.processes {
        let bounds = [
            ("MiB of memory", usize::try_from(process.rss_mib).unwrap_or(usize::MAX), RSS_MIB_MAX as usize),
            ("open files", process.files, FILES_MAX),
            ("threads", process.threads, THREADS_MAX),
        ];
        for (what, has, may) in bounds.into_iter().filter(|(_, has, may)| has > may) {
            found.push(finding("I8", Kind::Other, format!("{} has {has} {what}, more than {may}", process.name)));
        }
    }
    if facts.connections > facts.connections_max {
        let text = format!("{} connections to Postgres, more than {}", facts.connections, facts.connections_max);
        found.push(finding("I8", Kind::Other, text));
    }
    found
}

fn contains(text: &[u8], marker: &[u8]) -> bool {
    !marker.is_empty() && text.windows(marker.len()).any(|window| window == marker)
}
