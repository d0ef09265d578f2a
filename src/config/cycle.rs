//! Nothing may wait for itself: the search for circles among services, steps, milestones and
//! targets, tied as the engine ties them.
//!
//! The search goes round in loops and not into itself, so that a chain of ten thousand
//! services costs no stack. Of each circle, the service that is defined last is left out:
//! without it the circle is none, and the rest can start. What was found on the machine makes way
//! for what is written.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::check::{Definitions, Draft, Edge, Origin, Relation};
use super::report::{Place, Problem, Report};
use super::spec::{MILESTONES, STEPS, Stage, TargetSpec};
use super::steps;

/// What is left out, each with its circle.
#[derive(Default)]
pub(super) struct LeftOut {
    /// Services, by their numbers.
    pub drafts: BTreeMap<usize, String>,
    /// Targets of circles in which no service is, by their names.
    pub targets: BTreeMap<String, String>,
}

/// Reports every circle; the answer is what is left out.
pub(super) fn find(
    definitions: &Definitions,
    drafts: &[Draft],
    targets: &[Rc<TargetSpec>],
    report: &mut Report<'_>,
) -> LeftOut {
    let graph = Graph::new(definitions, drafts, targets);
    let mut left_out = LeftOut::default();
    let mut search = Search::new(&graph);
    let is_found =
        |number: usize| drafts.get(number).is_some_and(|one| one.origin == Origin::Found);
    while let Some(circle) = search.circle() {
        let nodes = || circle.iter().map(|(node, _)| *node);
        let numbers = nodes().filter(|node| *node < drafts.len());
        let last = numbers.max_by_key(|number| (is_found(*number), *number));
        let place = last.and_then(|last| drafts.get(last)).map(|draft| draft.at);
        let message = graph.tell(&circle, place, report);
        let is_target = |node: &usize| targets.iter().any(|one| one.name == graph.name(*node));
        // A circle of steps and milestones alone would be ours.
        let target = nodes().filter(is_target).max();
        search.remove(last.or(target).or_else(|| nodes().next()).unwrap_or_default());
        if let Some(last) = last {
            left_out.drafts.insert(last, message);
        } else if let Some(target) = target {
            left_out.targets.insert(graph.name(target).to_owned(), message);
        }
    }
    left_out
}

/// One end of a tie: what is waited for, in which words, and where the file says so.
#[derive(Clone, Copy)]
struct Tie {
    to: usize,
    words: &'static str,
    at: Option<Place>,
}

/// Services first, by their numbers; after them everything else that has a name.
struct Graph<'a> {
    names: Vec<&'a str>,
    ties: Vec<Vec<Tie>>,
}

impl<'a> Graph<'a> {
    fn new(definitions: &Definitions, drafts: &'a [Draft], targets: &'a [Rc<TargetSpec>]) -> Self {
        let mut graph = Self { names: Vec::new(), ties: Vec::new() };
        let mut fixed: BTreeMap<&'a str, usize> = BTreeMap::new();
        // Each has a node of its own, also where one name means two things, which is told elsewhere.
        for (number, draft) in drafts.iter().enumerate() {
            fixed.entry(&draft.spec.name).or_insert(number);
            graph.names.push(&draft.spec.name);
        }
        for name in STEPS.into_iter().chain(MILESTONES) {
            fixed.insert(name, graph.names.len());
            graph.names.push(name);
        }
        let templates = drafts.iter().filter_map(|draft| draft.spec.template.as_deref());
        for name in templates.chain(targets.iter().map(|target| target.name.as_str())) {
            if let std::collections::btree_map::Entry::Vacant(free) = fixed.entry(name) {
                free.insert(graph.names.len());
                graph.names.push(name);
            }
        }
        // All but few services have one tie at least.
        graph.ties.resize_with(graph.names.len(), || Vec::with_capacity(1));
        let names = Resolver { fixed, takers: takers(drafts), instances: instances(drafts) };
        graph.tie_services(drafts, &names);
        graph.tie_fixed(&names);
        for target in targets {
            let wanted = target.wants.iter().chain(target.needs.iter().flatten());
            let own = names.resolve(&target.name);
            let at = definitions.places.get(&target.name).map(|(_, at)| *at);
            for name in wanted {
                graph.tie(own, names.resolve(name), "is made of", at);
            }
        }
        graph
    }

    fn tie_services(&mut self, drafts: &'a [Draft], names: &Resolver<'a>) {
        let main = names.resolve(steps::MAIN).first().copied();
        for (number, draft) in drafts.iter().enumerate() {
            let own = &draft.spec.name;
            let node = &[number];
            if let Some(template) = &draft.spec.template {
                self.tie(names.resolve(template), node, "is made of", None);
            }
            if draft.spec.sockets.is_some() {
                self.tie(names.resolve("sockets"), node, "is reached by", None);
            }
            for (name, at) in &draft.takes {
                if MILESTONES.contains(&name.as_str()) {
                    self.tie(names.resolve(name), node, "is provided by", Some(*at));
                }
            }
            // Whoever speaks of itself is told that already.
            let is_own =
                |edge: &&Edge| edge.to == *own || draft.spec.template.as_ref() == Some(&edge.to);
            for edge in draft.edges.iter().filter(|edge| !is_own(edge)) {
                let at = Some(edge.at);
                let other = names.resolve(&edge.to);
                match edge.relation {
                    Relation::Needs => self.tie(node, other, "needs", at),
                    Relation::Wants => self.tie(node, other, "wants", at),
                    Relation::After => self.tie(node, other, "comes after", at),
                    Relation::Before => {
                        self.tie(other, node, "comes after", at);
                        // An umbrella orders its instances too, be it open or not.
                        for later in names.instances(&edge.to) {
                            self.tie(names.resolve(later), node, "comes after", at);
                        }
                    }
                    Relation::BoundTo => self.tie(node, other, "is bound to", at),
                    // Nobody waits for these.
                    Relation::PartOf
                    | Relation::Conflicts
                    | Relation::OnFailure
                    | Relation::ReloadWith => {}
                }
            }
            match draft.spec.stage {
                _ if draft.vague => {}
                Stage::Main => {
                    if let Some(to) = main {
                        self.tie_nodes(number, Tie { to, words: "comes after", at: None });
                    }
                }
                Stage::Early => {
                    for step in steps::EARLY {
                        self.tie(node, names.resolve(step), "comes after", None);
                    }
                }
            }
        }
    }

    fn tie_fixed(&mut self, names: &Resolver<'a>) {
        for step in STEPS {
            for earlier in steps::after(step) {
                self.tie(names.resolve(step), names.resolve(earlier), "comes after", None);
            }
        }
        for milestone in MILESTONES {
            for step in steps::reached_by(milestone) {
                self.tie(names.resolve(milestone), names.resolve(step), "is reached by", None);
            }
        }
    }

    fn tie(&mut self, from: &[usize], to: &[usize], words: &'static str, at: Option<Place>) {
        for from in from {
            for to in to {
                self.tie_nodes(*from, Tie { to: *to, words, at });
            }
        }
    }

    fn tie_nodes(&mut self, from: usize, tie: Tie) {
        if let Some(ties) = self.ties.get_mut(from) {
            ties.push(tie);
        }
    }

    fn name(&self, node: usize) -> &str {
        self.names.get(node).copied().unwrap_or_default()
    }

    /// Reports a circle, for want of another place at that one.
    fn tell(
        &self,
        circle: &[(usize, Tie)],
        place: Option<Place>,
        report: &mut Report<'_>,
    ) -> String {
        let mut path: String =
            circle.iter().map(|(node, _)| format!("{} -> ", self.name(*node))).collect();
        path.push_str(circle.first().map_or("", |(node, _)| self.name(*node)));
        let mut labels: Vec<(Place, String)> = circle
            .iter()
            .filter_map(|(node, tie)| {
                let words = format!("`{}` {} `{}`", self.name(*node), tie.words, self.name(tie.to));
                Some((tie.at?, words))
            })
            .collect();
        let message = format!("a circle in which each waits for the next: {path}");
        if labels.is_empty() {
            let hint = "one of them is left out".to_owned();
            labels.extend(place.map(|place| (place, hint)));
        }
        if labels.is_empty() {
            return message;
        }
        let (place, first) = labels.remove(0);
        report.error_with(place, Problem::new(message.clone()).hint(first), &labels);
        message
    }
}

/// Names to nodes, as the engine resolves them: what is called so, or else all that provide it.
struct Resolver<'a> {
    fixed: BTreeMap<&'a str, usize>,
    takers: BTreeMap<&'a str, Vec<usize>>,
    /// Instances by the name of their template.
    instances: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Resolver<'a> {
    fn instances(&self, template: &str) -> &[&'a str] {
        self.instances.get(template).map_or(&[], Vec::as_slice)
    }

    fn resolve(&self, name: &str) -> &[usize] {
        match self.fixed.get(name) {
            Some(node) => std::slice::from_ref(node),
            None => self.takers.get(name).map_or(&[], Vec::as_slice),
        }
    }
}

fn takers(drafts: &[Draft]) -> BTreeMap<&str, Vec<usize>> {
    let mut takers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, draft) in drafts.iter().enumerate() {
        for (name, _) in &draft.takes {
            takers.entry(name).or_default().push(number);
        }
    }
    takers
}

fn instances(drafts: &[Draft]) -> BTreeMap<&str, Vec<&str>> {
    let mut instances: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for spec in drafts.iter().map(|draft| &draft.spec) {
        if let Some(template) = &spec.template {
            instances.entry(template).or_default().push(&spec.name);
        }
    }
    instances
}

/// Nodes that nothing is left to wait for are taken away until none is; then every way leads
/// round in a circle.
struct Search<'g> {
    graph: &'g Graph<'g>,
    /// How many ties of each node lead to nodes that are left; none for a node that is not.
    open: Vec<Option<usize>>,
    waiting: Vec<Vec<usize>>,
    start: usize,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph<'g>) -> Self {
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); graph.ties.len()];
        for (from, ties) in graph.ties.iter().enumerate() {
            for tie in ties {
                if let Some(waiting) = waiting.get_mut(tie.to) {
                    waiting.push(from);
                }
            }
        }
        let open = graph.ties.iter().map(|ties| Some(ties.len())).collect();
        let mut search = Self { graph, open, waiting, start: 0 };
        for node in 0..graph.ties.len() {
            if search.open.get(node) == Some(&Some(0)) {
                search.remove(node);
            }
        }
        search
    }

    fn is_left(&self, node: usize) -> bool {
        matches!(self.open.get(node), Some(Some(_)))
    }

    /// Takes a node away, and those that waited for nothing else.
    fn remove(&mut self, node: usize) {
        let mut gone = vec![node];
        while let Some(node) = gone.pop() {
            if self.open.get_mut(node).and_then(Option::take).is_none() {
                continue;
            }
            for from in self.waiting.get(node).into_iter().flatten() {
                if let Some(Some(open)) = self.open.get_mut(*from) {
                    *open = open.saturating_sub(1);
                    if *open == 0 {
                        gone.push(*from);
                    }
                }
            }
        }
    }

    /// A circle among the nodes that are left: each node and its tie to the next one.
    fn circle(&mut self) -> Option<Vec<(usize, Tie)>> {
        while self.start < self.open.len() && !self.is_left(self.start) {
            self.start = self.start.saturating_add(1);
        }
        let mut way: Vec<(usize, Tie)> = Vec::new();
        let mut steps_at: BTreeMap<usize, usize> = BTreeMap::new();
        let mut node = self.start;
        loop {
            if let Some(step) = steps_at.get(&node) {
                return way.get(*step..).map(<[_]>::to_vec);
            }
            let ties = self.graph.ties.get(node)?;
            let tie = ties.iter().find(|tie| self.is_left(tie.to))?;
            steps_at.insert(node, way.len());
            way.push((node, *tie));
            node = tie.to;
        }
    }
}
