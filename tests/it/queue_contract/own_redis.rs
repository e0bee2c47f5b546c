//! A Redis of one test's own, so that it can be stalled and killed.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use redis::aio::MultiplexedConnection;
use vouch_tests::{patient_redis, wait_for};

pub(super) struct OwnRedis {
    port: u16,
    folder: tempfile::TempDir,
    process: Child,
}

impl OwnRedis {
    pub(super) async fn start() -> Self {
        // The port is free again in a moment; should another take it meanwhile, this Redis does not answer and the test says so.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = spawn(port, folder.path());
        let redis = Self { port, folder, process };
        redis.wait().await;
        redis
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    async fn wait(&self) {
        wait_for("Redis to answer", async || self.connect().await.ok().map(drop)).await;
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        patient_redis(&self.url()).await
    }

    /// Runs a command.
    pub(super) async fn tell<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.connect().await.unwrap()).await.unwrap()
    }

    /// Kills it and starts it again, with nothing in it.
    pub(super) async fn restart_empty(&mut self) {
        self.stop();
        self.process = spawn(self.port, self.folder.path());
        self.wait().await;
    }

    pub(super) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, folder: &std::path::Path) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
