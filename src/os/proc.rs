//! What /proc says about processes and about how we were booted; proc(5).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{fds, syscall};
use crate::facts::Pid;

/// The most processes that are listed: PID_MAX_LIMIT.
const PROCESSES_MAX: usize = 4 << 20;
/// The kernel's own bound on its command line.
const COMMAND_LINE_MAX: usize = 4096;
/// The inode of the first PID namespace, fixed in the kernel as PROC_PID_INIT_INO.
pub const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
/// The flag of kernel threads in /proc/PID/stat, PF_KTHREAD.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// A process, as it was when we looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number; of any process, PID 1 included.
    pub pid: i32,
    /// Its parent's number; 0 for PID 1 and for one whose parent is outside the namespace.
    pub ppid: i32,
    /// The session it is in.
    pub session: i32,
    /// The terminal of that session, as the kernel numbers devices; 0 if it has none.
    pub terminal: u32,
    /// Its name, at most 15 bytes, whatever bytes it chose.
    pub name: Vec<u8>,
    /// A thread of the kernel: it cannot be killed.
    pub kernel: bool,
    /// It has ended, and its parent has not yet asked how.
    pub ended: bool,
    /// When it began, in ticks since the machine did: with its number, which may be another's
    /// later, a name that no other process ever has.
    pub began: u64,
}

/// The process of that number, if there is one.
pub fn process(pid: i32) -> Option<Process> {
    let path = Path::new("/proc").join(pid.to_string()).join("stat");
    parse_stat(pid, &fds::read_head(&path, 4096).ok()?)
}

/// The user that a process runs as.
pub fn owner(pid: Pid) -> Option<u32> {
    let path = Path::new("/proc").join(pid.to_string());
    nix::sys::stat::stat(&path).ok().map(|stat| stat.st_uid)
}

/// Whether any process is that user's, told without a look at each; getpriority(2).
pub fn has_user(uid: u32) -> bool {
    let arguments = [libc::PRIO_USER as usize, uid as usize, 0, 0, 0, 0];
    // SAFETY: all arguments are numbers, and the call only looks.
    let answer = unsafe { syscall::call(libc::SYS_getpriority, arguments) };
    syscall::outcome(answer) != Err(libc::ESRCH)
}

/// The file that this process executes, under the name that it had then: after an upgrade
/// another file has it.
///
/// # Errors
/// In words.
pub fn own_program() -> Result<String, String> {
    let link = nix::fcntl::readlink("/proc/self/exe").map_err(|errno| format!("/proc: {errno}"))?;
    let path = link.into_string().map_err(|_| "its own name is no text".to_owned())?;
    Ok(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
}

/// A path by which this very program can be executed, whatever has its name by now: another, or
/// nobody, or its file system was detached and no name leads there.
pub fn this_program() -> String {
    const LINK: &str = "/proc/self/exe";
    let file = |path: &str| {
        let stat = nix::sys::stat::stat(path).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    let name = nix::fcntl::readlink(LINK).ok().and_then(|link| link.into_string().ok());
    name.filter(|name| file(name) == file(LINK)).unwrap_or_else(|| LINK.to_owned())
}

/// Gives this process a name, as ps(1) and top(1) show it.
pub fn call_self(name: &std::ffi::CStr) {
    // Refused only for a pointer that is none.
    nix::sys::prctl::set_name(name).ok();
}

/// All processes but those that end while we look. Empty without /proc.
pub fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .take(PROCESSES_MAX)
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid: i32 = std::str::from_utf8(name.as_bytes()).ok()?.parse().ok()?;
            let path = Path::new("/proc").join(&name).join("stat");
            parse_stat(pid, &fds::read_head(&path, 4096).ok()?)
        })
        .collect()
}

/// "pid (name) state ppid pgrp session tty tpgid flags … starttime …"; the name may hold ") " itself, so
/// the last parenthesis counts.
fn parse_stat(pid: i32, line: &[u8]) -> Option<Process> {
    let open = line.iter().position(|byte| *byte == b'(')?;
    let close = line.iter().rposition(|byte| *byte == b')')?;
    let name = line.get(open.checked_add(1)?..close)?.to_vec();
    let rest = std::str::from_utf8(line.get(close.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    let ppid = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let terminal = fields.next()?.parse::<i32>().ok()?.cast_unsigned();
    let flags: u64 = fields.nth(1)?.parse().ok()?;
    let began = fields.nth(12)?.parse().ok()?;
    let kernel = flags & KERNEL_THREAD != 0;
    Some(Process { pid, ppid, session, terminal, name, kernel, ended, began })
}

/// The words of the kernel's command line; none without /proc.
pub fn boot_words() -> Vec<String> {
    let text = fds::read_head(Path::new("/proc/cmdline"), COMMAND_LINE_MAX).unwrap_or_default();
    split_words(&text)
}

/// Split at white space, not inside double quotes, as the kernel does; the quotes go.
pub fn split_words(text: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoted = false;
    for &byte in text {
        if byte == b'"' {
            quoted = !quoted;
            word.get_or_insert_default();
        } else if byte.is_ascii_whitespace() && !quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(byte);
        }
    }
    words.extend(word);
    words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Whether we are in the first PID namespace, so not in a container. True without /proc: a
/// real PID 1 has none when it starts. pid_namespaces(7)
pub fn pid_namespace_is_initial() -> bool {
    nix::sys::stat::stat("/proc/self/ns/pid")
        .map_or(true, |stat| stat.st_ino == FIRST_PID_NAMESPACE)
}
