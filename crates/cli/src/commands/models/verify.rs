//! `ytcaption models verify`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use ytcaption_models::{Catalogue, ModelEntry};
use ytcaption_whisper::verify;

use super::super::Global;
use super::super::output::Output;
use crate::settings::cache_settings;

/// Check models: files complete, checksums, loading, a test transcription
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption models verify                       all of them
  ytcaption models verify small /srv/other
  ytcaption models verify --json

Checksums are compared where a model's directory has a SHA256SUMS; `models pull` writes one.
Exit code 1 if a model is broken.")]
pub(in crate::commands) struct Verify {
    /// Names that `ytcaption models list` shows, or directories [default: all models]
    #[arg(value_name = "NAME|DIRECTORY")]
    models: Vec<String>,
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Verified {
    name: String,
    directory: String,
    sound: bool,
    /// Whether there were checksums to compare with.
    checksums: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Verify {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = global.load()?.settings;
        let store = cache_settings(&settings)?;
        let entries = chosen(&self.models, &store.catalogue)?;
        let mut results = Vec::new();
        let mut out = Output::new();
        for entry in entries {
            let (model, checked) = (store.model.clone(), entry.clone());
            let outcome = tokio::task::spawn_blocking(move || verify(&checked, &model)).await.context("verifying")?;
            let result = Verified {
                name: entry.name,
                directory: entry.directory.display().to_string(),
                sound: outcome.is_ok(),
                checksums: outcome.as_ref().is_ok_and(|info| info.has_checksums),
                problem: outcome.err().map(|error| error.to_string()),
            };
            if !self.json {
                out.line(&text(&result))?;
                out.flush()?;
            }
            results.push(result);
        }
        if self.json {
            out.json(&serde_json::json!({ "models": results }))?;
            out.flush()?;
        }
        let all_sound = results.iter().all(|result| result.sound);
        Ok(if all_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The models that were named, or all.
fn chosen(names: &[String], catalogue: &Catalogue) -> anyhow::Result<Vec<ModelEntry>> {
    if names.is_empty() {
        return Ok(catalogue.models());
    }
    let find = |name: &String| {
        let directory = || Path::new(name).is_dir().then(|| ModelEntry::new(Path::new(name)));
        catalogue
            .find(name)
            .or_else(directory)
            .with_context(|| format!("{name:?} is neither a model that `ytcaption models list` shows nor a directory"))
    };
    names.iter().map(find).collect()
}

fn text(result: &Verified) -> String {
    match &result.problem {
        None if result.checksums => format!("ok   {} (checksums agree)", result.name),
        None => format!("ok   {} (no SHA256SUMS to compare with)", result.name),
        Some(problem) => format!("BAD  {}: {problem}", result.name),
    }
}
