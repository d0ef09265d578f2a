//! What `finitctl why` tells is what happened: each cause names a service that the file ties to
//! the one that it is told of, or something that the world really did at that moment; times do
//! not run backwards, and a first cause is at the end.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use finit::config::spec::ServiceSpec;
use finit::engine::{Aim, Cause, Ended, Engine, Event, NodeId, Peek, RunId, needed};
use finit::facts::{Exit, Moment, SignalNumber, Stage};
use finit::proto::{Chapter, Request};

use crate::oracle::Oracle;

/// Longest chain that is kept: of a longer one the links before the first are gone.
const LINKS: usize = 32;
/// Times that come by themselves, and are nothing else.
const TIMES: [&str; 4] = [
    "the end of its start-timeout",
    "the end of its restart delay",
    "the end of its stop.timeout",
    "its schedule",
];

/// What an onlooker knows of causes.
#[derive(Debug, Default)]
pub struct Stories {
    /// What happened: when, to whom, and as what it would be told; in order.
    happened: Vec<(Moment, String, Cause)>,
    /// Who ever stood on whom, came after whom, excluded whom and called for whom, by name.
    ties: BTreeSet<(Tie, String, String)>,
    /// The last signal that a person has sent to a run, and what is told of that.
    by_hand: BTreeMap<RunId, (SignalNumber, Cause)>,
    /// The event is a request for that.
    signal: Option<Cause>,
    /// The process that the event says has ended.
    pub end: Option<(RunId, Ended)>,
}

/// How one service is tied to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Needs,
    After,
    Excludes,
    CallsFor,
    IsPartOf,
}

/// What an event is, where it is a cause.
fn told(engine: &Engine, event: &Event) -> Vec<(String, Cause)> {
    let name = |node: NodeId| engine.name(node).to_owned();
    let of = |node: NodeId, cause| vec![(name(node), cause)];
    let whole = |cause| vec![(String::new(), cause)];
    match event {
        Event::Began | Event::StepEnded { .. } => whole(Cause::Boot),
        Event::Requested { peer, request, .. } if needed(request) <= peer.access => {
            whole(Cause::person(peer, request.spoken()))
        }
        Event::Loaded { cause, .. } | Event::PowerAsked { cause, .. } => whole(cause.clone()),
        Event::Connected { node, .. } | Event::Stirred { node } => of(*node, Cause::Connection),
        Event::Sighted { run, sights, .. } => {
            let one = |sight: &_| (name(run.node), Cause::Path(format!("{sight}")));
            sights.iter().map(one).collect()
        }
        Event::Arrived { run } => of(run.node, Cause::Path("it".to_owned())),
        Event::Exited { run, ended, .. } => of(run.node, Cause::end(ended)),
        Event::Spawned { run, result: Err(error) } => {
            of(run.node, Cause::NotStarted(error.to_string()))
        }
        Event::Bound { node, result: Err(error) } => {
            of(*node, Cause::NotStarted(error.to_string()))
        }
        Event::Emptied { node } => of(*node, Cause::Exit("ended after all".to_owned())),
        Event::Checked { run, result: Err(error) } if error.stage == Stage::EnvFile => {
            of(run.node, Cause::NotStarted(error.to_string()))
        }
        Event::Checked { run, .. } => of(run.node, Cause::Condition),
        Event::Notified { node, .. } => of(*node, Cause::Timer("it said so".into())),
        Event::Elapsed => whole(Cause::Timer("time".into())),
        _ => Vec::new(),
    }
}

impl Oracle {
    /// An event comes.
    pub fn stories_before(&mut self, engine: &Engine, event: &Event) {
        let now = self.now;
        let new = told(engine, event).into_iter().map(|(name, cause)| (now, name, cause));
        self.stories.happened.extend(new);
        self.stories.signal = match event {
            Event::Requested { peer, request: request @ Request::Signal { .. }, .. } => {
                Some(Cause::person(peer, request.spoken()))
            }
            _ => None,
        };
        self.stories.end = match event {
            Event::Exited { run, ended, .. } => Some((*run, ended.clone())),
            _ => None,
        };
    }

    /// Whatever waits says for what, and until when unless that is outside; and whatever is so goes
    /// back to a first cause.
    pub fn why(&mut self, engine: &Engine, id: NodeId, node: &Peek, chapters: &[Chapter]) {
        let (name, label) = (&node.name, node.label);
        let Some(chapter) = chapters.first().filter(|_| !name.is_empty()) else { return };
        let first = chapter.because.last().map(|why| why.text.clone()).unwrap_or_default();
        self.check(is_first(&first), || format!("{name} is {label}, first of all for {first:?}"));
        let Some(spec) = engine.definition(id) else { return };
        let quiet = ["up", "done", "listening", "down", "ended", "binding"].contains(&label);
        self.check(quiet || !chapter.reason.is_empty(), || format!("{name} is {label}: why?"));
        let patient = match label {
            "starting" => spec.start_timeout.is_none(),
            "stopping" | "cleaning" => spec.stop.timeout.is_none(),
            label => label != "backoff",
        };
        self.check(patient || node.until.is_some(), || format!("{name} is {label} for ever"));
    }

    /// A signal is sent; by a person, if one has just asked for that.
    pub fn signalled(&mut self, aim: Aim, signal: SignalNumber) {
        if let (Aim::Run(run), Some(cause)) = (aim, self.stories.signal.take()) {
            self.stories.by_hand.insert(run, (signal, cause));
        }
    }

    /// The file may say who else has to do with whom.
    pub fn tie(&mut self, engine: &Engine, all: &[Peek]) {
        let name = |id: &NodeId| engine.name(*id).to_owned();
        for node in all.iter().filter(|node| !node.name.is_empty()) {
            let own = || node.name.clone();
            let needs = node.needs.iter().flatten().map(|id| (Tie::Needs, own(), name(id)));
            let after = node.after.iter().map(|id| (Tie::After, own(), name(id)));
            let rivals = node.rivals.iter().map(|id| (Tie::Excludes, own(), name(id)));
            let ties = &mut self.stories.ties;
            ties.extend(needs.chain(after).chain(rivals));
        }
        let ids = (0..).map(NodeId::from_number).take(all.len());
        let defined = ids.filter_map(|id| engine.definition(id)).map(Borrow::borrow);
        let of_file = engine.spec().services.iter().map(Borrow::borrow);
        let known: Vec<&ServiceSpec> = defined.chain(of_file).collect();
        self.stories.ties.extend(known.iter().flat_map(|spec| named(spec, &known)));
    }

    /// The causes of a node are what happened.
    pub fn story(&mut self, engine: &Engine, id: NodeId, name: &str) {
        // What is forgotten tells nobody.
        if name.is_empty() {
            return;
        }
        let mut who = name.to_owned();
        let links = engine.links(id);
        let mut last = self.now;
        for (place, (at, cause)) in links.iter().enumerate() {
            let fault = if *at > last {
                Some("tells of what came later")
            } else if place + 1 == LINKS {
                None
            } else {
                self.stories.fault(&who, *at, cause, links.get(place + 1).map(|next| next.1))
            };
            if let Some(fault) = fault {
                self.check(false, || {
                    format!("{name}: {:?} of {who} at {} {fault}: {links:?}", cause, at.0)
                });
                return;
            }
            last = *at;
            match cause {
                Cause::Dependency(name)
                | Cause::Order(name)
                | Cause::NeededBy(name)
                | Cause::WantedBy(name)
                | Cause::LetGo(name)
                | Cause::Failure(name)
                | Cause::Rival(name)
                | Cause::Whole(name) => name.clone_into(&mut who),
                _ => {}
            }
        }
    }

    /// Whoever was ended by a signal that a person sent says so.
    pub fn ended_by_hand(&mut self, engine: &Engine, id: NodeId, old: &Peek, new: &Peek) {
        let Some((run, ended)) = self.stories.end.clone() else { return };
        let by_itself = ["up", "starting"].contains(&old.label) && !old.leaving;
        let told = ["backoff", "failed", "stopping", "cleaning", "ended"].contains(&new.label);
        let Some((number, by)) = self.stories.by_hand.get(&run) else { return };
        let Ended::Exit(Exit::Signal { number: last, .. }) = ended else { return };
        if old.run != Some(run) || !by_itself || !told || last != *number {
            return;
        }
        let said = engine.links(id).get(1).is_some_and(|(_, cause)| *cause == by);
        let by = by.story();
        self.check(said, || format!("{} was ended, and not said is: {by}", new.name));
    }
}

impl Stories {
    /// Whether the event is a person's request to send a signal.
    pub fn is_by_hand(&self) -> bool {
        self.signal.is_some()
    }

    /// What is wrong with one cause of somebody.
    fn fault(
        &self,
        who: &str,
        at: Moment,
        cause: &Cause,
        next: Option<&Cause>,
    ) -> Option<&'static str> {
        let tied = |tie, one: &str, other: &str| {
            self.ties.contains(&(tie, one.to_owned(), other.to_owned()))
        };
        let good = match cause {
            Cause::Dependency(name) => tied(Tie::Needs, who, name),
            Cause::Order(name) => tied(Tie::After, who, name),
            Cause::NeededBy(name) => tied(Tie::Needs, name, who),
            Cause::WantedBy(name) => tied(Tie::After, name, who),
            Cause::LetGo(name) => tied(Tie::Needs, name, who) || tied(Tie::After, name, who),
            Cause::Failure(name) => tied(Tie::CallsFor, name, who),
            Cause::Rival(name) => tied(Tie::Excludes, who, name),
            Cause::Whole(name) => tied(Tie::IsPartOf, who, name),
            Cause::Shutdown => self.before(at).any(|(_, _, cause)| is_down(cause)),
            Cause::Path(path) if !path.ends_with(", which it waited for") => {
                // It may be followed later than it was seen.
                self.before(at).any(|(_, name, other)| name == who && other == cause)
            }
            _ => self.at(at).any(|(_, name, other)| is_it(who, cause, name, other)),
        };
        let by_hand = |cause: &Cause| self.by_hand.values().any(|(_, by)| by == cause);
        match (cause, next) {
            _ if !good => Some("is not what happened"),
            (Cause::Exit(how), Some(next @ Cause::Person { asked, .. }))
                if asked.starts_with("signal ") && !(by_hand(next) && how.contains("SIG")) =>
            {
                Some("was not by hand")
            }
            _ => None,
        }
    }

    /// All up to a moment.
    fn before(&self, at: Moment) -> impl Iterator<Item = &(Moment, String, Cause)> {
        let end = self.happened.partition_point(|one| one.0 <= at);
        self.happened[..end].iter()
    }

    /// All of a moment.
    fn at(&self, at: Moment) -> impl Iterator<Item = &(Moment, String, Cause)> {
        let first = self.happened.partition_point(|one| one.0 < at);
        self.happened[first..].iter().take_while(move |one| one.0 == at)
    }
}

/// Whom a definition calls for, and whose part it is; of a name that others provide, all of those.
fn named<'a>(
    spec: &'a ServiceSpec,
    known: &'a [&'a ServiceSpec],
) -> impl Iterator<Item = (Tie, String, String)> {
    let on = &spec.dependencies;
    let parts = on.part_of.iter().map(|name| (Tie::IsPartOf, name));
    let all = on.on_failure.iter().map(|name| (Tie::CallsFor, name)).chain(parts);
    all.flat_map(move |(tie, name)| {
        let stands = |other: &&&ServiceSpec| {
            other.name == *name || other.dependencies.provides.contains(name)
        };
        let others = known.iter().filter(stands).map(|other| &other.name);
        others.chain([name]).map(move |other| (tie, spec.name.clone(), other.clone()))
    })
}

/// Whether one thing that happened is what is told as that cause.
fn is_it(who: &str, cause: &Cause, name: &str, other: &Cause) -> bool {
    let its = name == who;
    match (cause, other) {
        // It may have hung before it was even executed (seed 24382).
        (Cause::Exit(how), Cause::Exit(_) | Cause::NotStarted(_)) if how == "ended after all" => {
            its
        }
        (Cause::Exit(how), Cause::Exit(exit)) => {
            let early = how.starts_with("ended before it was ready ");
            its && (how == exit || early && (how.ends_with(exit) || how.ends_with("told how")))
        }
        (Cause::Timer(time), other) if TIMES.contains(&&**time) => {
            matches!(other, Cause::Timer(it) if it == "time")
        }
        // Another's word, the answer of a check or the end of what was killed for its time.
        (Cause::Timer(_), Cause::Timer(_) | Cause::Exit(_) | Cause::NotStarted(_)) => {
            its || name.is_empty()
        }
        (Cause::Path(_), Cause::Path(_)) => its,
        // A command was asked, too.
        (Cause::Condition, Cause::Condition | Cause::Exit(_)) => its,
        (cause, other) => cause == other && (its || name.is_empty()),
    }
}

/// Whether somebody asks for the end of the machine.
fn is_down(cause: &Cause) -> bool {
    let words = ["power off", "reboot", "halt", "kexec"];
    match cause {
        Cause::Person { asked, .. } => words.iter().any(|word| asked.contains(word)),
        Cause::Signal(_) => true,
        _ => false,
    }
}

/// Whether nothing can be behind that: a person, the boot, an exit, a time, a signal, a path, a
/// connection or a file.
fn is_first(why: &str) -> bool {
    let whole = ["the boot", "its schedule", "a connection", "the edited file"];
    let begins = ["its process ", "it could not be started: ", "path ", "nobody confirmed "];
    whole.contains(&why)
        || begins.iter().any(|begin| why.starts_with(begin))
        || why.contains(" asked: ")
        || why.ends_with(" to PID 1")
}
