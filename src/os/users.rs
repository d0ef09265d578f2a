//! /etc/passwd and /etc/group, read by ourselves; passwd(5), group(5).
//!
//! The C library would ask a name service: load libraries into PID 1, or wait for a server
//! that is started later. Users of services are in the files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::fds;
use crate::facts::Errno;

/// The longest file that is read.
const FILE_MAX: usize = 4 << 20;
/// Groups of a user beyond this are left out; the kernel takes 65,536.
const GROUPS_MAX: usize = 1024;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name; empty for a bare number that has no entry.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// Its home directory; "/" for a bare number.
    pub home: PathBuf,
    /// Its shell; /bin/sh where none is named.
    pub shell: PathBuf,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name; empty for a bare number that has no entry.
    pub name: String,
    /// Its number.
    pub gid: u32,
}

/// Both files as they were at one moment. A start looks for one user in them: only the line that
/// fits becomes a [`User`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    passwd: Vec<u8>,
    group: Vec<u8>,
}

/// A line of passwd(5).
struct UserLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a [u8],
    shell: &'a [u8],
}

/// A line of group(5).
struct GroupLine<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl Accounts {
    /// Read both files. A group file that is missing means no groups. EFBIG, ENOENT.
    pub fn load() -> Result<Self, Errno> {
        let passwd = fds::read_small(Path::new("/etc/passwd"), FILE_MAX)?;
        let group = match fds::read_small(Path::new("/etc/group"), FILE_MAX) {
            Err(Errno(libc::ENOENT)) => Vec::new(),
            other => other?,
        };
        Ok(Self::new(passwd, group))
    }

    /// From the contents of both. Lines that are not entries are skipped.
    pub fn new(passwd: Vec<u8>, group: Vec<u8>) -> Self {
        Self { passwd, group }
    }

    /// By name, or by number in plain decimal. A number needs no entry; its group is then of
    /// the same number. None for a name without an entry and for anything malformed, such as
    /// "", "-1", "0x0" or 4294967295, which the kernel takes for "no change".
    pub fn user(&self, text: &str) -> Option<User> {
        let Some(uid) = number(text) else {
            return self.users().find(|user| user.name == text).map(UserLine::owned);
        };
        let nameless = UserLine { name: "", uid, gid: uid, home: b"", shell: b"" };
        Some(self.users().find(|user| user.uid == uid).unwrap_or(nameless).owned())
    }

    /// By name or number, in the same way.
    pub fn group(&self, text: &str) -> Option<Group> {
        let gid = number(text);
        let of_it = |group: &GroupLine<'_>| match gid {
            Some(gid) => group.gid == gid,
            None => group.name == text,
        };
        match (self.groups().find(of_it), gid) {
            (Some(line), _) => Some(Group { name: line.name.to_owned(), gid: line.gid }),
            (None, gid) => gid.map(|gid| Group { name: String::new(), gid }),
        }
    }

    /// Every number that a user or a group has, or a user's group.
    pub fn numbers(&self) -> BTreeSet<u32> {
        let users = self.users().flat_map(|user| [user.uid, user.gid]);
        users.chain(self.groups().map(|group| group.gid)).collect()
    }

    /// All groups of a user as initgroups(3) has them: `gid` first, then those that name it.
    pub fn supplementary(&self, user: &str, gid: u32) -> Vec<u32> {
        let mut found = vec![gid];
        let names_it = |group: &GroupLine<'_>| group.members.split(',').any(|name| name == user);
        for group in self.groups().filter(|group| !user.is_empty() && names_it(group)) {
            if !found.contains(&group.gid) && found.len() < GROUPS_MAX {
                found.push(group.gid);
            }
        }
        found
    }

    fn users(&self) -> impl Iterator<Item = UserLine<'_>> {
        self.passwd.split(|byte| *byte == b'\n').filter_map(UserLine::parse)
    }

    fn groups(&self) -> impl Iterator<Item = GroupLine<'_>> {
        self.group.split(|byte| *byte == b'\n').filter_map(GroupLine::parse)
    }
}

impl<'a> UserLine<'a> {
    /// "name:password:uid:gid:comment:home:shell".
    fn parse(line: &'a [u8]) -> Option<Self> {
        let [name, _, uid, gid, _, home, shell] = fields(line)?;
        let (uid, gid) = (number(str::from_utf8(uid).ok()?)?, number(str::from_utf8(gid).ok()?)?);
        Some(Self { name: entry_name(name)?, uid, gid, home, shell })
    }

    fn owned(self) -> User {
        let path = |bytes: &[u8], or: &str| {
            let bytes = if bytes.is_empty() { or.as_bytes() } else { bytes };
            PathBuf::from(OsStr::from_bytes(bytes))
        };
        User {
            name: self.name.to_owned(),
            uid: self.uid,
            gid: self.gid,
            home: path(self.home, "/"),
            shell: path(self.shell, "/bin/sh"),
        }
    }
}

impl<'a> GroupLine<'a> {
    /// "name:password:gid:member,member".
    fn parse(line: &'a [u8]) -> Option<Self> {
        let [name, _, gid, members] = fields(line)?;
        let gid = number(str::from_utf8(gid).ok()?)?;
        Some(Self { name: entry_name(name)?, gid, members: str::from_utf8(members).ok()? })
    }
}

/// The fields of a line that has exactly so many.
fn fields<const N: usize>(line: &[u8]) -> Option<[&[u8]; N]> {
    let mut all = line.split(|byte| *byte == b':');
    let mut found = [&[][..]; N];
    for field in &mut found {
        *field = all.next()?;
    }
    all.next().is_none().then_some(found)
}

/// A plain decimal number that names a user or group.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| plain && *id != u32::MAX)
}

/// A name; not the "+" and "-" lines of the old network service, and not a bare number.
fn entry_name(bytes: &[u8]) -> Option<&str> {
    let name = str::from_utf8(bytes).ok()?;
    let odd = name.is_empty() || name.starts_with(['+', '-', '#']) || number(name).is_some();
    (!odd).then_some(name)
}
