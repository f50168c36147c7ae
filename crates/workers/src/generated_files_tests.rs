//! The files that follow from the step table, `nats/consumers/*.json` and `docs/steps.md`, and from the list of codes of
//! failures, `docs/errors.md`.
//!
//! `UPDATE_EXPECT=1 cargo test -p ytcaption-workers --lib generated_files` writes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ytcaption_domain::job::{FAILURE_CODES, failure_codes_table};
use ytcaption_domain::step::{STEPS, Step, Unit};

use crate::topology::{consumer_configs, consumer_json};

const HOW: &str =
    "run `UPDATE_EXPECT=1 cargo test -p ytcaption-workers --lib generated_files` and commit what it writes";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

#[test]
fn the_files_of_the_consumers_show_the_step_table() {
    let directory = repository().join("nats/consumers");
    let expected: BTreeMap<String, String> = consumer_configs(&STEPS)
        .iter()
        .map(|config| {
            (format!("{}.json", config.durable_name.as_deref().unwrap()), format!("{:#}\n", consumer_json(config)))
        })
        .collect();
    if is_updating() {
        std::fs::remove_dir_all(&directory).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for (name, text) in &expected {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let committed: BTreeMap<String, String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect();
    assert!(committed == expected, "nats/consumers differs from the step table: {HOW}");
}

#[test]
fn the_document_of_the_steps_shows_the_step_table() {
    let path = repository().join("docs/steps.md");
    let expected = document(&STEPS);
    if is_updating() {
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "docs/steps.md differs from the step table: {HOW}");
}

fn document(steps: &[Step]) -> String {
    let mut text = String::from(
        "# The steps of a job\n\n\
         Generated from the step table in `crates/domain/src/step.rs`; do not edit.\n\n\
         A step's work begins with one of its triggers and is pending until one of its done events is recorded. The relay \
         publishes a lost trigger again while its work is pending. Each queue is a durable JetStream consumer \
         (`nats/consumers`), a value of the label `queue` of `queue_depth`, and the name of the step is a value of the label \
         `step` of other metrics and the argument of `ytcaption worker`.\n",
    );
    for step in steps {
        write_step(&mut text, step).unwrap();
    }
    text
}

fn write_step(text: &mut String, step: &Step) -> std::fmt::Result {
    let names = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let unit = match step.unit {
        Unit::Job => "the job".to_owned(),
        Unit::Part(member) => format!("a part of the job, by the member `{member}` of its events"),
    };
    let started = step.started.map_or_else(
        || "is not recorded: an attempt is recorded when it has ended".to_owned(),
        |event| format!("`{}`", event.name),
    );
    let queues = step.queues();
    let turns: usize = queues.iter().map(|queue| queue.weight).sum();
    writeln!(text, "\n## {}\n\nWorks on {}.\n\n| | |\n|---|---|", step.name, step.description)?;
    writeln!(text, "| triggered by | {} |", names(step.trigger_names()))?;
    if let Some(member) = step.needs {
        writeln!(text, "| needed by | jobs whose creation event has the member `{member}` |")?;
    }
    writeln!(text, "| unit of work | {unit} |")?;
    writeln!(text, "| attempts recorded by | the aggregate `{}` |", step.recorded_by())?;
    writeln!(text, "| start of an attempt | {started} |")?;
    writeln!(text, "| failure of an attempt | `{}` |", step.failed.name)?;
    writeln!(text, "| done | {} |", names(step.done_names()))?;
    let end = if step.ends_with_job { "obsolete" } else { "still pending" };
    writeln!(text, "| when the job has ended | {end} |")?;
    let queues: Vec<String> =
        queues.iter().map(|queue| format!("`{}` ({} of {turns} turns)", queue.consumer, queue.weight)).collect();
    writeln!(text, "| queues | {} |", queues.join(", "))?;
    writeln!(text, "| most messages in progress | {} in each queue |", step.max_ack_pending)
}

#[test]
fn the_document_of_the_errors_shows_the_codes_of_failures() {
    let path = repository().join("docs/errors.md");
    let expected = format!(
        "# Codes of failures and warnings\n\n\
         Generated from `crates/domain/src/job/failure_code.rs`; do not edit.\n\n\
         A job that has failed, or whose step is retried, has an `error` with a `code`: in the API, in the stream of the \
         job, in its webhook and in its events. The code is a stable word for programs; more may come. The `message` beside \
         it is for people. The API lists the codes at `/problems` too, with the problems that a request may be answered \
         with.\n\n{}",
        failure_codes_table()
    );
    if is_updating() {
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "docs/errors.md differs from the list of codes: {HOW}");
}

/// What precedes the code of a failure or a warning in the source.
const BEFORE_A_CODE: [&str; 9] = [
    "permanent(",
    "transient(",
    "unavailable(",
    "RetryClass::Permanent,",
    "RetryClass::Transient,",
    "RetryClass::Unresolved,",
    "RetryClass::Unavailable,",
    "code: ",
    "warning(",
];

/// The codes in the source of the workers, tests excepted.
fn codes_in(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.contains("test") {
            codes_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !name.contains("tests") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for before in BEFORE_A_CODE {
                let literals = code.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                found.extend(literals.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
}

/// The source in a directory, that of the list of codes excepted.
fn append_source(directory: &Path, source: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            append_source(&path, source);
        } else if !path.ends_with("failure_code.rs") {
            source.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_code_of_a_failure_is_listed_and_every_listed_one_is_in_use() {
    let mut found = BTreeSet::new();
    codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/steps"), &mut found);
    let listed: BTreeSet<String> = FAILURE_CODES.iter().map(|known| known.code.to_owned()).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(unlisted.is_empty(), "add them to crates/domain/src/job/failure_code.rs: {unlisted:?}");
    let (mut source, crates) = (String::new(), repository().join("crates"));
    append_source(&crates.join("workers/src/steps"), &mut source);
    append_source(&crates.join("domain/src/job"), &mut source);
    let unused: Vec<_> = listed.iter().filter(|code| !source.contains(&format!("\"{code}\""))).collect();
    assert!(unused.is_empty(), "listed and never given: {unused:?}");
}
