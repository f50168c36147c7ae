//! Audio for tests: espeak-ng's voice, noise and music, always the same; 16 kHz mono.
#![expect(clippy::cast_precision_loss, reason = "samples are counted and computed with")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// `text` as espeak-ng speaks it, 16 kHz mono.
pub fn speak(voice: &str, text: &str) -> Vec<f32> {
    speak_with(&["-v", voice, "-s", "160"], text)
}

/// `text` as espeak-ng speaks it with these options.
///
/// # Panics
/// espeak-ng or ffmpeg is not installed.
pub fn speak_with(options: &[&str], text: &str) -> Vec<f32> {
    let spoken =
        Command::new("espeak-ng").args(options).args(["--stdout", text]).output().expect("espeak-ng is installed");
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-i", "pipe:0", "-ar", "16000", "-ac", "1", "-f", "f32le", "pipe:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut input = ffmpeg.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || input.write_all(&spoken.stdout));
    let ffmpeg = ffmpeg.wait_with_output().expect("ffmpeg ends");
    writer.join().expect("the writer ends").expect("ffmpeg takes the sound");
    let (samples, _) = ffmpeg.stdout.as_chunks::<4>();
    samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// White noise of `ms` milliseconds, always the same; `amplitude` is within 0 … 1.
pub fn noise(ms: usize, amplitude: f32) -> Vec<f32> {
    let mut state = 1_u32;
    let mut sample = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) as f32 / 32768.0 - 1.0) * amplitude
    };
    std::iter::repeat_with(&mut sample).take(ms * 16).collect()
}

/// Writes samples as a WAV file of 32-bit floats, which may hold anything.
///
/// # Panics
/// The file cannot be written, or is larger than 4 GiB.
pub fn write_wav(path: &Path, samples: &[f32]) {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(data.len()).expect("test media are short");
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x03\0\x01\0"); // 16 bytes follow: float, one channel
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(64_000_u32.to_le_bytes()); // bytes a second
    wav.extend([4, 0, 32, 0]); // bytes and bits of a sample
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(data);
    std::fs::write(path, wav).expect("the temporary directory is writable");
}

/// Runs ffmpeg with these arguments, separated by blanks, in `dir`.
///
/// # Panics
/// ffmpeg is not installed or fails.
pub fn ffmpeg(dir: &Path, arguments: &str) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

/// `ms` milliseconds of digital silence.
pub fn silence(ms: usize) -> Vec<f32> {
    vec![0.0; ms * 16]
}

/// A steady tone of `hertz`.
pub fn tone(ms: usize, hertz: f32, amplitude: f32) -> Vec<f32> {
    let sample = |n: usize| (n as f32 / 16_000.0 * hertz * std::f32::consts::TAU).sin() * amplitude;
    (0..ms * 16).map(sample).collect()
}

/// Noise whose power falls by 3 dB an octave (Paul Kellet's filter).
pub fn pink_noise(ms: usize, amplitude: f32) -> Vec<f32> {
    let mut rows = [0.0_f32; 3];
    let coloured = noise(ms, 1.0).into_iter().map(|white| {
        rows[0] = 0.99765 * rows[0] + white * 0.099_046;
        rows[1] = 0.963 * rows[1] + white * 0.296_516_4;
        rows[2] = 0.57 * rows[2] + white * 1.052_691_3;
        (rows.iter().sum::<f32>() + white * 0.1848) * 0.2 * amplitude
    });
    coloured.collect()
}

/// Notes struck one after another, `per_beat` of them together, each with overtones that die away.
pub fn music(ms: usize, note_ms: usize, per_beat: usize) -> Vec<f32> {
    const SCALE: [f32; 6] = [220.0, 277.2, 329.6, 440.0, 329.6, 277.2];
    let length = note_ms * 16;
    let sample = |n: usize| {
        let (beat, t) = (n / length, (n % length) as f32 / 16_000.0);
        let note = |hertz: f32| -> f32 {
            (1..=5_u8).map(f32::from).map(|k| (hertz * k * t * std::f32::consts::TAU).sin() / k).sum()
        };
        let struck: f32 = (0..per_beat).map(|voice| note(SCALE[(beat + voice * 2) % SCALE.len()])).sum();
        struck / per_beat as f32 * (-3.0 * t).exp() * (t * 100.0).min(1.0) * 0.3
    };
    (0..ms * 16).map(sample).collect()
}

/// A burst of noise that dies away, every half second.
pub fn drums(ms: usize) -> Vec<f32> {
    let strike = |n: usize| (-((n % 8_000) as f32) / 480.0).exp();
    noise(ms, 0.6).into_iter().enumerate().map(|(n, sample)| sample * strike(n)).collect()
}
