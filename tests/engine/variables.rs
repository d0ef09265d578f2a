//! Files of variables in a world without files: who reads them, and that each program is started
//! with what its own files said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use finit::config::spec::{Missing, ServiceSpec};
use finit::engine::{NodeId, RunId, Spawn, What};
use finit::facts::SpawnError;

use crate::agenda::Fact;
use crate::fates::Fates;
use crate::rig::Rig;
use crate::world::World;

/// What is being read, and what was read last of each node.
#[derive(Debug, Default)]
pub struct Variables {
    reading: BTreeMap<RunId, Rc<ServiceSpec>>,
    /// With whether no program of a start has got it yet.
    read: BTreeMap<NodeId, (Vec<(PathBuf, Missing)>, bool)>,
}

impl Variables {
    /// The answer of somebody who reads, or looks at something else.
    pub fn answered(&mut self, run: RunId, good: bool) {
        if let Some(spec) = self.reading.remove(&run).filter(|_| good) {
            self.read.insert(run.node, (spec.exec.env_files.clone(), true));
        }
    }

    /// What is wrong with starting that by now.
    pub fn mistake(&mut self, order: &Spawn) -> Option<String> {
        let (name, files) = (&order.service.name, &order.service.exec.env_files);
        if files.is_empty() || !matches!(order.what, What::Main | What::Connection(_)) {
            return None;
        }
        match self.read.get_mut(&order.run.node) {
            Some((read, _)) if read != files => Some(format!("{name} gets other variables")),
            Some((_, fresh)) if *fresh || order.what != What::Main => {
                *fresh = false;
                None
            }
            Some(_) => Some(format!("{name} gets variables that were read before")),
            None => Some(format!("{name} starts without variables")),
        }
    }
}

impl<F: Fates> World<F> {
    pub fn read(&mut self, run: RunId, service: Rc<ServiceSpec>) {
        self.looks.insert(run);
        if let Some((after, seen)) = self.fates.read(&service.name, self.now) {
            self.plan(after, Fact::Looked(run, seen));
        }
        self.variables.reading.insert(run, service);
    }
}

impl Rig {
    /// From now on reading the files of this one ends so; none: it hangs.
    pub fn reads(&mut self, name: &str, result: Option<Result<(), SpawnError>>) {
        self.world.fates.reads.insert(name.to_owned(), result);
    }
}
