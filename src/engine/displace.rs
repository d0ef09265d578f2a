//! Rivals that make way for what a person, a time or a path asks for. Whom a person sends away is
//! away until a person asks for it again. Who makes way for a run that its time or a path has asked
//! for is *displaced*: nobody said that it is not to be there, so it comes back when that is over.

use super::id::NodeId;
use super::node::{Asked, Node};
use super::state::{DownWhy, State};
use super::why::Why;
use super::{Cause, Engine};
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
        let over = matches!(
            self.state,
            State::Down(DownWhy::Ended) | State::Failed(_) | State::Skipped(_)
        );
        self.state.is_active() || self.wanted && !over || self.displaced.is_some()
    }
}

impl Engine {
    /// What stands in the way of these, and of what they need, is asked to go, and its parts with
    /// it; the answer is a sentence for each.
    ///
    /// # Errors
    /// Two of these are rivals of each other, or a rival is held.
    pub(super) fn displace(
        &mut self,
        ids: &[NodeId],
        needs: &[NodeId],
    ) -> Result<Vec<String>, Refusal> {
        let asked = [ids, needs].concat();
        let away = self.in_the_way(ids, needs)?;
        let held = away.iter().filter_map(|rival| self.node(rival.id)).find(|node| node.is_held());
        if let Some(rival) = held {
            return Err(self.held_refusal(rival));
        }
        let mut told = Vec::new();
        for Rival { id, why, told: sentence } in away {
            told.push(sentence);
            let mut parts = self.parts_of(&[id]);
            parts.retain(|part| !asked.contains(part));
            told.extend(self.stopped_parts(id, &parts));
            match ids {
                [by] if !self.is_for_good() => self.displace_for(*by, id, &parts, why),
                _ => self.send_away(id, &parts, why),
            }
        }
        Ok(told)
    }

    /// Whether what is asked for now is asked for until somebody says otherwise.
    fn is_for_good(&self) -> bool {
        matches!(self.cause.cause(), Cause::Person { .. })
    }

    /// The rivals of these that are there, or come.
    fn in_the_way(&self, ids: &[NodeId], needs: &[NodeId]) -> Result<Vec<Rival>, Refusal> {
        let own = ids.iter().map(|_| self.cause.clone());
        let behind: Vec<Why> = own.chain(self.brought_up(ids, needs)).collect();
        let ids = [ids, needs].concat();
        let for_good = self.is_for_good();
        let mut away: Vec<Rival> = Vec::new();
        for (id, behind) in ids.iter().zip(behind) {
            let Some(node) = self.node(*id) else { continue };
            for rival in node.edges.rivals() {
                if ids.contains(rival) {
                    let text =
                        format!("{} and {} exclude each other", node.name, self.name(*rival));
                    return Err(Refusal::new(Code::BadRequest, text).hint("start one of them"));
                }
                let there = self.node(*rival).is_some_and(|n| {
                    // What is over need not go, and would run again when it comes back.
                    n.is_or_comes() || for_good && n.wanted
                });
                if there && away.iter().all(|known| known.id != *rival) {
                    let gone = self.name(*rival);
                    let told = format!("stops {gone}, which conflicts with {}", node.name);
                    let cause = Cause::Rival(node.name.clone());
                    let why = Why::behind(self.now, cause, behind.clone());
                    away.push(Rival { id: *rival, why, told });
                }
            }
        }
        Ok(away)
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
        for (id, why) in self.with_parts(id, why) {
            self.with_cause(why, |engine| engine.refresh_wanted(id));
            self.touch(id);
        }
    }

    /// A node with what has it go or come, and its parts, and their parts, each because of its
    /// whole.
    fn with_parts(&self, id: NodeId, why: Why) -> Vec<(NodeId, Why)> {
        let mut found = vec![(id, why)];
        let mut next = 0;
        while let Some((whole, why)) = found.get(next).cloned() {
            next = next.saturating_add(1);
            let cause = Cause::Whole(self.name(whole).to_owned());
            let why = Why::behind(self.now, cause, why);
            for part in self.node(whole).map(|node| node.edges.parts()).unwrap_or_default() {
                if found.iter().all(|(known, _)| known != part) {
                    found.push((*part, why.clone()));
                }
            }
        }
        found
    }

    /// One makes way for the run of another, with those of its parts that are there.
    fn displace_for(&mut self, by: NodeId, id: NodeId, parts: &[NodeId], why: Why) {
        for (other, why) in self.with_parts(id, why) {
            let goes = parts.contains(&other) && self.node(other).is_some_and(Node::is_or_comes);
            if other == id || goes {
                self.note_displaced(by, other, why);
            }
        }
    }

    fn note_displaced(&mut self, by: NodeId, id: NodeId, why: Why) {
        if let Some(node) = self.node_mut(id) {
            node.displaced = Some(by);
            node.wish = why.clone();
        }
        if let Some(node) = self.node_mut(by) {
            node.displaces.push(id);
        }
        self.with_cause(why, |engine| engine.refresh_wanted(id));
        self.touch(id);
    }

    /// Brings back those that made way for a node, if its run is over, or as far as it excludes
    /// them no more.
    pub(super) fn release_displaced(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| !node.displaces.is_empty()) else { return };
        let below = self.all_below(id);
        let lasts = node.is_or_comes();
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
                let cause = Cause::Rival(rival.name.clone());
                let why = Why::behind(self.now, cause, rival.departure());
                whys.extend(self.with_parts(*other, why));
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

    fn call_back(&mut self, by: NodeId, id: NodeId, why: Why) {
        if let Some(node) = self.node_mut(id).filter(|node| node.displaced == Some(by)) {
            node.displaced = None;
            self.with_cause(why, |engine| engine.refresh_wanted(id));
            self.look_at_paths_again(id);
            self.touch(id);
        }
    }

    /// A node and all that it stands on.
    fn all_below(&self, id: NodeId) -> Vec<NodeId> {
        let mut below = vec![id];
        let mut next = 0;
        while let Some(node) = below.get(next).and_then(|id| self.node(*id)) {
            next = next.saturating_add(1);
            for other in node.edges.needs.iter().flatten() {
                if !below.contains(other) {
                    below.push(*other);
                }
            }
        }
        below
    }

    /// Whether a node is displaced by one that knows of it, and whose run goes on.
    pub(super) fn is_displaced_well(&self, id: NodeId, node: &Node) -> bool {
        let knows = |by: NodeId| {
            self.node(by).is_some_and(|by| by.is_or_comes() && by.displaces.contains(&id))
        };
        node.displaced.is_none_or(knows)
    }
}
