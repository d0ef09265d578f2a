//! What was found on the machine beside what files say: with which instances a file is read, and
//! where is still to be looked for them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::logins::{with_login, with_rescue};
use super::{Configuration, files};
use crate::config::spec::{Search, SystemSpec, TemplateSpec};
use crate::config::{self, Disk, Found, Loaded, Source};
use crate::driver::searches::Looked;

impl Configuration {
    /// What the file says by now, with what is known of instances.
    pub fn load(&self, looked: &[Looked]) -> Loaded {
        let mut found = Found::of(self.behind.as_ref().unwrap_or(&self.sources));
        found.extend(Found::of(&self.sources));
        config::load_with(&self.path, &Disk, |files| {
            learn(&mut found, looked, files);
            found
        })
    }

    /// The templates of a file whose instances are to be found, those among them that are left
    /// out since nothing could be found.
    pub fn sought(&self, loaded: &Loaded) -> Vec<TemplateSpec> {
        if Found::of(&loaded.sources).is_complete() {
            return loaded.spec.templates.clone();
        }
        templates(&loaded.sources)
    }

    /// Where the boot looks for instances: wherever what runs has any, and what the machine may go
    /// back to. What somebody has found before that says little, since file systems may have been
    /// mounted since.
    pub fn all_sought(&self) -> Vec<(String, Search)> {
        let before = self.before_trial.iter().flat_map(|sources| searches(sources));
        let mut sought: Vec<(String, Search)> = searches(self.runs()).collect();
        for one in before {
            if !sought.contains(&one) {
                sought.push(one);
            }
        }
        sought
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
            learn(&mut found, looked, sources);
            changed |= found != before;
            config::put(&found, sources);
        }
        changed
    }

    /// What the machine runs, and whether it follows what was read last.
    pub fn running(&self) -> (Rc<SystemSpec>, bool) {
        let spec = config::parse(self.runs()).spec;
        let spec = if self.login { with_login(spec) } else { with_rescue(spec) };
        (Rc::new(spec), self.followed || self.broken)
    }

    /// The sources of what the machine runs: those that were read last, unless they are broken.
    fn runs(&self) -> &[Source] {
        self.behind.as_ref().filter(|_| self.broken).unwrap_or(&self.sources)
    }
}

/// The templates of files, whatever was found for them.
fn templates(sources: &[Source]) -> Vec<TemplateSpec> {
    config::parse(&files(sources).cloned().collect::<Vec<_>>()).spec.templates
}

/// Where the templates of files say that their instances are.
fn searches(sources: &[Source]) -> impl Iterator<Item = (String, Search)> {
    templates(sources).into_iter().filter_map(|one| Some((one.name, one.search?)))
}

/// Takes in what was found where the templates of these sources look, and nothing of what another
/// file has.
fn learn(found: &mut Found, looked: &[Looked], sources: &[Source]) {
    if found.is_empty() && looked.is_empty() {
        return;
    }
    let searches: BTreeMap<String, Search> = searches(sources).collect();
    found.retain(|template| searches.contains_key(template));
    for Looked { template, search, answer } in looked {
        if searches.get(template) == Some(search) {
            found.learn(template, search, answer);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::spec::{Listing, Look};

    fn looked(folder: &str, instance: &str) -> Looked {
        let look = Look::Glob { pattern: format!("/{folder}/*"), name: "$1".to_owned() };
        let listing = Listing { instances: vec![instance.to_owned()], notes: Vec::new() };
        let search = Search { look, timeout: std::time::Duration::from_secs(10) };
        Looked { template: "t".to_owned(), search, answer: Ok(listing) }
    }

    fn instances(spec: &SystemSpec) -> Vec<&str> {
        let names = spec.services.iter().map(|service| service.name.as_str());
        names.filter(|name| name.starts_with("t@")).collect()
    }

    #[test]
    fn what_is_found_for_an_edited_file_says_nothing_of_what_runs() {
        let path = std::env::temp_dir().join(format!("finit-found-{}.toml", std::process::id()));
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let says = |folder: &str| {
            write(&format!("[service.t]\ncommand = \"/x\"\ninstances.glob = \"/{folder}/*\"\n"));
        };
        says("a");
        let mut configuration = Configuration::boot(&path).configuration;
        assert!(configuration.learn(&[looked("a", "x")]));
        says("b");
        for looks in [["a", "b"], ["b", "a"]] {
            let looks = looks.map(|folder| looked(folder, if folder == "a" { "x" } else { "y" }));
            assert!(!configuration.learn(&looks));
            assert_eq!(instances(&configuration.running().0), ["t@x"]);
            assert_eq!(instances(&configuration.load(&looks).spec), ["t@y"]);
        }
        // Nobody has confirmed the other one: what it is gone back from is looked at too.
        says("a");
        let mut configuration = Configuration::boot(&path).configuration;
        says("b");
        let loaded = configuration.load(&[looked("b", "y")]);
        configuration.reread(loaded).unwrap();
        configuration.try_out();
        let sought = configuration.all_sought();
        let looks = ["b", "a"].map(|folder| looked(folder, folder));
        assert_eq!(sought, looks.each_ref().map(|one| (one.template.clone(), one.search.clone())));
        assert!(configuration.learn(&looks));
        assert_eq!(instances(&configuration.running().0), ["t@b"]);
        assert_eq!(instances(&configuration.go_back()), ["t@a"]);
        write("[service.other]\ncommand = \"/x\"\n");
        let without = configuration.load(&[looked("b", "y")]);
        std::fs::remove_file(&path).unwrap();
        assert!(Found::of(&without.sources).is_empty());
    }
}
