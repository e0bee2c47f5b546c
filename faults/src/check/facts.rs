//! What is known after a scenario: plain values, gathered from the database, the journals, Redis, the logs and `/proc`.

/// Everything that the checker looks at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Submissions that the api answered with 2xx.
    pub accepted: Vec<Accepted>,
    /// Learners who submitted, whatever was answered: each submits once, again and again with one key.
    pub submitters: Vec<i64>,
    pub attempts: Vec<Attempt>,
    pub history: Vec<Move>,
    pub vendor_calls: Vec<VendorCall>,
    pub checkpoint_statuses: Vec<CheckpointStatus>,
    pub credits: Vec<Credit>,
    pub eligible: Vec<i64>,
    pub mails: Vec<Mail>,
    /// How often a mail may have come a second time: a kill or a cut between the mail server's answer and the commit.
    pub disturbances: usize,
    pub jobs: Vec<Job>,
    /// Entries that lie on Redis' lists.
    pub redis_entries: u64,
    /// Callbacks that nobody applied.
    pub callbacks_open: i64,
    /// Logs, dumps and metrics: where they come from, and their bytes.
    pub texts: Vec<(String, Vec<u8>)>,
    /// What none of them may hold: what it is, and its bytes.
    pub markers: Vec<(&'static str, Vec<u8>)>,
    pub processes: Vec<Process>,
    pub connections: i64,
    pub connections_max: i64,
    /// Objects that rows name and the store does not have.
    pub objects_missing: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Accepted {
    pub receipt: String,
    pub user: i64,
    /// Whether it stands at a checkpoint, and so for credit.
    pub is_at_checkpoint: bool,
    /// The states in which it may end.
    pub ends: &'static [&'static str],
}

#[derive(Debug, Clone)]
pub struct Attempt {
    pub receipt: String,
    pub user: i64,
    pub status: String,
    /// Whether the vendor is known to have it.
    pub was_submitted: bool,
}

#[derive(Debug, Clone)]
pub struct Move {
    pub receipt: String,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Default)]
pub struct VendorCall {
    pub receipt: String,
    /// `accepted`: a new order; `repeated`: a known one; else it did not count.
    pub decision: String,
    /// What stays the same at every call for one attempt: digest of the name, sizes of the photos.
    pub substance: String,
}

#[derive(Debug, Clone)]
pub struct CheckpointStatus {
    pub receipt: String,
    pub status: String,
}

#[derive(Debug, Clone)]
pub struct Credit {
    pub user: i64,
    pub requirement: i64,
    pub status: String,
}

#[derive(Debug, Clone)]
pub struct Mail {
    pub user: i64,
    pub subject: String,
    pub message_id: String,
}

#[derive(Debug, Clone)]
pub struct Job {
    pub id: i64,
    pub kind: String,
    pub phase: String,
    pub is_dead: bool,
}

#[derive(Debug, Clone)]
pub struct Process {
    pub name: String,
    pub rss_mib: u64,
    pub files: usize,
    pub threads: usize,
}
