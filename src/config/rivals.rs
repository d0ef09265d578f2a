//! Nothing may exclude what it cannot be up without: the two would stop one another for ever. Left
//! out is who says so, or what was found on the machine between the two: that makes way for what is
//! written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::check::{Draft, Edge, Origin, Relation};
use super::report::{Place, Problem, Report};

/// Reports each service that excludes what it needs, or is needed by, however far below; the
/// answer is the numbers of those that are left out, and why.
pub(super) fn find(drafts: &[Draft], report: &mut Report<'_>) -> BTreeMap<usize, String> {
    let excludes = |draft: &Draft| draft.edges.iter().any(is_rival);
    let mut left_out = BTreeMap::new();
    // Most machines have none of these, and they start the sooner.
    if !drafts.iter().any(excludes) {
        return left_out;
    }
    let mut names = Names::new(drafts);
    for (number, draft) in drafts.iter().enumerate() {
        for edge in draft.edges.iter().filter(|edge| is_rival(edge)) {
            for rival in names.of(&edge.to).filter(|rival| *rival != number).collect::<Vec<_>>() {
                // Without one that makes way there may be another way.
                while let Some(way) = names.way(number, rival).or_else(|| names.way(rival, number))
                {
                    let message = tell(edge.at, &names.told(&way), report);
                    let makes_way = way.into_iter().filter(|number| names.is_found(*number)).max();
                    left_out.insert(makes_way.unwrap_or(number), message);
                    let Some(found) = makes_way else { break };
                    names.gone.insert(found);
                }
            }
        }
    }
    left_out
}

fn is_rival(edge: &Edge) -> bool {
    edge.relation == Relation::Conflicts
}

fn tell(at: Place, way: &[&str], report: &mut Report<'_>) -> String {
    let (first, last) = (way.first().unwrap_or(&""), way.last().unwrap_or(&""));
    let message =
        format!("`{first}` and `{last}` exclude each other, and `{first}` needs `{last}`");
    let hint = format!("{}: take this or one of the needs away", way.join(" -> "));
    report.error(at, Problem::new(message.clone()).hint(hint));
    message
}

/// What names stand for.
struct Names<'a> {
    drafts: &'a [Draft],
    /// Own names, those of templates, and names that are taken beside them.
    numbers: BTreeMap<&'a str, Vec<usize>>,
    /// Those that have made way.
    gone: BTreeSet<usize>,
}

impl<'a> Names<'a> {
    fn new(drafts: &'a [Draft]) -> Self {
        let mut numbers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, draft) in drafts.iter().enumerate() {
            let spec = &draft.spec;
            let taken = draft.takes.iter().map(|(name, _)| name);
            for name in taken.chain(&spec.template).chain([&spec.name]) {
                numbers.entry(name).or_default().push(number);
            }
        }
        Self { drafts, numbers, gone: BTreeSet::new() }
    }

    fn of(&self, name: &str) -> impl Iterator<Item = usize> {
        self.numbers.get(name).into_iter().flatten().copied()
    }

    /// What one cannot be up without. Where there is a choice another one may do.
    fn below(&self, number: usize) -> Vec<usize> {
        let Some(draft) = self.drafts.get(number) else { return Vec::new() };
        let on = &draft.spec.dependencies;
        let only = on.needs.iter().filter_map(|need| match need.as_slice() {
            [only] => Some(only),
            _ => None,
        });
        let mut below = Vec::new();
        for name in only.chain(&on.bound_to) {
            let numbers: Vec<usize> = self.of(name).collect();
            let template = |number: &usize| {
                self.drafts.get(*number).is_some_and(|Draft { origin, spec, .. }| {
                    let is_whole = *origin == Origin::StandIn && spec.name == *name;
                    is_whole || spec.template.as_ref() == Some(name)
                })
            };
            if numbers.len() == 1 || numbers.iter().all(template) {
                below.extend(numbers);
            }
        }
        below
    }

    fn is_found(&self, number: usize) -> bool {
        self.drafts.get(number).is_some_and(|draft| draft.origin == Origin::Found)
    }

    /// The shortest way from one down to the other.
    fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut came: BTreeMap<usize, usize> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        if self.gone.contains(&from) {
            return None;
        }
        while let Some(number) = open.pop_front() {
            for below in self.below(number) {
                if below != from && !came.contains_key(&below) && !self.gone.contains(&below) {
                    came.insert(below, number);
                    open.push_back(below);
                }
            }
        }
        let mut way = vec![to];
        while let Some(above) = way.last().filter(|last| **last != from) {
            way.push(*came.get(above)?);
        }
        way.reverse();
        Some(way)
    }

    /// The names on a way.
    fn told(&self, way: &[usize]) -> Vec<&'a str> {
        let name = |number: &usize| self.drafts.get(*number).map(|draft| draft.spec.name.as_str());
        way.iter().filter_map(name).collect()
    }
}
