use chrono::TimeDelta;
use url::Url;

use super::*;
use crate::domain::course_mode::tests::mode;

use Message::{FirstTimeVerify, PaymentConfirmation, Upgrade, VerifyLater, VerifyNow};

const MESSAGES: [Message; 5] = [FirstTimeVerify, Upgrade, VerifyNow, VerifyLater, PaymentConfirmation];
const VERIFICATION: [Step; 4] = [Step::FacePhoto, Step::IdPhoto, Step::ReviewPhotos, Step::EnrollmentConfirmation];
const PAYMENT: [Step; 2] = [Step::MakePayment, Step::PaymentConfirmation];

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn facts() -> Facts {
    Facts {
        modes: vec![mode("audit", 0), mode("verified", 12)],
        verification_deadline: None,
        enrolled_mode: Some("audit".to_owned()),
        has_valid_or_pending: false,
        is_active: true,
        checkout_page: None,
    }
}

fn visit(message: Message) -> Visit {
    Visit { message, skips_first_step: false, at: now() }
}

fn page(facts: &Facts, message: Message) -> FlowPage {
    match decide(facts, visit(message)) {
        Outcome::Page(page) => page,
        other => panic!("{message:?}: {other:?}"),
    }
}

fn enrolled(mode: Option<&str>, has_valid_or_pending: bool) -> Facts {
    Facts { enrolled_mode: mode.map(str::to_owned), has_valid_or_pending, ..facts() }
}

#[test]
fn the_redirect_table_is_the_references() {
    use Destination::{Dashboard, StartFlow, Upgrade as ToUpgrade, VerifyNow as ToVerifyNow};
    // Message, then for (verified, paid, enrolled): 111, 011, 101, 001, 100, 000.
    let table = [
        (FirstTimeVerify, [Some(Dashboard), None, None, None, None, None]),
        (Upgrade, [Some(Dashboard), Some(ToVerifyNow), None, None, Some(StartFlow), Some(StartFlow)]),
        (VerifyNow, [Some(Dashboard), None, Some(ToUpgrade), Some(ToUpgrade), Some(StartFlow), Some(StartFlow)]),
        (VerifyLater, [Some(Dashboard), None, Some(ToUpgrade), Some(ToUpgrade), Some(StartFlow), Some(StartFlow)]),
        (PaymentConfirmation, [None, None, Some(ToUpgrade), Some(ToUpgrade), Some(StartFlow), Some(StartFlow)]),
    ];
    let standings = [
        (true, true, true),
        (false, true, true),
        (true, false, true),
        (false, false, true),
        (true, false, false),
        (false, false, false),
    ];
    for (message, row) in table {
        for ((is_verified, has_paid, is_enrolled), expected) in standings.into_iter().zip(row) {
            let standing = Standing { is_verified, has_paid, is_enrolled };
            assert_eq!(redirect::destination(message, standing), expected, "{message:?} {standing:?}");
        }
    }
}

#[test]
fn no_chain_of_redirects_comes_back_to_where_it_began() {
    for enrolled_mode in [None, Some("audit"), Some("verified")] {
        for is_verified in [false, true] {
            let facts = enrolled(enrolled_mode, is_verified);
            for start in MESSAGES {
                let mut message = start;
                for hop in 0.. {
                    assert!(hop < 3, "{start:?} {facts:?}");
                    message = match decide(&facts, visit(message)) {
                        Outcome::Redirect(Destination::StartFlow) => FirstTimeVerify,
                        Outcome::Redirect(Destination::Upgrade) => Upgrade,
                        Outcome::Redirect(Destination::VerifyNow) => VerifyNow,
                        _ => break,
                    };
                }
            }
        }
    }
}

#[test]
fn the_steps_are_those_of_the_references_table() {
    let payment_and_verification = [&PAYMENT[..], &VERIFICATION[..]].concat();
    let intro_and_verification = [&[Step::Intro][..], &VERIFICATION[..]].concat();
    let unpaid = page(&facts(), FirstTimeVerify);
    assert_eq!((unpaid.steps, unpaid.current), (payment_and_verification.clone(), Step::MakePayment));
    let verified = page(&enrolled(Some("audit"), true), FirstTimeVerify);
    assert_eq!((verified.steps, verified.current), (PAYMENT.to_vec(), Step::MakePayment));
    for message in [FirstTimeVerify, VerifyLater] {
        let paid = page(&enrolled(Some("verified"), false), message);
        assert_eq!((paid.steps, paid.current), (intro_and_verification.clone(), Step::Intro));
    }
    let now = page(&enrolled(Some("verified"), false), VerifyNow);
    assert_eq!((now.steps, now.current), (payment_and_verification.clone(), Step::FacePhoto));
    let receipt = page(&enrolled(Some("verified"), false), PaymentConfirmation);
    assert_eq!((receipt.steps, receipt.current), (payment_and_verification, Step::PaymentConfirmation));
    let done = page(&enrolled(Some("verified"), true), PaymentConfirmation);
    assert_eq!((done.steps, done.current), (PAYMENT.to_vec(), Step::PaymentConfirmation));
}

#[test]
fn a_mode_that_asks_for_no_id_has_payment_steps_and_needs_nothing() {
    for slug in ["no-id-professional", "honor"] {
        let page = page(&Facts { modes: vec![mode(slug, 10)], ..facts() }, FirstTimeVerify);
        assert_eq!(page.steps, PAYMENT);
        assert!(page.is_already_verified);
        assert!(!page.requirements.photo_id_required && !page.requirements.webcam_required);
    }
}

#[test]
fn what_is_needed_follows_from_the_steps_and_the_account() {
    let page = page(&Facts { is_active: false, ..facts() }, FirstTimeVerify);
    assert_eq!(
        page.requirements,
        Requirements { account_activation_required: true, photo_id_required: true, webcam_required: true }
    );
}

#[test]
fn only_the_intro_can_be_skipped() {
    let skipping = |facts: &Facts, message| match decide(facts, Visit { skips_first_step: true, ..visit(message) }) {
        Outcome::Page(page) => page.current,
        other => panic!("{other:?}"),
    };
    assert_eq!(skipping(&enrolled(Some("verified"), false), FirstTimeVerify), Step::FacePhoto);
    assert_eq!(skipping(&facts(), FirstTimeVerify), Step::MakePayment);
    assert_eq!(skipping(&enrolled(Some("verified"), true), PaymentConfirmation), Step::PaymentConfirmation);
}

#[test]
fn a_missed_verification_deadline_stops_everybody_and_comes_before_all_else() {
    let past = now() - TimeDelta::seconds(1);
    for message in MESSAGES {
        for mut facts in [enrolled(None, false), enrolled(Some("verified"), true)] {
            facts.verification_deadline = Some(past);
            assert_eq!(decide(&facts, visit(message)), Outcome::Missed(Missed::Verification(past)));
            facts.modes.clear();
            assert_eq!(decide(&facts, visit(message)), Outcome::Missed(Missed::Verification(past)));
            facts.verification_deadline = Some(now());
            assert_eq!(decide(&facts, visit(message)), Outcome::NoPaidMode, "the deadline itself counts");
        }
    }
}

#[test]
fn a_missed_upgrade_deadline_stops_those_who_want_to_pay() {
    let past = now() - TimeDelta::seconds(1);
    let expired = CourseMode { expires_at: Some(past), ..mode("verified", 12) };
    let facts = Facts { modes: vec![expired, mode("credit", 50)], ..enrolled(Some("verified"), false) };
    for message in [FirstTimeVerify, Upgrade] {
        assert_eq!(decide(&facts, visit(message)), Outcome::Missed(Missed::Upgrade(past)));
    }
    assert_eq!(page(&facts, VerifyNow).mode.slug, "verified", "who has paid may still verify");
}

#[test]
fn learners_pay_in_the_shop_only_when_there_is_something_to_pay_and_to_sell() {
    let shop = Url::parse("https://shop.example.com/basket/single-item/").expect("an address");
    let product = CourseMode { sku: Some("A&B 1".to_owned()), ..mode("verified", 12) };
    let facts = Facts { modes: vec![product], checkout_page: Some(shop), ..facts() };
    for message in [FirstTimeVerify, Upgrade] {
        let Outcome::Redirect(Destination::Shop(url)) = decide(&facts, visit(message)) else { panic!("{message:?}") };
        assert_eq!(url.as_str(), "https://shop.example.com/basket/single-item/?sku=A%26B+1");
    }
    let elsewhere = |facts: &Facts, message| !matches!(decide(facts, visit(message)), Outcome::Redirect(Destination::Shop(_)));
    assert!(elsewhere(&facts, VerifyNow));
    assert!(elsewhere(&Facts { is_active: false, ..facts.clone() }, FirstTimeVerify));
    let paid = Facts { enrolled_mode: Some("verified".to_owned()), has_valid_or_pending: true, ..facts.clone() };
    assert_eq!(decide(&paid, visit(FirstTimeVerify)), Outcome::Redirect(Destination::Dashboard));
    assert!(elsewhere(&Facts { modes: vec![mode("verified", 12)], ..facts }, FirstTimeVerify), "no product, no shop");
}
