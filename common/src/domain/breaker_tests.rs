use super::*;

/// Random numbers that come again with the same seed.
pub(in crate::domain) struct Chance(pub(in crate::domain) u64);

impl Chance {
    /// A number below `bound`.
    pub(in crate::domain) fn up_to(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
}

fn seconds(seconds: i64) -> DateTime<Utc> {
    at(seconds * 1000)
}

/// Tries of jobs as the ledger keeps them, and the breaker that they share.
struct Play {
    breaker: Breaker,
    now: DateTime<Utc>,
    burnt: std::collections::BTreeMap<JobId, i32>,
}

impl Play {
    fn start() -> Self {
        Self { breaker: Breaker::closed(at(0)), now: at(0), burnt: std::collections::BTreeMap::new() }
    }

    fn wait(&mut self, wait: i64) -> &mut Self {
        self.now += TimeDelta::seconds(wait);
        self
    }

    fn outage(&mut self, job: i64) -> &mut Self {
        let job = JobId(job);
        let judgement = self.breaker.clone().judge(&Event::Outage { job, began: self.now, class: "vendor_busy" }, self.now);
        *self.burnt.entry(job).or_default() += i32::from(judgement.is_counted);
        for forgiven in &judgement.forgiven {
            *self.burnt.entry(*forgiven).or_default() -= 1;
        }
        self.breaker = judgement.breaker;
        self
    }

    fn probe(&mut self, job: i64) -> &mut Self {
        self.breaker = self.breaker.clone().handed_out(&[JobId(job)], TimeDelta::seconds(110), self.now);
        self.outage(job)
    }

    fn answer(&mut self) -> &mut Self {
        self.breaker = self.breaker.clone().judge(&Event::Answer { calls: 1, began: self.now }, self.now).breaker;
        self
    }

    fn state(&self) -> State {
        self.breaker.clone().at(self.now).state
    }

    fn burnt(&self, job: i64) -> i32 {
        self.burnt.get(&JobId(job)).copied().unwrap_or(0)
    }

    fn opened() -> Self {
        let mut play = Self::start();
        for job in 1..=5 {
            play.outage(job);
        }
        assert_eq!(play.state(), State::Open);
        play
    }
}

#[test]
fn five_outages_in_a_row_open_it_and_an_answer_between_them_does_not() {
    let mut play = Play::start();
    play.outage(1).outage(2).outage(3).outage(4).answer();
    play.outage(5).outage(6).outage(7).outage(8);
    assert_eq!(play.state(), State::Closed);
    play.outage(9);
    assert_eq!(play.state(), State::Open);
    assert_eq!(play.breaker.reason, "5 outages in a row, the last: vendor_busy");
}

#[test]
fn half_of_twenty_calls_within_a_minute_open_it() {
    let mut play = Play::start();
    for job in 0..9 {
        play.answer().outage(job);
    }
    play.answer();
    assert_eq!(play.state(), State::Closed);
    play.outage(9);
    assert_eq!(play.state(), State::Open);
    assert_eq!(play.breaker.reason, "10 of 20 calls within a minute failed, the last: vendor_busy");
    assert!((0..10).all(|job| play.burnt(job) == 0), "all get their try back");
}

#[test]
fn calls_of_another_minute_are_not_in_the_share() {
    let mut play = Play::start();
    for job in 0..9 {
        play.answer().outage(job);
    }
    play.wait(61).answer().outage(9);
    assert_eq!(play.state(), State::Closed);
    assert_eq!(play.breaker.window.calls, 2);
}

#[test]
fn an_outage_burns_no_tries_neither_of_those_that_opened_it_nor_of_those_that_come_after() {
    let mut play = Play::opened();
    play.outage(6).wait(30).probe(7);
    assert!((1..=7).all(|job| play.burnt(job) == 0));
}

#[test]
fn a_job_alone_in_an_outage_gets_all_its_tries_back() {
    let mut play = Play::start();
    for _ in 0..5 {
        play.wait(3).outage(1);
    }
    assert_eq!((play.state(), play.burnt(1)), (State::Open, 0));
}

#[test]
fn it_stays_open_for_thirty_seconds_and_twice_as_long_each_time_up_to_five_minutes() {
    let mut play = Play::opened();
    let mut waits = Vec::new();
    for job in 10..16 {
        let until = play.breaker.until.unwrap();
        waits.push((until - play.now).num_seconds());
        play.now = until;
        play.probe(job);
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
    assert_eq!(play.breaker.since, at(0), "it is open since the first time");
}

#[test]
fn one_probe_goes_and_another_only_when_the_first_had_its_time() {
    let mut play = Play::opened();
    let window = TimeDelta::seconds(110);
    assert_eq!(play.breaker.allowance(seconds(29)), Some(0));
    play.wait(30);
    assert_eq!(play.breaker.allowance(play.now), Some(1));
    let out = play.breaker.clone().handed_out(&[JobId(1)], window, play.now);
    assert_eq!(out.probe, Some(JobId(1)));
    assert_eq!(out.allowance(play.now), Some(0));
    assert_eq!(out.allowance(seconds(139)), Some(0));
    assert_eq!(out.allowance(seconds(140)), Some(1), "it was killed");
    assert_eq!(play.breaker.clone().handed_out(&[], window, play.now), play.breaker, "nobody was there to go");
}

#[test]
fn a_probe_that_is_answered_brings_calls_back_little_by_little() {
    let mut play = Play::opened();
    play.wait(30).answer();
    assert_eq!(play.state(), State::Recovering);
    let rates: Vec<_> = [0, 9, 10, 25, 59].map(|after| play.breaker.rate(play.now + TimeDelta::seconds(after)).unwrap()).into();
    assert_eq!(rates, [5.0, 5.0, 10.0, 20.0, 160.0]);
    assert_eq!(play.breaker.allowance(play.now), Some(0), "no burst");
    play.wait(1);
    assert_eq!(play.breaker.allowance(play.now), Some(5));
    let out = play.breaker.clone().handed_out(&[JobId(1), JobId(2)], TimeDelta::seconds(110), play.now);
    assert_eq!(out.allowance(play.now), Some(3));
    play.wait(59);
    assert_eq!((play.state(), play.breaker.clone().at(play.now).openings), (State::Closed, 0));
    assert_eq!(play.breaker.clone().at(play.now).since, seconds(90));
}

#[test]
fn an_outage_while_it_recovers_opens_it_for_longer_once_a_second_job_says_so() {
    let mut play = Play::opened();
    play.wait(30).answer().wait(50).outage(1);
    assert_eq!(play.state(), State::Recovering);
    assert_eq!(play.wait(20).state(), State::Recovering, "a minute without an outage is wanted");
    play.outage(2);
    assert_eq!(play.state(), State::Open);
    assert_eq!((play.breaker.until.unwrap() - play.now).num_seconds(), 60);
    assert_eq!((play.burnt(1), play.burnt(2)), (0, 0));
}

#[test]
fn a_poison_job_alone_uses_up_its_tries_while_it_recovers_and_while_others_succeed() {
    let mut play = Play::opened();
    play.wait(30).answer();
    for _ in 0..4 {
        play.wait(10).outage(666);
    }
    assert_eq!((play.state(), play.burnt(666)), (State::Recovering, 4));
    for _ in 0..12 {
        play.answer().answer().outage(666).wait(1);
    }
    assert_eq!((play.state(), play.burnt(666)), (State::Recovering, 16));
}

#[test]
fn what_began_before_it_opened_says_nothing_of_now() {
    let mut play = Play::opened();
    let stale = Event::Answer { calls: 1, began: at(-1) };
    assert_eq!(play.breaker.clone().judge(&stale, seconds(5)).breaker, play.breaker);
    play.wait(30).answer();
    let late = Event::Outage { job: JobId(6), began: at(0), class: "vendor_timeout" };
    let judgement = play.breaker.clone().judge(&late, seconds(40));
    assert_eq!((judgement.breaker, judgement.is_counted), (play.breaker, false));
}

#[test]
fn what_was_claimed_while_others_opened_it_is_no_probe() {
    let mut play = Play::opened();
    let opened = play.breaker.clone();
    play.wait(1).outage(6);
    assert_eq!((&play.breaker, play.burnt(6)), (&opened, 0));
    play.wait(29).probe(7);
    assert_eq!(play.breaker.openings, 2);
}

#[test]
fn what_is_forced_holds_until_the_operator_says_otherwise() {
    let open = Breaker::closed(at(0)).force(Some(Forced::Open), "vendor asked us to stop", at(1));
    assert_eq!((open.state, open.allowance(seconds(100_000))), (State::Open, Some(0)));
    let outage = Event::Outage { job: JobId(1), began: at(2), class: "vendor_busy" };
    let judgement = open.clone().judge(&outage, at(2));
    assert_eq!((&judgement.breaker, judgement.is_counted), (&open, false));
    let mut closed = open.clone().force(Some(Forced::Closed), "it is well", at(3));
    for _ in 0..50 {
        let judgement = closed.judge(&outage, at(4));
        assert!(judgement.is_counted);
        closed = judgement.breaker;
    }
    assert_eq!((closed.state, closed.allowance(at(4))), (State::Closed, None));
    assert_eq!(closed.force(None, "measure", at(5)).state, State::Closed);
    let released = open.force(None, "measure", at(5));
    assert_eq!((released.state, released.allowance(at(5))), (State::Open, Some(1)), "one call tries first");
}

#[test]
fn states_and_force_are_read_as_they_are_written() {
    for state in [State::Closed, State::Open, State::Recovering] {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    for forced in [Forced::Open, Forced::Closed] {
        assert_eq!(Forced::parse(forced.as_str()), Some(forced));
    }
    assert_eq!((State::parse("ajar"), Forced::parse("recovering")), (None, None));
}

#[test]
fn whatever_happens_it_holds_together() {
    for seed in 0..500 {
        let (mut chance, mut play) = (Chance(seed), Play::start());
        for step in 0..300 {
            let burnt: i32 = play.burnt.values().sum();
            let what = chance.up_to(6);
            match what {
                0..=2 => _ = play.outage(chance.up_to(40)),
                3 => _ = play.answer(),
                4 => {
                    let breaker = play.breaker.clone().at(play.now);
                    let jobs: Vec<_> = (0..breaker.allowance(play.now).unwrap_or(500).min(500)).map(JobId).collect();
                    play.breaker = breaker.handed_out(&jobs, TimeDelta::seconds(110), play.now);
                    let left = play.breaker.allowance(play.now);
                    assert!(left.is_none_or(|left| left == 0 || jobs.len() == 500), "seed {seed}, step {step}");
                }
                _ => play.now += TimeDelta::milliseconds(chance.up_to(30_000)),
            }
            let breaker = &play.breaker;
            let is_sound = (breaker.state == State::Closed) == breaker.until.is_none()
                && (breaker.state == State::Open || breaker.failures_in_row < ROW_MAX)
                && breaker.suspects.len() <= SUSPECTS_MAX
                && breaker.window.failures <= breaker.window.calls;
            assert!(is_sound, "seed {seed}, step {step}: {breaker:?}");
            assert!(play.burnt.values().all(|burnt| *burnt >= 0), "seed {seed}: nobody gets back more than was taken");
            if what <= 2 && breaker.state == State::Open {
                assert!(play.burnt.values().sum::<i32>() <= burnt, "seed {seed}: what meets an open breaker costs nothing");
            }
        }
    }
}

#[test]
fn an_outage_of_any_length_burns_no_tries() {
    for seed in 0..200 {
        let (mut chance, mut play) = (Chance(seed), Play::start());
        for job in 0..5 + chance.up_to(300) {
            let pause = if play.state() == State::Open { chance.up_to(60_000) } else { 0 };
            play.now += TimeDelta::milliseconds(pause);
            play.outage(job % 7);
        }
        assert_eq!(play.state(), State::Open, "seed {seed}");
        assert!(play.burnt.values().all(|burnt| *burnt == 0), "seed {seed}");
    }
}
