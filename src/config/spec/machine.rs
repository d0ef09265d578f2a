//! What the machine is outside its services: boot, shutdown, orders, logs, targets.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A named set that the machine can be brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// `default`, `rescue`, or a name of one's own.
    pub name: String,
    /// Started with it, their failure is no obstacle.
    pub wants: Vec<String>,
    /// Needed by it, each a list of alternatives.
    pub needs: Vec<Vec<String>>,
}

/// What is done before the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl BootSpec {
    /// Whether that step is left out.
    pub fn skips(&self, step: &str) -> bool {
        self.skip.iter().any(|skipped| skipped == step)
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Devices {
    /// systemd-udevd or eudev, whichever is there.
    Udev,
    /// mdev -s, of busybox.
    Mdev,
    /// The kernel alone.
    None,
}

/// How the machine goes down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl ShutdownSpec {
    /// What is kept of the time for the processes that are left after the services.
    pub fn kept_back(&self) -> Duration {
        let waits = self.term_wait.saturating_add(self.kill_wait);
        waits.min(self.timeout.checked_div(2).unwrap_or_default())
    }
}

/// What a key of the machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerKey {
    /// Restart the machine.
    Reboot,
    /// Turn it off.
    Poweroff,
    /// Nothing.
    Ignore,
}

/// Who may give orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlSpec {
    /// Group that may power the machine off.
    pub power_group: Option<String>,
    /// The socket.
    pub socket: PathBuf,
}

impl Default for ControlSpec {
    fn default() -> Self {
        Self { power_group: None, socket: PathBuf::from("/run/initctl") }
    }
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub const STEPS: [&str; 19] = [
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
    FIND_INSTANCES,
    "mount-network",
];

/// The step that looks for the instances of templates.
pub const FIND_INSTANCES: &str = "find-instances";

/// Targets that are there without being defined.
pub const TARGETS: [&str; 3] = ["default", "rescue", "emergency"];

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
