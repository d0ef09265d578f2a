//! A machine for scenarios: everything goes well unless the test says otherwise, programs run
//! until told to stop, and time passes when the test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finit::config::spec::{Conditions, SystemSpec};
use finit::engine::{
    Access, Ended, Event, Extent, Level, Notice, Peer, RunId, Spawn, Ticket, Verdict, What,
};
use finit::facts::{Errno, Exit, Moment, SignalNumber, SpawnError, Stage};
use finit::proto::{
    JobEvent, MachineReport, Outcome, Power, Refusal, Reply, Request, ServiceReport,
};

use crate::build::{Part, machine};
use crate::fates::{Fates, Look, Program, StepResult};
use crate::world::World;

/// What the test wants to go otherwise, by the name of the service or the first word of a hook.
#[derive(Debug, Default)]
pub struct Script {
    programs: BTreeMap<String, Program>,
    /// What is seen by whoever looks for a service; none: the look hangs.
    pub looks: BTreeMap<String, Option<Verdict>>,
    /// How reading the files of a service ends; none: it hangs.
    pub reads: BTreeMap<String, Option<Result<(), SpawnError>>>,
    /// What is there.
    pub paths: BTreeSet<String>,
    clone_fails: Vec<String>,
    bind_fails: Vec<String>,
    /// How groups freeze and thaw, where not at once.
    freezes: BTreeMap<(String, bool), Result<Option<Duration>, String>>,
    steps: BTreeMap<String, Option<(Duration, StepResult)>>,
    /// What each program that was started was told.
    told: Vec<String>,
}

impl Fates for Script {
    fn program(&mut self, order: &Spawn, _: Moment) -> Result<Program, SpawnError> {
        let told: Vec<String> = order.told.iter().map(|(k, v)| format!("{k}={v}")).collect();
        self.told.push(told.join(" "));
        let name = match order.what {
            What::Probe => format!("{}?", order.service.name),
            What::Health => format!("{}!", order.service.name),
            What::Hook => format!("{:?}", order.command.words),
            What::Main | What::Connection(_) => order.service.name.clone(),
        };
        let hit = |known: &&String| match order.what {
            What::Hook => name.contains(&format!("\"{known}\"")),
            What::Main | What::Connection(_) | What::Probe | What::Health => **known == name,
        };
        if self.clone_fails.iter().any(|known| hit(&known)) {
            return Err(error(Stage::Clone));
        }
        let known = self.programs.iter().find(|(known, _)| hit(known));
        Ok(known.map_or_else(|| Program::usual(order), |(_, program)| program.clone()))
    }

    fn bind(&mut self, name: &str, _: Moment) -> Result<(), SpawnError> {
        let fails = self.bind_fails.iter().any(|known| known == name);
        if fails { Err(error(Stage::Socket)) } else { Ok(()) }
    }

    fn step(&mut self, step: &'static str, _: Moment) -> Option<(Duration, StepResult)> {
        self.steps.get(step).cloned().unwrap_or(Some((Duration::ZERO, Ok(None))))
    }

    fn look(&mut self, name: &str, conditions: &Conditions, _: Moment) -> Look {
        if self.clone_fails.iter().any(|known| known == "look") {
            return Some((Duration::ZERO, Err(error(Stage::Clone))));
        }
        let missing = conditions.paths.iter().find(|path| !self.paths.contains(*path));
        let seen = match (missing, self.looks.get(name)) {
            (_, Some(None)) => None,
            (Some(path), _) => Some(Verdict::Missing(path.clone())),
            (None, known) => known.cloned().unwrap_or(Some(Verdict::Holds)),
        };
        seen.map(|verdict| (Duration::ZERO, Ok(verdict)))
    }

    fn read(&mut self, name: &str, _: Moment) -> Look {
        let known = self.reads.get(name).cloned().unwrap_or(Some(Ok(())));
        known.map(|result| (Duration::ZERO, result.map(|()| Verdict::Holds)))
    }

    fn arrives(&mut self, _: &str, _: Moment) -> Option<Duration> {
        None
    }

    fn freezes(&mut self, name: &str, on: bool, _: Moment) -> Result<Option<Duration>, String> {
        self.freezes.get(&(name.to_owned(), on)).cloned().unwrap_or(Ok(Some(Duration::ZERO)))
    }

    fn tie(&mut self) -> u64 {
        0
    }
}

pub fn error(stage: Stage) -> SpawnError {
    // A process that cannot be made is one for which there is no room.
    let errno = if stage == Stage::Clone { libc::EAGAIN } else { libc::ENOENT };
    SpawnError { stage, errno: Errno(errno), subject: String::new() }
}

/// A scenario.
pub struct Rig {
    pub world: World<Script>,
}

impl Rig {
    /// A machine that is about to boot.
    pub fn cold(spec: SystemSpec, target: &str) -> Self {
        let mut world = World::new(spec, target, 7, Script::default());
        world.diary.lines = Some(Vec::new());
        Self { world }
    }

    /// A machine that has booted with these.
    pub fn booted(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut rig = Self::cold(machine(parts), "default");
        rig.boot();
        rig
    }

    /// A machine with these that has booted after `change` said what goes otherwise.
    pub fn booted_but(
        parts: impl IntoIterator<Item = Part>,
        change: impl FnOnce(&mut Self),
    ) -> Self {
        let mut rig = Self::cold(machine(parts), "default");
        change(&mut rig);
        rig.boot();
        rig
    }

    pub fn boot(&mut self) {
        self.world.turn(Event::Began);
        self.now();
    }

    /// Everything that is due at this moment happens.
    pub fn now(&mut self) {
        self.pass(Duration::ZERO);
    }

    /// Time passes.
    pub fn pass(&mut self, time: Duration) {
        let end = self.world.now.after(time);
        let rests = self.world.run_until(end, 100_000);
        self.no_fault();
        assert!(rests, "events without end");
    }

    fn no_fault(&self) {
        if let Some(fault) = self.world.fault() {
            panic!("{fault}\n{}", self.story());
        }
    }

    /// What has happened so far, for a person.
    pub fn story(&self) -> String {
        self.world.diary.lines.as_ref().map(|lines| lines.join("\n")).unwrap_or_default()
    }

    // What the test wants to go otherwise.

    pub fn program(&mut self, name: &str, program: Program) {
        self.world.fates.programs.insert(name.to_owned(), program);
    }

    /// From now on this ends by itself, after that time and with that status.
    pub fn ends(&mut self, name: &str, after: Duration, code: u8) {
        self.program(name, Program::ends(after, code));
    }

    /// From now on this ignores SIGTERM.
    pub fn stubborn(&mut self, name: &str) {
        self.program(name, Program::stubborn());
    }

    /// From now on not even SIGKILL ends this for so long.
    pub fn hangs_in_the_kernel(&mut self, name: &str, time: Duration) {
        self.program(name, Program { dies: time, ..Program::stubborn() });
    }

    /// From now on this is never executed.
    pub fn hangs_before_exec(&mut self, name: &str) {
        self.program(name, Program { executes: None, ..Program::daemon() });
    }

    /// From now on starting this fails at that stage.
    pub fn fails_at(&mut self, name: &str, stage: Stage) {
        self.program(name, Program { fails: Some(error(stage)), ..Program::daemon() });
    }

    /// From now on the process of this cannot even be made.
    pub fn clone_fails(&mut self, name: &str) {
        self.world.fates.clone_fails.push(name.to_owned());
    }

    pub fn bind_fails(&mut self, name: &str) {
        self.world.fates.bind_fails.push(name.to_owned());
    }

    /// From now on this group freezes, or thaws, in that time, never, or cannot at all.
    pub fn freezes(&mut self, name: &str, on: bool, answer: Result<Option<Duration>, &str>) {
        let answer = answer.map_err(str::to_owned);
        self.world.fates.freezes.insert((name.to_owned(), on), answer);
    }

    /// From now on all goes well again.
    pub fn mends(&mut self, name: &str) {
        self.world.fates.programs.remove(name);
        self.world.fates.looks.remove(name);
        self.world.fates.clone_fails.retain(|known| known != name);
        self.world.fates.bind_fails.retain(|known| known != name);
    }

    /// The end of a boot step; none: it hangs.
    pub fn step(&mut self, step: &str, end: Option<(Duration, StepResult)>) {
        self.world.fates.steps.insert(step.to_owned(), end);
    }

    // What happens.

    /// The main process ends by itself.
    pub fn exits(&mut self, name: &str, code: u8) {
        self.ends_with(name, Ended::Exit(Exit::Code(code)));
    }

    /// The main process is killed from outside.
    pub fn crashes(&mut self, name: &str) {
        let exit = Exit::Signal { number: SignalNumber::KILL, core: false };
        self.ends_with(name, Ended::Exit(exit));
    }

    fn ends_with(&mut self, name: &str, ended: Ended) {
        let run = self.main(name);
        self.world.end(run, ended);
        self.now();
    }

    pub fn main(&self, name: &str) -> RunId {
        self.world.main_run(name).unwrap_or_else(|| panic!("{name} has no process"))
    }

    /// A process of this tells something of it, in the words of sd_notify(3).
    pub fn tells(&mut self, name: &str, text: &str) {
        let node = self.world.engine.number(name).expect("a node");
        self.world.tells(node, Notice::parse(text.as_bytes()));
        self.now();
    }

    /// The connections that are served end.
    pub fn connection_ends(&mut self) {
        let run = self.world.living(|what| matches!(what, What::Connection(_)))[0];
        self.world.end(run, Ended::Exit(Exit::SUCCESS));
        self.now();
    }

    pub fn connections(&self) -> usize {
        self.world.living(|what| matches!(what, What::Connection(_))).len()
    }

    pub fn connect(&mut self, name: &str, source: &str) {
        self.world.connect(name, Some(source));
        self.now();
    }

    /// What root asks for, and the answer.
    pub fn ask(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.ask_as(Access::Everything, request)
    }

    pub fn ask_as(&mut self, access: Access, request: Request) -> Result<Reply, Refusal> {
        let ticket = self.world.ask(access, request);
        self.no_fault();
        let answer = self.world.replies.remove(&ticket).expect("an answer");
        self.now();
        answer
    }

    /// What a client in that run asks for and will wait for, and the answer of the same turn.
    pub fn ask_in(&mut self, run: RunId, request: Request) -> Result<Reply, Refusal> {
        let (number, ticket) = (u64::MAX, Ticket(u64::MAX));
        let command = "finitctl".to_owned();
        let peer = Peer { uid: 0, pid: 78, command, access: Access::Everything };
        self.world.turn(Event::Requested { ticket, peer, request, waits: Some(run) });
        self.no_fault();
        self.world.replies.remove(&number).expect("an answer")
    }

    fn job(&mut self, request: Request) -> u64 {
        match self.ask(request) {
            Ok(Reply::Job { job, .. }) => job,
            other => panic!("no job: {other:?}"),
        }
    }

    pub fn start(&mut self, name: &str) -> u64 {
        self.job(Request::Start { names: vec![name.to_owned()] })
    }

    pub fn stop(&mut self, name: &str) -> u64 {
        self.job(Request::Stop { names: vec![name.to_owned()] })
    }

    pub fn restart(&mut self, name: &str) -> u64 {
        self.job(Request::Restart { names: vec![name.to_owned()] })
    }

    pub fn reload(&mut self, name: &str) -> Result<Reply, Refusal> {
        self.ask(Request::Reload { names: vec![name.to_owned()] })
    }

    pub fn reset(&mut self, name: &str) {
        self.ask(Request::Reset { name: name.to_owned() }).expect("it is cleared");
    }

    pub fn target(&mut self, name: &str) -> u64 {
        self.job(Request::Target { name: name.to_owned() })
    }

    pub fn power(&mut self, how: Power) -> Result<Reply, Refusal> {
        self.ask(Request::Power { how })
    }

    /// The file was edited and is followed; the answer in words.
    pub fn apply(&mut self, parts: impl IntoIterator<Item = Part>) -> String {
        self.load(machine(parts), Extent::Everything)
    }

    /// The file was edited and is only looked at.
    pub fn look_at(&mut self, parts: impl IntoIterator<Item = Part>) -> String {
        self.load(machine(parts), Extent::Definitions)
    }

    pub fn load(&mut self, spec: SystemSpec, extent: Extent) -> String {
        let ticket = self.world.load(spec, extent);
        self.loaded(ticket)
    }

    /// The same, on trial.
    pub fn try_out(&mut self, spec: SystemSpec, time: Duration) -> String {
        let ticket = self.world.try_out(spec, time);
        self.loaded(ticket)
    }

    fn loaded(&mut self, ticket: u64) -> String {
        self.now();
        match self.world.replies.remove(&ticket) {
            Some(Ok(Reply::Done { message })) => message,
            other => panic!("{other:?}"),
        }
    }

    // What is.

    /// How a job ended, if it has.
    pub fn outcome(&self, job: u64) -> Option<Outcome> {
        self.news(job).last().and_then(|news| news.outcome)
    }

    pub fn news(&self, job: u64) -> Vec<&JobEvent> {
        self.world.news.iter().filter(|news| news.job == job).collect()
    }

    /// The last word of a job.
    pub fn last_word(&self, job: u64) -> &str {
        self.news(job).last().map_or("", |news| news.message.as_str())
    }

    pub fn status(&mut self, name: &str) -> ServiceReport {
        match self.ask(Request::Status { name: name.to_owned() }) {
            Ok(Reply::Service(report)) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub fn machine(&mut self) -> MachineReport {
        match self.ask(Request::List) {
            Ok(Reply::Machine(report)) => *report,
            other => panic!("{other:?}"),
        }
    }

    /// State in the word that people see.
    pub fn state(&mut self, name: &str) -> &'static str {
        self.status(name).state.word()
    }

    /// State in the finer word of the engine, without asking.
    pub fn label(&self, name: &str) -> &'static str {
        let engine = &self.world.engine;
        let node = engine.number(name).and_then(|id| engine.peek(id.number()));
        node.map_or("unknown", |node| node.label)
    }

    pub fn reason(&mut self, name: &str) -> String {
        self.status(name).reason
    }

    /// How often the main program of this was started.
    pub fn starts(&self, name: &str) -> usize {
        let started = self.world.started.iter();
        started
            .filter(|(who, _, what)| {
                who == name && matches!(what, What::Main | What::Connection(_))
            })
            .count()
    }

    /// How often this was looked at by finit itself.
    pub fn looks(&self, name: &str) -> usize {
        let started = self.world.started.iter();
        started.filter(|(who, _, what)| who == name && *what == What::Health).count()
    }

    /// What was started, in order, as it would be typed; hooks as well.
    pub fn started(&self) -> Vec<&str> {
        self.world.started.iter().map(|(_, command, _)| command.as_str()).collect()
    }

    /// What a command was told each time it was started, in order.
    pub fn told(&self, command: &str) -> Vec<&str> {
        let all = self.world.started.iter().zip(&self.world.fates.told);
        all.filter(|((_, known, _), _)| known == command).map(|(_, told)| told.as_str()).collect()
    }

    /// Signals that this was sent, without the SIGCONT that goes with each.
    pub fn signals(&self, name: &str) -> Vec<String> {
        let sent = self.world.signals.iter().filter(|(who, _, _)| who == name);
        let sent = sent.filter(|(_, _, signal)| *signal != SignalNumber::CONT);
        sent.map(|(_, _, signal)| signal.to_string()).collect()
    }

    /// Names in the order in which they were asked to stop.
    pub fn stopped(&self) -> Vec<&str> {
        let sent = self.world.signals.iter();
        let sent = sent.filter(|(_, _, signal)| *signal == SignalNumber::TERM);
        sent.map(|(who, _, _)| who.as_str()).collect()
    }

    /// How often something was said at the console.
    pub fn said(&self, text: &str) -> usize {
        self.world.said.iter().filter(|(_, line)| line.contains(text)).count()
    }

    pub fn trouble(&self) -> Vec<&str> {
        let said = self.world.said.iter().filter(|(level, _)| *level == Level::Trouble);
        said.map(|(_, line)| line.as_str()).collect()
    }

    pub fn finished(&self) -> Option<Power> {
        self.world.finished.first().copied()
    }
}
