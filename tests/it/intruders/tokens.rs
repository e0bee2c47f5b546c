//! Learners' tokens: nobody makes one who has not the platform's key, and none counts for more than it says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use poem::{
    EndpointExt, Route, Server,
    endpoint::make_sync,
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::{Value, json};
use vouch_tests::{JWT_SECRET, PRIVATE_KEY, TestApp, Wishes};

use super::everything;

/// A platform that publishes these keys; its address, and how often it was asked.
async fn platform(keys: Vec<Value>) -> (String, Arc<AtomicUsize>) {
    platform_that_says(json!({ "keys": keys }).to_string()).await
}

async fn platform_that_says(text: String) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = make_sync(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        text.clone()
    });
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(Route::new().at("/keys", answer.boxed())));
    (format!("http://{address}/keys"), asked)
}

fn signer() -> EncodingKey {
    EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap()
}

/// The platform's public key as it publishes it.
fn published(kid: &str) -> Value {
    let mut key = serde_json::to_value(Jwk::from_encoding_key(&signer(), Algorithm::RS256).unwrap()).unwrap();
    key["kid"] = json!(kid);
    key
}

async fn app_with(settings: Vec<(&'static str, String)>) -> TestApp {
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    app
}

async fn status(app: &TestApp, token: &str) -> u16 {
    let request =
        app.client.get(format!("{}/verify_student/status/", app.url)).header("authorization", format!("Bearer {token}"));
    request.send().await.unwrap().status().as_u16()
}

fn claims(app: &TestApp) -> Value {
    json!({ "sub": "7", "exp": app.now().timestamp() + 3600 })
}

/// A token of these parts, signed with a secret of bytes.
fn forged(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn with_published_keys_only_their_owner_makes_tokens_whatever_the_header_says() {
    let (thief, thief_asked) = platform(vec![published("theirs")]).await;
    let (url, _) =
        platform(vec![published("ours"), json!({ "kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode(JWT_SECRET) })])
            .await;
    let settings = vec![("VOUCH_JWT_SECRET", String::new()), ("VOUCH_JWT_JWKS_URL", url)];
    let app = app_with(settings).await;
    let good = |kid: Option<&str>, algorithm: Algorithm| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        encode(&header, &claims(&app), &signer()).unwrap()
    };
    let right = good(Some("ours"), Algorithm::RS256);
    assert_eq!(status(&app, &right).await, 200);
    let before = everything(&app).await;
    let [head, body, signature] = right.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let public = published("ours");
    let pem = include_str!("../../keys/vendor-test-public.pem");
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap();
    let mut wrong = vec![
        // Another algorithm, or none.
        good(Some("ours"), Algorithm::RS384),
        good(Some("ours"), Algorithm::PS256),
        format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"ours"}"#)),
        format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"alg":"None","kid":"ours"}"#)),
        // Another key, or no key, or a key that is a path, a statement, nothing.
        good(None, Algorithm::RS256),
        // Cut, grown, empty, huge.
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        right[..right.len() - 2].to_owned(),
        format!("{right}.x"),
        format!("{right}AA"),
        "..".to_owned(),
        String::new(),
    ];
    for kid in
        ["unknown", "shared", "", "../../../dev/null", "/proc/self/environ", "ours' OR '1'='1", "ours\u{0}", &"k".repeat(4000)]
    {
        wrong.push(good(Some(kid), Algorithm::RS256));
    }
    // Whatever is public, taken for a secret.
    for secret in [pem.as_bytes(), pem.trim().as_bytes(), &modulus, public.to_string().as_bytes(), b"", JWT_SECRET.as_bytes()] {
        for kid in ["ours", "shared"] {
            wrong.push(forged(&json!({ "alg": "HS256", "kid": kid }), &claims(&app), secret));
            wrong.push(forged(&json!({ "alg": "RS256", "kid": kid }), &claims(&app), secret));
        }
    }
    // A key that the token brings along.
    let brought = Jwk::from_encoding_key(&EncodingKey::from_secret(b"mine"), Algorithm::HS256).unwrap();
    for header in [
        json!({ "alg": "HS256", "kid": "ours", "jwk": brought }),
        json!({ "alg": "RS256", "kid": "theirs", "jku": thief }),
        json!({ "alg": "RS256", "kid": "ours", "x5u": thief, "x5c": ["AAAA"] }),
    ] {
        wrong.push(forged(&header, &claims(&app), b"mine"));
    }
    let bits = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for place in [0, 100, bits.len() - 1] {
        let mut flipped = bits.clone();
        flipped[place] ^= 1;
        wrong.push(format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(flipped)));
    }
    let other = json!({ "sub": "8", "exp": app.now().timestamp() + 3600 });
    wrong.push(format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(other.to_string())));
    for token in &wrong {
        assert_eq!(status(&app, token).await, 302, "{token}");
    }
    let mut huge = claims(&app);
    huge["more"] = json!("x".repeat(10_000));
    let huge = encode(&Header { kid: Some("ours".to_owned()), ..Header::new(Algorithm::RS256) }, &huge, &signer()).unwrap();
    assert_eq!(status(&app, &huge).await, 302);
    assert_eq!(thief_asked.load(Ordering::SeqCst), 0, "an address that a token names was asked");
    assert!(everything(&app).await == before);
}

#[tokio::test]
async fn a_key_id_that_nobody_knows_does_not_make_us_ask_the_platform_each_time() {
    let (url, asked) = platform(vec![published("ours")]).await;
    let app = app_with(vec![("VOUCH_JWT_SECRET", String::new()), ("VOUCH_JWT_JWKS_URL", url)]).await;
    for number in 0..30 {
        let header = Header { kid: Some(format!("unknown-{number}")), ..Header::new(Algorithm::RS256) };
        assert_eq!(status(&app, &encode(&header, &claims(&app), &signer()).unwrap()).await, 302);
    }
    // At most one in ten seconds; a slow machine may take several times as long.
    assert!(asked.load(Ordering::SeqCst) < 30);
}

#[tokio::test]
async fn a_platform_whose_keys_cant_be_had_is_asked_once_for_many_tokens_and_each_is_told_to_come_again() {
    let (url, asked) = platform_that_says("Under maintenance.".to_owned()).await;
    let app = app_with(vec![("VOUCH_JWT_SECRET", String::new()), ("VOUCH_JWT_JWKS_URL", url)]).await;
    let header = Header { kid: Some("ours".to_owned()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims(&app), &signer()).unwrap();
    let answers = futures_util::future::join_all((0..30).map(|_| status(&app, &token))).await;
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    // At most one in ten seconds; a slow machine may take several times as long.
    assert!(asked.load(Ordering::SeqCst) < 30);
}

#[tokio::test]
async fn a_token_counts_in_its_time_and_for_a_learner_alone() {
    let app = app_with(vec![]).await;
    let now = app.now().timestamp();
    assert_eq!(
        status(&app, &app.token_of(&json!({ "sub": "7", "exp": now + 1, "nbf": now, "aud": "any", "iss": "any" }))).await,
        200
    );
    let until: Value = serde_json::from_str(&format!("{}.5", now + 60)).unwrap();
    let fractions = json!({ "sub": "7", "exp": until, "nbf": 0.5 });
    assert_eq!(status(&app, &app.token_of(&fractions)).await, 200, "moments may have a fraction");
    for wrong in [
        json!({ "sub": "7", "exp": now - 1, "nbf": 0.5 }),
        json!({ "sub": "7", "exp": now }),
        json!({ "sub": "7", "exp": now - 1 }),
        json!({ "sub": "7" }),
        json!({ "sub": "7", "exp": "tomorrow" }),
        json!({ "sub": "7", "exp": now + 3600, "nbf": now + 120 }),
        json!({ "exp": now + 3600 }),
        json!({ "sub": 7, "exp": now + 3600 }),
        json!({ "sub": "0", "exp": now + 3600 }),
        json!({ "sub": "-7", "exp": now + 3600 }),
        json!({ "sub": "7 OR 1=1", "exp": now + 3600 }),
        json!({ "sub": ["7"], "exp": now + 3600 }),
        json!({ "sub": "99999999999999999999", "exp": now + 3600 }),
    ] {
        assert_eq!(status(&app, &app.token_of(&wrong)).await, 302, "{wrong}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let other = encode(&Header::new(algorithm), &claims(&app), &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap();
        assert_eq!(status(&app, &other).await, 302, "{algorithm:?}");
    }
    for secret in ["", "secret", "the learning platform's secreT"] {
        assert_eq!(status(&app, &forged(&json!({ "alg": "HS256" }), &claims(&app), secret.as_bytes())).await, 302, "{secret}");
    }
}

#[tokio::test]
async fn where_an_audience_and_an_issuer_are_agreed_other_tokens_of_the_platform_do_not_count() {
    let settings = vec![("VOUCH_JWT_AUDIENCE", "vouch".to_owned()), ("VOUCH_JWT_ISSUER", "https://lms.example".to_owned())];
    let app = app_with(settings).await;
    let token = |more: Value| {
        let mut all = claims(&app);
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.token_of(&all)
    };
    let iss = "https://lms.example";
    for right in [json!({ "aud": "vouch", "iss": iss }), json!({ "aud": ["forum", "vouch"], "iss": iss })] {
        assert_eq!(status(&app, &token(right)).await, 200);
    }
    for wrong in [
        json!({}),
        json!({ "aud": "vouch" }),
        json!({ "iss": iss }),
        json!({ "aud": "forum", "iss": iss }),
        json!({ "aud": [], "iss": iss }),
        json!({ "aud": "vouch", "iss": "https://evil.example" }),
        json!({ "aud": "vouc", "iss": iss }),
    ] {
        assert_eq!(status(&app, &token(wrong.clone())).await, 302, "{wrong}");
    }
}
