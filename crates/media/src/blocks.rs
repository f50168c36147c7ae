//! Samples with their times. ffmpeg writes them to its standard output as Matroska (RFC 9559), of which only the blocks,
//! the times of their clusters and the number of channels matter here.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};

const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const CLUSTER_TIMESTAMP: u64 = 0xE7;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const SIMPLE_BLOCK: u64 = 0xA3;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK_ENTRY: u64 = 0xAE;
const AUDIO: u64 = 0xE1;
const CHANNELS: u64 = 0x9F;

/// No block that ffmpeg writes is larger.
const MAX_BLOCK: u64 = 64 * 1024 * 1024;

/// Samples that follow one another.
#[derive(Debug)]
pub(super) struct Block {
    /// Time of the first sample in milliseconds.
    pub(super) at_ms: i64,
    /// Samples of all channels, interleaved.
    pub(super) samples: Vec<f32>,
}

/// Reads blocks of 32-bit floats.
#[derive(Debug)]
pub(super) struct BlockReader<R> {
    input: BufReader<R>,
    channels: usize,
    cluster_ms: u64,
}

impl<R: AsyncRead + Unpin> BlockReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(256 * 1024, input), channels: 1, cluster_ms: 0 }
    }

    /// Channels of the blocks; known once the first has been read.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the stream ends within an element, or the pipe fails.
    pub(super) async fn next(&mut self) -> io::Result<Option<Block>> {
        loop {
            let Some(id) = self.element_id().await? else { return Ok(None) };
            let size = self.size().await?;
            match id {
                // What they contain is read as if it followed them.
                SEGMENT | CLUSTER | BLOCK_GROUP | TRACKS | TRACK_ENTRY | AUDIO => {}
                CLUSTER_TIMESTAMP => self.cluster_ms = self.number(size).await?,
                CHANNELS => self.channels = usize::try_from(self.number(size).await?).unwrap_or(1).max(1),
                BLOCK | SIMPLE_BLOCK => return self.block(size).await.map(Some),
                _ => self.skip(size).await?,
            }
        }
    }

    async fn block(&mut self, size: u64) -> io::Result<Block> {
        /// Number of the track (one byte, for there is one), time within the cluster, flags.
        const HEAD: u64 = 4;
        if !(HEAD..=MAX_BLOCK).contains(&size) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block of samples has an impossible size"));
        }
        self.input.read_u8().await?;
        let within = i64::from(self.input.read_i16().await?);
        self.input.read_u8().await?;
        let mut bytes = vec![0; usize::try_from(size - HEAD).unwrap_or(0)];
        self.input.read_exact(&mut bytes).await?;
        let (samples, _) = bytes.as_chunks::<4>();
        let samples = samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Block { at_ms: i64::try_from(self.cluster_ms).unwrap_or(i64::MAX).saturating_add(within), samples })
    }

    /// `None` if the stream ends here.
    async fn element_id(&mut self) -> io::Result<Option<u64>> {
        let mut first = [0];
        if self.input.read(&mut first).await? == 0 {
            return Ok(None);
        }
        self.rest_of_vint(first[0], u64::from(first[0])).await.map(Some)
    }

    async fn size(&mut self) -> io::Result<u64> {
        let first = self.input.read_u8().await?;
        let marker = 0x80_u8.checked_shr(first.leading_zeros()).unwrap_or(0);
        self.rest_of_vint(first, u64::from(first & !marker)).await
    }

    /// The leading zeros of the first byte say how many follow.
    async fn rest_of_vint(&mut self, first: u8, mut value: u64) -> io::Result<u64> {
        if first == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the stream of samples is corrupt"));
        }
        for _ in 0..first.leading_zeros() {
            value = value << 8 | u64::from(self.input.read_u8().await?);
        }
        Ok(value)
    }

    async fn number(&mut self, size: u64) -> io::Result<u64> {
        let mut value = 0;
        for _ in 0..size.min(8) {
            value = value << 8 | u64::from(self.input.read_u8().await?);
        }
        Ok(value)
    }

    async fn skip(&mut self, size: u64) -> io::Result<()> {
        let skipped = tokio::io::copy(&mut (&mut self.input).take(size), &mut tokio::io::sink()).await?;
        if skipped == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
