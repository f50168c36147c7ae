//! Reading what a child prints without keeping more of it than a bound.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::task::JoinHandle;

/// All of `pipe`.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] as soon as it has more than `limit` bytes; the pipe's own errors.
pub async fn read_at_most(pipe: impl AsyncRead + Unpin, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Reads `pipe` to its end in a task, so that it never blocks the program, and keeps the last `limit` bytes: programs name
/// the reason of their failure last.
pub fn collect_tail(mut pipe: impl AsyncRead + Unpin + Send + 'static, limit: usize) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut kept = Vec::new();
        let mut buffer = [0_u8; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..read]);
            // Not at each read: each time, all that is kept moves.
            if kept.len() > 2 * limit {
                kept.drain(..kept.len() - limit);
            }
        }
        String::from_utf8_lossy(&kept[kept.len().saturating_sub(limit)..]).into_owned()
    })
}

/// The lines of a pipe. Of a line that is longer than the limit, the rest is skipped.
#[derive(Debug)]
pub struct Lines<R> {
    pipe: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of `pipe`, each of at most `limit` bytes.
    pub fn new(pipe: R, limit: usize) -> Self {
        Self { pipe: BufReader::new(pipe), limit }
    }

    /// The next line without its end; `None` after the last. What is not UTF-8 is replaced.
    ///
    /// # Errors
    /// The pipe's own.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let limit = self.limit as u64;
        if (&mut self.pipe).take(limit).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            self.skip_line().await?;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    async fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.pipe.fill_buf().await?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (used, done) = match end {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.pipe.consume(used);
            if done {
                return Ok(());
            }
        }
    }
}
