//! `ytcaption models list`

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use ytcaption_models::{Checksums, ComputeType, ModelEntry, ModelError, ModelInfo};
use ytcaption_whisper::CacheSettings;

use super::super::Global;
use super::super::output::{self, Output};
use super::megabytes;
use crate::settings::cache_settings;

/// At most this number of languages is named one by one.
const MOST_NAMED: usize = 8;

/// Show the models of this machine; * marks the default
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption models list
  ytcaption models list --json | jq -r '.models[] | select(.multilingual) | .name'

Whether a model is in memory is a matter of each worker: its log says when one is loaded and unloaded. Checksums are
not compared here: `ytcaption models verify` does that.")]
pub(in crate::commands) struct List {
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

/// What the list says of one model.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    default: bool,
    directory: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(flatten)]
    about: Option<About>,
}

#[derive(Debug, Serialize)]
struct About {
    weights_bytes: u64,
    precision: &'static str,
    compute_type: &'static str,
    mel_bins: usize,
    multilingual: bool,
    word_timestamps: bool,
    languages: Vec<String>,
    replicas: usize,
    threads: usize,
    memory_bytes: u64,
    checksums: bool,
}

impl List {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
        output::end(self.print(global))
    }

    fn print(&self, global: &Global) -> anyhow::Result<()> {
        let settings = global.load()?.settings;
        let store = cache_settings(&settings)?;
        let rows: Vec<Row> = store.catalogue.models().iter().map(|entry| row(entry, &store)).collect();
        let mut out = Output::new();
        if self.json {
            out.json(&serde_json::json!({ "directory": settings.models.directory, "models": rows }))?;
        } else {
            out.line(&format!(
                "  {:<28} {:>8}  {:<10} {:>4}  {:<34} memory",
                "name", "size", "precision", "mels", "languages"
            ))?;
            for row in &rows {
                out.line(&text(row))?;
            }
        }
        Ok(out.flush()?)
    }
}

fn row(entry: &ModelEntry, store: &CacheSettings) -> Row {
    let info = entry.info(Checksums::Skip);
    Row {
        name: entry.name.clone(),
        default: entry == store.catalogue.default_model(),
        directory: entry.directory.display().to_string(),
        problem: info.as_ref().err().map(ModelError::to_string),
        about: info.ok().map(|info| about(info, store)),
    }
}

fn about(info: ModelInfo, store: &CacheSettings) -> About {
    let compute_type = store.model.compute_type;
    let (layout, memory_bytes) = store.layout(&info);
    About {
        weights_bytes: info.weights_bytes,
        precision: info.precision,
        compute_type: if compute_type == ComputeType::Default { info.precision } else { compute_type.as_str() },
        mel_bins: info.mels,
        multilingual: info.multilingual,
        word_timestamps: info.can_align,
        languages: info.languages,
        replicas: layout.replicas,
        threads: layout.threads,
        memory_bytes,
        checksums: info.has_checksums,
    }
}

fn text(row: &Row) -> String {
    let mark = if row.default { '*' } else { ' ' };
    let Some(about) = &row.about else {
        return format!("{mark} {:<28} broken: {}", row.name, row.problem.as_deref().unwrap_or_default());
    };
    let languages = match about.languages.as_slice() {
        few if few.len() <= MOST_NAMED => few.join(", "),
        many => format!("{} languages", many.len()),
    };
    let languages = if about.multilingual { format!("{languages}; translates") } else { languages };
    format!(
        "{mark} {:<28} {:>8}  {:<10} {:>4}  {languages:<34} {} ({} × {})",
        row.name,
        megabytes(about.weights_bytes),
        about.precision,
        about.mel_bins,
        megabytes(about.memory_bytes),
        about.replicas,
        megabytes(about.memory_bytes / about.replicas as u64),
    )
}
