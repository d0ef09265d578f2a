//! Files of variables on a real machine.

use crate::machine::Machine;

/// Mounts a file system at /out/dead that never answers.
pub const DEAD: &str = "\
import ctypes, os, time
fd = os.open('/dev/fuse', os.O_RDWR)
os.mkdir('/out/dead')
words = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fd
assert ctypes.CDLL(None).mount(b'dead', b'/out/dead', b'fuse', 0, words) == 0
os.mkdir('/out/mounted')
time.sleep(1000)
";

#[test]
fn one_on_a_file_system_that_does_not_answer_stops_nobody_but_its_service() {
    let machine = crate::machine::Plan::new().file("/etc/dead.py", DEAD).boot(
        "[service.dead]\ncommand = \"/usr/bin/python3 /etc/dead.py\"\nready = \"file:/out/mounted\"\n\
         before-start = \"/bin/sh -c '[ -e /dev/fuse ] || mknod /dev/fuse c 10 229'\"\n\
         [service.web]\ncommand = \"/programs/idle\"\nenv-file = \"/out/dead/web\"\n\
         needs = \"dead\"\nstart-timeout = \"1s\"\nrestart = \"never\"\n\
         [service.other]\ncommand = \"/programs/idle\"\nenv-file = \"-/etc/default/none\"\n\
         needs = \"dead\"\n",
    );
    let failed = machine.until("web", "failed");
    let why = failed["reason"].as_str().unwrap();
    assert!(
        why.ends_with("its env-file has not been read, a file system does not answer"),
        "{why}"
    );
    machine.until("other", "up");
    machine.order(&["restart", "other"]);
}

#[test]
fn they_are_read_after_the_command_before_and_known_to_the_last_over_an_upgrade() {
    let machine = Machine::boot(
        "[service.m]\ncommand = \"/programs/mirror /out/m\"\nenv-file = \"-/run/m.env\"\n\
         before-start = \"/bin/sh -c 'echo WHO=made >/run/m.env'\"\n\
         stop.command = \"/bin/sh -c 'echo $WHO >/out/stop; kill $MAINPID'\"\n",
    );
    let seen = machine.appears("/out/m");
    assert!(seen.contains("env WHO=made\n"), "{seen}");
    machine.order(&["upgrade"]);
    machine.hang_up();
    machine.until_shown("finit was executed anew");
    machine.order(&["stop", "m"]);
    assert_eq!(machine.read("/out/stop").trim(), "made");
}

#[test]
fn one_that_is_missing_is_a_failed_start_that_says_which() {
    let machine = Machine::boot(
        "[service.web]\ncommand = \"/programs/idle\"\nenv-file = \"/etc/default/web\"\n\
         restart = \"never\"\n",
    );
    let why = "env-file /etc/default/web: No such file or directory (ENOENT)";
    assert_eq!(machine.until("web", "failed")["reason"], why);
    machine.write("/etc/default/web", "A=1\n");
    machine.order(&["start", "web"]);
}
