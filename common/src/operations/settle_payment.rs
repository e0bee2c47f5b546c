//! The payment processor said what became of an order.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        ids::UserId,
        keys::CourseKey,
        order::leads_to_verification,
        payment::{Mismatch, Outcome, Owed, Payment, judge},
    },
    store::{Connection, Db, StoreError, courses, flow, orders, orders::Item},
};

/// What became of an order, and where its learner goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What became of it.
    pub outcome: Outcome,
    /// The course of its first item.
    pub course: CourseKey,
    /// It is a single verified certificate: the learner goes on to show who they are.
    pub leads_to_verification: bool,
    /// The learner came to upgrade.
    pub is_upgrade: bool,
}

/// Why what the processor said is refused.
#[derive(Debug, thiserror::Error)]
pub enum SettleRefused {
    /// There is no such order.
    #[error("There is no such order.")]
    UnknownOrder,
    /// It does not fit the order.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The database failed.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<StoreError> for SettleRefused {
    fn from(error: StoreError) -> Self {
        Self::Operation(error.into())
    }
}

/// Settles an order: paid for the first time, its items are given, and the learner is enrolled in their
/// tracks. The same answer again changes nothing. Source: reference 5.4.
///
/// # Errors
///
/// [`SettleRefused`], and nothing changed.
pub async fn settle(db: &Db, payment: &Payment, now: DateTime<Utc>) -> Result<Settled, SettleRefused> {
    let mut tx = db.begin().await?;
    let order = orders::lock(&mut tx, payment.order).await?.ok_or(SettleRefused::UnknownOrder)?;
    let items = orders::list_items(&mut tx, payment.order).await?;
    let Some(first) = items.first() else { return Err(Mismatch::NotPayable.into()) };
    let owed = Owed {
        status: order.status,
        total: items.iter().map(Item::cost).sum(),
        currency: order.currency,
        visit: order.visit,
        reference: order.reference,
    };
    let outcome = judge(payment, &owed)?;
    if outcome == Outcome::Fulfil {
        let payer = (payment.reference.as_deref(), &payment.billed_to);
        if !orders::mark_purchased(&mut tx, payment.order, payer, now).await? {
            return Err(Mismatch::NotPayable.into());
        }
        enrol(&mut tx, order.user, &items, now).await?;
    }
    let modes: Vec<&str> = items.iter().map(|item| item.mode.as_str()).collect();
    let settled = Settled {
        outcome,
        leads_to_verification: leads_to_verification(&modes),
        is_upgrade: flow::find_choice(&mut tx, order.user, &first.course).await?.is_some_and(|choice| choice.is_upgrade),
        course: first.course.clone(),
    };
    tx.commit().await?;
    Ok(settled)
}

async fn enrol(conn: &mut Connection, user: UserId, items: &[Item], now: DateTime<Utc>) -> Result<(), SettleRefused> {
    for item in items {
        if !courses::set_enrollment(conn, user, &item.course, (&item.mode, true), now).await? {
            return Err(OperationError::Missing("the course of an order").into());
        }
    }
    Ok(())
}
