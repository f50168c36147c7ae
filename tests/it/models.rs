//! Models: fetched, listed, checked, chosen; broken ones harm nobody else.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ytcaption_testing::{Faults, ModelHub};

use crate::speech;
use crate::system::{System, model, program};

const REPOSITORY: &str = "Systran/faster-whisper-tiny";
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of models, outside of any running system.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A copy of the demo model under a name.
    fn copy(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for file in std::fs::read_dir(model()).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
        folder
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("YTCAPTION_MODELS__FOLDER", self.0.path());
        command.env("YTCAPTION_TRANSCRIPTION__MODEL", model()).arg("--data-dir").arg(self.0.path().join(".data"));
        for name in ["HF_ENDPOINT", "HF_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What `models list` says of each model.
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

fn damage_middle(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(file, bytes).unwrap();
}

/// Takes the empty token away, which is what makes a model one of many languages.
fn make_english(folder: &Path) {
    let file = folder.join("vocabulary.json");
    let tokens: Vec<String> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let tokens: Vec<String> =
        tokens.into_iter().map(|token| if token.is_empty() { "<|none|>".to_owned() } else { token }).collect();
    std::fs::write(&file, serde_json::to_string(&tokens).unwrap()).unwrap();
    std::fs::remove_file(folder.join("SHA256SUMS")).unwrap();
}

#[test]
fn a_pull_that_was_killed_goes_on_where_it_was() {
    let (hub, folder) = (ModelHub::start(REPOSITORY, &model()), Folder::new());
    let pull = || {
        let mut command = folder.command(&["models", "pull", "tiny"]);
        command.env("HF_ENDPOINT", hub.endpoint()).env("HF_TOKEN", "hf_confidential");
        command
    };
    hub.misbehave(Faults { pause_ms: 20, ..Faults::default() });
    let mut killed = pull().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = folder.0.path().join(".pull-tiny-0123456789ab/model.bin");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < 100_000 {
        assert!(Instant::now() < deadline, "nothing arrives");
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let names: Vec<Value> = folder.list().iter().map(|model| model["name"].clone()).collect();
    assert_eq!(names, ["demo"], "half a model is no model");

    hub.misbehave(Faults::default());
    let pulled = pull().output().unwrap();
    assert!(pulled.status.success(), "{}", said(&pulled));
    assert!(!said(&pulled).contains("confidential"), "{}", said(&pulled));
    let ranges: Vec<_> = hub.asked().into_iter().filter(|asked| asked.elsewhere).map(|asked| asked.range).collect();
    assert!(matches!(ranges.as_slice(), [None, Some(_)]), "{ranges:?}");
    let verified = folder.run(&["models", "verify", "tiny"]);
    assert!(verified.status.success() && said(&verified).contains("checksums agree"), "{}", said(&verified));
    let tiny = folder.list().into_iter().find(|model| model["name"] == "tiny").unwrap();
    assert_eq!((&tiny["languages"], &tiny["precision"]), (&json!(["en", "pt"]), &json!("int8")));

    let wrong = folder.command(&["models", "pull", "small"]).env("HF_ENDPOINT", hub.endpoint()).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("Systran/faster-whisper-small is not on 127.0.0.1"), "{}", said(&wrong));
}

#[test]
fn each_broken_model_is_told_apart_and_the_others_stay_usable() {
    let folder = Folder::new();
    for name in ["sound", "torn", "cut", "garbage", "mixed", "bert", "bare"] {
        folder.copy(name);
    }
    let file = |name: &str, file: &str| folder.0.path().join(name).join(file);
    damage_middle(&file("torn", "model.bin"));
    let weights = std::fs::read(file("cut", "model.bin")).unwrap();
    std::fs::write(file("cut", "model.bin"), &weights[..weights.len() - 1]).unwrap();
    std::fs::write(file("garbage", "model.bin"), "a text that is long enough").unwrap();
    std::fs::write(file("mixed", "vocabulary.json"), "[\"a\"]").unwrap();
    let spec = weights.windows(11).position(|name| name == b"WhisperSpec").unwrap();
    let bert = [&weights[..spec], b"BigBertSpec", &weights[spec + 11..]].concat();
    std::fs::write(file("bert", "model.bin"), bert).unwrap();
    std::fs::remove_file(file("bare", "model.bin")).unwrap();

    let broken: Vec<Value> = folder.list().into_iter().filter(|model| model.get("problem").is_some()).collect();
    let names: Vec<&Value> = broken.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["bare", "bert", "cut", "garbage", "mixed"], "checksums are for `verify`");
    let verified = folder.run(&["models", "verify"]);
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
    let doctor = said(&folder.run(&["doctor"]));
    assert!(doctor.contains("ok    model        demo (understands en, pt"), "{doctor}");
    assert!(doctor.contains("broken: bare, bert, cut, garbage, mixed"), "{doctor}");
}

/// What a program says that finds no such NVIDIA card, or was built without a use for one.
const NO_CARD: &str = if cfg!(any(feature = "shared", feature = "cuda")) {
    "no NVIDIA card number 15"
} else {
    "YTCAPTION_BACKEND=shared"
};

#[test]
fn what_a_model_or_this_machine_cannot_do_is_said() {
    let folder = Folder::new();
    make_english(&folder.copy("english"));
    let recording = folder.0.path().join("talk.mp4");
    std::fs::write(&recording, speech::video()).unwrap();
    let transcribe = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = folder.command(&["transcribe"]);
        command.arg(&recording).args(["--format", "txt"]).args(arguments);
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
    // A prompt longer than the context: what does not fit is left out, as faster-whisper does.
    let prompt = format!("initial_prompt={}", "The blue bird sleeps here. ".repeat(400));
    let heard = transcribe(&["--option", &prompt], &[]);
    assert!(heard.status.success(), "{}", said(&heard));
}

#[tokio::test]
async fn a_job_is_heard_with_the_model_it_asks_for() {
    let folder = Folder::new();
    folder.copy("second");
    let system = System::with(&[("YTCAPTION_MODELS__FOLDER", folder.0.path().to_str().unwrap())]).await;
    let recording = system.scratch().join("talk.mp4");
    std::fs::write(&recording, speech::video()).unwrap();
    let submit = |model: &str| {
        let recording = recording.to_str().unwrap();
        system.command(&["submit", recording, "--wait", "--format", "txt", "--model", model]).output().unwrap()
    };
    let heard = submit("second");
    assert!(heard.status.success(), "{}", said(&heard));
    speech::assert_heard(&String::from_utf8_lossy(&heard.stdout));
    assert!(system.log().contains("second"), "the log says which model was loaded");
    let refused = submit("third");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("unknown_model") && said(&refused).contains("demo, second"), "{}", said(&refused));
}
