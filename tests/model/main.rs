//! A model of the ledger, small enough to look at every interleaving of relays, workers, faults and time.
//!
//! `docs/model.md` says what is modelled, what each step is in the code, and what was found. No server is needed.

mod ledger;
mod model;
mod outcomes;
mod properties;
mod rules;
mod state;
mod words;
