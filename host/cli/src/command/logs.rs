//! `airlock logs`: what the steps of a run printed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use airlock_sandbox::text::safe;
use clap::Args;
use console::style;

use crate::error::{Error, ExitStatus, Report};
use crate::output::{Output, tell};
use crate::project;
use crate::render::safe_name;

/// Bytes of a line that are shown at once; what follows is shown on a line of its own.
const LINE: usize = 8 << 10;

const HELP: &str = "\
It shows the standard output and error of commands, and what components
logged.

Examples:
  airlock logs latest
  airlock logs 1a2b3c report";

/// Show what the steps of a run printed
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Logs {
    /// The run: its id, the beginning of it, or `latest`
    run: String,
    /// One step only
    step: Option<String>,
    /// The definitions; otherwise the nearest airlock.toml, from the current directory upwards
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Logs {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let (home, reader) = project::events(self.file.as_deref())?;
        let run = project::find_run(reader.as_ref(), &self.run)?;
        let mut known = run.steps.clone();
        // Steps for the elements of a dynamic output are not known when a run begins.
        let begun = reader.map_or(Ok(Vec::new()), |reader| reader.steps(&run.run_id)).map_err(project::event_log)?;
        known.extend(begun.into_iter().filter(|step| !run.steps.contains(step)));
        let steps = match &self.step {
            Some(step) if known.contains(step) => vec![step.clone()],
            Some(step) => {
                let known: Vec<String> = known.iter().map(|step| safe_name(step)).collect();
                return Err(Error::usage(format!("run {} has no step `{}`", run.run_id, safe_name(step)))
                    .hint(format!("its steps are {}", known.join(", ")))
                    .into());
            }
            None => known,
        };
        let mut output = Output::new();
        let mut shown = 0;
        for step in &steps {
            let path = home.step_log(&run.run_id, step);
            let Some(log) = open(&path)? else { continue };
            if self.step.is_none() {
                let gap = if shown > 0 { "\n" } else { "" };
                output.line(format!("{gap}{}", style(format!("==> {} <==", safe_name(step))).bold()))?;
            }
            print(&mut output, &path, log)?;
            shown += 1;
        }
        output.finish()?;
        if shown == 0 {
            tell(format!("{} printed nothing", if steps.len() == 1 { "the step" } else { "the steps" }));
        }
        Ok(ExitStatus::Done)
    }
}

fn open(path: &Path) -> Result<Option<File>, Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Prints a log line by line, so that none of them can reach the terminal with more than text.
fn print(output: &mut Output, path: &Path, log: File) -> Result<(), Error> {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        read_line(&mut log, &mut line).map_err(|error| unreadable(path, &error))?;
        if line.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        output.line(safe(text.trim_end_matches(['\n', '\r']), usize::MAX))?;
    }
}

/// Reads a line, or so much of a long one as is shown at once, to the end of a character.
fn read_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    log.take(LINE as u64).read_until(b'\n', line)?;
    while ends_within_a_character(line) && log.take(1).read_to_end(line)? > 0 {}
    Ok(())
}

fn ends_within_a_character(bytes: &[u8]) -> bool {
    let rest = bytes.utf8_chunks().last().map(|chunk| str::from_utf8(chunk.invalid()));
    matches!(rest, Some(Err(error)) if error.error_len().is_none())
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Report::new(ExitStatus::Storage, format!("cannot read {}: {error}", path.display())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_shown_in_pieces_and_no_character_is_cut() {
        let mut log = vec![b'a'; LINE - 1];
        log.extend("😀b\ncut \u{e9}".as_bytes());
        log.pop();
        let mut reader = log.as_slice();
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            read_line(&mut reader, &mut line).unwrap();
            if line.is_empty() {
                break;
            }
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        assert_eq!(lines, [format!("{}😀", "a".repeat(LINE - 1)), "b\n".to_owned(), "cut \u{fffd}".to_owned()]);
    }
}
