//! Instances that were found on the machine, as one more source beside the files: whoever
//! compares, keeps, tries or hands on what files say does the same with what was found, and
//! reading it all stays pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{Source, quoted};
use super::spec::{Listing, Search};
use super::values;

/// The name of that source; no file has it.
const FOUND: &str = "/run/finitd/found";
/// Most instances of one template.
const INSTANCES_MAX: usize = 1024;
/// Most that is said about instances one by one.
const NOTES: usize = 5;

/// What was found for each template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found(BTreeMap<String, Known>);

/// What is known of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Where was looked.
    pub search: Search,
    /// What was found; none where no look has come to anything.
    pub listing: Option<Listing>,
    /// Why the last look came to nothing; what was found before counts still.
    pub failed: Option<String>,
}

impl Found {
    /// What these sources have of it.
    pub fn of(sources: &[Source]) -> Self {
        let own = sources.iter().filter(|source| source.is_found());
        // What cannot be read was written by another finit, and is looked for again.
        own.filter_map(|source| serde_json::from_str(&source.text).ok())
            .next_back()
            .unwrap_or_default()
    }

    /// Whether nothing was looked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same as a source; none where nothing was looked for.
    pub fn source(&self) -> Option<Source> {
        let text = serde_json::to_string(self).ok().filter(|_| !self.is_empty())?;
        Some(Source::new(FOUND, text))
    }

    /// What is known of that template, if it was looked for where it says.
    pub fn get(&self, template: &str, search: &Search) -> Option<&Known> {
        self.0.get(template).filter(|known| known.search == *search)
    }

    /// Takes in a look at a template. One that has failed leaves what is known, be it from
    /// another place.
    pub fn learn(&mut self, template: &str, search: &Search, looked: &Result<Listing, String>) {
        let before = self.0.get(template).and_then(|known| known.listing.clone());
        let (listing, failed) = match looked {
            Ok(listing) => (Some(listing.clone()), None),
            Err(why) => (before, Some(why.clone())),
        };
        self.0.insert(template.to_owned(), Known { search: search.clone(), listing, failed });
    }

    /// Forgets templates that are none any more.
    pub fn retain(&mut self, is_template: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_template(name));
    }

    /// Whether something is known of each template that was looked for.
    pub fn is_complete(&self) -> bool {
        self.0.values().all(|known| known.listing.is_some())
    }

    /// Where a look has failed, and for which template.
    pub fn failed(&self) -> impl Iterator<Item = (String, Search)> {
        let failed = self.0.iter().filter(|(_, known)| known.failed.is_some());
        failed.map(|(name, known)| (name.clone(), known.search.clone()))
    }

    /// Takes in what another knows; what that knows counts.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Puts it into sources, in the place of what they had of it.
pub fn put(found: &Found, into: &mut Vec<Source>) {
    into.retain(|source| !source.is_found());
    into.extend(found.source());
}

impl Source {
    /// Whether it is no file, but what was found on the machine.
    pub fn is_found(&self) -> bool {
        self.path == Path::new(FOUND)
    }
}

impl Listing {
    /// A listing of these names, each with what it was made of: names that are none, and those
    /// that are there already, are left out.
    pub fn of(names: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut listing = Self::default();
        let mut seen = BTreeSet::new();
        for (name, from) in names {
            let why = match values::name(&name) {
                Err(problem) => problem.message,
                Ok(_) if listing.instances.len() >= INSTANCES_MAX => {
                    format!("there are {INSTANCES_MAX} others")
                }
                Ok(_) if seen.insert(name.clone()) => {
                    listing.instances.push(name);
                    continue;
                }
                Ok(_) => format!("the instance {} is there already", quoted(&name)),
            };
            listing.notes.push(format!("{} is left out: {why}", quoted(&from)));
        }
        listing.notes = bounded(listing.notes);
        listing
    }
}

/// What is said about instances one by one, with a bound.
pub(super) fn bounded(mut notes: Vec<String>) -> Vec<String> {
    let unsaid = notes.len().saturating_sub(NOTES);
    notes.truncate(NOTES);
    notes.extend((unsaid > 0).then(|| format!("{unsaid} more are left out")));
    notes
}

/// The name of an instance: `$1` is what the first wildcard stands for.
pub(super) fn name_of(name: &str, caught: &[String]) -> String {
    let mut parts = name.split('$');
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.chars().next().and_then(|c| c.to_digit(10));
        let place = number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
        let stands = place.and_then(|place| caught.get(place));
        made.push_str(stands.map_or("", String::as_str));
        made.push_str(part.get(1..).unwrap_or_default());
    }
    made
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::super::spec::Look;
    use super::*;

    fn search(pattern: &str) -> Search {
        let look = Look::Glob { pattern: pattern.to_owned(), name: "$1".to_owned() };
        Search { look, timeout: Duration::from_secs(1) }
    }

    fn listing(names: &[&str]) -> Listing {
        Listing::of(names.iter().map(|name| ((*name).to_owned(), format!("/{name}"))))
    }

    #[test]
    fn names_that_are_none_or_there_already_are_left_out_and_told() {
        let found = listing(&["a", "b c", "a", ""]);
        assert_eq!(found.instances, ["a"]);
        let [space, twice, empty] = &found.notes[..] else { panic!("{:?}", found.notes) };
        assert!(space.starts_with("`/b c` is left out: ` ` cannot stand"), "{space}");
        assert_eq!(twice, "`/a` is left out: the instance `a` is there already");
        assert_eq!(empty, "`/` is left out: a name cannot be empty");
        let many: Vec<String> = (0..INSTANCES_MAX + 9).map(|number| number.to_string()).collect();
        let found = listing(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((found.instances.len(), found.notes.len()), (INSTANCES_MAX, NOTES + 1));
        assert_eq!(found.notes.last().unwrap(), "4 more are left out");
    }

    #[test]
    fn an_instance_is_named_after_what_wildcards_stand_for() {
        let caught = ["15".to_owned(), "main".to_owned()];
        for (name, made) in [("$1-$2", "15-main"), ("$2", "main"), ("db.$1.x$2y", "db.15.xmainy")] {
            assert_eq!(name_of(name, &caught), made);
        }
    }

    #[test]
    fn a_look_that_came_to_nothing_leaves_what_is_known() {
        let mut found = Found::default();
        assert_eq!(found.source(), None);
        found.learn("t", &search("/a/*"), &Err("no".to_owned()));
        let known = found.get("t", &search("/a/*")).unwrap();
        assert_eq!((&known.listing, known.failed.as_deref()), (&None, Some("no")));
        found.learn("t", &search("/a/*"), &Ok(listing(&["x"])));
        found.learn("t", &search("/b/*"), &Err("no".to_owned()));
        assert_eq!(found.get("t", &search("/a/*")), None);
        let known = found.get("t", &search("/b/*")).unwrap();
        assert_eq!(known.listing.as_ref().unwrap().instances, ["x"]);
        let mut sources = vec![Source::new("/etc/finit.toml", "")];
        put(&found, &mut sources);
        put(&found, &mut sources);
        assert_eq!((sources.len(), Found::of(&sources)), (2, found));
    }
}
