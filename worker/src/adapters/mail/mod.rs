//! Mail, by SMTP: text and HTML in one message.

mod render;

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp,
};
use tracing::{Instrument, field::Empty};
use vouch_common::{
    config::Settings,
    domain::{effect::MailTemplate, ids::JobId},
    operations::load_mail::MailFacts,
};

use crate::runtime::job::{Classify, Verdict};
use render::{Renderer, Site};

/// How long the mail server may take for one step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Renders mails and hands them to the mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// The right side of every `Message-ID`.
    domain: String,
    renderer: Renderer,
}

impl Mailer {
    /// Prepares the client.
    ///
    /// # Errors
    ///
    /// When the server's or the sender's address can't be used.
    pub fn new(settings: &Settings) -> Result<Self, MailError> {
        let mail = settings.mail.as_ref().ok_or(MailError::Setting("VOUCH_SMTP_URL"))?;
        let url = String::from_utf8_lossy(mail.smtp_url.expose()).into_owned();
        let transport =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(MailError::SetUp)?.timeout(Some(TIMEOUT)).build();
        let public_url = settings.public_url.as_str().trim_end_matches('/');
        let absolute = |path: &str| if path.starts_with('/') { format!("{public_url}{path}") } else { path.to_owned() };
        let site = Site {
            platform_name: settings.platform_name.clone(),
            support_email: settings.support_email.clone(),
            dashboard_url: absolute(&settings.dashboard_url),
            courseware_url: absolute(&settings.courseware_url),
            reverify_url: format!("{public_url}/verify_student/reverify"),
            public_url: public_url.to_owned(),
        };
        Ok(Self {
            transport,
            from: mail.from.parse().map_err(|_| MailError::Setting("VOUCH_MAIL_FROM"))?,
            domain: settings.public_url.host_str().unwrap_or("vouch.invalid").to_owned(),
            renderer: Renderer::new(site)?,
        })
    }

    /// Sends one mail; `job` makes its `Message-ID`, the same at each try.
    ///
    /// # Errors
    ///
    /// See [`MailError`].
    pub async fn send(&self, template: MailTemplate, facts: &MailFacts, job: JobId) -> Result<(), MailError> {
        let rendered = self.renderer.render(template, facts)?;
        let address = facts.email.parse().map_err(|_| MailError::Address)?;
        let name: String = facts.full_name.chars().filter(|c| !c.is_control()).collect();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(name).filter(|name| !name.is_empty()), address))
            .subject(rendered.subject)
            .message_id(Some(format!("<vouch-job-{job}@{}>", self.domain)))
            .multipart(MultiPart::alternative_plain_html(rendered.text, rendered.html))
            .map_err(MailError::Compose)?;
        let span = tracing::info_span!(
            "far.send_mail",
            otel.kind = "client",
            otel.status_code = Empty,
            mail.template = template.as_str()
        );
        let sent = self.transport.send(message).instrument(span.clone()).await;
        if sent.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        sent.map(|_| ()).map_err(MailError::Send)
    }
}

/// Why a mail was not sent. The texts name nobody.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A setting is missing or makes no sense.
    #[error("the setting {0} can't be used")]
    Setting(&'static str),
    /// The server's address can't be used.
    #[error("the mail server's address can't be used")]
    SetUp(#[source] smtp::Error),
    /// The mail can't be rendered.
    #[error("the mail can't be rendered")]
    Render(#[from] minijinja::Error),
    /// The learner's address is none.
    #[error("the learner's mail address is none")]
    Address,
    /// The message can't be put together.
    #[error("the message can't be put together")]
    Compose(#[source] lettre::error::Error),
    /// The server is away, slow, or refused. Its words may name the learner and are not repeated.
    #[error("the mail server did not take the mail ({})", what_happened(.0))]
    Send(smtp::Error),
}

fn what_happened(error: &smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("it answered {code}"),
        None if error.is_timeout() => "it took too long".to_owned(),
        None => "it can't be reached".to_owned(),
    }
}

impl Classify for MailError {
    fn class(&self) -> &'static str {
        match self {
            Self::Setting(_) | Self::SetUp(_) => "settings",
            Self::Render(_) | Self::Compose(_) => "mail_unsendable",
            Self::Address => "mail_address",
            Self::Send(cause) if cause.is_permanent() => "mail_refused",
            Self::Send(_) => "mail_server",
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Send(cause) => cause.status().map(|code| code.to_string()).unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Send(_) => Verdict::Retry,
            Self::Setting(_) | Self::SetUp(_) | Self::Render(_) | Self::Compose(_) | Self::Address => Verdict::GiveUp,
        }
    }
}
