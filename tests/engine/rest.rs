//! What must hold once nothing happens any more, and at the end of a life.

use finit::engine::{Engine, NodeId, RunId};

use crate::oracle::{Oracle, all, at, edited, is_met, peek};

impl Oracle {
    /// What must hold once nothing happens any more and all faults are over.
    pub fn at_rest(&mut self, engine: &Engine) {
        let nodes = all(engine);
        for node in nodes.iter().filter(|node| !node.name.is_empty()) {
            let (name, label) = (&node.name, node.label);
            let moving = ["binding", "starting", "stopping", "cleaning", "backoff"];
            self.check(!moving.contains(&label), || format!("{name} never comes to rest: {label}"));
            let missing = node.wanted && label == "down";
            self.check(!missing, || format!("{name} is wanted and stays down"));
            // One alternative after the other is tried.
            let unmet = |need: &&Vec<NodeId>| {
                node.wanted && label == "waiting" && !need.iter().any(|id| at(&nodes, *id).up)
            };
            let idle = node.needs.iter().filter(unmet).flatten().map(|id| at(&nodes, *id));
            let idle = idle.clone().find(|n| !n.wanted && !n.barred).map(|n| &n.name);
            self.check(idle.is_none(), || format!("{name} waits, and nobody tries {idle:?}"));
            let late = !node.wanted && node.active;
            self.check(!late, || format!("{name} is {label}, and nobody wants it"));
            self.check(!node.leaving, || format!("{name} should have gone"));
            self.lent_for_nothing(&nodes, node);
            let lost = node.bound.iter().find(|need| !is_met(&nodes, need));
            self.check(!node.active || node.kept.is_some() || lost.is_none(), || {
                format!("{name} is {label} without {lost:?}")
            });
            if let Some((id, on)) = node.waits_for.map(|id| (id, at(&nodes, id))) {
                let reason = ["down", "ended", "failed", "waiting", "skipped"].contains(&on.label)
                    || node.rivals.contains(&id) && on.active;
                self.check(reason, || format!("{name} waits for {}, {}", on.name, on.label));
            }
        }
        let living: Vec<RunId> = self.main_runs.intersection(&self.living).copied().collect();
        for run in living {
            let node = peek(engine, run.node);
            let known = node.run == Some(run) || edited(engine, run.node);
            self.check(known, || {
                format!("{} ({}) has a process that nobody knows", node.name, node.label)
            });
        }
        for (number, node) in (0..).zip(&nodes).filter(|(_, node)| !node.name.is_empty()) {
            let id = NodeId::from_number(number);
            self.story(engine, id, &node.name);
            self.line(&nodes, node, node, &engine.chapters(id, true));
        }
        for target in engine.targets() {
            let node = engine.number(&target.name).map(|id| at(&nodes, id));
            let up = |name: &String| engine.number(name).is_some_and(|id| at(&nodes, id).up);
            let lacks = target.needs.iter().find(|need| !need.iter().any(up));
            let there = node.is_some_and(|node| node.up && node.kept.is_none());
            self.check(!there || lacks.is_none(), || {
                format!("{} is up without {lacks:?}", target.name)
            });
        }
        self.restarts_at_rest();
        let job = self.jobs.first().copied();
        self.check(job.is_none(), || format!("job {job:?} never ends"));
        let booted = self.booted == 1 || self.power.is_some();
        self.check(booted, || "the boot never finishes".to_owned());
    }

    /// The machine was asked to go down long ago.
    pub fn at_the_end(&mut self) {
        let finished = self.finished || self.power.is_none();
        self.check(finished, || "the machine never goes down".to_owned());
    }
}
