//! A learner looks at the receipt of an order of theirs.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        ids::{OrderId, UserId},
        order::OrderStatus,
        payment::BilledTo,
        price::Amount,
    },
    store::{Db, orders, orders::Item},
};

/// One line of a receipt.
pub struct ReceiptLine {
    /// What was bought.
    pub description: String,
    /// What it cost.
    pub cost: Amount,
}

/// A receipt.
pub struct Receipt {
    /// The order.
    pub order: OrderId,
    /// Where it stands: paid, or paid back.
    pub status: OrderStatus,
    /// The currency.
    pub currency: String,
    /// When it was paid (UTC).
    pub purchased_at: Option<DateTime<Utc>>,
    /// What it cost.
    pub total: Amount,
    /// Who paid.
    pub billed_to: BilledTo,
    /// What was bought.
    pub lines: Vec<ReceiptLine>,
}

/// Finds the receipt of a learner's own order that was paid.
///
/// # Errors
///
/// When the database is away.
pub async fn find(db: &Db, user: UserId, order: OrderId) -> Result<Option<Receipt>, OperationError> {
    let mut conn = db.acquire().await?;
    let Some(row) = orders::find(&mut conn, order).await?.filter(|row| row.user == user && row.status.has_receipt()) else {
        return Ok(None);
    };
    let items = orders::list_items(&mut conn, order).await?;
    Ok(Some(Receipt {
        order,
        status: row.status,
        currency: row.currency,
        purchased_at: row.purchased_at,
        total: items.iter().map(Item::cost).sum(),
        billed_to: row.billed_to,
        lines: items.into_iter().map(|item| ReceiptLine { cost: item.cost(), description: item.line_desc }).collect(),
    }))
}
