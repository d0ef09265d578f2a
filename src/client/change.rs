//! Requests that change something: sent, and followed until they are done.
//!
//! The work belongs to PID 1. Waiting is only looking on: whoever gives up waiting, or is
//! killed, cancels nothing.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::connect::Failure;
use super::{Form, Session, Status, advice, text, unexpected, words};
use crate::facts::SignalNumber;
use crate::proto::{JobEvent, NOT_IN_FILE, Outcome, Reply, Request};

/// Whether to look on until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until the end, or as long as the person said.
    Follow,
    /// Only until PID 1 has taken it on.
    Leave,
}

/// One or more services, and whether to wait.
pub fn names(command: Command) -> Command {
    no_wait(command.arg(name_list().required(true).num_args(1..)))
}

/// The same, and whether dependents keep what they need.
pub fn stopped(command: Command) -> Command {
    let gentle = Arg::new("gentle").long("gentle").action(ArgAction::SetTrue);
    names(command.arg(gentle.help("Leave those up that others still need"))).after_help(GENTLE)
}

/// How the two stops differ.
const GENTLE: &str = "\
A stop takes down those that need the service first, and says which. With --gentle nobody goes
for it: a service that others who are wanted need or want stays for them, the answer names those,
and it goes by itself with the last of them; otherwise it goes at once. Neither the boot's target
nor its times nor its paths keep it or bring it back, until `finitctl start NAME`.";

/// Nothing but whether to wait.
pub fn no_wait(command: Command) -> Command {
    command.arg(
        Arg::new("no-wait")
            .long("no-wait")
            .action(ArgAction::SetTrue)
            .help("Return as soon as finit has taken it on"),
    )
}

/// Whether to wait, and whether the file is on trial.
pub fn trial(command: Command) -> Command {
    no_wait(command.arg(confirm_within()))
}

/// Any number of services, and for none the words of `apply`.
pub fn names_or_trial(command: Command) -> Command {
    let names = name_list().num_args(0..);
    no_wait(command.arg(names).arg(confirm_within().conflicts_with("names")))
}

fn confirm_within() -> Arg {
    Arg::new("confirm")
        .long("confirm")
        .value_name("TIME")
        .value_parser(text::parse_time)
        .num_args(0..=1)
        .default_missing_value("60s")
        .help("Go back after this time, 60s if none is said, unless finitctl confirm comes before")
}

/// No words of its own.
pub fn nothing(command: Command) -> Command {
    command
}

/// A name, and whether to wait.
pub fn one_and_wait(command: Command) -> Command {
    no_wait(one(command))
}

/// A name.
pub fn one(command: Command) -> Command {
    command.arg(Arg::new("name").value_name("NAME").required(true))
}

/// A name, and what a hold is.
pub fn held(command: Command) -> Command {
    one(command).after_help(HOLD)
}

/// A target, whether to wait, and what goes.
pub fn target_and_wait(command: Command) -> Command {
    one_and_wait(command).after_help(TARGET)
}

/// For whoever changes to another target.
const TARGET: &str = "\
What only the old target wants stops, what the new one wants starts. What a person has started
runs on, but not in `rescue` and `emergency`: there runs what those want, and what that needs.
What is held stays as it is everywhere. `finitctl target default` is the way back, and out of a
boot into `emergency` too: the steps that were left out there are run first. What a person had
started is started anew by hand.";

/// For whoever is about to work on a service.
const HOLD: &str = "\
What is there stays, and what is not there stays away: no dependent, target, schedule, connection,
failure of another or edited file starts or stops it, and what it needs may be restarted below it.
Who asks for that by name is refused and told who holds it, since when. Of what listens the
sockets stay, and connections wait in them. If its process ends by itself, its `restart` says
whether it comes back, as ever. Its instances are held with a template.

It lasts until `finitctl unhold NAME`, over an upgrade of finit too, and ends with a shutdown.
`finitctl list --held` shows what is held.";

/// One or more services, and what it is to be frozen.
pub fn frozen(command: Command) -> Command {
    names(command).after_help(FREEZE)
}

/// For whoever wants a service to do nothing for a while.
const FREEZE: &str = "\
All processes of the service stand still where they are, by its control group, and nothing of it is
lost: sockets, log lines and timers wait. Its state stays what it was, and those that need it
stay. Its start-timeout, watchdog, health checks and the time of its commands stand still with it.

It lasts until `finitctl thaw NAME`, over an upgrade of finit too, or until its process is ended.
A stop, a restart, a reload and the shutdown thaw it first. `finitctl list --frozen` shows what is
frozen.";

/// A signal and a name.
pub fn signal_and_name(command: Command) -> Command {
    let signal = Arg::new("signal").value_name("SIGNAL").required(true);
    one(command.arg(signal.help("HUP, SIGUSR1, 10, RTMIN+3")))
}

/// Names, or patterns for names.
pub fn name_list() -> Arg {
    let help = "Services, or patterns: 'getty@*' is all that match it";
    Arg::new("names").value_name("NAME").help(help)
}

/// `finitctl start`.
///
/// # Errors
/// Refused, or no answer.
pub fn start(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Start { names: all_names(matches) }, wait(matches))
}

/// `finitctl stop`.
///
/// # Errors
/// Refused, or no answer.
pub fn stop(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let names = all_names(matches);
    let request = match matches.get_flag("gentle") {
        true => Request::StopGently { names },
        false => Request::Stop { names },
    };
    perform(session, &request, wait(matches))
}

/// `finitctl restart`.
///
/// # Errors
/// Refused, or no answer.
pub fn restart(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Restart { names: all_names(matches) }, wait(matches))
}

/// `finitctl reload`: services, or the file.
///
/// # Errors
/// Refused, or no answer.
pub fn reload(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let names = all_names(matches);
    let request = if names.is_empty() { application(matches) } else { Request::Reload { names } };
    perform(session, &request, wait(matches))
}

/// `finitctl apply`.
///
/// # Errors
/// Refused, or no answer.
pub fn apply(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &application(matches), wait(matches))
}

fn application(matches: &ArgMatches) -> Request {
    let whole_seconds = |time: &Duration| {
        let seconds = time.as_millis().div_ceil(1000);
        u64::try_from(seconds).ok().and_then(NonZeroU64::new)
    };
    match matches.get_one::<Duration>("confirm").and_then(whole_seconds) {
        Some(seconds) => Request::ApplyOnTrial { seconds },
        None => Request::Apply,
    }
}

/// `finitctl confirm`.
///
/// # Errors
/// Nothing is on trial; no answer.
pub fn confirm(session: &mut Session, _: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Confirm, Wait::Leave)
}

/// A program, if not the one that runs.
pub fn program(command: Command) -> Command {
    command
        .arg(Arg::new("program").value_name("PATH").help("Another program than the one that runs"))
}

/// `finitctl upgrade`.
///
/// # Errors
/// Refused, or nobody there afterwards.
pub fn upgrade(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    // PID 1 stands in another folder, and searches along no PATH.
    let whole = |program: &String| {
        let path = std::path::absolute(program);
        path.map(|path| path.display().to_string())
            .map_err(|error| Failure::Usage(format!("{program}: {error}")))
    };
    words::replace(session, matches.get_one::<String>("program").map(whole).transpose()?)
}

/// `finitctl target`.
///
/// # Errors
/// Refused, or no answer.
pub fn target(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Target { name: name(matches) }, wait(matches))
}

/// `finitctl signal`. A word that is no signal is not sent at all.
///
/// # Errors
/// Refused, or no answer.
pub fn signal(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let word = matches.get_one::<String>("signal").cloned().unwrap_or_default();
    if SignalNumber::parse(&word).is_none() {
        return Err(Failure::Usage(format!(
            "`{word}` is no signal; write its name or number: finitctl signal HUP {}",
            name(matches)
        )));
    }
    perform(session, &Request::Signal { name: name(matches), signal: word }, Wait::Leave)
}

/// `finitctl reset`.
///
/// # Errors
/// Refused, or no answer.
pub fn reset(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Reset { name: name(matches) }, Wait::Leave)
}

/// `finitctl hold`.
///
/// # Errors
/// Refused, or no answer.
pub fn hold(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Hold { name: name(matches) }, Wait::Leave)
}

/// `finitctl unhold`.
///
/// # Errors
/// Refused, or no answer.
pub fn unhold(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Unhold { name: name(matches) }, Wait::Leave)
}

/// `finitctl freeze`.
///
/// # Errors
/// Refused, or no answer.
pub fn freeze(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Freeze { names: all_names(matches) }, wait(matches))
}

/// `finitctl thaw`.
///
/// # Errors
/// Refused, or no answer.
pub fn thaw(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, &Request::Thaw { names: all_names(matches) }, wait(matches))
}

/// What was typed for these.
pub fn all_names(matches: &ArgMatches) -> Vec<String> {
    matches.get_many("names").into_iter().flatten().cloned().collect()
}

fn name(matches: &ArgMatches) -> String {
    matches.get_one::<String>("name").cloned().unwrap_or_default()
}

fn wait(matches: &ArgMatches) -> Wait {
    if matches.get_flag("no-wait") { Wait::Leave } else { Wait::Follow }
}

/// Sends the request, says what it changes besides, and follows its job.
///
/// # Errors
/// Refused, no answer, or not done in time.
pub fn perform(session: &mut Session, request: &Request, wait: Wait) -> Result<Status, Failure> {
    let reply = match wait {
        Wait::Follow => session.connection()?.order(request)?,
        Wait::Leave => session.ask(request)?,
    };
    if session.form == Form::Json {
        session.output.json(&reply);
    }
    let (job, also, notes) = match reply {
        Reply::Job { job, also, notes } => (job, also, notes),
        Reply::Done { message } => {
            if session.form == Form::Text && !message.is_empty() {
                session.output.line(&message);
            }
            return Ok(Status::Done);
        }
        other => return Err(unexpected(&other)),
    };
    if session.form == Form::Text {
        for note in notes {
            session.output.line(&note);
        }
        if !also.is_empty() {
            session.output.line(&format!("{}: {}", also_words(request), also.join(", ")));
        }
    }
    match wait {
        Wait::Leave => Ok(Status::Done),
        Wait::Follow => follow(session, job),
    }
}

fn also_words(request: &Request) -> &'static str {
    match request {
        Request::Stop { .. } => "also stops",
        Request::Restart { .. } => "also restarts",
        Request::Start { .. } => "also starts",
        Request::Reload { .. } => "also reloads",
        _ => "also changes",
    }
}

fn follow(session: &mut Session, job: u64) -> Result<Status, Failure> {
    let patience = session.patience;
    session.connection()?.wait_for(patience);
    session.connection()?.follow(job)?;
    loop {
        // Whoever looks on sees each event when it happens, in a pipe too.
        session.output.flush();
        let event = match session.connection()?.event() {
            Ok(event) => event,
            Err(Failure::TimedOut(after)) => return Err(Failure::Unfinished(after)),
            Err(failure) => return Err(failure),
        };
        if session.form == Form::Json {
            session.output.json(&event);
        }
        let status = match event.outcome {
            None | Some(Outcome::Done) => Status::Done,
            Some(Outcome::Failed | Outcome::Replaced) => Status::Failed,
        };
        if session.form == Form::Text {
            tell(session, &event);
        }
        if event.outcome.is_some() {
            return Ok(status);
        }
    }
}

/// One event as one line. What went wrong goes to standard error and says what to do.
///
/// The outcome is that of the whole job: of two services the first may fail, and the second,
/// whose event is the last, come up.
fn tell(session: &mut Session, event: &JobEvent) {
    let line = match (event.service.as_str(), event.message.as_str()) {
        ("", message) => message.to_owned(),
        (service, "") => service.to_owned(),
        (service, message) => format!("{service}: {message}"),
    };
    let advice = advice::for_message(&event.service, &event.message);
    if !advice.is_empty() {
        session.output.warn(&format!("{line}; {advice}"));
    } else if !line.is_empty() {
        session.output.line(&line);
    }
    match event.outcome {
        Some(Outcome::Failed) if advice.is_empty() => {
            let wait = advice::for_wait(&event.service, &event.message);
            let wait = wait.as_deref().unwrap_or("not everything worked; see finitctl status");
            session.output.complain(wait);
        }
        Some(Outcome::Replaced) if event.message == NOT_IN_FILE => {}
        Some(Outcome::Replaced) => {
            session.output.complain("another request took the place of this one");
        }
        None | Some(Outcome::Done | Outcome::Failed) => {}
    }
}
