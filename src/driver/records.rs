//! That terminals are in use, and no more: a helper of finit writes the records of utmp(5), as their
//! files lie on disks and are locked by others. Each service has one at a time, so that its end
//! comes after its beginning and before the next one; what comes meanwhile is told to the next
//! helper, and a helper that hangs keeps nobody else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Driver;
use super::reaper::Owner;
use crate::boot::session::{self, News};
use crate::config::spec::ExecSpec;
use crate::engine::{Ended, NodeId, RunId};
use crate::facts::{Errno, Exit, Pid, SpawnError, Stage};
use crate::os::time;

/// What waits for a helper that hangs; of more the latest count.
const WAITING: usize = 16;

/// What the records of a run go by, whatever the file says by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    id: String,
    line: String,
}

impl Mark {
    /// That of a service which asks for records.
    pub fn of(exec: &ExecSpec) -> Option<Self> {
        let line = exec.tty.clone().unwrap_or_default();
        exec.utmp.clone().map(|id| Self { id, line })
    }
}

/// What is yet to be written.
#[derive(Debug, Default)]
pub struct Records(BTreeMap<NodeId, Chain>);

/// That of one service.
#[derive(Debug, Default)]
struct Chain {
    helper: Option<Pid>,
    news: Vec<News>,
}

impl Records {
    /// What no helper has been told, for the next finit.
    pub fn untold(&self) -> Vec<(NodeId, Vec<News>)> {
        let untold = self.0.iter().filter(|(_, chain)| !chain.news.is_empty());
        untold.map(|(node, chain)| (*node, chain.news.clone())).collect()
    }
}

impl Driver {
    /// A run has its process.
    pub(super) fn note_begin(&mut self, run: RunId, pid: Pid, exec: &ExecSpec) {
        let Some(mark) = Mark::of(exec) else { return };
        if let Some(site) = self.sites.of(run.node) {
            site.make_rare().marks.insert(run.generation, mark.clone());
        }
        self.note(run.node, pid, mark, None);
    }

    /// A run has it no more.
    pub(super) fn note_end(&mut self, run: RunId, pid: Pid, ended: &Ended) {
        let rare = self.sites.of(run.node).and_then(|site| site.rare_mut());
        let Some(mark) = rare.and_then(|rare| rare.marks.remove(&run.generation)) else { return };
        // As a shell has it of what it cannot execute.
        let unknown = if matches!(ended, Ended::NotExecuted(_)) { 127 } else { 255 };
        let exit = ended.exit().unwrap_or(Exit::Code(unknown));
        self.note(run.node, pid, mark, Some(exit));
    }

    fn note(&mut self, node: NodeId, pid: Pid, mark: Mark, end: Option<Exit>) {
        let news =
            News { pid, line: mark.line, id: mark.id, end, at: time::wall(), tick: time::ticks() };
        self.tell_of(node, vec![news]);
    }

    /// Has a helper write this once those before it have ended.
    pub(super) fn tell_of(&mut self, node: NodeId, news: Vec<News>) {
        let chain = self.records.0.entry(node).or_default();
        chain.news.extend(news);
        let excess = chain.news.len().saturating_sub(WAITING);
        chain.news.drain(..excess);
        if chain.helper.is_none() {
            // Without it a record is lost, no more; what comes next takes it along.
            let _lost = self.write_records(node);
        }
    }

    fn write_records(&mut self, node: NodeId) -> Result<(), SpawnError> {
        let Some(chain) = self.records.0.get(&node) else { return Ok(()) };
        let json = serde_json::to_string(&chain.news)
            .map_err(|_| SpawnError::at(Stage::Clone, Errno(libc::EINVAL)))?;
        let spawned = self.spawn_myself([session::WORD, &json], None, None)?;
        if let Some(chain) = self.records.0.get_mut(&node) {
            chain.helper = Some(spawned.pid);
            chain.news.clear();
        }
        self.reaper.adopt(spawned, Owner::Records(node));
        Ok(())
    }

    /// A helper has ended, be it by its deadline.
    pub(super) fn on_recorded(&mut self, node: NodeId) {
        let Some(chain) = self.records.0.get_mut(&node) else { return };
        chain.helper = None;
        if chain.news.is_empty() {
            self.records.0.remove(&node);
        } else {
            let _lost = self.write_records(node);
        }
    }
}
