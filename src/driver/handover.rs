//! finit executes itself: another program in the same process, with the same children, sockets,
//! pipes and groups. What it has to know goes through a file in memory; the descriptors stay
//! open under their numbers.
//!
//! The program on the disk is asked first whether it understands that file: one that does not,
//! or does not even start, is never executed.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::control::Call;
use super::groups::Way;
use super::reaper::Owner;
use super::records::Mark;
use super::site::Rare;
use super::store::Stored;
use super::{Driver, Fact};
use crate::boot::session::News;
use crate::boot::{Finished, Tools};
use crate::engine::{ConnectionId, Ended, Level, Lost, Memory, NodeId, RunId};
use crate::facts::{Errno, Exit, Moment, Pid};
use crate::logger::Kept;
use crate::os::{fds, proc, time};
use crate::proto::{Code, Refusal};

/// The word before the number of the descriptor.
const RESUME: &str = "--resume";
/// The word before the path of a handover that is to be looked at.
pub const CHECK: &str = "--check-handover";
/// What such a program says then. To end well is not enough: so does true(1).
const UNDERSTOOD: &str = "understood";
/// Programs that are between clone and exec are waited for, so often and so long.
const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(10);
/// So many of these looks are for clients too; one that only follows a job is left then.
const ANSWERING: u32 = 100;
/// How long the new program may look at the handover.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that the next finit has to know.
#[derive(Serialize, Deserialize)]
pub struct Handover {
    /// What the engine knows.
    pub engine: Memory,
    /// The file as it was read last.
    pub configuration: Configuration,
    /// The limit of descriptors that the kernel gave.
    pub descriptors: Option<(u64, u64)>,
    /// What the driver holds.
    pub held: Held,
    /// What the engine has yet to be told, where a panic interrupted the finit before.
    #[serde(default)]
    pub unfinished: Option<Unfinished>,
    /// When it panicked lately.
    #[serde(default)]
    pub panics: Vec<Moment>,
    /// When it was written.
    pub written: Moment,
}

/// News of the engine's runs that it was not told.
#[derive(Serialize, Deserialize)]
pub struct Unfinished {
    /// Those whose program was executed.
    pub executed: Vec<RunId>,
    /// Those whose process has ended, and how.
    pub ended: Vec<(Pid, RunId, Ended)>,
    /// What the engine had ordered, and was not carried out.
    #[serde(default)]
    pub lost: Lost,
    /// Whose program was about to be started.
    #[serde(default)]
    pub begun: Option<RunId>,
}

/// Processes and descriptors.
#[derive(Serialize, Deserialize)]
pub struct Held {
    children: Vec<(Pid, RunId)>,
    sites: Vec<HeldSite>,
    /// What is kept for the log writer: staging pipe out and in, spool.
    logs: Option<[RawFd; 3]>,
    writable: bool,
    listener: Option<RawFd>,
    #[serde(default)]
    records: Vec<(NodeId, Vec<News>)>,
    /// What was accepted and waits. An older finit does not know it: who waits then is served by
    /// nobody.
    #[serde(default)]
    connections: Vec<(ConnectionId, RawFd)>,
}

/// Its reading end and its writing end.
type Pipe = (RawFd, RawFd);

/// The pipes of a service's lines.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Pipes {
    /// One for both streams.
    One(Pipe),
    /// That of stdout, if there is one, and that of stderr. An older finit does not understand it,
    /// and so does not take over.
    Two(Option<Pipe>, Pipe),
}

impl Pipes {
    fn new(output: Option<Pipe>, errors: Option<Pipe>) -> Option<Self> {
        match errors {
            Some(errors) => Some(Self::Two(output, errors)),
            None => output.map(Self::One),
        }
    }

    /// That of stdout, and that of stderr.
    fn apart(held: Option<Self>) -> (Option<Pipe>, Option<Pipe>) {
        match held {
            Some(Self::Two(output, errors)) => (output, Some(errors)),
            Some(Self::One(output)) => (Some(output), None),
            None => (None, None),
        }
    }
}

/// What is held for a node.
#[derive(Serialize, Deserialize)]
struct HeldSite {
    node: NodeId,
    group: Option<String>,
    /// One that does not say it does not know it either.
    #[serde(default)]
    way: Way,
    pipe: Option<Pipes>,
    /// Where the finit before wrote the second one: one that is older does not look for it there,
    /// and the service would wait for ever for somebody who reads its stderr.
    #[serde(default, skip_serializing)]
    errors: Option<Pipe>,
    sockets: Vec<RawFd>,
    sessions: Vec<Pid>,
    #[serde(default)]
    notify: Option<RawFd>,
    #[serde(default)]
    line: Option<(u32, RawFd)>,
    #[serde(default)]
    kept: Vec<(String, RawFd)>,
    /// Those of them that are kept only until their other side is gone.
    #[serde(default)]
    polled: Vec<RawFd>,
    #[serde(default)]
    foreign: Vec<(u32, RawFd)>,
    #[serde(default)]
    variables: Vec<(String, String)>,
    #[serde(default)]
    own_user: Option<u32>,
    #[serde(default)]
    marks: Vec<(u32, Mark)>,
}

/// Says on stdout whether this finit understands that handover, and as an exit code.
pub fn check(path: &Path) -> u8 {
    let read = std::fs::File::open(path).map_err(|e| e.to_string()).and_then(read);
    let words = read.as_ref().map_or_else(String::as_str, |_| UNDERSTOOD);
    let told = fds::write(std::io::stdout().as_fd(), words.as_bytes());
    u8::from(read.is_err() || told.is_err())
}

fn read(mut file: std::fs::File) -> Result<Handover, String> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// Takes the handover that these words name out of them, if they do.
///
/// # Errors
/// In words. Whoever cannot read it must not start anything: all of it runs already.
pub fn take(words: &mut Vec<String>) -> Result<Option<Handover>, String> {
    let Some(at) = words.iter().position(|word| word == RESUME) else { return Ok(None) };
    let number = words.drain(at..).nth(1).and_then(|number| number.parse().ok());
    let file = number.and_then(fds::adopt).ok_or("there is no handover under that number")?;
    read(file.into()).map(Some)
}

/// The program that is to take over.
pub struct Successor {
    program: String,
    /// The client who asked; it is answered only if nothing comes of it.
    asked_by: Option<Call>,
    /// How often to look still whether this finit has the peace for it.
    looks: u32,
}

impl Driver {
    /// Has a program, without another word the one on the disk, look at a handover; if it is
    /// understood, it takes over.
    pub(super) fn replace_by(&mut self, program: Option<String>, asked_by: Option<Call>) {
        if self.successor.is_some() {
            let refusal = Refusal::new(Code::Busy, "finit is about to be replaced already");
            if let Some(call) = asked_by {
                self.refuse(&call, refusal);
            }
            return;
        }
        if let (Some(program), Some(call)) = (&program, &asked_by)
            && !program.starts_with('/')
        {
            let message = format!("`{program}` is no absolute path");
            let refusal = Refusal::new(Code::BadRequest, message).hint("begin it with `/`");
            return self.refuse(call, refusal);
        }
        let found = program.map_or_else(proc::own_program, Ok);
        let program = found.clone().unwrap_or_default();
        self.successor = Some(Successor { program, asked_by, looks: LOOKS });
        let written = found.and_then(|program| Ok((program, self.handover(None)?.0)));
        let (program, file) = match written {
            Ok(written) => written,
            Err(why) => return self.stay(&why),
        };
        let (hand, facts) = (self.hand.clone(), self.facts.clone());
        self.beside(async move {
            let path = format!("/proc/1/fd/{}", file.as_raw_fd());
            let words = [program.as_str(), CHECK, &path];
            let answer = match hand.run(&words, PATIENCE).await {
                Ok(Finished { exit: Exit::SUCCESS, output }) if output == UNDERSTOOD => Ok(()),
                Ok(Finished { exit, output }) => {
                    let said = if output.is_empty() { exit.to_string() } else { output };
                    Err(format!("{program} does not understand what it would get: {said}"))
                }
                Err(error) => Err(format!("{program}: {error}")),
            };
            // The loop never ends before its facts do.
            let _end = facts.send(Fact::Checked(answer)).await;
        });
    }

    /// Nothing came of it.
    fn stay(&mut self, why: &str) {
        if self.control.is_none()
            && let Some(listener) = self.listener.take()
            && self.serve_control(listener).is_err()
        {
            self.open_control();
        }
        let text = format!("finit is not executed anew: {why}");
        self.console.tell(Level::Trouble, &text);
        let successor = self.successor.take();
        if let Some(call) = successor.and_then(|successor| successor.asked_by) {
            self.refuse(&call, Refusal::new(Code::NotSupported, text));
        }
    }

    /// The program has looked at a handover; or there was no peace yet.
    pub(super) fn on_checked(&mut self, answer: Result<(), String>) {
        if let Err(why) = answer {
            return self.stay(&why);
        }
        let Some(successor) = &mut self.successor else { return };
        // Who comes from now on waits for the next finit; who is there is answered first.
        if self.listener.is_some()
            && let Some(task) = self.control.take()
        {
            task.abort();
        }
        let here = usize::from(successor.asked_by.is_some());
        let answering = self.clients.count() > here && successor.looks >= LOOKS - ANSWERING;
        if answering && successor.looks == LOOKS - ANSWERING {
            // With its connection would go what nobody has read, which is not ours to close.
            self.clients.hear_no_more();
        }
        let searching = self.searches.are_taken();
        let starting = self.reaper.starting().next();
        if answering || searching || starting.is_some() {
            match successor.looks.checked_sub(1) {
                Some(looks) => {
                    successor.looks = looks;
                    self.later(LOOK, Fact::Checked(Ok(())));
                }
                // Who waits for that would never be answered.
                None if searching => self.stay("instances are being looked for: try again later"),
                None => {
                    let name = starting.map(|(_, run)| self.engine.name(run.node));
                    let why = "is being started and does not get on: stop it first";
                    self.stay(&format!("{} {why}", name.unwrap_or_default()));
                }
            }
            return;
        }
        let program = successor.program.clone();
        let why = self.make_way(&program, None);
        self.stay(&why);
    }

    /// Hands all on to that program and executes it. Returns only if that fails, and why.
    pub(super) fn make_way(&mut self, program: &str, unfinished: Option<Unfinished>) -> String {
        self.flush_logs();
        self.signals.put_back();
        match self.handover(unfinished) {
            Ok((file, kept)) => self.execute(program, &file, &kept),
            Err(why) => why,
        }
    }

    fn execute(&self, program: &str, file: &OwnedFd, kept: &[BorrowedFd<'_>]) -> String {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let mut argv = vec![text(program)];
        argv.extend(self.own_words.iter().map(|word| text(word)));
        argv.extend([text(RESUME), text(&file.as_raw_fd().to_string())]);
        let variable = |(name, value): &(String, String)| text(&format!("{name}={value}"));
        let env: Vec<CString> = self.environment.iter().map(variable).collect();
        let all = || kept.iter().copied().chain([file.as_fd()]);
        let opened = all().try_for_each(|fd| fds::set_cloexec(fd, false));
        let failed = opened
            .err()
            .or_else(|| nix::unistd::execve(&text(program), &argv, &env).err().map(Errno::from));
        for fd in all() {
            // It was possible the other way round.
            let _set = fds::set_cloexec(fd, true);
        }
        failed.map(|errno| format!("{program}: {errno}")).unwrap_or_default()
    }

    /// The file for the next finit, and the descriptors that it names.
    fn handover(
        &self,
        unfinished: Option<Unfinished>,
    ) -> Result<(OwnedFd, Vec<BorrowedFd<'_>>), String> {
        let mut kept = Vec::new();
        // A number cannot be written down without its descriptor staying open.
        let mut keep = |fd| {
            let fd: &OwnedFd = fd;
            kept.push(fd.as_fd());
            fd.as_raw_fd()
        };
        let mut sites = Vec::new();
        for (node, site) in self.sites.iter() {
            let rare = site.rare();
            let output = site.pipe.as_ref().map(|(read, write)| (keep(read), keep(write)));
            let errors = rare.errors.as_ref().map(|(read, write)| (keep(read), keep(write)));
            sites.push(HeldSite {
                node,
                group: site.group.as_ref().map(|group| group.name().to_owned()),
                way: site.way,
                pipe: Pipes::new(output, errors),
                errors: None,
                sockets: site.sockets.iter().map(&mut keep).collect(),
                sessions: rare.sessions.clone(),
                notify: rare.notify.as_ref().map(&mut keep),
                line: rare.line.as_ref().map(|(generation, fd)| (*generation, keep(fd))),
                foreign: rare.foreign.iter().map(|(run, fd)| (*run, keep(fd))).collect(),
                kept: rare.kept.iter().map(|kept| (kept.name.clone(), keep(&kept.fd))).collect(),
                polled: rare.kept.iter().filter_map(Stored::polled).collect(),
                variables: rare.variables.clone(),
                own_user: rare.own_user,
                marks: rare.marks.iter().map(|(run, mark)| (*run, mark.clone())).collect(),
            });
        }
        let logs = self.logs.kept().map(|k| [&k.staging_out, &k.staging_in, &k.spool]);
        let held = Held {
            children: self.reaper.runs().collect(),
            sites,
            logs: logs.map(|logs| logs.map(&mut keep)),
            writable: self.logs.is_writable(),
            listener: self.listener.as_ref().map(&mut keep),
            records: self.records.untold(),
            connections: self.connections.iter().map(|(id, fd)| (*id, keep(fd))).collect(),
        };
        let handover = Handover {
            engine: match unfinished {
                Some(_) => self.engine.memory_at_once(),
                None => self.engine.memory()?,
            },
            configuration: self.configuration.clone(),
            descriptors: self.descriptors,
            held,
            unfinished,
            panics: self.panics.clone(),
            written: time::now(),
        };
        let bytes = serde_json::to_vec(&handover).map_err(|error| error.to_string())?;
        let file = fds::memfd("finit-handover").map_err(|errno| errno.to_string())?;
        let mut file = std::fs::File::from(file);
        file.write_all(&bytes).map_err(|error| error.to_string())?;
        Ok((file.into(), kept))
    }

    /// Takes up what the finit before has left; the engine has recalled its part already.
    pub(super) fn take_up(&mut self, left: Held, written: Moment) {
        self.open_groups();
        for held in left.sites {
            let group = held.group.and_then(|name| self.groups.make(&name).ok().flatten());
            let Some(site) = self.sites.of(held.node) else { continue };
            site.group = group;
            site.way = held.way;
            let both = |(read, write)| Some((fds::adopt(read)?, fds::adopt(write)?));
            let (output, errors) = Pipes::apart(held.pipe);
            site.pipe = output.and_then(both);
            site.sockets = held.sockets.into_iter().filter_map(fds::adopt).collect();
            let adopt = |(run, fd)| Some((run, fds::adopt(fd)?));
            site.set_rare(Rare {
                foreign: held.foreign.into_iter().filter_map(adopt).collect(),
                sessions: held.sessions,
                notify: held.notify.and_then(fds::adopt),
                line: held.line.and_then(adopt),
                variables: held.variables,
                own_user: held.own_user,
                marks: held.marks.into_iter().collect(),
                errors: errors.or(held.errors).and_then(both),
                ..Rare::default()
            });
            for (name, number) in held.kept {
                if let Some(fd) = fds::adopt(number) {
                    self.keep(held.node, name, fd, held.polled.contains(&number));
                }
            }
            self.listen_again(held.node);
        }
        let count = left.children.len();
        for (pid, run) in &left.children {
            if let Some(site) = self.sites.of(run.node) {
                site.runs.insert(run.generation, *pid);
            }
            self.reaper.adopt_running(*pid, Owner::Run(*run));
        }
        for (pid, run) in left.children {
            self.find_foreign(run, pid);
        }
        for (node, news) in left.records {
            self.tell_of(node, news);
        }
        let kept = left.logs.and_then(|[out, into, spool]| {
            let (staging_out, staging_in) = (fds::adopt(out)?, fds::adopt(into)?);
            Some(Kept { staging_out, staging_in, spool: fds::adopt(spool)? })
        });
        self.logs.take_up(kept, left.writable);
        self.take_up_connections(left.connections);
        if self.logs.is_writable() {
            self.watch_zone();
        }
        self.reopen_outputs();
        let listener = left.listener.and_then(fds::adopt);
        if listener.is_none_or(|listener| self.serve_control(listener).is_err()) {
            self.open_control();
        }
        let took = time::now().since(written).as_millis();
        let text = format!("finit was executed anew in {took} ms; {count} processes run on");
        self.console.tell(Level::Trouble, &text);
    }

    /// Those that the engine knows of: the others were lost with whoever was to serve them.
    fn take_up_connections(&mut self, left: Vec<(ConnectionId, RawFd)>) {
        let adopted = left.into_iter().filter_map(|(id, fd)| Some((id, fds::adopt(fd)?)));
        let mut adopted: BTreeMap<_, _> = adopted.collect();
        for id in self.engine.waiting_connections() {
            self.last_connection = self.last_connection.max(id.0);
            self.connections.extend(adopted.remove(&id).map(|fd| (id, fd)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_finit_has_one_pipe_a_service() {
        let text = r#"{"node":1,"group":null,"pipe":[4,5],"sockets":[],"sessions":[]}"#;
        let held: HeldSite = serde_json::from_str(text).unwrap();
        assert_eq!((Pipes::apart(held.pipe), held.errors), ((Some((4, 5)), None), None));
    }

    #[test]
    fn an_older_finit_does_not_take_over_a_second_pipe() {
        for output in [None, Some((4, 5))] {
            let held = Pipes::new(output, Some((6, 7)));
            let text = serde_json::to_string(&held).unwrap();
            assert!(serde_json::from_str::<Option<Pipe>>(&text).is_err(), "{text}");
            let read = serde_json::from_str::<Option<Pipes>>(&text).unwrap();
            assert_eq!(Pipes::apart(read), (output, Some((6, 7))));
        }
        let held = Pipes::new(Some((4, 5)), None);
        assert_eq!(serde_json::to_string(&held).unwrap(), "[4,5]");
        assert_eq!(Pipes::new(None, None), None);
    }
}
