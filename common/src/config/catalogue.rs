//! Every setting, once: its name, default, unit and meaning. Help texts and `docs/settings.md` are made from it.

use std::fmt::Write;

/// A program that reads settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `vouch-api`.
    Api,
    /// `vouch-worker`.
    Worker,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable. In the TOML file: lower case, without `VOUCH_`.
    pub name: &'static str,
    /// What holds without it; `None`: it is required, or what it serves is off (the text says which).
    pub default: Option<&'static str>,
    /// Whether a program refuses to start without it.
    pub is_required: bool,
    /// Which programs read it.
    pub programs: &'static [Program],
    /// What it means; units are in the value.
    pub meaning: &'static str,
}

use Program::{Api, Worker};

const BOTH: &[Program] = &[Api, Worker];

const fn required(name: &'static str, programs: &'static [Program], meaning: &'static str) -> Setting {
    Setting { name, default: None, is_required: true, programs, meaning }
}

const fn optional(name: &'static str, programs: &'static [Program], meaning: &'static str) -> Setting {
    Setting { name, default: None, is_required: false, programs, meaning }
}

const fn defaulted(name: &'static str, default: &'static str, programs: &'static [Program], meaning: &'static str) -> Setting {
    Setting { name, default: Some(default), is_required: false, programs, meaning }
}

/// All settings, in the order of the documentation.
pub const CATALOGUE: &[Setting] = &[
    required("DATABASE_URL", BOTH, "Postgres, as postgres://user:password@host:port/database."),
    required("REDIS_URL", BOTH, "Redis, as redis://host:port/0 or rediss://…; it needs no disk and may be erased."),
    required(
        "VOUCH_STORAGE_URL",
        BOTH,
        "Where photos lie: file:///folder, or s3://bucket/prefix with the usual AWS_* variables.",
    ),
    required(
        "VOUCH_MASTER_KEYS",
        BOTH,
        "Keys that seal photos, as id:base64 of 32 bytes, comma separated; the first is current.",
    ),
    required(
        "VOUCH_PUBLIC_URL",
        BOTH,
        "How learners and the vendor reach the api, as https://host; every absolute link is made from it.",
    ),
    defaulted("VOUCH_LISTEN", "127.0.0.1:8080", &[Api], "Where the api listens."),
    defaulted("VOUCH_DATABASE_CONNECTIONS", "20", BOTH, "Most connections of one process to Postgres."),
    defaulted("VOUCH_PLATFORM_NAME", "Vouch", BOTH, "The platform's name in mails and texts."),
    defaulted("VOUCH_LOGIN_URL", "/login", &[Api], "Where people sign in; ?next= is added."),
    defaulted("VOUCH_DASHBOARD_URL", "/dashboard", BOTH, "The learner's dashboard, a path or a whole address."),
    defaulted("VOUCH_COURSEWARE_URL", "/courses", BOTH, "The root of the courseware, a path or a whole address."),
    defaulted("VOUCH_SUPPORT_EMAIL", "support@example.com", BOTH, "Where learners can turn to."),
    defaulted("VOUCH_DAYS_GOOD_FOR", "365", BOTH, "Days for which an approval counts, from the submission."),
    defaulted("VOUCH_EXPIRING_SOON_DAYS", "28", BOTH, "Days before expiry from which a learner may verify again."),
    defaulted("VOUCH_EXPIRY_MAILS", "2", &[Worker], "Mails that tell a learner of an expired verification; 0: none."),
    defaulted("VOUCH_EXPIRY_MAIL_EVERY", "15d", &[Worker], "Time between two of them."),
    defaulted(
        "VOUCH_KEEP_PHOTOS_DAYS",
        "30",
        &[Worker],
        "Days for which photos are kept after the decision; an ID photo also until its approval has expired. docs/privacy.md.",
    ),
    defaulted("VOUCH_KEEP_CALLBACKS_DAYS", "90", &[Worker], "Days for which the vendor's callbacks are kept, at least 30."),
    defaulted("VOUCH_KEEP_DETAILS_DAYS", "730", &[Worker], "Days for which names and reasons are kept after the decision."),
    defaulted("VOUCH_KEEP_PAYERS_DAYS", "3650", &[Worker], "Days for which it is kept who paid, at least 30."),
    defaulted("VOUCH_KEEP_AUDIT_DAYS", "1095", &[Worker], "Days for which it is kept what operators did, at least 30."),
    optional(
        "VOUCH_ERASURE_KEY",
        BOTH,
        "Key (Ed25519) that signs receipts of erasures, as base64 of 32 random bytes; without it nobody can be erased.",
    ),
    optional(
        "VOUCH_JWT_SECRET",
        &[Api],
        "Secret (HS256) of the platform's session tokens. This or VOUCH_JWT_JWKS_URL is required.",
    ),
    optional(
        "VOUCH_JWT_FORMER_SECRET",
        &[Api],
        "The secret that the platform had before; tokens by it are taken too. Take it away when they have ended.",
    ),
    optional("VOUCH_JWT_JWKS_URL", &[Api], "Where the platform publishes its token keys (RS256, ES256)."),
    optional(
        "VOUCH_JWT_AUDIENCE",
        &[Api],
        "The audience that a token must name (aud); without it any. Set it when the platform's keys sign for others too.",
    ),
    optional("VOUCH_JWT_ISSUER", &[Api], "The issuer that a token must name (iss); without it any."),
    optional(
        "VOUCH_BOOTSTRAP_API_KEY",
        &[Api],
        "An api key with every right, for first use; at least 16 characters. Take it away later.",
    ),
    defaulted(
        "VOUCH_VENDOR_FORMAT",
        "sealed",
        BOTH,
        "The vendor's wire format: sealed, or software-secure as Open edX speaks it. Change it only when no attempt is open.",
    ),
    required("VOUCH_VENDOR_URL", &[Worker], "Where attempts are sent."),
    required(
        "VOUCH_VENDOR_ACCESS_KEY",
        BOTH,
        "Names us to the vendor, and the vendor to us. Comma separated, newest first: the first is sent; with software-secure \
         all are taken in callbacks.",
    ),
    required(
        "VOUCH_VENDOR_SECRET_KEYS",
        BOTH,
        "Secrets shared with the vendor, comma separated, newest first: the first signs, all verify; at most 10. sealed: \
         whsec_ and base64 of 24 to 64 bytes, or any text of 24 characters or more.",
    ),
    optional(
        "VOUCH_VENDOR_FORMER_SECRETS_UNTIL",
        &[Api],
        "When all secrets but the first end, as 2026-12-31T00:00:00Z; without it they count until they are off the list.",
    ),
    required(
        "VOUCH_VENDOR_RSA_PUBLIC_KEY",
        &[Worker],
        "The vendor's public key: PEM, DER in base64, an OpenSSH line, or @path of a file.",
    ),
    optional(
        "VOUCH_VENDOR_FACE_KEY",
        &[Worker],
        "Key of the face photos in hex, 32, 48 or 64 digits. Required with software-secure, not read with sealed.",
    ),
    defaulted("VOUCH_VENDOR_TIMEOUT", "10s", &[Worker], "How long the vendor may take to answer, at most 1m."),
    defaulted("VOUCH_VENDOR_MAX_TRIES", "12", &[Worker], "Tries after which an operator decides."),
    defaulted("VOUCH_VENDOR_BACKOFF_BASE", "5s", &[Worker], "Longest wait after the first failed try; it doubles each time."),
    defaulted("VOUCH_VENDOR_BACKOFF_CAP", "1h", &[Worker], "Longest wait between two tries."),
    defaulted(
        "VOUCH_CALLBACK_SIGNATURE",
        "enforce",
        &[Api],
        "enforce, or audit: log and count a bad signature but accept it. For a migration with software-secure only.",
    ),
    required(
        "VOUCH_SMTP_URL",
        &[Worker],
        "The mail server, as smtp://user:password@host:port or smtps://…; ?tls=required for STARTTLS.",
    ),
    required("VOUCH_MAIL_FROM", &[Worker], "The sender, as Name <address>."),
    defaulted("VOUCH_EMBARGO", "false", &[Api], "true, or false: whether courses' country rules hold."),
    optional(
        "VOUCH_GEOIP_DB",
        &[Api],
        "File that tells the country of an address, in MaxMind's format; without it only profiles' countries count.",
    ),
    optional(
        "VOUCH_ECOMMERCE_API_URL",
        &[Api],
        "The e-commerce service, as https://shop/api/v2; without it no mode with a SKU can be bought.",
    ),
    optional("VOUCH_ECOMMERCE_PUBLIC_URL", &[Api], "Where learners reach the shop, as https://shop."),
    optional("VOUCH_ECOMMERCE_SIGNING_KEY", &[Api], "Secret (HS256) that signs our calls to the e-commerce service."),
    defaulted("VOUCH_ECOMMERCE_ISSUER", "vouch", &[Api], "The issuer that our calls to the e-commerce service name."),
    defaulted("VOUCH_ECOMMERCE_TIMEOUT", "5s", &[Api], "How long the e-commerce service may take to answer, at most 1m."),
    defaulted(
        "VOUCH_CHECKOUT_ON_ECOMMERCE",
        "false",
        &[Api],
        "true, or false: whether learners pay in the shop instead of on our pages.",
    ),
    optional(
        "VOUCH_CYBERSOURCE_ACCESS_KEY",
        &[Api],
        "CyberSource's access key; the four belong together, without them nothing is sold here.",
    ),
    optional("VOUCH_CYBERSOURCE_PROFILE_ID", &[Api], "CyberSource's profile."),
    optional(
        "VOUCH_CYBERSOURCE_SECRET_KEY",
        &[Api],
        "Secret shared with CyberSource: signs what we send, verifies what comes back.",
    ),
    optional("VOUCH_CYBERSOURCE_PURCHASE_URL", &[Api], "CyberSource's payment page."),
    optional("VOUCH_SEGMENT_KEY", BOTH, "Write key of Segment; without it no event is kept or sent."),
    defaulted("VOUCH_SEGMENT_URL", "https://api.segment.io", &[Worker], "Where events are sent."),
    optional(
        "VOUCH_TRUSTED_PROXIES",
        &[Api],
        "Addresses or networks of the proxies before the api, comma separated, as 10.0.0.0/8: their X-Forwarded-For is \
         believed, so that limits go by the callers' addresses. Without it the connection's address counts.",
    ),
    defaulted("VOUCH_RATE_LEARNER", "300/1m", &[Api], "Requests of one learner, as requests/time; all may come at once."),
    defaulted("VOUCH_RATE_SUBMISSIONS", "30/1h", &[Api], "Submissions of one learner."),
    defaulted("VOUCH_RATE_KEY", "60000/1m", &[Api], "Requests with one api key."),
    defaulted("VOUCH_RATE_ADDRESS", "1200/1m", &[Api], "Requests from one address (IPv6: /64) that prove nobody."),
    defaulted(
        "VOUCH_RATE_FAILURES",
        "60/1m",
        &[Api],
        "Wrong keys, tokens, signatures and links from one address, after which each further one is 429; right ones pass.",
    ),
    defaulted("VOUCH_CONNECTIONS", "4096", &[Api], "Connections at a time, from 10 to 100000; others wait."),
    defaulted("VOUCH_HEADER_TIMEOUT", "10s", &[Api], "How long a new connection may take to send its first request's head."),
    defaulted("VOUCH_BODY_TIMEOUT", "2m", &[Api], "How long a request's body may take to arrive, at most 1h."),
    defaulted(
        "VOUCH_BODY_MEMORY",
        "256MiB",
        &[Api],
        "Room for bodies over 64 KiB, as they come in; without room a request waits 2 seconds and gets 503. At least 24MiB.",
    ),
    optional(
        "VOUCH_PHOTOS_AT_ONCE",
        &[Worker],
        "Photos that one process opens and inspects at a time, from 1 to 256, each with up to 256 MiB; without it as many \
         as there are cores.",
    ),
    optional(
        "VOUCH_OTLP_ENDPOINT",
        BOTH,
        "An OpenTelemetry collector, as http://collector:4318 (OTLP over HTTP); without it no span is sent.",
    ),
];

/// The settings of a program, for its `--help`.
#[must_use]
pub fn help(program: Program) -> String {
    let mut text = String::from(
        "Settings come from the environment, or from a TOML file named by VOUCH_CONFIG\n\
         (there in lower case and without VOUCH_); the environment wins.\n\n",
    );
    for setting in CATALOGUE.iter().filter(|setting| setting.programs.contains(&program)) {
        let holds = match setting.default {
            Some(default) => format!(" [{default}]"),
            None if setting.is_required => " (required)".to_owned(),
            None => String::new(),
        };
        // Writing to a string can't fail.
        let _ = write!(text, "  {}{holds}\n      {}\n", setting.name, setting.meaning);
    }
    text
}

/// The page `docs/settings.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         Made from `common/src/config/catalogue.rs` by `scripts/generate`; do not edit.\n\n\
         Settings come from the environment, or from a TOML file named by `VOUCH_CONFIG` (there in lower case \
         and without `VOUCH_`); the environment wins. Units are in the value (`10s`, `1h`). A wrong or missing \
         setting stops the program at start with one message that names all faults. Secrets never print.\n\n\
         | Setting | Default | Read by | Meaning |\n|---|---|---|---|\n",
    );
    for setting in CATALOGUE {
        let default = match setting.default {
            Some(default) => format!("`{default}`"),
            None if setting.is_required => "required".to_owned(),
            None => String::new(),
        };
        let names = [(Api, "api"), (Worker, "worker")];
        let readers: Vec<&str> =
            names.iter().filter(|(program, _)| setting.programs.contains(program)).map(|(_, name)| *name).collect();
        // Writing to a string can't fail.
        let _ = writeln!(page, "| `{}` | {default} | {} | {} |", setting.name, readers.join(", "), setting.meaning);
    }
    page
}
