use super::{
    facts::{Accepted, Attempt, CheckpointStatus, Credit, Facts, Job, Mail, Move, Process, VendorCall},
    *,
};

fn text(text: &str) -> String {
    text.to_owned()
}

fn step(from: &str, to: &str) -> Move {
    Move { receipt: text("r1"), from: text(from), to: text(to) }
}

fn mail(subject: &str, message_id: &str) -> Mail {
    Mail { user: 1, subject: text(subject), message_id: text(message_id) }
}

fn call(decision: &str) -> VendorCall {
    VendorCall { receipt: text("r1"), decision: text(decision), substance: text("name and sizes") }
}

/// One submission at a checkpoint that went well.
fn well() -> Facts {
    Facts {
        accepted: vec![Accepted { receipt: text("r1"), user: 1, is_at_checkpoint: true, ends: &["approved"] }],
        submitters: vec![1],
        attempts: vec![Attempt { receipt: text("r1"), user: 1, status: text("approved"), was_submitted: true }],
        history: vec![step("created", "ready"), step("ready", "submitted"), step("submitted", "approved")],
        vendor_calls: vec![call("fault"), call("accepted"), call("repeated")],
        checkpoint_statuses: vec![
            CheckpointStatus { receipt: text("r1"), status: text("submitted") },
            CheckpointStatus { receipt: text("r1"), status: text("approved") },
        ],
        credits: vec![Credit { user: 1, requirement: 5, status: text("satisfied") }],
        eligible: vec![1],
        mails: vec![mail("Verification photos received", "a"), mail("Your verification has been approved", "b")],
        texts: vec![(text("a log"), b"a job is done".to_vec())],
        markers: vec![("a name", b"Quillmarker".to_vec())],
        processes: vec![Process { name: text("worker"), rss_mib: 60, files: 40, threads: 8 }],
        connections: 5,
        connections_max: 10,
        ..Facts::default()
    }
}

/// What is found after a change to what went well.
fn found(change: impl Fn(&mut Facts)) -> Vec<(&'static str, Kind)> {
    let mut facts = well();
    change(&mut facts);
    check(&facts).into_iter().map(|finding| (finding.rule, finding.kind)).collect()
}

#[test]
fn what_went_well_has_no_findings() {
    assert_eq!(check(&well()), []);
}

#[test]
fn a_lost_submission_is_found() {
    assert!(found(|facts| facts.attempts.clear()).contains(&("I1", Kind::Lost)));
    let stuck = found(|facts| facts.attempts[0].status = text("ready"));
    assert!(stuck.contains(&("I1", Kind::Lost)), "{stuck:?}");
    assert_eq!(found(|facts| facts.mails.truncate(1)), [("I1", Kind::Lost)], "a mail that never came");
    assert_eq!(found(|facts| drop(facts.mails.remove(0))), [("I1", Kind::Lost)]);
    let denied = found(|facts| {
        facts.accepted[0] = Accepted { is_at_checkpoint: false, ends: &["denied"], ..facts.accepted[0].clone() };
        facts.attempts[0].status = text("denied");
        facts.history[2] = step("submitted", "denied");
    });
    assert_eq!(denied, [("I1", Kind::Lost)], "the mail tells of another verdict");
    assert_eq!(found(|facts| facts.objects_missing.push(text("face/r1"))), [("I1", Kind::Lost)]);
}

#[test]
fn a_submission_that_became_two_is_found() {
    let second = Attempt { receipt: text("r2"), user: 1, status: text("created"), was_submitted: false };
    assert_eq!(found(|facts| facts.attempts.push(second.clone())), [("I1", Kind::Doubled)]);
    assert_eq!(found(|facts| facts.submitters.clear()), [("I1", Kind::Other)], "an attempt of nobody");
}

#[test]
fn a_doubled_vendor_key_is_found() {
    assert_eq!(found(|facts| facts.vendor_calls.push(call("accepted"))), [("I2", Kind::Doubled)]);
    let other = VendorCall { substance: text("another name"), ..call("repeated") };
    assert_eq!(found(|facts| facts.vendor_calls.push(other.clone())), [("I2", Kind::Doubled)]);
    let stranger = VendorCall { receipt: text("r9"), ..call("accepted") };
    assert_eq!(found(|facts| facts.vendor_calls.push(stranger.clone())), [("I2", Kind::Other)]);
    assert_eq!(found(|facts| facts.vendor_calls.truncate(1)), [("I2", Kind::Lost)], "submitted, and the vendor knows nothing");
}

#[test]
fn a_second_final_move_is_found() {
    let moved = found(|facts| facts.history.push(step("approved", "denied")));
    assert_eq!(moved, [("I3", Kind::Doubled)]);
    assert_eq!(found(|facts| facts.history.push(step("submitted", "approved"))), [("I3", Kind::Doubled)]);
    assert_eq!(found(|facts| facts.history.truncate(2)), [("I3", Kind::Lost)], "a state that no line explains");
}

#[test]
fn doubled_and_missing_credit_is_found() {
    let again = Credit { user: 1, requirement: 5, status: text("satisfied") };
    assert_eq!(found(|facts| facts.credits.push(again.clone())), [("I4", Kind::Doubled)]);
    let told = CheckpointStatus { receipt: text("r1"), status: text("approved") };
    assert_eq!(found(|facts| facts.checkpoint_statuses.push(told.clone())), [("I4", Kind::Doubled)]);
    assert_eq!(found(|facts| facts.credits[0].status = text("failed")), [("I4", Kind::Lost)], "it went back");
    assert_eq!(found(|facts| facts.credits.clear()), [("I4", Kind::Lost)]);
    assert_eq!(found(|facts| facts.eligible.push(1)), [("I4", Kind::Other)]);
}

#[test]
fn a_doubled_mail_is_found() {
    let again = mail("Verification photos received", "a");
    assert_eq!(found(|facts| facts.mails.push(again.clone())), [("I5", Kind::Doubled)], "without a kill that explains it");
    let explained = found(|facts| {
        facts.mails.push(again.clone());
        facts.disturbances = 1;
    });
    assert_eq!(explained, []);
    let other = found(|facts| {
        facts.mails.push(mail("Verification photos received", "c"));
        facts.disturbances = 1;
    });
    assert_eq!(other, [("I5", Kind::Doubled)], "another Message-ID, which no kill explains");
}

#[test]
fn what_is_left_over_is_found() {
    let job = |phase: &str, is_dead| Job { id: 7, kind: text("send_email"), phase: text(phase), is_dead };
    assert_eq!(found(|facts| facts.jobs.push(job("running", false))), [("I6", Kind::Lost)], "a lease");
    assert_eq!(found(|facts| facts.jobs.push(job("waiting", true))), [("I6", Kind::Lost)], "a dead job");
    assert_eq!(found(|facts| facts.redis_entries = 1), [("I6", Kind::Other)]);
    assert_eq!(found(|facts| facts.callbacks_open = 1), [("I6", Kind::Lost)]);
}

#[test]
fn a_planted_marker_is_found() {
    let leak = (text("the dump of Redis"), b"\x00for Quillmarker 3\xff".to_vec());
    assert_eq!(found(|facts| facts.texts.push(leak.clone())), [("I7", Kind::Other)]);
}

#[test]
fn a_process_that_grows_is_found() {
    assert_eq!(found(|facts| facts.processes[0].rss_mib = RSS_MIB_MAX + 1), [("I8", Kind::Other)]);
    assert_eq!(found(|facts| facts.processes[0].files = FILES_MAX + 1), [("I8", Kind::Other)]);
    assert_eq!(found(|facts| facts.processes[0].threads = THREADS_MAX + 1), [("I8", Kind::Other)]);
    assert_eq!(found(|facts| facts.connections = 11), [("I8", Kind::Other)]);
}
