//! What comes of each step and each fault.

use super::{
    ledger::{Event, Fault, Ledger},
    rules::Rule,
    state::{Cause, DELIVERIES_MAX, Phase, Relay, Row, State, Ticket, Worker},
};

const NEW_ROW: Row = Row { generation: 0, phase: Phase::Waiting, is_due: true, deliveries: 0, is_dead: false };

impl Ledger {
    pub fn go_on(&self, next: &mut State, event: Event) {
        match event {
            Event::Born(job) | Event::RowFollows(job) | Event::Swept(job) => {
                next.jobs[job].cause = Cause::Committed;
                next.jobs[job].row = Some(NEW_ROW);
            }
            Event::Caused(job) => next.jobs[job].cause = Cause::WithoutRow,
            Event::Looked(place) => next.relays[place] = Relay::Looked,
            Event::HandedOut(place, job) => next.relays[place] = self.hand_out(next, job),
            Event::NothingDue(place) => next.relays[place] = Relay::Idle,
            Event::Pushed(place) => {
                if let Relay::Holding(ticket) = next.relays[place] {
                    next.list.push(ticket);
                }
                next.relays[place] = Relay::Idle;
            }
            Event::TookBack(place) => {
                if let Relay::TakingBack(ticket) = next.relays[place] {
                    take_back(next, ticket);
                }
                next.relays[place] = Relay::Idle;
            }
            Event::Popped(place) => next.workers[place] = Worker::Taken { ticket: next.list.remove(0), is_frozen: false },
            Event::Claimed(place) => next.workers[place] = self.claim(next, next.workers[place]),
            Event::CommittedEffect(place) => next.workers[place] = commit_effect(next, next.workers[place]),
            Event::Settled(place) => {
                self.settle(next, next.workers[place]);
                next.workers[place] = Worker::Idle;
            }
            Event::EndedItsWorker(place) => end_worker(next, place),
            Event::Woke(place) => match &mut next.workers[place] {
                Worker::Idle => {}
                Worker::Taken { is_frozen, .. } | Worker::Working { is_frozen, .. } => *is_frozen = false,
            },
            Event::FellDue(job) => next.jobs[job].row.iter_mut().for_each(|row| row.is_due = true),
            Event::Fault(_) => unreachable!("faults have a function of their own"),
        }
    }

    fn hand_out(&self, next: &mut State, number: usize) -> Relay {
        let job = &mut next.jobs[number];
        let Some(row) = &mut job.row else { return Relay::Idle };
        if row.deliveries >= DELIVERIES_MAX && self.has(Rule::DeliveriesEnd) {
            *row = Row { is_dead: true, phase: Phase::Waiting, is_due: false, ..*row };
            return Relay::Idle;
        }
        row.generation += 1;
        row.phase = Phase::Dispatched;
        row.is_due = !self.has(Rule::DeadlineMoves);
        job.hand_outs += 1;
        Relay::Holding(Ticket { job: number, generation: row.generation })
    }

    fn claim(&self, next: &mut State, worker: Worker) -> Worker {
        let Worker::Taken { ticket, .. } = worker else { return worker };
        let working = Worker::Working { lease: ticket, is_frozen: false, has_effect: false };
        if !self.has(Rule::ClaimFirst) {
            return working;
        }
        let job = &mut next.jobs[ticket.job];
        let Some(row) = &mut job.row else { return Worker::Idle };
        let has_phase = row.phase == Phase::Dispatched || !self.has(Rule::ClaimAsksPhase);
        let has_generation = row.generation == ticket.generation || !self.has(Rule::ClaimAsksGeneration);
        if row.is_dead || !has_phase || !has_generation {
            return Worker::Idle;
        }
        job.was_claimed_in_vain |= row.generation != ticket.generation;
        *row = Row { phase: Phase::Running, is_due: false, deliveries: row.deliveries + 1, ..*row };
        working
    }

    /// Whether a settling statement finds its row; notes when it was not its own.
    fn finds_row(&self, next: &mut State, lease: Ticket) -> bool {
        let is_own = next.is_of_row(lease);
        let is_found =
            next.jobs[lease.job].row.is_some_and(|row| !row.is_dead) && (is_own || !self.has(Rule::SettleAsksGeneration));
        next.jobs[lease.job].was_touched_by_another |= is_found && !is_own;
        is_found
    }

    fn settle(&self, next: &mut State, worker: Worker) {
        let Worker::Working { lease, has_effect, .. } = worker else { return };
        let is_found = self.finds_row(next, lease);
        if is_found {
            next.jobs[lease.job].row = None;
        }
        if (is_found || !self.has(Rule::RowIsTheRight)) && !has_effect {
            next.jobs[lease.job].effects += 1;
        }
    }

    pub fn fail(&self, next: &mut State, fault: Fault) {
        match fault {
            Fault::ApiDies(job) => next.jobs[job].cause = Cause::Committed,
            Fault::RelayDies(place) | Fault::PushUnheard(place) | Fault::PushFails(place) => fail_push(next, fault, place),
            Fault::WorkerDies(place) => end_worker(next, place),
            Fault::WorkerFreezes(place) => {
                blame(next, next.workers[place].thing());
                match &mut next.workers[place] {
                    Worker::Idle => {}
                    Worker::Taken { is_frozen, .. } | Worker::Working { is_frozen, .. } => *is_frozen = true,
                }
            }
            Fault::TryFails(place) | Fault::GivenBack(place) => {
                let Worker::Working { lease, .. } = next.workers[place] else { return };
                let is_found = self.finds_row(next, lease);
                if let Some(row) = next.jobs[lease.job].row.as_mut().filter(|_| is_found) {
                    *row = match fault {
                        Fault::TryFails(_) => Row { phase: Phase::Waiting, is_due: false, deliveries: 0, ..*row },
                        _ => Row { phase: Phase::Waiting, is_due: true, deliveries: row.deliveries.saturating_sub(1), ..*row },
                    };
                }
                blame(next, Some(lease));
                next.workers[place] = Worker::Idle;
            }
            Fault::RedisErased => {
                let lost = std::mem::take(&mut next.list);
                lost.into_iter().for_each(|ticket| blame(next, Some(ticket)));
            }
            Fault::TicketVanishes(place) => {
                let lost = next.list.remove(place);
                blame(next, Some(lost));
            }
            Fault::TicketReturns(ticket) => {
                next.list.push(ticket);
                next.restored += 1;
            }
            Fault::FellDueOnTheList(job) => {
                next.jobs[job].reasons += 1;
                next.jobs[job].row.iter_mut().for_each(|row| row.is_due = true);
            }
        }
    }
}

fn commit_effect(next: &mut State, worker: Worker) -> Worker {
    let Worker::Working { lease, .. } = worker else { return worker };
    if !next.is_of_row(lease) {
        return Worker::Idle;
    }
    next.jobs[lease.job].effects += 1;
    Worker::Working { lease, is_frozen: false, has_effect: true }
}

fn take_back(next: &mut State, ticket: Ticket) {
    let is_own = next.is_of_row(ticket);
    if let Some(row) = next.jobs[ticket.job].row.as_mut().filter(|row| is_own && row.phase == Phase::Dispatched) {
        *row = Row { phase: Phase::Waiting, is_due: true, ..*row };
    }
}

fn end_worker(next: &mut State, place: usize) {
    blame(next, next.workers[place].thing());
    next.workers[place] = Worker::Idle;
}

fn fail_push(next: &mut State, fault: Fault, place: usize) {
    let (Relay::Holding(ticket) | Relay::TakingBack(ticket)) = next.relays[place] else { return };
    blame(next, Some(ticket));
    if matches!(fault, Fault::PushUnheard(_)) {
        next.list.push(ticket);
    }
    next.relays[place] = if matches!(fault, Fault::RelayDies(_)) { Relay::Idle } else { Relay::TakingBack(ticket) };
}

/// Something befell whoever had this in hand: a reason to hand the job out again.
fn blame(next: &mut State, ticket: Option<Ticket>) {
    if let Some(ticket) = ticket {
        next.jobs[ticket.job].reasons += 1;
    }
}
