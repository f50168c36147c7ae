//! What holds for every sequence of commands.

use proptest::prelude::*;

use super::*;

fn any_command() -> impl Strategy<Value = JobCommand> {
    let attempt = 0u32..4;
    let chunk = 0u32..3;
    let retry = prop::option::of(Just(100u64));
    prop_oneof![
        1 => Just(create()),
        6 => Just(JobCommand::StartDownload { worker: "w".into() }),
        2 => (attempt.clone(), 0u8..=255)
            .prop_map(|(attempt, percent)| JobCommand::ReportDownloadProgress { attempt, percent }),
        1 => (attempt.clone(), retry.clone()).prop_map(|(attempt, retry_in_ms)| {
            JobCommand::RecordDownloadFailure { attempt, failure: failure(), retry_in_ms }
        }),
        6 => attempt.clone().prop_map(|attempt| record_audio_in(attempt, vec![span(0, 1000), span(1000, 2000)])),
        6 => chunk.clone().prop_map(|chunk| start_chunk_with(chunk, "demo")),
        1 => (chunk.clone(), attempt.clone(), retry).prop_map(|(chunk, attempt, retry_in_ms)| {
            JobCommand::RecordChunkFailure { chunk, attempt, failure: failure(), retry_in_ms }
        }),
        6 => (chunk, attempt).prop_map(|(chunk, attempt)| record(chunk, attempt, "en", vec![segment(0, 9)])),
        1 => Just(JobCommand::RecordLanguage { language: "en".into() }),
        1 => (1..4_u32).prop_map(|beam_size| JobCommand::ChooseBeamSize { beam_size }),
        1 => Just(JobCommand::Cancel { reason: None }),
    ]
}

proptest! {
    /// For any sequence of commands: an ended job stays ended, ends once, and a repeated command is a no-op.
    #[test]
    fn no_sequence_of_commands_breaks_a_job(commands in prop::collection::vec(any_command(), 0..40)) {
        let mut job = Job::default();
        let mut ends = 0;
        for command in std::iter::once(create()).chain(commands) {
            let before = job.clone();
            let decided = decide(&job, command.clone());
            prop_assert_eq!(&decided, &decide(&job, command.clone()));
            for event in decided.into_iter().flatten() {
                prop_assert!(!job.status.is_some_and(JobStatus::has_ended), "{:?} after the end", event);
                evolve(&mut job, &event);
                ends += u32::from(job.status.is_some_and(JobStatus::has_ended));
            }
            prop_assert!(before.status <= job.status, "{:?} went back to {:?}", before.status, job.status);
            prop_assert!(job.download_percent <= 100);
            let waiting = job.chunks.iter().filter(|c| c.scheduled && c.attempt == 0).count();
            let unscheduled = job.chunks.iter().filter(|c| !c.scheduled).count();
            prop_assert!(waiting <= WAITING_CHUNKS && (unscheduled == 0 || waiting > 0), "{:?}", job.chunks);
            // A start begins the next attempt by design; every other repeated command is a no-op.
            if !matches!(command, JobCommand::StartDownload { .. } | JobCommand::StartChunk { .. }
                | JobCommand::RecordDownloadFailure { .. } | JobCommand::RecordChunkFailure { .. }) {
                prop_assert!(decide(&job, command).unwrap_or_default().is_empty());
            }
        }
        prop_assert!(ends <= 1);
        if job.status == Some(JobStatus::Completed) {
            prop_assert!(job.chunks.iter().all(|c| c.result.is_some()));
        }
    }
}
