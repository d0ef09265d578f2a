//! What was found on the machine beside what files say: with which instances a file is read, and
//! where is still to be looked for them.

use std::rc::Rc;

use super::{Configuration, files, with_login, with_rescue};
use crate::config::spec::{Search, SystemSpec, TemplateSpec};
use crate::config::{self, Disk, Found, Loaded, Source};
use crate::driver::searches::Looked;

impl Configuration {
    /// What the file says by now, with what is known of instances.
    pub fn load(&self, looked: &[Looked]) -> Loaded {
        let mut found = Found::of(self.behind.as_ref().unwrap_or(&self.sources));
        found.extend(Found::of(&self.sources));
        learn(&mut found, looked);
        config::load_with(&self.path, &Disk, &found)
    }

    /// The templates of a file whose instances are to be found, those among them that are left
    /// out since nothing could be found.
    pub fn sought(&self, loaded: &Loaded) -> Vec<TemplateSpec> {
        if Found::of(&loaded.sources).is_complete() {
            return loaded.spec.templates.clone();
        }
        config::parse(&files(&loaded.sources).cloned().collect::<Vec<_>>()).spec.templates
    }

    /// Where the boot looks for instances: wherever what runs has any. What somebody has found
    /// before that says little, since file systems may have been mounted since.
    pub fn all_sought(&self) -> Vec<(String, Search)> {
        let runs = self.behind.as_ref().filter(|_| self.broken).unwrap_or(&self.sources);
        searches(runs).collect()
    }

    /// Where is still to be looked for instances: for templates of what runs that nobody has
    /// looked for, and for those that a look has failed for.
    pub fn unknown(&self, templates: &[TemplateSpec]) -> Vec<(String, Search)> {
        let unlisted = templates.iter().filter(|template| !template.listed);
        let unlisted = unlisted.filter_map(|one| Some((one.name.clone(), one.search.clone()?)));
        let runs = self.behind.as_ref().unwrap_or(&self.sources);
        unlisted.chain(Found::of(runs).failed()).collect()
    }

    /// Takes in what the boot has found, whatever of the files the machine runs; whether that is
    /// another by now.
    pub fn learn(&mut self, looked: &[Looked]) -> bool {
        let mut changed = false;
        let others = self.behind.iter_mut().chain(&mut self.before_trial);
        for sources in others.chain([&mut self.sources]) {
            let mut found = Found::of(sources);
            let before = found.clone();
            learn(&mut found, looked);
            changed |= found != before;
            config::put(&found, sources);
        }
        changed
    }

    /// What the machine runs, and whether it follows what was read last.
    pub fn running(&self) -> (Rc<SystemSpec>, bool) {
        let runs = self.behind.as_ref().filter(|_| self.broken).unwrap_or(&self.sources);
        let spec = config::parse(runs).spec;
        let spec = if self.login { with_login(spec) } else { with_rescue(spec) };
        (Rc::new(spec), self.followed || self.broken)
    }
}

/// Where the templates of files say that their instances are.
fn searches(sources: &[Source]) -> impl Iterator<Item = (String, Search)> {
    let templates = config::parse(&files(sources).cloned().collect::<Vec<_>>()).spec.templates;
    templates.into_iter().filter_map(|one| Some((one.name, one.search?)))
}

fn learn(found: &mut Found, looked: &[Looked]) {
    for Looked { template, search, answer } in looked {
        found.learn(template, search, answer);
    }
}
