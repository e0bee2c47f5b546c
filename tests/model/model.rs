//! With all rules in, every property holds; with one out, one falls.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model, Path};

use super::{
    ledger::{Event, Ledger},
    properties::{
        BOUNDED, BURIED, CLAIM_IS_RIGHT, DELIVERED, DRAINED, HANDED_OUT_ONCE, NO_EFFECT_TWICE, NOTHING_LOST, ONE_HOLDER,
        ONLY_THE_HOLDER,
    },
    rules::Rule,
    state::{self, State},
    words,
};

/// Threads of the checker; the machines that run this have two cores at least.
const THREADS: usize = 2;
/// Longest way that is looked for when a rule is taken out; none needs as many steps.
const STEPS_MAX: usize = 30;

/// Looks at every state; none may break a property.
fn holds(ledger: Ledger) {
    let name = format!("{ledger:?}");
    let checker = ledger.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        panic!("{name}: not so: {property}\n{}", words::tell(&path.into_vec()));
    }
    assert!(checker.is_done());
    let (states, page) = (with_commas(checker.unique_state_count()), include_str!("../../docs/model.md"));
    assert!(ledger.faults == 0 || page.contains(&format!("| {states} |")), "docs/model.md does not tell of {states} states");
    println!("{states} states, at most {} steps deep: {name}", checker.max_depth());
}

fn with_commas(number: usize) -> String {
    let mut text = number.to_string();
    for place in (1..text.len()).rev().filter(|place| (text.len() - place).is_multiple_of(3)).collect::<Vec<_>>() {
        text.insert(place, ',');
    }
    text
}

/// Takes a rule out and finds how that breaks a property: with as few faults, and in as few steps, as it takes.
fn breaks(ledger: Ledger, property: &'static str) {
    let name = format!("{ledger:?}");
    for faults in 0..=ledger.faults {
        let fewer = Ledger { faults, ..ledger };
        if let Some(path) = (1..=STEPS_MAX).find_map(|steps| find(fewer, property, steps)) {
            println!("{name}\nnot so any more: {property}\n{}", words::tell(&path.into_vec()));
            return;
        }
    }
    panic!("{name}: it still holds: {property}");
}

fn find(ledger: Ledger, property: &'static str, steps: usize) -> Option<Path<State, Event>> {
    let wanted = HasDiscoveries::AllOf(BTreeSet::from([property]));
    // The first state has the depth 1.
    ledger.checker().finish_when(wanted).target_max_depth(steps + 1).spawn_bfs().join().discovery(property)
}

#[test]
fn with_all_rules_in_nothing_is_lost_or_done_twice_whatever_fails() {
    holds(Ledger { faults: 4, ..Ledger::default() });
}

#[test]
fn two_relays_that_fail_lose_and_double_nothing() {
    holds(Ledger { relays: 2, faults: 3, ..Ledger::default() });
}

#[test]
fn a_job_that_ends_its_workers_is_buried_and_the_others_are_done() {
    holds(Ledger { is_poisoned: true, faults: 1, ..Ledger::default() });
}

#[test]
fn without_faults_each_job_is_handed_out_once() {
    holds(Ledger { relays: 2, faults: 0, ..Ledger::default() });
}

#[test]
fn a_job_that_is_not_born_with_its_cause_can_be_lost() {
    let without = Ledger::default().without(Rule::BornWithItsCause);
    breaks(without.without(Rule::Sweep), NOTHING_LOST);
    breaks(without.without(Rule::Sweep), DRAINED);
}

#[test]
fn the_sweep_brings_back_what_was_lost_but_it_was_lost_for_a_while() {
    let without = Ledger::default().without(Rule::BornWithItsCause);
    breaks(without, NOTHING_LOST);
    holds(Ledger { forgives_loss: true, ..without });
}

#[test]
fn a_deadline_that_is_not_moved_hands_a_job_out_again_and_again() {
    breaks(Ledger::default().without(Rule::DeadlineMoves), HANDED_OUT_ONCE);
}

#[test]
fn a_relay_that_does_not_ask_for_the_length_fills_the_list() {
    breaks(Ledger::default().without(Rule::ListIsShort), BOUNDED);
}

#[test]
fn work_without_a_claim_is_done_by_two_at_once() {
    breaks(Ledger::default().without(Rule::ClaimFirst), ONE_HOLDER);
    breaks(Ledger::default().without(Rule::ClaimFirst), HANDED_OUT_ONCE);
}

#[test]
fn a_claim_that_does_not_ask_for_the_phase_lets_two_hold_one_lease() {
    breaks(Ledger::default().without(Rule::ClaimAsksPhase), ONE_HOLDER);
}

#[test]
fn a_claim_that_does_not_ask_for_the_generation_is_a_right_that_does_not_hold() {
    breaks(Ledger::default().without(Rule::ClaimAsksGeneration), CLAIM_IS_RIGHT);
}

#[test]
fn an_effect_that_is_committed_before_its_row_goes_happens_twice() {
    breaks(Ledger::default().without(Rule::EffectGoesWithRow), NO_EFFECT_TWICE);
}

#[test]
fn an_effect_that_does_not_need_a_row_happens_twice() {
    breaks(Ledger::default().without(Rule::RowIsTheRight), NO_EFFECT_TWICE);
}

#[test]
fn a_worker_that_wakes_up_acts_in_anothers_place_unless_settling_asks_for_the_generation() {
    breaks(Ledger::default().without(Rule::SettleAsksGeneration), ONLY_THE_HOLDER);
}

#[test]
fn without_time_a_job_waits_for_ever_for_a_worker_that_died() {
    breaks(Ledger::default().without(Rule::TimeHeals), DRAINED);
}

#[test]
fn without_a_heartbeat_a_long_job_is_taken_from_a_worker_that_lives() {
    breaks(Ledger::default().without(Rule::Heartbeat), HANDED_OUT_ONCE);
    breaks(Ledger::default().without(Rule::Heartbeat), BURIED);
}

#[test]
fn without_a_count_of_deliveries_a_job_ends_worker_after_worker() {
    breaks(Ledger { is_poisoned: true, faults: 0, ..Ledger::default() }.without(Rule::DeliveriesEnd), DELIVERED);
}

#[test]
fn every_rule_has_a_test_that_takes_it_out() {
    let text = include_str!("model.rs");
    for rule in Rule::ALL {
        assert!(text.contains(&format!("Rule::{rule:?})")), "{rule:?} is never taken out");
    }
}

#[test]
fn the_numbers_of_the_model_are_those_of_the_code() {
    assert_eq!(i32::from(state::DELIVERIES_MAX), vouch_common::store::jobs::DELIVERIES_MAX);
}
