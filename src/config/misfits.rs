//! Instances that were found and do not fit to the rest: a file that is good stays so, whatever
//! somebody makes on the machine.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Definitions, Draft, Origin, check_names};
use super::report::{Problem, Report, quoted};
use super::spec::{SystemSpec, TemplateSpec};
use super::{cycle, rivals, taken};

/// How often it is looked for them: one that is taken out may show another.
const LOOKS: usize = 8;

/// Takes out those that do not fit, where their template does.
pub(super) fn leave_out(
    definitions: &Definitions,
    drafts: &mut Vec<Draft>,
    spec: &mut SystemSpec,
    report: &mut Report<'_>,
) {
    for _ in 0..LOOKS {
        if !drafts.iter().any(|draft| draft.origin == Origin::Found) {
            return;
        }
        let misfits = misfits(definitions, drafts, spec);
        if misfits.is_empty() {
            return;
        }
        for (number, mistake) in misfits.iter().rev() {
            let draft = drafts.remove(*number);
            let note = format!("{} is left out: {mistake}", quoted(&draft.spec.name));
            let of = |one: &&mut TemplateSpec| Some(&one.name) == draft.spec.template.as_ref();
            if let Some(template) = spec.templates.iter_mut().find(of) {
                template.remark.get_or_insert_with(|| note.clone());
            }
            report.warning(draft.at, Problem::new(note), &[]);
        }
    }
}

/// Those that make a mistake of the whole, and which.
fn misfits(
    definitions: &Definitions,
    drafts: &[Draft],
    spec: &SystemSpec,
) -> BTreeMap<usize, String> {
    let silent = &mut Report::new(&[]);
    let mut broken = check_names(definitions, drafts, silent);
    let targets = [&*spec.targets, &definitions.lost_targets].concat();
    broken.extend(cycle::find(definitions, drafts, &targets, silent).drafts);
    broken.extend(rivals::find(drafts, silent));
    broken.extend(taken::second_on_terminal(drafts, silent));
    let aliases: BTreeSet<&String> = drafts.iter().flat_map(|draft| &draft.spec.alias).collect();
    for (number, draft) in drafts.iter().enumerate() {
        if aliases.contains(&draft.spec.name) {
            broken.insert(number, "it is another name of something else".to_owned());
        }
    }
    let made_up = broken.keys().filter_map(|number| drafts.get(*number));
    let made_up = made_up.filter(|draft| draft.origin == Origin::StandIn);
    let lost: BTreeSet<&String> = made_up.map(|draft| &draft.spec.name).collect();
    broken.retain(|number, _| {
        let found = drafts.get(*number).filter(|draft| draft.origin == Origin::Found);
        found.is_some_and(|one| one.spec.template.iter().all(|name| !lost.contains(name)))
    });
    broken
}
