//! Keys of services and tasks.

use super::{Key, key};

const STRINGS: &str = "a string or a list of strings";
const HOOKS: &str = "a command, a list of commands or a table";
const NAMES: &str = "a name or a list of names";
const DURATION: &str = "a duration";
const BOOLEAN: &str = "true or false";
const STRING: &str = "a string";
const MODE: &str = "a mode in quotes";
const INTEGER: &str = "an integer";

const IN: &str = "service";

pub(super) const KEYS: [Key; 52] = [
    key(
        IN,
        "command",
        STRINGS,
        "",
        r#""/usr/sbin/cron -f""#,
        "What is executed. A string is split into words as a shell would, with quotes and \
         backslashes, but no shell runs: `$VAR` alone in a word becomes as many words as \
         its value has, `${VAR}` is part of one word, `$$` is a dollar. A list of strings \
         is executed exactly as it stands.",
    ),
    key(
        IN,
        "steps",
        "a list of commands",
        "",
        r#"["/bin/true", "/bin/true"]"#,
        "The commands of a task, run one after the other until one fails. Instead of \
         `command`, in tasks only.",
    ),
    key(
        IN,
        "script",
        STRING,
        "",
        r#""echo hello""#,
        "Lines for `/bin/sh -eu`, instead of `command`. `%i`, `%I` and `%n` are replaced in \
         it; every other `%` is the shell's own.",
    ),
    key(
        IN,
        "remain",
        BOOLEAN,
        r#""true", "false" with `schedule` or `watch`"#,
        "false",
        "Whether a task that ended well counts as up, so that what needs it can start. In \
         tasks only.",
    ),
    key(
        IN,
        "ok-exit",
        r#""any" or a list of exit codes and signals"#,
        "[]",
        r#"[1, "HUP"]"#,
        "Exits that count as success beside status 0 and the signal that stops it.",
    ),
    key(IN, "description", STRING, "", r#""Secure shell""#, "One line for people."),
    key(IN, "docs", STRINGS, "", r#""man:sshd(8)""#, "Where to read more, for people."),
    key(IN, "alias", NAMES, "", r#""ssh""#, "Other names that it answers to."),
    key(
        IN,
        "enabled",
        BOOLEAN,
        "true",
        "false",
        "Whether the machine starts it by itself. A disabled one can still be started by hand.",
    ),
    key(
        IN,
        "umask",
        MODE,
        r#""022""#,
        r#""077""#,
        "The permissions that its new files do not get.",
    ),
    key(IN, "cwd", "a path", r#""/""#, r#""/var/lib/app""#, "The folder that it starts in."),
    key(
        IN,
        "root",
        "a path",
        "",
        r#""/srv/jail""#,
        "The folder that becomes its root, chroot(2). It tells of itself from there, too: with it \
         NOTIFY_SOCKET is a name without a file.",
    ),
    key(
        IN,
        "env",
        "a table of strings",
        "",
        r#"{ LANG = "C" }"#,
        "Variables for its environment, which is made from nothing: PATH, HOME, USER, \
         LOGNAME, SHELL, LANG, then these.",
    ),
    key(
        IN,
        "env-file",
        "a path or a list of paths",
        "",
        r#""-/etc/default/ssh""#,
        "Files of NAME=VALUE lines for its environment. One with a leading `-` may be missing. \
         What `env` sets counts more. They are read anew before each command of a start; what runs \
         beside or after it, and each connection with `inetd`, gets what was read last.",
    ),
    key(
        IN,
        "env-pass",
        NAMES,
        "",
        r#""container""#,
        "Variables that finit itself was started with and that are passed on.",
    ),
    key(IN, "env-unset", NAMES, "", r#""LANG""#, "Variables that are taken out again."),
    key(
        IN,
        "ready",
        r#""exec", "exit", "notify", "fd:NUMBER", "forked", "dbus:NAME", "tcp:PORT", "unix:PATH", "file:PATH" or a table"#,
        r#""exec", in a task "exit""#,
        r#""notify""#,
        "When it counts as up: `exec`, once its program is executed; `exit`, for a task, once it \
         ended well; `notify`, once it says READY=1 as sd_notify(3) does; `fd:3`, once it writes \
         a line to that descriptor, as services of s6 do; `forked`, once the started program \
         has ended well and `pidfile` names the daemon that it left, which is its main process \
         from then on; `dbus:NAME`, once somebody has that name on the system bus; `tcp:PORT`, \
         `tcp:ADDRESS:PORT` or `unix:PATH`, once somebody accepts connections there; \
         `file:PATH`, once there is such a file; `{ command, every }`, once that command ends \
         with success. One that ends before it is up has failed, whatever its exit status.",
    ),
    key(
        IN,
        "pidfile",
        "a path",
        "",
        r#""/run/app.pid""#,
        "The file in which a program that forks leaves the number of its main process; with \
         `ready = \"forked\"`. Should that be the child of another that lives on, its end is \
         noticed, but only its parent is told how it ended: it counts as a success.",
    ),
    key(
        IN,
        "notify-from",
        r#""main" or "any""#,
        r#""main""#,
        r#""any""#,
        "Whose words count (NOTIFY_SOCKET): those of its main process and of the commands around \
         it, or those of each of its processes. MAINPID= may name any process of the service; \
         should that be the child of another that lives on, its end is noticed (Linux 5.3), but \
         only its parent is told how it ended: it counts as a success. Descriptors that it \
         gives to be kept for its next start (FDSTORE=1) are let go once their other side is gone, \
         unless FDPOLL=0 comes with them.",
    ),
    key(
        IN,
        "watchdog",
        DURATION,
        "",
        r#""30s""#,
        "The longest time between two signs of life (WATCHDOG=1, sd_watchdog_enabled(3)) once it \
         is up. One that is silent for longer is ended with SIGABRT, and that is a crash.",
    ),
    key(
        IN,
        "start-timeout",
        DURATION,
        r#""60s", in a task "never""#,
        r#""60s""#,
        "How long it may take until it is up, or a task until it is done, the commands before it \
         included; `\"never\"` for as long as it likes.",
    ),
    key(
        IN,
        "start",
        r#""boot", "demand", "schedule" or "manual""#,
        r#""boot", "demand" with sockets or `watch`, "schedule" with times"#,
        r#""manual""#,
        "What starts it: reaching one of its targets, a connection to its sockets or a \
         change of its paths, the times of its schedule, or only a person or something that needs it. Its times and \
         paths, where it has any, start it in any case.",
    ),
    key(
        IN,
        "schedule",
        "a time, a list of times or a table",
        "",
        r#""daily 03:00""#,
        "Times at which a task runs: `daily 03:00`, `every 15m`, `mon..fri 09:30`, \
         `Sun *-*-1..7 01:00` and all else of OnCalendar in systemd.time(7), `cron: 0 3 * * 0` as \
         in crontab(5); a time zone may follow. A time that comes while the task still runs is \
         left out. Once it is stopped by a person it waits for a person.",
    ),
    key(
        IN,
        "watch",
        "a table of paths",
        "",
        r#"{ changed = "/etc/app.conf" }"#,
        "Paths that start it: `watch.changed = \"/etc/app.conf\"`. What comes while it runs has it \
         run once more after its end; of a service, which is then up, that is after it ended by \
         itself. A path need not exist: it is found when it comes, through every link. The \
         watching begins with the milestone `sysinit`, and nothing is missed while finit is \
         upgraded. Runs that follow on one another at once do so ever more rarely: what changes \
         again within 2 s of a run waits 100 ms, then twice as long, up to 1 s; where `exists`, \
         `glob` or `not-empty` still holds by the very same, unchanged files, up to 30 s. There are \
         no more than 200 in 2 s; what is past that waits. So a change is never lost, and no \
         failure keeps the next one from starting it again, not even one after a `burst`. TRIGGER_PATH is \
         the path that started it. Once it is stopped by a person it waits for a person.",
    ),
    key(
        IN,
        "stage",
        r#""main" or "early""#,
        r#""main""#,
        r#""early""#,
        "An early one does not wait for the boot steps, only for what it names.",
    ),
    key(
        IN,
        "targets",
        NAMES,
        r#"["default"]"#,
        r#"["default"]"#,
        "The targets that it belongs to.",
    ),
    key(
        IN,
        "wanted-by",
        NAMES,
        "",
        r#""default""#,
        "Services or targets that want it, written from this side. With it, `targets` is \
         empty unless given.",
    ),
    key(
        IN,
        "instances",
        "a list of names or a table",
        "",
        r#"["tty1", "tty2"]"#,
        "Makes this a template: NAME@INSTANCE is made for each, with `%i` for the instance. A \
         table has them found on the machine: see `instances.glob` and `instances.command`.",
    ),
    key(
        IN,
        "needs",
        NAMES,
        "",
        r#""sysinit""#,
        "What must be up first. It waits while that is not, comes by itself when it is, and \
         is stopped before it. `\"a|b\"` is either: the first is brought up, and the next one \
         when that has failed for good or cannot come. A milestone of the boot, once reached, \
         stays so, whatever becomes of those who provide it.",
    ),
    key(
        IN,
        "wants",
        NAMES,
        "",
        r#""login""#,
        "What is started and waited for; its failure is no obstacle.",
    ),
    key(
        IN,
        "after",
        NAMES,
        "",
        r#""network""#,
        "Order only: if those come up too, this comes later.",
    ),
    key(
        IN,
        "before",
        NAMES,
        "",
        r#""graphical""#,
        "Order only: if those come up too, this comes earlier.",
    ),
    key(
        IN,
        "bound-to",
        NAMES,
        "",
        r#""sshd""#,
        "As `needs`, and stopped whenever that is not up, even if it only restarts; it comes \
         back with it.",
    ),
    key(
        IN,
        "part-of",
        NAMES,
        "",
        r#""sshd""#,
        "Stopped and restarted together with those: what a person does to the whole, happens \
         to this part.",
    ),
    key(
        IN,
        "conflicts",
        NAMES,
        "",
        r#""cron""#,
        "Services that cannot run at the same time, whichever of the two says it. Who asks for \
         one stops the other; at boot, the first has it and the other waits. For a run that a \
         schedule or a watched path asks for, a service makes way as soon as the run could begin, \
         and is there again after it; a task that is at work is waited for.",
    ),
    key(
        IN,
        "on-failure",
        NAMES,
        "",
        r#""cron""#,
        "What is started when this has failed for good: a task that tells somebody, another \
         service that steps in, a target that has `wants` or `needs`. It finds MONITOR_UNIT, MONITOR_SERVICE_RESULT, \
         MONITOR_EXIT_CODE and MONITOR_EXIT_STATUS in its environment, as in systemd.exec(5): \
         the name of the one that failed, and how it ended. Where several call for the same \
         one, it is told of the failure that started it; one that comes while it is at work \
         starts nothing. Has it failed itself, it is started anew, unless that has led to this \
         failure. There is no MONITOR_INVOCATION_ID.",
    ),
    key(IN, "reload-with", NAMES, "", r#""sshd""#, "Services whose reload reloads this one, too."),
    key(
        IN,
        "provides",
        NAMES,
        "",
        r#""mail""#,
        "Names that it stands for, so that others can need \"mail\" and not the one program \
         that does it.",
    ),
    key(
        IN,
        "before-start",
        HOOKS,
        "",
        r#""/bin/mkdir -p /run/app""#,
        "Commands run before each start, in order. One that fails is a failed start.",
    ),
    key(
        IN,
        "after-start",
        HOOKS,
        "",
        r#""/bin/true""#,
        "Commands run once it is up, in order. One that fails is told and changes nothing. Of a \
         task that is up once it has ended they run after it has ended well, and it is done \
         after the last of them.",
    ),
    key(
        IN,
        "after-stop",
        HOOKS,
        "",
        r#""/bin/true""#,
        "Commands run after each end. They find SERVICE_RESULT (\"success\", \"exit-code\", \
         \"signal\", \"core-dump\", \"timeout\", \"watchdog\", \"protocol\" or \"resources\"), \
         EXIT_CODE and EXIT_STATUS in their environment, as in systemd.exec(5); so does \
         `stop.command`. A failed check of health is a \"watchdog\".",
    ),
    key(
        IN,
        "reload",
        "a signal, a command, a list of both or a table",
        "",
        r#""HUP""#,
        "How it reads its own configuration again.",
    ),
    key(
        IN,
        "restart",
        r#""always", "on-failure", "on-crash", "on-success", "never" or a table"#,
        r#""always", in a task "never""#,
        r#""on-failure""#,
        "After which ends it comes back. A table says more: how long until then, and when \
         to give up.",
    ),
    key(IN, "stop", "a table", "", r#"{ signal = "INT" }"#, "How it is stopped."),
    key(
        IN,
        "inetd",
        "an address, a list of addresses or a table",
        "",
        r#""22""#,
        "Sockets on which finit accepts: each connection gets a process of its own, as its \
         stdin and stdout. `before-start` runs once, before it accepts, and not for each \
         connection.",
    ),
    key(
        IN,
        "listen",
        "an address, a list of addresses or a table",
        "",
        r#""22""#,
        "Sockets that are open before the service runs and are handed to it (LISTEN_FDS). \
         The first connection starts it, or a person who asks for it by its name (finitctl start, \
         restart); with `start = \"boot\"` it is there without one, and the next one starts it after \
         it has ended well. They are closed where it has failed for \
         good.",
    ),
    key(
        IN,
        "inetd-max",
        INTEGER,
        "64",
        "10",
        "Most connections at once; past it, accepting pauses.",
    ),
    key(
        IN,
        "inetd-max-per-source",
        INTEGER,
        "no limit",
        "4",
        "Most connections at once from one address. Its further ones wait, at most 16 of them (128 \
         of all addresses), until one of it ends; those past that are closed, and that is told.",
    ),
    key(
        IN,
        "inetd-rate",
        r#"a rate, "NUMBER/DURATION""#,
        "no limit",
        r#""20/10s""#,
        "Most connections in a time; past it, accepting pauses.",
    ),
    key(
        IN,
        "limits",
        "a table of resource limits",
        "",
        "{ nofile = 65536 }",
        "Resource limits, setrlimit(2): a number or size, `\"unlimited\"`, or \
         `\"soft:hard\"`; `core = \"never\"` for no core dumps.",
    ),
    key(IN, "nice", INTEGER, "0", "5", "Its priority, from -20 (first) to 19 (last)."),
    key(
        IN,
        "oom-score",
        INTEGER,
        "0",
        "-500",
        "How ready the kernel is to kill it when memory runs out, from -1000 (never) to 1000.",
    ),
];
