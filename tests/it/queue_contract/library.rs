//! What the queue leans on in apalis-core 1.0.0. When one of these fails after an update, read `worker/src/runtime`
//! again before anything else.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, task_id::RandomId},
    worker::{builder::WorkerBuilder, context::WorkerContext, ext::parallelize::ParallelizeExt},
};
use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tower_layer::Identity;
use vouch_tests::wait_for;

use crate::tidy::root;

/// A backend that is made as ours is: it hands on what a channel brings, and says stop when that is closed.
struct Channel(mpsc::UnboundedReceiver<u32>);

impl Backend for Channel {
    type Task = Task<u32>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Option<Result<Task<u32>, Infallible>>> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(number)) => Poll::Ready(Some(Ok(Task::new(number)))),
            Poll::Ready(None) => {
                let _ = worker.stop();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Channel {
    type Args = u32;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// What the handlers of a test share.
#[derive(Default)]
struct Seen {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// A worker over a channel, made as `monitor` makes ours; each handler waits for a permit and then ends.
fn start(name: &str, gate: Arc<Semaphore>) -> (mpsc::UnboundedSender<u32>, Arc<Seen>, tokio::task::JoinHandle<bool>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let seen = Arc::new(Seen::default());
    let shared = seen.clone();
    let worker =
        WorkerBuilder::new(name.to_owned()).backend(Channel(receiver)).parallelize(tokio::spawn).build(move |number: u32| {
            let (seen, gate) = (shared.clone(), gate.clone());
            async move {
                seen.begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                assert!(number != BAD, "a handler that panics");
                seen.ended.fetch_add(1, Ordering::SeqCst);
            }
        });
    // Boxed, because its full type is too much for the compiler.
    let life = worker.run().boxed();
    let running = tokio::spawn(async move { life.await.is_ok() });
    (sender, seen, running)
}

/// The number whose handler panics.
const BAD: u32 = 13;

async fn reach(count: &AtomicUsize, wanted: usize) {
    wait_for("handlers to get on", async || (count.load(Ordering::SeqCst) == wanted).then_some(())).await;
}

#[test]
fn the_library_is_pinned_to_the_version_that_these_tests_know() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for library in ["apalis", "apalis-core"] {
        assert!(manifest.contains(&format!("{library} = {{ version = \"=1.0.0\"")), "{library}");
    }
}

#[tokio::test]
async fn without_a_limit_of_its_own_the_library_begins_all_that_it_is_given() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, seen, running) = start("all", gate.clone());
    (0..BAD).for_each(|number| sender.send(number).unwrap());
    reach(&seen.begun, 13).await;
    assert_eq!(seen.ended.load(Ordering::SeqCst), 0, "so the bound is the permits of our queue");
    gate.add_permits(13);
    drop(sender);
    assert!(running.await.unwrap());
}

#[tokio::test]
async fn a_worker_whose_queue_is_at_its_end_waits_for_what_runs_and_ends_well() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, seen, running) = start("end", gate.clone());
    (0..5).for_each(|number| sender.send(number).unwrap());
    reach(&seen.begun, 5).await;
    drop(sender);
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    gate.add_permits(5);
    assert!(running.await.unwrap(), "the end of a queue is no error");
    assert_eq!(seen.ended.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_handler_is_a_task_of_its_own_that_outlives_its_worker() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, seen, running) = start("outlives", gate.clone());
    (0..3).for_each(|number| sender.send(number).unwrap());
    reach(&seen.begun, 3).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    gate.add_permits(3);
    reach(&seen.ended, 3).await;
}

#[tokio::test]
async fn a_handler_that_panics_takes_no_other_with_it() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, seen, _running) = start("panics", gate.clone());
    for number in [1, BAD, 2] {
        sender.send(number).unwrap();
    }
    reach(&seen.begun, 3).await;
    gate.add_permits(3);
    reach(&seen.ended, 2).await;
}

#[tokio::test]
async fn work_that_comes_one_by_one_is_begun_without_waiting_for_more() {
    let gate = Arc::new(Semaphore::new(0));
    let (sender, seen, running) = start("one-by-one", gate.clone());
    for number in 1..=5 {
        sender.send(number).unwrap();
        reach(&seen.begun, number as usize).await;
    }
    gate.add_permits(5);
    reach(&seen.ended, 5).await;
    drop(sender);
    assert!(running.await.unwrap());
}
