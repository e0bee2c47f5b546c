//! What an old master key sealed, sealed anew under the newest: the database and the object store, a batch at a time.
//!
//! Bytes change in place and open with either head, so that nobody who reads them meanwhile notices.

use futures_util::{StreamExt, TryStreamExt, stream};
use vouch_common::{
    adapters::objects::{Objects, ObjectsError},
    domain::ids::AttemptId,
    operations::{OperationError, seal_anew},
    photos::{
        keys::MasterKeys,
        seal::{rewrap, with_context},
    },
    store::{Db, sealed_things::SealedUploads},
};

/// Attempts whose uploads are sealed anew at once; each may hold 20 MiB.
const ATTEMPTS_AT_ONCE: usize = 4;

/// Where to work, and with which keys.
pub struct Rewrap {
    /// The database.
    pub db: Db,
    /// The object store.
    pub objects: Objects,
    /// The master keys, newest first.
    pub keys: MasterKeys,
}

/// What became of things that an old key sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Attempts whose uploads are under the newest key now.
    pub uploads: u64,
    /// Callbacks that are.
    pub callbacks: u64,
    /// Attempts whose uploads went meanwhile.
    pub gone: u64,
    /// What could not be opened.
    pub refused: u64,
    /// Attempts that name uploads which are not in the store.
    pub lost: u64,
}

impl Sum {
    /// How many things are not under an old key any more.
    #[must_use]
    pub const fn done(self) -> u64 {
        self.uploads + self.callbacks + self.gone
    }

    fn add(&mut self, became: Became) {
        *match became {
            Became::Noted => &mut self.uploads,
            Became::Gone => &mut self.gone,
            Became::Refused => &mut self.refused,
            Became::Lost => &mut self.lost,
        } += 1;
    }
}

/// What became of the uploads of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// They are under the newest key.
    Noted,
    /// They are not the attempt's any more, or somebody else noted them.
    Gone,
    /// One can't be opened.
    Refused,
    /// The attempt names one that is not in the store.
    Lost,
}

/// Why it stopped. What was done stays done.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The database.
    #[error("the database failed; what was done stays done, run it again")]
    Operation(#[from] OperationError),
    /// The object store.
    #[error("the object store failed; what was done stays done, run it again")]
    Objects(#[from] ObjectsError),
}

impl Rewrap {
    /// Goes once through everything that an old key sealed, and tells after each batch how far it is.
    ///
    /// # Errors
    ///
    /// [`RewrapError`]; run it again.
    pub async fn pass(&self, tell: &mut impl FnMut(Sum)) -> Result<Sum, RewrapError> {
        let mut sum = Sum::default();
        for master in self.keys.ids().skip(1) {
            let (mut progress, before) = (seal_anew::Progress::default(), sum);
            while seal_anew::callbacks(&self.db, &self.keys, master, &mut progress).await? {
                sum = Sum { callbacks: before.callbacks + progress.done, refused: before.refused + progress.refused, ..before };
                tell(sum);
            }
        }
        let mut after = AttemptId(0);
        loop {
            let batch = seal_anew::list_uploads(&self.db, &self.keys, after).await?;
            let Some(last) = batch.last() else { return Ok(sum) };
            after = last.attempt;
            let mut work = stream::iter(&batch).map(|uploads| self.uploads(uploads)).buffer_unordered(ATTEMPTS_AT_ONCE);
            while let Some(became) = work.try_next().await? {
                sum.add(became);
                tell(sum);
            }
        }
    }

    async fn uploads(&self, uploads: &SealedUploads) -> Result<Became, RewrapError> {
        let stored = self.store_uploads(uploads).await?;
        self.note_uploads(uploads, stored).await
    }

    /// Stores the uploads of an attempt sealed anew in their place; those that are already stay.
    ///
    /// # Errors
    ///
    /// When the object store fails.
    pub async fn store_uploads(&self, uploads: &SealedUploads) -> Result<Became, RewrapError> {
        let mut became = Became::Noted;
        for (kind, object) in [("face", &uploads.face), ("photo_id", &uploads.photo_id)] {
            let Some(object) = object else { continue };
            let sealed = match self.objects.get(object).await {
                Err(ObjectsError::Missing(_)) => {
                    became = Became::Lost;
                    continue;
                }
                read => read?,
            };
            match with_context(uploads.receipt, kind, |context| rewrap(&self.keys, context, &sealed)) {
                Ok(Some(anew)) => self.objects.put(object, anew).await?,
                Ok(None) => {}
                Err(_) => return Ok(Became::Refused),
            }
        }
        Ok(became)
    }

    /// Notes what was stored. What the attempt let go meanwhile was deleted before it was stored, and is deleted again.
    ///
    /// # Errors
    ///
    /// When the database or the object store fails.
    pub async fn note_uploads(&self, uploads: &SealedUploads, stored: Became) -> Result<Became, RewrapError> {
        if stored == Became::Noted && seal_anew::note_uploads(&self.db, &self.keys, uploads).await? {
            return Ok(Became::Noted);
        }
        let unnamed = seal_anew::find_unnamed(&self.db, uploads).await?;
        for object in &unnamed {
            self.objects.delete(object).await?;
        }
        Ok(if stored == Became::Noted || !unnamed.is_empty() { Became::Gone } else { stored })
    }
}
