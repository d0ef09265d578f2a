//! Looks at conditions and look-outs for paths, in a world without files.

use finit::config::spec::Conditions;
use finit::engine::{Engine, Event, RunId, Verdict};
use finit::facts::SpawnError;

use crate::agenda::Fact;
use crate::fates::Fates;
use crate::oracle::{Oracle, peek};
use crate::rig::Rig;
use crate::world::World;

impl<F: Fates> World<F> {
    pub fn look(&mut self, run: RunId, conditions: &Conditions) {
        let name = self.engine.name(run.node).to_owned();
        self.looks.insert(run);
        if let Some((after, seen)) = self.fates.look(&name, conditions, self.now) {
            self.plan(after, Fact::Looked(run, seen));
        }
    }

    pub fn looked(&mut self, run: RunId, result: Result<Verdict, SpawnError>) {
        if self.looks.remove(&run) {
            self.variables.answered(run, result.is_ok());
            self.turn(Event::Checked { run, result });
        }
    }

    pub fn look_out(&mut self, run: RunId, path: String) {
        if let Some(after) = self.fates.arrives(&path, self.now) {
            self.plan(after, Fact::Arrives(run));
        }
        self.awaited.insert(run, path);
    }

    pub fn arrive(&mut self, run: RunId) {
        if self.awaited.remove(&run).is_some() {
            self.turn(Event::Arrived { run });
        }
    }

    /// Who looks out for that path.
    pub fn awaited_runs(&self, path: &str) -> Vec<RunId> {
        self.awaited.iter().filter(|(_, known)| *known == path).map(|(run, _)| *run).collect()
    }

    pub fn dismiss(&mut self, run: RunId) {
        self.looks.remove(&run);
        self.awaited.remove(&run);
        self.watchers.remove(&run);
        self.ended_runs.push(run);
    }

    /// finit executes itself: whoever looks has nobody to tell it.
    pub fn forget_looks(&mut self) {
        self.looks.clear();
        self.awaited.clear();
        self.watchers.clear();
    }
}

impl Rig {
    /// From now on this condition does not hold, in these words.
    pub fn skips(&mut self, name: &str, why: &str) {
        self.world.fates.looks.insert(name.to_owned(), Some(Verdict::Skips(why.to_owned())));
    }

    /// The same where it has to.
    pub fn fails(&mut self, name: &str, why: &str) {
        self.world.fates.looks.insert(name.to_owned(), Some(Verdict::Fails(why.to_owned())));
    }

    /// From now on looking for this never ends.
    pub fn look_hangs(&mut self, name: &str) {
        self.world.fates.looks.insert(name.to_owned(), None);
    }

    /// From now on this path is there; who looks out for it sees it.
    pub fn path(&mut self, path: &str) {
        self.world.fates.paths.insert(path.to_owned());
        let arrived: Vec<RunId> = self.world.awaited_runs(path);
        for run in arrived {
            self.world.arrive(run);
        }
        self.now();
    }

    /// From now on it is not, which nobody is told.
    pub fn path_goes(&mut self, path: &str) {
        self.world.fates.paths.remove(path);
    }
}

impl Oracle {
    /// Each look is one that its node waits for.
    pub fn looks<'a>(&mut self, engine: &Engine, under_way: impl Iterator<Item = &'a RunId>) {
        for run in under_way {
            let node = peek(engine, run.node);
            let sought = node.run == Some(*run) && ["starting", "waiting"].contains(&node.label);
            self.check(sought, || format!("{} ({}) waits for no look", node.name, node.label));
        }
    }
}
