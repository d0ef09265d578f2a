//! `finitctl status`: the machine, or services by name.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::connect::Failure;
use super::output::Style;
use super::overview::{self, Scope};
use super::{Form, Session, Status, cgroup, detail, logs, unexpected};
use crate::proto::{Code, MachineReport, Refusal, Reply, Request, ServiceReport, StateWord};

/// Log lines shown below a service.
const LOG_LINES: usize = 10;

/// The words behind `status`.
pub fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("names")
                .value_name("NAME")
                .num_args(0..)
                .help("Services, or patterns such as 'getty@*'; the machine without"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .short('a')
                .action(ArgAction::SetTrue)
                .help("Show boot steps, milestones and targets too"),
        )
}

/// Runs it.
///
/// # Errors
/// No answer.
pub fn run(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    match matches.get_many::<String>("names") {
        None => {
            let scope = if matches.get_flag("all") { Scope::All } else { Scope::Usual };
            machine(session, scope)
        }
        Some(names) => services(session, names.map(String::as_str)),
    }
}

/// The machine and a table.
///
/// # Errors
/// No answer.
pub fn machine(session: &mut Session, scope: Scope) -> Result<Status, Failure> {
    let machine = ask_machine(session)?;
    match session.form {
        Form::Json => session.output.json(&machine),
        Form::Text => {
            let screen = overview::render(&machine, scope, session.style());
            session.output.text(&screen);
        }
    }
    Ok(Status::Done)
}

/// Services in full, one below the other. The first that is not up decides the exit code.
///
/// # Errors
/// No answer; a name that nothing has is reported and the rest is shown.
pub fn services<'a>(
    session: &mut Session,
    names: impl Iterator<Item = &'a str>,
) -> Result<Status, Failure> {
    let (mut status, mut shown) = (Status::Done, 0usize);
    for name in names {
        let services = match ask_services(session, name) {
            Ok(services) => services,
            Err(failure @ Failure::Refused(_)) => {
                session.complain(&failure);
                status = status.or(failure.status());
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for service in services {
            if shown > 0 && session.form == Form::Text {
                session.output.text("\n");
            }
            show(session, &service);
            shown = shown.saturating_add(1);
            status = status.or(of_state(service.state));
        }
    }
    Ok(status)
}

fn show(session: &mut Session, service: &ServiceReport) {
    if session.form == Form::Json {
        session.output.json(service);
        return;
    }
    let usage = service.cgroup.as_deref().map(cgroup::usage).unwrap_or_default();
    let log = service.detail.as_ref().map(|detail| logs::tail(detail, LOG_LINES));
    let log = log.unwrap_or_default();
    // Nothing is cut here, so the width of the terminal need not be asked for.
    let style = Style { colour: session.output.colour(), width: None };
    let page = detail::render(service, usage, &log, style);
    session.output.text(&page);
}

/// LSB's exit code for a state.
pub fn of_state(state: StateWord) -> Status {
    match state {
        StateWord::Up | StateWord::Done | StateWord::Listening => Status::Done,
        StateWord::Failed | StateWord::Restarting => Status::Failed,
        StateWord::Stopped
        | StateWord::Waiting
        | StateWord::Starting
        | StateWord::Stopping
        | StateWord::Skipped => Status::NotRunning,
    }
}

/// The report of the machine.
///
/// # Errors
/// No answer.
pub fn ask_machine(session: &mut Session) -> Result<MachineReport, Failure> {
    match session.ask(&Request::List)? {
        Reply::Machine(machine) => Ok(*machine),
        other => Err(unexpected(&other)),
    }
}

/// What it means that a report has no details.
pub fn hidden(what: &str) -> Failure {
    let message = format!("{what} are told to root alone");
    Failure::Refused(Refusal::new(Code::Denied, message).hint("ask as root: sudo finitctl …"))
}

/// The report of the service of that name, or those of a pattern.
///
/// # Errors
/// No answer, or no such service.
pub fn ask_services(session: &mut Session, name: &str) -> Result<Vec<ServiceReport>, Failure> {
    match session.ask(&Request::Status { name: name.to_owned() })? {
        Reply::Service(service) => Ok(vec![*service]),
        Reply::Services(services) => Ok(services),
        other => Err(unexpected(&other)),
    }
}
