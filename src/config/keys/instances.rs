//! Keys of `instances`, where they are found on the machine.

use super::{Key, key};

const IN: &str = "service.instances";

pub(super) const KEYS: [Key; 4] = [
    key(
        IN,
        "glob",
        "an absolute path with wildcards",
        "",
        r#""/etc/sites/*.conf""#,
        "Makes an instance of each path that matches, as glob(7) has it. They are looked for once \
         the local file systems are mounted (the boot step `find-instances`; nobody but the \
         template and its instances waits for it), and again with finitctl plan and apply, and \
         before the template is started by hand: an instance that is not there any more goes as \
         one that is taken out of a list. Whose name is none, or is there already, is left out \
         with a warning. A look that comes to nothing leaves the instances that are known.",
    ),
    key(
        IN,
        "name",
        "a string with `$1`, `$2` and so on",
        r#""$1""#,
        r#""$1-$2""#,
        "How an instance is called after its path: `$1` is what the first wildcard of `glob` \
         stands for, `$2` the second. A pattern with one wildcard can do without.",
    ),
    key(
        IN,
        "command",
        "a command",
        "",
        r#""/usr/local/lib/list-sites --names""#,
        "Makes an instance of each line that this prints, at most 64 KiB of them; empty lines are \
         skipped. It is run as root, with PATH, LANG and FINIT_SOCKET and nothing else, when \
         `glob` would be looked at. If it fails, the instances that are known stay. What needs a shell says so: \
         `[\"/bin/sh\", \"-c\", \"…\"]`.",
    ),
    key(
        IN,
        "timeout",
        "a duration",
        r#""10s""#,
        r#""2m""#,
        "How long a look may take: a file system may not answer. At most 10 minutes; finitctl \
         waits half a minute for an answer, and longer with --timeout.",
    ),
];
