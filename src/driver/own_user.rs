//! Users that exist only while their service runs (`dynamic-user`): no entry in a file says who
//! they are, so finit knows who has which number, and takes none that somebody else may have.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Driver;
use super::launch::{accounts, group_number};
use super::site::Site;
use crate::config::spec::ServiceSpec;
use crate::engine::NodeId;
use crate::facts::{Errno, SpawnError, Stage};
use crate::os::spawn::Identity;
use crate::os::users::{Accounts, User};
use crate::os::{ipc, proc};

/// The numbers that systemd has for this purpose, and distributions give to nobody.
const FIRST: u32 = 61_184;
const LAST: u32 = 65_519;
/// How many these are.
const COUNT: u32 = LAST - FIRST + 1;

/// The shell of a user that never logs in.
const NO_SHELL: &str = "/usr/sbin/nologin";

impl Driver {
    /// The user of a service that has one of its own, for a program of it.
    pub(super) fn own_identity(
        &mut self,
        node: NodeId,
        spec: &ServiceSpec,
    ) -> Result<(User, Identity), SpawnError> {
        let accounts = match accounts() {
            // Then there is nobody whose number it could be.
            Err(SpawnError { errno: Errno(libc::ENOENT), .. }) => Accounts::default(),
            accounts => accounts?,
        };
        let number = self.own_number(node, &spec.name, &accounts.numbers())?;
        let groups = match &spec.exec.groups {
            Some(names) => names.iter().map(|name| group_number(&accounts, name)).collect(),
            None => Ok(vec![number]),
        };
        let user = User {
            name: spec.name.clone(),
            uid: number,
            gid: number,
            home: PathBuf::from("/"),
            shell: PathBuf::from(NO_SHELL),
        };
        Ok((user, Identity { uid: number, gid: number, groups: groups? }))
    }

    /// The number that it has, or had and nobody else has got since; else a free one.
    fn own_number(
        &mut self,
        node: NodeId,
        name: &str,
        listed: &BTreeSet<u32>,
    ) -> Result<u32, SpawnError> {
        let former = self.sites.get(node).and_then(|site| site.rare().own_user);
        if let Some(number) = former
            && (self.has_processes(node) || !listed.contains(&number) && !self.is_someone(number))
        {
            return Ok(number);
        }
        let held: Vec<(NodeId, u32)> =
            self.sites.iter().filter_map(|(of, site)| Some((of, site.rare().own_user?))).collect();
        let active = held.iter().filter(|(of, _)| *of != node && self.engine.is_active(*of));
        let active: BTreeSet<u32> = active.map(|(_, number)| *number).collect();
        let is_taken = |number: u32| {
            listed.contains(&number) || active.contains(&number) || proc::has_user(number)
        };
        let number = first_free(name, is_taken).ok_or_else(none_free)?;
        for (of, _) in held.iter().filter(|(of, held)| *held == number && *of != node) {
            self.forget_own_user(*of);
        }
        ipc::remove_of(number);
        self.set_own_user(node, number);
        Ok(number)
    }

    /// Whether anybody of a service lives. All of them are one user, whatever becomes of the files.
    fn has_processes(&self, node: NodeId) -> bool {
        let Some(site) = self.sites.get(node) else { return false };
        let group = site.group.as_ref().map(|group| group.populated().unwrap_or(false));
        !site.runs.is_empty() || group.unwrap_or(!site.rare().sessions.is_empty())
    }

    /// Whether that user has processes, those aside that are dead and not reaped: they may be of
    /// the run before.
    fn is_someone(&mut self, number: u32) -> bool {
        if proc::has_user(number) {
            self.reap();
        }
        proc::has_user(number)
    }

    /// A service has ended: what its own user leaves in the memory of the machine is not for
    /// whoever has that number next.
    pub(super) fn dismiss_user(&self, node: NodeId) {
        let number = self.sites.get(node).and_then(|site| site.rare().own_user);
        if let Some(number) = number.filter(|_| !self.has_processes(node)) {
            ipc::remove_of(number);
        }
    }

    fn set_own_user(&mut self, node: NodeId, number: u32) {
        if let Some(site) = self.sites.of(node) {
            site.make_rare().own_user = Some(number);
        }
    }

    /// The number is another's now, or the service has become that of another user, or is gone.
    pub(super) fn forget_own_user(&mut self, node: NodeId) {
        if let Some(rare) = self.sites.of(node).and_then(Site::rare_mut) {
            rare.own_user = None;
        }
    }

    /// The number of the own user of a service, while it has one.
    pub(super) fn own_user_of(&self, node: NodeId) -> Option<u32> {
        let site = self.sites.get(node).filter(|_| self.engine.is_active(node))?;
        site.rare().own_user
    }
}

/// The free number that a name leads to: always the same one as long as that is free.
fn first_free(name: &str, is_taken: impl Fn(u32) -> bool) -> Option<u32> {
    let numbers = || FIRST..=LAST;
    let skipped =
        hash(name).checked_rem(u64::from(COUNT)).and_then(|rest| usize::try_from(rest).ok());
    let from_there = numbers().skip(skipped.unwrap_or(0));
    from_there.chain(numbers()).find(|number| !is_taken(*number))
}

/// FNV-1a: no number of ours may change with the version of a library.
fn hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

fn none_free() -> SpawnError {
    let subject = format!("of its own (dynamic-user): none of {FIRST} to {LAST} is free");
    SpawnError { stage: Stage::User, errno: Errno(libc::EUSERS), subject }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COUNT, FIRST, LAST, first_free, hash};

    #[test]
    fn a_name_leads_to_its_number_and_on_from_there() {
        // The two numbers of the reference for FNV-1a.
        assert_eq!((hash(""), hash("a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
        let own = first_free("web", |_| false).unwrap();
        assert_eq!((hash("web"), own), (0x5ea0_e119_4872_1ef1, 63_025));
        let next = first_free("web", |number| number == own);
        assert_eq!(next, (own..=LAST).nth(1).or(Some(FIRST)));
        // Behind the last number comes the first.
        let last = first_free("web", |number| number >= own && number != LAST);
        let first = first_free("web", |number| number >= own);
        assert_eq!((last, first), (Some(LAST), Some(FIRST)));
    }

    #[test]
    fn all_numbers_are_had_once_and_then_there_is_none() {
        let mut taken = BTreeSet::new();
        for service in 0..COUNT {
            let name = format!("worker@{service}");
            let number = first_free(&name, |number| taken.contains(&number)).unwrap();
            assert!((61_184..=65_519).contains(&number) && taken.insert(number), "{number}");
        }
        assert_eq!((taken.len(), COUNT), (4336, 4336));
        assert_eq!(first_free("one-more", |number| taken.contains(&number)), None);
    }
}
