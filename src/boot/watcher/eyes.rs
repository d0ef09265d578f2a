//! What is seen of watched paths: what the kernel tells of them, compared with what they are.
//!
//! Watched are each folder on the way to a path and what it names. A path is looked at again
//! whenever one of these has happened, after the watching of all of it was brought up to date: so
//! nothing comes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::likeness::{Likeness, of_match};
use crate::boot::conditions::{glob, paths};
use crate::boot::way;
use crate::config::spec::{Sight, Trigger, Watched};
use crate::facts::Errno;
use crate::os::folders::{COMES, Folders, Happening};

/// What may happen to a folder on the way to a path.
const WAY: u32 = COMES | libc::IN_DELETE | libc::IN_MOVED_FROM;
/// What of a file is a change, as systemd.path(5) has it; of a folder, what of an entry is one.
const CHANGES: u32 = libc::IN_CLOSE_WRITE
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_DELETE_SELF
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_MOVE_SELF
    | libc::IN_ATTRIB;

/// Who looks at paths.
pub struct Eyes {
    paths: Vec<Watched>,
    folders: Option<Folders>,
    roles: BTreeMap<i32, Role>,
    /// What each path was like at the last look.
    seen: Vec<Likeness>,
    /// The same in numbers, for whoever looks next; of what holds or does not, nothing.
    marks: Vec<u64>,
    /// Of which paths the kernel tells everything.
    sure: Vec<bool>,
    /// What keeps it from telling; whether that was said.
    trouble: Option<String>,
    said: bool,
}

/// What a watched folder or file is watched for.
#[derive(Default)]
struct Role {
    /// The names in it that count.
    names: BTreeSet<OsString>,
    /// All of them do.
    whole: bool,
    /// The paths that name it.
    targets: BTreeSet<usize>,
}

impl Role {
    /// Whether something else may be on the way to a path by now.
    fn is_about(&self, name: Option<&OsStr>) -> bool {
        name.is_none_or(|name| self.whole || self.names.contains(name))
    }
}

impl Eyes {
    /// Closed ones.
    pub fn new(paths: Vec<Watched>) -> Self {
        let (folders, trouble) = match Folders::new() {
            Ok(folders) => (Some(folders), None),
            Err(errno) => (None, Some(trouble("its paths", errno))),
        };
        let (roles, seen, marks, sure) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        Self { paths, folders, roles, seen, marks, sure, trouble, said: false }
    }

    /// Begins to watch. What is otherwise than it was has changed.
    pub fn open(&mut self, before: &[u64]) -> Vec<Sight> {
        self.review(&BTreeSet::new(), false);
        let known = before.len() == self.marks.len();
        let pairs = before.iter().zip(&self.marks);
        let differs = pairs.enumerate().filter(|(_, (was, is))| known && was != is);
        let first = differs.map(|(index, _)| index).next();
        first.and_then(|index| self.change(index)).into_iter().chain(self.what_holds()).collect()
    }

    /// What they are like.
    pub fn marks(&self) -> &[u64] {
        &self.marks
    }

    /// Whether the kernel tells of everything.
    pub fn are_sure(&self) -> bool {
        self.sure.iter().all(|sure| *sure)
    }

    /// By which it tells.
    pub fn ears(&self) -> Option<BorrowedFd<'_>> {
        self.folders.as_ref().map(|folders| folders.as_fd())
    }

    /// What keeps it from that, once.
    pub fn trouble(&mut self) -> Option<String> {
        let news = self.trouble.clone().filter(|_| !self.said);
        self.said |= news.is_some();
        news
    }

    /// The first that holds.
    pub fn what_holds(&self) -> Option<Sight> {
        self.paths.iter().find_map(|Watched { trigger, path }| {
            let name = Path::new(path);
            let (trigger, path) = (*trigger, path.clone());
            let holds = |seen: bool| {
                let mark = Likeness::of(name).of_content;
                seen.then_some(Sight { trigger, path, mark })
            };
            match trigger {
                Trigger::Changed | Trigger::Modified => None,
                Trigger::Exists => holds(paths::is_there(name)),
                Trigger::NotEmpty => holds(paths::not_empty(name).is_ok_and(|(yes, _)| yes)),
                Trigger::Glob => {
                    let found = glob::first_match(name).ok().flatten()?;
                    let mark = of_match(&found);
                    Some(Sight { trigger, path: found.display().to_string(), mark })
                }
            }
        })
    }

    /// What the kernel has told since.
    pub fn take_in(&mut self) -> Vec<Sight> {
        let happenings = self.folders.as_ref().map(Folders::read).unwrap_or_default();
        let mut hit = BTreeSet::new();
        let (mut concerns, mut lost) = (false, false);
        for Happening { id, events, name } in happenings {
            lost |= events & libc::IN_Q_OVERFLOW != 0;
            let Some(role) = self.roles.get(&id) else { continue };
            concerns |= role.is_about(name.as_deref());
            let counts = |index: &&usize| {
                let watched = self.paths.get(**index);
                watched.is_some_and(|w| events & of_target(w.trigger, name.is_some()) != 0)
            };
            hit.extend(role.targets.iter().filter(counts).copied());
        }
        if !(concerns || lost) && hit.is_empty() {
            return Vec::new();
        }
        let change = self.review(&hit, lost);
        change.into_iter().chain(self.what_holds()).collect()
    }

    /// What may have happened without a word.
    pub fn look_again(&mut self) -> Vec<Sight> {
        let change = self.review(&BTreeSet::new(), false);
        change.into_iter().chain(self.what_holds()).collect()
    }

    /// Looks at all of it again. Those that were hit have changed, and those that are another file
    /// now; where not all was told, also those that are otherwise. The answer is the first.
    fn review(&mut self, hit: &BTreeSet<usize>, lost: bool) -> Option<Sight> {
        self.arm();
        let seen: Vec<_> =
            self.paths.iter().map(|watched| Likeness::of(Path::new(&watched.path))).collect();
        let before = std::mem::replace(&mut self.seen, seen);
        let mark = |(watched, seen): (&Watched, &Likeness)| match watched.trigger.is_level() {
            true => 0,
            false => seen.of_all,
        };
        self.marks = self.paths.iter().zip(&self.seen).map(mark).collect();
        let differs = |(index, (was, is)): (usize, (&Likeness, &Likeness))| {
            let told = !lost && self.sure.get(index) == Some(&true);
            let changed = was.place != is.place || !told && was.of_all != is.of_all;
            (changed || hit.contains(&index)).then_some(index)
        };
        let mut changed = before.iter().zip(&self.seen).enumerate().filter_map(differs);
        changed.find_map(|index| self.change(index))
    }

    /// A change of that path, if it is watched for one.
    fn change(&self, index: usize) -> Option<Sight> {
        let Watched { trigger, path } = self.paths.get(index)?;
        let mark = self.marks.get(index).copied().unwrap_or_default();
        let sight = Sight { trigger: *trigger, path: path.clone(), mark };
        (!trigger.is_level()).then_some(sight)
    }

    /// Brings what is watched up to date.
    fn arm(&mut self) {
        let mut arms =
            Arms { folders: self.folders.as_ref(), roles: BTreeMap::new(), trouble: None };
        let each = self.paths.iter().enumerate();
        self.sure = each.map(|(index, watched)| arms.path(index, watched)).collect();
        let Arms { roles, trouble, .. } = arms;
        self.trouble = self.trouble.take().or(trouble);
        let before = std::mem::replace(&mut self.roles, roles);
        let gone = before.keys().filter(|id| !self.roles.contains_key(id));
        if let Some(folders) = &self.folders {
            gone.for_each(|id| folders.remove(*id));
        }
    }
}

/// What is being watched anew.
struct Arms<'a> {
    folders: Option<&'a Folders>,
    roles: BTreeMap<i32, Role>,
    trouble: Option<String>,
}

impl Arms<'_> {
    /// Watches all that can happen to a path. False if something may that nobody tells.
    fn path(&mut self, index: usize, watched: &Watched) -> bool {
        let path = Path::new(&watched.path);
        if watched.trigger == Trigger::Glob {
            let mut sure = true;
            let found = glob::first_match_by(path, &mut |folder, name| {
                let told = self.folder(folder, name.map(OsStr::new), name.is_none());
                sure &= told && !way::is_silent(folder);
            });
            return sure && found.is_ok();
        }
        if !way::follow(path, |folder, name| self.folder(folder, name, false)) {
            return false;
        }
        let events = of_target(watched.trigger, false);
        if events == 0 {
            return true;
        }
        let Some(role) = self.add(path, events) else { return true };
        match role {
            Ok(role) => role.targets.insert(index),
            Err(()) => return false,
        };
        true
    }

    /// Watches a folder on the way; what is not there, the one above it tells.
    fn folder(&mut self, folder: &Path, name: Option<&OsStr>, whole: bool) -> bool {
        let Some(role) = self.add(folder, WAY) else { return true };
        let Ok(role) = role else { return false };
        role.names.extend(name.map(OsStr::to_owned));
        role.whole |= whole;
        true
    }

    /// Watches a folder or file; nothing if it is not there, which the folder above will tell.
    fn add(&mut self, path: &Path, events: u32) -> Option<Result<&mut Role, ()>> {
        let Some(folders) = self.folders else { return Some(Err(())) };
        match folders.add(path, events) {
            Ok(id) => Some(Ok(self.roles.entry(id).or_default())),
            Err(Errno(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => None,
            Err(errno) => {
                let told = || trouble(&path.display().to_string(), errno);
                self.trouble.get_or_insert_with(told);
                Some(Err(()))
            }
        }
    }
}

/// What counts of what a path names; of an entry of that, not its attributes.
fn of_target(trigger: Trigger, entry: bool) -> u32 {
    let changes = if entry { CHANGES & !libc::IN_ATTRIB } else { CHANGES };
    match trigger {
        Trigger::Changed => changes,
        Trigger::Modified | Trigger::NotEmpty => changes | libc::IN_MODIFY,
        // The folders on the way tell.
        Trigger::Exists | Trigger::Glob => 0,
    }
}

/// What to do where the kernel will not tell.
fn trouble(what: &str, errno: Errno) -> String {
    let mend = match errno {
        Errno(libc::ENOSPC) => "raise fs.inotify.max_user_watches with `boot.sysctl`; ",
        Errno(libc::EMFILE) => "raise fs.inotify.max_user_instances with `boot.sysctl`; ",
        _ => "",
    };
    format!("watching {what}: {errno}; {mend}until then it is looked at every 2 s")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own for one test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("finit-eyes-{name}-{}", std::process::id()));
        let _none = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn eyes(path: &Path, trigger: Trigger) -> Eyes {
        Eyes::new(vec![Watched { trigger, path: path.display().to_string() }])
    }

    /// What is seen, in words without the folder.
    fn words(folder: &Path, sights: &[Sight]) -> Vec<String> {
        let folder = format!("{}/", folder.display());
        sights.iter().map(|sight| sight.to_string().replace(&folder, "")).collect()
    }

    /// ENOSPC, EMFILE: the kernel tells nothing.
    #[test]
    fn without_ears_it_looks_and_says_what_to_do() {
        let folder = folder("deaf");
        let path = folder.join("file");
        let mut eyes = eyes(&path, Trigger::Changed);
        eyes.folders = None;
        assert_eq!(eyes.open(&[]), []);
        assert!(!eyes.are_sure());
        assert_eq!(eyes.look_again(), []);
        for text in ["one", "three"] {
            fs::write(&path, text).unwrap();
            assert_eq!(words(&folder, &eyes.look_again()), ["path file changed"], "{text}");
            assert_eq!(eyes.look_again(), []);
        }
        eyes.trouble = Some(trouble("/x", Errno(libc::ENOSPC)));
        let said = eyes.trouble().expect("it is said");
        assert!(said.contains("raise fs.inotify.max_user_watches"), "{said}");
        assert_eq!(eyes.trouble(), None, "once");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// IN_Q_OVERFLOW: something was not told, so all is compared.
    #[test]
    fn what_the_kernel_forgot_to_tell_is_found() {
        let folder = folder("lost");
        let path = folder.join("file");
        fs::write(&path, "one").unwrap();
        let mut eyes = eyes(&path, Trigger::Changed);
        assert_eq!(eyes.open(&[]), []);
        assert!(eyes.are_sure());
        fs::write(&path, "three").unwrap();
        assert_eq!(eyes.review(&BTreeSet::new(), false), None, "it trusts the kernel");
        fs::write(&path, "fourteen").unwrap();
        let found = eyes.review(&BTreeSet::new(), true);
        assert_eq!(words(&folder, found.as_slice()), ["path file changed"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_otherwise_than_it_was_has_changed() {
        let folder = folder("before");
        let path = folder.join("file");
        fs::write(&path, "one").unwrap();
        let mut first = eyes(&path, Trigger::Modified);
        assert_eq!(first.open(&[]), []);
        assert_eq!(eyes(&path, Trigger::Modified).open(first.marks()), []);
        fs::remove_file(&path).unwrap();
        let found = eyes(&path, Trigger::Modified).open(first.marks());
        assert_eq!(words(&folder, &found), ["path file was modified"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    /// A file that comes and goes in a spool makes nothing else of what is in it.
    #[test]
    fn what_holds_is_the_same_until_something_of_it_changes() {
        let folder = folder("spool");
        let spool = folder.join("spool");
        let glob = folder.join("spool/*.job");
        fs::create_dir(&spool).unwrap();
        let mut eyes = [eyes(&spool, Trigger::NotEmpty), eyes(&glob, Trigger::Glob)];
        let mut look = || eyes.each_mut().map(|eyes| eyes.open(&[]).pop());
        assert_eq!(look(), [None, None]);
        fs::write(spool.join("1.job"), "").unwrap();
        let [spooled, matched] = look();
        assert!(spooled.is_some() && matched.is_some());
        fs::write(spool.join("lock"), "").unwrap();
        assert_ne!(look()[0], spooled);
        fs::remove_file(spool.join("lock")).unwrap();
        assert_eq!(look(), [spooled.clone(), matched.clone()]);
        fs::write(spool.join("1.job"), "more").unwrap();
        let later = look();
        assert!(later[0].is_some() && later[0] != spooled && later[1] != matched);
        fs::remove_dir_all(&folder).unwrap();
    }
}
