//! What a machine should be, in typed values: the result of reading the file and the input of
//! the engine. Everything is immutable once made and compared as a whole, so that "did this
//! service change?" is one `==`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::facts::SignalNumber;

/// The whole machine as one file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemSpec {
    /// Services and tasks, instances of templates already written out, in file order.
    pub services: Vec<Rc<ServiceSpec>>,
    /// Named sets that the machine can be brought to.
    pub targets: Vec<Rc<TargetSpec>>,
    /// Names that a mistake keeps from being any of these; none in a file without errors.
    pub left_out: Vec<LeftOut>,
    /// What is done before the services.
    pub boot: BootSpec,
    /// How the machine goes down.
    pub shutdown: ShutdownSpec,
    /// Who may give orders.
    pub control: ControlSpec,
    /// Where log lines go.
    pub log: LogSpec,
}

/// A name that the file speaks of, and that cannot be started before the file is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The name.
    pub name: String,
    /// What is wrong, in a sentence without a full stop.
    pub mistake: String,
}

/// A service or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name, `NAME@INSTANCE` for an instance of a template.
    pub name: String,
    /// Daemon or task.
    pub kind: Kind,
    /// The template that it is an instance of.
    pub template: Option<String>,
    /// One line for people.
    pub description: String,
    /// Other names that it answers to.
    pub alias: Vec<String>,
    /// Whether the machine starts it by itself.
    pub enabled: bool,
    /// What starts it.
    pub start: Start,
    /// Early ones do not wait for the boot steps.
    pub stage: Stage,
    /// Targets that it belongs to.
    pub targets: Vec<String>,
    /// What is executed, and as whom.
    pub exec: ExecSpec,
    /// Commands around the main one.
    pub hooks: Hooks,
    /// When it counts as up.
    pub ready: Ready,
    /// How long it may take to become ready; none for ever.
    pub start_timeout: Option<Duration>,
    /// What it stands on.
    pub dependencies: Dependencies,
    /// When it comes back after its end.
    pub restart: RestartSpec,
    /// Exits that count as success.
    pub ok_exit: OkExit,
    /// Whether a finished task counts as up.
    pub remain: bool,
    /// How it is stopped.
    pub stop: StopSpec,
    /// Sockets held for it.
    pub sockets: Option<SocketsSpec>,
    /// Line in the file where it is defined, for messages; no part of its identity.
    pub line: Line,
}

impl ServiceSpec {
    /// Whether each connection gets a process of its own, and the service has none.
    pub fn is_inetd(&self) -> bool {
        self.sockets.as_ref().is_some_and(|sockets| sockets.mode == SocketMode::Inetd)
    }
}

/// A line number that is never a difference: moving a service in its file changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line(pub usize);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Line {}

/// Daemon or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs until told to stop.
    Service,
    /// Runs to its end.
    Task,
}

/// What starts a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Reaching one of its targets.
    Boot,
    /// A connection to its sockets.
    Demand,
    /// Only a person, or a dependent.
    Manual,
}

/// Part of the boot in which a service may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// After the milestone `sysinit`.
    Main,
    /// As soon as the virtual file systems are there.
    Early,
}

/// A command line, split into words but with its variables still in it: they are filled in
/// from the environment that the service gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// At least one.
    pub words: Vec<Word>,
}

/// One word of a command line.
pub type Word = Vec<Piece>;

/// Part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// `${VAR}`: the value as part of one word.
    Whole(String),
    /// `$VAR`, alone in its word: the value split at white space, possibly into nothing.
    Split(String),
}

/// What is executed, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// The commands: one, or the steps of a task, run one after the other. A `script` is
    /// `/bin/sh -eu -c SCRIPT`.
    pub commands: Vec<CommandLine>,
    /// Run as this user (name or number); root without.
    pub user: Option<String>,
    /// Its group, instead of the user's own.
    pub group: Option<String>,
    /// Further groups, instead of the user's own.
    pub groups: Option<Vec<String>>,
    /// File mode creation mask.
    pub umask: u32,
    /// Working folder; `/` without.
    pub cwd: Option<String>,
    /// chroot(2) into this.
    pub root: Option<String>,
    /// Variables, in order.
    pub env: Vec<(String, String)>,
    /// Files of variables; the flag says whether it may be missing.
    pub env_files: Vec<(PathBuf, Missing)>,
    /// Variables of PID 1's own environment that are passed on.
    pub env_pass: Vec<String>,
    /// Variables taken out again.
    pub env_unset: Vec<String>,
    /// Resource limits as setrlimit(2) takes them: RLIMIT_ number, soft, hard.
    pub limits: Vec<(u32, u64, u64)>,
    /// -20 to 19.
    pub nice: Option<i32>,
    /// oom_score_adj, -1000 to 1000.
    pub oom_score: Option<i32>,
    /// Terminal that it gets as its controlling one, a name under /dev.
    pub tty: Option<String>,
    /// Where its output goes.
    pub log: LogTarget,
    /// Name of this service and of its instance, for SERVICE_NAME-like words.
    pub no_new_privileges: bool,
}

/// Whether a file may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A missing file is no error.
    Allowed,
    /// A missing file fails the start.
    Error,
}

/// Where the output of a service goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file of its own in the log folder.
    Files,
    /// The syslog daemon, by /dev/log.
    Syslog,
    /// /dev/kmsg.
    Kmsg,
    /// The console.
    Console,
    /// Nowhere.
    None,
    /// This file, appended to.
    File(PathBuf),
}

/// A command that runs beside the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What is run.
    pub command: CommandLine,
    /// Whether its failure is overlooked.
    pub may_fail: bool,
    /// As whom, instead of the service's own user.
    pub user: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// Commands around the main one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before each start, in order; a failure is a failed start.
    pub before_start: Vec<Hook>,
    /// After it became ready.
    pub after_start: Vec<Hook>,
    /// After each end.
    pub after_stop: Vec<Hook>,
    /// How it re-reads its own configuration.
    pub reload: Vec<ReloadAction>,
}

/// One step of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadAction {
    /// Send this to the main process.
    Signal(SignalNumber),
    /// Run this.
    Run(Hook),
}

/// When a service counts as up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// Its program is executed.
    Exec,
    /// It ended with success (tasks).
    Exit,
}

/// What a service stands on, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    /// Must be up first; each entry is a list of alternatives.
    pub needs: Vec<Vec<String>>,
    /// Started and waited for; their failure is no obstacle.
    pub wants: Vec<String>,
    /// Order only: if those come up too, this comes later.
    pub after: Vec<String>,
    /// Order only: if those come up too, this comes earlier.
    pub before: Vec<String>,
    /// Names that this stands for.
    pub provides: Vec<String>,
}

/// When a service comes back after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartSpec {
    /// After which ends.
    pub when: RestartWhen,
    /// First delay.
    pub delay: Duration,
    /// Longest delay.
    pub max_delay: Duration,
    /// Up for this long, the delay starts small again.
    pub reset: Duration,
    /// Give up after this many restarts …
    pub burst: Option<u32>,
    /// … within this time.
    pub within: Duration,
}

/// After which ends a service comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartWhen {
    /// Every end.
    Always,
    /// Ends that are no success.
    OnFailure,
    /// Signals and timeouts only.
    OnCrash,
    /// Success only.
    OnSuccess,
    /// Never.
    Never,
}

/// Exits that count as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OkExit {
    /// Status 0, the stop signal, and these codes and signals.
    Listed {
        /// Further codes.
        codes: Vec<u8>,
        /// Further signals.
        signals: Vec<SignalNumber>,
    },
    /// All.
    Any,
}

/// How a service is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopSpec {
    /// First signal.
    pub signal: SignalNumber,
    /// How long until SIGKILL; none for never.
    pub timeout: Option<Duration>,
    /// Who gets the signals.
    pub scope: StopScope,
    /// Run instead of the first signal.
    pub command: Option<Hook>,
    /// Whether SIGKILL follows the timeout.
    pub kill: bool,
    /// Whether SIGHUP follows the first signal at once (shells).
    pub hup: bool,
}

/// Who gets the stop signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopScope {
    /// Everything in its control group; its process group where there is none.
    Cgroup,
    /// The main process alone; the rest lives on (sshd, container engines).
    Main,
    /// The main process first, at the timeout everything.
    Mixed,
    /// Nobody.
    None,
}

/// Sockets held for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketsSpec {
    /// Who accepts.
    pub mode: SocketMode,
    /// The sockets, in the order of their descriptors.
    pub sockets: Vec<SocketSpec>,
    /// Most connections at once (inetd).
    pub max: u32,
    /// Most connections at once from one address (inetd).
    pub max_per_source: Option<u32>,
    /// Most connections in a time (inetd): accepting pauses past it.
    pub rate: Option<(u32, Duration)>,
    /// Stop it after this long without a process or connection.
    pub idle_stop: Option<Duration>,
}

/// Who accepts the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketMode {
    /// finit, one process a connection, on its stdin and stdout.
    Inetd,
    /// The service, which is handed the sockets (LISTEN_FDS, sd_listen_fds(3)).
    Listen,
}

/// One socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSpec {
    /// Where.
    pub address: Address,
    /// Its name in LISTEN_FDNAMES.
    pub name: Option<String>,
    /// Mode of its file.
    pub mode: Option<u32>,
    /// Owner of its file.
    pub user: Option<String>,
    /// Group of its file.
    pub group: Option<String>,
    /// listen(2) backlog.
    pub backlog: Option<u32>,
    /// Remove its file when finit lets go of it.
    pub unlink: bool,
    /// IPV6_V6ONLY.
    pub v6only: Option<bool>,
    /// IP_FREEBIND: bind before the address exists.
    pub freebind: bool,
    /// SO_REUSEPORT.
    pub reuseport: bool,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// TCP_NODELAY.
    pub nodelay: bool,
    /// Hand the socket over non-blocking.
    pub nonblocking: bool,
    /// SO_BINDTODEVICE.
    pub device: Option<String>,
}

/// Where a socket is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP port on all addresses, IPv6 and IPv4.
    TcpPort(u16),
    /// One TCP address.
    Tcp(SocketAddr),
    /// A UDP port on all addresses.
    UdpPort(u16),
    /// One UDP address.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(UnixKind, UnixPath),
    /// A named pipe.
    Fifo(PathBuf),
}

/// Kind of a unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixKind {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    Seqpacket,
}

/// Name of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnixPath {
    /// In the file system.
    File(PathBuf),
    /// Abstract, without its leading NUL.
    Abstract(String),
}

/// A named set that the machine can be brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpec {
    /// `default`, `rescue`, or a name of one's own.
    pub name: String,
    /// Started with it, their failure is no obstacle.
    pub wants: Vec<String>,
    /// Needed by it, each a list of alternatives.
    pub needs: Vec<Vec<String>>,
}

/// What is done before the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSpec {
    /// Instead of /etc/hostname.
    pub hostname: Option<String>,
    /// Whether fstab(5) is followed: fsck, mounts, swap.
    pub fstab: bool,
    /// Who makes the device nodes.
    pub devices: Devices,
    /// Modules to load beside modules-load.d.
    pub modules: Vec<String>,
    /// Whether a tmpfiles.d provider is run.
    pub tmpfiles: bool,
    /// Whether the clock is set from the hardware.
    pub clock: bool,
    /// Settings beside sysctl.d, in order.
    pub sysctl: Vec<(String, String)>,
    /// Whether the random seed is kept.
    pub random_seed: bool,
    /// Console keymap, loaded by loadkeys(1).
    pub keymap: Option<String>,
    /// Steps left out.
    pub skip: Vec<String>,
}

impl Default for BootSpec {
    fn default() -> Self {
        Self {
            hostname: None,
            fstab: true,
            devices: Devices::Udev,
            modules: Vec::new(),
            tmpfiles: true,
            clock: true,
            sysctl: Vec::new(),
            random_seed: true,
            keymap: None,
            skip: Vec::new(),
        }
    }
}

/// Who makes the device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// systemd-udevd or eudev, whichever is there.
    Udev,
    /// mdev -s, of busybox.
    Mdev,
    /// The kernel alone.
    None,
}

/// How the machine goes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownSpec {
    /// For the whole of it.
    pub timeout: Duration,
    /// From SIGTERM to everybody until SIGKILL.
    pub term_wait: Duration,
    /// From SIGKILL to everybody until going on without them.
    pub kill_wait: Duration,
    /// What Ctrl-Alt-Del does.
    pub ctrl_alt_del: PowerKey,
}

impl Default for ShutdownSpec {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            term_wait: Duration::from_secs(10),
            kill_wait: Duration::from_secs(15),
            ctrl_alt_del: PowerKey::Reboot,
        }
    }
}

/// What a key of the machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerKey {
    /// Restart the machine.
    Reboot,
    /// Turn it off.
    Poweroff,
    /// Nothing.
    Ignore,
}

/// Who may give orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSpec {
    /// Group that may operate services which list it.
    pub group: Option<String>,
    /// Group that may power the machine off.
    pub power_group: Option<String>,
    /// The socket.
    pub socket: PathBuf,
}

impl Default for ControlSpec {
    fn default() -> Self {
        Self { group: None, power_group: None, socket: PathBuf::from("/run/initctl") }
    }
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSpec {
    /// Folder of the files.
    pub directory: PathBuf,
    /// Bytes after which a file is rotated.
    pub max_size: u64,
    /// Rotated files kept.
    pub keep: u32,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { directory: PathBuf::from("/var/log/finit"), max_size: 1 << 20, keep: 4 }
    }
}

/// The boot steps, in the order in which a reader expects them; what each one waits for is in
/// the graph.
pub const STEPS: [&str; 18] = [
    "mount-virtual",
    "cgroups",
    "console",
    "hostname",
    "loopback",
    "modules",
    "devices",
    "sysctl",
    "fsck",
    "remount-root",
    "mount-local",
    "swap",
    "clock",
    "random-seed",
    "machine-id",
    "tmpfiles",
    "nologin",
    "mount-network",
];

/// Points of a boot that the steps, or whoever `provides` them, reach.
pub const MILESTONES: [&str; 12] = [
    "sysinit",
    "local-fs",
    "remote-fs",
    "network-pre",
    "network",
    "network-online",
    "nss-lookup",
    "time-sync",
    "sockets",
    "user-sessions",
    "login",
    "graphical",
];
