//! Keys of the tables about the machine as a whole.

use super::{Key, key};

const BOOLEAN: &str = "true or false";
const STRING: &str = "a string";
const NAMES: &str = "a name or a list of names";
const DURATION: &str = "a duration";

pub(super) const KEYS: [Key; 21] = [
    key(
        "target",
        "wants",
        NAMES,
        "",
        r#"["sshd", "cron"]"#,
        "Services started with this target; it is reached whether or not they come up.",
    ),
    key(
        "target",
        "needs",
        NAMES,
        "",
        r#""network""#,
        "Services without which this target is not reached. `\"a|b\"` is either.",
    ),
    key(
        "boot",
        "hostname",
        STRING,
        "what /etc/hostname says",
        r#""box""#,
        "The name of the machine.",
    ),
    key(
        "boot",
        "fstab",
        BOOLEAN,
        "true",
        "false",
        "Whether the file systems of fstab(5) are checked and mounted and its swap is used.",
    ),
    key(
        "boot",
        "devices",
        r#""udev", "mdev" or "none""#,
        r#""udev""#,
        r#""mdev""#,
        "Who makes the device nodes: systemd-udevd or eudev, the mdev of busybox, or the kernel \
         alone.",
    ),
    key(
        "boot",
        "modules",
        "a string or a list of strings",
        "",
        r#"["loop"]"#,
        "Kernel modules to load beside those of modules-load.d(5).",
    ),
    key(
        "boot",
        "tmpfiles",
        BOOLEAN,
        "true",
        "false",
        "Whether tmpfiles.d(5) is carried out, by whichever program the system has for it.",
    ),
    key(
        "boot",
        "clock",
        BOOLEAN,
        "true",
        "false",
        "Whether the clock is set from the hardware clock.",
    ),
    key(
        "boot",
        "sysctl",
        "a table of strings and integers",
        "",
        r#"{ "vm.swappiness" = "10" }"#,
        "Kernel settings beside those of sysctl.d(5), in order. Percent signs in them stand for \
         themselves.",
    ),
    key(
        "boot",
        "random-seed",
        BOOLEAN,
        "true",
        "false",
        "Whether the random seed is kept from one boot to the next.",
    ),
    key(
        "boot",
        "keymap",
        STRING,
        "what the kernel has",
        r#""de-latin1""#,
        "The keyboard map of the console, loaded by loadkeys(1).",
    ),
    key(
        "boot",
        "skip",
        NAMES,
        "",
        r#"["fsck"]"#,
        "Boot steps that are left out. They count as done.",
    ),
    key(
        "shutdown",
        "timeout",
        DURATION,
        r#""60s""#,
        r#""60s""#,
        "For the whole way down, after which the machine goes down with whatever still runs. \
         Slow disks get more: what was written to files and is not on them yet would be lost, so \
         they are waited for as long as that gets less. It ends after 30 s in which they take \
         nothing; unmounting them is tried for some seconds more.",
    ),
    key(
        "shutdown",
        "term-wait",
        DURATION,
        r#""10s""#,
        r#""10s""#,
        "From SIGTERM to every process that is left until SIGKILL.",
    ),
    key(
        "shutdown",
        "kill-wait",
        DURATION,
        r#""15s""#,
        r#""15s""#,
        "From SIGKILL to every process that is left until going on without them. Both waits are \
         shorter where together they are more than half of `timeout`.",
    ),
    key(
        "shutdown",
        "ctrl-alt-del",
        r#""reboot", "poweroff" or "ignore""#,
        r#""reboot""#,
        r#""ignore""#,
        "What Ctrl-Alt-Del on the console does.",
    ),
    key(
        "control",
        "power-group",
        STRING,
        "root alone",
        r#""power""#,
        "A group whose members may restart the machine and turn it off.",
    ),
    key(
        "control",
        "socket",
        "a path",
        r#""/run/initctl""#,
        r#""/run/initctl""#,
        "Where finit listens for orders. finitctl finds another place than the usual one by \
         --socket or FINIT_SOCKET.",
    ),
    key(
        "log",
        "directory",
        "a path",
        r#""/var/log/finit""#,
        r#""/var/log/finit""#,
        "The folder of the log files.",
    ),
    key(
        "log",
        "max-size",
        r#"a size or "never""#,
        r#""1M""#,
        r#""512K""#,
        "Bytes after which a log file is rotated, `64K` or more.",
    ),
    key("log", "keep", "an integer", "4", "4", "How many rotated files are kept of each log."),
];
