//! What a mistake costs: the names that are defined, or are needed, and that nothing good in the
//! files stands for. They stay known, so that whoever needs one is not started without it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Draft, Relation, fixed};
use super::spec::{LeftOut, NO_INSTANCE, SystemSpec, TemplateSpec};

/// Names with the mistake that each was left out for; of several the first counts.
#[derive(Default)]
pub(super) struct Mistakes(BTreeMap<String, String>);

impl Mistakes {
    pub(super) fn add(&mut self, name: &str, mistake: &str) {
        self.0.entry(name.to_owned()).or_insert_with(|| mistake.to_owned());
    }

    /// A service that is left out. Whatever else it answers to goes with it.
    pub(super) fn add_draft(&mut self, draft: &Draft, mistake: &str) {
        self.add(&draft.spec.name, mistake);
        let others = draft.takes.iter().map(|(name, _)| name);
        for name in others.chain(&draft.spec.template) {
            self.add(name, mistake);
        }
    }

    /// Those that are left out in the end: not there by another definition, and the service that
    /// it is or somebody needs it.
    pub(super) fn finish(
        mut self,
        defined: impl Fn(&str) -> bool,
        drafts: &[Draft],
        stand_ins: &[Draft],
        spec: &mut SystemSpec,
    ) -> Vec<LeftOut> {
        spec.templates.retain(|template| !self.0.contains_key(&template.name));
        let edges = drafts.iter().flat_map(|draft| &draft.edges);
        let needs = edges.filter(|edge| edge.relation == Relation::Needs).map(|edge| &edge.to);
        let of_targets = spec.targets.iter().flat_map(|target| target.needs.iter().flatten());
        let needed: BTreeSet<&String> = needs.chain(of_targets).collect();
        if self.0.is_empty() && needed.is_empty() {
            return Vec::new();
        }
        let mut there: BTreeSet<&str> = fixed().collect();
        for draft in drafts {
            there.insert(&draft.spec.name);
            there.extend(draft.spec.template.as_deref());
            there.extend(draft.takes.iter().map(|(name, _)| name.as_str()));
        }
        there.extend(spec.targets.iter().map(|target| target.name.as_str()));
        there.extend(spec.templates.iter().map(|template| template.name.as_str()));
        let mut awaited = Vec::new();
        for name in &needed {
            if there.contains(name.as_str()) || self.0.contains_key(*name) {
                continue;
            }
            match template_of(name, stand_ins, spec) {
                Some(template) if !template.listed => awaited.push((*name).clone()),
                Some(template) => {
                    self.add(name, &format!("{NO_INSTANCE}{} stands for it", template.name));
                }
                None => {
                    let mistake = self.of_template(name);
                    self.add(name, &mistake);
                }
            }
        }
        let is_lost = |name: &String| {
            let matters = defined(name) || name.contains('@') || needed.contains(name);
            matters && !there.contains(name.as_str())
        };
        let lost = self.0.into_iter().filter(|(name, _)| is_lost(name));
        let lost = lost.map(|(name, mistake)| LeftOut { name, mistake }).collect();
        spec.templates.extend(awaited.into_iter().map(|name| TemplateSpec {
            name,
            search: None,
            enabled: false,
            listed: false,
            remark: Some("it is not looked for yet".to_owned()),
        }));
        lost
    }

    /// The mistake of an instance is that of its template.
    fn of_template(&self, name: &str) -> String {
        let template = name.split_once('@').and_then(|(template, _)| self.0.get(template));
        template.cloned().unwrap_or_else(|| UNREADABLE.to_owned())
    }
}

/// The template whose instances are found and one of which would have that name, or stand for it.
fn template_of<'s>(
    name: &str,
    stand_ins: &[Draft],
    spec: &'s SystemSpec,
) -> Option<&'s TemplateSpec> {
    let takes = |draft: &&Draft| draft.takes.iter().any(|(taken, _)| taken == name);
    let template = name.split_once('@').map(|(template, _)| template);
    let taken = stand_ins.iter().find(takes).map(|draft| draft.spec.name.as_str());
    let is_it = |one: &&TemplateSpec| Some(one.name.as_str()) == template.or(taken);
    spec.templates.iter().find(is_it)
}

/// Why something is missing that may be defined where nothing could be read.
pub(super) const UNREADABLE: &str = "a part of the file cannot be read";
