//! Stored audio is corrupt or missing when a transcription worker reads it: the job fails with a reason, no part of it is
//! transcribed, and other jobs continue.

use std::path::PathBuf;

use serde_json::Value;
use ytcaption_domain::job::JobEvent;

use crate::cluster::{Cluster, Role};
use crate::history::History;
use crate::speech::{assert_transcribed, video};

/// The file of the job's audio, once a chunk of it waits for a worker.
async fn stored(cluster: &Cluster, history: &History, job: &str) -> PathBuf {
    history.until(job, "ChunkScheduled", 1).await;
    let events = history.events(job).await;
    let key = events.iter().flat_map(|event| event.decode::<JobEvent>().unwrap()).find_map(|event| match event {
        JobEvent::AudioDownloaded { audio, .. } => Some(audio.key),
        _ => None,
    });
    cluster.blobs().join(key.unwrap())
}

async fn assert_failed(job: &Value, history: &History, code: &str) {
    assert_eq!((job["status"].as_str(), job["error"]["code"].as_str()), (Some("failed"), Some(code)), "{job:#}");
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("submit the media again"), "{message}");
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(history.count(id, "ChunkTranscribed").await, 0);
}

#[tokio::test]
async fn corrupt_and_missing_audio_fail_only_their_own_jobs() {
    let cluster = Cluster::start().await;
    let (client, history) = (cluster.client(), cluster.history());
    // No worker may read the audio before it is corrupted.
    cluster.kill(Role::Transcribe);
    let mut jobs = Vec::new();
    for _ in 0..4 {
        let job = client.upload("talk.mp4", video().to_vec()).await;
        jobs.push((stored(&cluster, &history, &job).await, job));
    }
    let [(corrupt, corrupt_job), (cut, cut_job), (gone, gone_job), (_, whole_job)] = &jobs[..] else { unreachable!() };
    let mut bytes = std::fs::read(corrupt).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(corrupt, &bytes).unwrap();
    std::fs::write(cut, &bytes[..middle]).unwrap();
    std::fs::remove_file(gone).unwrap();
    cluster.launch(Role::Transcribe);
    assert_transcribed(&{
        client.completed(whole_job).await;
        client.result(whole_job, "txt").await
    });
    assert_failed(&client.ended(corrupt_job).await, &history, "audio_corrupt").await;
    assert_failed(&client.ended(cut_job).await, &history, "audio_corrupt").await;
    assert_failed(&client.ended(gone_job).await, &history, "audio_missing").await;
}
