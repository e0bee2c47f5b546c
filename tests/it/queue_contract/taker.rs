//! Who takes tickets, and until when.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vouch_common::{
    adapters::redis::{Redis, list_key},
    domain::effect::Queue,
    store::jobs::{ClaimedJob, Lease},
};
use vouch_tests::wait_for;
use vouch_worker::runtime::{claim::Claim, queue::LedgerQueue};

use super::own_redis::OwnRedis;

/// No ticket's job is ours.
struct Nothing;

impl Claim for Nothing {
    async fn claim(&self, _: &[Lease], _: &CancellationToken) -> Vec<ClaimedJob> {
        Vec::new()
    }
}

/// Whether somebody looks at a list, or `None` while the answer is another.
async fn looks(redis: &OwnRedis, wanted: bool) -> Option<()> {
    let clients: String = redis.tell(&["CLIENT", "LIST"]).await;
    (clients.contains("cmd=blmpop") == wanted).then_some(())
}

#[tokio::test]
async fn a_worker_that_ended_by_itself_leaves_the_tickets_to_others() {
    let redis = OwnRedis::start().await;
    let connection = Arc::new(Redis::new(&redis.url()).unwrap());
    let queue = LedgerQueue::start(connection, Queue::Photos, 2, Nothing, CancellationToken::new());
    wait_for("tickets to be looked for", async || looks(&redis, true).await).await;
    drop(queue);
    wait_for("nobody to look for tickets any more", async || looks(&redis, false).await).await;
    let list = list_key(Queue::Photos);
    let _: i64 = redis.tell(&["RPUSH", &list, "1:1:1"]).await;
    assert_eq!(redis.tell::<i64>(&["LLEN", &list]).await, 1);
}
