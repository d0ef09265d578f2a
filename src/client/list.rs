//! `finitctl list`: entries by state or kind, one a line.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use super::connect::Failure;
use super::overview::{self, Scope};
use super::status::{ask_machine, ask_services, hidden};
use super::{Form, Session, Status, table, text, timers};
use crate::proto::{ServiceReport, StateWord};

/// Every state by its word.
const STATES: [StateWord; 10] = [
    StateWord::Stopped,
    StateWord::Waiting,
    StateWord::Listening,
    StateWord::Starting,
    StateWord::Up,
    StateWord::Done,
    StateWord::Stopping,
    StateWord::Restarting,
    StateWord::Failed,
    StateWord::Skipped,
];

/// The words behind `list`.
pub fn arguments(command: Command) -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    command
        .arg(flag("failed").help("Only what failed").conflicts_with("state"))
        .arg(
            Arg::new("state")
                .long("state")
                .value_name("STATE")
                .value_parser(STATES.map(StateWord::word))
                .help("Only entries in this state"),
        )
        .arg(flag("held").help("Only what somebody holds"))
        .arg(flag("frozen").help("Only what is frozen"))
        .arg(flag("sockets").help("Sockets and who holds them"))
        .arg(flag("timers").help("What runs at its times: when next, and how it went last"))
        .arg(flag("targets").help("Targets instead of services"))
        .group(ArgGroup::new("what").args(["sockets", "timers", "targets"]))
        .arg(flag("all").short('a').help("Boot steps, milestones and targets too"))
}

/// Runs it.
///
/// # Errors
/// No answer.
pub fn run(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let word = matches.get_one::<String>("state").map(String::as_str);
    let word = if matches.get_flag("failed") { Some(StateWord::Failed.word()) } else { word };
    let scope = if matches.get_flag("all") { Scope::All } else { Scope::Usual };
    let only_targets = matches.get_flag("targets");

    let only_held = matches.get_flag("held");
    let only_frozen = matches.get_flag("frozen");
    let machine = ask_machine(session)?;
    let is_listed = |entry: &&ServiceReport| {
        let kind_fits = if only_targets {
            entry.kind == "target"
        } else {
            overview::is_shown(entry, &machine, scope)
        };
        kind_fits
            && (entry.held || !only_held)
            && (entry.frozen.is_some() || !only_frozen)
            && word.is_none_or(|word| word == entry.state.word())
    };
    let listed: Vec<&ServiceReport> = machine.services.iter().filter(is_listed).collect();
    if matches.get_flag("sockets") {
        return sockets(session, &listed);
    }
    if matches.get_flag("timers") {
        timers::show(session, &listed);
        return Ok(Status::Done);
    }
    match session.form {
        Form::Json => listed.iter().for_each(|entry| session.output.json(entry)),
        Form::Text if listed.is_empty() => session.output.warn("nothing to list"),
        Form::Text => {
            let table = overview::table(&listed, session.style());
            session.output.text(&table);
        }
    }
    Ok(Status::Done)
}

/// One line a socket. Only the report of a single service names them, so each is asked for.
fn sockets(session: &mut Session, listed: &[&ServiceReport]) -> Result<Status, Failure> {
    let mut rows = Vec::new();
    for entry in listed {
        let services = match ask_services(session, &entry.name) {
            Ok(services) => services,
            // It went away with a change of the file in between.
            Err(Failure::Refused(_)) => continue,
            Err(failure) => return Err(failure),
        };
        for service in &services {
            let Some(detail) = &service.detail else { return Err(hidden("sockets")) };
            if session.form == Form::Json && !detail.sockets.is_empty() {
                session.output.json(service);
            }
            let state = service.state.word().to_owned();
            let clean = |word: &str| text::clean(word).into_owned();
            let row = |socket: &String| [clean(socket), clean(&service.name), state.clone()];
            rows.extend(detail.sockets.iter().map(row));
        }
    }
    if session.form == Form::Json {
        return Ok(Status::Done);
    }
    if rows.is_empty() {
        session.output.warn("nothing to list");
        return Ok(Status::Done);
    }
    for line in table::lines(["SOCKET", "NAME", "STATE"], &[], rows, session.style()) {
        session.output.line(&line);
    }
    Ok(Status::Done)
}
