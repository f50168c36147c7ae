//! `ytcaption events checkpoint`

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use ytcaption_eventstore::seal::{self, newest_seal};

use crate::commands::Global;
use crate::commands::output::{self, Output};
use crate::commands::store::{self, WHERE};

/// Print the newest signed checkpoint, to be kept out of reach of everyone who can change the store
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption events checkpoint > checkpoint-$(date +%F).txt
  ytcaption events checkpoint --json | jq -r .public_key
  ytcaption events verify --checkpoint checkpoint-2026-11-22.txt

It says how many events there were and what the hash of their chain was, signed: a note as in C2SP signed-note. With it
`events verify` finds also what was cut off or sealed anew by a person who has the database and the key.
{WHERE}"))]
pub(in crate::commands) struct Checkpoint {
    /// As a JSON object, with the public key
    #[arg(long)]
    json: bool,
}

impl Checkpoint {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global).await)
    }

    async fn print(self, global: &Global) -> anyhow::Result<()> {
        let database = store::open_sealed(global).await?;
        let (newest, _) = newest_seal(database.pool())
            .await?
            .context("nothing is sealed yet: `ytcaption seal` does it, also as part of `ytcaption up`")?;
        let said = seal::Checkpoint::parse(&newest.note)
            .with_context(|| format!("seal {} was changed; `ytcaption events verify` says more", newest.number))?;
        let mut out = Output::new();
        if self.json {
            out.json(&json!({
                "events": said.chain.events, "sealed_at": said.sealed_at, "public_key": newest.signed_by, "note": newest.note,
            }))?;
        } else {
            out.line(newest.note.trim_end())?;
        }
        Ok(out.flush()?)
    }
}
