//! `check` and `explain`: what needs the file or the table of keys, and no running finit.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};

use super::connect::Failure;
use super::{Form, Session, Status};
use crate::config::{self, spec::Kind};

/// The file that describes the machine.
pub const FILE: &str = "/etc/finit.toml";

/// The words behind `check`.
pub fn check_arguments(command: Command) -> Command {
    command.arg(Arg::new("file").value_name("FILE").default_value(FILE).help("The file to check"))
}

/// The words behind `explain`.
pub fn explain_arguments(command: Command) -> Command {
    let help = "A key of the file: needs, stop.signal, boot.fstab";
    command.arg(Arg::new("key").value_name("KEY").required(true).help(help))
}

/// `finitctl check`: all mistakes at once, or what the file holds.
///
/// # Errors
/// None: mistakes in the file are its result.
pub fn check(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let file = matches.get_one::<String>("file").map_or(FILE, String::as_str);
    let found = examine(Path::new(file));
    found.said.iter().for_each(|said| session.output.warn(said));
    let counts = format!("{}, {}", count(found.services, "service"), count(found.tasks, "task"));
    if session.form == Form::Json {
        session.output.json(&serde_json::json!({
            "file": file, "services": found.services, "tasks": found.tasks,
            "errors": found.errors, "diagnostics": found.said,
        }));
    } else if found.errors == 0 {
        session.output.line(&format!("{file}: {counts}: no errors"));
    } else {
        session.output.warn(&format!("{file}: {}", count(found.errors, "error")));
    }
    Ok(if found.errors == 0 { Status::Done } else { Status::Failed })
}

/// `finitctl explain`.
///
/// # Errors
/// No such key.
pub fn explain(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let key = matches.get_one::<String>("key").map_or("", String::as_str);
    let Some(page) = config::explain(key) else {
        return Err(Failure::Usage(format!("no key is called `{key}`")));
    };
    page.lines().for_each(|line| session.output.line(line));
    Ok(Status::Done)
}

/// What a file holds, and what there is to say about it.
struct Found {
    services: usize,
    tasks: usize,
    errors: usize,
    said: Vec<String>,
}

fn examine(path: &Path) -> Found {
    let config::Loaded { spec, diagnostics, .. } = config::load(path, &config::Disk);
    let of_kind = |kind| spec.services.iter().filter(|service| service.kind == kind).count();
    Found {
        services: of_kind(Kind::Service),
        tasks: of_kind(Kind::Task),
        errors: diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count(),
        said: diagnostics.iter().map(ToString::to_string).collect(),
    }
}
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
