//! Nothing may exclude what it cannot be up without: the two would stop one another for ever.

use std::collections::{BTreeMap, VecDeque};

use super::check::{Draft, Edge, Relation};
use super::report::{Place, Problem, Report};

/// Reports each service that excludes what it needs, or is needed by, however far below; the
/// answer is the numbers of those that say so, and why they are left out.
pub(super) fn find(drafts: &[Draft], report: &mut Report<'_>) -> BTreeMap<usize, String> {
    let excludes = |draft: &Draft| draft.edges.iter().any(is_rival);
    let mut left_out = BTreeMap::new();
    // Most machines have none of these, and they start the sooner.
    if !drafts.iter().any(excludes) {
        return left_out;
    }
    let names = Names::new(drafts);
    for (number, draft) in drafts.iter().enumerate() {
        let rivals = draft.edges.iter().filter(|edge| is_rival(edge));
        for (edge, rival) in rivals.flat_map(|edge| names.of(&edge.to).map(move |to| (edge, to))) {
            let way = names.way(number, rival).or_else(|| names.way(rival, number));
            if let Some(way) = way.filter(|_| rival != number) {
                left_out.insert(number, tell(edge.at, &way, report));
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
        Self { drafts, numbers }
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
                self.drafts.get(*number).is_some_and(|d| d.spec.template.as_ref() == Some(name))
            };
            if numbers.len() == 1 || numbers.iter().all(template) {
                below.extend(numbers);
            }
        }
        below
    }

    /// The names on the shortest way from one down to the other.
    fn way(&self, from: usize, to: usize) -> Option<Vec<&'a str>> {
        let mut came: BTreeMap<usize, usize> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        while let Some(number) = open.pop_front() {
            for below in self.below(number) {
                if below != from && !came.contains_key(&below) {
                    came.insert(below, number);
                    open.push_back(below);
                }
            }
        }
        let mut way = vec![to];
        while let Some(above) = way.last().filter(|last| **last != from) {
            way.push(*came.get(above)?);
        }
        let name = |number: &usize| self.drafts.get(*number).map(|draft| draft.spec.name.as_str());
        Some(way.iter().rev().filter_map(name).collect())
    }
}
