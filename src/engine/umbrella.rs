//! What a template is seen as: the umbrella of its instances, up if they are.

use super::node::{Body, Node};
use super::view::{joined, millis, word};
use super::{Engine, NodeId};
use crate::config::spec::{FIND_INSTANCES, TemplateSpec};
use crate::facts::Moment;
use crate::proto::{ServiceReport, StateWord};

/// What one of the instances makes all of them, the worst first.
const WORST: [StateWord; 8] = [
    StateWord::Failed,
    StateWord::Restarting,
    StateWord::Stopping,
    StateWord::Starting,
    StateWord::Waiting,
    StateWord::Stopped,
    StateWord::Skipped,
    StateWord::Listening,
];

impl Engine {
    /// The word for the state of a node; a template has that of its instances.
    pub(super) fn word_of(&self, node: &Node) -> StateWord {
        let instances = self.instances_of(node);
        match (&node.body, instances.is_empty()) {
            (Body::Template, false) => all_of(&instances),
            (Body::Template, true) if self.is_sought(node) => StateWord::Waiting,
            _ => word(&node.state),
        }
    }

    /// Whether the boot is about to look for the instances of a template.
    fn is_sought(&self, node: &Node) -> bool {
        let step = self.names.get(FIND_INSTANCES).and_then(|id| self.node(*id));
        let is_it = |one: &TemplateSpec| *one.name == *node.name && one.enabled && !one.listed;
        step.is_some_and(|step| !step.settled) && self.spec.templates.iter().any(is_it)
    }

    /// The instances of a template that are to be there; where none is, all.
    fn instances_of(&self, node: &Node) -> Vec<&Node> {
        let all = || node.edges.wants.iter().filter_map(|id: &NodeId| self.node(*id));
        let wanted: Vec<&Node> = all().filter(|instance| instance.wanted).collect();
        if wanted.is_empty() { all().collect() } else { wanted }
    }

    /// Since when a node is as it is; a template is so since the last change of its instances.
    pub(super) fn since(&self, node: &Node) -> Moment {
        let instances = self.instances_of(node).into_iter().map(|instance| instance.since);
        let last = instances.max().filter(|_| matches!(node.body, Body::Template));
        last.unwrap_or(node.since)
    }

    /// The instance that makes a template what it is, where that is not up.
    pub(super) fn worst_instance(&self, node: &Node) -> Option<NodeId> {
        let state = self.word_of(node);
        let is_well = matches!(state, StateWord::Up | StateWord::Done);
        let is_it = |id: &&NodeId| {
            let instance = self.node(**id).filter(|one| word(&one.state) == state);
            instance.is_some_and(|one| self.instances_of(node).iter().any(|it| it.name == one.name))
        };
        let instances = matches!(node.body, Body::Template).then_some(&node.edges.wants);
        instances.filter(|_| !is_well)?.iter().find(is_it).copied()
    }

    /// Whether a node is a template that has instances: what is wanted of it is wanted of those.
    pub(super) fn stands_for_others(&self, id: NodeId) -> bool {
        let is_one = |n: &Node| matches!(n.body, Body::Template) && !n.edges.wants.is_empty();
        self.node(id).is_some_and(is_one)
    }

    /// A template, as its instances are.
    pub(super) fn umbrella_report(&self, node: &Node, detail: bool, known: bool) -> ServiceReport {
        ServiceReport {
            name: node.name.to_string(),
            kind: "template".to_owned(),
            state: self.word_of(node),
            since_ms: millis(self.now.since(self.since(node))),
            reason: self.umbrella_reason(node, known),
            held: node.is_held(),
            detail: detail.then(|| self.detail(node)),
            ..ServiceReport::nobody()
        }
    }

    /// How many of its instances are up, which has failed, and what else is to be known of it.
    pub(super) fn umbrella_reason(&self, node: &Node, known: bool) -> String {
        let instances = self.instances_of(node);
        let count = node.edges.wants.len();
        let up = |id: &&NodeId| self.node(**id).is_some_and(|node| node.state.is_up());
        let up = node.edges.wants.iter().filter(up).count();
        let state = self.word_of(node);
        let failed = instances.iter().find(|instance| word(&instance.state) == StateWord::Failed);
        let failed = failed.map(|one| format!("{} failed: {}", one.name, self.reason(one, known)));
        let some = (up != count && (up > 0 || state != StateWord::Stopped))
            .then(|| format!("{up} of {count} up"));
        let held = node.held_words(self.now, known);
        // One that has instances waits for them, and not by itself.
        let waits = node.state.waits_for().filter(|_| count == 0);
        let waits = waits.map(|_| self.plain_reason(node, known));
        let found = self.spec.templates.iter().find(|template| *template.name == *node.name);
        let remark = found.filter(|_| known).and_then(|template| template.remark.clone());
        joined(some.into_iter().chain(failed).chain(waits).chain(remark).chain(held))
    }
}

/// One word for all of these: they are up if each of them is.
fn all_of(instances: &[&Node]) -> StateWord {
    let is = |state: &StateWord| instances.iter().any(|one| word(&one.state) == *state);
    let up = instances.iter().any(|one| word(&one.state) == StateWord::Up);
    let done = if up { StateWord::Up } else { StateWord::Done };
    WORST.into_iter().find(is).unwrap_or(done)
}
