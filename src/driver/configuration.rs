//! The file: found, read, read again when somebody changed it, and what boots without it.
//!
//! Reading it is the one disk access of the loop: small files, bounded, on the root.

mod found;
mod logins;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::config::spec::SystemSpec;
use crate::config::{self, Disk, Loaded, Source};
use crate::proto::{Code, Refusal};

pub use logins::rescue;
use logins::{with_login, with_rescue};

use super::lastgood::{self, Good};

/// Whoever logs in is in here.
const USERS: &str = "/etc/passwd";

/// Where it is without another word.
pub const FILE: &str = "/etc/finit.toml";

/// The file as it was last read with success, and how it stands to the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Configuration {
    path: PathBuf,
    sources: Vec<Source>,
    /// Whether what was read last could not be run: the machine runs what is behind in its place.
    /// Not all mistakes are in the sources; a file that cannot be read is none of them.
    #[serde(default)]
    broken: bool,
    /// Whether the machine runs what was read last: a mere look at definitions is no following.
    followed: bool,
    /// Whether the machine runs a file that is not kept yet as the last good copy.
    unkept: bool,
    /// What the machine runs, where that is not what was read last.
    #[serde(default)]
    behind: Option<Vec<Source>>,
    /// What the machine goes back to when nobody confirms the file on trial.
    #[serde(default)]
    before_trial: Option<Vec<Source>>,
    /// Whether that, or what runs, is what was good at the boot with the built-in login beside it.
    #[serde(default)]
    login: bool,
    /// What was read last when nobody had confirmed it.
    #[serde(default)]
    unconfirmed: Option<Vec<Source>>,
}

/// What is found when the file is read for the start of a service.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// What is known.
    Same,
    /// Other definitions.
    Other {
        /// Them.
        spec: Rc<SystemSpec>,
        /// Whether a file was edited; else other instances were found.
        edited: bool,
    },
    /// What nobody confirmed when it was on trial.
    Unconfirmed,
    /// What was broken at the boot, too: the machine runs without it.
    Broken,
}

/// What a machine boots with.
#[derive(Debug)]
pub struct Booted {
    /// For later.
    pub configuration: Configuration,
    /// The definitions.
    pub spec: SystemSpec,
    /// What a person must know.
    pub warnings: Vec<String>,
}

impl Configuration {
    /// Finds something to boot with, whatever the file looks like: itself, else the last good
    /// copy, else what is good in it with a login on the console beside it.
    pub fn boot(path: &Path) -> Booted {
        Self::booted(path, config::load(path, &Disk))
    }

    /// The file that describes the machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the machine runs what was read last.
    pub fn is_followed(&self) -> bool {
        self.followed
    }

    /// What another finit has read and run, whatever the file looks like by now.
    pub fn resume(self) -> (Self, SystemSpec) {
        let read = config::parse(&self.sources);
        let went_back = self.behind.is_none() && self.before_trial.is_none();
        // An older finit has not said that it was broken.
        let broken = self.broken || read.is_broken();
        let spec = match self.behind.as_ref().filter(|_| broken) {
            Some(behind) => config::parse(behind).spec,
            None => read.spec,
        };
        let spec = match self.login && (broken || went_back) {
            true => with_login(spec),
            false => with_rescue(spec),
        };
        // An older finit keeps the copy of another file than the usual one where this one does not
        // look.
        let unkept = self.unkept || self.followed && self.path != Path::new(FILE);
        (Self { unkept, ..self }, spec)
    }

    fn booted(path: &Path, loaded: Loaded) -> Booted {
        let errors = loaded.errors();
        let missing = loaded.sources.is_empty();
        let good = !loaded.is_broken() && !missing;
        let sources = loaded.sources.clone();
        let mut configuration = Self {
            path: path.to_owned(),
            sources,
            broken: !good,
            followed: good,
            unkept: good,
            behind: None,
            before_trial: None,
            login: false,
            unconfirmed: None,
        };
        if good {
            let spec = with_rescue(loaded.spec);
            return Booted { configuration, spec, warnings: Vec::new() };
        }
        let count = errors.len();
        let what = if missing {
            format!("{} could not be read: {}", path.display(), errors.join("; "))
        } else {
            let first = errors.first().cloned().unwrap_or_default();
            format!("{} has {count} error(s), see `finitctl check`\n{first}", path.display())
        };
        let copy = lastgood::copy_of(path);
        let last = config::load(&copy, &Disk);
        // Without users its logins let nobody in; the built-in one is a shell then.
        let has_users = Path::new(USERS).exists();
        if !last.is_broken() && !last.spec.services.is_empty() && has_users {
            let warnings =
                vec![what, format!("booted from the last good copy, {}", copy.display())];
            configuration.behind = Some(last.sources);
            return Booted { configuration, spec: with_rescue(last.spec), warnings };
        }
        configuration.behind = Some(configuration.sources.clone());
        configuration.login = true;
        let spec = with_login(loaded.spec);
        let warnings = vec![what, "booted with the built-in login on the console".to_owned()];
        Booted { configuration, spec, warnings }
    }

    /// The machine is made to match what was read last.
    pub fn follow(&mut self) {
        self.unkept |= !self.followed;
        self.followed = true;
        (self.behind, self.before_trial, self.unconfirmed) = (None, None, None);
        self.login = false;
    }

    /// The same on trial: what ran before is kept.
    pub fn try_out(&mut self) {
        let before = self.behind.take().unwrap_or_else(|| self.sources.clone());
        let login = self.login;
        self.follow();
        (self.before_trial, self.login) = (Some(before), login);
    }

    /// What is on trial stays.
    pub fn keep(&mut self) {
        (self.before_trial, self.login) = (None, false);
    }

    /// Nobody confirmed what is on trial: the machine runs again what it ran before.
    pub fn go_back(&mut self) -> Rc<SystemSpec> {
        let before = self.before_trial.take().unwrap_or_else(|| self.sources.clone());
        let spec = config::parse(&before).spec;
        let spec = if self.login { with_login(spec) } else { with_rescue(spec) };
        self.unconfirmed = Some(std::mem::replace(&mut self.sources, before));
        self.behind = None;
        // The file on the disk is the one that nobody confirmed.
        (self.followed, self.unkept) = (true, false);
        Rc::new(spec)
    }

    /// What a last good copy is to be made of, told once: the machine came up with it, or took it
    /// over since for good, and has not read another one by now.
    pub fn take_unkept(&mut self) -> Option<Good> {
        let keeps =
            self.followed && self.before_trial.is_none() && std::mem::take(&mut self.unkept);
        // What is found is looked for at each boot.
        let sources = || files(&self.sources).cloned().collect();
        keeps.then(|| Good { main: self.path.clone(), sources: sources() })
    }

    /// What is read, for a look at it.
    ///
    /// # Errors
    /// All its errors, as the client shows them.
    pub fn look(&self, loaded: Loaded) -> Result<Rc<SystemSpec>, Refusal> {
        Ok(Rc::new(with_rescue(good(loaded)?.spec)))
    }

    /// Takes what was read again, if it is not what it was. Nothing changes when it has errors.
    ///
    /// # Errors
    /// All its errors, as the client shows them.
    pub fn reread(&mut self, loaded: Loaded) -> Result<Option<Rc<SystemSpec>>, Refusal> {
        let loaded = good(loaded)?;
        Ok(self.take(loaded))
    }

    /// The same for the start of a service, which never takes anything of a file that nobody
    /// confirmed: only a person who applies it again does.
    ///
    /// # Errors
    /// All its errors, as the client shows them.
    pub fn reread_definitions(&mut self, loaded: Loaded) -> Result<Found, Refusal> {
        let is_same = files(&loaded.sources).eq(files(&self.sources));
        if self.broken && loaded.is_broken() && is_same {
            return Ok(Found::Broken);
        }
        let edited = !is_same || self.broken;
        let loaded = good(loaded)?;
        let unconfirmed = self.unconfirmed.as_ref();
        if unconfirmed.is_some_and(|known| files(known).eq(files(&loaded.sources))) {
            return Ok(Found::Unconfirmed);
        }
        Ok(self.take(loaded).map_or(Found::Same, |spec| Found::Other { spec, edited }))
    }

    fn take(&mut self, loaded: Loaded) -> Option<Rc<SystemSpec>> {
        // What was mended may be a file that could not be read.
        if loaded.sources == self.sources && !self.broken {
            return None;
        }
        self.broken = false;
        let old = std::mem::replace(&mut self.sources, loaded.sources);
        if std::mem::take(&mut self.followed) {
            self.behind = Some(old);
        }
        Some(Rc::new(with_rescue(loaded.spec)))
    }
}

/// The files among sources.
fn files(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| !source.is_found())
}

fn good(loaded: Loaded) -> Result<Loaded, Refusal> {
    if loaded.is_broken() {
        let text = loaded.errors().join("\n");
        return Err(Refusal::new(Code::BrokenConfig, text)
            .hint("nothing was changed; mend the file and try again"));
    }
    Ok(loaded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::logins::RESCUE;
    use super::*;

    /// A file of its own for one test, gone with it.
    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            let name = format!("finit-{name}-{}.toml", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn says(&self, services: &str) -> &Path {
            let services = services.split_whitespace();
            let text = services.map(|name| format!("[service.{name}]\ncommand = \"/x\"\n"));
            std::fs::write(&self.0, text.collect::<String>()).unwrap();
            &self.0
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn reread(configuration: &mut Configuration) -> Result<Option<Rc<SystemSpec>>, Refusal> {
        let loaded = configuration.load(&[]);
        configuration.reread(loaded)
    }

    fn definitions(configuration: &mut Configuration) -> Result<Found, Refusal> {
        let loaded = configuration.load(&[]);
        configuration.reread_definitions(loaded)
    }

    #[test]
    fn the_file_that_a_machine_came_up_with_is_kept_once() {
        let file = File::new("came-up");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        assert_eq!([(); 2].map(|()| is_kept(&mut configuration)), [true, false]);
        // Read, followed, and still the same.
        assert!(reread(&mut configuration).unwrap().is_none());
        configuration.follow();
        assert!(!is_kept(&mut configuration));
    }

    /// An older finit had kept it elsewhere.
    #[test]
    fn a_file_with_a_place_of_its_own_is_kept_once_more_by_the_next_finit() {
        let file = File::new("elsewhere");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        assert!(is_kept(&mut configuration));
        let (mut configuration, _) = configuration.resume();
        assert_eq!([(); 2].map(|()| is_kept(&mut configuration)), [true, false]);
        file.says("a b");
        assert!(reread(&mut configuration).unwrap().is_some());
        assert!(!is_kept(&mut configuration.resume().0));
        let usual = Loaded { sources: Vec::new(), ..config::load(&file.0, &Disk) };
        let mut usual = Configuration::booted(Path::new(FILE), usual).configuration;
        (usual.followed, usual.unkept) = (true, false);
        assert!(!is_kept(&mut usual.resume().0));
    }

    #[test]
    fn what_was_only_looked_at_is_kept_once_it_is_followed() {
        let file = File::new("looked-at");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        file.says("a b");
        assert!(reread(&mut configuration).unwrap().is_some());
        // The boot's own file is not there any more, and the new one is no good one yet.
        assert!(!is_kept(&mut configuration));
        configuration.follow();
        assert_eq!([(); 2].map(|()| is_kept(&mut configuration)), [true, false]);
    }

    #[test]
    fn a_broken_edit_changes_nothing() {
        let file = File::new("broken");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        assert!(is_kept(&mut configuration));
        std::fs::write(&file.0, "[service.a]\ncomand = 1\n").unwrap();
        assert_eq!(reread(&mut configuration).unwrap_err().code, Code::BrokenConfig);
        configuration.follow();
        assert!(!is_kept(&mut configuration));
    }

    #[test]
    fn a_file_on_trial_is_no_last_good_copy_until_it_is_confirmed() {
        let file = File::new("trial");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        assert!(is_kept(&mut configuration));
        for is_confirmed in [false, true] {
            file.says("a b");
            assert!(reread(&mut configuration).unwrap().is_some());
            configuration.try_out();
            assert!(!is_kept(&mut configuration));
            if is_confirmed {
                configuration.keep();
            } else {
                assert_eq!(names(&configuration.go_back()), ["a", RESCUE]);
            }
            assert_eq!(is_kept(&mut configuration), is_confirmed);
        }
    }

    #[test]
    fn what_is_kept_is_what_runs_whatever_is_on_the_disk_by_now() {
        let file = File::new("edited");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        let text = |file: &File| std::fs::read_to_string(&file.0).unwrap();
        let kept = |configuration: &mut Configuration| {
            let mut good = configuration.take_unkept().unwrap();
            assert_eq!((good.main, good.sources.len()), (configuration.path.clone(), 1));
            good.sources.remove(0).text
        };
        let booted = text(&file);
        file.says("a b");
        assert_eq!(kept(&mut configuration), booted);
        assert!(reread(&mut configuration).unwrap().is_some());
        configuration.try_out();
        let tried = text(&file);
        file.says("a b c");
        configuration.keep();
        assert_eq!(kept(&mut configuration), tried);
    }

    #[test]
    fn what_nobody_confirmed_is_only_read_to_be_applied() {
        let file = File::new("unconfirmed");
        let mut configuration = Configuration::boot(file.says("a")).configuration;
        file.says("a b");
        assert!(matches!(
            definitions(&mut configuration).unwrap(),
            Found::Other { edited: true, .. }
        ));
        configuration.try_out();
        // Looked at meanwhile: still no way back to it.
        file.says("a b c");
        assert!(matches!(
            definitions(&mut configuration).unwrap(),
            Found::Other { edited: true, .. }
        ));
        assert_eq!(names(&configuration.go_back()), ["a", RESCUE]);
        assert_eq!(definitions(&mut configuration).unwrap(), Found::Unconfirmed);
        assert_eq!(names(&reread(&mut configuration).unwrap().unwrap()), ["a", "b", "c", RESCUE]);
        configuration.follow();
        assert!(is_kept(&mut configuration));
    }

    #[test]
    fn the_way_back_from_a_first_good_file_is_the_login() {
        let file = File::new("first-good");
        // The last one has its mistake where only the reader of files sees it.
        for bytes in [b"[service.a]\ncomand = 1\n".as_slice(), b"", b"# \xff"] {
            std::fs::write(&file.0, bytes).unwrap();
            if bytes.is_empty() {
                std::fs::remove_file(&file.0).unwrap();
            }
            let booted = Configuration::boot(&file.0);
            let mut configuration = booted.configuration;
            assert_eq!(definitions(&mut configuration).unwrap(), Found::Broken);
            assert_eq!(reread(&mut configuration).unwrap_err().code, Code::BrokenConfig);
            file.says("a");
            assert!(matches!(
                definitions(&mut configuration).unwrap(),
                Found::Other { edited: true, .. }
            ));
            configuration.try_out();
            assert_eq!(*configuration.go_back(), booted.spec);
            // And so again, once it is gone back to.
            assert!(reread(&mut configuration).unwrap().is_some());
            configuration.try_out();
            assert_eq!(*configuration.go_back(), booted.spec);
        }
    }

    #[test]
    fn another_finit_goes_on_with_the_login_that_the_boot_had_added() {
        let file = File::new("resumed");
        // Only the reader of files sees this mistake: what was read is good without it.
        let folder = file.0.with_extension("toml.d");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("x.toml"), b"# \xff").unwrap();
        let booted = Configuration::boot(file.says("a"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_ne!(names(&booted.spec), ["a", RESCUE]);
        let (mut configuration, spec) = booted.configuration.resume();
        assert_eq!(spec, booted.spec);
        // Mended by now, and only looked at, then on trial, and gone back from.
        assert!(matches!(
            definitions(&mut configuration).unwrap(),
            Found::Other { edited: true, .. }
        ));
        let (mut configuration, spec) = configuration.resume();
        assert_eq!(names(&spec), ["a", RESCUE]);
        configuration.try_out();
        let (mut configuration, spec) = configuration.resume();
        assert_eq!(names(&spec), ["a", RESCUE]);
        assert_eq!(*configuration.go_back(), booted.spec);
        let (mut configuration, spec) = configuration.resume();
        assert_eq!(spec, booted.spec);
        reread(&mut configuration).unwrap();
        configuration.follow();
        assert_eq!(names(&configuration.resume().1), ["a", RESCUE]);
    }

    fn is_kept(configuration: &mut Configuration) -> bool {
        configuration.take_unkept().is_some()
    }

    fn names(spec: &SystemSpec) -> Vec<&str> {
        spec.services.iter().map(|service| service.name.as_str()).collect()
    }
}
