//! Reloads of services that tell of themselves: what they say and do when they are to read their
//! configuration again, and what must hold meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finit::config::spec::Ready;
use finit::engine::{Engine, Event, Notice, RunId, What};
use finit::facts::{Exit, Moment};
use finit::proto::{JobEvent, Outcome, Reply, Request};

use crate::agenda::Fact;
use crate::build::{millis, secs};
use crate::dice::Dice;
use crate::fates::Fates;
use crate::oracle::{Oracle, peek};
use crate::world::World;

/// What a service does when it is to read its configuration again, each after that time: it says
/// something, or it ends.
pub type Reload = Vec<(Duration, Option<&'static str>)>;

/// Longer than any reload may take that has a time.
pub const LONG: Duration = Duration::from_secs(1800);

/// What an onlooker knows of reloads.
#[derive(Debug, Default)]
pub struct Reloads {
    /// Who reads its configuration, as it said itself, and since when.
    reading: BTreeMap<RunId, Moment>,
    /// Jobs that wait for a reload.
    jobs: BTreeSet<u64>,
    /// The event is a request for one.
    asked: bool,
}

/// The same for one that tells of itself, while faults are on.
pub fn chance(mut dice: Dice) -> Reload {
    let begins = millis(*dice.pick(&[0, 0, 1, 900, 1_500]));
    let first = (begins, Some("RELOADING=1\nMONOTONIC_USEC=1"));
    let later = |time: Duration, words| (begins + time, Some(words));
    match dice.below(9) {
        0 => Vec::new(),
        1 => vec![first],
        2 => vec![first, later(millis(20), "RELOADING=1"), later(millis(700), "READY=1")],
        3 => vec![first, (begins + millis(30), None)],
        4 => vec![
            first,
            later(millis(5), "READY=1"),
            later(secs(2), "RELOADING=1"),
            later(secs(3), "READY=1"),
        ],
        5 => vec![first, later(millis(400), "STOPPING=1\nSTATUS=no such file")],
        6 => vec![
            first,
            later(millis(800), "EXTEND_TIMEOUT_USEC=90000000"),
            later(secs(80), "READY=1\nSTATUS=at last"),
        ],
        7 => vec![first, later(secs(61), "READY=1")],
        _ => vec![first, later(millis(*dice.pick(&[0, 1, 3_000])), "READY=1")],
    }
}

/// The same in the calm.
pub fn good() -> Reload {
    vec![(millis(0), Some("RELOADING=1")), (millis(1), Some("READY=1"))]
}

impl<F: Fates> World<F> {
    /// It gets the signal that has daemons read their configuration again.
    pub fn reloads(&mut self, run: RunId) {
        let tells = |p: &crate::world::Process| p.what == What::Main && p.ready == Ready::Notify;
        if !self.runs.get(&run).is_some_and(tells) {
            return;
        }
        let name = self.engine.name(run.node).to_owned();
        for (after, words) in self.fates.reloads(&name, self.now) {
            let ends = Fact::Ends(run, Exit::Code(1));
            self.plan(after, words.map_or(ends, |words| Fact::Says(run, words)));
        }
    }

    /// Nobody waits for a reload any more, though nobody says that one is over.
    pub fn reloads_at_rest(&mut self, most: usize) {
        self.run_until(self.now.after(LONG), most);
        if let Some(oracle) = &mut self.oracle {
            oracle.reloads_over(&self.engine);
        }
    }

    /// It says something, if it still lives and is who it was.
    pub fn says(&mut self, run: RunId, words: &str) {
        if self.runs.contains_key(&run) && self.engine.main_run(run.node) == Some(run) {
            self.tells(run.node, Notice::parse(words.as_bytes()));
        }
    }
}

impl Oracle {
    /// An event comes.
    pub fn reloads_before(&mut self, engine: &Engine, event: &Event) {
        let reloads = &mut self.reloads;
        reloads.asked = matches!(event, Event::Requested { request: Request::Reload { .. }, .. });
        match event {
            Event::Notified { node, run: None, notice } => {
                let Some(run) = engine.main_run(*node) else { return };
                if notice.stopping || notice.ready && !notice.reloading {
                    reloads.reading.remove(&run);
                } else if notice.reloading {
                    reloads.reading.entry(run).or_insert(self.now);
                }
            }
            Event::Exited { run, .. } => {
                reloads.reading.remove(run);
            }
            _ => {}
        }
    }

    /// A request is answered.
    pub fn reload_asked(&mut self, reply: &Reply) {
        if let (true, Reply::Job { job, .. }) = (self.reloads.asked, reply) {
            self.reloads.jobs.insert(*job);
        }
    }

    /// A reload is done when the service says so, and only while it is there.
    pub fn reload_news(&mut self, engine: &Engine, event: &JobEvent) {
        if event.outcome.is_none() || !self.reloads.jobs.remove(&event.job) {
            return;
        }
        let done = event.outcome == Some(Outcome::Done);
        let Some(node) = engine.number(&event.service).filter(|_| done) else { return };
        let Some(run) = engine.main_run(node) else { return };
        let limit = engine.definition(node).and_then(|spec| spec.start_timeout);
        let began = self.reloads.reading.get(&run).copied();
        let late = |began: Moment| limit.is_some_and(|limit| self.now >= began.after(limit));
        let reads = began.is_some_and(|began| !late(began)) && peek(engine, node).label == "up";
        self.check(!reads, || format!("{} reads its files, and its reload is done", event.service));
    }

    /// Nobody waits for a reload without end, whatever the service says or does not.
    pub fn reloads_over(&mut self, engine: &Engine) {
        let bound = engine.services().iter().all(|(_, spec)| spec.start_timeout.is_some());
        let job = self.reloads.jobs.first().copied();
        self.check(!bound || job.is_none(), || format!("reload {job:?} is waited for without end"));
    }

    /// finit executes itself: those who waited for a job ask again.
    pub fn forget_reloads(&mut self) {
        self.reloads.jobs.clear();
    }
}
