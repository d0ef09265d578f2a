//! `finitctl why`: what made a service start, stop, wait or fail, back to the first cause.

use clap::ArgMatches;

use super::connect::Failure;
use super::output::Style;
use super::{Form, Session, Status, overview, text, unexpected};
use crate::proto::{Chapter, Reply, Request};

/// Runs it. The exit code is that of `status`.
///
/// # Errors
/// No answer, or no such service.
pub fn run(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let Some(name) = matches.get_one::<String>("name") else {
        return Err(Failure::Usage("why takes a name".to_owned()));
    };
    let chapters = match session.ask(&Request::Why { name: name.clone() })? {
        Reply::Why(chapters) => chapters,
        other => return Err(unexpected(&other)),
    };
    match session.form {
        Form::Json => session.output.json(&chapters),
        Form::Text => {
            let page = render(&chapters, session.style());
            session.output.text(&page);
        }
    }
    let state = chapters.first().map(|chapter| chapter.state);
    Ok(state.map_or(Status::Done, super::status::of_state))
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
