//! Bringing the machine down: by asking PID 1, now or for later, or, where that no longer helps, by oneself.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::change::{self, Wait};
use super::connect::Failure;
use super::when::When;
use super::{Session, Status, overview, unexpected};
use crate::os::reboot::{self, How};
use crate::proto::{Power, Reply, Request};

/// What the disks get before reboot(2).
const WRITING: Duration = Duration::from_secs(10);

/// Who brings the machine down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// PID 1, in order.
    Ask,
    /// reboot(2) at once: nothing is stopped.
    Force {
        /// Whether what is in memory is written to the disks first.
        write: bool,
    },
}

/// A shutdown that everybody is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When it begins.
    pub when: When,
    /// What everybody is told; may be empty.
    pub message: String,
    /// Whether only the console is told, and nobody who is logged in.
    pub quiet: bool,
}

/// The words behind `poweroff`, `reboot` and `halt`.
pub fn arguments(command: Command) -> Command {
    let force = Arg::new("force")
        .long("force")
        .short('f')
        .action(ArgAction::SetTrue)
        .conflicts_with_all(["at", "message", "no-wall"])
        .help("Call reboot(2) at once, without finit: nothing is stopped in order");
    let at = Arg::new("at")
        .long("at")
        .value_name("TIME")
        .value_parser(When::parse)
        .allow_hyphen_values(true)
        .help("Later: 22:00, +5m, +2h");
    cancel_arguments(command).arg(at).arg(force)
}

/// The words behind `cancel`.
pub fn cancel_arguments(command: Command) -> Command {
    let message = Arg::new("message").long("message").value_name("TEXT");
    let quiet = Arg::new("no-wall").long("no-wall").action(ArgAction::SetTrue);
    command
        .arg(message.allow_hyphen_values(true).help("What everybody is told"))
        .arg(quiet.help("Tell the console only, and nobody who is logged in"))
}

/// `finitctl poweroff`.
///
/// # Errors
/// Refused, or no answer.
pub fn poweroff(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    asked(session, Power::Poweroff, matches)
}

/// `finitctl reboot`.
///
/// # Errors
/// Refused, or no answer.
pub fn restart(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    asked(session, Power::Reboot, matches)
}

/// `finitctl halt`.
///
/// # Errors
/// Refused, or no answer.
pub fn halt(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    asked(session, Power::Halt, matches)
}

fn asked(session: &mut Session, how: Power, matches: &ArgMatches) -> Result<Status, Failure> {
    let when = matches.get_one::<When>("at").copied();
    let (message, quiet) = words(matches);
    if matches.get_flag("force") {
        return perform(session, how, Manner::Force { write: true });
    }
    if when.is_none() && message.is_empty() {
        return perform(session, how, Manner::Ask);
    }
    schedule(session, how, Notice { when: when.unwrap_or(When::NOW), message, quiet })
}

fn words(matches: &ArgMatches) -> (String, bool) {
    let message = matches.get_one::<String>("message").cloned().unwrap_or_default();
    (message, matches.get_flag("no-wall"))
}

/// `finitctl cancel`.
///
/// # Errors
/// Refused, or no answer.
pub fn cancel(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let (message, quiet) = words(matches);
    change::perform(session, &Request::CancelPower { message, quiet }, Wait::Leave)
}

/// Has the machine go down later, or at once with a word to everybody.
///
/// # Errors
/// Refused, or no answer.
pub fn schedule(session: &mut Session, how: Power, notice: Notice) -> Result<Status, Failure> {
    let Notice { when, message, quiet } = notice;
    let request = Request::SchedulePower { how, seconds: when.seconds()?, message, quiet };
    change::perform(session, &request, Wait::Leave)
}

/// Brings the machine down. Nobody waits for the end of it: it would take the waiting one too.
///
/// # Errors
/// Refused, or no answer.
pub fn perform(session: &mut Session, how: Power, manner: Manner) -> Result<Status, Failure> {
    match manner {
        Manner::Ask => change::perform(session, &Request::Power { how }, Wait::Leave),
        Manner::Force { write } => force(how, write),
    }
}

/// Says which shutdown is to come; 1 if there is none.
///
/// # Errors
/// No answer.
pub fn show(session: &mut Session) -> Result<Status, Failure> {
    let machine = match session.ask(&Request::List)? {
        Reply::Machine(machine) => machine,
        reply => return Err(unexpected(&reply)),
    };
    match &machine.scheduled {
        Some(scheduled) => session.output.line(&overview::to_come(scheduled)),
        None => {
            session.output.line("no shutdown is scheduled");
            return Ok(Status::Failed);
        }
    }
    Ok(Status::Done)
}

fn force(how: Power, write: bool) -> Result<Status, Failure> {
    if write {
        write_out();
    }
    let errno = reboot::reboot(match how {
        Power::Poweroff => How::Poweroff,
        Power::Reboot => How::Restart,
        Power::Halt => How::Halt,
    });
    let who = if errno.0 == libc::EPERM { "; are you root?" } else { "" };
    Err(Failure::Local(format!("{how} by force: {errno}{who}")))
}

/// reboot(2) does not write what is still in memory. Whoever uses force has reasons, and a disk
/// that does not answer is among them: it does not keep the machine up.
fn write_out() {
    let (tell, told) = mpsc::channel();
    let writer = thread::Builder::new().spawn(move || {
        reboot::sync();
        // Nobody listens any more after the time below.
        tell.send(()).ok()
    });
    if writer.is_ok() {
        // What is not written by then is lost.
        told.recv_timeout(WRITING).ok();
    }
}
