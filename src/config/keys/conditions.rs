//! Keys that decide whether a service is started at all.

use super::{Key, key};

const IN: &str = "service";
const TEST: &str = "service.only-if";
const PATHS: &str = "a path or a list of paths";
const YES: &str = "true or false";

/// Every test in its four forms, for the check of keys and for suggestions.
macro_rules! forms {
    ($($name:literal),*) => {
        [$($name, concat!("not-", $name), concat!("any-", $name), concat!("any-not-", $name)),*]
    };
}

/// All keys of the tables `only-if` and `assert`.
pub(super) const FORMS: [&str; 52] = forms!(
    "exists",
    "glob",
    "directory",
    "executable",
    "not-empty",
    "writable",
    "mounted",
    "virtualization",
    "capability",
    "ac-power",
    "kernel-arg",
    "cpus",
    "first-boot"
);

/// The form without `any-` and `not-` of a key of these tables, as the table of keys has it.
pub(super) fn plain(name: &str) -> Option<&'static str> {
    let place = FORMS.iter().position(|form| *form == name)?;
    FORMS.chunks(4).nth(place.checked_div(4)?)?.first().copied()
}

pub(super) const KEYS: [Key; 17] = [
    key(
        IN,
        "only-if",
        "a table of conditions",
        "",
        r#"{ exists = "/etc/ssh/sshd_config", not-virtualization = "container" }"#,
        "Conditions for a start: `only-if.exists = \"/etc/x\"`. While one does not hold, the \
         service is skipped, with the reason. That is no failure: whoever needs, wants or \
         follows it starts as if it were there; only what is `bound-to` it waits. A list holds \
         if all of it does, `not-X` if it does not, and of all `any-X` and `any-not-X` together one \
         must. They \
         are looked at before each start, at a restart, and, of a skipped service, when \
         somebody starts it or what needs it, or the file is applied; a skipped one does not come \
         by itself, and holds no sockets. Paths are those that finit sees, whatever `root` says.",
    ),
    key(
        IN,
        "assert",
        "a table of conditions",
        "",
        r#"{ directory = "/srv" }"#,
        "The same conditions as those of `only-if`, for what is a mistake if it does not hold: \
         the start fails with the reason, and is not tried again before somebody asks.",
    ),
    key(
        IN,
        "needs-path",
        PATHS,
        "",
        r#"["/dev/ttyUSB0", "/run/db.sock"]"#,
        "Paths that must exist before it starts. It waits while one is missing, holds up nobody \
         who only comes later, and comes by itself once all are there. One that goes away \
         later does not stop it.",
    ),
    key(
        IN,
        "only-if-command",
        "a command, a list of commands or a table",
        "",
        r#""/usr/bin/test -e /etc/x""#,
        "Commands run before each start, after the other conditions and before `before-start`. \
         Status 0 goes on, 1 to 254 skips the service as `only-if` does, and 255, a signal or a \
         timeout fails the start; with `may-fail` that is overlooked.",
    ),
    key(TEST, "exists", PATHS, "", r#""/etc/x""#, "Whether there is something by that name."),
    key(
        TEST,
        "glob",
        "a pattern or a list of patterns",
        "",
        r#""/etc/x/*.conf""#,
        "Whether a path matches, glob(7).",
    ),
    key(TEST, "directory", PATHS, "", r#""/srv/www""#, "Whether it is a folder."),
    key(
        TEST,
        "executable",
        PATHS,
        "",
        r#""/usr/sbin/sshd""#,
        "Whether it is a file that may be executed.",
    ),
    key(
        TEST,
        "not-empty",
        PATHS,
        "",
        r#""/etc/cron.d""#,
        "Whether it is a file with something in it, or a folder with an entry.",
    ),
    key(
        TEST,
        "writable",
        PATHS,
        "",
        r#""/var""#,
        "Whether it exists and its file system is not read-only.",
    ),
    key(TEST, "mounted", PATHS, "", r#""/srv""#, "Whether something is mounted there."),
    key(
        TEST,
        "virtualization",
        r#""yes", "no", "vm", "container" or the name of one, or a list"#,
        "",
        r#""kvm""#,
        "Whether this is a virtual machine or a container, or that one: a name as \
         systemd-detect-virt(1) has it, such as \"kvm\", \"qemu\" or \"docker\".",
    ),
    key(
        TEST,
        "capability",
        "a capability or a list of capabilities",
        "",
        r#""net_admin""#,
        "Whether PID 1 and what it starts may have that capability (its bounding set, \
         capabilities(7)).",
    ),
    key(
        TEST,
        "ac-power",
        YES,
        "",
        "true",
        "Whether the machine runs on mains power, as far as it can tell.",
    ),
    key(
        TEST,
        "kernel-arg",
        "a word or a list of words",
        "",
        r#""debug""#,
        "Whether /proc/cmdline has that word: `\"word\"` also for `word=anything`, \
         `\"word=value\"` for that alone.",
    ),
    key(
        TEST,
        "cpus",
        "a number with a comparison, or a list of them",
        "",
        r#"">=2""#,
        "How many processors finit may use: `\">=2\"`, `\"<8\"`, `\"=1\"`, `\"!=1\"`; a number \
         alone is the least.",
    ),
    key(
        TEST,
        "first-boot",
        YES,
        "",
        "true",
        "Whether the step `machine-id` found no machine id, so that this machine has never run \
         before. A service of the stage `early` comes before that is known, unless it is \
         `after` that step.",
    ),
];
