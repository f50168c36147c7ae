//! What ffprobe does not say of MP4 files (ISO/IEC 14496-12).

use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};

/// Top-level boxes that are looked at.
const MAX_BOXES: usize = 1_000;
/// Bytes of the index in which the description of the tracks is looked for.
const MAX_INDEX: u64 = 16 * 1024 * 1024;

/// Whether the file's first box is one that MP4 files begin with. ffprobe goes by the file name too, and reports a
/// missing index for a text file called `x.mp4` as well.
pub(super) async fn begins_as_mp4(path: &Path) -> bool {
    let mut head = [0; 8];
    let Ok(mut file) = tokio::fs::File::open(path).await else { return false };
    file.read_exact(&mut head).await.is_ok() && matches!(&head[4..], b"ftyp" | b"mdat" | b"free" | b"wide")
}

/// Whether the index describes encrypted sound (`FairPlay`; Common Encryption, ISO/IEC 23001-7).
pub(super) async fn is_encrypted(path: &Path) -> bool {
    let Ok(Some(index)) = index(path).await else { return false };
    let has = |name: &[u8; 4]| index.windows(4).any(|part| part == name);
    has(b"sinf") && (has(b"enca") || has(b"drms"))
}

/// The box `moov`.
async fn index(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path).await?;
    for _ in 0..MAX_BOXES {
        let begins = file.stream_position().await?;
        let (mut size, mut name) = (u64::from(file.read_u32().await?), [0; 4]);
        file.read_exact(&mut name).await?;
        if size == 1 {
            size = file.read_u64().await?;
        }
        if &name == b"moov" {
            let mut index = Vec::new();
            file.take(size.min(MAX_INDEX)).read_to_end(&mut index).await?;
            return Ok(Some(index));
        }
        if size < 8 {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(begins.saturating_add(size))).await?;
    }
    Ok(None)
}
