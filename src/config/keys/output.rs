//! Keys of services and tasks about what they say.

use super::{Key, key};

const IN: &str = "service";
const TARGETS: &str = r#""files", "syslog", "kmsg", "console", "none" or "file:PATH""#;

pub(super) const KEYS: [Key; 4] = [
    key(
        IN,
        "log",
        TARGETS,
        r#""files""#,
        r#""kmsg""#,
        "Where its output goes, both streams of it: `files`, a file of its own in the folder of \
         `[log]`; `syslog`, the daemon behind /dev/log; `kmsg`, the kernel's ring, kmsg(4); \
         `console`, where it writes by itself; `none`, nowhere; `file:PATH`, that file, in which \
         the name of the service stands before each line, and to which a link leads only where \
         nobody but root could have made it, symlink(7). With `tty` all that its main process \
         says is the terminal's, and this is about the commands around it; with `inetd` its \
         stdout is the connection, and this is about its stderr. A process is restarted for a \
         change only if it would have other descriptors.",
    ),
    key(
        IN,
        "log-stderr",
        TARGETS,
        "the same place as `log`",
        r#""kmsg""#,
        "Where its stderr goes, stderr(3), if not to the same place as its stdout; the words are \
         those of `log`, and `files` is its ordinary file whatever becomes of its stdout. In \
         files, `stderr: ` stands before each of these lines. Of the order of lines on both \
         streams only their times tell.",
    ),
    key(
        IN,
        "log-tag",
        "a name",
        "its own name",
        r#""%n""#,
        "What stands before its lines in syslog (the tag of RFC 3164, syslog(3)), in the kernel's \
         ring and in a `file:PATH`, instead of its name. A service writes to the console by \
         itself, without a name; with this key finit writes its lines there, each with the tag \
         before it, and what the console does not take at once is lost and counted.",
    ),
    key(
        IN,
        "log-max",
        r#"a size or "never""#,
        "`max-size` of `[log]`",
        r#""10M""#,
        "Bytes after which a file of its lines is rotated: its own file, or a `file:PATH`, in \
         which the smallest size counts of those that all its services say. `keep` of `[log]` \
         says how many are kept; `\"never\"` is for who has logrotate(8) do it.",
    ),
];
