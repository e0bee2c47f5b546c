//! What the model looks at: rows, tickets, relays and workers.

/// Jobs of the model.
pub const JOBS: usize = 2;
/// Workers of the model, of one slot each.
pub const WORKERS: usize = 2;
/// Deliveries without an outcome after which a job is dead.
pub const DELIVERIES_MAX: u8 = 3;

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub jobs: [Job; JOBS],
    /// Sorted: relays are alike.
    pub relays: Vec<Relay>,
    /// Sorted: workers are alike.
    pub workers: [Worker; WORKERS],
    /// The list in Redis.
    pub list: Vec<Ticket>,
    /// Faults so far.
    pub faults: u8,
    /// Tickets that Redis gave back.
    pub restored: u8,
}

/// A piece of work: what caused it, its row, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Job {
    pub cause: Cause,
    pub row: Option<Row>,
    /// How often its effect was committed.
    pub effects: u8,
    /// How often it was handed out.
    pub hand_outs: u8,
    /// How often there was a reason for another handing-out: a fault, or a worker that the job ended.
    pub reasons: u8,
    /// Somebody acted on it whose lease was not the row's.
    pub was_touched_by_another: bool,
    /// A claim gave a lease that was not the row's.
    pub was_claimed_in_vain: bool,
}

/// Whether the transaction that makes a job necessary has been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    NotYet,
    /// It has, and the row is still to come: only without rule 1.
    WithoutRow,
    Committed,
}

/// A row of the table `jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    pub generation: u8,
    pub phase: Phase,
    /// `due_at` has passed.
    pub is_due: bool,
    pub deliveries: u8,
    pub is_dead: bool,
}

/// The column `phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Waiting,
    Dispatched,
    Running,
}

/// An entry of the list, and the right that a claim makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub job: usize,
    pub generation: u8,
}

/// What a relay is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Relay {
    Idle,
    /// It saw room on the list.
    Looked,
    /// It handed the job out and has not pushed the ticket yet.
    Holding(Ticket),
    /// It thinks that the push failed.
    TakingBack(Ticket),
}

/// What a worker's slot is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Worker {
    Idle,
    /// It took a ticket from the list and has not claimed it yet.
    Taken {
        ticket: Ticket,
        is_frozen: bool,
    },
    /// It works. `has_effect`: the effect is committed and the row is not gone yet; only without rule 4.
    Working {
        lease: Ticket,
        is_frozen: bool,
        has_effect: bool,
    },
}

impl Worker {
    pub fn is_frozen(&self) -> bool {
        match self {
            Self::Idle => false,
            Self::Taken { is_frozen, .. } | Self::Working { is_frozen, .. } => *is_frozen,
        }
    }

    pub fn thing(&self) -> Option<Ticket> {
        match self {
            Self::Idle => None,
            Self::Taken { ticket, .. } => Some(*ticket),
            Self::Working { lease, .. } => Some(*lease),
        }
    }
}

impl State {
    pub fn start(relays: usize) -> Self {
        let job = Job {
            cause: Cause::NotYet,
            row: None,
            effects: 0,
            hand_outs: 0,
            reasons: 0,
            was_touched_by_another: false,
            was_claimed_in_vain: false,
        };
        Self {
            jobs: [job; JOBS],
            relays: vec![Relay::Idle; relays],
            workers: [Worker::Idle; WORKERS],
            list: Vec::new(),
            faults: 0,
            restored: 0,
        }
    }

    /// Whether the row of a ticket's job has the ticket's generation.
    pub fn is_of_row(&self, ticket: Ticket) -> bool {
        self.jobs[ticket.job].row.is_some_and(|row| row.generation == ticket.generation)
    }
}
