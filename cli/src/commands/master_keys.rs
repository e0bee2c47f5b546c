//! `vouch keys status` and `vouch keys rewrap`: what the master keys seal, and how an old one gets free. They speak to the
//! database and the object store, because the api has no door to the master keys.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, stderr},
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use vouch_common::{
    adapters::objects::Objects,
    clock::{Clock, SystemClock},
    config::{Sealing, Source},
    domain::operator::Order,
    operations::{read_sealings, seal_anew},
    photos::keys::MasterKeys,
    store::{
        Db,
        sealed_things::{SealedKind, Tally},
    },
};

use crate::{
    failure::Failure,
    out::{Looks, note},
    rewrap::{Rewrap, Sum},
    show::{
        number,
        table::{self, Column, Shape},
    },
};

/// What is in somebody else's hands is waited for so many times so long: another rewrap, or a purge.
const LOOKS_MAX: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// How the keys stand.
const KEYS: [Column; 5] = [
    Column("KEY", "/master_key", Shape::Name),
    Column("STATE", "/state", Shape::Name),
    Column("UPLOADS", "/uploads", Shape::Number),
    Column("CALLBACKS", "/callbacks", Shape::Number),
    Column("NOTE", "/note", Shape::Text),
];

/// Tells what each master key is needed for.
pub(super) async fn status(db: &Db, looks: &Looks) -> Result<()> {
    let sealing = Sealing::read(&Source::from_environment()?)?;
    let tallies = read_sealings::count(db).await.context("what is sealed can't be counted")?;
    let document = describe(&sealing, &tallies);
    looks.tell(&document, |document, look| table::list(&KEYS, document, look))
}

/// Seals anew under the newest key what the others on the list sealed.
pub(super) async fn rewrap(db: &Db, looks: &Looks, actor: &str, reason: &str) -> Result<()> {
    let sealing = Sealing::read(&Source::from_environment()?)?;
    // Links are not made here, so that it does not matter where they would lead.
    let objects = Objects::open(&sealing.storage_url, &sealing.storage_url, &sealing.master_keys).context("the object store")?;
    let work = Rewrap { db: db.clone(), objects, keys: sealing.master_keys };
    let newest = work.keys.newest().to_owned();
    let (to_do, missing) = to_do(&work).await?;
    let total = sum_of(&to_do);
    if total > 0 {
        let order = Order::new(actor, reason)?;
        seal_anew::begin(&work.db, &order, &work.keys, &to_do, SystemClock.now()).await.context("the audit")?;
    }
    let sum = work_off(&work, total).await?;
    let (left, _) = self::to_do(&work).await?;
    let missing = sum_of(&missing);
    if sum_of(&left) + missing > 0 {
        return Err(Failure::Partly(in_part(sum, sum_of(&left), missing)).into());
    }
    let document = json!({ "master_key": newest, "uploads": sum.uploads, "callbacks": sum.callbacks });
    looks.tell(&document, |_, _| match sum.done() {
        0 => format!("Nothing to do: everything is sealed under {newest}.\n"),
        _ => format!("{} uploads and {} callbacks are sealed under {newest} now.\n", sum.uploads, sum.callbacks),
    })
}

/// Goes through it until nothing is left, or what is left can't be done.
async fn work_off(work: &Rewrap, total: u64) -> Result<Sum> {
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} sealed anew, {eta} left")?);
    let (mut all, mut looks, mut tenth) = (Sum::default(), 0, 0);
    while sum_of(&to_do(work).await?.0) > 0 {
        let before = all.done();
        let sum = work
            .pass(&mut |sum| {
                let done = (before + sum.done()).min(total.max(1));
                bar.set_position(done);
                if !stderr().is_terminal() && done * 10 / total.max(1) > tenth {
                    tenth = done * 10 / total.max(1);
                    note(&format!("{} of {} sealed anew", number_of(done), number_of(total)));
                }
            })
            .await?;
        all = Sum {
            uploads: all.uploads + sum.uploads,
            callbacks: all.callbacks + sum.callbacks,
            gone: all.gone + sum.gone,
            ..sum
        };
        looks += 1;
        let is_stuck = sum.done() == 0 && sum.refused + sum.lost > 0;
        if is_stuck || looks >= LOOKS_MAX {
            break;
        }
        if sum.done() == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    bar.finish_and_clear();
    Ok(all)
}

fn in_part(sum: Sum, left: u64, missing: u64) -> String {
    let mut parts = vec![format!("{} are sealed anew", number_of(sum.done()))];
    if missing > 0 {
        parts.push(format!(
            "{} are sealed under keys that are not on the list: put them back (vouch keys status)",
            number_of(missing)
        ));
    }
    if left > 0 {
        parts.push(format!(
            "{} are left: {} can't be opened, {} are not in the store, the others somebody else has",
            number_of(left),
            number_of(sum.refused),
            number_of(sum.lost)
        ));
    }
    parts.join("; ")
}

/// What old keys of the list sealed, and what keys sealed that are not on it.
async fn to_do(work: &Rewrap) -> Result<(Vec<Tally>, Vec<Tally>)> {
    let tallies = read_sealings::count(&work.db).await.context("what is sealed can't be counted")?;
    let is_known = |tally: &Tally| tally.master_key.as_deref().is_none_or(|master| work.keys.ids().any(|id| id == master));
    let (known, missing): (Vec<_>, Vec<_>) = tallies.into_iter().partition(is_known);
    let old = known.into_iter().filter(|tally| tally.master_key.as_deref() != Some(work.keys.newest())).collect();
    Ok((old, missing))
}

fn sum_of(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|tally| u64::try_from(tally.count).unwrap_or_default()).sum()
}

fn number_of(count: u64) -> String {
    number(i64::try_from(count).unwrap_or(i64::MAX))
}

/// One item a key: those of the list in its order, then those that are missing, then what names none.
fn describe(sealing: &Sealing, tallies: &[Tally]) -> Value {
    let counts = |master: Option<&str>| {
        let of_master = || tallies.iter().filter(|tally| tally.master_key.as_deref() == master);
        let count = |kind| of_master().filter(|tally| tally.kind == kind).map(|tally| tally.count).sum::<i64>();
        (count(SealedKind::Uploads), count(SealedKind::Callback))
    };
    let (unnoted, _) = counts(None);
    let is_folder = sealing.storage_url.scheme() == "file";
    let mut items: Vec<Value> = Vec::new();
    for (place, id) in sealing.master_keys.ids().enumerate() {
        let (uploads, callbacks) = counts(Some(id));
        let (state, note) = standing(place, uploads + callbacks + unnoted, is_folder);
        items.push(item(id, state, (uploads, callbacks), note));
    }
    for id in missing(&sealing.master_keys, tallies) {
        items.push(item(id, "missing", counts(Some(id)), "put it back on the list: nothing of this can be opened"));
    }
    if unnoted > 0 {
        items.push(item("?", "not noted", (unnoted, 0), "an older release sealed them: vouch keys rewrap looks under which"));
    }
    json!({ "items": items })
}

fn item(id: &str, state: &str, (uploads, callbacks): (i64, i64), note: &str) -> Value {
    json!({ "master_key": id, "state": state, "uploads": uploads, "callbacks": callbacks, "note": note })
}

const fn standing(place: usize, needed_by: i64, is_folder: bool) -> (&'static str, &'static str) {
    match (place, needed_by) {
        (0, _) => ("newest", "it seals; it must stay"),
        (_, 1..) => ("needed", "it must stay until vouch keys rewrap is done"),
        _ if is_folder => ("free", "it may go 5 days after it was the first: links to photos are signed with it"),
        _ => ("free", "it may be taken off the list"),
    }
}

/// The keys that are not on the list, each once.
fn missing<'a>(keys: &MasterKeys, tallies: &'a [Tally]) -> Vec<&'a str> {
    let used = tallies.iter().filter_map(|tally| tally.master_key.as_deref());
    let missing: BTreeSet<&str> = used.filter(|master| keys.ids().all(|id| id != *master)).collect();
    missing.into_iter().collect()
}
