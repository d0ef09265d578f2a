//! Templates whose instances are found on the machine: where they are looked for, and those that
//! are known.
//!
//! What is wrong with the table is an error whatever was found: it is read as if it had an
//! instance of a name that hardly anybody has. What is wrong with one instance alone costs that
//! one, and is a warning: a folder that somebody makes must not break a good file.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::super::check::{Draft, Edge, Origin, Relation};
use super::super::found::{Found, Known, bounded};
use super::super::percent::Percent;
use super::super::raw::{Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::{FIND_INSTANCES, Listing, Look, NO_LOOK, Search, TemplateSpec};
use super::super::values;
use super::commands::command;
use super::instances::{Made, Named};
use super::section::Section;
use crate::facts::glob;

/// How long a look may take without another word, and at most.
const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);
/// Names of instances for the look at a table: the first is good as a number, a port or a user
/// too; the other one where that will not do.
const MADE_UP: [&str; 2] = ["65000", "some-instance"];

/// What is known when a table is read.
pub(in super::super) struct Machine<'a> {
    /// The instances.
    pub found: &'a Found,
    /// Names of definitions.
    pub defined: &'a BTreeSet<String>,
}

/// A template whose instances are found.
pub(super) fn found(
    named: Named<'_>,
    table: &Table,
    at: Place,
    machine: &Machine<'_>,
    report: &mut Report<'_>,
) -> Made {
    let before = report.errors();
    let search = search(table, named.name, at, report);
    let mut stand_in = stand_in(named, at, report);
    let Some(search) = search.filter(|_| report.errors() == before) else {
        return Made { drafts: vec![stand_in], ..Made::default() };
    };
    stand_in.origin = Origin::StandIn;
    let enabled = stand_in.spec.enabled;
    let known = machine.found.get(named.name, &search);
    let listing = known.and_then(|known| known.listing.as_ref());
    let mut drafts = Vec::new();
    let mut notes = Vec::new();
    for instance in listing.iter().flat_map(|listing| &listing.instances) {
        match instance_of(named, instance, at, machine, report) {
            Ok(draft) => drafts.push(draft),
            Err(why) => notes.push(format!("the instance {} is left out: {why}", quoted(instance))),
        }
    }
    let told = listing.iter().flat_map(|listing| &listing.notes).cloned();
    let all = told.chain(bounded(notes));
    let notes: Vec<String> = all.collect();
    for note in &notes {
        report.warning(at, Problem::new(note.clone()), &[]);
    }
    let lost = known.filter(|known| known.listing.is_none()).and_then(|known| known.failed.clone());
    let lost = lost.map(|why| format!("{NO_LOOK}{why}"));
    let remark = remark(known, listing, drafts.is_empty(), &notes);
    if !drafts.is_empty() {
        // They stand for these names themselves.
        stand_in.takes.clear();
    }
    drafts.push(stand_in);
    let name = named.name.to_owned();
    let listed = known.is_some();
    let template = TemplateSpec { name, search: Some(search), enabled, listed, remark };
    Made { drafts, template: Some(template), lost }
}

/// What a person should know of the instances of a template.
fn remark(
    known: Option<&Known>,
    listing: Option<&Listing>,
    is_empty: bool,
    notes: &[String],
) -> Option<String> {
    let Some(known) = known else {
        return Some("its instances are not looked for yet".to_owned());
    };
    if let Some(why) = &known.failed {
        return Some(format!("its instances stay what they are: {why}"));
    }
    match (notes, is_empty) {
        ([], false) => None,
        ([], true) => listing.map(|_| "no instance was found".to_owned()),
        (notes, _) => Some(notes.join("; ")),
    }
}

/// The table as if it had an instance.
fn stand_in(named: Named<'_>, at: Place, report: &mut Report<'_>) -> Draft {
    let silent = &mut Report::new(&[]);
    let [first, other] = MADE_UP;
    let _looked = named.alone(Some(first), silent);
    let made_up = if silent.errors() == 0 { first } else { other };
    let mut draft = named.alone(Some(made_up), report);
    draft.edges.retain(|edge| !edge.to.contains(made_up));
    for names in [&mut draft.wanted_by, &mut draft.targets, &mut draft.takes] {
        names.retain(|(name, _)| !name.contains(made_up));
    }
    comes_after_the_look(&mut draft, at);
    draft
}

/// An instance that was found; or why it cannot be one.
fn instance_of(
    named: Named<'_>,
    instance: &str,
    at: Place,
    machine: &Machine<'_>,
    report: &mut Report<'_>,
) -> Result<Draft, String> {
    let name = format!("{}@{instance}", named.name);
    values::name(&name).map_err(|problem| problem.message)?;
    if machine.defined.contains(&name) {
        return Err(format!("{} is defined by itself", quoted(&name)));
    }
    let silent = &mut Report::new(&[]);
    let _looked = named.instance(instance, silent);
    if let Some(mistake) = silent.since(0) {
        return Err(mistake);
    }
    let mut draft = named.instance(instance, report);
    draft.origin = Origin::Found;
    comes_after_the_look(&mut draft, at);
    Ok(draft)
}

/// What is found late cannot be there early.
fn comes_after_the_look(draft: &mut Draft, at: Place) {
    let to = FIND_INSTANCES.to_owned();
    Rc::make_mut(&mut draft.spec.dependencies).after.push(to.clone());
    draft.edges.push(Edge { relation: Relation::After, to, at });
}

/// Where instances are looked for.
fn search(table: &Table, name: &str, at: Place, report: &mut Report<'_>) -> Option<Search> {
    let percent = Percent { name: name.to_owned(), instance: None };
    let s = &mut Section::open(table, "service.instances", &percent, report);
    let before = s.report.errors();
    let timeout = s.get("timeout", |text| match values::duration(text)? {
        Duration::ZERO => Err(Problem::new("nothing is found in no time at all")),
        long if long > LONGEST => Err(Problem::new("it is at most \"10m\"")),
        time => Ok(time),
    });
    let look = match (s.entry("glob"), s.entry("command")) {
        (Some(_), None) => look_for_paths(s),
        (None, Some(entry)) => {
            if let Some(name) = s.entry("name") {
                let problem = Problem::new("`name` is for paths, and there is no `glob`");
                s.report.error(name.at, problem.hint("each line of the command is a name"));
            }
            command(s, "command", &entry.node).map(Look::Command)
        }
        (Some(glob), Some(command)) => {
            let label = (glob.at, "the other one".to_owned());
            let problem = Problem::new("instances are found by a pattern or by a command");
            s.report.error_with(command.at, problem.hint("take one of them out"), &[label]);
            None
        }
        (None, None) if s.is_mistyped(&["glob", "command"]) => None,
        (None, None) => {
            let problem = Problem::new("`instances` does not say where they are found");
            s.report.error(at, problem.hint("add `glob` or `command`, or write a list of names"));
            None
        }
    };
    let good = s.report.errors() == before;
    look.filter(|_| good).map(|look| Search { look, timeout: timeout.unwrap_or(TIMEOUT) })
}

fn look_for_paths(s: &mut Section<'_, '_, '_>) -> Option<Look> {
    let place = s.place("glob")?;
    let pattern = s.get("glob", values::absolute)?;
    let count = pattern
        .split('/')
        .map(|part| glob::wildcards(&part.chars().collect::<Vec<_>>()))
        .fold(0, usize::saturating_add);
    if count == 0 {
        let problem = Problem::new(format!("{} is one path and no pattern", quoted(&pattern)));
        s.report.error(place, problem.hint("put `*`, `?` or `[…]` where instances differ"));
        return None;
    }
    let Some(entry) = s.entry("name") else {
        if count > 1 {
            let problem = Problem::new(format!("the pattern has {count} wildcards and no `name`"));
            s.report.error(place, problem.hint("say how an instance is called: name = \"$1-$2\""));
            return None;
        }
        return Some(Look::Glob { pattern, name: "$1".to_owned() });
    };
    let fits = |text: &str| check_name(text, count).map(|()| text.to_owned());
    let name = match &entry.node.value {
        Value::String(_) => s.get("name", fits)?,
        _ => {
            s.wrong("name", &entry.node);
            return None;
        }
    };
    Some(Look::Glob { pattern, name })
}

/// A name speaks of wildcards that there are, and of one at least.
fn check_name(text: &str, count: usize) -> Result<(), Problem> {
    let mut parts = text.split('$');
    let plain = parts.next().unwrap_or_default();
    let mut rest = vec![plain];
    let mut speaks = false;
    for part in parts {
        let digit = part.chars().next().and_then(|c| c.to_digit(10));
        let number = digit.and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        if number == 0 || number > count {
            let noun = if count == 1 { "wildcard" } else { "wildcards" };
            let hint = format!("`$1` is what the first one stands for{}", up_to(count));
            return Err(Problem::new(format!("the pattern has {count} {noun}")).hint(hint));
        }
        speaks = true;
        rest.push(part.get(1..).unwrap_or_default());
    }
    if !speaks {
        return Err(Problem::new("every instance would have this name")
            .hint("`$1` is what the first wildcard stands for"));
    }
    let plain = rest.concat();
    if !plain.is_empty() {
        values::name(&plain).map_err(|problem| Problem { at: None, ..problem })?;
    }
    Ok(())
}

fn up_to(count: usize) -> String {
    if count > 1 { format!(", `${count}` the last") } else { String::new() }
}
