//! What every verdict does, whoever gave it: the vendor, our own checks, or an operator.

use super::{OperationError, status_mails};
use crate::{
    domain::{
        attempt::{Attempt, transition::Move},
        checkpoint::Outcome,
    },
    store::{
        Connection,
        attempts::{self, Change, Moved},
        checkpoints::{self, StatusRow},
        jobs,
    },
};

/// Moves a locked attempt, tells its checkpoints, and asks for credit and mail.
///
/// # Errors
///
/// [`OperationError::Refused`] when the move does not fit the attempt's state.
pub(super) async fn settle(
    conn: &mut Connection,
    attempt: &Attempt,
    step: Move,
    change: &Change<'_>,
) -> Result<Outcome, OperationError> {
    if let Moved::Refused(status) = attempts::transition(conn, attempt.id, step.rule(), change).await? {
        return Err(OperationError::Refused(status));
    }
    let outcome = match step {
        Move::Approve | Move::ApproveByHand => Outcome::Approved,
        Move::SystemError => Outcome::Error,
        _ => Outcome::Denied,
    };
    let row = StatusRow { user: attempt.user, attempt: attempt.id, status: outcome.status(), at: change.at };
    let checkpoints = checkpoints::append_to_linked(conn, row).await?;
    let wishes = status_mails::wishes(conn, attempt, outcome, &checkpoints).await?;
    jobs::insert(conn, &wishes, Some(attempt.receipt)).await?;
    Ok(outcome)
}
