//! `init WORDS` beside a running init: the words go to PID 1 as they are, and its answer comes
//! back as it is. For people, shell scripts and programs that know nothing else.

use super::connect::Failure;
use super::{Environment, Form, Session, Status, unexpected};
use crate::facts::glob;
use crate::proto::frame::{self, Answer};
use crate::proto::{Power, Reply, Request, words};

/// Passes the words on to PID 1 and prints its answer; the exit code to end with. `status NAME`
/// prints `ok` or `dead` and ends with 0 or 1.
pub fn pass_on(words: &[String]) -> u8 {
    pass_on_to(words, Session::new("init", &Environment::read())).code()
}

/// What `--version` prints.
pub const VERSION: &str = concat!("finit ", env!("CARGO_PKG_VERSION"));

const HELP: &str = "\
Usage: init WORDS
Passes words on to the finit that is PID 1: status NAME, start NAME, poweroff, …
Also a runlevel (0 power off, 6 reboot, 1 rescue, 2 to 5 default), q (apply) and u (upgrade).
";

/// The same in a session that exists already.
pub fn pass_on_to(words: &[String], mut session: Session) -> Status {
    let result = match words {
        [word] if word == "--version" => {
            session.output.line(VERSION);
            Ok(Status::Done)
        }
        [word] if matches!(word.as_str(), "-h" | "--help") => {
            session.output.text(HELP);
            Ok(Status::Done)
        }
        _ => exchange(words, &mut session),
    };
    session.end(result)
}

/// What a runlevel or letter of sysvinit asks for; none if the word is neither.
pub fn runlevel(word: &str) -> Option<Request> {
    let target = |name: &str| Some(Request::Target { name: name.to_owned() });
    match word {
        "0" => Some(Request::Power { how: Power::Poweroff }),
        "6" => Some(Request::Power { how: Power::Reboot }),
        "1" | "s" | "S" => target("rescue"),
        "2" | "3" | "4" | "5" => target("default"),
        "q" | "Q" => Some(Request::Apply),
        "u" | "U" => Some(Request::Upgrade { program: None }),
        _ => None,
    }
}

/// Has another program take the place of the finit that runs.
///
/// # Errors
/// Refused, or nobody there afterwards.
pub fn replace(session: &mut Session, program: Option<String>) -> Result<Status, Failure> {
    let replaced = session.ask(&Request::Upgrade { program });
    session.disconnect();
    match replaced {
        // The one that was asked is gone.
        Err(Failure::Lost(_)) => {}
        Err(other) => return Err(other),
        Ok(reply) => return Err(unexpected(&reply)),
    }
    let reply = session.ask(&Request::Hello)?;
    if session.form == Form::Json {
        session.output.json(&reply);
    }
    let Reply::Hello { version, .. } = reply else { return Err(unexpected(&reply)) };
    if session.form == Form::Text {
        session.output.line(&format!("finit {version} was executed; nothing was restarted"));
    }
    Ok(Status::Done)
}

fn exchange(words: &[String], session: &mut Session) -> Result<Status, Failure> {
    let line = line(words)?;
    // What is not understood never leaves: the server might be of another version.
    let request = words::parse(&line)
        .map_err(|refusal| Failure::Usage(Failure::Refused(refusal).to_string()))?;
    if let Request::Upgrade { program } = request {
        return replace(session, program);
    }
    let connection = session.connection()?;
    connection.send_line(&format!("{line}\n"))?;
    let mut status = None;
    let may_be_empty = match &request {
        Request::List | Request::Plan => true,
        Request::Status { name } => glob::is_pattern(name),
        _ => false,
    };
    // A list has no end mark, so it ends with the connection; other answers are one line.
    let is_list = may_be_empty || matches!(request, Request::Why { .. } | Request::Graph { .. });
    // What others tell may end with that word, too.
    let is_state = matches!(request, Request::List | Request::Status { .. });
    if is_list {
        connection.finish();
    }
    while let Some(answer) = session.connection()?.line()? {
        if let Some(error) = answer.strip_prefix("error: ") {
            session.output.complain(error);
            return Ok(Status::Failed);
        }
        // Who is turned away before anybody has heard how it asks is told so in JSON.
        if let Ok(Answer::Refused(refusal)) = frame::decode_answer(&answer) {
            return Err(Failure::Refused(refusal));
        }
        session.output.line(&answer);
        let dead = is_state && (answer == "dead" || answer.ends_with(" dead"));
        let of_this = if dead { Status::Failed } else { Status::Done };
        status = Some(status.unwrap_or(Status::Done).or(of_this));
        if !is_list {
            break;
        }
    }
    match status {
        None if !may_be_empty => Err(Failure::Lost("finit closed it".to_owned())),
        status => Ok(status.unwrap_or(Status::Done)),
    }
}

/// The words as one line for the socket.
fn line(words: &[String]) -> Result<String, Failure> {
    let line = match words {
        [word] => match runlevel(word) {
            Some(Request::Power { how: Power::Poweroff }) => "poweroff".to_owned(),
            Some(Request::Power { .. }) => "reboot".to_owned(),
            Some(Request::Target { name }) => format!("target {name}"),
            Some(Request::Upgrade { .. }) => "upgrade".to_owned(),
            Some(_) => "apply".to_owned(),
            None => word.clone(),
        },
        _ => words.join(" "),
    };
    // A word with a line end in it would be two requests.
    if line.contains(char::is_control) || line.starts_with('{') {
        return Err(Failure::Usage("words are plain text on one line".to_owned()));
    }
    Ok(line)
}
