//! What must hold when a service passes from one state to the next: readiness, and the order of
//! starts and stops.

use finit::config::spec::{Ready, STEPS, StopScope};
use finit::engine::{Cause, Engine, NodeId, Peek, RunId};

use crate::freezer::Freezer;
use crate::oracle::{Oracle, at, peek};

impl Oracle {
    /// A service is up when it is said to be, and not before.
    pub fn up_early(&mut self, engine: &Engine, id: NodeId, old: &Peek, new: &Peek) {
        if (old.label, new.label) != ("starting", "up") {
            return;
        }
        let spec = engine.definition(id);
        let said = spec.is_none_or(|spec| matches!(spec.ready.when, Ready::Exec | Ready::Exit));
        let known = new.run.is_some_and(|run| self.ready.contains(&run));
        self.check(said || known, || format!("{} is up before it is ready", new.name));
    }

    /// A step that was tried again says who had asked for that.
    pub fn tried_again(&mut self, engine: &Engine, id: NodeId, old: &Peek, new: &Peek) {
        let step = STEPS.contains(&&*new.name);
        let over = step && ["done", "failed"].contains(&new.label);
        if let (true, "starting", Some(run)) = (over, old.label, old.run) {
            let asked = |(_, cause): &(_, &Cause)| matches!(cause, Cause::Person { .. });
            let said = run.generation == 1 || engine.links(id).iter().any(asked);
            self.check(said, || format!("{} was tried again: by whom?", new.name));
        }
    }

    /// Who is to be asked alone and is not known yet is waited for, and not left behind.
    pub fn left_behind(&mut self, engine: &Engine, id: NodeId, old: &Peek, new: &Peek) {
        let late = self.elapsed || self.exited.contains(&id) || new.label == "up";
        let main = engine.definition(id).is_some_and(|spec| spec.stop.scope == StopScope::Main);
        // What nobody was to stop is let go, whatever is said of it meanwhile.
        let unknown = |run: RunId| self.unknown.contains(&run) && self.main_runs.contains(&run);
        let unknown = old.run.is_some_and(unknown);
        let left = old.label == "starting" && !late && main && unknown;
        self.check(!left, || format!("{} is stopped, and its daemon is not known yet", new.name));
    }

    /// Order, both ways.
    pub fn transition(
        &mut self,
        (before, all): (&[Peek], &[Peek]),
        id: NodeId,
        old: &Peek,
        new: &Peek,
    ) {
        let name = &new.name;
        let up = |id: &NodeId| at(all, *id).up || knocked(at(all, *id));
        let starts = ["starting", "binding"].contains(&new.label);
        if starts || ["waiting", "awaiting", "skipped", "backoff"].contains(&new.label) {
            self.sighted.remove(&id);
        }
        if starts && !["starting", "binding", "listening"].contains(&old.label) {
            let missing = new.needs.iter().find(|n| !n.is_empty() && !n.iter().any(up));
            self.check(missing.is_none(), || format!("{name} starts without {missing:?}"));
            let moving = ["starting", "stopping", "cleaning"];
            // Whom a rival keeps down nobody waits for, even if that one goes the next moment.
            let stuck = |node: &Peek| node.rivals.iter().any(|rival| at(all, *rival).wanted);
            // This start is what takes it its need.
            let lost = |need: &NodeId| new.rivals.contains(need);
            let loses = |node: &Peek| node.needs.iter().flatten().any(lost);
            let after = new.after.iter().filter(|id| !is_called(before, all, **id));
            let early = after.map(|id| at(all, *id)).find(|below| {
                (below.wanted || below.label != "starting")
                    && moving.contains(&below.label)
                    && !knocked(below)
                    && !stuck(below)
                    && !loses(below)
            });
            let rival = new.rivals.iter().map(|id| at(all, *id)).find(|rival| rival.active);
            self.check(rival.is_none(), || {
                format!("{name} starts beside {:?}", rival.map(|rival| &rival.name))
            });
            self.check(early.is_none(), || {
                format!("{name} starts before {:?}", early.map(|below| &below.name))
            });
        }
        let (was, is) = (["up", "done", "listening"], ["stopping", "cleaning", "down"]);
        // Who says that it goes, and does not, is helped as soon as its time is over.
        let own = self.exited.contains(&id) || old.goes_itself;
        if was.contains(&old.label) && is.contains(&new.label) && !own {
            self.stops((before, all), id, &old.name);
        }
    }

    /// A gentle stop has nobody go who is still wanted.
    pub fn brought_down(&mut self, old: &Peek, new: &Peek) {
        let goes = |node: &Peek| node.leaving || ["stopping", "cleaning"].contains(&node.label);
        let brought = self.gentle && old.active && !goes(old) && new.wanted && goes(new);
        self.check(!brought, || format!("{} is brought down by a gentle stop", new.name));
    }

    /// Who is there for others alone has somebody who is wanted stand on it.
    pub fn lent_for_nothing(&mut self, all: &[Peek], node: &Peek) {
        let on_it = |id: &NodeId| at(all, *id).name == node.name;
        let stands = |other: &Peek| {
            other.wanted && other.needs.iter().flatten().chain(&other.after).any(on_it)
        };
        let for_nothing = node.lent && !all.iter().any(stands);
        self.check(!for_nothing, || format!("{} is there for nobody", node.name));
    }

    /// Nobody stands still of whom that is not known.
    pub fn stands_still(&mut self, engine: &Engine, freezer: &Freezer) {
        for node in freezer.all() {
            let known = peek(engine, node).frozen;
            self.check(known, || format!("{} stays frozen", engine.name(node)));
        }
    }

    /// Who stands still gives no signs of life, and is not blamed for that.
    pub fn hangs_frozen(&mut self, id: NodeId) {
        let frozen = self.elapsed && at(&self.last, id).frozen;
        let name = at(&self.last, id).name.clone();
        self.check(!frozen, || format!("{name} is frozen, and its watchdog ends it"));
    }

    /// Time alone ends nobody who stands still.
    pub fn ended_frozen(&mut self, all: &[Peek], old: &Peek, new: &Peek) {
        let there = |id: &NodeId| is_really_up(at(all, *id)) && !at(all, *id).leaving;
        let lost = new.needs.iter().any(|need| !need.is_empty() && !need.iter().any(there));
        let ends = ["stopping", "cleaning", "backoff", "failed"].contains(&new.label);
        let ended = self.elapsed && old.frozen && ends && new.wanted && !lost;
        self.check(!ended, || format!("{} is frozen, and time ends it", new.name));
    }

    /// Nobody is stopped before those who stand on it.
    fn stops(&mut self, (before, all): (&[Peek], &[Peek]), id: NodeId, name: &str) {
        let down = self.power.is_some();
        let stays = |other: &&Peek| {
            let goes = ["stopping", "cleaning"].contains(&other.label);
            other.kept.is_some() && !other.leaving && !goes
        };
        // Another one that will do may have begun to leave only after this one was let go.
        let stood = |below: &Peek, need: &[NodeId]| !below.leaving || need.len() > 1;
        let active = all.iter().enumerate().filter(|(_, other)| other.active && !stays(other));
        for (place, other) in active {
            // Once it is down, its newest definition may say more.
            let was = before.get(place).unwrap_or(other);
            let lost = other.needs.iter().any(|need| {
                need.contains(&id)
                    && was.needs.contains(need)
                    && !need
                        .iter()
                        .map(|id| at(all, *id))
                        .any(|below| (below.up || knocked(below)) && stood(below, need))
            });
            let what = || format!("{name} stops before {} ({})", other.name, other.label);
            self.check(!lost, what);
            let after = other.after.contains(&id) && was.after.contains(&id);
            self.check(!(down && after), what);
        }
    }
}

/// Whether it is brought up, maybe with others between, since it turned out in this same moment
/// that a better one of several does not come (seeds 12701, 64686, 65229, 66031).
fn is_called(before: &[Peek], all: &[Peek], id: NodeId) -> bool {
    let was = |id: NodeId| before.get(usize::try_from(id.number()).unwrap());
    let came = |id: NodeId| was(id).is_none_or(|was| !was.wanted) && at(all, id).wanted;
    let mut found = vec![id];
    let mut next = 0;
    while let Some(below) = found.get(next).copied().filter(|_| came(id)) {
        next += 1;
        for (number, above) in (0..).zip(all).filter(|(_, above)| above.wanted) {
            let id = NodeId::from_number(number);
            let before = |need: &Vec<NodeId>| {
                let place = need.iter().position(|n| *n == below)?;
                Some(need[..place].to_vec())
            };
            let needs: Vec<Vec<NodeId>> = above.needs.iter().filter_map(before).collect();
            // All that was known of the better ones was known when this one was asked for, but
            // for one that came with it and is stuck (seed 10674).
            let late =
                |better: &NodeId| !came(id) || came(*better) && at(all, *better).label == "waiting";
            if needs.iter().flatten().any(late) {
                return true;
            }
            if came(id) && !needs.is_empty() && !found.contains(&id) {
                found.push(id);
            }
        }
    }
    false
}

/// What is skipped will do for all but those that are bound to it.
pub fn is_really_up(node: &Peek) -> bool {
    node.up && node.label != "skipped"
}

/// One that listened a moment ago was there; a knock has it start meanwhile.
fn knocked(node: &Peek) -> bool {
    node.stirred && node.label == "starting"
}
