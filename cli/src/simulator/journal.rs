//! What the simulator saw and did: an append-only list in memory, and JSON lines in a file if wanted.
//!
//! It never holds a name, a photo, a key or an address, only sizes and hashes, so it may be shown in a bug report.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Most entries that stay in memory; older ones are dropped and counted, and remain in the file.
const ENTRIES_MAX: usize = 200_000;

/// What an entry tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A submission that reached the simulator.
    Submission,
    /// A try of a callback that the simulator made.
    Callback,
}

/// The size and shape of a photo that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotoFacts {
    /// The size of the decrypted file in bytes.
    pub bytes: usize,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The format's usual media type.
    pub media_type: String,
}

/// What happened, without its number and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Whether it came in or went out.
    pub kind: Kind,
    /// The receipt id, once the message was trusted.
    pub receipt: Option<String>,
    /// SHA-256 of the message's body, in hexadecimal.
    pub body_sha256: String,
    /// SHA-256 of the expected name, in hexadecimal.
    pub name_sha256: Option<String>,
    /// The face photo, if it was opened.
    pub face: Option<PhotoFacts>,
    /// The ID photo, if it was opened.
    pub photo_id: Option<PhotoFacts>,
    /// `refused`, `fault`, `repeated`, or the verdict's `Result`.
    pub decision: String,
    /// The status that we answered or were answered; `None` if there was no answer.
    pub http_status: Option<u16>,
    /// The reason in words.
    pub detail: String,
}

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the entry, from 1, without gaps.
    pub seq: u64,
    /// When it was written (UTC).
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The journal of one simulator; clones show the same entries.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    pages: Mutex<Pages>,
    last_seq: watch::Sender<u64>,
}

struct Pages {
    entries: VecDeque<Entry>,
    file: Option<File>,
    last_seq: u64,
    dropped: u64,
    write_failures: u64,
}

/// The journal as `GET /_journal` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The entries in order.
    pub entries: Vec<Entry>,
    /// How many entries left the memory because there were too many.
    pub dropped: u64,
    /// How many entries could not be written to the file.
    pub write_failures: u64,
}

impl Journal {
    /// Starts an empty journal that also appends to a file if one is named.
    ///
    /// # Errors
    /// The file system's error if the file cannot be opened for appending.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        let pages = Pages { entries: VecDeque::new(), file, last_seq: 0, dropped: 0, write_failures: 0 };
        Ok(Self(Arc::new(Inner { pages: Mutex::new(pages), last_seq: watch::Sender::new(0) })))
    }

    /// Gives all entries that are still in memory.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.pages().entries.iter().cloned().collect()
    }

    /// Gives the entries after a number, and what was lost.
    #[must_use]
    pub fn excerpt(&self, after_seq: u64) -> Excerpt {
        let pages = self.pages();
        Excerpt {
            entries: pages.entries.iter().filter(|entry| entry.seq > after_seq).cloned().collect(),
            dropped: pages.dropped,
            write_failures: pages.write_failures,
        }
    }

    /// Waits until the entries fulfil a condition and gives them; the caller sets the time limit.
    pub async fn wait_until(&self, mut is_fulfilled: impl FnMut(&[Entry]) -> bool) -> Vec<Entry> {
        let mut last_seq = self.0.last_seq.subscribe();
        loop {
            last_seq.mark_unchanged();
            let entries = self.entries();
            if is_fulfilled(&entries) {
                return entries;
            }
            // The sender lives as long as this journal, so waiting ends only with a change.
            let _ = last_seq.changed().await;
        }
    }

    pub(super) fn append(&self, at: DateTime<Utc>, event: Event) {
        let mut pages = self.pages();
        pages.last_seq += 1;
        let entry = Entry { seq: pages.last_seq, at, event };
        if !pages.write(&entry) {
            pages.write_failures += 1;
        }
        if pages.entries.len() >= ENTRIES_MAX {
            pages.entries.pop_front();
            pages.dropped += 1;
        }
        pages.entries.push_back(entry);
        self.0.last_seq.send_replace(pages.last_seq);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn write(&mut self, entry: &Entry) -> bool {
        let Some(file) = &mut self.file else { return true };
        let Ok(mut line) = serde_json::to_vec(entry) else { return false };
        line.push(b'\n');
        file.write_all(&line).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{Entry, Event, Journal, Kind};

    fn event(decision: &str) -> Event {
        Event {
            kind: Kind::Callback,
            receipt: None,
            body_sha256: String::new(),
            name_sha256: None,
            face: None,
            photo_id: None,
            decision: decision.to_owned(),
            http_status: Some(200),
            detail: String::new(),
        }
    }

    #[test]
    fn entries_are_numbered_from_one_and_appended_to_the_file_as_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        std::fs::write(&path, "{}\n").unwrap();
        let journal = Journal::open(Some(&path)).unwrap();

        journal.append(DateTime::<Utc>::UNIX_EPOCH, event("PASS"));
        journal.append(DateTime::<Utc>::UNIX_EPOCH, event("FAIL"));

        let entries = journal.entries();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
        let text = std::fs::read_to_string(&path).unwrap();
        let written: Vec<Entry> = text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(written, entries);
        assert_eq!(journal.excerpt(1).entries, entries[1..]);
        assert_eq!(journal.excerpt(0).write_failures, 0);
    }

    #[tokio::test]
    async fn a_waiter_sees_an_entry_whenever_it_is_written() {
        let journal = Journal::open(None).unwrap();
        let waiter = tokio::spawn({
            let journal = journal.clone();
            async move { journal.wait_until(|entries| entries.len() == 2).await }
        });

        journal.append(DateTime::<Utc>::UNIX_EPOCH, event("PASS"));
        tokio::task::yield_now().await;
        journal.append(DateTime::<Utc>::UNIX_EPOCH, event("FAIL"));

        assert_eq!(waiter.await.unwrap().len(), 2);
    }

    #[test]
    fn a_folder_is_no_journal_file() {
        let folder = tempfile::tempdir().unwrap();

        assert!(Journal::open(Some(folder.path())).is_err());
    }
}
