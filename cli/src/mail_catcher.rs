//! A mail server that keeps what it is sent and delivers nothing: for development and tests.
//!
//! The protocol is the `mailin` crate's; here are the socket and the shelf.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use mail_parser::MessageParser;
use mailin::{Action, Handler, Response, SessionBuilder, response};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Longest line of the protocol, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A mail that was caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaughtMail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The `Message-ID`, without its brackets.
    pub message_id: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// A running mail catcher; dropping it stops it.
pub struct MailCatcher {
    address: SocketAddr,
    shelf: Shelf,
    task: JoinHandle<()>,
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailCatcher {
    /// Listens on `address` (port 0 takes a free one); each mail is also written to `folder`, if given.
    ///
    /// # Errors
    ///
    /// When the address is taken.
    pub async fn start(address: SocketAddr, folder: Option<PathBuf>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shelf = Shelf { mails: Arc::new(watch::channel(Vec::new()).0), refusals: Arc::default(), folder };
        let served = shelf.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(serve(stream, peer.ip(), served.clone()));
            }
        });
        Ok(Self { address, shelf, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was caught so far, in order.
    #[must_use]
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.shelf.mails.borrow().clone()
    }

    /// Waits until the mails satisfy `is_enough`, and returns them.
    pub async fn wait_until(&self, is_enough: impl Fn(&[CaughtMail]) -> bool) -> Vec<CaughtMail> {
        let mut mails = self.shelf.mails.subscribe();
        match mails.wait_for(|mails| is_enough(mails)).await {
            Ok(mails) => mails.clone(),
            Err(_) => Vec::new(),
        }
    }

    /// Refuses the next `count` mails for now (421, and the connection is closed), after their text was sent.
    pub fn refuse_next(&self, count: usize) {
        *self.shelf.refusals.lock().unwrap_or_else(PoisonError::into_inner) = count;
    }
}

#[derive(Clone)]
struct Shelf {
    mails: Arc<watch::Sender<Vec<CaughtMail>>>,
    refusals: Arc<Mutex<usize>>,
    folder: Option<PathBuf>,
}

impl Shelf {
    /// Whether this mail is to be refused.
    fn refuses(&self) -> bool {
        let mut left = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let refuses = *left > 0;
        *left = left.saturating_sub(1);
        refuses
    }

    fn keep(&self, from: String, to: Vec<String>, raw: &[u8]) {
        let parsed = MessageParser::default().parse(raw);
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let mail = CaughtMail {
            from,
            to,
            subject: text(parsed.as_ref().and_then(|mail| mail.subject())),
            message_id: text(parsed.as_ref().and_then(|mail| mail.message_id())),
            text: parsed.as_ref().and_then(|mail| mail.body_text(0)).map(Into::into).unwrap_or_default(),
            html: parsed.as_ref().and_then(|mail| mail.body_html(0)).map(Into::into).unwrap_or_default(),
        };
        if let Some(folder) = &self.folder {
            let path = folder.join(format!("{:04}.eml", self.mails.borrow().len() + 1));
            if let Err(error) = std::fs::write(path, raw) {
                tracing::warn!(error = %error, "a caught mail was not written to its folder");
            }
        }
        self.mails.send_modify(|mails| mails.push(mail));
    }
}

/// One mail on its way in.
struct Session {
    shelf: Shelf,
    from: String,
    to: Vec<String>,
    raw: Vec<u8>,
}

impl Handler for Session {
    fn data_start(&mut self, _domain: &str, from: &str, _is_8bit: bool, to: &[String]) -> Response {
        from.clone_into(&mut self.from);
        self.to = to.to_vec();
        self.raw.clear();
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.raw.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if self.shelf.refuses() {
            return Response::custom(421, "Not now".to_owned());
        }
        self.shelf.keep(std::mem::take(&mut self.from), std::mem::take(&mut self.to), &self.raw);
        response::OK
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, shelf: Shelf) {
    // A client that hangs up is no fault of the server's.
    let _ = converse(stream, peer, shelf).await;
}

async fn converse(stream: TcpStream, peer: IpAddr, shelf: Shelf) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let handler = Session { shelf, from: String::new(), to: Vec::new(), raw: Vec::new() };
    let mut session = SessionBuilder::new("mail-catcher").build(peer, handler);
    writer.write_all(&session.greeting().buffer()?).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 || line.len() > LINE_BYTES_MAX {
            return Ok(());
        }
        let answer = session.process(&line);
        match answer.action {
            Action::NoReply => {}
            Action::Reply | Action::UpgradeTls => writer.write_all(&answer.buffer()?).await?,
            Action::Close => {
                writer.write_all(&answer.buffer()?).await?;
                return Ok(());
            }
        }
    }
}
