//! A mail server with a journal, which refuses, hangs and hangs up on demand.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use mail_parser::MessageParser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What goes wrong with a mail, after its text was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 451: not now.
    NotNow,
    /// 554: never.
    Never,
    /// The mail is kept, and no answer comes.
    KeptAndSilent,
    /// The mail is kept, and the connection ends before the answer.
    KeptAndCut,
}

/// A mail that was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub to: String,
    pub subject: String,
    pub message_id: String,
}

/// A running mail server; dropping it stops it.
pub struct MailServer {
    pub address: SocketAddr,
    journal: Arc<Journal>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Journal {
    mails: Mutex<Vec<Kept>>,
    /// The fault, and how many mails it still meets.
    fault: Mutex<Option<(Fault, usize)>>,
    /// How many mails met a fault.
    met: watch::Sender<usize>,
}

impl MailServer {
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let journal = Arc::new(Journal::default());
        let served = Arc::clone(&journal);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let journal = Arc::clone(&served);
                // A client that hangs up is no fault of the server's.
                tokio::spawn(async move { drop(converse(stream, &journal).await) });
            }
        });
        Ok(Self { address, journal, task })
    }

    pub fn mails(&self) -> Vec<Kept> {
        self.journal.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next `count` mails meet this fault; `None`: all is well.
    pub fn set(&self, fault: Option<(Fault, usize)>) {
        *self.journal.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many mails met a fault so far.
    pub fn faults_met(&self) -> usize {
        *self.journal.met.borrow()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Journal {
    fn next_fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, left) = fault.as_mut()?;
        let met = *kind;
        *left -= 1;
        if *left == 0 {
            *fault = None;
        }
        self.met.send_modify(|met| *met += 1);
        Some(met)
    }

    fn keep(&self, to: &str, raw: &[u8]) {
        let parsed = MessageParser::default().parse(raw);
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).push(Kept {
            to: to.to_owned(),
            subject: text(parsed.as_ref().and_then(|mail| mail.subject())),
            message_id: text(parsed.as_ref().and_then(|mail| mail.message_id())),
        });
    }
}

async fn converse(stream: TcpStream, journal: &Journal) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).split(b'\n');
    writer.write_all(b"220 mail\r\n").await?;
    let mut to = String::new();
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut raw = Vec::new();
                loop {
                    let Some(line) = lines.next_segment().await? else { return Ok(()) };
                    if line == b".\r" {
                        break;
                    }
                    raw.extend(line);
                    raw.push(b'\n');
                }
                let fault = journal.next_fault();
                if matches!(fault, None | Some(Fault::KeptAndSilent | Fault::KeptAndCut)) {
                    journal.keep(&to, &raw);
                }
                match fault {
                    None => writer.write_all(b"250 kept\r\n").await?,
                    Some(Fault::NotNow) => writer.write_all(b"451 not now\r\n").await?,
                    Some(Fault::Never) => writer.write_all(b"554 never\r\n").await?,
                    Some(Fault::KeptAndCut) => return Ok(()),
                    Some(Fault::KeptAndSilent) => while lines.next_segment().await?.is_some() {},
                }
            }
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                writer.write_all(b"250 well\r\n").await?;
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => writer.write_all(b"250 well\r\n").await?,
        }
    }
    Ok(())
}
