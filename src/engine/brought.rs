//! Causes of what others bring about: why a node is brought up that nobody asked for, and why it
//! is let go.

use super::Engine;
use super::event::Cause;
use super::id::NodeId;
use super::node::{Asked, Node};
use super::why::Why;

impl Engine {
    /// Why a node is wanted that nobody asked for and no target wants: another one pulls it up.
    pub(super) fn pulled(&self, id: NodeId) -> Option<Why> {
        let node = self.node(id)?;
        let own = matches!(node.asked, Some(Asked::Up | Asked::Down));
        if own || node.is_held() || node.auto && !node.is_off() {
            return None;
        }
        let above = node.edges.needed_by.iter().chain(&node.edges.ordered_by);
        let mut above = above.filter_map(|other| self.node(*other));
        let other = above.find(|other| other.wanted && other.edges.brings().any(|it| it == id))?;
        let behind = self.in_place_of(id, other).unwrap_or_else(|| other.wish.clone());
        Some(Why::behind(self.now, pulls(other, id), behind))
    }

    /// Why another has this alternative brought up and not a better one, if it began with that.
    fn in_place_of(&self, id: NodeId, above: &Node) -> Option<Why> {
        if above.edges.pulls().any(|it| it == id) {
            return None;
        }
        let need = above.edges.needs.iter().find(|need| need.contains(&id))?;
        let better = need.iter().take_while(|other| **other != id);
        let last = better.filter_map(|other| self.node(*other)).max_by_key(|n| n.departure().at());
        let (last, why) = last.map(|last| (last, last.departure()))?;
        let is_news = why.at() > above.wish.at() && !why.is_of_one_story(&above.wish);
        is_news.then(|| Why::behind(self.now, Cause::Dependency(last.name.to_string()), why))
    }

    /// Why those below these are asked for with them, in the order in which they stand below one
    /// another: what a person asks for speaks for itself, all else has to do with who stands on it.
    pub(super) fn brought_up(&self, ids: &[NodeId], below: &[NodeId]) -> Vec<Why> {
        let mut whys: Vec<(NodeId, Why)> = ids.iter().map(|id| (*id, self.cause.clone())).collect();
        let speaks = matches!(self.cause.cause(), Cause::Person { .. });
        for id in below {
            let above = |(other, why): &(NodeId, Why)| {
                let other = self.node(*other).filter(|other| stands_on(other, *id))?;
                Some(Why::behind(self.now, pulls(other, *id), why.clone()))
            };
            let why = if speaks { None } else { whys.iter().find_map(above) };
            whys.push((*id, why.unwrap_or_else(|| self.cause.clone())));
        }
        whys.into_iter().skip(ids.len()).map(|(_, why)| why).collect()
    }

    /// Why a node is not wanted any more of which nobody has said a word: whoever had it brought
    /// up does not need it now, or stands on a better alternative.
    pub(super) fn let_go(&self, id: NodeId) -> Option<Why> {
        let node = self.node(id)?;
        let off = node.removed || node.parted || node.asked == Some(Asked::Down);
        let off = off || node.displaced.is_some();
        let own = self.cause.is(&node.cause) || node.auto && !node.is_off();
        if own || off || node.is_held() || self.cause.is_of_all() {
            return None;
        }
        let above = node.edges.needed_by.iter().chain(&node.edges.ordered_by);
        let had = |above: &&Node| {
            let has = above.wanted && above.edges.brings().any(|below| below == id);
            stands_on(above, id) && !has
        };
        let above = above.filter_map(|other| self.node(*other)).filter(had);
        let last = above.max_by_key(|above| above.wish.at())?;
        let need = last.edges.needs.iter().find(|need| need.contains(&id));
        let firm = |other: &&Node| other.firm && last.wanted;
        let better = need.and_then(|need| need.iter().filter_map(|o| self.node(*o)).find(firm));
        let behind = match better {
            Some(better) => {
                let cause = Cause::Dependency(better.name.to_string());
                Why::behind(self.now, cause, better.cause.clone())
            }
            None => last.wish.clone(),
        };
        Some(Why::behind(self.now, Cause::LetGo(last.name.to_string()), behind))
    }
}

/// Whether one needs or wants another, be it as one of several.
fn stands_on(above: &Node, below: NodeId) -> bool {
    above.edges.needs.iter().flatten().chain(&above.edges.wants).any(|id| *id == below)
}

/// How one has another brought up.
fn pulls(above: &Node, below: NodeId) -> Cause {
    let needs = above.edges.needs.iter().any(|need| need.contains(&below));
    let name = above.name.to_string();
    if needs { Cause::NeededBy(name) } else { Cause::WantedBy(name) }
}
