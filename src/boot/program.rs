//! Running the programs of the platform: what their ends mean in words, and several at once.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::{Done, Finished, Report, RunError, Tools};
use crate::facts::{Errno, Exit, Stage};

/// Longest part of a line of a program's own words that goes into a report.
const LONGEST: usize = 200;

/// Complaints of one program that are told.
const COMPLAINTS: usize = 10;

/// Why a program did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is not installed.
    Missing,
    /// It failed, and how.
    Failed(String),
}

impl Trouble {
    /// The report of a step that cannot do without the program.
    pub(super) fn fatal(self, program: &str) -> String {
        match self {
            Self::Missing => format!("{program} is not installed"),
            Self::Failed(why) => why,
        }
    }

    /// The report of a step that has nothing to do where the program is missing.
    pub(super) fn report(self, without: &'static str) -> Report {
        match self {
            Self::Missing => Ok(Done::Skipped(without)),
            Self::Failed(why) => Err(why),
        }
    }
}

/// Runs a program that has to end with status 0.
pub(super) async fn call(
    tools: &impl Tools,
    program: &[&str],
    deadline: Duration,
) -> Result<(), Trouble> {
    call_ok(tools, program, deadline, &[]).await
}

/// Runs a program that has to end with status 0 or with one of these.
pub(super) async fn call_ok(
    tools: &impl Tools,
    program: &[&str],
    deadline: Duration,
    codes: &[u8],
) -> Result<(), Trouble> {
    match tools.run(program, deadline).await {
        Ok(finished) => match finished.exit {
            Exit::SUCCESS => Ok(()),
            Exit::Code(code) if codes.contains(&code) => Ok(()),
            _ => Err(Trouble::Failed(complaint(program, &finished))),
        },
        Err(error) if is_missing(&error) => Err(Trouble::Missing),
        Err(error) => Err(Trouble::Failed(format!("{}: {error}", name(program)))),
    }
}

/// Whether a program could not run because it is not there.
pub(super) fn is_missing(error: &RunError) -> bool {
    matches!(error, RunError::Spawn(error)
        if error.stage == Stage::Exec && error.errno == Errno(libc::ENOENT))
}

/// "mount: exited with status 32: mount: /srv: unknown filesystem type": a program's last
/// words are mostly the ones that matter. One that does many things begins each complaint with its
/// name, and all of them matter then; an indented line goes on with the one before.
pub(super) fn complaint(program: &[&str], finished: &Finished) -> String {
    let begin = format!("{}: ", name(program));
    let lines = finished.output.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let own: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with(&begin)).collect();
    let last = lines.iter().rfind(|line| !line.starts_with(char::is_whitespace)).or(lines.last());
    let words = match (last, own.len()) {
        (None, _) => return format!("{}: {}", name(program), finished.exit),
        (Some(last), 0 | 1) => Printable(last.trim()).to_string(),
        (Some(_), _) => {
            let told = own.iter().take(COMPLAINTS).map(|line| Printable(line).to_string());
            told.collect::<Vec<_>>().join("; ")
        }
    };
    format!("{}: {}: {words}", name(program), finished.exit)
}

/// Text from outside, safe for a console: no control characters, and not endless.
pub(super) struct Printable<'a>(pub(super) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harmless = |c: char| if c.is_control() { '?' } else { c };
        self.0.chars().take(LONGEST).map(harmless).try_for_each(|c| write!(f, "{c}"))
    }
}

/// Waits for all of these at once; the results are in the order of the futures.
pub(super) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures
        .into_iter()
        .map(|future| Running { future: Box::pin(future), result: None })
        .collect();
    poll_fn(|task| {
        for one in running.iter_mut().filter(|one| one.result.is_none()) {
            if let Poll::Ready(value) = one.future.as_mut().poll(task) {
                one.result = Some(value);
            }
        }
        let all_done = running.iter().all(|one| one.result.is_some());
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|one| one.result).collect()
}

/// Waits until one of these is done, and takes it out; none where there is none.
pub(super) async fn any<F: Future>(running: &mut Vec<Pin<Box<F>>>) -> Option<F::Output> {
    poll_fn(|task| {
        let done = running.iter_mut().enumerate().find_map(|(index, future)| {
            match future.as_mut().poll(task) {
                Poll::Ready(value) => Some((index, value)),
                Poll::Pending => None,
            }
        });
        match done {
            Some((index, value)) => {
                drop(running.remove(index));
                Poll::Ready(Some(value))
            }
            None if running.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    })
    .await
}

/// A future that is not asked again after its end.
struct Running<F: Future> {
    future: Pin<Box<F>>,
    result: Option<F::Output>,
}

fn name<'a>(program: &[&'a str]) -> &'a str {
    program.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_program_are_told_without_control_characters() {
        let exit = Exit::Code(32);
        let said = |output: &str| {
            complaint(&["mount", "-a"], &Finished { exit, output: output.to_owned() })
        };
        assert_eq!(said("one\ntwo \n\n"), "mount: exited with status 32: two");
        assert_eq!(said(" \n"), "mount: exited with status 32");
        assert_eq!(said("a\x1b[2Jb"), "mount: exited with status 32: a?[2Jb");
        // As mount(8) of util-linux says it, for one line of fstab and for two.
        let bad = "mount: /nfs: bad option.\n       dmesg(1) may have more information.\n";
        assert_eq!(said(bad), "mount: exited with status 32: mount: /nfs: bad option.");
        let two = format!("mount: /x: can't find LABEL=x.\n{bad}");
        assert_eq!(
            said(&two),
            "mount: exited with status 32: mount: /x: can't find LABEL=x.; mount: /nfs: bad option."
        );
        assert_eq!(said("  one\n  two"), "mount: exited with status 32: two");
        assert!(said(&"x".repeat(5000)).len() < 300);
        // A long one hides no other, and there is an end.
        let long = format!("mount: /x: {}\nmount: /last: no\n", "x".repeat(300));
        assert!(said(&long).ends_with("; mount: /last: no"), "{}", said(&long));
        assert!(said(&bad.repeat(1000)).len() < 1000);
    }
}
