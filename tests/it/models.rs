//! Models are downloaded, listed, verified and selected; a broken model does not affect the others.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ytcaption_testing::{Failures, ModelHub};

use crate::speech;
use crate::system::{System, model, program};

const REPOSITORY: &str = "Systran/faster-whisper-tiny";
const PULL_TIMEOUT: Duration = Duration::from_secs(30);

/// A directory of models that no running system uses.
struct ModelDirectory(TempDir);

impl ModelDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A copy of the demo model under a name.
    fn copy(&self, name: &str) -> PathBuf {
        let directory = self.0.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        for file in std::fs::read_dir(model()).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, directory.join(file.file_name().unwrap())).unwrap();
        }
        directory
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("YTCAPTION_MODELS__DIRECTORY", self.0.path());
        command.env("YTCAPTION_TRANSCRIPTION__MODEL", model()).arg("--data-dir").arg(self.0.path().join(".data"));
        for name in ["HF_ENDPOINT", "HF_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The models in the output of `models list`.
    fn list(&self) -> Vec<Value> {
        let listed = self.run(&["models", "list", "--json"]);
        assert!(listed.status.success(), "{}", said(&listed));
        let mut listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        serde_json::from_value(listed["models"].take()).unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn corrupt_middle(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(file, bytes).unwrap();
}

/// Makes a model English-only by removing the empty token, which only multilingual models have.
fn make_english_only(directory: &Path) {
    let file = directory.join("vocabulary.json");
    let tokens: Vec<String> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let tokens: Vec<String> =
        tokens.into_iter().map(|token| if token.is_empty() { "<|none|>".to_owned() } else { token }).collect();
    std::fs::write(&file, serde_json::to_string(&tokens).unwrap()).unwrap();
    std::fs::remove_file(directory.join("SHA256SUMS")).unwrap();
}

#[test]
fn a_killed_pull_resumes_where_it_was() {
    let (hub, directory) = (ModelHub::start(REPOSITORY, &model()), ModelDirectory::new());
    let pull = || {
        let mut command = directory.command(&["models", "pull", "tiny"]);
        command.env("HF_ENDPOINT", hub.endpoint()).env("HF_TOKEN", "hf_confidential");
        command
    };
    hub.misbehave(Failures { delay_ms: 20, ..Failures::default() });
    let mut killed = pull().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = directory.0.path().join(".pull-tiny-0123456789ab/model.bin");
    let deadline = Instant::now() + PULL_TIMEOUT;
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < 100_000 {
        assert!(Instant::now() < deadline, "nothing was downloaded");
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let names: Vec<Value> = directory.list().iter().map(|model| model["name"].clone()).collect();
    assert_eq!(names, ["demo"], "an incomplete download is not listed");

    hub.misbehave(Failures::default());
    let pulled = pull().output().unwrap();
    assert!(pulled.status.success(), "{}", said(&pulled));
    assert!(!said(&pulled).contains("confidential"), "{}", said(&pulled));
    let ranges: Vec<_> =
        hub.requests().into_iter().filter(|request| request.elsewhere).map(|request| request.range).collect();
    assert!(matches!(ranges.as_slice(), [None, Some(_)]), "{ranges:?}");
    let verified = directory.run(&["models", "verify", "tiny"]);
    assert!(verified.status.success() && said(&verified).contains("checksums agree"), "{}", said(&verified));
    let tiny = directory.list().into_iter().find(|model| model["name"] == "tiny").unwrap();
    assert_eq!((&tiny["languages"], &tiny["precision"]), (&json!(["en", "pt"]), &json!("int8")));

    let wrong = directory.command(&["models", "pull", "small"]).env("HF_ENDPOINT", hub.endpoint()).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("Systran/faster-whisper-small is not on 127.0.0.1"), "{}", said(&wrong));
}

#[test]
fn each_broken_model_is_reported_and_the_others_stay_usable() {
    let directory = ModelDirectory::new();
    for name in ["sound", "torn", "cut", "garbage", "mixed", "bert", "bare"] {
        directory.copy(name);
    }
    let file = |name: &str, file: &str| directory.0.path().join(name).join(file);
    corrupt_middle(&file("torn", "model.bin"));
    let weights = std::fs::read(file("cut", "model.bin")).unwrap();
    std::fs::write(file("cut", "model.bin"), &weights[..weights.len() - 1]).unwrap();
    std::fs::write(file("garbage", "model.bin"), "a text that is long enough").unwrap();
    std::fs::write(file("mixed", "vocabulary.json"), "[\"a\"]").unwrap();
    let spec = weights.windows(11).position(|name| name == b"WhisperSpec").unwrap();
    let bert = [&weights[..spec], b"BigBertSpec", &weights[spec + 11..]].concat();
    std::fs::write(file("bert", "model.bin"), bert).unwrap();
    std::fs::remove_file(file("bare", "model.bin")).unwrap();

    let broken: Vec<Value> = directory.list().into_iter().filter(|model| model.get("problem").is_some()).collect();
    let names: Vec<&Value> = broken.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["bare", "bert", "cut", "garbage", "mixed"], "only `verify` compares checksums");
    let verified = directory.run(&["models", "verify"]);
    let text = said(&verified);
    assert_eq!(verified.status.code(), Some(1), "{text}");
    for line in [
        "ok   demo (checksums agree)",
        "ok   sound (checksums agree)",
        "BAD  torn: ",
        "BAD  cut: ",
        "BAD  garbage: ",
        "BAD  mixed: ",
        "BAD  bert: ",
        "BAD  bare: ",
        "does not match its checksum",
        "ends too early",
        "not in CTranslate2's format",
        "of different models",
        "it holds a BigBertSpec",
        "has no model.bin",
    ] {
        assert!(text.contains(line), "{line:?} is not in: {text}");
    }
    let doctor = said(&directory.run(&["doctor"]));
    assert!(doctor.contains("ok    model        demo (understands en, pt"), "{doctor}");
    assert!(doctor.contains("broken: bare, bert, cut, garbage, mixed"), "{doctor}");
}

/// Part of the error message of a program that finds no such NVIDIA card, or was built without support for one.
const NO_CARD: &str = if cfg!(any(feature = "shared", feature = "cuda")) {
    "no NVIDIA card number 15"
} else {
    "YTCAPTION_BACKEND=shared"
};

#[test]
fn options_that_a_model_or_this_machine_does_not_support_are_rejected() {
    let directory = ModelDirectory::new();
    make_english_only(&directory.copy("english"));
    let video = directory.0.path().join("talk.mp4");
    std::fs::write(&video, speech::video()).unwrap();
    let transcribe = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = directory.command(&["transcribe"]);
        command.arg(&video).args(["--format", "txt"]).args(arguments);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    for (arguments, variables, part) in [
        (&["--model", "english", "--language", "pt"][..], &[][..], "it knows en"),
        (&["--model", "english", "--option", "task=translate"], &[], "cannot translate"),
        (&["--model", "huge"], &[], "there are english"),
        (&[], &[("YTCAPTION_MODELS__DEVICE", "cuda"), ("YTCAPTION_MODELS__DEVICE_INDEX", "15")], NO_CARD),
        (&[], &[("YTCAPTION_MODELS__COMPUTE_TYPE", "float16")], "needs an NVIDIA card"),
        (&[], &[("YTCAPTION_MODELS__COMPUTE_TYPE", "int7")], "\"int8_float32\""),
        (&[], &[("YTCAPTION_MODELS__MEMORY_MIB", "1")], "raise models.memory_mib"),
    ] {
        let refused = transcribe(arguments, variables);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {}", said(&refused));
        assert!(said(&refused).contains(part), "{part:?} is not in: {}", said(&refused));
    }
    // A prompt longer than the context is truncated, as in faster-whisper.
    let prompt = format!("initial_prompt={}", "The blue bird sleeps here. ".repeat(400));
    let transcribed = transcribe(&["--option", &prompt], &[]);
    assert!(transcribed.status.success(), "{}", said(&transcribed));
}

#[tokio::test]
async fn a_job_is_transcribed_with_the_model_that_it_names() {
    let directory = ModelDirectory::new();
    directory.copy("second");
    let system = System::start_with(&[("YTCAPTION_MODELS__DIRECTORY", directory.0.path().to_str().unwrap())]).await;
    let video = system.scratch().join("talk.mp4");
    std::fs::write(&video, speech::video()).unwrap();
    let submit = |model: &str| {
        let video = video.to_str().unwrap();
        system.command(&["submit", video, "--wait", "--format", "txt", "--model", model]).output().unwrap()
    };
    let transcribed = submit("second");
    assert!(transcribed.status.success(), "{}", said(&transcribed));
    speech::assert_transcribed(&String::from_utf8_lossy(&transcribed.stdout));
    assert!(system.log().contains("second"), "the log says which model was loaded");
    let refused = submit("third");
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(
        said(&refused).contains("no model `third`") && said(&refused).contains("demo, second"),
        "{}",
        said(&refused)
    );
}
