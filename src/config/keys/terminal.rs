//! Keys of services and tasks: what they read from, and who is told so.

use super::{Key, key};

const IN: &str = "service";

pub(super) const KEYS: [Key; 3] = [
    key(
        IN,
        "tty",
        "the name of a terminal",
        "",
        r#""tty1""#,
        "The terminal that it runs on, a name under /dev: reset, hung up, and its \
         controlling one, with TERM set. Where \"console\" does not open on a machine, another \
         one that is there and no other service has: the screen's, or a serial line.",
    ),
    key(
        IN,
        "stdin",
        r#""null", "tty", "socket" or "file:PATH""#,
        r#""null", with `tty` "tty""#,
        r#""file:/etc/app/input""#,
        "What it reads from; commands before and after it read from nothing. A file is opened \
         anew for each start, by root and before `root` counts, and the service starts once that \
         is done: a FIFO needs somebody who writes, or else `start-timeout` is over. With \
         \"socket\" the one that `listen` names is its stdin and stdout, as inetd's `wait` has \
         it: a datagram server is started by the first datagram and reads it itself. It gets no \
         LISTEN_FDS then, and what it writes to stderr is logged. See StandardInput= in \
         systemd.exec(5).",
    ),
    key(
        IN,
        "utmp",
        "true, false, or one to four characters in quotes",
        "false",
        "true",
        "For a getty: utmp(5) and wtmp(5) tell of its terminal when it starts (INIT_PROCESS) and \
         when it has ended (DEAD_PROCESS, with its exit status), so that who(1) and last(1) show \
         nobody there who has gone. `true` names the record after the terminal of `tty`, as \
         agetty(8) does: \"1\" for tty1, else its last four characters; a name of its own goes \
         without `tty`, too. Files that are not there are not made, and one that cannot be \
         written harms nobody. See UtmpIdentifier= in systemd.exec(5).",
    ),
];
