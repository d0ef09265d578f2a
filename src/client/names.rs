//! The old names: `poweroff`, `reboot`, `halt`, `shutdown`, `init` and `telinit`.
//!
//! They act on the whole machine, so they are strict: every word is understood or nothing is
//! done. (An init of the same name once shut machines down on `shutdown --help`.)

use super::change::{self, Wait};
use super::connect::Failure;
use super::power::{self, Manner, Notice};
use super::when::When;
use super::{Session, Status, words};
use crate::proto::{Power, Request};

/// What the words mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Bring the machine down now.
    Power(Power, Manner),
    /// Say how it is used.
    Help,
    /// Say which version it is.
    Version,
    /// Say which shutdown is to come.
    Show,
    /// Nothing: the record of `--wtmp-only` is made when the machine does go down.
    Nothing,
    /// Bring it down later, or with a word to everybody.
    Schedule(Power, Notice),
    /// Drop what was to come, with a message, for the console only or for everybody.
    Cancel {
        /// Why.
        message: String,
        /// Whether nobody who is logged in hears of it.
        quiet: bool,
    },
}

/// Runs `poweroff`, `reboot`, `halt` or `shutdown`.
pub fn run(program: &str, words: &[String], mut session: Session) -> Status {
    let result = plan(program, words).map_err(Failure::Usage).and_then(|plan| match plan {
        Plan::Power(how, manner) => power::perform(&mut session, how, manner),
        Plan::Schedule(how, notice) => power::schedule(&mut session, how, notice),
        Plan::Cancel { message, quiet } => {
            let request = Request::CancelPower { message, quiet };
            change::perform(&mut session, &request, Wait::Leave)
        }
        Plan::Show => power::show(&mut session),
        Plan::Help => {
            session.output.text(help(program));
            Ok(Status::Done)
        }
        Plan::Version => {
            session.output.line(words::VERSION);
            Ok(Status::Done)
        }
        Plan::Nothing => Ok(Status::Done),
    });
    session.end(result)
}

/// Runs `init` or `telinit`.
pub fn telinit(program: &str, words: &[String], mut session: Session) -> Status {
    let words = without_wait(words);
    let result = match words {
        [word] if matches!(word.as_str(), "-h" | "--help") => {
            session.output.text(HELP_TELINIT);
            Ok(Status::Done)
        }
        [word] => match words::runlevel(word) {
            Some(request @ Request::Power { .. }) => {
                change::perform(&mut session, &request, Wait::Leave)
            }
            Some(Request::Upgrade { program }) => words::replace(&mut session, program),
            Some(request) => change::perform(&mut session, &request, Wait::Follow),
            None => return words::pass_on_to(words, session),
        },
        [] => Err(Failure::Usage(format!("{program} takes a word; see {program} --help"))),
        _ => return words::pass_on_to(words, session),
    };
    session.end(result)
}

/// What `poweroff`, `reboot`, `halt` or `shutdown` are to do.
///
/// # Errors
/// A word that is not understood, in a sentence.
pub fn plan(program: &str, words: &[String]) -> Result<Plan, String> {
    if words.iter().any(|word| word == "--help") {
        return Ok(Plan::Help);
    }
    if words.iter().any(|word| word == "--version") {
        return Ok(Plan::Version);
    }
    if program == "shutdown" {
        return shutdown(words);
    }
    let mut how = match program {
        "reboot" => Power::Reboot,
        "halt" => Power::Halt,
        _ => Power::Poweroff,
    };
    let (mut force, mut write, mut acts) = (false, true, true);
    for option in options(words) {
        match option.as_str() {
            "-f" | "--force" => force = true,
            "-n" | "--no-sync" => write = false,
            "-p" | "--poweroff" => how = Power::Poweroff,
            "--halt" => how = Power::Halt,
            "--reboot" => how = Power::Reboot,
            "-w" | "--wtmp-only" => acts = false,
            // The record is made by PID 1, disks are put to rest and interfaces go down with the
            // kernel, and nobody is told: nothing to do for these.
            "-d" | "--no-wtmp" | "-h" | "-i" | "--no-wall" => {}
            _ => return Err(not_understood(program, &option)),
        }
    }
    let manner = if force { Manner::Force { write } } else { Manner::Ask };
    Ok(if acts { Plan::Power(how, manner) } else { Plan::Nothing })
}

fn shutdown(words: &[String]) -> Result<Plan, String> {
    let (given, rest) = split_options(words);
    if given == ["--show"] && rest.is_empty() {
        return Ok(Plan::Show);
    }
    if options(&given).iter().any(|option| option == "-c") {
        return cancel(&given, rest);
    }
    let (when, rest) = rest.split_first().map_or((None, rest), |(when, rest)| (Some(when), rest));
    // `shutdown now -h` is written too; what comes behind those is the message.
    let (late, message) = split_options(rest);
    let message = message.join(" ");
    let (mut how, mut quiet, mut halts) = (Power::Poweroff, false, false);
    for option in options(&given).into_iter().chain(options(&late)) {
        match option.as_str() {
            // Beside -H it says that nothing starts again, and -H how it ends.
            "-h" if halts => how = Power::Halt,
            "-h" | "-P" | "--poweroff" => how = Power::Poweroff,
            "-H" | "--halt" => (how, halts) = (Power::Halt, true),
            "-r" | "--reboot" => how = Power::Reboot,
            "--no-wall" => quiet = true,
            // Whether a user of /etc/shutdown.allow is logged in, for the line about Ctrl-Alt-Del
            // in inittab(5); finit hears of those keys itself.
            "-a" => {}
            "-k" => return Err("this version of finit does not warn users; use wall(1)".to_owned()),
            _ => return Err(not_understood("shutdown", &option)),
        }
    }
    let flag = match how {
        Power::Poweroff => "-h",
        Power::Halt => "-H",
        Power::Reboot => "-r",
    };
    let Some(when) = when else {
        return Err(format!("nothing is done: say when, as in shutdown {flag} now"));
    };
    match When::parse(when) {
        Ok(When::NOW) if message.is_empty() => Ok(Plan::Power(how, Manner::Ask)),
        Ok(when) => Ok(Plan::Schedule(how, Notice { when, message, quiet })),
        Err(why) => Err(format!("nothing is done: {why}, as in shutdown {flag} now")),
    }
}

/// `shutdown -c`: nothing beside it but a message, for a time there would mean something else.
fn cancel(given: &[String], message: &[String]) -> Result<Plan, String> {
    let mut others = options(given);
    others.retain(|option| option != "-c");
    let quiet = others.iter().any(|option| option == "--no-wall");
    if let Some(other) = others.iter().find(|option| *option != "--no-wall") {
        return Err(format!("nothing is done: -c and `{other}` exclude each other"));
    }
    let first = message.first().map(String::as_str).unwrap_or_default();
    if first.starts_with('-') || When::parse(first).is_ok() {
        return Err(format!("nothing is done: -c and `{first}` exclude each other"));
    }
    Ok(Plan::Cancel { message: message.join(" "), quiet })
}

/// The options that words begin with, but for those of [`without_wait`], and the other words.
fn split_options(words: &[String]) -> (Vec<String>, &[String]) {
    let mut given = Vec::new();
    let mut left = words;
    loop {
        let after = without_wait(left);
        left = match after {
            [option, rest @ ..] if after.len() == left.len() && is_option(option) => {
                given.push(option.clone());
                rest
            }
            _ if after.len() == left.len() => return (given, left),
            _ => after,
        };
    }
}

fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// The words without `-t 3` or `-t3` before them: how long sysvinit waits between two signals is
/// in the file here, for each service and for all.
fn without_wait(words: &[String]) -> &[String] {
    let is_time = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match words {
        [option, time, rest @ ..] if option == "-t" && is_time(time) => rest,
        [option, rest @ ..] if option.strip_prefix("-t").is_some_and(is_time) => rest,
        _ => words,
    }
}

/// Options one by one: `-fp` is `-f -p`. Words that are no options come as they are, and are
/// not understood by whoever matches them.
fn options(words: &[String]) -> Vec<String> {
    let mut each = Vec::new();
    for word in words {
        match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && !letters.starts_with('-') => {
                each.extend(letters.chars().map(|letter| format!("-{letter}")));
            }
            _ => each.push(word.clone()),
        }
    }
    each
}

fn not_understood(program: &str, option: &str) -> String {
    format!("nothing is done: `{option}` is not understood; see {program} --help")
}

fn help(program: &str) -> &'static str {
    if program == "shutdown" { HELP_SHUTDOWN } else { HELP_POWER }
}

const HELP_POWER: &str = "\
Usage: poweroff | reboot | halt [OPTION…]
Brings the machine down in order.

  -f, --force      call reboot(2) at once, without finit
  -n, --no-sync    with -f: do not write to the disks first, should that hang
  -p, --poweroff   turn it off
      --halt       stop it, with its power on
      --reboot     start it again
  -w, --wtmp-only  do nothing
  -d, -h, -i, --no-wtmp, --no-wall
                   accepted, and without meaning here
      --help       this
      --version    version of finit
";

const HELP_SHUTDOWN: &str = "\
Usage: shutdown [OPTION…] TIME [MESSAGE…]
       shutdown -c [MESSAGE…]
Brings the machine down in order: now, in so many minutes (+5), or at a time of day (22:00).
A later one takes the place of an earlier one that has not begun.

  -h, -P, --poweroff  turn it off (also without any option)
  -H, --halt          stop it, with its power on
  -r, --reboot        start it again
  -c                  drop the shutdown that is to come
      --show          say which one that is
      --no-wall       tell the console only, and nobody who is logged in
  -a, -t SECONDS      accepted, and without meaning here
      --help          this
      --version       version of finit
";

const HELP_TELINIT: &str = "\
Usage: telinit WORD
  0            power off
  6            reboot
  1, s, S      the target `rescue`
  2, 3, 4, 5   the target `default`
  q, Q         read /etc/finit.toml again: finitctl apply
  u, U         execute the finit on the disk: finitctl upgrade
or words for finit: status NAME, start NAME, poweroff, …
";
