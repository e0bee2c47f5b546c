//! A real browser for a test: Chromium without a window, with a camera that shows what the test wants.
//!
//! It is driven through chromedriver; both are Debian's packages, which `scripts/servers install` brings.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// How long a page may take to show what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a driver is started before it is a failure.
const STARTS_MAX: u32 = 10;

/// What the browser has for a camera.
pub enum Camera {
    /// One that shows this JPEG over and over.
    Shows(Vec<u8>),
    /// One that the learner has forbidden.
    Denied,
    /// None.
    Absent,
}

/// A browser with one page.
pub struct Browser {
    pub client: Client,
    driver: Child,
    folder: tempfile::TempDir,
}

impl Browser {
    /// Starts one that asks for pages in `language`.
    pub async fn start(camera: Camera, language: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (driver, port) = start_driver().await;
        let capabilities = capabilities(&camera, language, folder.path());
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self { client, driver, folder }
    }

    /// Opens a page whose script is ready.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
        self.find("html[data-ready]").await;
    }

    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
        self.find("html[data-ready]").await;
    }

    /// Waits until there is such an element. A driver that was asked in the middle of a change of pages answers with an
    /// error; then it is asked again.
    pub async fn find(&self, css: &str) -> Element {
        super::wait_for(css, async || self.client.find(Locator::Css(css)).await.ok()).await
    }

    /// Waits until such an element is to be seen.
    pub async fn see(&self, css: &str) -> Element {
        let element = self.find(css).await;
        self.until(&format!("{css} is shown"), async || element.is_displayed().await.unwrap_or(false)).await;
        element
    }

    /// Waits until the text of such an element contains `part`.
    pub async fn read(&self, css: &str, part: &str) {
        self.until(&format!("{css} says {part}"), async || {
            let Ok(element) = self.client.find(Locator::Css(css)).await else { return false };
            element.text().await.is_ok_and(|text| text.contains(part))
        })
        .await;
    }

    /// Clicks an element as soon as it is to be seen.
    pub async fn press(&self, css: &str) {
        self.see(css).await.click().await.unwrap_or_else(|error| panic!("can't press {css}: {error}"));
    }

    /// Gives a file to an upload.
    pub async fn upload(&self, css: &str, photo: &[u8]) {
        let path = self.folder.path().join("upload.jpg");
        std::fs::write(&path, photo).unwrap();
        self.find(css).await.send_keys(path.to_str().unwrap()).await.unwrap();
    }

    /// What an expression is worth in the page.
    pub async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return ({expression})"), Vec::new()).await.unwrap()
    }

    /// Presses a key where the focus is.
    pub async fn key(&self, key: fantoccini::key::Key) {
        self.client.active_element().await.unwrap().send_keys(&key.to_string()).await.unwrap();
    }

    /// A viewport of this width and height in CSS pixels, and whether it is dark around the reader.
    pub async fn set_screen(&self, width: u32, height: u32, is_dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    /// The whole page as a PNG picture.
    pub async fn picture(&self) -> Vec<u8> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let answer = self.command("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// A command of Chromium's own protocol.
    pub async fn command(&self, name: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(DevTools { name, parameters }).await.unwrap()
    }

    /// Waits for a condition, and fails with its name.
    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let waiting = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                if is_so().await {
                    return;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let page = self.client.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
            panic!("waited in vain: {what}\n{page}");
        }
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.kill().await.unwrap();
    }
}

impl Drop for Browser {
    /// After a failure: the driver ends with the browser that it started, which is in its group.
    fn drop(&mut self) {
        if let Some(id) = self.driver.id() {
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{id}")]).status();
        }
    }
}

/// Starts a driver on a port that it chooses. It wants one number on two address families, which somebody else
/// may have taken in between; then it ends, and another is started.
async fn start_driver() -> (Child, u16) {
    for _ in 0..STARTS_MAX {
        let mut driver = Command::new(CHROMEDRIVER)
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed by scripts/servers install");
        if let Some(port) = port_of(&mut driver).await {
            return (driver, port);
        }
    }
    panic!("chromedriver does not start");
}

/// The port that the driver tells, or `None` when it ended.
async fn port_of(driver: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(driver.stdout.take()?).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(port) = line.split("successfully on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse().ok()) {
            // Somebody must go on reading, or the driver may stop at a full pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(port);
        }
    }
    None
}

fn capabilities(camera: &Camera, language: &str, folder: &Path) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--hide-scrollbars".to_owned(),
        format!("--lang={language}"),
        format!("--user-data-dir={}", folder.join("profile").display()),
    ];
    match camera {
        Camera::Shows(jpeg) => arguments.extend([
            "--use-fake-device-for-media-stream".to_owned(),
            "--use-fake-ui-for-media-stream".to_owned(),
            format!("--use-file-for-fake-video-capture={}", film(jpeg, folder).display()),
        ]),
        Camera::Denied => arguments.push("--use-fake-device-for-media-stream".to_owned()),
        Camera::Absent => arguments.push("--use-fake-ui-for-media-stream".to_owned()),
    }
    let camera = if matches!(camera, Camera::Denied) { 2 } else { 1 };
    let preferences = json!({
        "intl.accept_languages": language,
        "profile.default_content_setting_values.media_stream_camera": camera,
    });
    json!({ "goog:chromeOptions": { "binary": CHROMIUM, "args": arguments, "prefs": preferences } })
}

/// A film of one picture, as Chromium takes it: JPEGs one after the other.
fn film(jpeg: &[u8], folder: &Path) -> PathBuf {
    let path = folder.join("camera.mjpeg");
    std::fs::write(&path, jpeg.repeat(3)).unwrap();
    path
}

#[derive(Debug)]
struct DevTools {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _request: &url::Url) -> (poem::http::Method, Option<String>) {
        (poem::http::Method::POST, Some(json!({ "cmd": self.name, "params": self.parameters }).to_string()))
    }
}
