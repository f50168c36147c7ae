use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::source::Layers;
use super::{Loaded, Overrides, Settings, SettingsError, load_from, sample};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("a temporary file can be written");
    file
}

fn load(toml: &str, pairs: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    load_from(Some(file(toml).path()), &variables(pairs), &Overrides::default())
}

fn settings(toml: &str, pairs: &[(&str, &str)]) -> Settings {
    load(toml, pairs).map(|loaded| loaded.settings).expect("valid settings")
}

fn errors(toml: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let SettingsError(errors) = load(toml, pairs).err().expect("settings with errors");
    errors.iter().map(ToString::to_string).collect()
}

fn text(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(SecretString::expose_secret)
}

#[test]
fn the_defaults_need_no_source_at_all() {
    let settings = load_from(None, &variables(&[("HOME", "/home/ada")]), &Overrides::default())
        .map(|loaded| loaded.settings)
        .expect("the defaults are valid");
    assert_eq!(settings.api.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(settings.shutdown.grace, Duration::from_secs(30));
    assert!(settings.database.url.is_none() && settings.network.allow.is_empty());
}

#[test]
fn relative_paths_are_within_the_data_directory() {
    let toml = "data_dir = \"/data\"\n[download]\nwork_dir = \"/var/tmp\"\n[models]\ndirectory = \"whisper\"\n";
    let settings = settings(toml, &[]);
    assert_eq!(settings.storage.path, Path::new("/data/blobs"));
    assert_eq!(settings.models.directory, Path::new("/data/whisper"));
    assert_eq!(settings.download.work_dir, Path::new("/var/tmp"));
}

#[test]
fn a_variable_beats_the_file_and_a_flag_beats_both() {
    let toml = "data_dir = \"/from/file\"\n[api]\nlisten = \"127.0.0.1:1\"\n[download]\nconcurrency = 3\n";
    let pairs = [("YTCAPTION_DATA_DIR", "/from/variable"), ("YTCAPTION_API__LISTEN", "127.0.0.1:2")];
    let from_both = settings(toml, &pairs);
    assert_eq!(from_both.data_dir, PathBuf::from("/from/variable"));
    assert_eq!(from_both.api.listen.port(), 2);
    assert_eq!(from_both.download.concurrency, 3);

    let flags = Overrides { listen: Some("127.0.0.1:3".into()), ..Overrides::default() };
    let with_flag = load_from(Some(file(toml).path()), &variables(&pairs), &flags)
        .map(|loaded| loaded.settings)
        .expect("valid settings");
    assert_eq!(with_flag.api.listen.port(), 3);
}

#[test]
fn variables_that_other_programs_share_are_known_and_our_own_wins() {
    let shared = settings("", &[("DATABASE_URL", "postgres://a/b"), ("NATS_URL", "nats://c:4222")]);
    assert_eq!(text(shared.database.url.as_ref()), Some("postgres://a/b"));
    assert_eq!(text(shared.nats.url.as_ref()), Some("nats://c:4222"));
    let both = settings("", &[("DATABASE_URL", "postgres://a/b"), ("YTCAPTION_DATABASE__URL", "postgres://x/y")]);
    assert_eq!(text(both.database.url.as_ref()), Some("postgres://x/y"));
}

#[test]
fn lists_come_separated_by_commas_and_empty_variables_count_as_unset() {
    let set = settings("", &[("YTCAPTION_NETWORK__ALLOW", "127.0.0.1/32, 10.0.0.0/8"), ("YTCAPTION_API__LISTEN", "")]);
    assert_eq!(set.network.allow, ["127.0.0.1/32", "10.0.0.0/8"]);
    assert_eq!(set.api.listen.port(), 8000);
}

#[test]
fn every_error_is_reported_at_once_with_its_value_its_origin_and_what_is_allowed() {
    let toml = "\
[api]
listen = \"nowhere\"
lisen = \"127.0.0.1:1\"

[download]
concurrency = \"many\"
timeout_seconds = 1

[storage]
kind = \"s3\"
access_key_id = \"k\"
";
    let found = errors(
        toml,
        &[
            ("YTCAPTION_NETWORK__ALLOW", "10.0.0.0/99"),
            ("YTCAPTION_NOWHERE__AT_ALL", "1"),
            ("YTCAPTION_LOG__FORMAT", "xml"),
            ("DATABASE_URL", "mysql://ada:hush@host/db"),
        ],
    );
    let expect = |parts: &[&str]| {
        assert!(
            found.iter().any(|error| parts.iter().all(|part| error.contains(part))),
            "no error says {parts:?}: {found:#?}"
        );
    };
    expect(&["api.listen = \"nowhere\"", "line 2", "socket address", "127.0.0.1:8000"]);
    expect(&["api.lisen", "line 3", "no such setting", "api.listen"]);
    expect(&["download.concurrency = \"many\"", "line 6", "from 1 to 64"]);
    expect(&["download.timeout_seconds = 1", "line 7", "from 10 to"]);
    expect(&["storage.bucket", "missing"]);
    expect(&["storage.access_key_id", "storage.secret_access_key"]);
    expect(&["network.allow", "YTCAPTION_NETWORK__ALLOW", "10.1.0.0/16"]);
    expect(&["nowhere.at_all", "YTCAPTION_NOWHERE__AT_ALL", "no such setting"]);
    expect(&["log.format", "\"text\", \"json\""]);
    expect(&["database.url", "DATABASE_URL", "postgres://"]);
    assert_eq!(found.len(), 10, "{found:#?}");
    assert!(!found.iter().any(|error| error.contains("hush")), "an error shows a password");
}

#[test]
fn a_file_that_is_missing_or_is_not_toml_is_one_clear_error() {
    let missing = load_from(Some(Path::new("/nowhere/at.toml")), &variables(&[]), &Overrides::default());
    let message = missing.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("/nowhere/at.toml cannot be read"), "{message}");
    let broken = errors("[api\n", &[("YTCAPTION_LOG__FORMAT", "xml")]);
    assert_eq!(broken.len(), 2, "{broken:#?}");
    assert!(broken[0].contains("is not TOML"));
}

#[test]
fn a_variable_outside_every_section_belongs_to_another_program() {
    settings("", &[("YTCAPTION_CACHE", "/tmp/cache"), ("YTCAPTION_BACKEND", "ruy")]);
}

#[test]
fn secrets_are_never_shown() {
    let pairs = [
        ("YTCAPTION_WEBHOOK__SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("YTCAPTION_STORAGE__KIND", "s3"),
        ("YTCAPTION_STORAGE__BUCKET", "b"),
        ("YTCAPTION_STORAGE__ACCESS_KEY_ID", "key"),
        ("YTCAPTION_STORAGE__SECRET_ACCESS_KEY", "hush"),
        ("DATABASE_URL", "postgres://ada:hush@host/db"),
        ("NATS_URL", "nats://ada:hush@host"),
    ];
    let loaded = load("", &pairs).map_err(|error| error.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let shown = format!("{}{:?}", loaded.description, loaded.settings);
    assert!(shown.contains("ada") && shown.contains("YTCAPTION_WEBHOOK__SECRET"));
    assert!(!shown.contains("hush") && !shown.contains("whsec_M"), "{shown}");
}

#[test]
fn the_sample_in_the_repository_is_the_one_the_program_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let committed = std::fs::read_to_string(root.join("ytcaption.sample.toml")).unwrap_or_default();
    assert!(
        committed == sample(),
        "ytcaption.sample.toml is out of date: run `ytcaption settings sample > ytcaption.sample.toml`"
    );
}

#[test]
fn the_sample_with_every_default_uncommented_is_valid() {
    let uncommented: String = sample()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            // A comment has a space after its mark, a setting has none.
            Some(setting) if !setting.starts_with(' ') && !setting.contains("keep it out of files") => setting,
            _ => line,
        })
        .filter(|line| !line.starts_with("bucket") && !line.starts_with("access_key_id"))
        .collect::<Vec<_>>()
        .join("\n");
    Layers::default().add_file(file(&uncommented).path()).expect("the sample is TOML");
    settings(&uncommented, &[]);
}

#[test]
fn host_names_have_neither_scheme_nor_port() {
    let named = settings("[api]\nallowed_hosts = [\"Captions.Example.org\"]\n", &[]);
    assert_eq!(named.api.allowed_hosts, ["Captions.Example.org"]);
    for other in ["https://captions.example.org", "captions.example.org:443", "127.0.0.1", "", "a b"] {
        let toml = format!("[api]\nallowed_hosts = [{other:?}]\n");
        let error = errors(&toml, &[]).concat();
        assert!(error.contains("without scheme and port"), "{other}: {error}");
    }
}
