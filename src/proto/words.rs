//! The spelling for people and shell scripts: `printf 'status sshd\n' | socat - UNIX:/run/initctl`.

use std::fmt::Write as _;
use std::num::NonZeroU64;

use super::frame::{Answer, shortened};
use super::{Chapter, Code, NOT_IN_FILE, Outcome, Power, Refusal, Reply, Request, ServiceReport};

impl Request {
    /// What was asked for, as a person would have typed it.
    pub fn spoken(&self) -> String {
        match self {
            Self::Hello => "hello".to_owned(),
            Self::Ping => "ping".to_owned(),
            Self::List => "list".to_owned(),
            Self::Status { name } => format!("status {name}"),
            Self::Why { name } => format!("why {name}"),
            Self::Start { names } => format!("start {}", names.join(" ")),
            Self::Stop { names } => format!("stop {}", names.join(" ")),
            Self::StopGently { names } => format!("stop --gentle {}", names.join(" ")),
            Self::Restart { names } => format!("restart {}", names.join(" ")),
            Self::Reload { names } => format!("reload {}", names.join(" ")),
            Self::Graph { name: None } => "graph".to_owned(),
            Self::Graph { name: Some(name) } => format!("graph {name}"),
            Self::Plan => "plan".to_owned(),
            Self::Apply => "apply".to_owned(),
            Self::ApplyOnTrial { seconds } => format!("apply --confirm {seconds}s"),
            Self::Confirm => "confirm".to_owned(),
            Self::Upgrade { .. } => "upgrade".to_owned(),
            Self::Signal { name, signal } => format!("signal {signal} {name}"),
            Self::Reset { name } => format!("reset {name}"),
            Self::Hold { name } => format!("hold {name}"),
            Self::Unhold { name } => format!("unhold {name}"),
            Self::Freeze { names } => format!("freeze {}", names.join(" ")),
            Self::Thaw { names } => format!("thaw {}", names.join(" ")),
            Self::Wait { .. } => "wait".to_owned(),
            Self::Power { how } | Self::SchedulePower { how, .. } => how.to_string(),
            Self::CancelPower { .. } => "cancel".to_owned(),
            Self::Target { name } => format!("target {name}"),
        }
    }
}

/// Reads a line of words.
///
/// # Errors
/// A refusal that lists what is understood.
pub fn parse(line: &str) -> Result<Request, Refusal> {
    let mut words = line.split_whitespace();
    let verb = words.next().unwrap_or_default();
    let names: Vec<String> = words.map(str::to_owned).collect();
    let one = || match names.as_slice() {
        [name] => Ok(name.clone()),
        _ => Err(Refusal::new(Code::BadRequest, format!("{verb} takes one name"))),
    };
    let some = || {
        if names.is_empty() {
            return Err(Refusal::new(Code::BadRequest, format!("{verb} takes a name")));
        }
        Ok(names.clone())
    };
    Ok(match verb {
        "ping" => Request::Ping,
        "hello" => Request::Hello,
        "list" => Request::List,
        "status" if names.is_empty() => Request::List,
        "status" => Request::Status { name: one()? },
        "why" => Request::Why { name: one()? },
        "start" => Request::Start { names: some()? },
        "stop" if names.first().is_some_and(|word| word == "--gentle") => {
            Request::StopGently { names: behind(verb, &names)? }
        }
        "stop" => Request::Stop { names: some()? },
        // As in the original: without a name the machine is meant.
        "restart" | "reboot" if names.is_empty() => Request::Power { how: Power::Reboot },
        "restart" => Request::Restart { names: some()? },
        "poweroff" if names.is_empty() => Request::Power { how: Power::Poweroff },
        "halt" if names.is_empty() => Request::Power { how: Power::Halt },
        "cancel" if names.is_empty() => {
            Request::CancelPower { message: String::new(), quiet: false }
        }
        "graph" if names.is_empty() => Request::Graph { name: None },
        "graph" => Request::Graph { name: Some(one()?) },
        "plan" if names.is_empty() => Request::Plan,
        "apply" | "reload" if names.is_empty() => Request::Apply,
        "apply" | "reload" if names.first().is_some_and(|word| word == "--confirm") => {
            Request::ApplyOnTrial { seconds: trial(&names)? }
        }
        "confirm" if names.is_empty() => Request::Confirm,
        "reload" => Request::Reload { names: some()? },
        "upgrade" if names.is_empty() => Request::Upgrade { program: None },
        "upgrade" => Request::Upgrade { program: Some(one()?) },
        "reset" => Request::Reset { name: one()? },
        "hold" => Request::Hold { name: one()? },
        "unhold" => Request::Unhold { name: one()? },
        "freeze" => Request::Freeze { names: some()? },
        "thaw" => Request::Thaw { names: some()? },
        "target" => Request::Target { name: one()? },
        "signal" => match names.as_slice() {
            [signal, name] => Request::Signal { name: name.clone(), signal: signal.clone() },
            _ => return Err(Refusal::new(Code::BadRequest, "signal takes a signal and a name")),
        },
        _ => {
            let verb = shortened(verb);
            return Err(Refusal::new(Code::UnknownMethod, format!("`{verb}` is not understood"))
                .hint(
                "ping, list, status, why, graph, start, stop, restart, reload, plan, apply, confirm, upgrade, signal, reset, \
                 hold, unhold, freeze, thaw, target, poweroff, reboot, halt, cancel",
            ));
        }
    })
}

/// The names behind an option.
fn behind(verb: &str, words: &[String]) -> Result<Vec<String>, Refusal> {
    match words {
        [_, names @ ..] if !names.is_empty() => Ok(names.to_vec()),
        _ => Err(Refusal::new(Code::BadRequest, format!("{verb} takes a name"))),
    }
}

/// The seconds behind `--confirm`.
fn trial(words: &[String]) -> Result<NonZeroU64, Refusal> {
    let time = match words {
        [_, time] => time.strip_suffix('s').unwrap_or(time).parse().ok(),
        _ => None,
    };
    time.ok_or_else(|| Refusal::new(Code::BadRequest, "--confirm takes seconds: --confirm 60s"))
}

/// An answer as lines of plain text.
pub fn render(answer: &Answer) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ok = match answer {
        Answer::Reply(Reply::Hello { protocol, version, .. }) => {
            writeln!(text, "finit {version} protocol {protocol}")
        }
        Answer::Reply(Reply::Pong) => writeln!(text, "pong"),
        Answer::Reply(Reply::Machine(machine)) => machine.services.iter().try_for_each(|s| {
            let pid = s.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            writeln!(text, "{} {} {pid}", s.name, s.state.word())
        }),
        Answer::Reply(Reply::Service(service)) => {
            writeln!(text, "{}", ok_or_dead(service))
        }
        Answer::Reply(Reply::Services(services)) => services
            .iter()
            .try_for_each(|service| writeln!(text, "{} {}", service.name, ok_or_dead(service))),
        Answer::Reply(Reply::Why(chapters)) => tell(&mut text, chapters),
        Answer::Reply(Reply::Stories(stories)) => {
            stories.iter().try_for_each(|chapters| tell(&mut text, chapters))
        }
        Answer::Reply(Reply::Graph(graph)) => graph.vertices.iter().try_for_each(|vertex| {
            writeln!(text, "{} {}", vertex.name, vertex.state.word())?;
            let needs = vertex.needs.iter().map(|need| ("needs", need.join("|")));
            let wants = vertex.wants.iter().map(|name| ("wants", name.clone()));
            let mut below = needs.chain(wants);
            below.try_for_each(|(relation, name)| writeln!(text, "  {relation} {name}"))
        }),
        Answer::Reply(Reply::Plan(changes)) => changes.iter().try_for_each(|change| {
            writeln!(text, "{} {}: {}", change.verb.word(), change.name, plain(&change.why))
        }),
        Answer::Reply(Reply::Job { job, .. }) => writeln!(text, "job {job}"),
        Answer::Reply(Reply::Done { message }) => writeln!(text, "{}", plain(message)),
        Answer::Refused(refusal) => writeln!(text, "error: {}", one_line(refusal)),
        Answer::Event(event) => {
            let end = match event.outcome {
                None => "",
                Some(Outcome::Done) => " (done)",
                Some(Outcome::Failed) => " (failed)",
                Some(Outcome::Replaced) if event.message == NOT_IN_FILE => " (gone)",
                Some(Outcome::Replaced) => " (replaced by another request)",
            };
            writeln!(text, "{}: {}{end}", plain(&event.service), plain(&event.message))
        }
    };
    text
}

fn ok_or_dead(service: &ServiceReport) -> &'static str {
    if service.state.is_up() { "ok" } else { "dead" }
}

/// Why a service is as it is.
fn tell(text: &mut String, chapters: &[Chapter]) -> std::fmt::Result {
    chapters.iter().try_for_each(|chapter| {
        let Chapter { name, state, reason, because, .. } = chapter;
        writeln!(text, "{name} {} {}", state.word(), plain(reason))?;
        because.iter().try_for_each(|why| {
            writeln!(text, "  {} s ago: {}", why.ago_ms / 1000, plain(&why.text))
        })
    })
}

fn one_line(refusal: &Refusal) -> String {
    let mut text = plain(&refusal.message);
    if !refusal.hint.is_empty() {
        text.push_str("; ");
        text.push_str(&plain(&refusal.hint));
    }
    text
}

/// One line that a terminal shows and does not obey: words go to a person as they are.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}
