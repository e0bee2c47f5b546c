//! The vendor format `sealed`, on real servers: the way there, and what lies in the store.

use serde_json::{Value, json};
use vouch_cli::simulator::{Entry, Kind};
use vouch_common::{
    domain::{effect::Queue, photo::PhotoKind},
    photos::inspect::{Limits, inspect},
    vendor::{
        sealed::{
            key::DataKey,
            photo::{Binding, OpenPhotoError, open_photo},
        },
        software_secure::rsa_keys::VendorPrivateKey,
    },
};
use vouch_tests::{FACE_KEY, PRIVATE_KEY, TestApp, Wishes, samples, sealed, wait_for};

fn submissions(app: &TestApp) -> Vec<Entry> {
    app.vendor.journal().entries().into_iter().filter(|entry| entry.event.kind == Kind::Submission).collect()
}

/// A prepared photo of an attempt: what is stored, and its key as it is stored.
async fn stored(app: &TestApp, receipt: &str, kind: PhotoKind) -> (Vec<u8>, DataKey) {
    let name = kind.as_str();
    let sql = format!("SELECT {name}_object || ' ' || {name}_key FROM attempts WHERE receipt_id = '{receipt}'");
    let row: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&app.db).await.unwrap();
    let (object, key) = row.split_once(' ').unwrap();
    let private_key = VendorPrivateKey::parse(PRIVATE_KEY.as_bytes()).unwrap();
    (std::fs::read(app.folder.path().join(object)).unwrap(), DataKey::unwrap(key, &private_key).unwrap())
}

async fn dead_job(app: &TestApp, receipt: &str) -> Value {
    wait_for("a job to be dead", async || {
        let attempt = app.attempt(receipt).await;
        let jobs = attempt["jobs"].as_array().unwrap().clone();
        jobs.into_iter().find(|job| job["state"] == "dead")
    })
    .await
}

async fn error_class(app: &TestApp) -> String {
    sqlx::query_scalar("SELECT error_class FROM jobs WHERE dead_at IS NOT NULL").fetch_one(&app.db).await.unwrap()
}

#[tokio::test]
async fn a_submission_travels_all_the_way_to_approval_credit_and_mail() {
    let app = TestApp::start_with(sealed::wishes("{}")).await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    let attempt = app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let kinds: Vec<_> = attempt["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["received", "prepared", "submitted", "approved"]);
    let credit = app.get(&format!("users/7/credit/{}", vouch_tests::percent(samples::COURSE))).await;
    assert_eq!((&credit["eligible"], &credit["requirements"][0]["status"]), (&json!(true), &json!("satisfied")));
    assert_eq!(app.mail.mails().iter().filter(|mail| mail.subject.contains("approved")).count(), 1);
    let seen = submissions(&app);
    assert!(seen[0].event.face.is_some() && seen[0].event.photo_id.is_some(), "the vendor opened both photos");
    app.finish().await;
}

#[tokio::test]
async fn a_denial_tells_the_learner_the_reasons_behind_the_codes() {
    let app = TestApp::start_with(sealed::wishes("{}")).await;
    let receipt = app.submit(7, "Sofia FAIL", json!({})).await;
    let attempt = app.wait_for_status(&receipt, "denied").await;
    app.wait_until_idle().await;
    assert_eq!(attempt["reasons"], json!(["No photo ID was provided."]));
    assert_eq!(attempt["error_code"], "Photo reasons");
    assert!(app.mail.mails().iter().any(|mail| mail.text.contains("No photo ID was provided.")));
    app.finish().await;
}

#[tokio::test]
async fn what_is_stored_opens_as_what_it_is_and_as_nothing_else() {
    let app = TestApp::start_with(sealed::wishes("{}")).await;
    let mut opened = Vec::new();
    for user in [7, 8] {
        let receipt = app.submit(user, "Sofia Marek", json!({})).await;
        app.wait_for_status(&receipt, "approved").await;
        for kind in PhotoKind::ALL {
            let (container, key) = stored(&app, &receipt, kind).await;
            let plain = open_photo(&container, Binding { receipt: &receipt, kind }, &key).unwrap();
            assert!(inspect(&plain, &Limits::default()).is_ok());
            assert!(!container.windows(32).any(|window| window == &plain[200..232]));
            opened.push((receipt.clone(), kind, container, key));
        }
    }
    for (place, (.., container, _)) in opened.iter().enumerate() {
        for (other_place, (receipt, kind, _, key)) in opened.iter().enumerate().filter(|(other, _)| *other != place) {
            let read = open_photo(container, Binding { receipt, kind: *kind }, key);
            assert_eq!(read, Err(OpenPhotoError::NotAuthentic), "photo {place} read as {other_place}");
        }
        assert!(opened.iter().enumerate().all(|(other, (.., twin, _))| other == place || twin != container));
    }
    app.finish().await;
}

#[tokio::test]
async fn photos_that_were_swapped_or_changed_in_the_store_are_refused_by_the_vendor() {
    for change in ["kinds", "attempts", "bit", "with keys"] {
        let mut app = TestApp::start_with(Wishes { is_without_worker: true, ..sealed::wishes("{}") }).await;
        let receipt = app.submit(7, "Sofia Marek", json!({})).await;
        let other = app.submit(8, "Eve Marek", json!({})).await;
        app.start_worker(&[Queue::Photos]);
        app.wait_for_status(&receipt, "ready").await;
        app.wait_for_status(&other, "ready").await;
        app.stop_worker().await;
        let path_of = |folder: &str, receipt: &str| {
            let is_it = |path: &std::path::PathBuf| path.to_string_lossy().contains(&samples::stored(folder, receipt, ""));
            app.objects().into_iter().find(is_it).unwrap()
        };
        let (face, photo_id) = (path_of("face", &receipt), path_of("photo_id", &receipt));
        match change {
            "kinds" => std::fs::copy(&photo_id, &face).map(drop).unwrap(),
            "attempts" => std::fs::copy(path_of("face", &other), &face).map(drop).unwrap(),
            "bit" => {
                let mut bytes = std::fs::read(&face).unwrap();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                std::fs::write(&face, bytes).unwrap();
            }
            // Whoever can write the database too still can't pass one learner's face off as another's.
            _ => {
                app.sql(&format!(
                    "UPDATE attempts SET face_object = theirs.face_object, face_key = theirs.face_key
                     FROM attempts AS theirs WHERE attempts.receipt_id = '{receipt}' AND theirs.receipt_id = '{other}'"
                ))
                .await;
            }
        }
        app.sql(&format!("DELETE FROM jobs WHERE subject = '{other}'")).await;
        app.start_worker(&[Queue::Vendor]);
        dead_job(&app, &receipt).await;
        let seen = submissions(&app);
        let detail = &seen.last().unwrap().event.detail;
        assert!(detail.starts_with("face: could not open the photo: the stored photo is not authentic"), "{change}: {detail}");
        assert_eq!(app.attempt(&receipt).await["status"], "must_retry");
        app.stop_worker().await;
    }
}

#[tokio::test]
async fn a_face_alone_goes_with_the_sealed_id_photo_of_the_first_attempt() {
    let app = TestApp::start_with(sealed::wishes("{}")).await;
    app.put_course().await;
    let first = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&first, "approved").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let second = vouch_tests::receipt(&app.submission(7, &fields).send().await.unwrap());
    let attempt = app.wait_for_status(&second, "approved").await;
    assert_eq!(attempt["copy_id_photo_from"], json!(first));
    let seen = submissions(&app);
    assert_eq!(seen[0].event.photo_id, seen[1].event.photo_id);
    app.finish().await;
}

#[tokio::test]
async fn each_try_of_one_order_has_the_same_name_and_a_new_order_is_judged_anew() {
    // The vendor keeps its verdict to itself until the order was repeated: one that came before would end that order.
    let script = r#"{"answer": {"fault": {"kind": "hang"}, "first": 1}, "callback": {"copies": 0}}"#;
    let mut wishes = sealed::wishes(script);
    wishes.settings.push(("VOUCH_VENDOR_TIMEOUT", "2s".to_owned()));
    let app = TestApp::start_with(wishes).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "must_retry").await;
    wait_for("the order to be repeated", async || {
        submissions(&app).iter().any(|seen| seen.event.decision == "repeated").then_some(())
    })
    .await;
    app.wait_for_status(&receipt, "submitted").await;
    let failure = sealed::SealedCallback::new(&app, "evt_1", &sealed::verdict(&receipt, "retry"));
    assert_eq!(failure.send(&app).await.0, 202);
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND due_at > now() + interval '5 seconds'";
    wait_for("another order to be planned", async || (app.count(waiting).await == 1).then_some(())).await;
    app.vendor.set_script(vouch_cli::simulator::Script::parse(br#"{"verdicts": []}"#).unwrap()).unwrap();
    app.sql("UPDATE jobs SET due_at = now() WHERE kind = 'submit_to_vendor'").await;
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn photos_prepared_for_the_other_format_are_never_sent_and_an_operator_is_told_why() {
    for (before, after) in [("sealed", "software-secure"), ("software-secure", "sealed")] {
        let mut wishes = Wishes { is_without_worker: true, ..Wishes::default() };
        wishes.settings.push(("VOUCH_VENDOR_FORMAT", before.to_owned()));
        let mut app = TestApp::start_with(wishes).await;
        let receipt = app.submit(7, "Sofia Marek", json!({})).await;
        app.start_worker(&[Queue::Photos]);
        app.wait_for_status(&receipt, "ready").await;
        app.stop_worker().await;
        app.settings.push(("VOUCH_VENDOR_FORMAT".to_owned(), after.to_owned()));
        app.start_worker(&[Queue::Vendor]);
        let job = dead_job(&app, &receipt).await;
        assert_eq!(error_class(&app).await, "format_changed");
        assert!(job["last_error"].as_str().unwrap().contains(before), "{job}");
        assert!(submissions(&app).is_empty());
        app.stop_worker().await;
        // The former format again, and it goes on.
        app.settings.pop();
        app.sql("UPDATE jobs SET dead_at = NULL, failures = 0, deliveries = 0, due_at = now(), phase = 'waiting'").await;
        app.start_worker(&Queue::ALL);
        app.wait_for_status(&receipt, "approved").await;
        app.stop_worker().await;
    }
}

#[tokio::test]
async fn after_a_change_of_format_a_learner_shows_the_id_again() {
    let app = TestApp::start_with(sealed::wishes("{}")).await;
    app.put_course().await;
    let first = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&first, "approved").await;
    app.sql("UPDATE attempts SET vendor_format = 'software-secure'").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let refused = app.submission(7, &fields).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let whole = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&whole, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn nothing_of_a_face_key_is_needed_or_used() {
    let mut wishes = sealed::wishes("{}");
    wishes.settings.push(("VOUCH_VENDOR_FACE_KEY", String::new()));
    let app = TestApp::start_with(wishes).await;
    assert!(!FACE_KEY.is_empty());
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}
