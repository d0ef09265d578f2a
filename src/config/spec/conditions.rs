//! What must hold before a service is started.

use serde::{Deserialize, Serialize};

use super::Hook;

/// All of it, in the order in which it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conditions {
    /// Paths that it waits for.
    pub paths: Vec<String>,
    /// Without these it is skipped.
    pub only_if: Vec<Condition>,
    /// Without these its start fails.
    pub assert: Vec<Condition>,
    /// Commands that decide whether it is skipped.
    pub commands: Vec<Hook>,
}

impl Conditions {
    /// Whether there is something to look at before the commands.
    pub fn has_tests(&self) -> bool {
        !(self.paths.is_empty() && self.assert.is_empty() && self.only_if.is_empty())
    }
}

/// One thing that is to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What is looked at.
    pub test: Test,
    /// What it is looked at for: a path, a name, a number.
    pub value: String,
    /// It must not hold: `not-`.
    pub not: bool,
    /// One of all such must hold: `any-`.
    pub any: bool,
}

/// What can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// There is something by that name.
    Exists,
    /// A path matches.
    Glob,
    /// It is a folder.
    Directory,
    /// It is a program.
    Executable,
    /// It is a file with bytes or a folder with entries.
    NotEmpty,
    /// Its file system can be written to.
    Writable,
    /// Something is mounted there.
    Mounted,
    /// The machine is of that kind.
    Virtualization,
    /// PID 1 may have that capability.
    Capability,
    /// The machine runs on mains power.
    AcPower,
    /// The kernel command line has that word.
    KernelArg,
    /// There are so many processors.
    Cpus,
    /// This machine has never run before.
    FirstBoot,
}

/// Names of all tests.
pub const TESTS: [(&str, Test); 13] = [
    ("exists", Test::Exists),
    ("glob", Test::Glob),
    ("directory", Test::Directory),
    ("executable", Test::Executable),
    ("not-empty", Test::NotEmpty),
    ("writable", Test::Writable),
    ("mounted", Test::Mounted),
    ("virtualization", Test::Virtualization),
    ("capability", Test::Capability),
    ("ac-power", Test::AcPower),
    ("kernel-arg", Test::KernelArg),
    ("cpus", Test::Cpus),
    ("first-boot", Test::FirstBoot),
];

impl Test {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        TESTS.iter().find(|(_, test)| *test == self).map_or("", |(name, _)| name)
    }

    /// What a key of the file asks for: the test, and whether with `not-` and with `any-`.
    pub fn of_key(key: &str) -> Option<(Self, bool, bool)> {
        let known = |name: &str| TESTS.iter().find(|(known, _)| *known == name).map(|(_, t)| *t);
        let (any, rest) = match key.strip_prefix("any-") {
            Some(rest) => (true, rest),
            None => (false, key),
        };
        // `not-empty` is a test of its own.
        let plain = known(rest).map(|test| (test, false, any));
        plain.or_else(|| Some((known(rest.strip_prefix("not-")?)?, true, any)))
    }
}

impl Condition {
    /// Its key in the file.
    pub fn key(&self) -> String {
        let any = if self.any { "any-" } else { "" };
        let not = if self.not { "not-" } else { "" };
        format!("{any}{not}{}", self.test.name())
    }
}

/// What a machine may be beside `yes`, `no`, `vm` and `container`: those of
/// systemd-detect-virt(1) that can be told, machines first.
pub const MACHINES: [&str; 14] = [
    "kvm",
    "amazon",
    "qemu",
    "bochs",
    "xen",
    "vmware",
    "oracle",
    "microsoft",
    "parallels",
    "bhyve",
    "apple",
    "google",
    "acrn",
    "vm-other",
];

/// The same for containers.
pub const CONTAINERS: [&str; 9] = [
    "docker",
    "podman",
    "lxc",
    "lxc-libvirt",
    "systemd-nspawn",
    "rkt",
    "wsl",
    "openvz",
    "container-other",
];

/// How the number of processors is compared: `">=2"`, `"4"` for at least 4.
pub fn comparison(text: &str) -> Option<(Comparison, u32)> {
    const SIGNS: [(&str, Comparison); 7] = [
        (">=", Comparison::AtLeast),
        ("<=", Comparison::AtMost),
        ("!=", Comparison::Other),
        ("=", Comparison::Equal),
        (">", Comparison::More),
        ("<", Comparison::Less),
        ("", Comparison::AtLeast),
    ];
    let (sign, rest) = SIGNS.iter().find_map(|(sign, comparison)| {
        text.strip_prefix(sign).map(|rest| (*comparison, rest.trim()))
    })?;
    let digits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    rest.parse().ok().filter(|_| digits).map(|number| (sign, number))
}

/// A sign of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `!=`
    Other,
    /// `=`
    Equal,
    /// `>`
    More,
    /// `<`
    Less,
}

impl Comparison {
    /// Whether it holds.
    pub fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::AtLeast => left >= right,
            Self::AtMost => left <= right,
            Self::Other => left != right,
            Self::Equal => left == right,
            Self::More => left > right,
            Self::Less => left < right,
        }
    }
}
