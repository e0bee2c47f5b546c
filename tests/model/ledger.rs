//! What may happen next. What comes of it is in `outcomes`.

use stateright::{Model, Property};

use super::{
    properties,
    rules::Rule,
    state::{Cause, JOBS, Phase, Relay, Row, State, Ticket, WORKERS, Worker},
};

/// A ledger with some of its rules, and how much goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    /// The rules that are taken out, as bits.
    pub without: u16,
    /// How many relays run.
    pub relays: usize,
    /// Tickets on the list at which a relay hands out no more.
    pub high_water: usize,
    /// Faults that may happen in all.
    pub faults: u8,
    /// Whether the first job ends every worker that begins it.
    pub is_poisoned: bool,
    /// Whether a job may be lost for a while.
    pub forgives_loss: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { without: 0, relays: 1, high_water: 1, faults: 2, is_poisoned: false, forgives_loss: false }
    }
}

/// Something that happens. Workers and relays are named by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Born(usize),
    Caused(usize),
    RowFollows(usize),
    Swept(usize),
    Looked(usize),
    HandedOut(usize, usize),
    NothingDue(usize),
    Pushed(usize),
    TookBack(usize),
    Popped(usize),
    Claimed(usize),
    CommittedEffect(usize),
    Settled(usize),
    EndedItsWorker(usize),
    Woke(usize),
    FellDue(usize),
    Fault(Fault),
}

/// Something that goes wrong, or that an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    ApiDies(usize),
    RelayDies(usize),
    /// The push was done, and the relay thinks that it was not.
    PushUnheard(usize),
    PushFails(usize),
    WorkerDies(usize),
    WorkerFreezes(usize),
    TryFails(usize),
    GivenBack(usize),
    RedisErased,
    TicketVanishes(usize),
    TicketReturns(Ticket),
    /// The list is so slow that a ticket on it falls due.
    FellDueOnTheList(usize),
}

impl Ledger {
    pub fn without(mut self, rule: Rule) -> Self {
        self.without |= 1 << rule as u16;
        self
    }

    pub fn has(&self, rule: Rule) -> bool {
        self.without & (1 << rule as u16) == 0
    }

    /// What happens when nothing goes wrong any more.
    pub fn steps(&self, state: &State, events: &mut Vec<Event>) {
        for (number, job) in state.jobs.iter().enumerate() {
            match job.cause {
                Cause::NotYet if self.has(Rule::BornWithItsCause) => events.push(Event::Born(number)),
                Cause::NotYet => events.push(Event::Caused(number)),
                Cause::WithoutRow => events.push(Event::RowFollows(number)),
                Cause::Committed if job.row.is_none() && job.effects == 0 && self.has(Rule::Sweep) => {
                    events.push(Event::Swept(number));
                }
                Cause::Committed => {}
            }
            if job.row.is_some_and(|row| !row.is_dead && !row.is_due && self.falls_due(state, number, row)) {
                events.push(Event::FellDue(number));
            }
        }
        self.steps_of_relays(state, events);
        self.steps_of_workers(state, events);
    }

    /// Whether a deadline passes by itself: it waits for another try, or nobody who lives has it in hand.
    fn falls_due(&self, state: &State, job: usize, row: Row) -> bool {
        let ticket = Ticket { job, generation: row.generation };
        let lives = |worker: &Worker| !worker.is_frozen();
        match row.phase {
            Phase::Waiting => true,
            Phase::Dispatched => {
                let is_taken = |worker: &Worker| matches!(worker, Worker::Taken { ticket: taken, .. } if *taken == ticket);
                self.has(Rule::TimeHeals)
                    && !state.list.contains(&ticket)
                    && !state
                        .relays
                        .iter()
                        .any(|relay| matches!(relay, Relay::Holding(held) | Relay::TakingBack(held) if *held == ticket))
                    && !state.workers.iter().any(|worker| lives(worker) && is_taken(worker))
            }
            Phase::Running => {
                let works = |worker: &Worker| matches!(worker, Worker::Working { lease, .. } if *lease == ticket);
                let beats = |worker: &Worker| self.has(Rule::Heartbeat) && lives(worker) && works(worker);
                self.has(Rule::TimeHeals) && !state.workers.iter().any(beats)
            }
        }
    }

    fn steps_of_relays(&self, state: &State, events: &mut Vec<Event>) {
        let due = |job: &usize| state.jobs[*job].row.is_some_and(|row| row.is_due && !row.is_dead);
        let has_room = state.list.len() < self.high_water || !self.has(Rule::ListIsShort);
        for place in 0..self.relays {
            // Of relays that are at the same thing one is enough.
            if place > 0 && state.relays[place] == state.relays[place - 1] {
                continue;
            }
            match state.relays[place] {
                Relay::Idle if has_room && (0..JOBS).any(|job| due(&job)) => events.push(Event::Looked(place)),
                Relay::Idle => {}
                Relay::Looked => {
                    events.extend((0..JOBS).filter(due).map(|job| Event::HandedOut(place, job)));
                    if !(0..JOBS).any(|job| due(&job)) {
                        events.push(Event::NothingDue(place));
                    }
                }
                Relay::Holding(_) => events.push(Event::Pushed(place)),
                Relay::TakingBack(_) => events.push(Event::TookBack(place)),
            }
        }
    }

    fn steps_of_workers(&self, state: &State, events: &mut Vec<Event>) {
        for place in 0..WORKERS {
            if place > 0 && state.workers[place] == state.workers[place - 1] {
                continue;
            }
            match state.workers[place] {
                worker if worker.is_frozen() => events.push(Event::Woke(place)),
                Worker::Idle if state.list.is_empty() => {}
                Worker::Idle => events.push(Event::Popped(place)),
                Worker::Taken { .. } => events.push(Event::Claimed(place)),
                Worker::Working { lease, .. } if self.is_poisoned && lease.job == 0 => events.push(Event::EndedItsWorker(place)),
                Worker::Working { has_effect: false, .. } if !self.has(Rule::EffectGoesWithRow) => {
                    events.push(Event::CommittedEffect(place));
                }
                Worker::Working { .. } => events.push(Event::Settled(place)),
            }
        }
    }

    fn faults(&self, state: &State, events: &mut Vec<Event>) {
        let mut push = |fault| events.push(Event::Fault(fault));
        for (number, job) in state.jobs.iter().enumerate() {
            if job.cause == Cause::WithoutRow {
                push(Fault::ApiDies(number));
            }
            if job.row.is_some_and(|row| row.phase == Phase::Dispatched && !row.is_due && !self.falls_due(state, number, row)) {
                push(Fault::FellDueOnTheList(number));
            }
            // A dump of any age may be read back.
            for generation in 1..=job.hand_outs {
                push(Fault::TicketReturns(Ticket { job: number, generation }));
            }
        }
        for place in 0..self.relays {
            match state.relays[place] {
                Relay::Idle | Relay::Looked => {}
                Relay::Holding(_) => {
                    [Fault::RelayDies, Fault::PushUnheard, Fault::PushFails].into_iter().for_each(|fault| push(fault(place)));
                }
                Relay::TakingBack(_) => push(Fault::RelayDies(place)),
            }
        }
        for place in 0..WORKERS {
            match state.workers[place] {
                Worker::Idle => {}
                worker if worker.is_frozen() => push(Fault::WorkerDies(place)),
                Worker::Taken { .. } => {
                    [Fault::WorkerDies, Fault::WorkerFreezes].into_iter().for_each(|fault| push(fault(place)));
                }
                Worker::Working { .. } => {
                    let all = [Fault::WorkerDies, Fault::WorkerFreezes, Fault::TryFails, Fault::GivenBack];
                    all.into_iter().for_each(|fault| push(fault(place)));
                }
            }
        }
        if state.list.len() > 1 {
            push(Fault::RedisErased);
        }
        (0..state.list.len()).for_each(|place| push(Fault::TicketVanishes(place)));
    }
}

impl Model for Ledger {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(self.relays)]
    }

    fn actions(&self, state: &State, events: &mut Vec<Event>) {
        self.steps(state, events);
        if state.faults < self.faults {
            self.faults(state, events);
        }
    }

    fn next_state(&self, state: &State, event: Event) -> Option<State> {
        let mut next = state.clone();
        match event {
            Event::Fault(fault) => {
                next.faults += 1;
                self.fail(&mut next, fault);
            }
            event => self.go_on(&mut next, event),
        }
        next.relays.sort_unstable();
        next.workers.sort_unstable();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
