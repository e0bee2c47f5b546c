//! - **Trigger**: photos arrived, a verdict was applied, or a learner became eligible for credit.
//! - **Does**: renders one mail and hands it to the mail server.
//! - **Safe to repeat because**: the `Message-ID` is made from the job's id, so a mail that is sent twice is recognised as one.
//! - **Limits**: 45 s.
//! - **Retries when**: the mail server is away, slow, or refuses for now or for good.
//! - **Gives up when, and then**: the address is none, or the tries are used up; the verdict stands all the same, and an operator may retry. A mail about a verdict that was overtaken is not sent.
//! - **Personal data**: name and address go to the mail server, and nowhere else.

use std::time::Duration;

use vouch_common::{
    domain::{
        backoff::Backoff,
        effect::{MailTemplate, Queue},
        ids::{ReceiptId, UserId},
    },
    operations::{
        OperationError,
        load_mail::{self, WhichMail},
    },
};

use crate::{
    adapters::mail::MailError,
    runtime::job::{Classify, Delivery, Policy, Verdict},
    services::Services,
};

/// How it is run.
pub const POLICY: Policy = Policy {
    queue: Queue::Mail,
    tries_max: 20,
    timeout: Duration::from_secs(45),
    backoff: Backoff { base: Duration::from_secs(5), cap: Duration::from_hours(1) },
};

/// Which mail, to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// What about.
    pub template: MailTemplate,
    /// To whom.
    pub user: UserId,
    /// The attempt, if any.
    pub receipt: Option<ReceiptId>,
    /// The course, if any.
    pub course: Option<String>,
}

/// Sends a mail.
///
/// # Errors
///
/// See [`SendError`].
pub async fn run(services: &Services, delivery: Delivery, mail: &Arguments) -> Result<(), SendError> {
    let which = WhichMail { template: mail.template, user: mail.user, receipt: mail.receipt, course: mail.course.as_deref() };
    let facts = load_mail::load(services.db(), which, services.settings().validity.days_good_for, services.now()).await?;
    let sent = services.mailer().send(mail.template, &facts, delivery.lease.job).await;
    metrics::counter!("vouch_mails_total", "outcome" => sent.as_ref().map_or_else(Classify::class, |()| "sent")).increment(1);
    sent?;
    services.finish(delivery.lease).await?;
    tracing::info!(job.id = %delivery.lease.job, mail.template = mail.template.as_str(), "mail handed to the server");
    Ok(())
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The ledger or the learner.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The mail.
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl Classify for SendError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::Mail(cause) => cause.class(),
        }
    }

    fn code(&self) -> String {
        if let Self::Mail(cause) = self { cause.code() } else { String::new() }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Mail(cause) => cause.verdict(),
        }
    }
}
