//! Objects of System V IPC, which outlive whoever made them; sysvipc(7).

use std::ffi::c_long;
use std::path::Path;

use super::{closing, fds, syscall};

/// The longest list of one kind that is read, in bytes.
const LIST_MAX: usize = 16 << 20;

/// A kind of object: its list, and the call that removes one, with the place of the command there.
type Kind = (&'static str, c_long, usize);

const KINDS: [Kind; 3] =
    [("shm", libc::SYS_shmctl, 1), ("sem", libc::SYS_semctl, 2), ("msg", libc::SYS_msgctl, 1)];

/// Removes what belongs to that user by now, or was made by it. What cannot be listed or removed
/// stays. A child does it: much memory is not free at once.
pub fn remove_of(user: u32) {
    let list = |name| fds::read_head(&Path::new("/proc/sysvipc").join(name), LIST_MAX);
    let ids = KINDS.map(|(name, ..)| of_user(&list(name).unwrap_or_default(), user));
    if ids.iter().all(Vec::is_empty) {
        return;
    }
    let remove_all = || {
        for ((_, call, place), ids) in KINDS.into_iter().zip(&ids) {
            ids.iter().for_each(|id| remove(call, place, *id));
        }
    };
    if closing::have_child(0, remove_all) < 1 {
        remove_all();
    }
}

fn remove(call: c_long, place: usize, id: i32) {
    let mut arguments = [id as usize, 0, 0, 0, 0, 0];
    if let Some(command) = arguments.get_mut(place) {
        *command = libc::IPC_RMID as usize;
    }
    // SAFETY: all arguments are numbers, and nothing of ours is in such an object.
    unsafe { syscall::call(call, arguments) };
}

/// The numbers of the objects of a user in a list of the kernel: a line of names, of which the
/// second is that of the number, then a line for each object.
fn of_user(list: &[u8], user: u32) -> Vec<i32> {
    let list = String::from_utf8_lossy(list);
    let mut lines = list.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let number = |line: &str| -> Option<i32> {
        let fields = || names.iter().zip(line.split_ascii_whitespace());
        let is_user = |(name, field): (&&str, &str)| {
            matches!(*name, "uid" | "cuid") && field.parse() == Ok(user)
        };
        let (_, id) = fields().nth(1).filter(|_| fields().any(is_user))?;
        id.parse().ok()
    };
    lines.filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::of_user;

    #[test]
    fn objects_are_those_of_their_owner_and_of_their_maker() {
        let list = b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime\n\
            \x20        1         4   600          1 61184 61184     0     0          0\n\
            \x20        2         5   600          1     0     0 61184     0          0\n\
            \x20    61184     61184   600      61184     0 61184     0 61184      61184\n\
            nonsense\n";
        assert_eq!(of_user(list, 61_184), [4, 5]);
        assert_eq!(of_user(list, 0), [4, 5, 61_184]);
        assert!(of_user(list, 7).is_empty());
        assert!(of_user(b"", 0).is_empty());
        // A kind with other columns.
        let list =
            b"key shmid perms size cpid lpid nattch uid gid cuid cgid\n0 9 600 1 1 1 0 7 7 7 7\n";
        assert_eq!(of_user(list, 7), [9]);
    }
}
