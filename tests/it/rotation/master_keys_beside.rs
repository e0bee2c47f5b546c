//! Sealing anew while all goes on: submissions, workers, purges, erasures, and cuts between any two steps.

use std::net::SocketAddr;

use serde_json::json;
use vouch_cli::rewrap::{Became, Rewrap};
use vouch_common::{
    domain::ids::AttemptId,
    operations::seal_anew::{self, Progress},
};
use vouch_tests::{TestApp, Wishes, proxy::Proxy};

use super::{keys_at, list, master_keys, open_all, plant, rewrap, setting, status};

#[tokio::test]
async fn submissions_go_on_while_everything_is_sealed_anew_and_none_is_lost() {
    let both = list(&["m2", "m1"]);
    let wishes = Wishes { settings: vec![("VOUCH_MASTER_KEYS", both)], is_without_worker: true, ..Wishes::default() };
    let mut app = TestApp::start_with(wishes).await;
    let mut receipts = Vec::new();
    for user in 1..=6 {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    rewrap(&app, &["m1", "m2"]).await.done();
    app.start_worker(&vouch_common::domain::effect::Queue::ALL);
    let submitting = async {
        for user in 7..=14 {
            receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
        }
    };
    let rewrapping = async {
        for lists in [["m2", "m1"], ["m1", "m2"], ["m2", "m1"], ["m1", "m2"], ["m2", "m1"]] {
            let ended = rewrap(&app, &lists).await;
            // The api goes on sealing under the second key, so that under the first something may be left.
            if lists[0] == "m2" {
                ended.done();
            }
        }
    };
    tokio::join!(submitting, rewrapping);
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    rewrap(&app, &["m2", "m1"]).await.done();
    assert_eq!(status(&app, &["m2"]).await, ["m2 newest 0 14"]);
    assert_eq!(open_all(&app, &["m2"], "m2").await, 14);
    let left: Vec<_> = app.objects().into_iter().filter(|path| path.starts_with(app.folder.path().join("uploads"))).collect();
    assert!(left.is_empty(), "{left:?}");
    app.finish().await;
}

#[tokio::test]
async fn cut_off_before_any_request_or_answer_it_loses_nothing_and_goes_on() {
    let app = TestApp::without_worker().await;
    for user in 1..=2 {
        plant(&app, user).await;
    }
    let direct: url::Url = setting(&app, "DATABASE_URL").parse().unwrap();
    let upstream: SocketAddr = format!("{}:{}", direct.host_str().unwrap(), direct.port().unwrap()).parse().unwrap();
    // Each run seals under the other key, so that there is always something to do.
    let mut ids = ["m1", "m2"];
    for (count, is_before_answer) in (0..80).flat_map(|count| [(count, false), (count, true)]) {
        ids.reverse();
        let proxy = Proxy::start(upstream).await;
        let mut url = direct.clone();
        url.set_port(Some(proxy.addr().port())).unwrap();
        if is_before_answer {
            proxy.cut_before_answer(count + 1)
        } else {
            proxy.cut_after_requests(count)
        }
        let ended = keys_at(&app, url.as_str(), &ids, &["rewrap", "--reason", "a new key"]).await;
        assert_eq!(open_all(&app, &ids, ids[0]).await, 6, "after {count}");
        if !proxy.is_closed() {
            ended.done();
            assert!(count > 10, "it makes only {count} requests");
            assert_eq!(open_all(&app, &ids[..1], ids[0]).await, 6);
            return;
        }
        if ended.code != 0 {
            ended.refused(1, "vouch: ");
        }
        rewrap(&app, &ids).await.done();
        assert_eq!(open_all(&app, &ids[..1], ids[0]).await, 6, "after {count}");
    }
    panic!("it makes more requests than were tried");
}

async fn work(app: &TestApp) -> Rewrap {
    let services = app.services();
    Rewrap { db: services.db().clone(), objects: services.objects().clone(), keys: master_keys(&["m2", "m1"]) }
}

#[tokio::test]
async fn stopped_between_the_two_photos_of_an_attempt_it_goes_on_with_the_second() {
    let app = TestApp::without_worker().await;
    plant(&app, 1).await;
    let work = work(&app).await;
    let mut listed = seal_anew::list_uploads(&work.db, &work.keys, AttemptId(0)).await.unwrap();
    let half = vouch_common::store::sealed_things::SealedUploads { photo_id: None, ..listed[0].clone() };
    assert_eq!(work.store_uploads(&half).await.unwrap(), Became::Noted);
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 0 0", "m1 needed 1 1"]);
    assert_eq!(open_all(&app, &["m2", "m1"], "m2").await, 3);
    rewrap(&app, &["m2", "m1"]).await.done();
    assert_eq!(open_all(&app, &["m2"], "m2").await, 3);
    let late = listed.remove(0);
    assert_eq!(work.note_uploads(&late, Became::Noted).await.unwrap(), Became::Gone, "somebody else noted it");
    assert_eq!(open_all(&app, &["m2"], "m2").await, 3, "and what is named is not deleted");
}

#[tokio::test]
async fn uploads_that_an_erasure_or_a_worker_let_go_meanwhile_do_not_come_back() {
    let app = TestApp::without_worker().await;
    plant(&app, 1).await;
    let work = work(&app).await;
    let listed = seal_anew::list_uploads(&work.db, &work.keys, AttemptId(0)).await.unwrap();
    let stored = work.store_uploads(&listed[0]).await.unwrap();
    app.sql("UPDATE attempts SET face_upload = NULL, photo_id_upload = NULL").await;
    assert_eq!(work.note_uploads(&listed[0], stored).await.unwrap(), Became::Gone);
    assert!(app.objects().is_empty(), "{:?}", app.objects());
    assert_eq!(work.store_uploads(&listed[0]).await.unwrap(), Became::Lost);
    assert!(app.objects().is_empty());
    assert_eq!(work.note_uploads(&listed[0], Became::Lost).await.unwrap(), Became::Gone);
}

#[tokio::test]
async fn a_callback_that_a_purge_or_an_erasure_has_is_left_to_it() {
    let app = TestApp::without_worker().await;
    for user in 1..=3 {
        plant(&app, user).await;
    }
    let work = work(&app).await;
    let mut erasing = app.db.begin().await.unwrap();
    sqlx::query("UPDATE vendor_callbacks SET body_sealed = '' WHERE id = (SELECT min(id) FROM vendor_callbacks)")
        .execute(&mut *erasing)
        .await
        .unwrap();
    let mut progress = Progress::default();
    while seal_anew::callbacks(&work.db, &work.keys, "m1", &mut progress).await.unwrap() {}
    assert_eq!((progress.done, progress.refused), (2, 0));
    erasing.commit().await.unwrap();
    let mut progress = Progress::default();
    while seal_anew::callbacks(&work.db, &work.keys, "m1", &mut progress).await.unwrap() {}
    assert_eq!((progress.done, progress.refused), (0, 0));
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks WHERE body_sealed = ''").await, 1);
    assert_eq!(status(&app, &["m2", "m1"]).await[0], "m2 newest 0 2");
}
