//! What only the whole shows: names that nobody has, and circles in which everybody waits for
//! everybody. Both are errors when the file is read, never a boot that hangs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::keys;
use super::raw::{Node, Owner, Value};
use super::report::{Place, Problem, Report, quoted};
use super::spec::{MILESTONES, STEPS, ServiceSpec, Stage, SystemSpec};
use super::steps;

/// Targets that are always there.
const TARGETS: [&str; 3] = ["default", "rescue", "emergency"];

/// Where names are defined.
type Places = BTreeMap<String, Place>;

/// Checks the whole, and gives the other side what `wanted-by` says from this side.
pub(super) fn check(
    spec: &mut SystemSpec,
    places: &Places,
    broken: &BTreeMap<Owner, Place>,
    wanted_by: Vec<(String, Node)>,
    report: &mut Report<'_>,
) {
    let names = names(spec, broken);
    for (name, node) in wanted_by {
        want(spec, &name, &node, &names, report);
    }
    reserved(places, report);
    for service in &spec.services {
        let own = service.template.as_ref().unwrap_or(&service.name);
        let Some(at) = places.get(own).copied() else { continue };
        let on = &service.dependencies;
        let lists = [("wants", &on.wants), ("after", &on.after), ("before", &on.before)];
        for (key, name) in lists.iter().flat_map(|(key, list)| list.iter().map(move |n| (*key, n)))
        {
            known(key, name, own, at, &names, report);
        }
        for name in on.needs.iter().flatten() {
            known("needs", name, own, at, &names, report);
        }
        for name in &service.targets {
            let is_target = TARGETS.contains(&name.as_str())
                || spec.targets.iter().any(|target| target.name == *name);
            if !is_target {
                unknown("targets", name, own, at, &names, report);
            }
        }
    }
    for target in &spec.targets {
        let Some(at) = places.get(&target.name).copied() else { continue };
        for name in target.wants.iter().chain(target.needs.iter().flatten()) {
            known("wants", name, &target.name, at, &names, report);
        }
    }
    let circles = circles(spec, places, report);
    spec.services.retain(|service| !circles.contains(&service.name));
}

/// Every name that can stand in a list of others.
fn names(spec: &SystemSpec, broken: &BTreeMap<Owner, Place>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        STEPS.iter().chain(&MILESTONES).chain(&TARGETS).map(|name| (*name).to_owned()).collect();
    for service in &spec.services {
        names.insert(service.name.clone());
        names.extend(service.template.clone());
        names.extend(service.alias.iter().cloned());
        names.extend(service.dependencies.provides.iter().cloned());
    }
    names.extend(spec.targets.iter().map(|target| target.name.clone()));
    names.extend(broken.keys().map(|(_, name)| name.clone()));
    names
}

/// Names of the machine itself cannot be taken by a service.
fn reserved(places: &Places, report: &mut Report<'_>) {
    for (name, at) in places {
        if STEPS.contains(&name.as_str()) || MILESTONES.contains(&name.as_str()) {
            let problem = Problem::new(format!("{} is a part of the boot already", quoted(name)))
                .hint("choose another name, or say `provides` for a milestone");
            report.error(*at, problem);
        }
    }
}

fn known(
    key: &str,
    name: &str,
    own: &str,
    at: Place,
    names: &BTreeSet<String>,
    report: &mut Report<'_>,
) {
    if !names.contains(name) {
        unknown(key, name, own, at, names, report);
    }
}

fn unknown(
    key: &str,
    name: &str,
    own: &str,
    at: Place,
    names: &BTreeSet<String>,
    report: &mut Report<'_>,
) {
    let message =
        format!("`{key}` of {} names {}, which does not exist", quoted(own), quoted(name));
    let near = keys::nearest(name, names.iter().map(String::as_str));
    let problem = Problem::new(message);
    report.error(
        at,
        match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        },
    );
}

/// `wanted-by`, seen from the other side.
fn want(
    spec: &mut SystemSpec,
    name: &str,
    node: &Node,
    names: &BTreeSet<String>,
    report: &mut Report<'_>,
) {
    let items = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for item in items {
        let Value::String(other) = &item.value else { continue };
        if TARGETS.contains(&other.as_str()) || spec.targets.iter().any(|t| t.name == *other) {
            for service in &mut spec.services {
                if service.name == name || service.template.as_deref() == Some(name) {
                    Rc::make_mut(service).targets.push(other.clone());
                }
            }
            continue;
        }
        let mut found = false;
        for service in &mut spec.services {
            if service.name == *other || service.template.as_ref() == Some(other) {
                Rc::make_mut(service).dependencies.wants.push(name.to_owned());
                found = true;
            }
        }
        if !found {
            unknown("wanted-by", other, name, item.at, names, report);
        }
    }
}

/// Who waits for whom, by name.
fn edges(spec: &SystemSpec) -> BTreeMap<&str, Vec<&str>> {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut aliases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for service in &spec.services {
        let name = service.name.as_str();
        for alias in service.alias.iter().chain(&service.dependencies.provides) {
            aliases.entry(alias).or_default().push(name);
        }
        if let Some(template) = &service.template {
            edges.entry(template).or_default().push(name);
        }
    }
    let resolve = |name: &'_ str| -> Vec<&str> {
        match aliases.get(name) {
            Some(providers) if !MILESTONES.contains(&name) => providers.clone(),
            _ => spec.services.iter().map(|s| s.name.as_str()).filter(|s| *s == name).collect(),
        }
    };
    let fixed = |name: &'static str, after: &'static [&'static str]| (name, after.to_vec());
    edges.extend(STEPS.map(|step| fixed(step, steps::after(step))));
    for milestone in MILESTONES {
        let mut after = steps::reached_by(milestone).to_vec();
        let providers = aliases.get(milestone).into_iter().flatten();
        edges.insert(milestone, after.drain(..).chain(providers.copied()).collect());
    }
    for service in &spec.services {
        let on = &service.dependencies;
        let own: &mut Vec<&str> = edges.entry(&service.name).or_default();
        for name in on.needs.iter().flatten().chain(&on.wants).chain(&on.after) {
            let targets = resolve(name);
            if targets.is_empty() { own.push(name) } else { own.extend(targets) }
        }
        match service.stage {
            Stage::Main => own.push(steps::MAIN),
            Stage::Early => own.extend(steps::EARLY),
        }
        for later in &on.before {
            edges.entry(later).or_default().push(&service.name);
        }
    }
    edges
}

/// Finds circles, each once, without recursion: a chain may be as long as the file. The answer
/// is who stands in one: none of them could ever start.
fn circles(spec: &SystemSpec, places: &Places, report: &mut Report<'_>) -> BTreeSet<String> {
    let edges = edges(spec);
    let mut found = BTreeSet::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in edges.keys().copied() {
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_path: BTreeSet<&str> = BTreeSet::from([start]);
        while let Some((name, next)) = path.last().copied() {
            let below = edges.get(name).and_then(|list| list.get(next)).copied();
            if let Some(last) = path.last_mut() {
                last.1 = next.saturating_add(1);
            }
            match below {
                _ if done.contains(name) => {
                    path.pop();
                    on_path.remove(name);
                }
                None => {
                    done.insert(name);
                    path.pop();
                    on_path.remove(name);
                }
                Some(below) if on_path.contains(below) => {
                    let circle: Vec<&str> =
                        path.iter().map(|(name, _)| *name).skip_while(|n| *n != below).collect();
                    tell_circle(&circle, spec, places, report);
                    found.extend(circle.into_iter().map(str::to_owned));
                    // One circle is enough to mend at a time from here.
                    done.extend(path.iter().map(|(name, _)| *name));
                }
                Some(below) => {
                    path.push((below, 0));
                    on_path.insert(below);
                }
            }
        }
    }
    found
}

fn tell_circle(circle: &[&str], spec: &SystemSpec, places: &Places, report: &mut Report<'_>) {
    let place = |name: &str| -> Option<Place> {
        let of = |service: &Rc<ServiceSpec>| service.name == name;
        let template = spec.services.iter().find(|s| of(s)).and_then(|s| s.template.clone());
        places.get(template.as_deref().unwrap_or(name)).copied()
    };
    let mut labels = Vec::new();
    let mut first = None;
    for (index, name) in circle.iter().enumerate() {
        let Some(next) = circle.get(index.saturating_add(1)).or(circle.first()) else { continue };
        let Some(at) = place(name) else { continue };
        if first.is_none() {
            first = Some(at);
        }
        labels.push((at, format!("{} waits for {}", quoted(name), quoted(next))));
    }
    let Some(first) = first else { return };
    let whole: Vec<&str> = circle.iter().chain(circle.first()).copied().collect();
    let message = format!("a circle in which each waits for the next: {}", whole.join(" → "));
    report.error_with(first, Problem::new(message), &labels);
}
