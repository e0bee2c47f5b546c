//! The rules of the ledger. Each can be taken out, to see what it is for.

/// A rule, as `docs/architecture.md` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Rule 1: cause and row are one transaction.
    BornWithItsCause,
    /// What rule 1 makes needless: the sweep puts back a job that must exist.
    Sweep,
    /// Rule 2: handing out moves the deadline.
    DeadlineMoves,
    /// Rule 2: the relay asks how long the list is.
    ListIsShort,
    /// Rule 3: nothing is worked on that was not claimed.
    ClaimFirst,
    /// Rule 3: a claim asks whether the job was handed out and not claimed since.
    ClaimAsksPhase,
    /// Rule 3: a claim asks for the ticket's generation.
    ClaimAsksGeneration,
    /// Rule 3: a heartbeat keeps the lease of what runs.
    Heartbeat,
    /// Rule 4: the effect and the row's end are one transaction.
    EffectGoesWithRow,
    /// Rule 4: no row deleted, no effect.
    RowIsTheRight,
    /// Rule 4: the row's end asks for the generation.
    SettleAsksGeneration,
    /// Rule 5: what was handed out or claimed falls due again.
    TimeHeals,
    /// After so many deliveries without an outcome a job is dead.
    DeliveriesEnd,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::BornWithItsCause,
        Self::Sweep,
        Self::DeadlineMoves,
        Self::ListIsShort,
        Self::ClaimFirst,
        Self::ClaimAsksPhase,
        Self::ClaimAsksGeneration,
        Self::Heartbeat,
        Self::EffectGoesWithRow,
        Self::RowIsTheRight,
        Self::SettleAsksGeneration,
        Self::TimeHeals,
        Self::DeliveriesEnd,
    ];
}
