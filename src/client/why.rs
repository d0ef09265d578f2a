//! `finitctl why`: what made a service start, stop, wait or fail, back to the first cause.

use clap::{ArgMatches, Command};

use super::connect::Failure;
use super::output::Style;
use super::{Form, Session, Status, change, overview, text, unexpected};
use crate::proto::{Chapter, Reply, Request};

/// The words behind `why`.
pub fn arguments(command: Command) -> Command {
    command.arg(change::name_list().required(true).num_args(1..))
}

/// Runs it. The exit code is that of `status`.
///
/// # Errors
/// No answer; a name that nothing has is reported and the rest is told.
pub fn run(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let (mut status, mut told) = (Status::Done, 0usize);
    for name in change::all_names(matches) {
        let stories = match session.ask(&Request::Why { name }) {
            Ok(Reply::Why(chapters)) => vec![chapters],
            Ok(Reply::Stories(stories)) => stories,
            Ok(other) => return Err(unexpected(&other)),
            Err(failure @ Failure::Refused(_)) => {
                session.complain(&failure);
                status = status.or(failure.status());
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for chapters in stories {
            if told > 0 && session.form == Form::Text {
                session.output.text("\n");
            }
            tell(session, &chapters);
            told = told.saturating_add(1);
            let state = chapters.first().map(|chapter| chapter.state);
            status = status.or(state.map_or(Status::Done, super::status::of_state));
        }
    }
    Ok(status)
}

fn tell(session: &mut Session, chapters: &[Chapter]) {
    match session.form {
        Form::Json => session.output.json(&chapters),
        Form::Text => {
            let page = render(chapters, session.style());
            session.output.text(&page);
        }
    }
}

/// One service a paragraph, what it waits for below it; under each its causes, the last first.
pub fn render(chapters: &[Chapter], style: Style) -> String {
    let mut page = String::new();
    for chapter in chapters {
        let state = style.paint(overview::paint(chapter.state), chapter.state.word());
        let name = text::clean(&chapter.name);
        page.push_str(&format!("{name}: {state} since {}", text::age(chapter.since_ms)));
        if let Some(pid) = chapter.pid {
            page.push_str(&format!(" (pid {pid})"));
        }
        if !chapter.reason.is_empty() {
            page.push_str(&format!(": {}", text::clean(&chapter.reason)));
        }
        page.push('\n');
        for why in &chapter.because {
            let age = format!("{} ago", text::age(why.ago_ms));
            page.push_str(&format!("  {age:<16}{}\n", text::clean(&why.text)));
        }
    }
    page
}
