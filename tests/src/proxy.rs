//! A TCP proxy that misbehaves on demand: it cuts, keeps silent, is slow, and stops a Postgres client
//! between any two of its round trips.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// How the proxy treats its connections, old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Open,
    /// Open connections are cut, new ones are closed at once.
    Closed,
    /// Half-open: connections stand, and nothing passes either way.
    Silent,
    /// Each piece waits so long before it passes.
    Slow(Duration),
}

/// A proxy in front of one server.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Grows with each cut; a connection ends when it is not what it was at its start.
    cuts: watch::Sender<u64>,
    /// Grows when all open connections die in silence.
    strandings: watch::Sender<u64>,
    /// Postgres requests that passed.
    requests: AtomicU64,
    /// Postgres requests that may still pass; negative: any number.
    left: AtomicI64,
    /// Whether the last of them is passed on, and its answer is not.
    is_last_unanswered: std::sync::atomic::AtomicBool,
}

impl Proxy {
    /// Stands in front of `upstream` on a free port, open.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            mode: watch::Sender::new(Mode::Open),
            cuts: watch::Sender::new(0),
            strandings: watch::Sender::new(0),
            requests: AtomicU64::new(0),
            left: AtomicI64::new(-1),
            is_last_unanswered: false.into(),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, accepting }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Treats all connections so from now on.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
        if mode == Mode::Closed {
            self.cut();
        }
    }

    /// Ends all open connections.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets nothing pass any more, either way, on the connections that are open now, and does not close them; new ones are
    /// served.
    pub fn strand(&self) {
        self.shared.strandings.send_modify(|strandings| *strandings += 1);
    }

    /// Whether new connections are closed at once: the cut that was planned has come.
    pub fn is_closed(&self) -> bool {
        *self.shared.mode.borrow() == Mode::Closed
    }

    /// Postgres requests (a simple query, or whatever ends with a sync) that passed since the last count.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Lets `count` more Postgres requests pass and be answered, over all connections, and cuts before the next.
    /// The connection stays cut, and new ones are closed, until [`Self::heal`].
    pub fn cut_after_requests(&self, count: u64) {
        self.plan(count, false);
    }

    /// Lets `count` more Postgres requests pass and cuts before the answer to the last: whether it was done, the
    /// client can't know, and it was. `count` is at least 1.
    pub fn cut_before_answer(&self, count: u64) {
        self.plan(count, true);
    }

    /// All is well again: everything passes, nothing is counted down.
    pub fn heal(&self) {
        self.shared.left.store(-1, Ordering::SeqCst);
        self.set(Mode::Open);
    }

    fn plan(&self, count: u64, is_last_unanswered: bool) {
        self.shared.requests.store(0, Ordering::SeqCst);
        self.shared.is_last_unanswered.store(is_last_unanswered, Ordering::SeqCst);
        self.shared.left.store(i64::try_from(count).unwrap(), Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.mode.borrow() == Mode::Closed {
            continue;
        }
        tokio::spawn(serve(client, shared.clone()));
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let born = *cuts.borrow_and_update();
    let Ok(server) = TcpStream::connect(shared.upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mute = watch::Sender::new(false);
    let mut strandings = shared.strandings.subscribe();
    strandings.mark_unchanged();
    // Whatever ends the passing, the sockets stay open until it is dropped.
    let mut passing = pin!(async {
        tokio::select! {
            () = requests(from_client, to_server, &shared, &mute) => {}
            () = answers(from_server, to_client, &shared, mute.subscribe()) => {}
        }
    });
    let mut cut = pin!(async { drop(cuts.wait_for(|cuts| *cuts != born).await) });
    tokio::select! {
        biased;
        _ = strandings.changed() => cut.await,
        () = &mut cut => {}
        () = &mut passing => {}
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    mute: &watch::Sender<bool>,
) {
    let mut framing = Framing::default();
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(size @ 1..) = from.read(&mut chunk).await {
        wait_to_pass(shared).await;
        let mut passed = 0;
        for end in framing.ends_of_requests(&chunk[..size]) {
            match shared.left.load(Ordering::SeqCst) {
                0 => {
                    shared.mode.send_replace(Mode::Closed);
                    shared.cuts.send_modify(|cuts| *cuts += 1);
                    return;
                }
                1 if shared.is_last_unanswered.load(Ordering::SeqCst) => {
                    mute.send_replace(true);
                    shared.left.store(0, Ordering::SeqCst);
                }
                1.. => drop(shared.left.fetch_sub(1, Ordering::SeqCst)),
                _ => {}
            }
            shared.requests.fetch_add(1, Ordering::SeqCst);
            if to.write_all(&chunk[passed..end]).await.is_err() {
                return;
            }
            passed = end;
        }
        if to.write_all(&chunk[passed..size]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    mute: watch::Receiver<bool>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(size @ 1..) = from.read(&mut chunk).await {
        wait_to_pass(shared).await;
        if *mute.borrow() {
            // The server has answered, so the request is done; the client does not hear of it.
            shared.mode.send_replace(Mode::Closed);
            shared.cuts.send_modify(|cuts| *cuts += 1);
            return;
        }
        if to.write_all(&chunk[..size]).await.is_err() {
            return;
        }
    }
}

async fn wait_to_pass(shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Silent => {
                let _ = mode.changed().await;
            }
            Mode::Slow(pause) => {
                sleep(pause).await;
                return;
            }
            Mode::Open | Mode::Closed => return,
        }
    }
}

/// Finds where requests end in what a Postgres client sends; finds none in what is no Postgres.
#[derive(Debug, Default)]
struct Framing {
    state: State,
    /// The head of the present message, as far as it has come.
    head: Vec<u8>,
    /// Bytes of its body that are still to come.
    body_left: usize,
    is_request: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing came yet, or only the wish for TLS.
    #[default]
    Start,
    Messages,
    Other,
}

const PROTOCOL_3: u32 = 3 << 16;
const WISH_FOR_TLS: u32 = 80_877_103;

impl Framing {
    fn ends_of_requests(&mut self, chunk: &[u8]) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < chunk.len() && self.state != State::Other {
            if self.body_left > 0 {
                let taken = self.body_left.min(chunk.len() - at);
                self.body_left -= taken;
                at += taken;
            } else {
                self.head.push(chunk[at]);
                at += 1;
                self.read_head();
            }
            if self.body_left == 0 && self.head.is_empty() && std::mem::take(&mut self.is_request) {
                ends.push(at);
            }
        }
        ends
    }

    fn read_head(&mut self) {
        let number = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        match (self.state, self.head.len()) {
            (State::Start, 8) => {
                let (length, code) = (number(&self.head), number(&self.head[4..]));
                match code {
                    WISH_FOR_TLS if length == 8 => {}
                    code if code >> 16 == PROTOCOL_3 >> 16 && (8..10_000).contains(&length) => {
                        self.state = State::Messages;
                        self.body_left = length as usize - 8;
                    }
                    _ => self.state = State::Other,
                }
                self.head.clear();
            }
            (State::Messages, 5) => {
                self.is_request = matches!(self.head[0], b'Q' | b'S');
                self.body_left = (number(&self.head[1..]) as usize).saturating_sub(4);
                self.head.clear();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_end_with_a_query_or_a_sync_however_the_bytes_are_cut() {
        let mut sent = vec![0, 0, 0, 8, 4, 210, 22, 47];
        sent.extend([0, 0, 0, 9, 0, 3, 0, 0, 0]);
        sent.extend(b"P\0\0\0\x06ab");
        sent.extend(b"S\0\0\0\x04");
        let first = sent.len();
        sent.extend(b"Q\0\0\0\x0bCOMMIT\0");
        let second = sent.len();
        sent.extend(b"X\0\0\0\x04");
        for piece in 1..=sent.len() {
            let mut framing = Framing::default();
            let mut ends = Vec::new();
            for (number, chunk) in sent.chunks(piece).enumerate() {
                ends.extend(framing.ends_of_requests(chunk).into_iter().map(|end| number * piece + end));
            }
            assert_eq!(ends, [first, second], "in pieces of {piece}");
        }
        assert!(Framing::default().ends_of_requests(b"GET / HTTP/1.1\r\nHost: x\r\nS\0\0\0\x04").is_empty());
    }
}
