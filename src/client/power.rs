//! Bringing the machine down: by asking PID 1, or, where that no longer helps, by oneself.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::change::{self, Wait};
use super::connect::Failure;
use super::{Session, Status};
use crate::os::reboot::{self, How};
use crate::proto::{Power, Request};

/// Who brings the machine down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// PID 1, in order.
    Ask,
    /// reboot(2) at once: nothing is stopped, only the disks are written.
    Force,
}

/// The words behind `poweroff`, `reboot` and `halt`.
pub fn arguments(command: Command) -> Command {
    command.arg(
        Arg::new("force")
            .long("force")
            .short('f')
            .action(ArgAction::SetTrue)
            .help("Call reboot(2) at once, without finit: nothing is stopped in order"),
    )
}

/// `finitctl poweroff`.
///
/// # Errors
/// Refused, or no answer.
pub fn poweroff(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, Power::Poweroff, manner(matches))
}

/// `finitctl reboot`.
///
/// # Errors
/// Refused, or no answer.
pub fn restart(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, Power::Reboot, manner(matches))
}

/// `finitctl halt`.
///
/// # Errors
/// Refused, or no answer.
pub fn halt(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    perform(session, Power::Halt, manner(matches))
}

fn manner(matches: &ArgMatches) -> Manner {
    if matches.get_flag("force") { Manner::Force } else { Manner::Ask }
}

/// Brings the machine down. Nobody waits for the end of it: it would take the waiting one too.
///
/// # Errors
/// Refused, or no answer.
pub fn perform(session: &mut Session, how: Power, manner: Manner) -> Result<Status, Failure> {
    match manner {
        Manner::Ask => change::perform(session, &Request::Power { how }, Wait::Leave),
        Manner::Force => force(how),
    }
}

fn force(how: Power) -> Result<Status, Failure> {
    // reboot(2) does not write what is still in memory.
    reboot::sync();
    let errno = reboot::reboot(match how {
        Power::Poweroff => How::Poweroff,
        Power::Reboot => How::Restart,
        Power::Halt => How::Halt,
    });
    let who = if errno.0 == libc::EPERM { "; are you root?" } else { "" };
    Err(Failure::Local(format!("{how} by force: {errno}{who}")))
}
