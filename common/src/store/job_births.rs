//! How jobs come into the ledger.

use super::{Connection, StoreError};
use crate::{
    domain::{
        effect::{Start, Wish},
        failure::Signature,
        ids::ReceiptId,
    },
    telemetry::trace,
};

/// Writes the job of each wish; part of the transaction that makes them necessary. They belong to the
/// attempt's trace, whoever wishes them, and without an attempt to the present one.
pub(crate) async fn insert(conn: &mut Connection, wishes: &[Wish], subject: Option<ReceiptId>) -> Result<(), StoreError> {
    if wishes.is_empty() {
        return Ok(());
    }
    let (mut queues, mut kinds, mut args) = (Vec::new(), Vec::new(), Vec::new());
    let (mut delays, mut failures) = (Vec::new(), BornDead::default());
    for wish in wishes {
        queues.push(wish.effect.queue().as_str().to_owned());
        kinds.push(wish.effect.kind().to_owned());
        args.push(wish.effect.to_args());
        delays.push(if let Start::After(delay) = &wish.start { delay.as_secs_f64() } else { 0.0 });
        failures.push(wish);
    }
    sqlx::query!(
        r#"
        WITH wish AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[])
                AS wish (queue, kind, args, delay, class, error, fingerprint, message)
        ), grouped AS (
            INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
            SELECT fingerprint, queue, kind, class, '', message FROM wish WHERE class IS NOT NULL
            ON CONFLICT DO NOTHING
        )
        INSERT INTO jobs (queue, kind, args, due_at, error_class, last_error, fingerprint, dead_at, failed_at, subject, trace)
        SELECT queue, kind, args, now() + make_interval(secs => delay), class, error, fingerprint,
               CASE WHEN class IS NOT NULL THEN now() END, CASE WHEN class IS NOT NULL THEN now() END, $9,
               coalesce((SELECT CASE WHEN split_part(attempts.trace, '-', 2) = split_part($10, '-', 2) THEN $10 ELSE attempts.trace END
                         FROM attempts WHERE receipt_id = $9), $10)
        FROM wish
        "#,
        &queues,
        &kinds,
        &args,
        &delays,
        &failures.classes as &[Option<String>],
        &failures.errors as &[Option<String>],
        &failures.fingerprints as &[Option<String>],
        &failures.messages as &[Option<String>],
        subject.map(|receipt| receipt.0),
        trace::current(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the wishes carry that wait for an operator from the start.
#[derive(Default)]
struct BornDead {
    classes: Vec<Option<String>>,
    errors: Vec<Option<String>>,
    fingerprints: Vec<Option<String>>,
    messages: Vec<Option<String>>,
}

impl BornDead {
    fn push(&mut self, wish: &Wish) {
        let failure = if let Start::ByOperator { class, error } = &wish.start { Some((*class, error)) } else { None };
        let sign = failure.map(|(class, error)| Signature::of(wish.effect.kind(), class, "", error));
        self.classes.push(failure.map(|(class, _)| class.to_owned()));
        self.errors.push(failure.map(|(_, error)| error.clone()));
        self.fingerprints.push(sign.as_ref().map(|sign| sign.fingerprint.clone()));
        self.messages.push(sign.map(|sign| sign.message));
    }
}
