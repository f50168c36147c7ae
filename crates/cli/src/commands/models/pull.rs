//! `ytcaption models pull`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ytcaption_models::hub::{self, ALIASES, Hub, HubSettings, Reference};

use super::super::Global;
use super::super::bar::Bar;
use super::megabytes;

/// Delay before a download that broke off is tried again.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// Fetch a model from a Hugging Face hub into models.directory; goes on where an earlier attempt broke off
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  ytcaption models pull small
  ytcaption models pull Systran/faster-whisper-large-v3
  ytcaption models pull large-v3-turbo --as turbo-2024
  ytcaption models pull me/my-whisper@v2        a branch, tag or commit
  HF_ENDPOINT=https://hub.example.org ytcaption models pull tiny

Names: {}.

The files are those that faster-whisper fetches. Their checksums are compared on the way and kept as SHA256SUMS, so that
`ytcaption models verify` can compare them again. HF_ENDPOINT (models.endpoint) names a mirror, HF_TOKEN (models.token)
signs in for private and gated models.", ALIASES.map(|(alias, _)| alias).join(", ")))]
pub(in crate::commands) struct Pull {
    /// A name from the list below, or `ORG/NAME`; after an @ a revision
    #[arg(value_name = "MODEL[@REVISION]")]
    model: Reference,
    /// What to call it here [default: as in MODEL, without the organisation]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Pull {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings.models;
        let reference = match &self.name {
            Some(name) => self.model.named(name)?,
            None => self.model,
        };
        let hub =
            Hub::new(&HubSettings { endpoint: settings.endpoint, token: settings.token, first_delay: FIRST_DELAY })?;
        let bar = Bar::new("contacting the hub");
        let mut progress = |news: hub::Progress| {
            bar.step(news.file);
            bar.set(news.done, news.total);
        };
        let outcome = hub::pull(&hub, &reference, &settings.directory, &mut progress).await;
        bar.clear();
        let pulled = outcome?;
        let Reference { name, repository, .. } = &reference;
        let (directory, commit, size) = (pulled.directory.display(), &pulled.commit, megabytes(pulled.bytes));
        let state = if pulled.existed { "is there already" } else { "is here now" };
        println!("{name} {state}: {repository} at {commit}, {size}, in {directory}");
        if !pulled.existed {
            println!("Use it: ytcaption up --model {name}, or \"model\": \"{name}\" in a request.");
        }
        Ok(ExitCode::SUCCESS)
    }
}
