//! What a payment processor says of an order, and what becomes of the order.
//!
//! Source: reference 5.4 (what follows a payment). Paid is paid: neither a track that ended meanwhile nor an
//! order that was given up undoes it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ids::OrderId, order::OrderStatus, price::Amount};

/// What the processor decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It took the money.
    Accept,
    /// It refused.
    Decline,
    /// It failed.
    Error,
    /// The learner turned back.
    Cancel,
    /// It wants a person to look; no money was taken yet.
    Review,
}

impl Decision {
    const ALL: [Self; 5] = [Self::Accept, Self::Decline, Self::Error, Self::Cancel, Self::Review];

    /// The decision as the processor writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Decline => "DECLINE",
            Self::Error => "ERROR",
            Self::Cancel => "CANCEL",
            Self::Review => "REVIEW",
        }
    }

    /// Reads a decision.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }
}

/// What a receipt shows of who paid.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BilledTo {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// City.
    pub city: String,
    /// State or province.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, as an ISO code.
    pub country: String,
}

impl fmt::Debug for BilledTo {
    /// Tells nothing of a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BilledTo").finish_non_exhaustive()
    }
}

/// What the processor says of one order; it is signed, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The order.
    pub order: OrderId,
    /// The decision.
    pub decision: Decision,
    /// What was paid; only an acceptance has to say it.
    pub amount: Option<Amount>,
    /// What was asked for, if it is said.
    pub requested: Option<Amount>,
    /// The currency; only an acceptance has to say it.
    pub currency: Option<String>,
    /// The visit to the payment page, if it is said.
    pub visit: Option<Uuid>,
    /// The processor's own number of the payment.
    pub reference: Option<String>,
    /// Who paid.
    pub billed_to: BilledTo,
}

/// What is known of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Where it stands.
    pub status: OrderStatus,
    /// What it costs.
    pub total: Amount,
    /// In which currency.
    pub currency: String,
    /// The visit to the payment page that it began.
    pub visit: Option<Uuid>,
    /// The processor's number of the payment that it was paid with.
    pub reference: Option<String>,
}

/// What becomes of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is paid now, and its items are to be given.
    Fulfil,
    /// It was paid before: nothing changes.
    AlreadyPaid {
        /// The money came a second time, in another payment: somebody must give it back.
        is_second_payment: bool,
    },
    /// It stays to be paid.
    Declined,
    /// It stays to be paid; the learner turned back.
    Cancelled,
}

/// Why what the processor says does not fit the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// An acceptance says no amount or currency.
    #[error("The payment does not say what was paid.")]
    NoAmount,
    /// Another amount.
    #[error("The amount that was paid is not the order's.")]
    Amount,
    /// Another currency.
    #[error("The currency that was paid in is not the order's.")]
    Currency,
    /// Another visit to the payment page.
    #[error("The payment belongs to another visit to the payment page.")]
    Visit,
    /// The order never went to the payment page.
    #[error("This order can't be paid.")]
    NotPayable,
}

/// Decides what a payment means for its order.
///
/// # Errors
///
/// [`Mismatch`]: change nothing, and have somebody look when money was taken.
pub fn judge(payment: &Payment, owed: &Owed) -> Result<Outcome, Mismatch> {
    if payment.visit.is_some() && payment.visit != owed.visit {
        return Err(Mismatch::Visit);
    }
    let is_paid = owed.status.is_paid();
    match payment.decision {
        Decision::Accept => {}
        // A word of failure that comes late does not undo a payment.
        Decision::Cancel | Decision::Decline | Decision::Error | Decision::Review if is_paid => {
            return Ok(Outcome::AlreadyPaid { is_second_payment: false });
        }
        Decision::Cancel => return Ok(Outcome::Cancelled),
        Decision::Decline | Decision::Error | Decision::Review => return Ok(Outcome::Declined),
    }
    let (Some(amount), Some(currency)) = (payment.amount, payment.currency.as_deref()) else { return Err(Mismatch::NoAmount) };
    if amount != owed.total || payment.requested.is_some_and(|requested| requested != owed.total) {
        return Err(Mismatch::Amount);
    }
    if !currency.eq_ignore_ascii_case(&owed.currency) {
        return Err(Mismatch::Currency);
    }
    match owed.status {
        OrderStatus::Paying | OrderStatus::DefunctPaying => Ok(Outcome::Fulfil),
        OrderStatus::Purchased | OrderStatus::Refunded => {
            let is_second_payment = payment.reference.is_some() && payment.reference != owed.reference;
            Ok(Outcome::AlreadyPaid { is_second_payment })
        }
        OrderStatus::Cart | OrderStatus::DefunctCart => Err(Mismatch::NotPayable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(status: OrderStatus) -> Owed {
        Owed {
            status,
            total: Amount::from_units(50),
            currency: "eur".to_owned(),
            visit: Some(Uuid::from_u128(7)),
            reference: status.is_paid().then(|| "p1".to_owned()),
        }
    }

    fn payment(decision: Decision) -> Payment {
        Payment {
            order: OrderId(1),
            decision,
            amount: Some(Amount::from_units(50)),
            requested: Some(Amount::from_units(50)),
            currency: Some("EUR".to_owned()),
            visit: Some(Uuid::from_u128(7)),
            reference: Some("p1".to_owned()),
            billed_to: BilledTo::default(),
        }
    }

    #[test]
    fn an_acceptance_of_the_whole_amount_pays_an_order_once() {
        let accepted = payment(Decision::Accept);
        assert_eq!(judge(&accepted, &owed(OrderStatus::Paying)), Ok(Outcome::Fulfil));
        assert_eq!(judge(&accepted, &owed(OrderStatus::DefunctPaying)), Ok(Outcome::Fulfil));
        let again = Outcome::AlreadyPaid { is_second_payment: false };
        assert_eq!(judge(&accepted, &owed(OrderStatus::Purchased)), Ok(again));
        let second = Payment { reference: Some("p2".to_owned()), ..accepted.clone() };
        assert_eq!(judge(&second, &owed(OrderStatus::Purchased)), Ok(Outcome::AlreadyPaid { is_second_payment: true }));
        assert_eq!(judge(&accepted, &owed(OrderStatus::Cart)), Err(Mismatch::NotPayable));
    }

    #[test]
    fn what_does_not_fit_the_order_pays_nothing() {
        let order = owed(OrderStatus::Paying);
        let accepted = || payment(Decision::Accept);
        let cases = [
            (Payment { amount: Some(Amount::from_units(49)), ..accepted() }, Mismatch::Amount),
            (Payment { amount: Some(Amount::from_units(51)), ..accepted() }, Mismatch::Amount),
            (Payment { requested: Some(Amount::from_units(51)), ..accepted() }, Mismatch::Amount),
            (Payment { currency: Some("usd".to_owned()), ..accepted() }, Mismatch::Currency),
            (Payment { amount: None, ..accepted() }, Mismatch::NoAmount),
            (Payment { currency: None, ..accepted() }, Mismatch::NoAmount),
            (Payment { visit: Some(Uuid::from_u128(8)), ..accepted() }, Mismatch::Visit),
        ];
        for (payment, mismatch) in cases {
            assert_eq!(judge(&payment, &order), Err(mismatch));
        }
    }

    #[test]
    fn an_order_that_was_not_paid_stays_to_be_paid_and_a_paid_one_stays_paid() {
        for (decision, outcome) in [
            (Decision::Cancel, Outcome::Cancelled),
            (Decision::Decline, Outcome::Declined),
            (Decision::Error, Outcome::Declined),
            (Decision::Review, Outcome::Declined),
        ] {
            let said = Payment { amount: None, currency: None, ..payment(decision) };
            assert_eq!(judge(&said, &owed(OrderStatus::Paying)), Ok(outcome));
            let kept = Outcome::AlreadyPaid { is_second_payment: false };
            assert_eq!(judge(&said, &owed(OrderStatus::Purchased)), Ok(kept));
        }
    }
}
