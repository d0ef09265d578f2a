//! Keys of services and tasks that say as whom they run.

use super::{Key, key};

const IN: &str = "service";

pub(super) const KEYS: [Key; 5] = [
    key(
        IN,
        "user",
        "a user name or number",
        "root",
        r#""nobody""#,
        "Who runs it: `\"user\"`, `\"user:group\"` or a number. A user that does not exist \
         is a failed start; it never runs as root instead.",
    ),
    key(IN, "group", "a group name or number", "the user's own", r#""nogroup""#, "Its group."),
    key(
        IN,
        "groups",
        "a name or a list of names",
        "the user's own",
        r#"["audio"]"#,
        "Its further groups, instead of those that the user is in.",
    ),
    key(
        IN,
        "dynamic-user",
        "true or false",
        "false",
        "true",
        "Runs it as a user and a group of its own, which exist only while it runs: a number from \
         61184 to 65519 that no user, group, process or other service has, the same one at each \
         start if that is free. It has no entry in passwd(5); `finitctl status` shows it. USER and \
         LOGNAME are the name of the service, HOME is `/`. Each instance has its own; the \
         connections of one `inetd` share one. `groups` can stand beside it, `user` and `group` \
         cannot. Its programs never gain rights by execve(2). Objects of System V IPC, sysvipc(7), \
         that it leaves are removed once it is down and nobody of it lives. Its files in places \
         where all may write, such as /tmp, /var/tmp and /dev/shm, and its POSIX message queues \
         stay, and belong to whoever has that number next: unlike DynamicUser= of systemd.exec(5) \
         it hides no folders.",
    ),
    key(
        IN,
        "capabilities",
        "a name or a list of names",
        "",
        r#""net-bind-service""#,
        "Pieces of root's power that it keeps though its user is not root, by their names in \
         capabilities(7), with or without `CAP_`: `\"net-bind-service\"` for ports below 1024. Its \
         programs have them whatever their files say (ambient capabilities), and so has all that \
         they start; all others are gone. Hooks keep them as well, but for one with a `user` of its \
         own, which has none, like the commands with `+` or `!` of systemd. One that finit itself \
         may not have, in a container, is a failed start.",
    ),
];
