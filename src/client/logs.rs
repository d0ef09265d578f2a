//! `finitctl logs`: the last lines of services, and those to come.
//!
//! finit writes one file a service, or two where its stderr goes elsewhere. The client reads them
//! itself, by the paths that the reports name: PID 1 never carries log lines.

use std::io;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::connect::Failure;
use super::log_file::{OpenLog, time_of};
use super::status::{ask_machine, ask_services, hidden};
use super::{Form, Session, Status, since};
use crate::proto::report::Detail;
use crate::proto::{Code, Refusal, ServiceReport};

/// How often a followed file is looked at, in milliseconds.
const LOOK_MS: u16 = 250;

/// The words behind `logs`.
pub fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("names")
                .value_name("NAME")
                .num_args(0..)
                .help("Services, or patterns; all without"),
        )
        .arg(
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("How many of the last lines; without: 20, or all with --since"),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .value_parser(since::parse)
                .allow_hyphen_values(true)
                .help("Those from then on: 10min, 14:00, yesterday, \"2026-11-24 14:00\"; local"),
        )
        .arg(
            Arg::new("follow")
                .short('f')
                .long("follow")
                .action(ArgAction::SetTrue)
                .help("Go on with lines as they come"),
        )
}

/// One log file that is followed.
struct Log {
    /// Whose lines are in it, each with what stands before them where others may share it.
    services: Vec<(String, Option<String>)>,
    /// Only those of these services are shown.
    is_theirs: bool,
    path: String,
    /// The file that was read last, which keeps its lines when it is rotated away.
    open: Option<OpenLog>,
    /// The beginning of a line that is not complete yet.
    partial: Vec<u8>,
}

/// Runs it.
///
/// # Errors
/// No answer.
pub fn run(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let names: Vec<String> = matches.get_many("names").into_iter().flatten().cloned().collect();
    let since = matches.get_one::<String>("since").map_or("", String::as_str);
    let all = if since.is_empty() { 20 } else { usize::MAX };
    let count = matches.get_one::<usize>("lines").copied().unwrap_or(all);
    let (mut logs, mut status) = find(session, &names)?;
    let _fewer = allow_descriptors();
    for trouble in open(&mut logs) {
        session.complain(&Failure::Local(trouble));
        status = Status::Failed;
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    for log in &mut logs {
        // To where the file ended above, so that following goes on with the very next line.
        let last = log.open.take().map_or(Ok(Vec::new()), |mut open| {
            let lines = open.tail(&log.path, count, since, &|line| log.is_shown(line));
            log.open = Some(open);
            lines
        });
        let last = last.unwrap_or_else(|error| {
            session.complain(&Failure::Local(format!("{}: {error}", log.path)));
            status = Status::Failed;
            Vec::new()
        });
        lines.extend(last.into_iter().map(|line| (log.owner(&line), line)));
    }
    if logs.len() > 1 {
        sort(&mut lines);
    }
    let skipped = lines.len().saturating_sub(count);
    let several = are_several(&logs);
    for (service, line) in lines.iter().skip(skipped) {
        print(session, service, line, several);
    }
    if matches.get_flag("follow") {
        follow(session, &mut logs);
    }
    Ok(status)
}

/// Each file stays open, so that following goes on where showing ends: as many as may be, for there
/// may be thousands.
fn allow_descriptors() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// The log files of those services, or of all that have one.
fn find(session: &mut Session, names: &[String]) -> Result<(Vec<Log>, Status), Failure> {
    let everyone = names.is_empty();
    let names = match everyone {
        false => names.to_vec(),
        true => ask_machine(session)?
            .services
            .into_iter()
            .filter(|entry| matches!(entry.kind.as_str(), "service" | "task"))
            .map(|entry| entry.name)
            .collect(),
    };
    let (mut logs, mut status): (Vec<Log>, Status) = (Vec::new(), Status::Done);
    for name in names {
        let services = match services(session, &name) {
            Ok(services) => services,
            Err(failure @ Failure::Refused(_)) if !everyone => {
                session.complain(&failure);
                status = failure.status();
                continue;
            }
            Err(Failure::Refused(_)) => continue,
            Err(failure) => return Err(failure),
        };
        for service in services {
            let Some(detail) = service.detail else { return Err(hidden("log files")) };
            let mut files = files(&detail).peekable();
            if files.peek().is_none() && !everyone {
                session.complain(&Failure::Local(format!(
                    "{}: no log file; see `log` in /etc/finit.toml",
                    service.name
                )));
                status = Status::Failed;
            }
            files.for_each(|file| add(&mut logs, &service.name, file, !everyone));
        }
    }
    Ok((logs, status))
}

/// The services of that name, or those of a pattern; of a template, its instances.
fn services(session: &mut Session, name: &str) -> Result<Vec<ServiceReport>, Failure> {
    let (templates, mut services): (Vec<_>, Vec<_>) =
        ask_services(session, name)?.into_iter().partition(|one| one.kind == "template");
    let mut empty = None;
    for template in templates {
        match ask_services(session, &format!("{}@*", template.name)) {
            Ok(instances) => services.extend(instances),
            Err(Failure::Refused(refusal)) if refusal.code == Code::NoSuchService => {
                let message = format!("{} has no instances", template.name);
                empty = Some(Failure::Refused(Refusal::new(Code::NoSuchService, message)));
            }
            Err(failure) => return Err(failure),
        }
    }
    // Where there are others, one without has no lines to show, and that is all.
    match empty.filter(|_| services.is_empty()) {
        Some(failure) => Err(failure),
        None => Ok(services),
    }
}

/// Adds a file of a service, which may be that of others too.
fn add(logs: &mut Vec<Log>, service: &str, (path, tag): (&str, Option<&str>), is_theirs: bool) {
    let service = (service.to_owned(), tag.map(str::to_owned));
    match logs.iter_mut().find(|log| log.path == path) {
        Some(log) if log.services.contains(&service) => {}
        Some(log) => log.services.push(service),
        None => logs.push(Log {
            services: vec![service],
            is_theirs,
            path: path.to_owned(),
            open: None,
            partial: Vec::new(),
        }),
    }
}

/// Opens the files that there are, and says what of that failed. A terminal or a pipe, which keeps
/// no lines, is none of it where the other stream of the service has a file.
fn open(logs: &mut [Log]) -> Vec<String> {
    let mut troubles = Vec::new();
    for log in &mut *logs {
        match OpenLog::newest(&log.path) {
            Ok(open) => log.open = Some(open),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => troubles.push((log.services.clone(), log.path.clone(), error)),
        }
    }
    let has_file =
        |(name, _): &(String, _)| logs.iter().any(|log| log.is_of(name) && log.open.is_some());
    troubles.retain(|(services, path, _)| !is_no_file(path) || !services.iter().all(has_file));
    troubles.into_iter().map(|(_, path, error)| format!("{path}: {error}")).collect()
}

fn is_no_file(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// The files of the lines of a service, with what stands before these.
fn files(detail: &Detail) -> impl Iterator<Item = (&str, Option<&str>)> {
    let (log, errors) = (&detail.log, &detail.log_stderr);
    let files = [(log, &detail.log_tag), (errors, &detail.log_stderr_tag)].into_iter();
    files.filter_map(|(path, tag)| Some((path.as_deref()?, tag.as_deref())))
}

/// The word behind the time of a line, where that ends as a tag does.
fn tag_of(line: &str) -> Option<&str> {
    line.split(' ').nth(1).and_then(|word| word.strip_suffix(':'))
}

/// Whether a line has that tag, or is about lines that are lost to all.
fn has_tag(line: &str, tag: &str) -> bool {
    tag_of(line) == Some(tag) || line.split(' ').nth(1) == Some("...")
}

/// Whether these are of more than one service.
fn are_several(logs: &[Log]) -> bool {
    let mut services = logs.iter().flat_map(|log| &log.services).map(|(name, _)| name);
    let first = services.next();
    services.any(|service| Some(service) != first)
}

/// Each line begins with its time, so sorting by text is sorting by time.
fn sort(lines: &mut [(String, String)]) {
    lines.sort_by(|(_, one), (_, other)| time_of(one).cmp(time_of(other)));
}

fn print(session: &mut Session, service: &str, line: &str, several: bool) {
    match session.form {
        Form::Json => session.output.json(&serde_json::json!({"service": service, "line": line})),
        Form::Text if several => session.output.line(&format!("{service}: {line}")),
        Form::Text => session.output.line(line),
    }
}

/// Prints what is added to the files until nobody reads it any more.
fn follow(session: &mut Session, logs: &mut [Log]) {
    let several = are_several(logs);
    loop {
        session.output.flush();
        if session.output.is_closed() || is_unread() {
            return;
        }
        for (service, line) in news(logs) {
            print(session, &service, &line, several);
        }
    }
}

/// What was added to all of them since the last look, with whose it is.
fn news(logs: &mut [Log]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for log in &mut *logs {
        let news = log.news().into_iter().filter(|line| log.is_shown(line));
        lines.extend(news.map(|line| (log.owner(&line), line)));
    }
    if logs.len() > 1 {
        sort(&mut lines);
    }
    lines
}

/// Sleeps for a look's time, or shorter if the reader of our output went away.
fn is_unread() -> bool {
    let out = io::stdout();
    let fd = std::os::fd::AsFd::as_fd(&out);
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    poll(&mut fds, PollTimeout::from(LOOK_MS)).is_ok_and(|ready| ready > 0)
}

impl Log {
    /// Whose line that is. In a file of several services a name stands behind the time; where it
    /// is a tag that none of them is called, it is the file that is known.
    fn owner(&self, line: &str) -> String {
        let tag = tag_of(line);
        let is_it = |(name, own): &&(String, Option<String>)| {
            self.services.len() == 1 || Some(own.as_ref().unwrap_or(name).as_str()) == tag
        };
        self.services.iter().find(is_it).map_or(&self.path, |(name, _)| name).clone()
    }

    /// Whether its lines are among those of the file.
    fn is_of(&self, service: &str) -> bool {
        self.services.iter().any(|(name, _)| name == service)
    }

    /// Whether a line is one of those that were asked for.
    fn is_shown(&self, line: &str) -> bool {
        let is_of = |tag: &Option<String>| tag.as_ref().is_none_or(|tag| has_tag(line, tag));
        !self.is_theirs || self.services.iter().any(|(_, tag)| is_of(tag))
    }

    /// Lines that were completed since the last look: the rest of a file that was rotated
    /// away, those that followed it and are rotated away too, then the one that took their place.
    fn news(&mut self) -> Vec<String> {
        self.news_by(OpenLog::open)
    }

    fn news_by(&mut self, open: impl FnOnce(&str) -> io::Result<OpenLog>) -> Vec<String> {
        let mut bytes = Vec::new();
        if let Some(open) = &mut self.open {
            let grown = open.grown();
            if grown.is_cut {
                self.partial.clear();
            }
            bytes = grown.bytes;
        }
        if let Ok(mut newest) = open(&self.path)
            && self.open.as_ref().is_none_or(|open| open.inode != newest.inode)
        {
            if let Some(open) = &mut self.open {
                // What it got between the look at it and its end.
                bytes.append(&mut open.grown().bytes);
                let known = (open.inode, open.changed());
                let between = newest.since(&self.path, known).into_iter();
                between.for_each(|mut one| bytes.append(&mut one.whole()));
            }
            bytes.append(&mut newest.whole());
            self.open = Some(newest);
        }
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if let Some(line) = self.partial.strip_suffix(b"\n") {
                lines.push(String::from_utf8_lossy(line).into_owned());
                self.partial.clear();
            }
        }
        lines
    }
}

/// The last lines of a service, as far as its files can be read.
pub fn tail(detail: &Detail, count: usize) -> Vec<String> {
    let of = |(path, tag): (&str, Option<&str>)| {
        let is_own = |line: &str| tag.is_none_or(|tag| has_tag(line, tag));
        OpenLog::newest(path)?.tail(path, count, "", &is_own)
    };
    let read = files(detail).filter_map(|file| of(file).ok());
    let mut lines: Vec<String> = read.flatten().collect();
    if detail.log_stderr.is_some() {
        lines.sort_by(|one, other| time_of(one).cmp(time_of(other)));
    }
    lines.split_off(lines.len().saturating_sub(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_at(path: String) -> Log {
        let services = vec![("web".to_owned(), None)];
        Log { services, is_theirs: true, path, open: None, partial: Vec::new() }
    }

    /// What is written between two looks, to the file that is rotated away, is shown too.
    #[test]
    fn no_line_is_lost_at_a_rotation() {
        let name = format!("finit-news-{}", std::process::id());
        let path = std::env::temp_dir().join(name).to_str().unwrap().to_owned();
        let append = |text: &str| {
            let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
            std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
        };
        append("one\n");
        let mut log = log_at(path.clone());
        assert_eq!(log.news(), ["one"]);
        let rotated = format!("{path}.1");
        let lines = log.news_by(|path| {
            append("two\n");
            std::fs::rename(path, &rotated).unwrap();
            append("three\n");
            OpenLog::open(path)
        });
        assert_eq!(lines, ["two", "three"]);
        // The writer takes back what a full disk has room for only in part.
        append("four\nfi");
        assert_eq!(log.news(), ["four"]);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(log.news(), [""; 0]);
        append("five\n");
        assert_eq!(log.news(), ["five"]);
        // Emptied, and filled by another.
        file.set_len(0).unwrap();
        append("new\n");
        assert_eq!(log.news(), ["new"]);
        [path, rotated].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    #[test]
    fn what_is_found_in_one_look_is_shown_by_time() {
        let of = |stream: &str, text: &str| {
            let name = format!("finit-{stream}-{}", std::process::id());
            let path = std::env::temp_dir().join(name).to_str().unwrap().to_owned();
            std::fs::write(&path, text).unwrap();
            log_at(path)
        };
        let mut logs = [
            of("out", "00:01 one\n00:03 three\n00:03 four\n"),
            of("err", "00:02 two\n00:04 five\n"),
        ];
        let lines: Vec<String> = news(&mut logs).into_iter().map(|(_, line)| line).collect();
        let expected = ["00:01 one", "00:02 two", "00:03 three", "00:03 four", "00:04 five"];
        assert_eq!(lines, expected);
        for log in &logs {
            std::fs::remove_file(&log.path).unwrap();
        }
    }
}
