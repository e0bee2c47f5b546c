//! The world of these tests: a simulator, a platform that serves photos and takes callbacks, and a clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use poem::http::{HeaderMap, StatusCode, header};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::web::{Data, Path};
use poem::{Body, EndpointExt as _, Response, Route, Server, get, handler, post};
use rand::rngs::SysRng;
use tokio::sync::mpsc;
use tokio::time::timeout;
use vouch_common::secret::Secret;
use vouch_common::vendor::software_secure::callback::{
    Callback, CallbackHeaders, CallbackKeys, Refusal, SignatureMode, read_callback,
};
use vouch_common::vendor::software_secure::cipher::{PhotoKey, encrypt_photo};
use vouch_common::vendor::software_secure::request::{RequestFacts, RequestKeys, SignedRequest, build_request};
use vouch_common::vendor::software_secure::rsa_keys::VendorPrivateKey;
use vouch_common::vendor::software_secure::signature::parse_date;

use super::super::{Clock, Entry, Script, Simulator, SimulatorConfig, WireFormat, start};

pub(super) const FACE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/good/face.jpg"));
const ID: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/good/id.png"));
const PRIVATE_PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/vendor-test-private.pem"));
pub(super) const ACCESS_KEY: &str = "BBBBBBBBBBBBBBBBBBBB";
pub(super) const RECEIPT: &str = "4dd1add9-6719-42f7-bea0-115c008c4fca";
pub(super) const NAME: &str = "Sofia Marek";
pub(super) const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn secret() -> Secret {
    Secret::new("C".repeat(40))
}

pub(super) fn face_key() -> PhotoKey {
    PhotoKey::parse_bytes(&[7; 32]).unwrap()
}

pub(super) fn photo_id_key() -> PhotoKey {
    PhotoKey::parse_bytes(&[9; 32]).unwrap()
}

pub(super) fn private_key() -> VendorPrivateKey {
    VendorPrivateKey::parse(PRIVATE_PEM.as_bytes()).unwrap()
}

/// The simulator's answer.
pub(super) type Answer = reqwest::Response;

/// What the platform heard: the headers and the body of one callback.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) authorization: String,
    pub(super) date: String,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// The platform's side: photos to download, callbacks to take, and the statuses to answer them with.
pub(super) struct PlatformState {
    pub(super) photos: Vec<(&'static str, Vec<u8>)>,
    pub(super) statuses: Mutex<VecDeque<u16>>,
    pub(super) heard: mpsc::UnboundedSender<Heard>,
}

#[handler]
fn serve_photo(Path(name): Path<String>, Data(state): Data<&Arc<PlatformState>>) -> Response {
    let photo = state.photos.iter().find(|(known, _)| *known == name);
    photo.map_or_else(
        || Response::builder().status(StatusCode::NOT_FOUND).finish(),
        |(_, stored)| Response::builder().body(stored.clone()),
    )
}

#[handler]
async fn take_callback(headers: &HeaderMap, body: Body, Data(state): Data<&Arc<PlatformState>>) -> StatusCode {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let heard = Heard {
        authorization: text(header::AUTHORIZATION),
        date: text(header::DATE),
        content_type: text(header::CONTENT_TYPE),
        body: body.into_bytes().await.unwrap().to_vec(),
    };
    state.heard.send(heard).unwrap();
    let status = state.statuses.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

/// A simulator, a platform and a clock that a test may move.
pub(super) struct World {
    pub(super) simulator: Simulator,
    pub(super) platform: SocketAddr,
    pub(super) state: Arc<PlatformState>,
    pub(super) heard: mpsc::UnboundedReceiver<Heard>,
    pub(super) now: Arc<Mutex<DateTime<Utc>>>,
    pub(super) client: reqwest::Client,
}

impl World {
    pub(super) async fn with_script(script: serde_json::Value) -> Self {
        let now = Arc::new(Mutex::new(parse_date("Wed, 01 Jun 2016 12:00:00 GMT").unwrap()));
        let clock: Clock = Arc::new({
            let now = Arc::clone(&now);
            move || *now.lock().unwrap()
        });
        let script = Script::parse(script.to_string().as_bytes()).unwrap();
        let simulator = start(config(script, clock)).await.unwrap();
        let (sender, heard) = mpsc::unbounded_channel();
        let state = Arc::new(PlatformState {
            photos: vec![
                ("face", encrypt_photo(FACE, &face_key()).into_bytes()),
                ("photo_id", encrypt_photo(ID, &photo_id_key()).into_bytes()),
                ("text", encrypt_photo(b"no picture", &photo_id_key()).into_bytes()),
            ],
            statuses: Mutex::default(),
            heard: sender,
        });
        let platform = serve(Arc::clone(&state)).await;
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(LIMIT).build().unwrap();
        Self { simulator, platform, state, heard, now, client }
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("http://{}/{path}", self.platform)
    }

    pub(super) fn request(&self, receipt: &str, name: &str, photo_id: &str) -> SignedRequest {
        let vendor_key = private_key().public_key();
        let facts = RequestFacts {
            receipt_id: receipt,
            expected_name: name,
            photo_id_url: &self.address(&format!("photos/{photo_id}")),
            photo_id_key: &vendor_key.wrap(&photo_id_key(), &mut SysRng).unwrap(),
            send_response_to: &self.address("results_callback"),
            user_photo_url: &self.address("photos/face"),
        };
        let (secret, face_key) = (secret(), face_key());
        let keys = RequestKeys { access_key: ACCESS_KEY, secret: &secret, public_key: &vendor_key, face_key: &face_key };
        build_request(&facts, &keys, *self.now.lock().unwrap(), &mut SysRng).unwrap()
    }

    pub(super) fn post(&self, request: &SignedRequest) -> impl Future<Output = reqwest::Result<Answer>> + use<> {
        let mut post = self.client.post(format!("http://{}/submit/", self.simulator.addr()));
        for (name, value) in &request.headers {
            post = post.header(name, value);
        }
        post.body(request.body.clone()).send()
    }

    pub(super) async fn submit(&self, receipt: &str, name: &str) -> u16 {
        self.post(&self.request(receipt, name, "photo_id")).await.unwrap().status().as_u16()
    }

    pub(super) async fn hear(&mut self) -> Heard {
        timeout(LIMIT, self.heard.recv()).await.expect("a callback arrives in time").unwrap()
    }

    pub(super) async fn wait_for_entries(&self, number: usize) -> Vec<Entry> {
        let journal = self.simulator.journal();
        timeout(LIMIT, journal.wait_until(|entries| entries.len() >= number)).await.expect("the journal fills in time")
    }

    pub(super) fn read(&self, heard: &Heard) -> Result<Callback, Refusal> {
        let headers = CallbackHeaders {
            authorization: Some(&heard.authorization),
            date: Some(&heard.date),
            content_type: Some(&heard.content_type),
        };
        let secrets = [secret()];
        let keys = CallbackKeys { access_key: ACCESS_KEY, secrets: &secrets };
        read_callback(&heard.body, &headers, *self.now.lock().unwrap(), &keys, SignatureMode::Enforce)
    }

    pub(super) async fn verdict(&mut self) -> String {
        let heard = self.hear().await;
        self.read(&heard).expect("the signature holds").result
    }
}

pub(super) fn config(script: Script, clock: Clock) -> SimulatorConfig {
    SimulatorConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: secret(),
        private_key: private_key(),
        format: WireFormat::SoftwareSecure { face_key: face_key() },
        journal: None,
        verdict_delay: Duration::ZERO,
        script,
        clock,
    }
}

pub(super) async fn serve(state: Arc<PlatformState>) -> SocketAddr {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let addr = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    let routes = Route::new().at("/photos/:name", get(serve_photo)).at("/results_callback", post(take_callback)).data(state);
    tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));
    addr
}

pub(super) fn statuses(entries: &[Entry]) -> Vec<Option<u16>> {
    entries.iter().map(|entry| entry.event.http_status).collect()
}

pub(super) fn decisions(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.event.decision.as_str()).collect()
}
