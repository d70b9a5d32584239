//! What a guest says, bounded and made safe as it comes in.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::limits::{LOG_BYTES, LOG_LINE_BYTES};
use crate::report::{Level, Log, LogLine};
use crate::text::safe;

/// Bytes of standard error that a trap shows.
const STDERR_TAIL: usize = 4096;
/// What the streams take in one write.
const PERMIT: usize = 64 * 1024;
/// What a line costs beside its text, so that empty lines are bounded too.
const LINE_OVERHEAD: usize = 16;

/// The log of a call, shared by its streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallLog(Arc<Mutex<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<LogLine>,
    kept: usize,
    dropped: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    stderr_tail: VecDeque<u8>,
}

impl CallLog {
    /// Adds what the guest logged.
    pub(crate) fn line(&self, level: Level, text: &str) {
        self.lock().line(level, text);
    }

    /// One of the guest's standard streams.
    pub(super) fn stream(&self, level: Level) -> LogStream {
        LogStream { level, log: self.clone() }
    }

    /// The log, and the end of standard error.
    pub(super) fn finish(&self) -> (Log, String) {
        let mut buffer = self.lock();
        buffer.end_line(Level::Stdout);
        buffer.end_line(Level::Stderr);
        let tail: Vec<u8> = std::mem::take(&mut buffer.stderr_tail).into();
        let tail = safe(String::from_utf8_lossy(&tail).trim_end(), usize::MAX);
        (Log { lines: std::mem::take(&mut buffer.lines), dropped: buffer.dropped }, tail)
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn line(&mut self, level: Level, text: &str) {
        let cost = text.len().min(LOG_LINE_BYTES) + LINE_OVERHEAD;
        if self.kept + cost > LOG_BYTES {
            self.dropped += text.len() as u64;
            return;
        }
        self.kept += cost;
        self.lines.push(LogLine { level, text: safe(text, LOG_LINE_BYTES) });
    }

    fn write(&mut self, level: Level, bytes: &[u8]) {
        if level == Level::Stderr {
            let kept = bytes.len().min(STDERR_TAIL);
            self.stderr_tail.extend(bytes.iter().skip(bytes.len() - kept));
            let excess = self.stderr_tail.len().saturating_sub(STDERR_TAIL);
            self.stderr_tail.drain(..excess);
        }
        let mut lines = bytes.split(|byte| *byte == b'\n');
        if let Some(rest_of_line) = lines.next() {
            self.extend_line(level, rest_of_line);
        }
        for line in lines {
            self.end_line(level);
            self.extend_line(level, line);
        }
    }

    fn partial(&mut self, level: Level) -> &mut Vec<u8> {
        if level == Level::Stderr { &mut self.stderr } else { &mut self.stdout }
    }

    fn extend_line(&mut self, level: Level, bytes: &[u8]) {
        let partial = self.partial(level);
        let room = LOG_LINE_BYTES.saturating_sub(partial.len()).min(bytes.len());
        let (kept, rest) = bytes.split_at(room);
        partial.extend_from_slice(kept);
        self.dropped += rest.len() as u64;
    }

    fn end_line(&mut self, level: Level) {
        let line = std::mem::take(self.partial(level));
        if !line.is_empty() {
            self.line(level, &String::from_utf8_lossy(&line));
        }
    }
}

/// Standard output or standard error of a guest.
#[derive(Clone, Debug)]
pub(super) struct LogStream {
    level: Level,
    log: CallLog,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // WASI 0.3 would write here; it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PERMIT {
            return Err(StreamError::trap("a write beyond what check-write allowed"));
        }
        self.log.lock().write(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(log: &CallLog, level: Level, text: &str) {
        let mut stream = log.stream(level);
        for chunk in text.as_bytes().chunks(PERMIT) {
            stream.write(Bytes::copy_from_slice(chunk)).unwrap();
        }
    }

    #[test]
    fn lines_are_put_together_from_writes() {
        let log = CallLog::default();
        write(&log, Level::Stdout, "one\ntw");
        write(&log, Level::Stderr, "oops\n");
        write(&log, Level::Stdout, "o\n\nthree");
        let (log, _) = log.finish();
        let lines: Vec<_> = log.lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        let expected =
            [(Level::Stdout, "one"), (Level::Stderr, "oops"), (Level::Stdout, "two"), (Level::Stdout, "three")];
        assert_eq!(lines, expected);
    }

    #[test]
    fn more_than_the_limit_is_dropped_and_counted() {
        let log = CallLog::default();
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..2000 {
            write(&log, Level::Stdout, &line);
        }
        let (log, _) = log.finish();
        let kept: usize = log.lines.iter().map(|line| line.text.len()).sum();
        assert!(kept <= LOG_BYTES);
        assert_eq!(log.dropped, 2000 * 999 - kept as u64);
    }

    #[test]
    fn a_long_line_is_cut() {
        let log = CallLog::default();
        write(&log, Level::Stderr, &"y".repeat(LOG_LINE_BYTES + 5));
        let (log, tail) = log.finish();
        assert_eq!(log.lines[0].text.len(), LOG_LINE_BYTES);
        assert_eq!((log.dropped, tail.len()), (5, STDERR_TAIL));
    }

    #[test]
    fn a_write_beyond_the_permit_traps() {
        let mut stream = CallLog::default().stream(Level::Stdout);
        assert!(stream.write(Bytes::from(vec![0; PERMIT])).is_ok());
        assert!(matches!(stream.write(Bytes::from(vec![0; PERMIT + 1])), Err(StreamError::Trap(_))));
    }
}
