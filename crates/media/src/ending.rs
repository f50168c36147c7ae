//! Whether a file ends where its format lets it end, for the formats whose headers promise no length.
//!
//! Only the end of the file is read. A file that was cut exactly between two frames of MP3, AAC or AC-3 differs in
//! nothing from a whole one.

mod frames;
mod ogg;
mod program_stream;
mod transport_stream;

use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};

/// Bytes of the end that are looked at: several seconds of sound, beside a video of some megabits a second.
const WINDOW: u64 = 1024 * 1024;

/// Whether the last part of the file is incomplete. `format` is ffmpeg's name of the container; of a format that is not
/// known here, and of a file that cannot be read, nothing is said.
pub(super) async fn is_incomplete(path: &Path, format: &str) -> bool {
    let check: fn(&[u8]) -> bool = match format {
        "ogg" => ogg::is_incomplete,
        "mp3" => frames::mpeg_audio_is_incomplete,
        "aac" => frames::adts_is_incomplete,
        "ac3" | "eac3" => frames::ac3_is_incomplete,
        "mpegts" => transport_stream::is_incomplete,
        "mpeg" => program_stream::is_incomplete,
        _ => return false,
    };
    tail(path).await.is_ok_and(|tail| check(&tail))
}

/// The end of the file without the tags after the sound.
async fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path).await?;
    let mut end = file.metadata().await?.len();
    loop {
        let tag = tag_before(&bytes_before(&mut file, end, 160).await?);
        if tag == 0 || tag > end {
            break;
        }
        end -= tag;
    }
    bytes_before(&mut file, end, WINDOW).await
}

/// At most `length` bytes before `end`.
async fn bytes_before(file: &mut File, end: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = length.min(end);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(end - length)).await?;
    file.take(length).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Length of the tag that `bytes` end with: `ID3v1` or `APEv2`; 0 without one.
fn tag_before(bytes: &[u8]) -> u64 {
    const ID3: usize = 128;
    const APE_FOOTER: usize = 32;
    let last = |length: usize| bytes.len().checked_sub(length).map(|at| &bytes[at..]);
    if last(ID3).is_some_and(|tag| tag.starts_with(b"TAG")) {
        return ID3 as u64;
    }
    match last(APE_FOOTER) {
        Some([b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, size @ ..]) => {
            let header = if size[11] & 0x80 == 0 { 0 } else { APE_FOOTER as u64 };
            u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]])) + header
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
