//! Ends jobs that have no effect of their own on the database: those that are done at the same time in one statement,
//! and so in one commit. It waits for nobody: while two statements run, the next group gathers.

use std::{collections::HashSet, sync::Arc};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::yield_now,
};
use vouch_common::{
    operations::{OperationError, settle_job},
    store::{Db, jobs::Lease},
    telemetry::chain,
};

/// Most jobs that one statement ends.
const GROUP_MAX: usize = 250;
/// Groups that are ended at once: while one waits for its commit, another is prepared.
const GROUPS: usize = 2;

/// Ends jobs in groups.
#[derive(Debug)]
pub struct Finisher {
    db: Db,
    done: mpsc::UnboundedSender<Done>,
}

/// A job that is done, and where to say whether it was still ours.
#[derive(Debug)]
struct Done {
    lease: Lease,
    told: oneshot::Sender<bool>,
}

impl Finisher {
    /// Starts the task that ends jobs; it ends with the finisher. Call it inside a runtime.
    #[must_use]
    pub fn start(db: Db) -> Self {
        let (done, groups) = mpsc::unbounded_channel();
        tokio::spawn(end_in_groups(db.clone(), groups));
        Self { db, done }
    }

    /// Ends a job that had no effect on the database (or none that is left to do).
    ///
    /// # Errors
    ///
    /// [`OperationError::Fenced`] when the job is somebody else's by now; or the database is away.
    pub async fn finish(&self, lease: Lease) -> Result<(), OperationError> {
        let (told, answer) = oneshot::channel();
        let is_taken = self.done.send(Done { lease, told }).is_ok();
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(OperationError::Fenced),
            // Its group failed: alone it learns why, or succeeds.
            Err(_) => {
                tracing::debug!(job.id = %lease.job, is_taken, "a job is ended by itself");
                Box::pin(settle_job::finish(&self.db, lease)).await
            }
        }
    }
}

async fn end_in_groups(db: Db, mut groups: mpsc::UnboundedReceiver<Done>) {
    let turns = Arc::new(Semaphore::new(GROUPS));
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let mut group = Vec::new();
        if groups.recv_many(&mut group, GROUP_MAX).await == 0 {
            return;
        }
        // Those that were claimed together end nearly together: after the first, the others have their turn.
        yield_now().await;
        while group.len() < GROUP_MAX
            && let Ok(done) = groups.try_recv()
        {
            group.push(done);
        }
        let db = db.clone();
        tokio::spawn(async move {
            end(&db, group).await;
            drop(turn);
        });
    }
}

async fn end(db: &Db, group: Vec<Done>) {
    let leases: Vec<Lease> = group.iter().map(|done| done.lease).collect();
    match settle_job::finish_all(db, &leases).await {
        Ok(ended) => {
            let ended: HashSet<Lease> = ended.into_iter().collect();
            for done in group {
                // Who asked may be gone by now; the row is gone either way.
                let _ = done.told.send(ended.contains(&done.lease));
            }
        }
        Err(error) => {
            tracing::debug!(error = %chain(&error), jobs = leases.len(), "a group of jobs was not ended");
        }
    }
}
