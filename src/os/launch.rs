//! What a caller asks for when it starts a program.

use std::os::fd::BorrowedFd;

use crate::facts::capability::Capabilities;

/// Whom a program runs as; setresuid(2), setresgid(2), setgroups(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Real, effective and saved user id.
    pub uid: u32,
    /// Real, effective and saved group id.
    pub gid: u32,
    /// All supplementary groups; the child has no others.
    pub groups: Vec<u32>,
}

/// Everything about the start of one program. Take what is usual from `Launch::default()`.
#[derive(Debug, Clone)]
pub struct Launch<'a> {
    /// Program and arguments. A first word without '/' is searched in `path`; execve(2).
    pub argv: &'a [Vec<u8>],
    /// Directories for that search, "a:b:c"; empty parts are skipped, not taken as ".".
    pub path: &'a [u8],
    /// The whole environment: nothing of PID 1's own goes to the child; environ(7).
    pub env: &'a [(&'a [u8], &'a [u8])],
    /// Descriptor 0; /dev/null if none. Without a /dev/null (before /dev is there) all three
    /// stay what they are in PID 1.
    pub stdin: Option<BorrowedFd<'a>>,
    /// A file by path that is opened for reading as descriptor 0, in its place: by the child, as
    /// PID 1's user and before `root`, and for as long as that takes; open(2).
    pub input: Option<&'a [u8]>,
    /// Descriptor 1; /dev/null if none.
    pub stdout: Option<BorrowedFd<'a>>,
    /// Descriptor 2; /dev/null if none.
    pub stderr: Option<BorrowedFd<'a>>,
    /// Clear O_NONBLOCK on descriptor 0. It is a flag of the connection, not of the descriptor,
    /// and an inetd-style program expects a connection that waits.
    pub blocking_stdio: bool,
    /// Descriptors 3 and up, in this order, with LISTEN_FDS and LISTEN_PID; sd_listen_fds(3).
    pub passed: &'a [BorrowedFd<'a>],
    /// Their names, "a:b", for LISTEN_FDNAMES; none when empty.
    pub passed_names: &'a [u8],
    /// One more, at that number, which is above those: without a word in the environment.
    pub line: Option<(u8, BorrowedFd<'a>)>,
    /// The directory of a control group that the child is born in; cgroups(7).
    pub cgroup: Option<BorrowedFd<'a>>,
    /// It is born in PID 1's group and moves into that one by itself before it becomes the
    /// program: slower, but the only way into a group that was killed once, `Tree::make_anew`.
    pub moves_in: bool,
    /// A terminal by path: taken from whoever has it, then the controlling terminal and
    /// descriptors 0 to 2; tty_ioctl(4).
    pub tty: Option<&'a [u8]>,
    /// New root directory; chroot(2).
    pub root: Option<&'a [u8]>,
    /// Working directory, below `root`; chdir(2).
    pub cwd: &'a [u8],
    /// Where there is no such directory, "/" will do.
    pub cwd_optional: bool,
    /// Whom to become; PID 1's user and groups if none.
    pub identity: Option<Identity>,
    /// What it keeps though its user is not root; all else of PID 1's is gone then, and root has
    /// all of it anyway; capabilities(7).
    pub capabilities: Capabilities,
    /// Permission bits that its new files do not get; umask(2).
    pub umask: u32,
    /// RLIMIT number, soft, hard; RLIM_INFINITY is u64::MAX; prlimit(2).
    pub limits: &'a [(u32, u64, u64)],
    /// Niceness, -20 to 19; setpriority(2).
    pub nice: Option<i32>,
    /// oom_score_adj, -1000 to 1000; proc_pid_oom_score_adj(5). Such a child gets a copy of
    /// PID 1's memory, a little slower: the kernel changes all that share a memory.
    pub oom_score: Option<i32>,
    /// Neither it nor its children gain privileges by exec; PR_SET_NO_NEW_PRIVS(2const).
    pub no_new_privileges: bool,
    /// A session and process group of its own; a `tty` implies it; setsid(2).
    pub new_session: bool,
}

impl Default for Launch<'_> {
    fn default() -> Self {
        Self {
            argv: &[],
            path: b"",
            env: &[],
            stdin: None,
            input: None,
            stdout: None,
            stderr: None,
            blocking_stdio: false,
            passed: &[],
            passed_names: b"",
            line: None,
            cgroup: None,
            moves_in: false,
            tty: None,
            root: None,
            cwd: b"/",
            cwd_optional: false,
            identity: None,
            capabilities: Capabilities::NONE,
            umask: 0o022,
            limits: &[],
            nice: None,
            oom_score: None,
            no_new_privileges: false,
            new_session: true,
        }
    }
}
