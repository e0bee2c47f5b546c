//! Streams that keep pages up to date.

use std::process::{Child, Command};

use reqwest::Response;
use serde_json::{Value, json};
use vouch_tests::{API_KEY, TestApp, wait_for};

use super::{Desk, Shown, dead_job, key};
use crate::processes::program;

/// Reads a stream up to the first event that fits; `None` when it ends before.
async fn read_until(stream: &mut Response, fits: impl Fn(&str) -> bool) -> Option<String> {
    let mut text = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some((event, rest)) = text.split_once("\n\n") {
            if fits(event) {
                return Some(event.to_owned());
            }
            text = rest.to_owned();
        }
    }
    None
}

#[tokio::test]
async fn a_stream_tells_what_changed_and_ends_with_its_key() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let key = key(&app, "ann", "attempts:operate").await;
    let desk = Desk::open_with(&app, &key).await;
    let mut stream = desk.get("/ops/live/errors").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = read_until(&mut stream, |event| event.starts_with("data: ")).await.unwrap();
    let part: Value = serde_json::from_str(first.trim_start_matches("data: ")).unwrap();
    assert_eq!(part["region"], "now");
    assert!(part["html"].as_str().unwrap().contains("Nothing is dead"));
    dead_job(&app, &receipt, ("vendor", "submit_to_vendor"), "<i>refused</i>").await;
    let second = read_until(&mut stream, |event| event.contains("1 dead job")).await.unwrap();
    assert!(second.contains("&lt;i&gt;refused") && !second.contains("<i>"), "{second}");
    app.sql("UPDATE api_keys SET revoked_at = now() WHERE name = 'ann'").await;
    app.clock.advance(chrono::TimeDelta::seconds(1));
    assert!(read_until(&mut stream, |event| event.starts_with("event: gone")).await.is_some());
    assert!(read_until(&mut stream, |_| false).await.is_none(), "it ends");
}

#[tokio::test]
async fn more_streams_than_there_may_be_are_sent_away_until_one_ends() {
    let app = TestApp::without_worker().await;
    let desk = Desk::open(&app).await;
    assert_eq!(desk.page("/ops/live/nothing").await.status, 404);
    let mut open = Vec::new();
    for _ in 0..50 {
        let stream = desk.get("/ops/live/retries").await;
        assert_eq!(stream.status(), 200);
        open.push(stream);
    }
    let refused = desk.get("/ops/live/retries").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "10"));
    open.clear();
    wait_for("a place to be free", async || (desk.get("/ops/live/retries").await.status() == 200).then_some(())).await;
}

/// Ends the program when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[tokio::test]
async fn an_api_that_stops_ends_its_streams_and_is_not_held_up_by_them() {
    let app = TestApp::without_worker().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = program("vouch-api").envs(app.settings.iter().cloned()).env("VOUCH_LISTEN", free.to_string()).spawn().unwrap();
    let mut api = Running(api);
    let url = format!("http://{free}");
    wait_for("the api to listen", async || app.client.get(format!("{url}/healthz")).send().await.ok()).await;
    let form = [("key", API_KEY)];
    let request = app.client.post(format!("{url}/ops/sign-in")).header("sec-fetch-site", "same-origin").form(&form);
    let cookie = Shown::of(request.send().await.unwrap()).await.cookie("vouch_ops").unwrap();
    let mut stream = app.client.get(format!("{url}/ops/live/retries")).header("cookie", cookie).send().await.unwrap();
    assert!(read_until(&mut stream, |event| event.starts_with("data: ")).await.is_some());
    Command::new("kill").args(["-TERM", &api.0.id().to_string()]).status().unwrap();
    assert!(read_until(&mut stream, |_| false).await.is_none(), "it ends well, and is not cut off");
    assert!(api.0.wait().unwrap().success());
}
