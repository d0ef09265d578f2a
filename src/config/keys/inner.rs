//! Keys of the tables within services and tasks: how to stop and restart, hooks, sockets.

use super::{Key, key};

const STRINGS: &str = "a string or a list of strings";
const DURATION: &str = "a duration";
const BOOLEAN: &str = "true or false";
const STRING: &str = "a string";
const MODE: &str = "a mode in quotes";
const USER: &str = "a user name or number";
const INTEGER: &str = "an integer";
const STOP: &str = "service.stop";
const RESTART: &str = "service.restart";
const HOOK: &str = "service.hook";
const SOCKET: &str = "service.socket";
const READY: &str = "service.ready";
const SCHEDULE: &str = "service.schedule";
const WATCH: &str = "service.watch";
const PATHS: &str = "a path or a list of paths";

pub(super) const KEYS: [Key; 46] = [
    key(
        READY,
        "command",
        "a command or a table",
        "",
        r#""/bin/true""#,
        "Run until it ends with success: then the service is up.",
    ),
    key(
        SCHEDULE,
        "at",
        "a time or a list of times",
        "",
        r#""mon..fri 09:30""#,
        "Times of the calendar.",
    ),
    key(SCHEDULE, "every", DURATION, "", r#""15m""#, "How long after the last time the next is."),
    key(SCHEDULE, "after-boot", DURATION, "", r#""5m""#, "Once, so long after the machine began."),
    key(
        SCHEDULE,
        "after-enable",
        DURATION,
        "",
        r#""1m""#,
        "Once, so long after the task was taken in.",
    ),
    key(
        SCHEDULE,
        "jitter",
        DURATION,
        r#""0s""#,
        r#""10m""#,
        "At most so much later, by chance, so that not everything begins at once.",
    ),
    key(
        SCHEDULE,
        "catch-up",
        BOOLEAN,
        "false",
        "true",
        "Whether a time of the calendar that passed while the machine was off is made up for, once.",
    ),
    key(
        SCHEDULE,
        "zone",
        "the name of a time zone",
        "that of the machine",
        r#""Europe/Berlin""#,
        "The zone that the times of the calendar are meant in.",
    ),
    key(
        WATCH,
        "changed",
        PATHS,
        "",
        r#""/etc/app.conf""#,
        "Starts it when a file was closed after writing, came, went, was moved or replaced, or got \
         other attributes; of a folder, when that happened to an entry, attributes apart.",
    ),
    key(
        WATCH,
        "modified",
        PATHS,
        "",
        r#""/var/log/app.log""#,
        "The same, and with each write, before the file is closed.",
    ),
    key(
        WATCH,
        "exists",
        PATHS,
        "",
        r#""/run/reboot-required""#,
        "Starts it when there is something by that name, and again after each run while there is.",
    ),
    key(
        WATCH,
        "glob",
        "a pattern or a list of patterns",
        "",
        r#""/var/spool/app/*.job""#,
        "Starts it when a path matches, glob(7), and again after each run while one does.",
    ),
    key(
        WATCH,
        "not-empty",
        PATHS,
        "",
        r#""/var/spool/app""#,
        "Starts it when a folder has an entry, or a file something in it, and again after each run \
         while that is so.",
    ),
    key(READY, "every", DURATION, r#""1s""#, r#""5s""#, "How long until it is run again."),
    key(STOP, "signal", "a signal", r#""TERM""#, r#""INT""#, "The first signal."),
    key(STOP, "timeout", DURATION, r#""10s""#, r#""30s""#, "How long it has until SIGKILL."),
    key(
        STOP,
        "scope",
        r#""cgroup", "main", "mixed" or "none""#,
        r#""cgroup""#,
        r#""main""#,
        "Who gets the signals: all its processes, the main one alone (sshd, cron and \
         container engines, whose children should live on until the machine goes down), the \
         main one first and at the timeout all, or nobody.",
    ),
    key(
        STOP,
        "command",
        "a command or a table",
        "",
        r#""/bin/true""#,
        "Run instead of the first signal; undoes what a task has done.",
    ),
    key(STOP, "kill", BOOLEAN, "true", "false", "Whether SIGKILL follows the timeout."),
    key(
        STOP,
        "hup",
        BOOLEAN,
        "false",
        "true",
        "Whether SIGHUP follows the first signal at once, as shells want it.",
    ),
    key(
        RESTART,
        "when",
        r#""always", "on-failure", "on-crash", "on-success" or "never""#,
        r#""always", in a task "never""#,
        r#""on-failure""#,
        "After which ends it comes back: all, those that are no success, signals and \
         timeouts only, success only, or none. A start for which the machine has no process, \
         memory or descriptor is tried again after any but \"never\".",
    ),
    key(
        RESTART,
        "delay",
        DURATION,
        r#""100ms""#,
        r#""1s""#,
        "The first delay; it doubles with each restart.",
    ),
    key(RESTART, "max-delay", DURATION, r#""30s""#, r#""5m""#, "The longest delay."),
    key(
        RESTART,
        "reset",
        DURATION,
        r#""30s""#,
        r#""1m""#,
        "Up for this long, the delay starts small again.",
    ),
    key(
        RESTART,
        "burst",
        INTEGER,
        "never gives up",
        "5",
        "Gives up after this many restarts `within` a time; then it is failed until \
         somebody asks. Starts for which the machine was short of something do not count.",
    ),
    key(RESTART, "within", DURATION, r#""1m""#, r#""1m""#, "The time that `burst` counts in."),
    key(
        RESTART,
        "except",
        "a code, a signal or a list of them",
        "",
        "[111]",
        "Ends after which it does not come back, whatever else is said.",
    ),
    key(
        RESTART,
        "also",
        "a code, a signal or a list of them",
        "",
        r#"[75, "HUP"]"#,
        "Further ends after which it comes back.",
    ),
    key(
        HOOK,
        "run",
        STRINGS,
        "",
        r#""/bin/true""#,
        "What is run, written as `command` is. Where there can be several commands, as in \
         `before-start`, each item of a list is one: [\"/bin/a b\", [\"/bin/c\", \"d\"]]; in \
         `stop.command`, `ready.command` and `health.command` a list is the words of the only one.",
    ),
    key(HOOK, "may-fail", BOOLEAN, "false", "true", "Whether its failure is overlooked."),
    key(
        HOOK,
        "user",
        USER,
        "the service's own",
        r#""root""#,
        "Who runs it. That user has the groups that it is in and nothing of the service's, neither \
         its `group` and `groups` nor its `capabilities`, and gains no rights by execve(2) unless it \
         is root.",
    ),
    key(HOOK, "timeout", DURATION, "the service's own", r#""10s""#, "How long it may take."),
    key(
        SOCKET,
        "on",
        "an address",
        "",
        r#""127.0.0.1:80""#,
        "Where: a port, an address and a port, a path, `@abstract`, or one of these with \
         its kind in front, such as `udp:53`.",
    ),
    key(SOCKET, "name", STRING, "", r#""http""#, "Its name in LISTEN_FDNAMES."),
    key(SOCKET, "mode", MODE, r#""0666""#, r#""0660""#, "The permissions of its file."),
    key(SOCKET, "user", USER, "root", r#""nobody""#, "The owner of its file."),
    key(
        SOCKET,
        "group",
        "a group name or number",
        r#"that of `user`, else root"#,
        r#""nogroup""#,
        "The group of its file.",
    ),
    key(
        SOCKET,
        "backlog",
        INTEGER,
        "what the kernel allows",
        "128",
        "How many connections wait to be accepted, listen(2).",
    ),
    key(
        SOCKET,
        "unlink",
        BOOLEAN,
        "true",
        "false",
        "Whether its file is removed when finit lets go of it.",
    ),
    key(
        SOCKET,
        "v6only",
        BOOLEAN,
        "false for a bare port",
        "true",
        "Whether an IPv6 socket leaves IPv4 alone.",
    ),
    key(
        SOCKET,
        "freebind",
        BOOLEAN,
        "false",
        "true",
        "Binds an address before any interface has it.",
    ),
    key(SOCKET, "reuseport", BOOLEAN, "false", "true", "Lets several sockets share a port."),
    key(SOCKET, "keepalive", BOOLEAN, "false", "true", "Finds out about peers that are gone."),
    key(SOCKET, "nodelay", BOOLEAN, "false", "true", "Sends small packets at once."),
    key(SOCKET, "nonblocking", BOOLEAN, "false", "true", "Hands the socket over non-blocking."),
    key(SOCKET, "device", STRING, "", r#""eth0""#, "The only interface that it listens on."),
];
