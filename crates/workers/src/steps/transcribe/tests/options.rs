//! The options of a transcription, with the demo model.

use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::Task;

use super::*;

fn prompted(prompt: &str, hotwords: &str) -> TranscriptionOptions {
    TranscriptionOptions {
        language: "en".into(),
        initial_prompt: Some(prompt.to_owned()),
        hotwords: Some(hotwords.to_owned()),
        word_timestamps: Some(true),
        ..TranscriptionOptions::default()
    }
}

fn translated(model: Option<&str>) -> TranscriptionOptions {
    TranscriptionOptions {
        language: "pt".into(),
        task: Task::Translate,
        model: model.map(str::to_owned),
        ..TranscriptionOptions::default()
    }
}

async fn segments_of(harness: &TestHarness, job: JobId) -> Vec<Segment> {
    let done = harness.wait_for(job, |event| matches!(event, JobEvent::ChunkTranscribed { .. })).await;
    let JobEvent::ChunkTranscribed { segments, .. } = done else { unreachable!() };
    segments
}

/// A directory of models in which one was never taught to translate, and has no `tokenizer.json` to read prompts with.
fn model_that_cannot_translate(harness: &TestHarness) {
    let directory = harness.directory.path().join("models/plain");
    std::fs::create_dir_all(&directory).unwrap();
    for file in ["model.bin", "config.json"] {
        std::fs::copy(model().join(file), directory.join(file)).unwrap();
    }
    let vocabulary = std::fs::read_to_string(model().join("vocabulary.json")).unwrap();
    std::fs::write(directory.join("vocabulary.json"), vocabulary.replace("<|translate|>", "<|unused|>")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_the_requested_text_or_a_clear_failure() {
    let mut harness = TestHarness::new().await;
    model_that_cannot_translate(&harness);
    let (english, _) = said(&harness, "english", &[("en-us", "We want three red cars.")]).await;
    let (portuguese, _) = said(&harness, "portuguese", &[("pt-br", "Eu vejo três gatos.")]).await;
    let (models, settings) = (models(&harness, &model()), settings(&harness));
    harness.start_relay();
    harness.start(|deps, stop| Box::pin(run(deps, models, settings, stop)));

    let segments = segments_of(&harness, job_for(&harness, &portuguese, translated(None)).await).await;
    assert_eq!(segments[0].text, "I see three cats.");

    // Far more than the model takes: of the prompt the end counts, of the hot words the beginning. The demo model is
    // easily led by what was said before, so what it makes of a crowd of hot words says nothing.
    let (prompt, crowd) = ("We read the book. ".repeat(200), "cars ".repeat(800));
    segments_of(&harness, job_for(&harness, &english, prompted(&prompt, &crowd)).await).await;
    let segments = segments_of(&harness, job_for(&harness, &english, prompted(&prompt, "cars")).await).await;
    assert!(segments[0].text.starts_with("We want three red"), "{segments:?}");
    assert!(!segments[0].words.is_empty() && segments[0].words.is_sorted_by_key(|word| word.start_ms), "{segments:?}");

    let without_tokenizer = TranscriptionOptions { model: Some("plain".into()), ..prompted("Cars.", "cars") };
    for (audio, requested, code, said) in [
        (&portuguese, translated(Some("plain")), "cannot_translate", "request a multilingual one"),
        (&english, without_tokenizer, "invalid_option", "`hotwords` needs a tokenizer.json"),
    ] {
        let job = job_for(&harness, audio, requested).await;
        let failure = failure_of(&harness, job).await;
        assert_eq!(failure.code, code);
        assert!(failure.message.contains(said), "{failure:?}");
        let attempts = harness.names(job).await.iter().filter(|name| *name == "ChunkStarted").count();
        assert_eq!(attempts, 1, "another attempt would fail in the same way");
    }
}
