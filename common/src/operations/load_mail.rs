//! What a mail says.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        attempt::reasons,
        credit,
        effect::MailTemplate,
        ids::{ReceiptId, UserId},
    },
    store::{Db, attempts, courses, credit as credit_rows, users},
};

/// What a mail says, and to whom.
#[derive(Clone, PartialEq, Eq)]
pub struct MailFacts {
    /// The address.
    pub email: String,
    /// The learner's name.
    pub full_name: String,
    /// Why the attempt was denied.
    pub reasons: Vec<String>,
    /// Until when the approval counts (UTC).
    pub expires_at: Option<DateTime<Utc>>,
    /// The course's name.
    pub course_name: Option<String>,
    /// Who gives credit: "A", "A and B", "A, B, and C".
    pub providers: Option<String>,
}

/// Which mail.
#[derive(Debug, Clone, Copy)]
pub struct WhichMail<'a> {
    /// What about.
    pub template: MailTemplate,
    /// To whom.
    pub user: UserId,
    /// The attempt, if any.
    pub receipt: Option<ReceiptId>,
    /// The course, if any.
    pub course: Option<&'a str>,
}

/// Loads what a mail says.
///
/// # Errors
///
/// [`OperationError::Missing`] when the learner or the attempt does not exist.
pub async fn load(db: &Db, which: WhichMail<'_>, days_good_for: u32) -> Result<MailFacts, OperationError> {
    let mut conn = db.pool().acquire().await?;
    let user = users::find(&mut conn, which.user).await?.ok_or(OperationError::Missing("learner"))?;
    let attempt = match which.receipt {
        Some(receipt) => Some(attempts::find(&mut conn, receipt).await?.ok_or(OperationError::Missing("attempt"))?),
        None => None,
    };
    let (mut course_name, mut providers) = (None, None);
    if let Some(course) = which.course {
        course_name = courses::find_name(&mut conn, course).await?;
        providers = credit::provider_names(&credit_rows::provider_names(&mut conn, course).await?);
    }
    Ok(MailFacts {
        email: user.email,
        full_name: user.full_name,
        reasons: attempt.as_ref().map(|attempt| reasons::texts(&attempt.error_msg)).unwrap_or_default(),
        expires_at: attempt.as_ref().map(|attempt| attempt.expires_at(days_good_for)),
        course_name,
        providers,
    })
}
