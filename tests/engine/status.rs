//! The one line of `finitctl status` agrees with the state: who waits names what is really not
//! there, who failed says how it ended and what it had said, and what went wrong beside the main
//! process is told until the next start.

use std::collections::{BTreeMap, BTreeSet};

use finit::config::spec::StopScope;
use finit::engine::{Aim, Effect, Ended, Engine, Event, NodeId, Peek, RunId, Spawn, What};
use finit::facts::{Exit, SignalNumber};
use finit::proto::Chapter;

use crate::oracle::{Oracle, at};

/// What an onlooker knows of what services said, and of what runs beside them.
#[derive(Debug, Default)]
pub struct Words {
    /// The last STATUS of a run.
    said: BTreeMap<RunId, String>,
    /// Commands that tidy up: their key, and that they may not fail.
    tidy: BTreeMap<RunId, &'static str>,
    /// What has to be told of a service after this event.
    due: Vec<(NodeId, String)>,
    /// The number of the last command of each that tidied up.
    tidied: BTreeMap<NodeId, usize>,
    /// Commands after the start that may fail: their ends are nobody's (seed 52392).
    free: BTreeSet<RunId>,
}

/// Signals after which an end is none that failed.
const POLITE: [SignalNumber; 4] =
    [SignalNumber::HUP, SignalNumber::INT, SignalNumber::TERM, SignalNumber::PIPE];

impl Oracle {
    /// An event comes.
    pub fn words_before(&mut self, engine: &Engine, event: &Event) {
        self.words.due.clear();
        match event {
            Event::Notified { node, run: None, notice } => {
                let run = engine.main_run(*node).zip(notice.status.clone());
                self.words.said.extend(run);
            }
            Event::Exited { run, ended, .. } => {
                let key = self.words.tidy.get(run).copied();
                let main = self.last.get(usize::try_from(run.node.number()).unwrap());
                let scope = engine.definition(run.node).map(|spec| spec.stop.scope);
                // What goes with the rest of the group is not told.
                let swept = |main: &Peek| main.run.is_none() && scope == Some(StopScope::Mixed);
                let counts = main.is_some_and(|main| match main.label {
                    "stopping" => engine.is_beside(*run) && !swept(main),
                    label => label == "cleaning" && main.run == Some(*run) && tells(engine, *run),
                });
                if let (Some(key), true) = (key, counts && *ended != Ended::Exit(Exit::SUCCESS)) {
                    self.words.due.push((run.node, format!("{key}: {ended}")));
                }
            }
            _ => {}
        }
    }

    /// A command is started.
    pub fn tidies(&mut self, node: &Peek, order: &Spawn) {
        let hooks = &order.service.hooks.after_stop;
        let mut after_start = order.service.hooks.after_start.iter();
        let free = after_start.any(|hook| hook.may_fail && hook.command == order.command);
        self.words.free.extend(Some(order.run).filter(|_| free && order.what == What::Hook));
        let stop = order.service.stop.command.as_ref();
        if order.what == What::Main {
            // A stop.command of an earlier stop that runs still has no say any more (seed 31596).
            self.words.tidy.retain(|run, _| run.node != order.run.node);
        }
        let key = match (order.what, node.label) {
            (What::Hook, "stopping") => stop
                .filter(|hook| !hook.may_fail && hook.command == order.command)
                .map(|_| "stop.command"),
            (What::Hook, "cleaning") => {
                self.in_order(order);
                hooks.iter().all(|hook| !hook.may_fail).then_some("after-stop")
            }
            _ => None,
        };
        self.words.tidy.extend(key.map(|key| (order.run, key)));
    }

    /// Those that tidy up run one after the other, whether they succeed or fail; none is left out.
    fn in_order(&mut self, order: &Spawn) {
        let (id, hooks) = (order.run.node, &order.service.hooks.after_stop);
        let Some(number) = hooks.iter().position(|hook| hook.command == order.command) else {
            return;
        };
        let goes_on = at(&self.last, id).label == "cleaning";
        let last = self.words.tidied.insert(id, number).filter(|_| goes_on);
        // Stopped while it tidied up after an end of its own, it begins again; and when its time
        // for that is over, with the rest left out.
        let next = last.map_or(0, |last| (last + 1) % hooks.len());
        let good = number == next || number == 0 && self.elapsed;
        let name = &order.service.name;
        self.check(good, || format!("{name}: after-stop {number} runs before {next}"));
    }

    /// What was ordered so is ordered again.
    pub fn tidies_again(&mut self, order: &Spawn) {
        let hooks = &order.service.hooks.after_stop;
        let number = hooks.iter().position(|hook| hook.command == order.command);
        if let Some(number) = number.filter(|_| order.what == What::Hook) {
            match number.checked_sub(1) {
                Some(before) => self.words.tidied.insert(order.run.node, before),
                None => self.words.tidied.remove(&order.run.node),
            };
        }
    }

    /// A command that takes too long is killed.
    pub fn tidied_late(&mut self, engine: &Engine, effect: &Effect) {
        if let Effect::Signal { aim: Aim::Run(run), signal: SignalNumber::KILL, .. } = effect
            && self.elapsed
            && at(&self.last, run.node).label == "stopping"
            && self.words.tidy.get(run) == Some(&"stop.command")
            && engine.definition(run.node).is_some_and(|s| s.stop.scope != StopScope::Mixed)
        {
            let told = "stop.command took too long, killed".to_owned();
            self.words.due.push((run.node, told));
        }
    }

    /// A `stop.command` that nobody waited for has no say in the next stop (seed 14563).
    pub fn stop_is_over(&mut self, id: NodeId, old: &Peek) {
        let is_old = |run: &RunId, key: &str| run.node == id && key == "stop.command";
        self.words.tidy.retain(|run, key| old.label != "stopping" || !is_old(run, key));
    }

    /// What went wrong beside the main process is told until the next start.
    pub fn slips(&mut self, engine: &Engine, all: &[Peek]) {
        for (id, text) in std::mem::take(&mut self.words.due) {
            let node = at(all, id);
            let kept = ["stopping", "cleaning", "down", "backoff", "failed", "ended"];
            if node.name.is_empty() || !kept.contains(&node.label) {
                continue;
            }
            let line = engine.chapters(id, true).first().map(|chapter| chapter.reason.clone());
            let line = line.unwrap_or_default();
            // It was told already that nobody waits for that one any more.
            let told = line.contains(&text) || line.contains("stop.command took too long");
            self.check(told, || {
                format!("{} ({}) says {line:?}, and not {text}", node.name, node.label)
            });
        }
    }

    /// The line of one that has come to another state, or waits for another.
    pub fn line(&mut self, all: &[Peek], old: &Peek, new: &Peek, chapters: &[Chapter]) {
        let Some(Chapter { reason, .. }) = chapters.first() else { return };
        let name = &new.name;
        if let Some(id) = new.waits_for {
            let on = at(all, id);
            let rival = new.rivals.contains(&id) && on.active;
            let there = on.up && on.wanted && !on.leaving && on.label != "skipped";
            // What stands on one that it excludes (seed 69631).
            let yields = reason.ends_with("which goes when this one starts");
            self.check(!there || rival || yields, || {
                format!("{name} waits for {}, and it is up", on.name)
            });
            let word = chapters.get(1).filter(|chapter| chapter.name == on.name);
            let word = word.map(|chapter| chapter.state.word()).unwrap_or_default();
            let (own, others) =
                (format!("{}, which is {word}", on.name), format!("{} ({word}", on.name));
            let left_out = [
                format!("needs {}, which was left out", on.name),
                format!("{} (left out", on.name),
            ];
            let said = yields || reason.contains(&own) || reason.contains(&others);
            let said = said || left_out.iter().any(|text| reason.contains(text));
            self.check(said, || format!("{name} waits for {} ({word}): {reason}", on.name));
            let is_odd =
                |part: &str| part.ends_with(", which is up") && !part.contains("conflicts with ");
            let odd = reason.split("; ").any(is_odd);
            self.check(!odd, || format!("{name}: {reason}"));
        }
        if new.label == "waiting" && new.waits_for.is_none() {
            let path = reason.contains("waits for /");
            self.check(path, || format!("{name} waits for something: {reason}"));
        }
        let again = new.label != "backoff" || reason.contains("; again in ");
        self.check(again, || format!("{name} comes again, and does not say when: {reason}"));
        if old.label != new.label && ["backoff", "failed"].contains(&new.label) {
            self.last_end(old, new, reason);
        }
    }

    /// One that has failed says how its last process ended, and what that had said.
    fn last_end(&mut self, old: &Peek, new: &Peek, reason: &str) {
        let Some((run, ended)) = self.stories.end.clone() else { return };
        let is_main = old.run == Some(run) && !self.words.free.contains(&run);
        if !is_main || !["up", "starting"].contains(&old.label) {
            return;
        }
        let name = &new.name;
        let how = ended.to_string();
        let late = reason.contains("(timeout) and was killed")
            || reason.contains("ended before it was ready");
        self.check(late || reason.contains(&how), || format!("{name} {how}, and says {reason}"));
        let Ended::Exit(exit) = ended else { return };
        let well = match exit {
            Exit::Code(code) => code == 0,
            Exit::Signal { number, .. } => POLITE.contains(&number),
        };
        let said = self.words.said.get(&run).filter(|said| !well && !said.is_empty());
        let Some(said) = said.map(|said| format!("it said: {said}")) else { return };
        self.check(reason.contains(&said), || format!("{name} says {reason}, and not {said}"));
    }
}

/// Whether it is told when the last command of that service fails.
fn tells(engine: &Engine, run: RunId) -> bool {
    let hooks = engine.definition(run.node).map(|spec| &spec.hooks.after_stop);
    hooks.is_some_and(|hooks| hooks.iter().all(|hook| !hook.may_fail))
}
