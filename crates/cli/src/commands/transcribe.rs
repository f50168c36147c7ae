//! `ytcaption transcribe`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use ytcaption_domain::captions::Format;
use ytcaption_domain::job::Task;
use ytcaption_domain::language::AUTO;
use ytcaption_media::{MediaInput, TrackChoice};
use ytcaption_whisper::{FileTranscript, Progress, TranscribeOptions, transcribe_file};

use super::Global;
use super::bar::Bar;
use super::cue_style::CueStyleArgs;
use super::decoding::DecodingArgs;
use super::timings::Timings;
use crate::running::Shutdown;
use crate::settings::{Overrides, load, model_cache};

/// Transcribe a file on this machine, without any server; captions go to standard output
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ytcaption transcribe talk.mp4 --model faster-whisper-small --format srt > talk.srt\n  ytcaption transcribe talk.mp4 --option word_timestamps=true --option 'temperature=[0]' --format json\n  ytcaption transcribe talk.mp4 --option 'vad_parameters={\"threshold\": 0.4}'\n  ytcaption transcribe talk.mp4 --option 'prefix=Good evening' --option word_timestamps=true --option hallucination_silence_threshold=2 --timings"
)]
pub(super) struct Transcribe {
    /// Any audio or video file that ffmpeg reads
    file: PathBuf,
    /// A name that `ytcaption models list` shows, or the directory of a Whisper model in CTranslate2 format
    #[arg(long, value_name = "NAME|DIRECTORY")]
    model: Option<PathBuf>,
    #[arg(long, default_value_t = Format::Srt, help = format!("One of {}", Format::names()))]
    format: Format,
    #[command(flatten)]
    style: CueStyleArgs,
    /// ISO 639-1 code of the spoken language, such as en; auto detects it
    #[arg(long, default_value = "auto")]
    language: String,
    /// transcribe, or translate for an English translation
    #[arg(long, default_value_t = Task::Transcribe)]
    task: Task,
    /// Number of the audio track, counted from 1 [default: by language, else the default track]
    #[arg(long, value_name = "NUMBER")]
    audio_track: Option<u32>,
    #[command(flatten)]
    decoding: DecodingArgs,
    /// Print on standard error how long each step took, added up over all threads
    #[arg(long)]
    timings: bool,
}

impl Transcribe {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = load(&Overrides { model: self.model, ..global.overrides() })?.settings;
        let models = model_cache(&settings)?;
        let transcriber = models.get(&models.catalogue().default_model().name).await?;
        let options = self.decoding.apply(&TranscribeOptions {
            language: Some(self.language),
            task: self.task,
            beam_size: settings.transcription.beam_size,
            ..TranscribeOptions::default()
        })?;
        let shutdown = Shutdown::on_signals().context("listening for Ctrl-C")?;
        let bar = Bar::new("transcribing");
        let mut progress = |news: Progress<'_>| {
            bar.set(news.done_ms, news.total_ms);
            if shutdown.drain.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let timings = self.timings.then(Timings::start);
        let language = options.language.as_deref().filter(|language| *language != AUTO);
        let track = TrackChoice { number: self.audio_track, language };
        let input = MediaInput { path: &self.file, track };
        let outcome = transcribe_file(&transcriber, input, &options, &mut progress).await;
        bar.clear();
        let FileTranscript { transcript, truncation, track } =
            outcome.with_context(|| format!("{} was not transcribed", self.file.display()))?;
        if let Some(notice) = track.notice().filter(|_| self.audio_track.is_none()) {
            eprintln!("ytcaption: {notice}; --audio-track selects another");
        }
        if let Some(truncation) = truncation {
            eprintln!("ytcaption: {} is truncated or corrupt: {truncation}", self.file.display());
        }
        if let Some(timings) = timings {
            eprint!("{}", timings.table());
        }
        print!("{}", self.format.write(&transcript, &self.style.style())?);
        Ok(ExitCode::SUCCESS)
    }
}
