//! The commands: one table, from which parsing and help are made.
//!
//! Only the command that was typed is built, because a status in a shell loop should cost
//! little more than its round trip; the whole tree is built for help and for mistakes.

use std::iter;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::connect::Failure;
use super::{
    Form, Session, Status, change, enable, list, logs, offline, plan, power, remote, shells,
    status, text, tree, why,
};

/// What people type.
pub const NAME: &str = "finitctl";

/// One command.
struct Verb {
    name: &'static str,
    about: &'static str,
    arguments: fn(Command) -> Command,
    run: fn(&mut Session, &ArgMatches) -> Result<Status, Failure>,
}

/// All of them, in the order of the help.
#[rustfmt::skip]
const VERBS: &[Verb] = &[
    Verb { name: "status", about: "The machine and its services, or services in full", arguments: status::arguments, run: status::run },
    Verb { name: "why", about: "What made services start, stop, wait or fail", arguments: why::arguments, run: why::run },
    Verb { name: "list", about: "Services by state, sockets, timers, targets", arguments: list::arguments, run: list::run },
    Verb { name: "tree", about: "What a service needs and wants, and what that does", arguments: tree::arguments, run: tree::tree },
    Verb { name: "graph", about: "What stands on what, to be drawn by dot(1)", arguments: tree::graph_arguments, run: tree::graph },
    Verb { name: "logs", about: "Log lines of services", arguments: logs::arguments, run: logs::run },
    Verb { name: "start", about: "Bring services up, and what they need", arguments: change::names, run: change::start },
    Verb { name: "stop", about: "Bring services down, and those that need them", arguments: change::stopped, run: change::stop },
    Verb { name: "restart", about: "Stop and start again; a stopped one is started", arguments: change::names, run: change::restart },
    Verb { name: "reload", about: "Let services read their own files again; without a name: apply", arguments: change::names_or_trial, run: change::reload },
    Verb { name: "signal", about: "Send a signal to the main process of a service", arguments: change::signal_and_name, run: change::signal },
    Verb { name: "reset", about: "Forget that a service failed", arguments: change::one, run: change::reset },
    Verb { name: "hold", about: "Have everybody leave a service as it is", arguments: change::held, run: change::hold },
    Verb { name: "unhold", about: "Let it follow what the machine wants of it again", arguments: change::one, run: change::unhold },
    Verb { name: "freeze", about: "Have all processes of services stand still", arguments: change::frozen, run: change::freeze },
    Verb { name: "thaw", about: "Let them go on", arguments: change::names, run: change::thaw },
    Verb { name: "enable", about: "Have the boot start a service: edits its file", arguments: enable::arguments, run: enable::enable },
    Verb { name: "disable", about: "Have the boot leave a service alone: edits its file", arguments: enable::arguments, run: enable::disable },
    Verb { name: "plan", about: "What apply would do, and why; nothing is changed", arguments: change::nothing, run: plan::run },
    Verb { name: "apply", about: "Read the file again and make the machine match it", arguments: change::trial, run: change::apply },
    Verb { name: "confirm", about: "Keep what apply --confirm has on trial", arguments: change::nothing, run: change::confirm },
    Verb { name: "upgrade", about: "Execute the finit on the disk; nothing restarts", arguments: change::program, run: change::upgrade },
    Verb { name: "check", about: "Check a file, without a running finit", arguments: offline::check_arguments, run: offline::check },
    Verb { name: "explain", about: "What a key of the file means", arguments: offline::explain_arguments, run: offline::explain },
    Verb { name: "target", about: "Bring the machine to a target", arguments: change::target_and_wait, run: change::target },
    Verb { name: "poweroff", about: "Turn the machine off", arguments: power::arguments, run: power::poweroff },
    Verb { name: "reboot", about: "Start the machine again", arguments: power::arguments, run: power::restart },
    Verb { name: "halt", about: "Stop the machine, with its power on", arguments: power::arguments, run: power::halt },
    Verb { name: "cancel", about: "Drop the shutdown that is to come", arguments: power::cancel_arguments, run: power::cancel },
    Verb { name: "completions", about: "What a shell completes, names of services included", arguments: shells::completions_arguments, run: shells::completions },
    Verb { name: "man", about: "The manual page", arguments: shells::man_arguments, run: shells::man },
];

/// Whether these words ask for objects of the protocol, as long as no parser has read them: an
/// error about them is one too.
pub fn asks_for_objects<Word: PartialEq<str>>(words: &[Word]) -> bool {
    words.iter().take_while(|word| **word != *"--").any(|word| *word == *"--json")
}

/// Runs `finitctl` with those words.
pub fn run(words: &[String], mut session: Session) -> Status {
    // What scripts ask in loops needs no parser, which would cost a quarter of the run.
    if let Some(("status", names)) = words.split_first().map(|(verb, names)| (verb.as_str(), names))
        && !names.is_empty()
        && names.iter().all(|name| !name.starts_with('-'))
    {
        let result = status::services(&mut session, names.iter().map(String::as_str));
        return session.end(result);
    }
    let mut words = words.to_vec();
    if asks_for_objects(&words) {
        session.form = Form::Json;
    }
    let known = match first_word(&words) {
        Some(first) => VERBS.iter().find(|verb| verb.name == first),
        None if asks_about_us(&words) => None,
        None => {
            words.insert(0, "status".to_owned());
            VERBS.first()
        }
    };
    let parser = match known {
        Some(verb) => command(std::slice::from_ref(verb)),
        None => command(VERBS),
    };
    let parsed =
        parser.try_get_matches_from(iter::once(NAME).chain(words.iter().map(String::as_str)));
    let matches = match parsed {
        Ok(matches) => matches,
        Err(error) => return refuse(&error, session),
    };
    let result = match matches.get_one::<String>("host") {
        Some(host) => Err(remote::run(host, &words)),
        None => perform(&mut session, &matches),
    };
    session.end(result)
}

fn perform(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let Some((name, of_verb)) = matches.subcommand() else {
        return Err(Failure::Usage("no command".to_owned()));
    };
    session.patience = of_verb.get_one::<Duration>("timeout").copied();
    if let Some(socket) = of_verb.get_one::<PathBuf>("socket") {
        session.socket = socket.clone();
    }
    match VERBS.iter().find(|verb| verb.name == name) {
        Some(verb) => (verb.run)(session, of_verb),
        None => Err(Failure::Usage(format!("`{name}` is no command"))),
    }
}

/// Help and versions are results; anything else is a mistake, and nothing was done.
fn refuse(error: &clap::Error, mut session: Session) -> Status {
    let rendered = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        session.output.text(rendered.trim_end());
        session.output.text("\n");
        return session.end(Ok(Status::Done));
    }
    let message = rendered.trim_end();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    match session.form {
        Form::Json => session.complain(&Failure::Usage(message.to_owned())),
        Form::Text => session.output.warn(message),
    }
    session.end(Ok(Status::Usage))
}

/// Options of every command that take a value of their own.
const VALUED: [&str; 4] = ["--socket", "--timeout", "--host", "-H"];

/// The first word that is neither an option nor the value of one.
fn first_word(words: &[String]) -> Option<&str> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if VALUED.contains(&word) {
            words.next();
        } else if !word.starts_with('-') || word == "--" {
            return Some(word);
        }
    }
    None
}

fn asks_about_us(words: &[String]) -> bool {
    words.iter().any(|word| matches!(word.as_str(), "-h" | "--help" | "-V" | "--version"))
}

/// All that can be typed.
pub fn whole() -> Command {
    command(VERBS)
}

fn command(verbs: &[Verb]) -> Command {
    let everywhere = |name: &'static str| Arg::new(name).long(name).global(true);
    let top = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Looks after finit, the init of this machine")
        .disable_help_subcommand(true)
        .arg(
            everywhere("socket")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Where finit listens, instead of /run/initctl"),
        )
        .arg(
            everywhere("json")
                .action(ArgAction::SetTrue)
                .help("Objects of the protocol, one a line; an error is one too"),
        )
        .arg(
            everywhere("timeout")
                .value_name("TIME")
                .value_parser(text::parse_time)
                .help("Wait no longer than this: 30s, 2min"),
        )
        .arg(
            everywhere("host")
                .short('H')
                .value_name("USER@HOST")
                .help("Run the command there, over ssh"),
        );
    verbs.iter().fold(top, |top, verb| {
        top.subcommand((verb.arguments)(Command::new(verb.name).about(verb.about)))
    })
}
