//! `finitctl freeze`: the kernel has all of a service stand still.

use serde_json::Value;

use crate::machine::{Machine, Plan};

/// Counts as fast as it can, in itself and in a child.
const COUNTER: &str = r#"
    [service.count]
    command = "/bin/sh -c '(while :; do echo >>/out/child; sleep 0.01; done) & while :; do echo >>/out/main; sleep 0.01; done'"
    reload = "touch /out/reloaded"
"#;

impl Machine {
    /// What its counters have come to.
    fn counts(&self) -> [usize; 2] {
        ["/out/main", "/out/child"].map(|file| self.read(file).len())
    }

    /// Waits until both have got on.
    fn counts_on(&self) {
        let before = self.counts();
        self.wait("both count", |m| {
            let now = m.counts();
            (now[0] > before[0] && now[1] > before[1]).then_some(())
        });
    }

    /// A line of a file of the control group of a service.
    fn group(&self, name: &str, file: &str, line: &str) -> bool {
        let folder = self.status(name)["cgroup"].as_str().expect("a group").to_owned();
        self.sh(&format!("cat {folder}/{file}")).text.lines().any(|known| known == line)
    }
}

fn who(status: &Value) -> String {
    status["frozen"]["by"].to_string()
}

#[test]
fn sd30_all_of_a_service_stands_still_and_goes_on_where_it_was_over_an_apply_and_an_upgrade() {
    let machine = Machine::boot(COUNTER);
    machine.booted();
    machine.appears("/out/main");
    machine.appears("/out/child");
    machine.counts_on();
    let pid = machine.main_pid("count");
    let said = machine.order(&["freeze", "count"]);
    assert!(
        said.contains("count: up (pid") && said.contains("frozen since 0 s by finitctl"),
        "{said}"
    );
    // The kernel has said so before the order was done.
    assert!(machine.group("count", "cgroup.events", "frozen 1"));
    let before = machine.counts();
    assert!(machine.order(&["freeze", "count"]).contains("already"));
    machine.order(&["apply"]);
    machine.hang_up();
    machine.order(&["upgrade"]);
    let status = machine.until("count", "up");
    assert!(who(&status).contains("finitctl (pid "), "{status}");
    let said = machine.order(&["status", "count"]);
    assert!(said.starts_with("count: up (frozen) since "), "{said}");
    for words in [&["why", "count"][..], &["list", "--frozen"], &["status"]] {
        let said = machine.order(words);
        assert!(said.contains("frozen since "), "{words:?}: {said}");
    }
    assert_eq!(machine.counts(), before);
    let said = machine.order(&["thaw", "count"]);
    assert!(said.starts_with("count: up (pid"), "{said}");
    assert!(machine.group("count", "cgroup.freeze", "0"));
    machine.counts_on();
    assert_eq!(machine.main_pid("count"), pid);
    assert_eq!(machine.order(&["thaw", "count"]).trim(), "count is not frozen");
}

#[test]
fn sd30_a_stop_a_restart_and_a_reload_wake_what_is_frozen() {
    let machine = Machine::boot(COUNTER);
    machine.appears("/out/child");
    machine.order(&["freeze", "count"]);
    let said = machine.order(&["reload", "count"]);
    assert!(said.contains("count was frozen, and goes on for this"), "{said}");
    machine.appears("/out/reloaded");
    machine.counts_on();
    let pid = machine.main_pid("count");
    machine.order(&["freeze", "count"]);
    machine.order(&["restart", "count"]);
    machine.counts_on();
    assert!(machine.main_pid("count") != pid);
    machine.order(&["freeze", "count"]);
    machine.order(&["stop", "count"]);
    let status = machine.until("count", "stopped");
    // Who is asleep does not hear this.
    assert_eq!(status["detail"]["last_exit"], "killed by SIGTERM");
    assert_eq!(status["frozen"], Value::Null);
    let said = machine.ctl(&["freeze", "count"]);
    assert_eq!(said.code, 3, "{}", said.text);
    assert!(said.text.contains("only what has a main process that runs"), "{}", said.text);
}

#[test]
fn a_frozen_service_that_is_killed_starts_awake() {
    let machine = Machine::boot(COUNTER);
    machine.appears("/out/child");
    let pid = machine.main_pid("count");
    machine.order(&["freeze", "count"]);
    machine.sh(&format!("kill -9 {pid}"));
    machine.wait("another one", |m| {
        let status = m.status("count");
        let is_new = status["state"] == "up" && status["pid"] != pid;
        is_new.then(|| assert_eq!(status["frozen"], Value::Null))
    });
    machine.counts_on();
}

/// Its watchdog time passes while it is frozen, and once more after that.
#[test]
fn a_watchdog_does_not_bite_who_is_frozen() {
    let machine = Machine::boot(
        "[service.dog]\nready = \"notify\"\nnotify-from = \"any\"\nwatchdog = \"1s\"\n\
         command = \"/bin/sh -c 'systemd-notify --ready; while :; do systemd-notify WATCHDOG=1; sleep 0.05; done'\"\n\
         [service.sand]\ncommand = \"/bin/sh -c 'sleep 1.5; touch /out/later; exec sleep 1d'\"\nstart = \"manual\"\n",
    );
    machine.until("dog", "up");
    let pid = machine.main_pid("dog");
    machine.order(&["freeze", "dog"]);
    machine.order(&["start", "sand"]);
    machine.appears("/out/later");
    machine.order(&["thaw", "dog"]);
    machine.forget("/out/later");
    machine.order(&["restart", "sand"]);
    machine.appears("/out/later");
    assert_eq!(
        (machine.main_pid("dog"), machine.status("dog")["restarts"].as_u64()),
        (pid, Some(0))
    );
}

#[test]
fn without_control_groups_it_says_what_is_missing() {
    let machine = Plan::new().with("cgroup=no").boot(COUNTER);
    machine.appears("/out/child");
    let said = machine.ctl(&["freeze", "count"]);
    assert_eq!(said.code, 1, "{}", said.text);
    assert!(said.text.contains("have cgroup2 mounted on /sys/fs/cgroup"), "{}", said.text);
    machine.counts_on();
    assert_eq!(machine.status("count")["frozen"], Value::Null);
}

#[test]
fn a_shutdown_wakes_all() {
    let machine = Machine::boot(COUNTER);
    machine.appears("/out/child");
    machine.order(&["freeze", "count"]);
    drop(machine.connect().ask("poweroff"));
    assert_eq!(machine.ended(), "SIGNAL 2");
}
