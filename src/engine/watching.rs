//! Paths whose change starts a node. The engine knows no file: somebody else watches, for as long
//! as the node wants it, and tells what was seen.
//!
//! What is seen is kept until the node runs, and that a run began is what takes it away: so a
//! change during a run is followed by another run, and many are followed by one. What goes on
//! (a path exists) counts while nothing runs, and is looked at again after each run.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{NodeId, RunId};
use super::node::{Body, Node};
use super::state::{DownWhy, State};
use super::{Cause, Effect, Engine};
use crate::config::spec::{Sight, Stage, Watched};
use crate::config::steps;
use crate::facts::Moment;

/// Runs of one node that paths may start in a period; as TriggerLimit of systemd.path(5), but
/// past it the next one waits.
const MOST: u32 = 200;
const PERIOD: Duration = Duration::from_secs(2);
/// What changes again so soon after a run is likely changed by that run.
const SOON: Duration = Duration::from_secs(2);
/// How long the first run waits that follows another at once; each further one twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// The longest such time where something changed.
const CHANGES: Duration = Duration::from_secs(1);
/// The same where all is as it was before the run: that one does not remove its cause.
const STAYS: Duration = Duration::from_secs(30);

/// What is known of the paths of a node that is watched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Which.
    paths: Rc<[Watched]>,
    /// Who watches.
    pub run: RunId,
    /// What they were like when all that happened to them had been told; nothing at first.
    marks: Vec<u64>,
    /// What is to be followed by a run.
    sight: Option<Sight>,
    /// A run is over since they were looked at.
    unlooked: bool,
    /// What the last run was for.
    last: Option<Sight>,
    /// The path that the run is for, until it is over.
    trigger: Option<String>,
    /// Runs that followed on one another at once.
    row: u32,
    /// Start and count of the running period.
    count: (Moment, u32),
    /// The next run waits until then.
    pub until: Option<Moment>,
}

impl Watching {
    fn has_levels(&self) -> bool {
        self.paths.iter().any(|watched| watched.trigger.is_level())
    }

    /// Whether a run for that follows another at once, and how long it waits at most; `rests` is
    /// how long nothing has run.
    fn follows(&self, sight: &Sight, rests: Duration) -> Option<Duration> {
        let last = self.last.as_ref()?;
        match sight.trigger.is_level() {
            // One of many that is gone now is progress.
            true => (last == sight).then_some(STAYS),
            false => (rests < SOON).then_some(CHANGES),
        }
    }

    /// When it may run for that; it has rested since then.
    fn due(&self, sight: &Sight, since: Moment, now: Moment) -> Moment {
        let (began, count) = self.count;
        let full = count >= MOST && now.since(began) < PERIOD;
        let room = if full { began.after(PERIOD) } else { now };
        let delay = self.follows(sight, now.since(since)).map(|most| {
            let doubled = 1u32.checked_shl(self.row.min(20)).unwrap_or(1);
            FIRST.saturating_mul(doubled).min(most)
        });
        delay.map_or(room, |delay| room.max(since.after(delay)))
    }

    /// It runs for that now.
    fn take(&mut self, sight: Sight, since: Moment, now: Moment) {
        let follows = self.follows(&sight, now.since(since)).is_some();
        self.row = if follows { self.row.saturating_add(1) } else { 0 };
        let (began, count) = self.count;
        let (began, count) = if now.since(began) < PERIOD { (began, count) } else { (now, 0) };
        self.count = (began, count.saturating_add(1));
        self.trigger = Some(sight.path.clone());
        self.last = Some(sight);
        self.begin();
    }

    /// It cannot run for that now, and is tried again later.
    fn put_off(&mut self, sight: Sight, now: Moment) {
        (self.sight, self.until) = (Some(sight), Some(now.after(STAYS)));
        (self.trigger, self.unlooked) = (None, false);
    }

    /// A run is over.
    pub fn end_run(&mut self) {
        self.trigger = None;
    }

    /// A run begins.
    fn begin(&mut self) {
        self.sight = None;
        self.until = None;
        self.unlooked = self.has_levels();
    }
}

impl Engine {
    /// Whether what is seen of its paths starts a node.
    fn is_watching(&self, node: &Node) -> bool {
        let Some(spec) = node.living_spec() else { return false };
        // What is mounted on the way to a path would be a change of it.
        let after: &[&str] = match spec.stage {
            Stage::Main => &[steps::MAIN],
            Stage::Early => &steps::EARLY,
        };
        let is_over = |name: &&str| {
            let node = self.names.get(*name).and_then(|id| self.node(*id));
            node.is_some_and(|node| node.state.is_up() || matches!(node.state, State::Failed(_)))
        };
        node.timed && !self.phase.is_down() && !node.is_off() && after.iter().all(is_over)
    }

    /// Has somebody watch, or nobody, as the definition of a node says.
    pub(super) fn refresh_watching(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let paths = node.living_spec().and_then(|spec| spec.watch.clone());
        let paths = paths.filter(|_| self.is_watching(node));
        if node.watching.as_ref().map(|watching| &watching.paths) == paths.as_ref() {
            return;
        }
        if let Some(run) = node.watching.as_ref().map(|watching| watching.run) {
            self.emit(Effect::Dismiss { run });
        }
        let watching = paths.map(|paths| {
            let (run, count) = (self.new_run(id), (self.now, 0));
            let (marks, sight, last, trigger) = (Vec::new(), None, None, None);
            let (unlooked, row, until) = (false, 0, None);
            let seen =
                Watching { paths, run, marks, sight, unlooked, last, trigger, row, count, until };
            Box::new(seen)
        });
        self.change(id, |node| node.watching = watching);
        self.watch_paths_again(id);
    }

    /// Has somebody watch from now on, who knows what was there before.
    pub(super) fn watch_paths_again(&mut self, id: NodeId) {
        let watching = self.node(id).and_then(|node| node.watching.as_ref());
        if let Some(Watching { run, paths, marks, .. }) = watching.map(|watching| &**watching) {
            let (run, paths, marks) = (*run, Rc::clone(paths), marks.clone());
            self.emit(Effect::WatchPaths { run, paths, marks });
        }
    }

    /// Whoever watched is gone, and whether for nothing.
    pub(super) fn on_blinded(&mut self, run: RunId) {
        let watched = self.node(run.node).and_then(|node| node.watching.as_ref());
        if watched.is_some_and(|watching| watching.run == run) {
            self.watch_paths_again(run.node);
        }
    }

    /// Something was seen, or it was seen for the first time what there is.
    pub(super) fn on_sighted(&mut self, run: RunId, marks: Vec<u64>, sights: Vec<Sight>) {
        let id = run.node;
        let Some(node) = self.node_mut(id) else { return };
        let rests = rests(node);
        let Some(watching) = node.watching.as_mut().filter(|watching| watching.run == run) else {
            return;
        };
        watching.marks = marks;
        let is_level = |sight: &Sight| sight.trigger.is_level();
        let (levels, changes): (Vec<_>, Vec<_>) = sights.into_iter().partition(is_level);
        // What goes on is looked at again after the run.
        let level = levels.into_iter().next().filter(|_| rests);
        let Some(sight) = changes.into_iter().next().or(level) else { return };
        if watching.sight.as_ref().is_none_or(|known| is_level(known) && *known != sight) {
            self.change(id, |node| {
                if let Some(watching) = &mut node.watching {
                    (watching.sight, watching.until) = (Some(sight), None);
                }
            });
            self.touch(id);
        }
    }

    /// Has a node run for what was seen, if it rests and the time for it has come. True if it
    /// does.
    pub(super) fn follow_sight(&mut self, id: NodeId) -> bool {
        let now = self.now;
        let Some(node) = self.node_mut(id).filter(|node| rests(node)) else { return false };
        let since = node.since;
        let Some(watching) = &mut node.watching else { return false };
        if std::mem::take(&mut watching.unlooked) {
            let run = watching.run;
            self.emit(Effect::LookAtPaths { run });
        }
        let watching = self.node(id).and_then(|node| node.watching.as_ref());
        let Some(watching) = watching.filter(|watching| watching.until.is_none()) else {
            return false;
        };
        let Some(sight) = watching.sight.clone() else { return false };
        let due = watching.due(&sight, since, now);
        self.change(id, |node| {
            let Some(watching) = &mut node.watching else { return };
            match due > now {
                true => watching.until = Some(due),
                false => watching.take(sight.clone(), since, now),
            }
        });
        if due > now {
            return false;
        }
        self.because(Cause::Path(sight.to_string()));
        if self.node(id).is_some_and(|node| matches!(node.state, State::Listening)) {
            self.stir(id);
        } else {
            let runs = self.run_now(id, &sight.to_string());
            self.change(id, |node| match &mut node.watching {
                Some(watching) if !runs => watching.put_off(sight, now),
                Some(_) | None => {}
            });
        }
        true
    }

    /// The next run need not wait any longer, if it is still wanted: what held before may not hold
    /// any more.
    pub(super) fn on_pause_over(&mut self, id: NodeId) {
        self.change(id, |node| {
            if let Some(watching) = &mut node.watching {
                watching.until = None;
                let level = watching.sight.take_if(|sight| sight.trigger.is_level());
                watching.unlooked |= level.is_some();
            }
        });
        self.touch(id);
    }

    /// Nobody holds it any more: what goes on counts again.
    pub(super) fn look_at_paths_again(&mut self, id: NodeId) {
        if let Some(watching) = self.node_mut(id).and_then(|node| node.watching.as_mut()) {
            watching.unlooked = watching.has_levels();
        }
    }

    /// What is to be followed by another run of a node that has not ended.
    pub(super) fn next_of(node: &Node) -> Option<&Sight> {
        node.watching.as_ref()?.sight.as_ref().filter(|_| !rests(node))
    }

    /// The path that a node runs for.
    pub(super) fn trigger_of(&self, id: NodeId) -> Option<String> {
        self.node(id)?.watching.as_ref()?.trigger.clone()
    }

    /// Whether what was seen of a node that rests is followed, or waits for its time.
    pub(super) fn is_watched_well(&self, node: &Node) -> bool {
        let open = |watching: &Watching| {
            watching.unlooked || watching.sight.is_some() && watching.until.is_none()
        };
        !(rests(node) && node.watching.as_deref().is_some_and(open))
    }

    /// A run begins: what was seen before is what it finds.
    pub(super) fn begin_run(&mut self, id: NodeId) {
        self.change(id, |node| {
            if let Some(watching) = &mut node.watching {
                watching.begin();
            }
        });
    }
}

/// Whether a node would run if somebody asked for it, and will not by itself.
fn rests(node: &Node) -> bool {
    let inetd = || node.spec().is_some_and(|spec| spec.is_inetd());
    match &node.state {
        // What is seen while somebody holds it, or it makes way for a rival, is kept for later.
        _ if node.leaving || node.is_held() || node.displaced.is_some() => false,
        _ if !matches!(node.body, Body::Service(_)) => false,
        State::Down(DownWhy::Ended) | State::Skipped(_) | State::Done(_) => true,
        State::Down(DownWhy::NeverWanted | DownWhy::Stopped) => !node.wanted,
        State::Failed(_) => node.hung.is_none(),
        State::Listening => node.on_demand() && !node.stirred && !inetd(),
        State::Waiting { .. }
        | State::Awaiting { .. }
        | State::Backoff { .. }
        | State::Starting { .. }
        | State::Up { .. }
        | State::Stopping { .. }
        | State::Cleaning { .. } => false,
    }
}
