//! What following an edited file would do: the engine tries it on a copy of itself, whose
//! orders nobody carries out, and compares. So a plan cannot say anything else than `apply` does.

use std::rc::Rc;

use super::Engine;
use super::event::{Cause, Event, Extent};
use super::node::{Body, Node};
use super::state::State;
use crate::config::spec::{FIND_INSTANCES, ServiceSpec, SystemSpec};
use crate::proto::{Change, Verb};

impl Engine {
    /// The changes, in the order of the nodes; then those of what is no service.
    pub fn plan(&self, spec: Rc<SystemSpec>) -> Vec<Change> {
        let memory = self.memory_at_once();
        let mut copy = Self::recall(Rc::clone(&self.spec), false, memory, self.now);
        // It rests first, as this one does: which of several is looked at first can matter.
        copy.settle();
        let settings = self.changed_settings(&spec);
        let (extent, cause) = (Extent::Everything, Cause::Config);
        copy.handle(self.now, Event::Loaded { spec, extent, cause, ticket: None });
        let changes = copy.nodes.iter().enumerate().filter_map(|(place, new)| {
            let old = self.nodes.get(place).filter(|old| !old.name.is_empty());
            // Another node may have the name of one that is gone.
            let mended = old.is_some_and(|old| copy.names.contains_key(&*old.name));
            change(old, new, mended)
        });
        changes.chain(settings).collect()
    }
}

/// What happens to one node; none for most. `mended` is one whose name is another's by then.
fn change(old: Option<&Node>, new: &Node, mended: bool) -> Option<Change> {
    let name = if new.name.is_empty() { &old?.name } else { &new.name };
    let told = |verb, why: String| Some(Change { name: name.to_string(), verb, why });
    match &new.body {
        Body::Service(_) => {}
        Body::LeftOut(mistake) if old.is_none_or(|old| !matches!(old.body, Body::LeftOut(_))) => {
            return told(Verb::Remove, format!("left out: {mistake}"));
        }
        Body::LeftOut(_) if new.name.is_empty() && !mended => {
            return told(Verb::Remove, "not in the file any more".to_owned());
        }
        Body::Step(_) | Body::Milestone | Body::Target | Body::Template | Body::LeftOut(_) => {
            return None;
        }
    }
    let Some(old) = old else {
        let starts = new.wanted && !new.name.is_empty();
        let why = if is_found(new) { "found on the machine" } else { "new in the file" };
        return told(if starts { Verb::Start } else { Verb::Add }, why.to_owned());
    };
    if new.removed && new.is_held() {
        let why = "not in the file any more, and held: it goes with finitctl unhold".to_owned();
        return if old.removed { None } else { told(Verb::Change, why) };
    }
    if new.name.is_empty() || new.removed && !old.removed {
        let verb = if old.state.is_active() { Verb::Stop } else { Verb::Remove };
        let found = is_found(old);
        let why = if found { "not found any more" } else { "not in the file any more" };
        return told(verb, why.to_owned());
    }
    let keys = match (old.spec(), new.newest_spec()) {
        (Some(old), Some(new)) => differences(old, new),
        _ => Vec::new(),
    };
    let changed = format!("changed: {}", keys.join(", "));
    let (is_there, edited) = (old.state.is_active(), !keys.is_empty());
    match way(old, new) {
        Way::Goes if !new.wanted && edited => {
            told(Verb::Stop, format!("{changed}; nobody wants it any more"))
        }
        Way::Goes if !new.wanted => told(Verb::Stop, "nobody wants it any more".to_owned()),
        Way::Goes if edited => told(Verb::Restart, changed),
        Way::Goes => told(Verb::Restart, new.departure().cause().story()),
        Way::Comes if !old.wanted => told(Verb::Start, "it is wanted now".to_owned()),
        Way::Comes if edited => told(Verb::Start, changed),
        // A look at its conditions is none of what is planned.
        Way::Comes if matches!(old.state, State::Skipped(_)) => None,
        Way::Comes if matches!(old.state, State::Listening) => {
            told(Verb::Start, "it starts without a connection".to_owned())
        }
        Way::Comes => told(Verb::Start, "what it waited for is there".to_owned()),
        Way::Stays if old.removed && !new.removed => {
            told(Verb::Add, "in the file again".to_owned())
        }
        Way::Stays if !edited => None,
        Way::Stays if is_there && new.pending.is_none() => told(Verb::Update, changed),
        Way::Stays => told(Verb::Change, changed),
    }
}

/// Whether it is an instance that was found on the machine: such a one comes after the look.
fn is_found(node: &Node) -> bool {
    let after = |spec: &ServiceSpec| spec.dependencies.after.iter().any(|on| on == FIND_INSTANCES);
    node.spec().is_some_and(|spec| spec.template.is_some() && after(spec))
}

/// What becomes of the process of a node, or of its sockets.
enum Way {
    /// It goes, and may come again.
    Goes,
    /// It was not there, and comes.
    Comes,
    /// Nothing.
    Stays,
}

fn way(old: &Node, new: &Node) -> Way {
    let kind = std::mem::discriminant(&old.state) == std::mem::discriminant(&new.state);
    let same = kind && old.state.run() == new.state.run() && old.state.look() == new.state.look();
    let comes = !old.wanted && new.wanted || !same && !matches!(new.state, State::Down(_));
    if is_going(old) {
        return if comes { Way::Comes } else { Way::Stays };
    }
    // What listens may start without a connection now.
    let idle = matches!(old.state, State::Backoff { .. })
        || matches!(old.state, State::Listening) && new.bound;
    let active = old.state.is_active();
    if idle && comes && !is_going(new) || !active && new.wanted && comes {
        Way::Comes
    } else if active && (is_going(new) || !same) {
        Way::Goes
    } else {
        Way::Stays
    }
}

fn is_going(node: &Node) -> bool {
    node.leaving || node.state.goes_down()
}

/// The keys, as the file calls them, in which two definitions differ.
fn differences(old: &ServiceSpec, new: &ServiceSpec) -> Vec<&'static str> {
    let (was, is) = (&old.exec, &new.exec);
    let (stood, stands) = (&old.dependencies, &new.dependencies);
    let (around, hooks) = (&old.hooks, &new.hooks);
    let conditions = |spec: &ServiceSpec| spec.conditions.as_deref().cloned().unwrap_or_default();
    let (required, requires) = (conditions(old), conditions(new));
    let who = |exec: &crate::config::spec::ExecSpec| {
        (exec.user.clone(), exec.group.clone(), exec.groups.clone())
    };
    [
        ("description", old.description != new.description),
        ("alias", old.alias != new.alias),
        ("enabled", old.enabled != new.enabled),
        ("start", old.start != new.start),
        ("stage", old.stage != new.stage),
        ("targets", old.targets != new.targets),
        ("schedule", old.schedule != new.schedule),
        ("watch", old.watch != new.watch),
        ("command", old.commands != new.commands),
        ("user", who(was) != who(is)),
        ("dynamic-user", was.dynamic_user != is.dynamic_user),
        ("capabilities", was.capabilities != is.capabilities),
        ("umask", was.umask != is.umask),
        ("cwd", was.cwd != is.cwd),
        ("root", was.root != is.root),
        ("env", was.env != is.env || was.env_unset != is.env_unset),
        ("env-file", was.env_files != is.env_files),
        ("env-pass", was.env_pass != is.env_pass),
        ("limits", was.limits != is.limits),
        ("nice", was.nice != is.nice),
        ("oom-score", was.oom_score != is.oom_score),
        ("tty", was.tty != is.tty),
        ("stdin", was.stdin != is.stdin),
        ("utmp", was.utmp != is.utmp),
        ("log", was.log != is.log),
        ("log-stderr", was.log_stderr() != is.log_stderr()),
        ("log-tag", was.log_tag() != is.log_tag()),
        ("log-max", was.log_max() != is.log_max()),
        ("sandbox", was.no_new_privileges != is.no_new_privileges),
        ("before-start", around.before_start != hooks.before_start),
        ("after-start", around.after_start != hooks.after_start),
        ("after-stop", around.after_stop != hooks.after_stop),
        ("reload", around.reload != hooks.reload),
        ("needs-path", required.paths != requires.paths),
        ("only-if", required.only_if != requires.only_if),
        ("assert", required.assert != requires.assert),
        ("only-if-command", required.commands != requires.commands),
        ("ready", old.ready.when != new.ready.when),
        ("notify-from", old.ready.notify_from != new.ready.notify_from),
        ("watchdog", old.ready.watchdog != new.ready.watchdog),
        ("health", old.ready.health != new.ready.health),
        ("start-timeout", old.start_timeout != new.start_timeout),
        ("needs", stood.needs != stands.needs),
        ("wants", stood.wants != stands.wants),
        ("after", stood.after != stands.after),
        ("before", stood.before != stands.before),
        ("provides", stood.provides != stands.provides),
        ("bound-to", stood.bound_to != stands.bound_to),
        ("part-of", stood.part_of != stands.part_of),
        ("conflicts", stood.conflicts != stands.conflicts),
        ("on-failure", stood.on_failure != stands.on_failure),
        ("reload-with", stood.reload_with != stands.reload_with),
        ("restart", old.restart != new.restart),
        ("ok-exit", old.ok_exit != new.ok_exit),
        ("remain", old.remain != new.remain),
        ("stop", old.stop != new.stop),
        ("sockets", old.sockets != new.sockets),
        ("kind", old.kind != new.kind || old.template != new.template),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
