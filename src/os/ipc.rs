//! Objects of System V IPC, which outlive whoever made them; sysvipc(7).

use std::path::Path;

use super::fds;

/// The longest list of one kind that is read, in bytes.
const LIST_MAX: usize = 16 << 20;

/// A kind of object.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    Semaphores,
    Messages,
}

/// Removes what belongs to that user or was made by it. What cannot be listed or removed stays.
pub fn remove_of(user: u32) {
    for (name, kind) in [("shm", Kind::Memory), ("sem", Kind::Semaphores), ("msg", Kind::Messages)]
    {
        let list = fds::read_head(&Path::new("/proc/sysvipc").join(name), LIST_MAX);
        for id in of_user(&list.unwrap_or_default(), user) {
            remove(kind, id);
        }
    }
}

fn remove(kind: Kind, id: i32) {
    match kind {
        // SAFETY: no address is passed, and no memory of ours is one of these segments.
        Kind::Memory => unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
        // SAFETY: this command takes no fourth argument.
        Kind::Semaphores => unsafe { libc::semctl(id, 0, libc::IPC_RMID) },
        // SAFETY: no address is passed.
        Kind::Messages => unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) },
    };
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
