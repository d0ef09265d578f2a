//! /etc/passwd and /etc/group, read by ourselves; passwd(5), group(5).
//!
//! The C library would ask a name service: load libraries into PID 1, or wait for a server
//! that is started later. Users of services are in the files.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStringExt;
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

/// Both files as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<(Group, Vec<String>)>,
}

impl Accounts {
    /// Read both files. A group file that is missing means no groups. EFBIG, ENOENT.
    pub fn load() -> Result<Self, Errno> {
        let users = fds::read_small(Path::new("/etc/passwd"), FILE_MAX)?;
        let groups = match fds::read_small(Path::new("/etc/group"), FILE_MAX) {
            Err(Errno(libc::ENOENT)) => Vec::new(),
            other => other?,
        };
        Ok(Self::parse(&users, &groups))
    }

    /// From the contents of both. Lines that are not entries are skipped.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        let lines = |text| <[u8]>::split(text, |byte: &u8| *byte == b'\n');
        Self {
            users: lines(passwd).filter_map(parse_user).collect(),
            groups: lines(group).filter_map(parse_group).collect(),
        }
    }

    /// By name, or by number in plain decimal. A number needs no entry; its group is then of
    /// the same number. None for a name without an entry and for anything malformed, such as
    /// "", "-1", "0x0" or 4294967295, which the kernel takes for "no change".
    pub fn user(&self, text: &str) -> Option<User> {
        let Some(uid) = number(text) else {
            return self.users.iter().find(|user| user.name == text).cloned();
        };
        self.users.iter().find(|user| user.uid == uid).cloned().or(Some(User {
            name: String::new(),
            uid,
            gid: uid,
            home: PathBuf::from("/"),
            shell: PathBuf::from("/bin/sh"),
        }))
    }

    /// By name or number, in the same way.
    pub fn group(&self, text: &str) -> Option<Group> {
        let all = || self.groups.iter().map(|(group, _)| group);
        let Some(gid) = number(text) else {
            return all().find(|group| group.name == text).cloned();
        };
        all().find(|group| group.gid == gid).cloned().or(Some(Group { name: String::new(), gid }))
    }

    /// Every number that a user or a group has, or a user's group.
    pub fn numbers(&self) -> BTreeSet<u32> {
        let users = self.users.iter().flat_map(|user| [user.uid, user.gid]);
        users.chain(self.groups.iter().map(|(group, _)| group.gid)).collect()
    }

    /// All groups of a user as initgroups(3) has them: `gid` first, then those that name it.
    pub fn supplementary(&self, user: &str, gid: u32) -> Vec<u32> {
        let mut found = vec![gid];
        let of_user = self
            .groups
            .iter()
            .filter(|(_, members)| !user.is_empty() && members.iter().any(|member| member == user));
        for (group, _) in of_user {
            if !found.contains(&group.gid) && found.len() < GROUPS_MAX {
                found.push(group.gid);
            }
        }
        found
    }
}

/// A plain decimal number that names a user or group.
fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| plain && *id != u32::MAX)
}

/// "name:password:uid:gid:comment:home:shell".
fn parse_user(line: &[u8]) -> Option<User> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
    let path = |bytes: &[u8], or: &str| {
        let bytes = if bytes.is_empty() { or.as_bytes() } else { bytes };
        PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()))
    };
    Some(User {
        name: entry_name(name)?,
        uid: number(std::str::from_utf8(uid).ok()?)?,
        gid: number(std::str::from_utf8(gid).ok()?)?,
        home: path(home, "/"),
        shell: path(shell, "/bin/sh"),
    })
}

/// "name:password:gid:member,member".
fn parse_group(line: &[u8]) -> Option<(Group, Vec<String>)> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    let gid = number(std::str::from_utf8(gid).ok()?)?;
    let members = std::str::from_utf8(members).ok()?.split(',').filter(|name| !name.is_empty());
    Some((Group { name: entry_name(name)?, gid }, members.map(str::to_owned).collect()))
}

/// A name; not the "+" and "-" lines of the old network service, and not a bare number.
fn entry_name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    let odd = name.is_empty() || name.starts_with(['+', '-', '#']) || number(name).is_some();
    (!odd).then(|| name.to_owned())
}
