//! Causes with what was behind them, back to the first one: what `finitctl why` tells.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::{Cause, Ended};
use super::id::{NodeId, RunId};
use super::node::{Asked, Node};
use super::state::{DownWhy, State};
use super::{Engine, view};
use crate::config::spec::Kind;
use crate::facts::{Exit, Moment, Pid, SignalNumber, glob};
use crate::proto::{Because, Chapter, Refusal, Reply};

/// Longest chain that is kept; of a longer one, the last links and the first.
const LINKS: u32 = 32;
/// Most obstacles that are told one behind the other.
const CHAPTERS: usize = 32;

/// A cause and what was behind it. Many nodes share one.
#[derive(Debug, Clone)]
pub struct Why(Rc<Link>);

#[derive(Debug)]
struct Link {
    at: Moment,
    cause: Cause,
    behind: Option<Why>,
    length: u32,
}

impl Why {
    /// A first cause.
    pub fn first(at: Moment, cause: Cause) -> Self {
        Self(Rc::new(Link { at, cause, behind: None, length: 1 }))
    }

    /// One with another behind it.
    pub fn behind(at: Moment, cause: Cause, behind: Self) -> Self {
        let behind = if behind.0.length < LINKS { behind } else { behind.root() };
        let length = behind.0.length.saturating_add(1);
        Self(Rc::new(Link { at, cause, behind: Some(behind), length }))
    }

    /// The last link.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Who or what, for somebody who may know, or may not know, who asked.
    pub fn who(&self, known: bool) -> String {
        let hidden = !known && matches!(self.cause(), Cause::Person { .. });
        if hidden { "a person".to_owned() } else { self.cause().to_string() }
    }

    /// When.
    pub fn at(&self) -> Moment {
        self.0.at
    }

    /// The last link first.
    fn links(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |why| why.0.behind.as_ref())
    }

    fn root(&self) -> Self {
        self.links().last().unwrap_or(self).clone()
    }

    /// Whether both go back to the same. The steps of the boot are one boot.
    pub fn is_of_one_story(&self, other: &Self) -> bool {
        let (one, other) = (self.root(), other.root());
        let at_once = one.at() == other.at() || *one.cause() == Cause::Boot;
        at_once && one.cause() == other.cause()
    }

    /// The same without what was seen of paths that something waited for.
    pub fn without_paths(&self) -> Self {
        let is_else =
            |why: &&Self| why.0.behind.is_none() || !matches!(why.cause(), Cause::Path(_));
        self.links().find(is_else).unwrap_or(self).clone()
    }

    /// Whether both are one link, and not only alike.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// What of it is about all services.
    pub fn of_all(&self) -> Option<&Self> {
        self.links().find(|why| why.is_of_all())
    }

    /// Whether it is about no service, or names whom it is about itself.
    pub fn is_of_all(&self) -> bool {
        match self.cause() {
            Cause::Boot
            | Cause::Person { .. }
            | Cause::Signal(_)
            | Cause::Config
            | Cause::Shutdown => true,
            Cause::Dependency(_)
            | Cause::Order(_)
            | Cause::NeededBy(_)
            | Cause::WantedBy(_)
            | Cause::LetGo(_)
            | Cause::Failure(_)
            | Cause::Rival(_)
            | Cause::Whole(_)
            | Cause::Exit(_)
            | Cause::NotStarted(_)
            | Cause::Condition
            | Cause::Timer(_)
            | Cause::Connection
            | Cause::Path(_) => false,
        }
    }

    /// For a report.
    fn told(&self, now: Moment) -> Vec<Because> {
        let told = |why: &Self| Because {
            ago_ms: view::millis(now.since(why.at())),
            text: why.cause().story(),
        };
        self.links().map(told).collect()
    }
}

/// A signal that a person has sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signalled {
    /// To which run.
    pub run: RunId,
    /// Which.
    pub number: SignalNumber,
    /// Who.
    pub by: Why,
}

impl Signalled {
    /// Whether that run ended by it.
    fn ended(&self, run: RunId, ended: &Ended) -> bool {
        let by_it =
            |exit: &Exit| matches!(exit, Exit::Signal { number, .. } if *number == self.number);
        self.run == run && matches!(ended, Ended::Exit(exit) if by_it(exit))
    }
}

impl Node {
    /// What made it start; what it came back from is another story.
    pub fn origin(&self) -> Why {
        match self.cause.cause() {
            Cause::Exit(_) | Cause::NotStarted(_) | Cause::Timer(_) | Cause::Condition => {
                self.wish.clone()
            }
            Cause::Boot
            | Cause::Dependency(_)
            | Cause::Order(_)
            | Cause::NeededBy(_)
            | Cause::WantedBy(_)
            | Cause::LetGo(_)
            | Cause::Failure(_)
            | Cause::Rival(_)
            | Cause::Whole(_)
            | Cause::Person { .. }
            | Cause::Signal(_)
            | Cause::Connection
            | Cause::Path(_)
            | Cause::Config
            | Cause::Shutdown => self.cause.clone(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().fmt(f)
    }
}

/// The last link first.
impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.links().map(|why| (why.at(), why.cause())))
    }
}

impl<'de> Deserialize<'de> for Why {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let links: Vec<(Moment, Cause)> = Vec::deserialize(deserializer)?;
        let link = |why, (at, cause)| {
            Some(match why {
                None => Self::first(at, cause),
                Some(behind) => Self::behind(at, cause, behind),
            })
        };
        let why = links.into_iter().rev().fold(None, link);
        why.ok_or_else(|| serde::de::Error::custom("a cause without any link"))
    }
}

impl Engine {
    /// From here on, everything happens because of this.
    pub(super) fn because(&mut self, cause: Cause) {
        self.cause = Why::first(self.now, cause);
    }

    /// What that node does next only carries on what it is going through: what comes of it for
    /// others has the same cause.
    pub(super) fn carry_on(&mut self, id: NodeId) {
        if let Some(node) = self.node(id) {
            self.cause = node.cause.clone();
        }
    }

    /// Because of this, with what that node is going through behind it.
    pub(super) fn because_of_its_past(&mut self, id: NodeId, cause: Cause) {
        self.cause = match self.node(id) {
            Some(node) => Why::behind(self.now, cause, node.cause.clone()),
            None => Why::first(self.now, cause),
        };
    }

    /// The same, with what made that node start behind it: its earlier ends are no reason for
    /// this one.
    pub(super) fn because_of_its_start(&mut self, id: NodeId, cause: Cause) {
        self.cause = match self.node(id) {
            Some(node) => Why::behind(self.now, cause, node.origin()),
            None => Why::first(self.now, cause),
        };
    }

    /// Does something because of that, whatever the running event is about.
    pub(super) fn with_cause<T>(&mut self, why: Why, act: impl FnOnce(&mut Self) -> T) -> T {
        let event = std::mem::replace(&mut self.cause, why);
        let answer = act(self);
        self.cause = event;
        answer
    }

    /// Why a run that nobody stops ended: who sent the signal that ended it, if a person did. What
    /// ends by its nature has what made it start behind it.
    pub(super) fn end_of(&self, run: RunId, ended: &Ended) -> Why {
        let cause = Cause::end(ended);
        let Some(node) = self.node(run.node) else { return Why::first(self.now, cause) };
        let is_task = node.spec().is_some_and(|spec| spec.kind == Kind::Task);
        let behind = match &node.signalled {
            Some(signalled) if signalled.ended(run, ended) => Some(signalled.by.clone()),
            _ if is_task || node.comes_again() || node.monitored.is_some() => Some(node.origin()),
            _ => None,
        };
        match behind {
            Some(behind) => Why::behind(self.now, cause, behind),
            None => Why::first(self.now, cause),
        }
    }

    /// Why a node loses what it stands on: found out when it does, from the one below, which
    /// has found out before; of alternatives, the one that went last.
    pub(super) fn loss(&self, node: &Node) -> Option<Why> {
        let lost = self.lost_need(node)?;
        let need = node.edges.needs.iter().find(|need| need.contains(&lost))?;
        let below = need.iter().filter_map(|id| self.node(*id));
        let below = below.max_by_key(|below| below.departure().at())?;
        let cause = Cause::Dependency(below.name.to_string());
        Some(Why::behind(self.now, cause, below.departure()))
    }

    /// Why a wait for another node is over: because of that one, unless it came for the same
    /// reason as this one, or was on its way already when this one was asked for.
    pub(super) fn wait_over(&self, node: &Node) -> Option<Why> {
        let State::Waiting { on, .. } = node.state else { return None };
        let edges = &node.edges;
        let firm = |id: &&NodeId| self.node(**id).is_some_and(|other| other.firm);
        let need = edges.needs.iter().find(|need| need.contains(&on));
        let id = need.and_then(|need| need.iter().find(firm)).copied().unwrap_or(on);
        let other = self.node(id)?;
        let name = other.name.to_string();
        let why = match () {
            // It is not in the file any more, and that is why it went.
            () if name.is_empty() => self.cause.clone(),
            () if need.is_some() => {
                Why::behind(self.now, Cause::Dependency(name), other.departure())
            }
            () if edges.rivals().contains(&id) => {
                Why::behind(self.now, Cause::Rival(name), other.departure())
            }
            () if edges.after.contains(&id) => {
                Why::behind(self.now, Cause::Order(name), other.departure())
            }
            // The file does not say any more that they have to do with one another: of what is
            // going on, only what is about all is about this one.
            () => self.cause.of_all()?.clone(),
        };
        let behind = why.0.behind.as_ref().unwrap_or(&why);
        let is_news = behind.at() > node.wish.at() && !behind.is_of_one_story(&node.wish);
        is_news.then_some(why)
    }

    /// One that is down and does not come by itself is so because of whoever says that it is to
    /// stay so, from the first who does.
    pub(super) fn keep_down(&mut self, id: NodeId) {
        let why = self.cause.clone();
        let news = |node: &&mut Node| {
            let rests = matches!(node.state, State::Down(_)) && !node.wanted && !node.is_held();
            rests && node.asked != Some(Asked::Down)
        };
        if let Some(node) = self.node_mut(id).filter(news) {
            (node.cause, node.wish) = (why.clone(), why);
            self.set_state(id, State::Down(DownWhy::Stopped));
        }
    }

    /// Why a node comes again after an end that nobody asked for: that end, or how the other
    /// that it went with is by now.
    pub(super) fn comes_back(&self, node: &Node) -> Option<Why> {
        if node.cause.at() < node.wish.at() {
            return None;
        }
        match node.cause.cause() {
            Cause::Exit(_) | Cause::NotStarted(_) | Cause::Timer(_) => Some(node.cause.clone()),
            Cause::Dependency(name) => {
                let other = self.names.get(name.as_str()).and_then(|id| self.node(*id))?;
                Some(Why::behind(self.now, Cause::Dependency(name.clone()), other.departure()))
            }
            Cause::Boot
            | Cause::Condition
            | Cause::Order(_)
            | Cause::NeededBy(_)
            | Cause::WantedBy(_)
            | Cause::LetGo(_)
            | Cause::Failure(_)
            | Cause::Rival(_)
            | Cause::Whole(_)
            | Cause::Person { .. }
            | Cause::Signal(_)
            | Cause::Connection
            | Cause::Path(_)
            | Cause::Config
            | Cause::Shutdown => None,
        }
    }

    /// Forgets the failure of a service, of a template that of its instances; the answer says who
    /// starts again at once, and why.
    pub(super) fn reset_named(&mut self, name: &str) -> Result<Reply, Refusal> {
        let ids = self.with_instances(self.find_service(name)?);
        self.heed_holds(&ids, None)?;
        let over =
            |engine: &Self, id: NodeId| engine.node(id).is_some_and(|node| is_over(&node.state));
        let mut cleared = Vec::new();
        for id in &ids {
            let (before, was_over) = (self.node(*id).map(|n| n.state.clone()), over(self, *id));
            self.forget_failure(*id);
            if self.node(*id).map(|node| &node.state) != before.as_ref() {
                cleared.push((*id, was_over));
            }
        }
        self.settle();
        let told = cleared.into_iter().map(|(id, was_over)| {
            let again = self.node(id).filter(|node| was_over && !is_over(&node.state));
            format!("{}: cleared{}", self.name(id), again.map(comes_again).unwrap_or_default())
        });
        let told: Vec<String> = told.collect();
        let message = if told.is_empty() { format!("{name}: cleared") } else { told.join("; ") };
        Ok(Reply::Done { message })
    }

    /// The causes of what a node is doing and when they were, the last one first.
    pub fn links(&self, id: NodeId) -> Vec<(Moment, &Cause)> {
        let why = self.node(id).map(|node| &node.cause);
        why.into_iter().flat_map(Why::links).map(|why| (why.at(), why.cause())).collect()
    }

    /// Why the service of that name, or each of a pattern, is as it is.
    pub(super) fn why(&self, name: &str, known: bool) -> Result<Reply, Refusal> {
        if glob::is_pattern(name) {
            let ids = self.find_matching(name)?.into_iter();
            return Ok(Reply::Stories(ids.map(|id| self.chapters(id, known)).collect()));
        }
        Ok(Reply::Why(self.chapters(self.find(name)?, known)))
    }

    /// Why a node is as it is: itself, and then the instance that makes a template so, whatever it
    /// waits for, or is there for where it was let go, one behind the other.
    /// Without `detail` it is not told who asked.
    pub fn chapters(&self, id: NodeId, detail: bool) -> Vec<Chapter> {
        let mut next = Some(id);
        let mut told = Vec::new();
        while let Some((id, node)) = next.take().and_then(|id| Some((id, self.node(id)?))) {
            let waits_for = node.state.waits_for();
            let worst = self.worst_instance(node).filter(|_| waits_for.is_none());
            let cause = worst.and_then(|id| self.node(id)).map_or(&node.cause, |one| &one.cause);
            told.push(Chapter {
                name: node.name.to_string(),
                state: self.word_of(node),
                since_ms: view::millis(self.now.since(self.since(node))),
                pid: node.pid.map(Pid::raw),
                reason: self.reason(node, detail),
                because: if detail { cause.told(self.now) } else { Vec::new() },
            });
            let behind = worst.or(waits_for);
            let behind = behind.or_else(|| self.keepers(id).first().copied());
            let is_new = |id: &NodeId| told.iter().all(|chapter| chapter.name != self.name(*id));
            next = behind.filter(is_new).filter(|_| told.len() < CHAPTERS);
        }
        told
    }
}

/// Whether nothing happens to it but what a person asks for.
fn is_over(state: &State) -> bool {
    matches!(state, State::Failed(_) | State::Skipped(_) | State::Down(_))
}

/// Why one that was cleared starts again at once.
fn comes_again(node: &Node) -> &'static str {
    match node.asked {
        _ if node.auto => "; the target wants it, so it starts again",
        Some(Asked::Up) => "; it was asked for, so it starts again",
        Some(Asked::Down | Asked::Released) | None => "; another one needs it, so it starts again",
    }
}
