//! `vouch erasures`: receipts of learners who were erased.

use std::{fmt::Write, path::PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};
use vouch_common::receipts::Signed;

use super::arguments;
use crate::{
    api::{Access, Query},
    failure::{EXIT_CODES, Failure},
    out::{Looks, Session},
    show::{Look, text_at},
};

/// Shows receipts of erasures, and proves them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Erasures {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How an erasure stands, with its receipt; --json for a document that can be kept and proved
    Show {
        /// Its name, as `vouch users erase` told it
        #[arg(value_name = "ERASURE", value_parser = arguments::name)]
        erasure: String,
    },
    /// Prove a receipt that was kept with --json, without the api: the text is ours, and nobody changed it
    Verify {
        /// The document; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The deployment's public key, in base64, from somebody who knows it
        #[arg(long, value_name = "KEY")]
        public_key: String,
    },
}

impl Erasures {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        match self.verb {
            Verb::Show { erasure } => {
                let session = Session::open(&self.access, looks)?;
                let answer = session.api.get(&["erasures", &erasure], &Query::default()).await?;
                session.tell(&answer, told)
            }
            Verb::Verify { file, public_key } => verify(&file, &public_key, looks),
        }
    }
}

fn verify(file: &PathBuf, public_key: &str, looks: &Looks) -> Result<()> {
    let text = if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text.with_context(|| format!("{} can't be read", file.display()))?;
    let document: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON document", file.display()))?;
    let field = |name: &str| document[name].as_str().map(str::to_owned);
    let (Some(receipt), Some(signature)) = (field("receipt"), field("signature")) else {
        return Err(Failure::Refused("The document has no receipt: the erasure was not done when it was kept.".to_owned()).into());
    };
    let signed = Signed { receipt, signature, public_key: public_key.to_owned() };
    if !signed.is_proved_by(public_key) {
        return Err(Failure::Refused("The signature is not that of this key over this receipt.".to_owned()).into());
    }
    let proved = json!({ "receipt": signed.receipt, "signature": signed.signature, "public_key": public_key });
    looks.tell(&proved, |_, _| format!("{}\n", signed.receipt))
}

/// An erasure as people read it.
fn told(answer: &Value, _look: &Look) -> String {
    let mut text = String::new();
    for (name, place) in [
        ("status", "/status"),
        ("user", "/user_id"),
        ("requested by", "/requested_by"),
        ("requested at", "/requested_at"),
        ("finished at", "/finished_at"),
        ("receipt", "/receipt"),
        ("signature", "/signature"),
        ("public key", "/public_key"),
    ] {
        let value = text_at(answer, place);
        if !value.is_empty() {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{name}\t{value}");
        }
    }
    text
}
