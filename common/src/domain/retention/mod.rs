//! How long what is known of a person is kept, why, and what becomes of it: one table of every kind.
//!
//! `docs/privacy.md` shows it. [`columns`] says of every column which kind stands in it. The purge and the erasure
//! of a learner do what stands here; neither of them decides.

pub mod columns;

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

/// A kind of data about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sealed photos that wait for the intake.
    Uploads,
    /// Faces, encrypted for the vendor.
    Faces,
    /// ID photos, encrypted for the vendor.
    IdPhotos,
    /// Who an attempt was about, and why it was denied.
    AttemptDetails,
    /// Names that a learner had before.
    FormerNames,
    /// What the vendor called back with.
    Callbacks,
    /// Which attempts there were, and how they ended.
    Decisions,
    /// What the platform told of a learner.
    Profiles,
    /// Why a requirement for credit is met or not.
    CreditReasons,
    /// What a provider of credit was told.
    CreditApplications,
    /// Who paid.
    Payers,
    /// What was bought.
    Orders,
    /// Choices on the way to a certificate.
    Drafts,
    /// Events for analytics that are not delivered yet.
    Events,
    /// Callers' names for their submissions, with the answers.
    SubmissionKeys,
    /// Work that is still to be done.
    Jobs,
    /// What a bulk retry had before it, and callers' names for it.
    BulkRetries,
    /// What operators did, and why.
    Audit,
    /// Who was erased, and the receipt.
    Erasures,
}

/// A span that a deployment sets, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `VOUCH_KEEP_PHOTOS_DAYS`.
    Photos,
    /// `VOUCH_KEEP_CALLBACKS_DAYS`.
    Callbacks,
    /// `VOUCH_KEEP_DETAILS_DAYS`.
    Details,
    /// `VOUCH_KEEP_PAYERS_DAYS`.
    Payers,
    /// `VOUCH_KEEP_AUDIT_DAYS`.
    Audit,
}

impl Period {
    /// The setting that says it.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Photos => "VOUCH_KEEP_PHOTOS_DAYS",
            Self::Callbacks => "VOUCH_KEEP_CALLBACKS_DAYS",
            Self::Details => "VOUCH_KEEP_DETAILS_DAYS",
            Self::Payers => "VOUCH_KEEP_PAYERS_DAYS",
            Self::Audit => "VOUCH_KEEP_AUDIT_DAYS",
        }
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// As long as the setting says.
    Setting(Period),
    /// So many days.
    Days(u32),
    /// Until it has served; no clock ends it.
    UntilServed,
    /// Until the learner is erased.
    UntilErased,
    /// For good.
    ForGood,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The row goes.
    DeleteRow,
    /// The row stays, what is personal in it goes.
    EmptyColumns,
    /// The object goes, then its name and its wrapped key.
    DeleteObject,
    /// Nothing.
    Stays,
}

/// What holds for one kind.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The kind.
    pub kind: Kind,
    /// Its name in metrics and receipts.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Where it stands.
    pub place: &'static str,
    /// Why it is kept.
    pub why: &'static str,
    /// From which moment it is counted, and what it waits for besides.
    pub from: &'static str,
    /// How long.
    pub keep: Keep,
    /// What becomes of it then.
    pub end: End,
    /// What an erasure of the learner does with it.
    pub erasure: End,
}

const fn rule(kind: Kind, name: &'static str, what: &'static str, place: &'static str) -> Rule {
    Rule { kind, name, what, place, why: "", from: "", keep: Keep::ForGood, end: End::Stays, erasure: End::Stays }
}

impl Rule {
    const fn why(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    const fn from(self, from: &'static str) -> Self {
        Self { from, ..self }
    }

    const fn keep(self, keep: Keep, end: End, erasure: End) -> Self {
        Self { keep, end, erasure, ..self }
    }
}

use End::{DeleteObject, DeleteRow, EmptyColumns, Stays};
use Keep::{Days, ForGood, Setting, UntilErased, UntilServed};

/// Every kind, in the order of the documentation.
pub const TABLE: [Rule; 19] = [
    rule(Kind::Uploads, "uploads", "uploaded photos, sealed", "objects `uploads/`; `attempts`")
        .why("the intake looks at them")
        .from("until they are prepared or refused; a leftover goes within a day")
        .keep(UntilServed, DeleteObject, DeleteObject),
    rule(Kind::Faces, "faces", "faces, encrypted for the vendor", "objects `face/`; `attempts`")
        .why("the vendor fetches them; an appeal may need them")
        .from("the decision; an open attempt keeps its own")
        .keep(Setting(Period::Photos), DeleteObject, DeleteObject),
    rule(Kind::IdPhotos, "id_photos", "ID photos, encrypted for the vendor", "objects `photo_id/`; `attempts`")
        .why("as faces; and a face at a checkpoint goes with the ID photo of an approval that counts")
        .from("the decision; not before an approval has expired, nor while an open attempt needs it")
        .keep(Setting(Period::Photos), DeleteObject, DeleteObject),
    rule(
        Kind::AttemptDetails,
        "attempt_details",
        "name on an attempt, reasons of a denial, its tries",
        "`attempts`, `attempt_events`, `job_runs`",
    )
    .why("the learner asks why; an operator looks into a fault")
    .from("the decision; not before an approval has expired, nor while a job is left")
    .keep(Setting(Period::Details), EmptyColumns, EmptyColumns),
    rule(Kind::FormerNames, "former_names", "names before and after a change", "`user_name_changes`")
        .why("a name on an ID may be the former one")
        .from("the change")
        .keep(Setting(Period::Details), DeleteRow, DeleteRow),
    rule(Kind::Callbacks, "callbacks", "what the vendor called back with, sealed", "`vendor_callbacks`")
        .why("a repeated call is recognised; a verdict can be looked into")
        .from("its arrival; not before it was dealt with")
        .keep(Setting(Period::Callbacks), DeleteRow, EmptyColumns),
    rule(
        Kind::Decisions,
        "decisions",
        "receipt, states and dates of an attempt, at checkpoints and for credit",
        "`attempts`, `attempt_events`, `checkpoint_statuses`, `credit_requirement_statuses`, `credit_requests`, `credit_eligibilities`",
    )
    .why("certificates and credit rest on them")
    .from("")
    .keep(ForGood, Stays, Stays),
    rule(
        Kind::Profiles,
        "profiles",
        "user name, name, mail address, country, enrolments, opt-outs",
        "`users`, `enrollments`, `skipped_reverifications`",
    )
    .why("the platform's own data: mails, gates and deadlines need it")
    .from("")
    .keep(UntilErased, EmptyColumns, EmptyColumns),
    rule(Kind::CreditReasons, "credit_reasons", "why a requirement for credit is met or not", "`credit_requirement_statuses`")
        .why("the learner asks why")
        .from("its last change")
        .keep(Setting(Period::Details), EmptyColumns, EmptyColumns),
    rule(Kind::CreditApplications, "credit_applications", "what a provider of credit was told of a learner", "`credit_requests`")
        .why("the provider asks again")
        .from("the provider's answer")
        .keep(Setting(Period::Details), EmptyColumns, EmptyColumns),
    rule(Kind::Payers, "payers", "name and town of who paid", "`orders`")
        .why("receipts; the law on accounts")
        .from("the order's last change")
        .keep(Setting(Period::Payers), EmptyColumns, EmptyColumns),
    rule(Kind::Orders, "orders", "what was bought, for how much, the processor's number", "`orders`, `order_items`")
        .why("the law on accounts")
        .from("")
        .keep(ForGood, Stays, Stays),
    rule(Kind::Drafts, "drafts", "amount typed and way chosen before a payment", "`flow_choices`")
        .why("the learner comes back to the page")
        .from("its last change")
        .keep(Days(90), DeleteRow, DeleteRow),
    rule(Kind::Events, "events", "events for analytics", "`analytics_events`")
        .why("they are delivered, and gone with that")
        .from("what they tell of, while they can't be delivered; not while a dead job waits for an operator")
        .keep(Days(90), DeleteRow, DeleteRow),
    rule(Kind::SubmissionKeys, "submission_keys", "idempotency keys with the answer", "`submission_keys`")
        .why("the same request again gets the same answer")
        .from("the request")
        .keep(Days(7), DeleteRow, DeleteRow),
    rule(Kind::Jobs, "jobs", "work to be done: numbers of learners and receipts", "`jobs`")
        .why("it is still to be done; a dead job waits for an operator")
        .from("")
        .keep(UntilServed, DeleteRow, DeleteRow),
    rule(Kind::BulkRetries, "bulk_retries", "receipts and jobs of a bulk retry, idempotency keys", "`retry_items`, `retry_keys`")
        .why("a bulk retry that is pressed twice is one")
        .from("its end")
        .keep(Days(7), DeleteRow, Stays),
    rule(Kind::Audit, "audit", "who did what, to which receipt, when and why", "`operator_actions`, `retries`")
        .why("nothing is done by hand unseen")
        .from("the act")
        .keep(Setting(Period::Audit), DeleteRow, EmptyColumns),
    rule(
        Kind::Erasures,
        "erasures",
        "which number was erased, when, by whom, how much of what; the signed receipt",
        "`erasures`, `users`",
    )
    .why("proof, and nothing brings the learner back")
    .from("")
    .keep(ForGood, Stays, Stays),
];

impl Rule {
    /// Whether a clock ends it.
    #[must_use]
    pub const fn has_clock(&self) -> bool {
        matches!(self.keep, Setting(_) | Days(_))
    }
}

impl Kind {
    /// What holds for it.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The order of the table is the order of the enum; a test holds them together.
        &TABLE[self as usize]
    }

    /// Its name in metrics and receipts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.rule().name
    }
}

/// How long a deployment keeps things, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Photos, after the decision.
    pub photos: u32,
    /// Callbacks, after their arrival.
    pub callbacks: u32,
    /// Names and reasons, after the decision.
    pub details: u32,
    /// Who paid.
    pub payers: u32,
    /// The audit.
    pub audit: u32,
    /// For how long an approval counts, from its creation.
    pub days_good_for: u32,
}

/// Whether an approval is over is asked so much later: a submission that is on its way may still need its ID photo.
const MARGIN: TimeDelta = TimeDelta::days(1);

impl Periods {
    /// The moment before which a kind's clock must have started for it to go now; `None`: no clock ends it.
    #[must_use]
    pub fn cutoff(&self, kind: Kind, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = match kind.rule().keep {
            Keep::Setting(period) => self.days(period),
            Keep::Days(days) => days,
            Keep::UntilServed | Keep::UntilErased | Keep::ForGood => return None,
        };
        Some(now - TimeDelta::days(i64::from(days)))
    }

    /// The moment before which an approval must have been created to count no more.
    #[must_use]
    pub fn expired_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::days(i64::from(self.days_good_for)) - MARGIN
    }

    const fn days(&self, period: Period) -> u32 {
        match period {
            Period::Photos => self.photos,
            Period::Callbacks => self.callbacks,
            Period::Details => self.details,
            Period::Payers => self.payers,
            Period::Audit => self.audit,
        }
    }
}

/// The table of `docs/privacy.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from("| Data | Where | Why | Kept for | From | Then | Erasure |\n|---|---|---|---|---|---|---|\n");
    for rule in &TABLE {
        let Rule { what, place, why, from, .. } = rule;
        let keep = match rule.keep {
            Keep::Setting(period) => format!("`{}`", period.setting()),
            Keep::Days(days) => format!("{days} days"),
            Keep::UntilServed => "until it has served".to_owned(),
            Keep::UntilErased => "until the learner is erased".to_owned(),
            Keep::ForGood => "for good".to_owned(),
        };
        let (then, erasure) = (end(rule.end), end(rule.erasure));
        // Writing to a string can't fail.
        let _ = writeln!(page, "| {what} | {place} | {why} | {keep} | {from} | {then} | {erasure} |");
    }
    page
}

const fn end(end: End) -> &'static str {
    match end {
        End::DeleteRow => "the row goes",
        End::EmptyColumns => "it is emptied",
        End::DeleteObject => "the object goes, then its name and key",
        End::Stays => "it stays",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods { photos: 30, callbacks: 90, details: 730, payers: 3650, audit: 1095, days_good_for: 365 };

    #[test]
    fn the_table_stands_in_the_order_of_the_kinds_and_every_line_says_why() {
        for (index, rule) in TABLE.iter().enumerate() {
            assert_eq!(rule.kind as usize, index);
            assert!(!rule.why.is_empty() && !rule.what.is_empty() && !rule.place.is_empty(), "{}", rule.name);
            assert!(!rule.has_clock() || !rule.from.is_empty(), "{} is counted from nothing", rule.name);
            assert_eq!(rule.keep == Keep::ForGood, rule.end == End::Stays, "{}", rule.name);
        }
    }

    #[test]
    fn a_kind_goes_when_its_days_are_over_and_what_has_no_clock_never_does() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10_000);
        assert_eq!(PERIODS.cutoff(Kind::Faces, now), Some(now - TimeDelta::days(30)));
        assert_eq!(PERIODS.cutoff(Kind::Drafts, now), Some(now - TimeDelta::days(90)));
        assert_eq!(PERIODS.cutoff(Kind::Decisions, now), None);
        assert_eq!(PERIODS.cutoff(Kind::Jobs, now), None);
        assert_eq!(PERIODS.expired_before(now), now - TimeDelta::days(366));
    }
}
