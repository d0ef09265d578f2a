//! `finitctl plan`: what applying the edited file would do, and why. Nothing is changed.

use clap::ArgMatches;

use super::connect::Failure;
use super::{Form, Session, Status, text, unexpected};
use crate::proto::{Change, Reply, Request};

/// Runs it.
///
/// # Errors
/// No answer; a file with errors.
pub fn run(session: &mut Session, _: &ArgMatches) -> Result<Status, Failure> {
    let changes = match session.ask(&Request::Plan)? {
        Reply::Plan(changes) => changes,
        other => return Err(unexpected(&other)),
    };
    match session.form {
        Form::Json => session.output.json(&changes),
        Form::Text => session.output.text(&render(&changes)),
    }
    Ok(Status::Done)
}

/// One change a line.
pub fn render(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing would change\n".to_owned();
    }
    let widest = changes.iter().map(|change| change.name.chars().count()).max().unwrap_or(0);
    let line = |change: &Change| {
        let (name, why) = (text::clean(&change.name), text::clean(&change.why));
        format!("{:<8} {name:<widest$}  {why}\n", change.verb.word())
    };
    changes.iter().map(line).collect()
}
