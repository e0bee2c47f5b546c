//! A purge that is cut off anywhere, and a purge of many.

use chrono::TimeDelta;
use vouch_tests::{TestApp, wait_for};

use super::{photos, plant, purge, services_behind_proxy};

/// After how many requests it is cut off: after each of the first, where the photos go, and then now and then.
fn cuts() -> impl Iterator<Item = u64> {
    (0..20).chain((20..400).step_by(9))
}

#[tokio::test]
async fn a_purge_that_is_cut_off_before_any_request_or_answer_leaves_nothing_without_a_name() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let long_ago = app.now() - TimeDelta::days(1000);
    for (count, is_before_answer) in cuts().flat_map(|count| [(count, false), (count, true)]) {
        let planted = plant(&app, "denied", long_ago, long_ago).await;
        let (services, proxy) = services_behind_proxy(&app).await;
        if is_before_answer {
            proxy.cut_before_answer(count + 1)
        } else {
            proxy.cut_after_requests(count)
        }
        purge(&services).await;
        let is_whole = proxy.requests() < count;
        for path in app.objects() {
            let name = path.strip_prefix(app.folder.path()).unwrap().to_str().unwrap().to_owned();
            let named = format!("SELECT count(*) FROM attempts WHERE '{name}' IN (face_object, photo_id_object)");
            assert_eq!(app.count(&named).await, 1, "{name} after {count}");
        }
        purge(&app.services()).await;
        assert!(photos(&app, &planted).await.is_empty(), "after {count}");
        let emptied = format!("SELECT count(*) FROM attempts WHERE id = {} AND emptied_at IS NOT NULL AND name = ''", planted.id);
        assert_eq!(app.count(&emptied).await, 1, "after {count}");
        if is_whole {
            assert!(count > 20, "a purge makes only {count} requests");
            return;
        }
    }
    panic!("a purge makes more requests than were tried");
}

#[tokio::test]
async fn a_purge_among_many_rows_uses_its_indexes_and_comes_to_an_end() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.sql(
        "INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at, face_object, photo_id_object)
         SELECT gen_random_uuid(), 7, CASE WHEN n % 2 = 0 THEN 'denied' ELSE 'approved' END, 'n',
                now() - interval '100 days', now() - interval '1 day', 'face/x/' || n, 'photo_id/x/' || n
         FROM generate_series(1, 20000) AS n",
    )
    .await;
    app.sql(
        "INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed)
         SELECT convert_to(n::text, 'UTF8'), 'applied', now() - CASE WHEN n < 1300 THEN interval '91 days' ELSE interval '1 day' END,
                'sealed', 'r', 'PASS', true, 'x'
         FROM generate_series(1, 20000) AS n",
    )
    .await;
    app.sql("ANALYZE attempts").await;
    app.sql("ANALYZE vendor_callbacks").await;
    let long_ago = app.now() - TimeDelta::days(1000);
    for _ in 0..250 {
        plant(&app, "denied", long_ago, long_ago).await;
    }
    let services = app.services();
    assert_eq!(purge(&services).await, 250 * 3 + 1299);
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 20000 - 1299);
    for index in ["attempts_kept_faces", "attempts_kept_id_photos", "attempts_kept_details", "vendor_callbacks_settled"] {
        let scans = format!("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '{index}'");
        wait_for(index, async || (app.count(&scans).await > 0).then_some(())).await;
    }
}
