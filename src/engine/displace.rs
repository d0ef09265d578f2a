//! Rivals that make way for what a person, a time or a path asks for. Whom a person sends away is
//! away until a person asks for it again. Who makes way for a run that its time or a path has asked
//! for is *displaced*: nobody said that it is not to be there, so it comes back when that is over.
//!
//! For such a run nobody has to go before nothing else is missing, nor stays away once something
//! is; and no task is cut short for it that is at work: it waits for its turn. Who is displaced by
//! several comes back after the last of them.

use super::id::NodeId;
use super::node::{Asked, Node};
use super::settle::is_in_way;
use super::state::{DownWhy, State};
use super::why::Why;
use super::{Cause, Engine, Level};
use crate::config::spec::Kind;
use crate::proto::{Code, Refusal};

/// One that has to go.
struct Rival {
    id: NodeId,
    /// Because of whom.
    why: Why,
    /// That as a sentence.
    told: String,
}

impl Node {
    /// Whether it is there, or comes by itself, now or when it need not make way any more.
    fn is_or_comes(&self) -> bool {
        self.state.is_active() || self.wanted && !self.is_over() || self.displaced.is_some()
    }

    /// Whether it does not come though it is wanted.
    fn is_over(&self) -> bool {
        matches!(self.state, State::Down(DownWhy::Ended) | State::Failed(_) | State::Skipped(_))
    }

    /// Whether it starts, or waits for what it lacks, once it is wanted.
    fn rests(&self) -> bool {
        matches!(
            self.state,
            State::Waiting { .. } | State::Down(DownWhy::NeverWanted | DownWhy::Stopped)
        )
    }

    /// Whether a time or a path has asked for a run of it that has not begun.
    fn is_to_run(&self) -> bool {
        let rests = self.rests() || matches!(self.state, State::Awaiting { .. });
        rests && self.wanted && self.asked == Some(Asked::Up) && self.comes_again()
    }

    /// Whether it makes way for the run of a rival: it is there to stay, or comes, or would. Of two
    /// runs that wait, one waits for the other once that has begun.
    fn makes_way(&self) -> bool {
        self.displaced.is_some() || self.wanted && self.is_or_comes() && !self.is_to_run()
    }

    /// Whether it is a task at work.
    fn is_at_work(&self) -> bool {
        let is_task = self.spec().is_some_and(|spec| spec.kind == Kind::Task);
        is_task && self.state.is_under_way()
    }
}

/// What is missing for the start of a node but that rivals go, its own and those of what it needs.
enum Lack {
    /// Nothing, nor for the start of these, which it needs.
    Nothing(Vec<NodeId>),
    /// What comes by itself.
    Coming,
    /// What does not.
    Hopeless,
}

impl Engine {
    /// What stands in the way of these, and of what they need, is asked to go by a person, and its
    /// parts with it; the answer is a sentence for each. For a run that nobody asks for by hand it
    /// goes when that can begin.
    ///
    /// # Errors
    /// Two of these are rivals of each other, or a rival is held.
    pub(super) fn displace(
        &mut self,
        ids: &[NodeId],
        needs: &[NodeId],
    ) -> Result<Vec<String>, Refusal> {
        let for_good = self.is_for_good();
        let asked = [ids, needs].concat();
        // What is over need not go, and would run again when it comes back.
        let there = |node: &Node| node.is_or_comes() || for_good && node.wanted;
        let away = self.in_the_way(ids, needs, there)?;
        let held = away.iter().filter_map(|rival| self.node(rival.id)).find(|node| node.is_held());
        if let Some(rival) = held {
            return Err(self.held_refusal(rival));
        }
        let mut told = Vec::new();
        for Rival { id, why, told: sentence } in away.into_iter().filter(|_| for_good) {
            told.push(sentence);
            let mut parts = self.parts_of(&[id]);
            parts.retain(|part| !asked.contains(part));
            told.extend(self.stopped_parts(id, &parts));
            self.send_away(id, &parts, why);
        }
        Ok(told)
    }

    /// Whether what is asked for now is asked for until somebody says otherwise.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self.cause.cause(), Cause::Person { .. })
    }

    /// The rivals of these that are `there`.
    fn in_the_way(
        &self,
        ids: &[NodeId],
        needs: &[NodeId],
        there: impl Fn(&Node) -> bool,
    ) -> Result<Vec<Rival>, Refusal> {
        let own = ids.iter().map(|_| self.cause.clone());
        let behind: Vec<Why> = own.chain(self.brought_up(ids, needs)).collect();
        let ids = [ids, needs].concat();
        let mut away: Vec<Rival> = Vec::new();
        for (id, behind) in ids.iter().zip(behind) {
            let Some(node) = self.node(*id) else { continue };
            for rival in node.edges.rivals() {
                if ids.contains(rival) {
                    let text =
                        format!("{} and {} exclude each other", node.name, self.name(*rival));
                    return Err(Refusal::new(Code::BadRequest, text).hint("start one of them"));
                }
                let there = self.node(*rival).is_some_and(&there);
                if there && away.iter().all(|known| known.id != *rival) {
                    let gone = self.name(*rival);
                    let told = format!("stops {gone}, which conflicts with {}", node.name);
                    let cause = Cause::Rival(node.name.to_string());
                    let why = Why::behind(self.now, cause, behind.clone());
                    away.push(Rival { id: *rival, why, told });
                }
            }
        }
        Ok(away)
    }

    /// A run that a time or a path has asked for, and that could begin, has its rivals make way.
    pub(super) fn clear_way(&mut self, id: NodeId) {
        let can = |node: &&Node| node.is_to_run() && node.rests();
        let Some(node) = self.node(id).filter(can) else { return };
        let (name, wish) = (node.name.clone(), node.wish.clone());
        let away = self.with_cause(wish, |engine| engine.may_make_way(id));
        let Some(away) = away else {
            // What it lacks may be far from it.
            self.delayed.insert(id);
            return;
        };
        if away.iter().any(|rival| self.is_new(id, rival)) && !self.cleared.insert(id) {
            return;
        }
        let mut told = Vec::new();
        for Rival { id: rival, why, told: sentence } in away {
            let parts = self.parts_that_go(id, &[rival]);
            if self.node(rival).is_some_and(|rival| rival.displaced.is_none()) {
                told.push(sentence);
                told.extend(self.stopped_parts(rival, &parts));
            }
            self.displace_for(id, rival, &parts, why);
        }
        if !told.is_empty() {
            self.tell(Level::Progress, format!("{name} runs: {}", told.join("; ")));
        }
    }

    /// The rivals that make way for a run now; none while it lacks something else, or they may not
    /// go.
    fn may_make_way(&self, id: NodeId) -> Option<Vec<Rival>> {
        let Lack::Nothing(below) = self.lack(id) else { return None };
        let away = self.in_the_way(&[id], &below, Node::makes_way).ok()?;
        self.may_go(id, &away).then_some(away)
    }

    /// Whether a rival has not made way for that node yet.
    fn is_new(&self, id: NodeId, rival: &Rival) -> bool {
        self.node(id).is_some_and(|node| !node.displaces.contains(&rival.id))
    }

    /// The parts that go with rivals of a node: those that it stands on do not.
    fn parts_that_go(&self, id: NodeId, rivals: &[NodeId]) -> Vec<NodeId> {
        let mut parts = self.parts_of(rivals);
        let below = self.all_below(id);
        parts.retain(|part| !below.contains(part));
        parts
    }

    /// Whether rivals go for the run of a node: nobody holds them, and with them goes no task that is
    /// at work, and nothing that the node needs.
    fn may_go(&self, id: NodeId, rivals: &[Rival]) -> bool {
        let node = |id: &NodeId| self.node(*id);
        let ids = || rivals.iter().map(|rival| rival.id);
        if ids().any(|id| node(&id).is_some_and(|node| node.is_held() && node.wanted)) {
            return false;
        }
        let rivals: Vec<NodeId> =
            ids().filter(|id| node(id).is_some_and(|node| node.displaced.is_none())).collect();
        let going = self.going_with(&rivals, &self.parts_that_go(id, &rivals));
        let is_at_work = |id: &NodeId| node(id).is_some_and(Node::is_at_work);
        !going.iter().any(is_at_work) && !self.falls_with(id, &going)
    }

    /// Whether a node stands on one of those that go, and on nobody in its place.
    fn falls_with(&self, id: NodeId, going: &[NodeId]) -> bool {
        let stays =
            |id: &NodeId| !going.contains(id) && self.node(*id).is_some_and(|node| node.firm);
        let below = self.reach(&[id], |_, node| {
            let lost = node.edges.needs.iter().filter(|need| !need.iter().any(stays));
            lost.flatten().copied().collect::<Vec<_>>()
        });
        below.iter().skip(1).any(|other| going.contains(other))
    }

    /// What a node lacks to start.
    fn lack(&self, id: NodeId) -> Lack {
        let late = |other: &&NodeId| self.node(**other).is_some_and(is_in_way);
        let mut comes = self.yields.contains_key(&id);
        let mut hopeless = false;
        let below = self.reach(&[id], |here, node| {
            let mut after = node.edges.after.iter().filter(|id| !node.edges.rivals().contains(id));
            let needs = node.edges.needs.iter().filter(|need| !self.has_firm(node, need));
            let missing: Option<Vec<NodeId>> = needs.map(|need| self.nearest(need)).collect();
            hopeless |= missing.is_none();
            let (resting, coming): (Vec<_>, Vec<_>) = missing
                .unwrap_or_default()
                .into_iter()
                .partition(|other| self.node(*other).is_some_and(Node::rests));
            // Nothing holds up one that is needed: it comes.
            let starts = here != id && resting.is_empty() && self.rival(node).is_none();
            comes |= starts || !coming.is_empty() || after.any(|other| late(&other));
            resting
        });
        match (hopeless, comes) {
            (true, _) => Lack::Hopeless,
            (_, true) => Lack::Coming,
            _ => Lack::Nothing(below.into_iter().skip(1).collect()),
        }
    }

    /// Which of these alternatives, none of which is there, will be first: one that comes, else one
    /// that a rival holds up.
    fn nearest(&self, need: &[NodeId]) -> Option<NodeId> {
        let comes = |id: &&NodeId| {
            self.node(**id).is_some_and(|node| {
                let waits = matches!(node.state, State::Awaiting { .. });
                self.is_wanted(node) && !waits && !node.is_over()
            })
        };
        let rests = |id: &&NodeId| self.node(**id).is_some_and(Node::rests);
        let excluded = |id: &&NodeId| self.node(**id).is_some_and(|n| self.rival(n).is_some());
        let mut all = need.iter().filter(comes);
        all.clone()
            .find(|id| !rests(id))
            .or_else(|| all.clone().find(excluded))
            .or_else(|| all.next())
            .copied()
    }

    /// Those parts that go with their whole, a sentence for each.
    fn stopped_parts(&self, whole: NodeId, parts: &[NodeId]) -> Vec<String> {
        let there = parts.iter().filter_map(|part| self.node(*part));
        let goes = there.filter(|part| part.state.is_active() && !part.stays());
        goes.map(|part| format!("stops {}, a part of {}", part.name, self.name(whole))).collect()
    }

    /// One is asked to go, with its parts.
    fn send_away(&mut self, id: NodeId, parts: &[NodeId], why: Why) {
        if let Some(node) = self.node_mut(id) {
            node.asked = Some(Asked::Down);
            node.wish = why.clone();
        }
        self.part(parts);
        // From now on it goes because of its rival, and by that because of who asked.
        for (id, why) in self.with_parts(vec![(id, why)]) {
            self.with_cause(why, |engine| engine.refresh_wanted(id));
            self.touch(id);
        }
    }

    /// One makes way for the run of another, with those of its parts that are there.
    fn displace_for(&mut self, by: NodeId, id: NodeId, parts: &[NodeId], why: Why) {
        for (other, why) in self.with_parts(vec![(id, why)]) {
            let goes = parts.contains(&other) && self.node(other).is_some_and(Node::is_or_comes);
            if other == id || goes {
                self.note_displaced(by, other, why);
            }
        }
    }

    fn note_displaced(&mut self, by: NodeId, id: NodeId, why: Why) {
        if let Some(node) = self.node_mut(by).filter(|node| !node.displaces.contains(&id)) {
            node.displaces.push(id);
        }
        let Some(node) = self.node_mut(id).filter(|node| node.displaced.is_none()) else { return };
        node.displaced = Some(by);
        node.wish = why.clone();
        self.with_cause(why, |engine| engine.refresh_wanted(id));
        self.touch(id);
    }

    /// Brings back those that made way for a node, if its run is over, or does not begin, or as far
    /// as it excludes them no more.
    pub(super) fn release_displaced(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| !node.displaces.is_empty()) else { return };
        let below = self.all_below(id);
        let lasts = self.lasts(id, node);
        let excludes = |by: &NodeId, other: &NodeId| {
            self.node(*by).is_some_and(|by| by.edges.rivals().contains(other))
        };
        let whole = |other: &NodeId| below.iter().copied().find(|by| excludes(by, other));
        let mut whys: Vec<(NodeId, Why)> = Vec::new();
        let (mut stay, mut back) = (Vec::new(), Vec::new());
        for other in &node.displaces {
            let known = whys.iter().any(|(known, _)| known == other);
            let rival = whole(other).and_then(|by| self.node(by));
            if let Some(rival) = rival {
                let cause = Cause::Rival(rival.name.to_string());
                let why = Why::behind(self.now, cause, rival.departure());
                whys.extend(self.with_parts(vec![(*other, why)]));
            }
            let list = if lasts && (known || rival.is_some()) { &mut stay } else { &mut back };
            list.push(*other);
        }
        let Some(node) = self.node_mut(id) else { return };
        node.displaces = stay;
        for other in back {
            let rival = whys.iter().find(|(known, _)| *known == other).map(|(_, why)| why.clone());
            // Those that exclude each other no more do not because of a file that was read, now or
            // before the one that made way had gone.
            let read = || self.cause.of_all().cloned();
            let own = || self.node(other).map(|node| node.wish.clone());
            let Some(why) = rival.or_else(read).or_else(own) else { continue };
            self.call_back(id, other, why);
        }
    }

    /// Whether a run for which others make way goes on, or can begin once they are gone.
    fn lasts(&self, id: NodeId, node: &Node) -> bool {
        if node.state.is_active() || node.displaced.is_some() {
            return true;
        }
        let below = match self.lack(id) {
            _ if !node.is_or_comes() || matches!(node.state, State::Awaiting { .. }) => {
                return false;
            }
            Lack::Hopeless => return false,
            Lack::Coming => return true,
            Lack::Nothing(below) => below,
        };
        let mut all = std::iter::once(node).chain(below.iter().filter_map(|id| self.node(*id)));
        let stays = |id: &NodeId| {
            self.node(*id).is_some_and(|rival| rival.state.is_active() && rival.wanted)
        };
        !all.any(|node| node.edges.rivals().iter().any(stays))
    }

    fn call_back(&mut self, by: NodeId, id: NodeId, why: Why) {
        if self.node(id).is_none_or(|node| node.displaced != Some(by)) {
            return;
        }
        let displaces = |other: &NodeId| {
            *other != by && self.node(*other).is_some_and(|node| node.displaces.contains(&id))
        };
        let next = self.ids().find(displaces);
        let Some(node) = self.node_mut(id) else { return };
        node.displaced = next;
        if next.is_none() {
            self.with_cause(why, |engine| engine.refresh_wanted(id));
            self.look_at_paths_again(id);
        }
        self.touch(id);
    }

    /// Until when one stays away whom a rival has had go, as the end of a sentence.
    pub(super) fn until_in_words(&self, node: &Node) -> String {
        match node.displaced.map(|by| self.name(by)) {
            None => String::new(),
            Some(by) if *node.cause.cause() == Cause::Rival(by.to_owned()) => {
                ", until that is over".to_owned()
            }
            Some(by) => format!(", until {by} is over"),
        }
    }

    /// Whether a run waits though all that is in its way would go.
    pub(super) fn waits_for_nobody(&self, id: NodeId, node: &Node) -> bool {
        let can = node.is_to_run() && node.rests() && !self.cleared.contains(&id);
        let is_new = |rival: &Rival| self.is_new(id, rival);
        can && self.may_make_way(id).is_some_and(|away| away.iter().any(is_new))
    }

    /// Whether a node is displaced by one that knows of it, and whose run goes on.
    pub(super) fn is_displaced_well(&self, id: NodeId, node: &Node) -> bool {
        let knows = |by: NodeId| {
            self.node(by).is_some_and(|it| it.displaces.contains(&id) && self.lasts(by, it))
        };
        node.displaced.is_none_or(knows)
    }
}
