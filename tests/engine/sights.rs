//! Whoever watches paths, in a world without files: what is there is what the test says.

use std::rc::Rc;

use finit::config::spec::{Sight, Trigger, Watched};
use finit::engine::{Event, RunId};

use crate::fates::Fates;
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
        self.watchers.insert(run, Watcher { paths, marks, asked: 0 });
    }

    /// It answers with the next thing that happens.
    pub fn look_at_paths(&mut self, run: RunId) {
        if let Some(watcher) = self.watchers.get_mut(&run) {
            watcher.asked += 1;
        }
    }
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
