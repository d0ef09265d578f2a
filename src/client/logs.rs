//! `finitctl logs`: the last lines of services, and those to come.
//!
//! finit writes one file a service, or two where its stderr goes elsewhere. The client reads them
//! itself, by the paths that the reports name: PID 1 never carries log lines.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::connect::Failure;
use super::status::{ask_machine, ask_services, hidden};
use super::{Form, Session, Status, since};
use crate::os::place::{self, Place};
use crate::proto::report::Detail;
use crate::proto::{Code, Refusal, ServiceReport};

/// How often a followed file is looked at, in milliseconds.
const LOOK_MS: u16 = 250;

/// First piece of a file's end that is read; larger ones follow until enough lines are found.
const BLOCK: u64 = 8 * 1024;

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
    /// Whose lines are in it.
    services: Vec<String>,
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
    for trouble in open(&mut logs) {
        session.complain(&Failure::Local(trouble));
        status = Status::Failed;
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    for log in &mut logs {
        // To where the file ended above, so that following goes on with the very next line.
        let last =
            log.open.as_mut().map_or(Ok(Vec::new()), |open| open.tail(&log.path, count, since));
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
            files.for_each(|path| add(&mut logs, &service.name, path));
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
fn add(logs: &mut Vec<Log>, service: &str, path: &str) {
    let service = service.to_owned();
    match logs.iter_mut().find(|log| log.path == path) {
        Some(log) if log.services.contains(&service) => {}
        Some(log) => log.services.push(service),
        None => logs.push(Log {
            services: vec![service],
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
        match OpenLog::open(&log.path) {
            Ok(open) => log.open = Some(open),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => troubles.push((log.services.clone(), log.path.clone(), error)),
        }
    }
    let has_file =
        |name: &String| logs.iter().any(|log| log.services.contains(name) && log.open.is_some());
    troubles.retain(|(services, path, _)| !is_no_file(path) || !services.iter().all(has_file));
    troubles.into_iter().map(|(_, path, error)| format!("{path}: {error}")).collect()
}

fn is_no_file(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

/// The files of the lines of a service.
fn files(detail: &Detail) -> impl Iterator<Item = &str> {
    [&detail.log, &detail.log_stderr].into_iter().filter_map(|path| path.as_deref())
}

/// Whether these are of more than one service.
fn are_several(logs: &[Log]) -> bool {
    let mut services = logs.iter().flat_map(|log| &log.services);
    let first = services.next();
    services.any(|service| Some(service) != first)
}

/// Each line begins with its time, so sorting by text is sorting by time.
fn sort(lines: &mut [(String, String)]) {
    lines.sort_by(|(_, one), (_, other)| time_of(one).cmp(time_of(other)));
}

fn time_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
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
        lines.extend(log.news().into_iter().map(|line| (log.owner(&line), line)));
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
        let tag = line.split(' ').nth(1).and_then(|word| word.strip_suffix(':'));
        let is_it = |service: &&String| self.services.len() == 1 || Some(service.as_str()) == tag;
        self.services.iter().find(is_it).unwrap_or(&self.path).clone()
    }

    /// Lines that were completed since the last look: the rest of a file that was rotated
    /// away, those that followed it and are rotated away too, then the one that took their place.
    fn news(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        if let Some(open) = &mut self.open {
            bytes = open.grown();
        }
        if let Ok(mut newest) = OpenLog::open(&self.path)
            && self.open.as_ref().is_none_or(|open| open.inode != newest.inode)
        {
            let known = self.open.as_ref().map(|open| (open.inode, open.changed()));
            let between = known.map(|known| newest.since(&self.path, known));
            between.into_iter().flatten().for_each(|mut one| bytes.append(&mut one.whole()));
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
    let of = |path: &str| OpenLog::open(path)?.tail(path, count, "");
    let read = files(detail).filter_map(|path| of(path).ok());
    let mut lines: Vec<String> = read.flatten().collect();
    if detail.log_stderr.is_some() {
        lines.sort_by(|one, other| time_of(one).cmp(time_of(other)));
    }
    lines.split_off(lines.len().saturating_sub(count))
}

struct OpenLog {
    file: File,
    /// How much of it there was when it was looked at last.
    length: u64,
    inode: u64,
}

impl OpenLog {
    /// Only a regular file, and none that somebody else leads us to: a service that may write its
    /// own log's folder must not make us wait for a pipe, nor show what is root's.
    fn open(path: &str) -> io::Result<Self> {
        let found = Place::find(Path::new(path), false);
        let file = found.and_then(|place| place.open(place.name(), OFlag::O_RDONLY, 0));
        let file = file.map_err(|errno| match place::meaning(errno) {
            Some(why) => io::Error::other(why),
            None => io::Error::from_raw_os_error(errno.0),
        })?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Self { file, length: metadata.len(), inode: metadata.ino() })
    }

    /// The files before this one that came after the known one, oldest first. Where that is gone,
    /// they are those that were written to after it.
    fn since(&self, path: &str, (known, changed): (u64, Option<SystemTime>)) -> Vec<Self> {
        let mut between: Vec<Self> = Vec::new();
        let mut is_gone = true;
        for number in 1..=u32::MAX {
            let Ok(older) = Self::open(&format!("{path}.{number}")) else { break };
            if older.inode == known {
                is_gone = false;
                break;
            }
            // Another rotation meanwhile shows the one before again.
            let is_there = between.iter().chain([self]).any(|one| one.inode == older.inode);
            between.extend((!is_there).then_some(older));
        }
        if is_gone {
            between.retain(|one| one.changed() > changed);
        }
        between.reverse();
        between
    }

    /// When something was written last.
    fn changed(&self) -> Option<SystemTime> {
        self.file.metadata().and_then(|metadata| metadata.modified()).ok()
    }

    /// All of it.
    fn whole(&mut self) -> Vec<u8> {
        self.length = 0;
        self.grown()
    }

    /// What was added since; all of it where it was cut short.
    fn grown(&mut self) -> Vec<u8> {
        let before = self.length;
        let Ok(metadata) = self.file.metadata() else { return Vec::new() };
        self.length = metadata.len();
        let from = if self.length < before { 0 } else { before };
        self.read_from(from).unwrap_or_default()
    }

    /// The last lines, from files that were rotated away too where this one has not enough of
    /// them: NAME.log, NAME.log.1, and so on.
    fn tail(&mut self, path: &str, count: usize, since: &str) -> io::Result<Vec<String>> {
        let mut lines = self.own_tail(count, since)?;
        for number in 1..=u32::MAX {
            let missing = count.saturating_sub(lines.len());
            if missing == 0 {
                break;
            }
            let Ok(mut older) = Self::open(&format!("{path}.{number}")) else { break };
            let mut earlier = older.own_tail(missing, since)?;
            earlier.append(&mut lines);
            lines = earlier;
        }
        Ok(lines)
    }

    /// The last lines of this file whose times are not less than that one.
    fn own_tail(&mut self, count: usize, since: &str) -> io::Result<Vec<String>> {
        let mut block = BLOCK;
        loop {
            let from = self.length.saturating_sub(block);
            let bytes = self.read_from(from)?;
            let text = String::from_utf8_lossy(&bytes);
            let found = text.lines().count();
            // The first line of a piece may be the end of one.
            let begins_before = text.lines().nth(1).is_some_and(|line| time_of(line) < since);
            if found > count || from == 0 || begins_before {
                let skipped = found.saturating_sub(count).max(usize::from(from > 0));
                let lines = text.lines().skip(skipped).filter(|line| time_of(line) >= since);
                return Ok(lines.map(str::to_owned).collect());
            }
            block = block.saturating_mul(4);
        }
    }

    /// The file from there to where it ended at the last look.
    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let most = self.length.saturating_sub(offset);
        let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
        (&mut self.file).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_in_one_look_is_shown_by_time() {
        let of = |stream: &str, text: &str| {
            let name = format!("finit-{stream}-{}", std::process::id());
            let path = std::env::temp_dir().join(name).to_str().unwrap().to_owned();
            std::fs::write(&path, text).unwrap();
            Log { services: vec!["web".to_owned()], path, open: None, partial: Vec::new() }
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
