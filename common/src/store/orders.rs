//! Orders and their items.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::domain::{
    ids::{OrderId, UserId},
    keys::CourseKey,
    order::OrderStatus,
    payment::BilledTo,
    price::Amount,
};

/// Most items of an order; we put in one.
const ITEMS_MAX: i64 = 100;

/// An order.
pub(crate) struct OrderRow {
    pub(crate) user: UserId,
    pub(crate) status: OrderStatus,
    pub(crate) currency: String,
    pub(crate) visit: Option<Uuid>,
    pub(crate) reference: Option<String>,
    pub(crate) purchased_at: Option<DateTime<Utc>>,
    pub(crate) billed_to: BilledTo,
}

/// A certificate in an order.
pub(crate) struct Item {
    pub(crate) course: CourseKey,
    pub(crate) mode: String,
    pub(crate) line_desc: String,
    pub(crate) quantity: i32,
    pub(crate) unit_cost: Amount,
}

impl Item {
    /// What the line costs.
    pub(crate) fn cost(&self) -> Amount {
        self.unit_cost.times(self.quantity)
    }
}

/// A learner's cart, emptied; a new one when there is none. Until the transaction ends it is nobody else's.
pub(crate) async fn take_cart(
    conn: &mut Connection,
    user: UserId,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<OrderId, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        INSERT INTO orders (user_id, status, currency, created_at, updated_at) VALUES ($1, 'cart', $2, $3, $3)
        ON CONFLICT (user_id) WHERE status = 'cart' DO UPDATE SET currency = excluded.currency, updated_at = excluded.updated_at
        RETURNING id
        "#,
        user.0,
        currency,
        now
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM order_items WHERE order_id = $1", id).execute(conn).await?;
    Ok(OrderId(id))
}

/// Puts one certificate into a cart.
pub(crate) async fn insert_item(conn: &mut Connection, order: OrderId, item: &Item) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO order_items (order_id, course_key, mode, status, quantity, unit_cost, list_price, currency, line_desc)
        SELECT id, $2, $3, status, $4, $5, $5, currency, $6 FROM orders WHERE id = $1 AND status = 'cart'
        "#,
        order.0,
        item.course.as_str(),
        item.mode,
        item.quantity,
        item.unit_cost.to_decimal(),
        item.line_desc,
    )
    .execute(conn)
    .await?;
    must_touch_one("order_items", done.rows_affected())
}

/// Sends a cart to the payment page.
pub(crate) async fn start_paying(
    conn: &mut Connection,
    order: OrderId,
    visit: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "UPDATE orders SET status = 'paying', transaction_uuid = $2, updated_at = $3 WHERE id = $1 AND status = 'cart'",
        order.0,
        visit,
        now
    )
    .execute(&mut *conn)
    .await?;
    must_touch_one("orders", done.rows_affected())?;
    sqlx::query!("UPDATE order_items SET status = 'paying' WHERE order_id = $1 AND status = 'cart'", order.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Enrols a learner in a course where they are not: inactive, in the free track. Source: reference 5.4, step 2.
pub(crate) async fn ensure_enrollment(
    conn: &mut Connection,
    user: UserId,
    course: &CourseKey,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO enrollments (user_id, course_key, mode, is_active, updated_at) VALUES ($1, $2, 'audit', false, $3)
        ON CONFLICT (user_id, course_key) DO NOTHING
        "#,
        user.0,
        course.as_str(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds an order.
pub(crate) async fn find(conn: &mut Connection, order: OrderId) -> Result<Option<OrderRow>, StoreError> {
    let row = sqlx::query_as!(
        RawOrder,
        r#"
        SELECT user_id, status, currency, transaction_uuid, processor_reference, purchased_at, billed_to
        FROM orders WHERE id = $1
        "#,
        order.0
    );
    row.fetch_optional(conn).await?.map(OrderRow::try_from).transpose()
}

/// Finds an order; its row is locked for the rest of the transaction.
pub(crate) async fn lock(conn: &mut Connection, order: OrderId) -> Result<Option<OrderRow>, StoreError> {
    let row = sqlx::query_as!(
        RawOrder,
        r#"
        SELECT user_id, status, currency, transaction_uuid, processor_reference, purchased_at, billed_to
        FROM orders WHERE id = $1 FOR UPDATE
        "#,
        order.0
    );
    row.fetch_optional(conn).await?.map(OrderRow::try_from).transpose()
}

struct RawOrder {
    user_id: i64,
    status: String,
    currency: String,
    transaction_uuid: Option<Uuid>,
    processor_reference: Option<String>,
    purchased_at: Option<DateTime<Utc>>,
    billed_to: serde_json::Value,
}

impl TryFrom<RawOrder> for OrderRow {
    type Error = StoreError;

    fn try_from(row: RawOrder) -> Result<Self, StoreError> {
        Ok(Self {
            user: UserId(row.user_id),
            status: OrderStatus::parse(&row.status).ok_or(BadRow { table: "orders", column: "status" })?,
            currency: row.currency,
            visit: row.transaction_uuid,
            reference: row.processor_reference,
            purchased_at: row.purchased_at,
            billed_to: serde_json::from_value(row.billed_to).map_err(|_| BadRow { table: "orders", column: "billed_to" })?,
        })
    }
}

/// The items of an order.
pub(crate) async fn list_items(conn: &mut Connection, order: OrderId) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query!(
        "SELECT course_key, mode, line_desc, quantity, unit_cost FROM order_items WHERE order_id = $1 ORDER BY id LIMIT $2",
        order.0,
        ITEMS_MAX
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = |column| BadRow { table: "order_items", column };
            Ok(Item {
                course: CourseKey::parse(&row.course_key).ok_or_else(|| bad("course_key"))?,
                mode: row.mode,
                line_desc: row.line_desc,
                quantity: row.quantity,
                unit_cost: Amount::from_decimal(row.unit_cost).ok_or_else(|| bad("unit_cost"))?,
            })
        })
        .collect()
}

/// An order is paid, and its items are given; `false` when it was not waiting for that.
pub(crate) async fn mark_purchased(
    conn: &mut Connection,
    order: OrderId,
    (reference, billed_to): (Option<&str>, &BilledTo),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let billed_to = serde_json::to_value(billed_to).map_err(|_| BadRow { table: "orders", column: "billed_to" })?;
    let done = sqlx::query!(
        r#"
        UPDATE orders SET status = 'purchased', processor_reference = $2, billed_to = $3, purchased_at = $4, updated_at = $4
        WHERE id = $1 AND status IN ('paying', 'defunct-paying')
        "#,
        order.0,
        reference,
        billed_to,
        now
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    sqlx::query!("UPDATE order_items SET status = 'purchased', fulfilled_at = $2 WHERE order_id = $1", order.0, now)
        .execute(conn)
        .await?;
    Ok(true)
}
