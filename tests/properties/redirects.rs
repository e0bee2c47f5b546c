//! Where a learner is sent on the way from paying to verifying.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use url::Url;
use vouch_common::domain::{
    course::CourseMode,
    course_mode::is_paid_slug,
    pay_and_verify::{Destination, Facts, Message, Outcome, Visit, decide},
};

const MESSAGES: [Message; 5] =
    [Message::FirstTimeVerify, Message::Upgrade, Message::VerifyNow, Message::VerifyLater, Message::PaymentConfirmation];
const SLUGS: [&str; 6] = ["audit", "honor", "verified", "professional", "no-id-professional", "credit"];

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn some_day() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    prop::option::of((-5_i64..5).prop_map(|days| now() + TimeDelta::days(days)))
}

prop_compose! {
    fn any_mode()(
        slug in prop::sample::select(SLUGS.to_vec()),
        min_price in prop::sample::select(vec![0_i64, 1, 50]),
        sku in prop::option::of("[A-Z0-9]{0,4}"),
        expires_at in some_day(),
    ) -> CourseMode {
        let display_name = slug.to_owned();
        CourseMode { slug: slug.to_owned(), display_name, min_price, currency: "usd".to_owned(), sku, expires_at }
    }
}

prop_compose! {
    fn any_facts()(
        modes in prop::collection::vec(any_mode(), 0..4),
        verification_deadline in some_day(),
        enrolled_mode in prop::option::of(prop::sample::select(SLUGS.to_vec())),
        has_valid_or_pending: bool,
        is_active: bool,
        pays_in_shop: bool,
    ) -> Facts {
        let enrolled_mode = enrolled_mode.map(str::to_owned);
        let checkout_page = pays_in_shop.then(|| Url::parse("https://shop.example.com/basket").unwrap());
        Facts { modes, verification_deadline, enrolled_mode, has_valid_or_pending, is_active, checkout_page }
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    prop::sample::select(MESSAGES.to_vec())
}

fn visit(message: Message) -> Visit {
    Visit { message, skips_first_step: false, at: now() }
}

fn has_paid(facts: &Facts) -> bool {
    facts.enrolled_mode.as_deref().is_some_and(|slug| is_paid_slug(&facts.modes, slug))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_sent_round_in_circles(facts in any_facts(), message in any_message()) {
        let mut next = message;
        let mut hops = 0;
        while let Outcome::Redirect(destination) = decide(&facts, visit(next)) {
            hops += 1;
            prop_assert!(hops <= 3, "{message:?} leads round and round in {facts:?}");
            next = match destination {
                Destination::Upgrade => Message::Upgrade,
                Destination::StartFlow => Message::FirstTimeVerify,
                Destination::VerifyNow => Message::VerifyNow,
                Destination::Dashboard | Destination::Shop(_) => break,
            };
        }
    }

    #[test]
    fn whoever_has_paid_is_never_sent_to_pay(facts in any_facts(), message in any_message()) {
        if has_paid(&facts) {
            let outcome = decide(&facts, visit(message));
            let is_sent_to_pay = matches!(
                outcome,
                Outcome::Redirect(Destination::Shop(_) | Destination::Upgrade | Destination::StartFlow)
            );
            prop_assert!(!is_sent_to_pay, "{outcome:?}");
        }
    }

    #[test]
    fn a_page_opens_at_one_of_its_steps_and_shows_none_twice(facts in any_facts(), message in any_message(), skips_first_step: bool) {
        if let Outcome::Page(page) = decide(&facts, Visit { skips_first_step, ..visit(message) }) {
            prop_assert!(page.steps.contains(&page.current), "{page:?}");
            let mut steps = page.steps.clone();
            steps.sort_by_key(|step| step.as_str());
            steps.dedup();
            prop_assert_eq!(steps.len(), page.steps.len());
        }
    }

    #[test]
    fn a_course_that_sells_nothing_has_no_page(facts in any_facts(), message in any_message()) {
        let sells = facts.modes.iter().any(CourseMode::is_paid);
        let outcome = decide(&facts, visit(message));
        prop_assert!(sells || matches!(outcome, Outcome::NoPaidMode | Outcome::Missed(_)), "{outcome:?}");
    }
}
