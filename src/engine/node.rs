//! A node: what is known of one service, task, step, milestone, target or template.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backlog::Backlog;
use super::edit::comes_as;
use super::event::Ended;
use super::freeze::Freeze;
use super::hold::Hold;
use super::id::{NodeId, RunId};
use super::ready::Tidings;
use super::respawn::History;
use super::state::{DownWhy, Rung, State, Then};
use super::timetable::Timetable;
use super::told::{Ending, Monitored};
use super::watching::Watching;
use super::why::{Signalled, Why};
use crate::config::spec::{ServiceSpec, Start};
use crate::facts::{Moment, Pid};

/// One node of the graph.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: Rc<str>,
    /// What it is.
    #[serde(skip)]
    pub body: Body,
    /// A newer definition, taken at the next start.
    #[serde(skip)]
    pub pending: Option<Rc<ServiceSpec>>,
    /// What it is doing. Written by `Engine::set_state` alone.
    pub state: State,
    /// Since when.
    pub since: Moment,
    /// Because of whom or what.
    pub cause: Why,
    /// What it stands on and what stands on it.
    #[serde(skip)]
    pub edges: Edges,
    /// Whether that is by an older definition than the one that it takes next, which nobody has
    /// followed.
    #[serde(default)]
    pub behind: bool,
    /// Whether a mere look at a file has found its newer definition, or itself where there is none,
    /// and nobody has followed that.
    #[serde(default)]
    pub unfollowed: bool,
    /// What a person asked for; it outweighs all else but a hold.
    pub asked: Option<Asked>,
    /// Who has it stay as it is.
    #[serde(default)]
    pub hold: Option<Box<Hold>>,
    /// Who has its processes stand still.
    #[serde(default)]
    pub freeze: Option<Box<Freeze>>,
    /// Whether the target wants it.
    pub auto: bool,
    /// Whether the target wants it to run at its times, and when something is seen of its paths.
    #[serde(default)]
    pub timed: bool,
    /// When it runs next, if times make it run.
    #[serde(default)]
    pub timetable: Option<Box<Timetable>>,
    /// What is known of its paths, if they make it run.
    #[serde(default)]
    pub watching: Option<Box<Watching>>,
    /// How many nodes that are wanted need or want this one.
    #[serde(skip)]
    pub required: u32,
    /// The sum of these, as last computed.
    pub wanted: bool,
    /// Because of whom or what that changed, or a restart was asked for.
    pub wish: Why,
    /// Whether it is to be stopped and is not yet, as last told to those around.
    pub leaving: bool,
    /// Why, if it is for what it stands on.
    pub loss: Option<Why>,
    /// Whether others may stand on it, as last told to them.
    pub firm: bool,
    /// Its whole was stopped, and it with that.
    #[serde(default)]
    pub parted: bool,
    /// Whose run it makes way for.
    #[serde(default)]
    pub displaced: Option<NodeId>,
    /// Those that make way for its run.
    #[serde(default)]
    pub displaces: Vec<NodeId>,
    /// A restart is under way: it counts as about to go, and comes back.
    pub restarting: bool,
    /// Not in the file any more: it goes when it is down.
    pub removed: bool,
    /// Whether its sockets are bound.
    pub bound: bool,
    /// Whether its sockets are watched.
    pub watched: bool,
    /// A connection waits for it to start.
    pub stirred: bool,
    /// A person has asked for it by its name: it starts without a connection.
    #[serde(default)]
    pub summoned: bool,
    /// It has ended, as it may, and only a connection brings it back.
    #[serde(default)]
    pub called: bool,
    /// Accepting pauses until then.
    pub throttled: Option<Moment>,
    /// Connections accepted in the running period of its rate limit.
    pub accepted: (Moment, u32),
    /// Processes that serve a connection, by generation, with the address they serve.
    pub connections: BTreeMap<u32, Connection>,
    /// Connections that wait until another of their source has ended.
    #[serde(default)]
    pub backlog: Option<Box<Backlog>>,
    /// A boot into an emergency has left out this step.
    #[serde(default)]
    pub spared: bool,
    /// Commands that run beside it, by generation.
    pub asides: BTreeMap<u32, Beside>,
    /// Pid of its main process.
    pub pid: Option<Pid>,
    /// What it tells of itself.
    #[serde(default)]
    pub tidings: Option<Box<Tidings>>,
    /// Whether an earlier run has left somebody in its group who is to live on, as with
    /// `stop.scope = "main"`. A finit that did not know may have.
    #[serde(default = "may_be")]
    pub strays: bool,
    /// What not even SIGKILL has ended yet.
    pub hung: Option<Box<Hung>>,
    /// Number of the next run.
    pub generation: u32,
    /// What respawning remembers.
    pub history: History,
    /// When its last run began.
    #[serde(default)]
    pub ran: Option<Moment>,
    /// How its last main process ended.
    pub last_exit: Option<Box<Ended>>,
    /// How it has come to its end since its last start, for those who are told.
    #[serde(default)]
    pub ending: Ending,
    /// What went wrong beside its main process since its last start, in one line: a command that
    /// failed, a stop that took SIGKILL.
    #[serde(default)]
    pub slips: Option<Box<str>>,
    /// Because of whose failure it was started.
    #[serde(default)]
    pub monitored: Option<Box<Monitored>>,
    /// The last signal that a person has sent to it.
    #[serde(default)]
    pub signalled: Option<Box<Signalled>>,
    /// Jobs that wait for it.
    #[serde(skip)]
    pub jobs: Vec<u64>,
    /// Whether its flags are to be brought up to date.
    #[serde(skip)]
    pub fresh: bool,
    /// Whether it stands in the worklist.
    #[serde(skip)]
    pub queued: bool,
    /// Whether others that come later have to wait for it, as last told to them.
    pub settled: bool,
    /// The place of the one that had to stop before it when it was last looked at.
    #[serde(skip)]
    pub user: u32,
}

/// What an older finit did not keep.
fn may_be() -> bool {
    true
}

/// What a node is.
#[derive(Debug, Clone, Default)]
pub enum Body {
    /// A service or task.
    Service(Rc<ServiceSpec>),
    /// A boot step.
    Step(&'static str),
    /// A point of the boot.
    #[default]
    Milestone,
    /// A named set.
    Target,
    /// The umbrella of its instances.
    Template,
    /// A name that the file leaves out for this mistake: failed until the file is mended.
    LeftOut(String),
}

/// What a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// To be there.
    Up,
    /// Not to be there.
    Down,
    /// To be there only while another needs or wants it.
    Released,
}

/// What a node stands on and what stands on it.
#[derive(Debug, Clone, Default)]
pub struct Edges {
    /// Up first, or it waits; each entry a list of alternatives.
    pub needs: Vec<Vec<NodeId>>,
    /// Brought up with it.
    pub wants: Vec<NodeId>,
    /// Settled first, if they come at all.
    pub after: Vec<NodeId>,
    /// Those that need it.
    pub needed_by: Vec<NodeId>,
    /// Those that come after it.
    pub ordered_by: Vec<NodeId>,
    /// What few have.
    pub ties: Option<Box<Ties>>,
}

/// How nodes are tied beside needs and order.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    /// Needs that are lost as soon as they are not up.
    pub bound: Vec<Vec<NodeId>>,
    /// Those that are a part of it.
    pub parts: Vec<NodeId>,
    /// Those that cannot be there at the same time.
    pub rivals: Vec<NodeId>,
    /// Those that are started when it fails.
    pub on_failure: Vec<NodeId>,
    /// The alternatives that are brought up with it.
    pub chosen: Vec<NodeId>,
}

impl Edges {
    /// Whether that need of it is lost as soon as it is not up.
    pub fn is_bound(&self, need: &[NodeId]) -> bool {
        self.bound().iter().any(|bound| bound == need)
    }

    /// Needs of it that are lost as soon as they are not up.
    pub fn bound(&self) -> &[Vec<NodeId>] {
        self.ties.as_ref().map_or(&[], |ties| &ties.bound)
    }

    /// Those that are a part of it.
    pub fn parts(&self) -> &[NodeId] {
        self.ties.as_ref().map_or(&[], |ties| &ties.parts)
    }

    /// Those that cannot be there at the same time.
    pub fn rivals(&self) -> &[NodeId] {
        self.ties.as_ref().map_or(&[], |ties| &ties.rivals)
    }

    /// Those that are started when it fails.
    pub fn on_failure(&self) -> &[NodeId] {
        self.ties.as_ref().map_or(&[], |ties| &ties.on_failure)
    }
}

/// A process that serves a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// From where.
    pub source: Option<String>,
    /// Who serves it.
    pub pid: Option<Pid>,
}

/// Processes that outlived their stop: nothing new is started beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hung {
    /// The main process, while it is there.
    pub run: Option<RunId>,
    /// What follows when they end after all.
    pub then: Then,
}

/// A command that runs beside a service, with its patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Which.
    pub aside: Aside,
    /// When it is killed.
    pub until: Option<Moment>,
}

/// Which command runs beside a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aside {
    /// An `after-start` command.
    AfterStart(usize),
    /// A step of `reload`.
    Reload(usize),
    /// `stop.command`.
    Stop,
    /// Whoever looks whether it is up.
    Probe,
    /// Whoever looks whether it is healthy.
    Health,
}

impl Node {
    /// A node that nobody wants yet.
    pub fn new(name: Rc<str>, body: Body, now: Moment, why: &Why) -> Self {
        Self {
            name,
            body,
            pending: None,
            state: State::Down(DownWhy::NeverWanted),
            since: now,
            cause: why.clone(),
            edges: Edges::default(),
            asked: None,
            hold: None,
            freeze: None,
            auto: false,
            behind: false,
            unfollowed: false,
            timed: false,
            timetable: None,
            watching: None,
            required: 0,
            wanted: false,
            wish: why.clone(),
            leaving: false,
            loss: None,
            firm: false,
            parted: false,
            displaced: None,
            displaces: Vec::new(),
            restarting: false,
            removed: false,
            bound: false,
            watched: false,
            stirred: false,
            summoned: false,
            called: false,
            throttled: None,
            accepted: (now, 0),
            connections: BTreeMap::new(),
            backlog: None,
            spared: false,
            asides: BTreeMap::new(),
            pid: None,
            tidings: None,
            strays: false,
            hung: None,
            generation: 0,
            history: History::default(),
            ran: None,
            last_exit: None,
            ending: Ending::default(),
            slips: None,
            monitored: None,
            signalled: None,
            jobs: Vec::new(),
            fresh: false,
            queued: false,
            settled: true,
            user: 0,
        }
    }

    /// Its definition, if it is a service or task.
    pub fn spec(&self) -> Option<&Rc<ServiceSpec>> {
        match &self.body {
            Body::Service(spec) => Some(spec),
            Body::Step(_) | Body::Milestone | Body::Target | Body::Template | Body::LeftOut(_) => {
                None
            }
        }
    }

    /// The definition that says when it comes by itself, unless it is not in the file any more.
    pub fn living_spec(&self) -> Option<&Rc<ServiceSpec>> {
        self.coming_spec().filter(|_| !self.removed)
    }

    /// The same, be it in the file or not: the newest, but for one that only a look has found.
    pub fn coming_spec(&self) -> Option<&Rc<ServiceSpec>> {
        if self.is_behind_a_look() { self.spec() } else { self.newest_spec() }
    }

    /// Whether nobody has followed its newer definition, nor asked for it since.
    fn is_behind_a_look(&self) -> bool {
        self.behind && self.unfollowed && self.pending.is_some()
    }

    /// Whether a mere look has found it, and it is not there for anybody who follows the file.
    pub fn is_only_found(&self) -> bool {
        self.unfollowed && self.pending.is_none()
    }

    /// Whether that newer definition says otherwise when it comes: that waits until the file is
    /// followed, or a person starts it.
    pub fn waits_to_be_followed(&self) -> bool {
        let differs = |new: &Rc<ServiceSpec>| self.spec().is_some_and(|old| !comes_as(old, new));
        self.is_behind_a_look() && self.pending.as_ref().is_some_and(differs)
    }

    /// Its newest definition.
    pub fn newest_spec(&self) -> Option<&Rc<ServiceSpec>> {
        self.pending.as_ref().or_else(|| self.spec())
    }

    /// The definition that its edges follow: the one by which it is what it is, until it is to be
    /// another, so that no mere look at a file takes from anybody what he stands on.
    pub fn standing_spec(&self) -> Option<&Rc<ServiceSpec>> {
        let spec = if self.behind { self.spec() } else { self.newest_spec() };
        spec.filter(|_| !self.name.is_empty())
    }

    /// After what time of patience it was sent the SIGKILL that its stop takes right now.
    pub fn killed_after(&self) -> Option<Duration> {
        let killed = matches!(self.state, State::Stopping { rung: Rung::Killed, .. });
        self.spec().filter(|_| killed)?.stop.timeout
    }

    /// Whether nothing runs, nothing has failed and nothing is over: a new definition can take
    /// the place of the old one at once. What listens may take one with the same sockets.
    pub fn may_take_pending(&self) -> bool {
        match self.state {
            State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Down(DownWhy::NeverWanted | DownWhy::Stopped) => true,
            State::Listening => self.pending.as_ref().is_some_and(|new| self.listens_on(new)),
            State::Down(DownWhy::Ended)
            | State::Skipped(_)
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. }
            | State::Failed(_)
            | State::Done(_) => false,
        }
    }

    /// Whether a connection starts it.
    pub fn on_demand(&self) -> bool {
        self.spec().is_some_and(|spec| spec.sockets.is_some() && spec.start == Start::Demand)
    }

    /// When something happens to it by itself.
    pub fn deadline(&self) -> Option<Moment> {
        let due = self.timetable.as_ref().and_then(|table| table.due);
        let pause = self.watching.as_ref().and_then(|watching| watching.until);
        let own = match &self.freeze {
            Some(freeze) => freeze.deadline(),
            None => self.own_deadline(),
        };
        Moment::first(Moment::first(own, self.throttled), Moment::first(due, pause))
    }

    /// The first of the clocks that stand still with it while it is frozen.
    fn own_deadline(&self) -> Option<Moment> {
        let tidings = self.tidings.as_ref().and_then(|tidings| tidings.deadline());
        let own = Moment::first(self.state.deadline(), tidings);
        self.asides.values().fold(own, |first, beside| Moment::first(first, beside.until))
    }

    /// Whether something makes it run again that is neither a person nor another node.
    pub fn comes_again(&self) -> bool {
        self.timetable.is_some() || self.watching.is_some()
    }

    /// Why it is as it is, or soon will not be.
    pub fn departure(&self) -> Why {
        match (self.leaving, self.wanted && !self.restarting, &self.loss) {
            (true, false, _) => self.wish.clone(),
            (true, true, Some(loss)) => loss.clone(),
            (true, true, None) | (false, _, _) => self.cause.clone(),
        }
    }

    /// Whether that run is its main one.
    pub fn is_main(&self, run: RunId) -> bool {
        self.state.run() == Some(run)
    }
}
