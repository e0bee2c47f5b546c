//! What must hold at every moment: the rules, said of what they are for.

use stateright::Property;

use super::{
    ledger::Ledger,
    state::{Cause, DELIVERIES_MAX, State, Worker},
};

pub const NOTHING_LOST: &str = "nothing is lost: what was caused is done, or has its row";
pub const NO_EFFECT_TWICE: &str = "no effect happens twice";
pub const ONLY_THE_HOLDER: &str = "only the holder of the lease acts on a job";
pub const ONE_HOLDER: &str = "at most one worker holds the lease of a job";
pub const CLAIM_IS_RIGHT: &str = "whoever has claimed a job may settle it";
pub const HANDED_OUT_ONCE: &str = "a job is handed out again only for a reason";
pub const BOUNDED: &str = "the list is as short as its bound";
pub const DELIVERED: &str = "no job is delivered more often than is allowed without an outcome";
pub const BURIED: &str = "only a job whose workers ended is buried";
pub const DRAINED: &str = "when nothing can happen any more, all work is done or buried, and the list is empty";

pub fn all() -> Vec<Property<Ledger>> {
    vec![
        Property::<Ledger>::always(NOTHING_LOST, nothing_is_lost),
        Property::<Ledger>::always(NO_EFFECT_TWICE, |_, state| state.jobs.iter().all(|job| job.effects <= 1)),
        Property::<Ledger>::always(ONLY_THE_HOLDER, |_, state| state.jobs.iter().all(|job| !job.was_touched_by_another)),
        Property::<Ledger>::always(ONE_HOLDER, |_, state| {
            (0..state.jobs.len()).all(|job| state.workers.iter().filter(|worker| holds(state, worker, job)).count() <= 1)
        }),
        Property::<Ledger>::always(CLAIM_IS_RIGHT, |_, state| state.jobs.iter().all(|job| !job.was_claimed_in_vain)),
        Property::<Ledger>::always(HANDED_OUT_ONCE, |_, state| state.jobs.iter().all(|job| job.hand_outs <= 1 + job.reasons)),
        // Each relay asks for the length before it pushes, so together they may overshoot by what each pushes at once.
        Property::<Ledger>::always(BOUNDED, |ledger, state| {
            state.list.len() <= ledger.high_water + (ledger.relays - 1) + usize::from(state.restored)
        }),
        Property::<Ledger>::always(DELIVERED, |_, state| {
            state.jobs.iter().filter_map(|job| job.row).all(|row| row.deliveries <= DELIVERIES_MAX)
        }),
        Property::<Ledger>::always(BURIED, |_, state| {
            state.jobs.iter().all(|job| job.row.is_none_or(|row| !row.is_dead || job.reasons >= DELIVERIES_MAX))
        }),
        Property::<Ledger>::always(DRAINED, is_drained_at_rest),
    ]
}

fn nothing_is_lost(ledger: &Ledger, state: &State) -> bool {
    ledger.forgives_loss || state.jobs.iter().all(|job| job.cause != Cause::Committed || job.row.is_some() || job.effects > 0)
}

fn holds(state: &State, worker: &Worker, job: usize) -> bool {
    matches!(worker, Worker::Working { lease, .. } if lease.job == job && state.is_of_row(*lease))
}

/// Handing out raises the generation, and it is raised only for a reason; so no path without faults goes on for ever,
/// and what holds at rest comes about.
fn is_drained_at_rest(ledger: &Ledger, state: &State) -> bool {
    let mut steps = Vec::new();
    ledger.steps(state, &mut steps);
    let is_settled = state.jobs.iter().all(|job| match job.row {
        Some(row) => row.is_dead,
        None => job.effects > 0,
    });
    !steps.is_empty() || (is_settled && state.list.is_empty())
}
