//! WAV files whose header does not fit what follows: cut off, or never completed by the program that recorded them.

use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};

/// Chunks before the samples that are looked at.
const MAX_CHUNKS: usize = 64;
/// Sizes from here on say that the program that wrote the file did not know.
const UNKNOWN_SIZE: u64 = 0x7FFF_0000;

/// What the header of a WAV file says of its samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WavHeader {
    /// Length in milliseconds that the header promises, if the file ends before it.
    pub(super) promised_ms: Option<u64>,
    /// Whether more samples follow than the header says, or it does not say how many there are.
    pub(super) understated: bool,
}

/// Looks at the header of a WAV file; what cannot be read has nothing to say.
pub(super) async fn wav_header(path: &Path) -> WavHeader {
    parse_header(path).await.ok().flatten().unwrap_or_default()
}

async fn parse_header(path: &Path) -> std::io::Result<Option<WavHeader>> {
    let mut file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let mut head = [0; 12];
    file.read_exact(&mut head).await?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Ok(None);
    }
    let mut bytes_per_second = 0;
    for _ in 0..MAX_CHUNKS {
        let mut name = [0; 4];
        file.read_exact(&mut name).await?;
        let size = u64::from(file.read_u32_le().await?);
        let begins = file.stream_position().await?;
        if &name == b"fmt " {
            file.seek(SeekFrom::Current(8)).await?;
            bytes_per_second = u64::from(file.read_u32_le().await?);
        } else if &name == b"data" {
            let follows = length.saturating_sub(begins);
            if size == 0 || (size >= UNKNOWN_SIZE && size > follows) {
                return Ok(Some(WavHeader { promised_ms: None, understated: follows > 0 }));
            }
            if size > follows {
                let promised_ms = (size * 1000).checked_div(bytes_per_second);
                return Ok(Some(WavHeader { promised_ms, understated: false }));
            }
            file.seek(SeekFrom::Start(begins + size + size % 2)).await?;
            let rest = length.saturating_sub(begins + size + size % 2);
            let understated = rest > bytes_per_second / 10 && !is_chunk(&mut file, rest).await?;
            return Ok(Some(WavHeader { promised_ms: None, understated }));
        }
        file.seek(SeekFrom::Start(begins + size + size % 2)).await?;
    }
    Ok(None)
}

/// Whether a chunk begins here, and not just more samples.
async fn is_chunk(file: &mut File, rest: u64) -> std::io::Result<bool> {
    let mut name = [0; 4];
    file.read_exact(&mut name).await?;
    let size = u64::from(file.read_u32_le().await?);
    Ok(name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ') && size <= rest)
}
