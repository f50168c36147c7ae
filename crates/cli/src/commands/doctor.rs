//! `ytcaption doctor`

mod checks;
mod feed;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use ytcaption_children::enforcement;

use super::Global;

/// Check everything the system needs; each line that is not ok says what to do
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ytcaption doctor
  ytcaption doctor --json | jq -r '.checks[] | select(.status == \"bad\").message'

Exit code 1 if something that is needed is missing.")]
pub(super) struct Doctor {
    /// Print a JSON document: `checks`, each with `name`, `status` (ok, note or bad) and `message`
    #[arg(long)]
    json: bool,
}

/// How one check went.
enum Outcome {
    /// There, with what was found.
    Ok(String),
    /// Not needed, or not as good as it could be.
    Note(String),
    /// Missing or broken, with what to do.
    Bad(String),
}

impl Outcome {
    /// Its status in one word, and its message.
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Ok(text) => ("ok", text),
            Self::Note(text) => ("note", text),
            Self::Bad(text) => ("bad", text),
        }
    }
}

impl Doctor {
    pub(super) async fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = match global.load() {
            Ok(loaded) => loaded.settings,
            Err(error) => return self.print(&[("settings", Outcome::Bad(error.to_string()))]),
        };
        let (ffmpeg, ffprobe, yt_dlp, postgres, feed, nats, storage) = tokio::join!(
            checks::program("ffmpeg", "-version", checks::INSTALL_FFMPEG),
            checks::program("ffprobe", "-version", checks::INSTALL_FFMPEG),
            checks::yt_dlp(&settings.download),
            checks::postgres(&settings),
            feed::check(&settings),
            checks::nats(&settings),
            checks::storage(&settings),
        );
        let rows = [
            ("settings", Outcome::Ok("valid".to_owned())),
            ("data directory", checks::data_directory(&settings.data_dir)),
            ("ffmpeg", ffmpeg),
            ("ffprobe", ffprobe),
            ("yt-dlp", yt_dlp),
            ("sandbox", sandbox()),
            ("JavaScript", checks::java_script().await),
            ("Postgres", postgres),
            ("feed", feed),
            ("NATS", nats),
            ("storage", storage),
            ("model", checks::default_model(&settings).await),
            ("more models", checks::other_models(&settings).await),
        ];
        self.print(&rows)
    }

    fn print(&self, rows: &[(&str, Outcome)]) -> anyhow::Result<ExitCode> {
        let bad = rows.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Bad(_))).count();
        if self.json {
            let check = |(name, outcome): &(&str, Outcome)| {
                let (status, message) = outcome.parts();
                json!({ "name": name, "status": status, "message": message })
            };
            let checks: Vec<_> = rows.iter().map(check).collect();
            println!("{}", serde_json::to_string_pretty(&json!({ "checks": checks }))?);
        } else {
            for (name, outcome) in rows {
                let (status, message) = outcome.parts();
                // Upper case, so that what has to be fixed is seen at once.
                let mark = if status == "bad" { "BAD" } else { status };
                println!("{mark:<5} {name:<12} {message}");
            }
            match bad {
                0 => println!("\nEverything that is needed is there."),
                _ => println!("\n{bad} of {} checks found something to fix.", rows.len()),
            }
        }
        Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whether the programs that read media are kept from everything else.
fn sandbox() -> Outcome {
    enforcement().gaps().map_or_else(
        || Outcome::Ok("yt-dlp, ffmpeg and ffprobe reach their own files and connections only".to_owned()),
        Outcome::Note,
    )
}
