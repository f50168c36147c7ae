//! The memory that a transcription takes and releases.

use std::process::Command;

use super::*;

/// Set in the process that the test starts of itself: the memory of other tests must not count.
const ALONE: &str = "YTCAPTION_TEST_ALONE";

/// Bytes of this process in memory, now and at most.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let bytes = |name| line(name).trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
    (bytes("VmRSS:"), bytes("VmHWM:"))
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_released_when_the_last_transcription_ends() {
    if std::env::var_os(ALONE).is_none() {
        let name = "transcriber::tests::memory::memory_is_released_when_the_last_transcription_ends";
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        return;
    }
    let (pcm, _) = talk(&TALK);
    let pcm = pcm.repeat(8);
    let options = in_language("en");
    // The network of the detector and the like are made once.
    run(&pcm[..16_000 * 10], &options);
    let (before, _) = resident();
    run(&pcm, &options);
    let (after, most) = resident();
    let (kept, used) = (after.saturating_sub(before), most - before);
    assert!(used > 10 << 20, "it took only {used} bytes: too few to compare");
    assert!(kept < used / 2, "of {used} bytes {kept} are kept");
}
