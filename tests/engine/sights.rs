//! Whoever watches paths, in a world without files: what is there is what the test says.

use std::collections::BTreeSet;
use std::rc::Rc;

use finit::config::spec::{Sight, Trigger, Watched};
use finit::engine::{Engine, Event, NodeId, RunId};

use crate::agenda::Fact;
use crate::fates::Fates;
use crate::oracle::peek;
use crate::rig::Rig;
use crate::world::World;

/// Who watches paths for a node.
#[derive(Debug)]
pub struct Watcher {
    pub paths: Rc<[Watched]>,
    /// What they were like before, as the engine was told.
    pub marks: Vec<u64>,
    /// How often it was asked what holds.
    pub asked: usize,
}

impl<F: Fates> World<F> {
    pub fn watch_paths(&mut self, run: RunId, paths: Rc<[Watched]>, marks: Vec<u64>) {
        if let (Some(oracle), true) = (&mut self.oracle, marks.is_empty()) {
            oracle.sighted.remove(&run.node);
        }
        self.watchers.insert(run, Watcher { paths, marks, asked: 0 });
    }

    /// It answers when something is there.
    pub fn look_at_paths(&mut self, run: RunId) {
        if let Some(watcher) = self.watchers.get_mut(&run) {
            watcher.asked += 1;
            let name = self.engine.name(run.node).to_owned();
            if let Some(after) = self.fates.level(&name, self.now) {
                self.plan(after, Fact::Sees(run));
            }
        }
    }

    /// Who watches sees that something goes on, or changes, if it is one that looks for that.
    pub fn sights(&mut self, run: RunId, level: bool, mark: u64) {
        let Some(watcher) = self.watchers.get(&run) else { return };
        let sought = watcher.paths.iter().find(|one| one.trigger.is_level() == level);
        let Some(Watched { trigger, path }) = sought.cloned() else { return };
        if let (Some(oracle), false) = (&mut self.oracle, level) {
            oracle.sighted.insert(run.node);
        }
        let sights = vec![Sight { trigger, path, mark }];
        self.turn(Event::Sighted { run, marks: vec![mark], sights });
    }

    /// Who watches for that one is killed.
    pub fn blind(&mut self, run: RunId) {
        if self.watchers.remove(&run).is_some() {
            self.turn(Event::Blinded { run });
        }
    }

    /// A change that was told is followed by a run.
    pub fn sights_at_rest(&mut self) {
        let Some(oracle) = &mut self.oracle else { return };
        for node in oracle.sighted.clone() {
            let one = peek(&self.engine, node);
            let rests = ["down", "ended", "done", "failed"].contains(&one.label);
            let watched = self.watchers.keys().any(|run| run.node == node);
            // What it needs may be kept down by a rival, or be two rivals.
            let free = one.kept.is_none() && !excluded(&self.engine, node);
            oracle.check(!(rests && watched && free), || {
                format!("{} ({}) never runs for what was seen", one.name, one.label)
            });
        }
    }
}

/// Whether something excludes a node, or what it needs.
fn excluded(engine: &Engine, node: NodeId) -> bool {
    let mut found = vec![node];
    let mut next = 0;
    while let Some(one) = found.get(next).map(|id| peek(engine, *id)) {
        if !one.rivals.is_empty() {
            return true;
        }
        let needs: BTreeSet<NodeId> = one.needs.into_iter().flatten().collect();
        let new: Vec<NodeId> = needs.into_iter().filter(|id| !found.contains(id)).collect();
        found.extend(new);
        next += 1;
    }
    false
}

impl Rig {
    /// Who watches paths for this.
    pub fn watcher(&self, name: &str) -> Option<RunId> {
        let node = self.world.engine.number(name)?;
        self.world.watchers.keys().copied().find(|run| run.node == node)
    }

    /// How often its paths were asked for what holds.
    pub fn asked(&self, name: &str) -> usize {
        self.watcher(name).map_or(0, |run| self.world.watchers[&run].asked)
    }

    /// Something is seen of a path of this.
    pub fn sees(&mut self, name: &str, trigger: Trigger, path: &str, mark: u64) {
        let run = self.watcher(name).unwrap_or_else(|| panic!("nobody watches for {name}"));
        let sights = vec![Sight { trigger, path: path.to_owned(), mark }];
        self.world.turn(Event::Sighted { run, marks: vec![mark], sights });
        self.now();
    }

    /// A path of this changes.
    pub fn changes(&mut self, name: &str, path: &str) {
        self.sees(name, Trigger::Changed, path, 1);
    }
}
