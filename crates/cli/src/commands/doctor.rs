//! `ytcaption doctor`

mod checks;
mod feed;

use std::process::ExitCode;

use clap::Args;

use super::Global;

/// Check everything the system needs; each line that is not ok says what to do
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 if something that is needed is missing.")]
pub(super) struct Doctor {}

/// How one check went.
enum Outcome {
    /// There, with what was found.
    Ok(String),
    /// Not needed, or not as good as it could be.
    Note(String),
    /// Missing or broken, with what to do.
    Bad(String),
}

impl Doctor {
    pub(super) async fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = match global.load() {
            Ok(loaded) => loaded.settings,
            Err(error) => {
                println!("BAD   settings       {error}");
                return Ok(ExitCode::FAILURE);
            }
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
            ("settings", Outcome::Ok("no faults".to_owned())),
            ("data folder", checks::data_folder(&settings.data_dir)),
            ("ffmpeg", ffmpeg),
            ("ffprobe", ffprobe),
            ("yt-dlp", yt_dlp),
            ("JavaScript", checks::java_script().await),
            ("Postgres", postgres),
            ("feed", feed),
            ("NATS", nats),
            ("storage", storage),
            ("model", checks::default_model(&settings).await),
            ("more models", checks::other_models(&settings).await),
        ];
        let mut bad = 0;
        for (name, outcome) in &rows {
            let (mark, text) = match outcome {
                Outcome::Ok(text) => ("ok", text),
                Outcome::Note(text) => ("note", text),
                Outcome::Bad(text) => ("BAD", text),
            };
            bad += usize::from(matches!(outcome, Outcome::Bad(_)));
            println!("{mark:<5} {name:<12} {text}");
        }
        if bad == 0 {
            println!("\nEverything that is needed is there.");
            return Ok(ExitCode::SUCCESS);
        }
        println!("\n{bad} of {} checks found something to mend.", rows.len());
        Ok(ExitCode::FAILURE)
    }
}
