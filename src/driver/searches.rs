//! Looks for the instances of templates: each is a child of finit itself, since a pattern may lead
//! to a file system that does not answer, and PID 1 waits for nobody. Whoever asked for what
//! depends on them is answered once the children are done, or their time is over; others are
//! meanwhile.

use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use tokio::time::timeout;

use super::control::Call;
use super::tools::{Hand, Started, wrote};
use super::{Driver, Fact};
use crate::boot::instances::{ANSWER_MAX, Answer, FIND};
use crate::boot::{self, Done, RunError};
use crate::config::Loaded;
use crate::config::spec::{FIND_INSTANCES, Listing, Search, TemplateSpec};
use crate::engine::{Cause, Ended, Extent, Level, RunId};
use crate::facts::glob;
use crate::facts::{Errno, Exit, SignalNumber};
use crate::os::{fds, kill, time};
use crate::proto::{Change, Code, Refusal, Verb};

/// Looks at a time. More wait for one of these.
const AT_A_TIME: usize = 16;
/// Looks that were given up and hang in a file system, after which no more are begun.
const HANGING: usize = 8;
/// Who may wait for looks at a time.
const WAITING: usize = 64;

/// A look that was taken.
#[derive(Debug)]
pub struct Looked {
    /// For which template.
    pub template: String,
    /// Where.
    pub search: Search,
    /// What was found.
    pub answer: Answer,
}

impl Looked {
    /// For a plan: the template, if its instances would stay since nobody knows better.
    pub fn kept(&self) -> Option<Change> {
        let why = self.answer.as_ref().err()?;
        let why = format!("its instances cannot be looked for: {why}");
        Some(Change { name: self.template.clone(), verb: Verb::Keep, why })
    }
}

/// Who waits for looks.
pub enum Wish {
    /// The boot step.
    Boot(RunId),
    /// Nobody any more: finit was executed anew while the boot step was looking.
    Interrupted,
    /// Nobody: finit was executed anew, and of some templates nothing is known.
    Unknown,
    /// SIGHUP.
    Signal,
    /// A client.
    Call(Call),
}

/// Looks that are taken, and who waits.
#[derive(Default)]
pub struct Searches {
    /// Who waits for those that are taken now.
    served: Option<Vec<Wish>>,
    /// Who came since, and wants to know how it is by now.
    waiting: Vec<Wish>,
    /// With each that was given up, for as long as it is there.
    hanging: Arc<()>,
}

impl Searches {
    /// Whether somebody waits for any.
    pub fn are_taken(&self) -> bool {
        self.served.is_some()
    }
}

impl Driver {
    /// What the file says by now, if what its templates find is known for all that this is about:
    /// for these names, or for everybody.
    pub(super) fn read(&self, looked: &[Looked], names: Option<&[String]>) -> Option<Loaded> {
        let loaded = self.configuration.load(looked);
        let is_known = |template: &TemplateSpec| {
            let is_it = |one: &Looked| {
                one.template == template.name && Some(&one.search) == template.search.as_ref()
            };
            template.search.is_none() || looked.iter().any(is_it)
        };
        let is_there = |name: &str| {
            let id = self.engine.number(name);
            id.is_some_and(|id| self.engine.definition(id).is_some())
        };
        let is_meant = |template: &TemplateSpec| {
            let is_it = |name: &String| speaks_of(name, &template.name) && !is_there(name);
            names.is_none_or(|names| names.iter().any(is_it))
        };
        let sought = self.configuration.sought(&loaded);
        let open = sought.iter().any(|one| is_meant(one) && !is_known(one));
        (loaded.is_broken() || !open).then_some(loaded)
    }

    /// Has children look, and goes on then.
    pub(super) fn search_for(&mut self, wish: Wish) {
        let waiting = &self.searches.waiting;
        match &wish {
            Wish::Call(call) if waiting.len() >= WAITING => {
                let refusal = Refusal::new(Code::Busy, "too many wait for instances to be found");
                return self.refuse(call, refusal.hint("try again in a moment"));
            }
            // One that waits already will do as much.
            Wish::Signal if waiting.iter().any(|one| matches!(one, Wish::Signal)) => return,
            Wish::Call(_) | Wish::Signal | Wish::Boot(_) | Wish::Interrupted | Wish::Unknown => {}
        }
        self.searches.waiting.push(wish);
        self.begin_search();
    }

    fn begin_search(&mut self) {
        if self.searches.served.is_some() || self.searches.waiting.is_empty() {
            return;
        }
        let wishes = std::mem::take(&mut self.searches.waiting);
        let mut looks: Vec<(String, Search)> = Vec::new();
        if wishes.iter().any(|wish| matches!(wish, Wish::Boot(_) | Wish::Interrupted)) {
            looks.extend(self.configuration.all_sought());
        } else if wishes.iter().any(|wish| matches!(wish, Wish::Unknown)) {
            looks.extend(self.configuration.unknown(&self.engine.spec().templates));
        }
        if wishes.iter().any(|wish| matches!(wish, Wish::Signal | Wish::Call(_))) {
            let templates = self.configuration.sought(&self.configuration.load(&[]));
            let found = templates.into_iter().filter_map(|one| Some((one.name, one.search?)));
            looks.extend(found);
        }
        looks.sort_by(|one, other| one.0.cmp(&other.0));
        looks.dedup();
        self.searches.served = Some(wishes);
        let (hand, facts) = (self.hand.clone(), self.facts.clone());
        let hanging = Arc::downgrade(&self.searches.hanging);
        self.beside(async move {
            let looked = look_for(looks, &hand, &hanging).await;
            // The loop never ends before its facts do.
            let _end = facts.send(Fact::Searched(looked)).await;
        });
    }

    /// The children are done: those who waited go on.
    pub(super) fn on_searched(&mut self, looked: &[Looked]) {
        let wishes = self.searches.served.take().unwrap_or_default();
        self.tell_looked(looked, &wishes);
        for wish in wishes {
            match wish {
                Wish::Boot(run) => self.booted_with(looked, Some(run)),
                Wish::Interrupted | Wish::Unknown => self.booted_with(looked, None),
                Wish::Signal => self.apply(Cause::Signal("SIGHUP".into()), looked),
                Wish::Call(call) => self.answer_call(call, looked),
            }
        }
        self.begin_search();
    }

    /// Says at the console what nobody else is told: a client gets it with its answer, and a step
    /// of the boot that fails is told of as such.
    fn tell_looked(&mut self, looked: &[Looked], wishes: &[Wish]) {
        let is_step = |wish: &Wish| matches!(wish, Wish::Boot(_));
        let is_call = |wish: &Wish| matches!(wish, Wish::Call(_));
        for one in looked {
            match &one.answer {
                Ok(listing) if !wishes.iter().all(is_call) => {
                    for note in &listing.notes {
                        let text = format!("{}: {note}", one.template);
                        self.console.tell(Level::Progress, &text);
                    }
                }
                Err(why) if !wishes.iter().all(is_step) => {
                    let what = "its instances cannot be looked for";
                    self.console.tell(Level::Trouble, &format!("{}: {what}: {why}", one.template));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// What the boot step has found is taken in, before those who waited for the step go on.
    fn booted_with(&mut self, looked: &[Looked], run: Option<RunId>) {
        let changed = self.configuration.learn(looked);
        let is_on_trial = self.engine.is_on_trial();
        if changed && (is_on_trial || self.engine.may_apply(time::now()).is_ok()) {
            let (spec, is_followed) = self.configuration.running();
            // To follow a file would end its trial.
            let follows = is_followed && !is_on_trial;
            let extent = if follows { Extent::Everything } else { Extent::Definitions };
            self.loaded(spec, extent, Cause::Boot, None);
        }
        let Some(run) = run else { return };
        let failed = looked
            .iter()
            .filter_map(|one| Some(format!("{}: {}", one.template, one.answer.as_ref().err()?)));
        let failed: Vec<String> = failed.collect();
        let report = match (looked, &*failed) {
            ([], _) => Ok(Done::Skipped("no template has any to be found")),
            (_, []) => Ok(Done::Worked),
            (_, failed) => Err(failed.join("; ")),
        };
        self.on_step_ended(run, FIND_INSTANCES, report);
    }
}

/// What a client should know of looks at those that it asked for.
pub(super) fn notes(looked: &[Looked], names: Option<&[String]>) -> Vec<String> {
    let is_meant = |one: &&Looked| {
        names.is_none_or(|names| names.iter().any(|name| speaks_of(name, &one.template)))
    };
    let told = |one: &Looked| match &one.answer {
        // Whoever starts it would wonder.
        Ok(Listing { instances, notes }) if instances.is_empty() && notes.is_empty() => {
            let said = names.map(|_| format!("{}: no instance was found", one.template));
            said.into_iter().collect()
        }
        Ok(Listing { notes, .. }) => {
            notes.iter().map(|note| format!("{}: {note}", one.template)).collect()
        }
        Err(why) => vec![format!("{}: its instances stay what they are: {why}", one.template)],
    };
    looked.iter().filter(is_meant).flat_map(told).collect()
}

/// Whether a name that somebody says may be that of a template, or of an instance of it.
fn speaks_of(name: &str, template: &str) -> bool {
    let is_instance = || name.strip_prefix(template).is_some_and(|rest| rest.starts_with('@'));
    glob::is_pattern(name) || name == template || is_instance()
}

/// Takes all of these looks, some at a time.
async fn look_for(looks: Vec<(String, Search)>, hand: &Hand, hanging: &Weak<()>) -> Vec<Looked> {
    let mut looked = Vec::with_capacity(looks.len());
    let mut looks = looks.into_iter();
    loop {
        let some: Vec<_> = looks
            .by_ref()
            .take(AT_A_TIME)
            .map(|(template, search)| {
                let (hand, hanging) = (hand.clone(), Weak::clone(hanging));
                let taken = tokio::spawn({
                    let search = search.clone();
                    async move { look(&search, &hand, hanging).await }
                });
                (template, search, taken)
            })
            .collect();
        if some.is_empty() {
            return looked;
        }
        for (template, search, taken) in some {
            let answer = taken.await.unwrap_or_else(|error| Err(error.to_string()));
            looked.push(Looked { template, search, answer });
        }
    }
}

/// One look, by a child that is killed when its time is over.
async fn look(search: &Search, hand: &Hand, hanging: Weak<()>) -> Answer {
    // That of the loop is none of them.
    let hang = hanging.strong_count().saturating_sub(1);
    if hang >= HANGING {
        return Err(format!("{hang} looks hang already"));
    }
    let said = |errno: Errno| errno.to_string();
    let json = serde_json::to_string(search).map_err(|error| error.to_string())?;
    let output = fds::memfd("finit-instances").map_err(said)?;
    let copy = fds::dup(output.as_fd()).map_err(said)?;
    let started = hand.start(&[boot::MYSELF, FIND, &json], copy).await;
    let Started { pid, mut exit } = started.map_err(|error| error.to_string())?;
    match timeout(search.timeout, &mut exit).await {
        Ok(Ok(Ended::Exit(Exit::SUCCESS))) => serde_json::from_slice(&wrote(&output, ANSWER_MAX))
            .unwrap_or_else(|error| Err(error.to_string())),
        Ok(Ok(ended)) => Err(format!("the look {ended}")),
        Ok(Err(_)) => Err("nobody knows how the look ended".to_owned()),
        Err(_) => {
            // It leads a session and so a group of its own, with the command.
            let _gone = kill::kill_group(pid, SignalNumber::KILL);
            let mark = hanging.upgrade();
            tokio::spawn(async move {
                let _ended = exit.await;
                drop(mark);
            });
            Err(RunError::TooLate(search.timeout).to_string())
        }
    }
}
