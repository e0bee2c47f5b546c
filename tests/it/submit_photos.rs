//! Submitting photos, over real HTTP: every way in, and every refusal with its text.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use vouch_tests::{TestApp, answer, receipt, samples};

/// That nothing at all was kept.
async fn nothing_was_stored(app: &TestApp) {
    for table in ["attempts", "attempt_events", "jobs", "checkpoints", "user_name_changes"] {
        assert_eq!(app.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert!(app.objects().is_empty());
}

fn both() -> Value {
    json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut fields = both();
    fields[name] = value.into();
    fields
}

fn without(name: &str) -> Value {
    let mut fields = both();
    fields.as_object_mut().unwrap().remove(name);
    fields
}

#[tokio::test]
async fn json_forms_and_binary_parts_are_all_accepted() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    let post = || app.client.post(&url).bearer_auth(app.token(7));
    let json_answer = app.submission(7, &both()).send().await.unwrap();
    receipt(&json_answer);
    assert_eq!(json_answer.headers()["content-type"], "application/json");
    assert_eq!(json_answer.text().await.unwrap(), "{}");
    let fields =
        [("face_image", samples::good("face.png")), ("photo_id_image", samples::good("id.png")), ("unknown", "x".to_owned())];
    receipt(&post().form(&fields).send().await.unwrap());
    let file = |name: &str| Part::bytes(samples::bytes(&format!("good/{name}"))).file_name("p").mime_str("image/jpeg").unwrap();
    let form = Form::new()
        .part("face_image", file("face.webp"))
        .text("photo_id_image", samples::good("id.jpg"))
        .text("full_name", "New Name");
    receipt(&post().multipart(form).send().await.unwrap());
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 3);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 6);
    assert_eq!(
        app.count("SELECT count(*) FROM user_name_changes WHERE old_name = 'Sofia Marek' AND new_name = 'New Name'").await,
        1
    );
    assert_eq!(app.objects().len(), 6);
}

#[tokio::test]
async fn a_part_is_a_photo_or_a_data_url_by_what_it_holds_on_both_ways_in() {
    let app = TestApp::without_worker().await;
    app.put_user(5, "Sofia Marek").await;
    let learners = app.client.post(format!("{}/verify_student/submit-photos/", app.url)).bearer_auth(app.token(5));
    let machines = app.api(reqwest::Method::POST, "attempts");
    let bare = |name: &str| Part::bytes(samples::bytes(&format!("good/{name}")));
    let part = |what: &str, name: &str| match what {
        "no file name" => bare(name),
        "no image type" => bare(name).mime_str("application/octet-stream").unwrap(),
        _ => Part::text(samples::good(name)).file_name("photo").mime_str("image/jpeg").unwrap(),
    };
    for what in ["no file name", "no image type", "a data URL in a file"] {
        for (way, wanted) in [(&learners, 200), (&machines, 202)] {
            let form = Form::new()
                .text("user_id", "5")
                .part("face_image", part(what, "face.jpg"))
                .part("photo_id_image", part(what, "id.jpg"));
            let (status, text) = answer(way.try_clone().unwrap().multipart(form).send().await.unwrap()).await;
            assert_eq!(status, wanted, "{what}: {text}");
        }
    }
    let text = Form::new().part("face_image", Part::text("a,b")).part("photo_id_image", bare("id.jpg"));
    let refused = learners.try_clone().unwrap().multipart(text).send().await.unwrap();
    assert_eq!(answer(refused).await, (400, "Image data is not valid.".to_owned()));
}

#[tokio::test]
async fn a_field_that_was_sent_twice_is_refused_however_it_was_packed() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    let post = |kind: &str, body: String| app.client.post(&url).bearer_auth(app.token(7)).header("content-type", kind).body(body);
    let whole = both().to_string();
    for (field, again) in [("face_image", "\"x\""), ("photo_id_image", "null"), ("full_name", "\"A\",\"full_name\":\"B\"")] {
        let body = format!("{},\"{field}\":{again}}}", whole.trim_end_matches('}'));
        let refused = answer(post("application/json", body).send().await.unwrap()).await;
        assert_eq!(refused, (400, format!("{field} was sent twice.")));
    }
    let form = "face_image=a&face_image=b".to_owned();
    let refused = answer(post("application/x-www-form-urlencoded", form).send().await.unwrap()).await;
    assert_eq!(refused, (400, "face_image was sent twice.".to_owned()));
    nothing_was_stored(&app).await;
    let order = app.client.post(format!("{}/verify_student/create_order/", app.url)).bearer_auth(app.token(7));
    let twice = r#"{"course_id":null,"course_id":"course-v1:a+b+c"}"#;
    let refused = answer(order.header("content-type", "application/json").body(twice).send().await.unwrap()).await;
    assert_eq!(refused, (400, "course_id was sent twice.".to_owned()));
    let unknown = format!("{},\"other\":1,\"other\":2}}", whole.trim_end_matches('}'));
    receipt(&post("application/json", unknown).send().await.unwrap());
}

#[tokio::test]
async fn each_refusal_has_its_text_and_nothing_is_kept() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let invalid = "Image data is not valid.";
    let cases = [
        (without("photo_id_image"), "Photo ID image is required if the user does not have an initial verification attempt."),
        (json!({}), "Photo ID image is required if the user does not have an initial verification attempt."),
        (without("face_image"), "Missing required parameter face_image"),
        (with("course_key", "no course"), "Invalid course key"),
        (with("checkpoint", samples::USAGE), "Missing required parameter course_key"),
        (
            json!({ "face_image": "x", "photo_id_image": "x", "course_key": samples::COURSE, "checkpoint": "?" }),
            "Invalid checkpoint location",
        ),
        (with("full_name", " x "), "Name must be at least 2 characters long."),
        (with("face_image", ""), invalid),
        (with("photo_id_image", ""), invalid),
        (with("face_image", "a,b"), invalid),
        (with("face_image", samples::bad("text.jpg")), invalid),
        (with("face_image", samples::bad("script.svg")), invalid),
        (with("face_image", samples::bad("polyglot.gif")), invalid),
        (with("face_image", samples::bad("animated.gif")), invalid),
        (with("face_image", samples::bad("empty.jpg")), invalid),
        (with("face_image", 5), "face_image must be a string."),
        (json!({ "face_image": "x", "photo_id_image": samples::good("id.jpg"), "full_name": "A good name" }), invalid),
    ];
    for (fields, text) in cases {
        assert_eq!(answer(app.submission(7, &fields).send().await.unwrap()).await, (400, text.to_owned()));
        nothing_was_stored(&app).await;
    }
    let nobody = app.submission(8, &both()).send().await.unwrap();
    assert_eq!(answer(nobody).await, (400, "No profile found for user".to_owned()));
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_broken_or_of_another_kind_is_refused() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    let post = |kind: &str| app.client.post(&url).bearer_auth(app.token(7)).header("content-type", kind);
    let json_kind = "application/json";
    assert_eq!(post(json_kind).body("{").send().await.unwrap().status(), 400);
    assert_eq!(post(json_kind).body("[]").send().await.unwrap().status(), 400);
    assert_eq!(post("text/xml").body("<x/>").send().await.unwrap().status(), 415);
    assert_eq!(post("multipart/form-data; boundary=x").body("nonsense").send().await.unwrap().status(), 400);
    assert_eq!(post("application/x-www-form-urlencoded").body("").send().await.unwrap().status(), 400);
    assert_eq!(app.client.get(&url).bearer_auth(app.token(7)).send().await.unwrap().status(), 405);
    let mut photo = samples::bytes("good/face.jpg");
    photo.resize(10 * 1024 * 1024 + 1, 0);
    let large = json!({ "face_image": samples::data_url(&photo), "photo_id_image": samples::good("id.jpg") });
    assert_eq!(app.submission(7, &large).send().await.unwrap().status(), 413);
    // The server may answer and close before it has read all of such a body.
    if let Ok(answer) = post(json_kind).body(vec![b' '; 24 * 1024 * 1024 + 1]).send().await {
        assert_eq!(answer.status(), 413);
    }
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn who_has_no_valid_token_is_sent_to_sign_in() {
    let app = TestApp::without_worker().await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    let expired = app.token_of(&json!({ "sub": "7", "exp": app.now().timestamp() - 1 }));
    let eternal = app.token_of(&json!({ "sub": "7" }));
    let nobody = app.token_of(&json!({ "sub": "not a number", "exp": app.now().timestamp() + 60 }));
    // {"alg":"none"} . {"sub":"7","exp":9999999999} .
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3IiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    for token in ["", "x", &expired, &eternal, &nobody, unsigned] {
        let answer = app.client.post(&url).bearer_auth(token).json(&both()).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{token}");
        assert_eq!(answer.headers()["location"], "/login?next=%2Fverify%5Fstudent%2Fsubmit%2Dphotos%2F");
    }
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn with_the_cookie_the_csrf_token_must_come_twice() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let url = format!("{}/verify_student/submit-photos/", app.url);
    let csrf = "0123456789abcdef0123";
    let post = || app.client.post(&url).header("cookie", format!("vouch_session={}; csrftoken={csrf}", app.token(7)));
    assert_eq!(post().json(&both()).send().await.unwrap().status(), 403);
    assert_eq!(post().header("x-csrftoken", "another").json(&both()).send().await.unwrap().status(), 403);
    nothing_was_stored(&app).await;
    receipt(&post().header("x-csrftoken", csrf).json(&both()).send().await.unwrap());
    receipt(&post().json(&with("csrfmiddlewaretoken", csrf)).send().await.unwrap());
}

#[tokio::test]
async fn an_unknown_learner_is_registered_from_a_whole_token() {
    let app = TestApp::without_worker().await;
    let exp = app.now().timestamp() + 60;
    let token =
        app.token_of(&json!({ "sub": "9", "exp": exp, "username": "s", "email": "s@example.com", "name": "Sofia Marek" }));
    let url = format!("{}/verify_student/submit-photos/", app.url);
    receipt(&app.client.post(&url).bearer_auth(token).json(&both()).send().await.unwrap());
    assert_eq!(app.count("SELECT count(*) FROM users WHERE user_id = 9 AND full_name = 'Sofia Marek'").await, 1);
}

#[tokio::test]
async fn a_face_alone_uses_the_id_photo_of_the_initial_verification() {
    let app = TestApp::start().await;
    app.put_course().await;
    let first = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&first, "approved").await;
    app.wait_until_idle().await;
    let mails = app.mail.mails().len();
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let second_answer = app.submission(7, &fields).send().await.unwrap();
    let second = receipt(&second_answer);
    let place = "/courses/course-v1:edX+DemoX+Fall/courseware/c1/s1/2";
    let url = second_answer.json::<Value>().await.unwrap()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(place) && url.contains("activate_block_id=i4x%3A%2F%2F"), "{url}");
    let attempt = app.wait_for_status(&second, "approved").await;
    assert_eq!(attempt["copy_id_photo_from"], first);
    app.wait_until_idle().await;
    assert!(app.mail.mails().iter().skip(mails).all(|mail| mail.subject != "Verification photos received"));
    let mut unknown = fields.clone();
    unknown["checkpoint"] = json!("i4x://edX/DemoX/edx-reverification-block/elsewhere");
    let refused = app.submission(7, &unknown).send().await.unwrap();
    assert_eq!(answer(refused).await, (400, "Invalid checkpoint location".to_owned()));
    let third = receipt(&app.submission(7, &both()).send().await.unwrap());
    assert_eq!(app.wait_for_status(&third, "approved").await["copy_id_photo_from"], Value::Null);
    app.finish().await;
}

#[tokio::test]
async fn the_same_submission_with_the_same_key_is_one_submission() {
    let app = TestApp::without_worker().await;
    app.put_user(5, "Sofia Marek").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let send = async |user: i64, key: &str, fields: &Value| {
        app.submission(user, fields).header("Idempotency-Key", key).send().await.unwrap()
    };
    let first = receipt(&send(5, "k1", &fields).await);
    // Twenty at once, of which the browser thought that they were lost.
    let repeats = futures_util::future::join_all((0..20).map(|_| send(5, "k1", &fields))).await;
    assert!(repeats.iter().all(|answer| receipt(answer) == first));
    let fresh = futures_util::future::join_all((0..20).map(|_| send(5, "k2", &fields))).await;
    let second = receipt(&fresh[0]);
    assert!(second != first && fresh.iter().all(|answer| receipt(answer) == second));
    let other = json!({ "face_image": samples::good("face.png"), "photo_id_image": samples::good("id.jpg") });
    let (status, text) = answer(send(5, "k1", &other).await).await;
    assert_eq!((status, text.as_str()), (422, "This Idempotency-Key was used for another submission. Send a new one."));
    app.put_user(6, "Somebody Else").await;
    assert!(receipt(&send(6, "k1", &fields).await) != first, "another caller's key is another key");
    assert_eq!(send(5, "with blank", &fields).await.status(), 400);
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 3);
}

#[tokio::test]
async fn a_checkpoint_that_its_course_does_not_have_is_refused_and_nothing_changes() {
    let app = TestApp::without_worker().await;
    app.put_user(5, "Sofia Marek").await;
    app.put_course().await;
    let foreign = "i4x://edX/DemoX/edx-reverification-block/final";
    for (course, usage) in [(samples::COURSE, foreign), ("course-v1:no+such+course", samples::USAGE)] {
        let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg"),
                             "full_name": "Another Name", "course_key": course, "checkpoint": usage });
        let refused = answer(app.submission(5, &fields).send().await.unwrap()).await;
        assert_eq!(refused, (400, "Invalid checkpoint location".to_owned()));
    }
    for table in ["attempts", "checkpoints", "jobs", "user_name_changes"] {
        assert_eq!(app.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn another_program_submits_for_a_learner_once_a_key() {
    let app = TestApp::without_worker().await;
    app.put_user(5, "Sofia Marek").await;
    let fields = json!({ "user_id": 5, "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let post = |key: &str| app.api(reqwest::Method::POST, "attempts").header("Idempotency-Key", key.to_owned());
    let sent = post("a").json(&fields).send().await.unwrap();
    assert_eq!(sent.status(), 202);
    let sent: Value = sent.json().await.unwrap();
    let receipt = sent["receipt_id"].as_str().unwrap();
    assert_eq!(sent["status_url"], format!("{}/api/v1/attempts/{receipt}", app.url));
    let again: Value = post("a").json(&fields).send().await.unwrap().json().await.unwrap();
    assert_eq!(again, sent);
    let other = json!({ "user_id": 5, "face_image": samples::good("face.png"), "photo_id_image": samples::good("id.jpg") });
    let refused = post("a").json(&other).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["content-type"].to_str().unwrap()),
        (422, "application/problem+json")
    );
    let part = |name: &str| Part::bytes(samples::bytes(&format!("good/{name}"))).file_name(name.to_owned());
    let form = Form::new().text("user_id", "5").part("face_image", part("face.jpg")).part("photo_id_image", part("id.jpg"));
    assert_eq!(post("b").multipart(form).send().await.unwrap().status(), 202);
    let nobody = json!({ "user_id": 99, "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
    let refused: Value = post("c").json(&nobody).send().await.unwrap().json().await.unwrap();
    assert_eq!(refused["detail"], "No profile found for user");
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 2);
}
