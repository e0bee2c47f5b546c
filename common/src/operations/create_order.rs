//! A learner buys a certificate.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{OperationError, submit_photos::Submitter};
use crate::{
    domain::{course::CourseMode, ids::OrderId, keys::CourseKey, order::Sale},
    store::{Db, courses, flow, orders, orders::Item, users, users::User},
};

/// What is known when a learner wants to buy.
pub struct OrderFacts {
    /// The learner: as the platform told, else as their token says.
    pub learner: Option<User>,
    /// The course's name, if it is known.
    pub course_name: Option<String>,
    /// Its tracks, in its order.
    pub modes: Vec<CourseMode>,
    /// The contribution that the learner chose on the page before.
    pub remembered: Option<String>,
}

/// Loads what the decision needs.
///
/// # Errors
///
/// When the database is away.
pub async fn load_facts(db: &Db, who: &Submitter, course: &CourseKey) -> Result<OrderFacts, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(OrderFacts {
        learner: users::find(&mut conn, who.user).await?.or_else(|| who.profile.clone()),
        course_name: courses::find_name(&mut conn, course.as_str()).await?,
        modes: flow::list_modes(&mut conn, course).await?,
        remembered: flow::find_choice(&mut conn, who.user, course).await?.and_then(|choice| choice.contribution),
    })
}

/// Registers a learner on first use; for a purchase that happens elsewhere.
///
/// # Errors
///
/// When the database is away.
pub async fn register(db: &Db, who: &Submitter, now: DateTime<Utc>) -> Result<(), OperationError> {
    if let Some(profile) = &who.profile {
        let mut conn = db.acquire().await?;
        users::ensure(&mut conn, profile, now).await?;
    }
    Ok(())
}

/// A sale that is to be paid on our own payment page.
pub struct NewOrder<'a> {
    /// The course.
    pub course: &'a CourseKey,
    /// Its name.
    pub course_name: &'a str,
    /// What is sold.
    pub sale: &'a Sale,
    /// Names this visit to the payment page.
    pub visit: Uuid,
}

/// Puts a sale into the learner's cart and sends that to the payment page. Source: reference 5.4.
///
/// # Errors
///
/// When the database is away; nothing changed.
pub async fn create(db: &Db, who: &Submitter, new: &NewOrder<'_>, now: DateTime<Utc>) -> Result<OrderId, OperationError> {
    let mode = &new.sale.mode;
    let mut tx = db.begin().await?;
    if let Some(profile) = &who.profile {
        users::ensure(&mut tx, profile, now).await?;
    }
    let order = orders::take_cart(&mut tx, who.user, &mode.currency, now).await?;
    let item = Item {
        course: new.course.clone(),
        mode: mode.slug.clone(),
        line_desc: format!("{} for course {}", mode.display_name, new.course_name),
        quantity: 1,
        unit_cost: new.sale.amount,
    };
    orders::insert_item(&mut tx, order, &item).await?;
    orders::ensure_enrollment(&mut tx, who.user, new.course, now).await?;
    orders::start_paying(&mut tx, order, new.visit, now).await?;
    tx.commit().await?;
    Ok(order)
}
