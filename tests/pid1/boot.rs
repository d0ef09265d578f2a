//! Whatever the file and the descriptors look like, there is a machine and a way to talk to it.

use std::fs::File;
use std::io::Read;

use crate::machine::{Machine, Plan};
use crate::shipped::terminal;

/// A machine that has nothing to run still takes orders and lets a person in.
fn has_login_and_banner(machine: &Machine, banner: &str) {
    machine.until("console-login", "up");
    let status = machine.ctl(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.text.contains(banner), "no {banner:?} in\n{}", status.text);
}

#[test]
fn a_missing_file_boots_to_a_login_and_says_so() {
    let machine = Plan::new().boot_as_is();
    has_login_and_banner(&machine, "/etc/finit.toml could not be read");
}

#[test]
fn a_broken_file_boots_to_a_login_says_where_and_starts_what_is_good() {
    let machine =
        Machine::boot("[service.good]\ncommand = \"/programs/idle\"\n[service.bad]\ncomand = 1\n");
    has_login_and_banner(&machine, "did you mean");
    machine.until("good", "up");
    machine.until_shown("finit.toml");
    // The file may be for root alone, and so is what stands in it.
    let said = machine.run(&["setpriv", "--reuid=1000", "--clear-groups", "finitctl", "status"]);
    let (said, warning) = (said.text, "has 1 error(s), see `finitctl check`\n");
    assert!(said.contains(warning) && !said.contains("comand = 1"), "{said}");
}

#[test]
fn whatever_stands_in_the_place_of_the_file_there_is_a_login_and_the_reason() {
    let name = "/etc/finit.toml";
    let huge = format!("# {}\n", "x".repeat(2 << 20));
    for (path, text, reason) in [
        (name, "\u{7f}ELF\u{2}\u{1}\0\0\u{1b}[2J", "error(s), see `finitctl check`"),
        (name, huge.as_str(), "it is longer than 1 MiB"),
        ("/etc/finit.toml/a-file-in-a-folder", "", "it is no regular file"),
        ("/etc/finit.toml.d/b.toml/a-file-in-a-folder", "", "it is no regular file"),
    ] {
        let machine = Plan::new().file(path, text).boot_as_is();
        has_login_and_banner(&machine, reason);
    }
}

/// A last good copy has logins that ask for a user. Where there is none, nobody gets in.
#[test]
fn an_empty_etc_boots_to_a_shell_and_a_lost_file_to_the_last_good_copy() {
    let copy = "/var/lib/finitd/last-good/finit.toml";
    let kept = "[service.kept]\ncommand = \"/programs/idle\"\n";
    let machine = Plan::new().file(copy, kept).without_users().boot_as_is();
    has_login_and_banner(&machine, "/etc/finit.toml could not be read");
    machine.until_shown("# ");

    // What a crash in the middle of writing leaves has lost as much.
    for plan in [Plan::new(), Plan::new().file("/etc/finit.toml", "")] {
        let machine = plan.file(copy, kept).boot_as_is();
        machine.until("kept", "up");
        let status = machine.ctl(&["status"]).text;
        assert!(status.contains("booted from the last good copy"), "{status}");
        assert!(!status.contains("console-login"), "{status}");
        machine.write("/etc/finit.toml", "\n");
        let said = machine.ctl(&["apply"]);
        assert!(said.code == 1 && said.text.contains("this file is empty"), "{said:?}");
        machine.until("kept", "up");
        assert_eq!(std::fs::read_to_string(machine.path(copy)).unwrap(), kept);
    }
}

/// One boot with another file is a look at it: it neither takes the place of what the machine is
/// otherwise, nor is that good for it.
#[test]
fn each_file_has_a_last_good_copy_of_its_own() {
    let idle = |name: &str| format!("[service.{name}]\ncommand = \"/programs/idle\"\n");
    let copy = "/var/lib/finitd/last-good/finit.toml";
    let lean_copy = "/var/lib/finitd/last-good-of/etc/lean.toml/last-good/finit.toml";
    let plan = |lean: &str| {
        let plan = Plan::new().file(copy, &idle("kept")).file("/etc/lean.toml", lean);
        plan.told(&["finit.config=/etc/lean.toml"])
    };
    let machine = plan(&idle("lean")).boot_as_is();
    machine.until("lean", "up");
    // In a container none is kept; this is the child that keeps one on a machine.
    let source = serde_json::json!({"path": "/etc/lean.toml", "text": idle("lean")});
    let good = serde_json::json!({"main": "/etc/lean.toml", "sources": [source]});
    machine.write("/tmp/good", &good.to_string());
    let said = machine.run(&["/usr/sbin/finit", "--keep-config", "/tmp/good"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(machine.read(lean_copy), idle("lean"));
    assert_eq!(machine.read(copy), idle("kept"));

    let broken = "[service.lean]\ncomand = 1\n";
    let machine = plan(broken).boot_as_is();
    has_login_and_banner(&machine, "did you mean");
    assert_eq!(machine.status("kept")["state"], serde_json::Value::Null);

    let machine = plan(broken).file(lean_copy, &idle("lean")).boot_as_is();
    machine.until("lean", "up");
    let status = machine.ctl(&["status"]).text;
    assert!(status.contains(&format!("booted from the last good copy, {lean_copy}")), "{status}");
}

/// What is wrong with the file is known since the boot; only an edit since then is a reason to
/// start nothing.
#[test]
fn beside_a_file_that_was_broken_at_the_boot_services_are_started_and_restarted() {
    let plan = || {
        let kept = "[service.kept]\ncommand = \"/programs/idle\"\n";
        Plan::new().file("/var/lib/finitd/last-good/finit.toml", kept)
    };
    let broken = "[service.kept]\ncomand = 1\n";
    for plan in [plan(), plan().file("/etc/finit.toml", broken)] {
        let machine = plan.boot_as_is();
        machine.until("kept", "up");
        for order in [["restart", "kept"], ["stop", "kept"], ["start", "kept"]] {
            let said = machine.order(&order);
            assert_eq!(said.contains("is still broken"), order[0] != "stop", "{said}");
        }
        machine.until("kept", "up");
        machine.write("/etc/finit.toml", &format!("# edited\n{broken}"));
        let said = machine.ctl(&["restart", "kept"]);
        assert!(said.code == 1 && said.text.contains("did you mean `command`?"), "{said:?}");
    }
}

#[test]
fn a_file_without_services_boots_and_takes_orders() {
    let machine = Machine::boot("# nothing\n");
    machine.booted();
    assert_eq!(machine.ctl(&["status"]).code, 0);
}

#[test]
fn signals_bring_back_the_control_socket_and_a_shell_for_repairs() {
    let machine = Machine::boot("# nothing\n");
    machine.booted();
    std::fs::remove_file(machine.path("/run/initctl")).unwrap();
    machine.signal_pid1(libc::SIGUSR1);
    machine.wait("the control socket", |m| m.exists("/run/initctl").then_some(()));
    assert_eq!(machine.ctl(&["status"]).code, 0);
    machine.signal_pid1(libc::SIGWINCH);
    machine.until("rescue-shell", "up");
}

/// C5: what is in the place of the control socket keeps nothing else from being there, is told
/// once, and when it is gone nobody has to ask for the socket.
#[test]
fn c5_a_control_socket_that_cannot_be_made_is_made_as_soon_as_it_can() {
    let toml = "[task.later]\nscript = \"sleep 2; echo >/out/later\"\n";
    let plan = Plan::new().file("/etc/finit.toml", toml).file("/run/initctl/in-the-way", "");
    let machine = plan.start();
    // It was tried more than once by then.
    machine.appears("/out/later");
    let line = "control socket /run/initctl";
    machine.until_shown(line);
    let told = |machine: &Machine| machine.console().matches(line).count();
    assert_eq!(told(&machine), 1, "{}", machine.console());
    std::fs::remove_dir_all(machine.path("/run/initctl")).unwrap();
    machine.wait("the control socket", |m| m.try_request(r#"{"method":"ping"}"#));
    assert_eq!(told(&machine), 1, "{}", machine.console());
}

/// Nobody is locked out by a file: the folder of another socket is made, and where that cannot be,
/// nothing of the file is followed.
#[test]
fn a_control_socket_moves_with_its_file_or_the_file_is_not_followed() {
    let moved = |path: &str| {
        format!("[control]\nsocket = \"{path}\"\n[service.new]\ncommand = \"/programs/idle\"\n")
    };
    let machine = Machine::boot("# nothing\n");
    machine.booted();
    machine.write("/run/taken", "");
    machine.write("/etc/finit.toml", &moved("/run/taken/ctl"));
    for _ in 0..2 {
        let said = machine.ctl(&["apply"]);
        assert_eq!(said.code, 5, "{said:?}");
        assert!(said.text.contains("/run/taken/ctl"), "{said:?}");
    }
    assert_eq!(machine.ctl(&["status", "new"]).code, 4);
    machine.write("/etc/finit.toml", &moved("/run/finit/deep/ctl"));
    machine.order(&["apply"]);
    let ctl = |words: &str| machine.sh(&format!("finitctl --socket /run/finit/deep/ctl {words}"));
    machine.wait("the service", |_| (ctl("status new").code == 0).then_some(()));
    machine.wait("the old one to go", |m| (!m.exists("/run/initctl")).then_some(()));
    // There and back.
    machine.write("/etc/finit.toml", "# nothing\n");
    assert_eq!(ctl("apply").code, 0);
    assert_eq!(machine.ctl(&["status"]).code, 0);
    assert!(!machine.exists("/run/finit/deep/ctl"));
}

/// I9: a container is started in any folder, which a mount may be on.
#[test]
fn i9_pid_1_stands_in_the_root() {
    let machine = Machine::boot("# nothing\n");
    assert_eq!(machine.sh("readlink /proc/1/cwd").text, "/\n");
}

#[test]
fn sighup_follows_an_edited_file_and_tells_of_a_broken_one() {
    let service = |name: &str| format!("[service.{name}]\ncommand = \"/programs/idle\"\n");
    let machine = Machine::boot(&service("old"));
    machine.booted();
    let old = machine.main_pid("old");
    let edited = service("old") + &service("new");
    machine.write("/etc/finit.toml", &edited);
    machine.signal_pid1(libc::SIGHUP);
    let new = machine.main_pid("new");
    machine.write("/etc/finit.toml", &format!("{edited}comand = 1\n[service.third]\n"));
    machine.signal_pid1(libc::SIGHUP);
    machine.until_shown("finit.toml:6");
    assert_eq!(["old", "new"].map(|name| machine.main_pid(name)), [old, new]);
    assert!(machine.list().iter().all(|service| service["name"] != "third"));
}

/// The kernel opens a console for PID 1, or it cannot: then any of its first descriptors may
/// become that of something else.
#[test]
fn without_descriptors_and_console_services_still_have_theirs() {
    for closed in 0..8 {
        let plan = Plan::new().without_console().with(&format!("closed={closed}"));
        let machine =
            plan.boot("[service.m]\ncommand = \"/programs/mirror /out/m\"\nlog = \"none\"\n");
        let seen = machine.appears("/out/m");
        let fds: Vec<&str> = seen.lines().filter(|line| line.starts_with("fd ")).collect();
        assert_eq!(fds, ["fd 0 /dev/null", "fd 1 /dev/null", "fd 2 /dev/null"], "closed={closed}");
        let own = std::fs::read_link(format!("/proc/{}/fd/0", machine.pid)).unwrap();
        assert_eq!(own.to_str().unwrap(), "/dev/null", "closed={closed}");
    }
}

/// Waits for the prompt of a shell on a screen.
fn prompts(machine: &Machine, mut screen: File) {
    let mut shown = Vec::new();
    machine.wait("a shell's prompt", |_| {
        // Until somebody has opened it, nothing can be read.
        screen.read_to_end(&mut shown).ok();
        String::from_utf8_lossy(&shown).contains("# ").then_some(())
    });
}

/// Where the kernel was told of a device for its console that is not there, people sit at another.
/// Without /proc this is no container: such a one may have the screen of its host.
#[test]
fn a_console_that_does_not_open_costs_no_login() {
    let plan = || Plan::new().with("lacks=p").without_console().without_users();
    let machine = plan().start();
    prompts(&machine, terminal(&machine, "tty1"));

    let container = Plan::new().without_console().boot_as_is();
    let _screen = terminal(&container, "tty1");
    container.wait("no login there", |m| {
        let login = m.status("console-login");
        assert_ne!(login["state"], "up");
        (login["restarts"].as_u64() >= Some(2)).then_some(())
    });

    // Whoever has that terminal keeps it, but for repairs; another comes to the next one.
    let file = "[service.getty]\ncommand = \"/programs/diarist /out/diary getty\"\ntty = \"tty1\"\n\
                before-start = \"/bin/sh -c 'until [ -e /dev/ttyAMA0 ]; do sleep 0.1; done'\"\n\
                [service.own]\nscript = \"[ -t 0 ] && echo >/out/own\"\ntty = \"console\"\n\
                after = \"getty\"\nrestart = \"never\"\n";
    let machine = plan().file("/etc/finit.toml", file).start();
    let screen = terminal(&machine, "tty1");
    let _line = terminal(&machine, "ttyAMA0");
    machine.appears("/out/own");
    machine.wait("the getty", |m| m.read("/out/diary").contains("getty begins").then_some(()));
    machine.signal_pid1(libc::SIGWINCH);
    prompts(&machine, screen);
    machine.wait("the getty to leave it", |m| (m.ends() == ["getty"]).then_some(()));
}

/// L1: whatever a container does not give, alone and together: a console, devices, control groups
/// that may be changed, capabilities, /proc.
#[test]
fn l1_a_poor_container_boots_runs_and_ends() {
    for number in 0..32 {
        let missing = "ndgcp".chars().enumerate().filter(|(bit, _)| number & 1 << bit != 0);
        let lacks: String = missing.map(|(_, letter)| letter).collect();
        let [no_console, no_capability, no_proc] = ['n', 'c', 'p'].map(|one| lacks.contains(one));
        let plan = Plan::new().with(&format!("lacks={lacks}"));
        let plan = if no_console { plan.without_console() } else { plan };
        let file = "[service.is]\ncommand = \"/programs/idle /out/is\"\n";
        let machine = plan.file("/etc/finit.toml", file).start();
        machine.appears("/out/is");
        if !no_proc {
            // Its socket is given its mode there.
            machine.wait("the control socket", |m| m.try_request(r#"{"method":"ping"}"#));
            machine.booted();
            let pid = machine.main_pid("is");
            machine.order(&["restart", "is"]);
            assert_ne!(machine.main_pid("is"), pid, "{lacks}");
        } else if no_capability {
            // It may not end the machine, nor does it know that this is none: who made it ends it.
            continue;
        }
        machine.signal_pid1(libc::SIGRTMIN() + 4);
        let end = if no_capability { "EXIT 0" } else { "SIGNAL 2" };
        assert_eq!(machine.ended(), end, "{lacks}");
    }
}

/// A11: another init crashed when its console was hung up.
#[test]
fn a11_a_console_that_is_hung_up_again_and_again_costs_no_line() {
    let machine = Machine::boot(
        "[service.talker]\ncommand = \"/programs/idle\"\nstart = \"manual\"\n\
         [service.writer]\ncommand = \"/bin/echo so it is\"\nlog = \"console\"\n\
         start = \"manual\"\nrestart = \"never\"\n",
    );
    machine.booted();
    let mut before = None;
    for round in 1..=100 {
        let hung_up = machine.run(&["/programs/hangup"]);
        assert_eq!(hung_up.code, 0, "{hung_up:?}");
        machine.order(&["restart", "talker", "writer"]);
        for line in ["talker is up", "so it is"] {
            machine.wait(line, |m| (m.console().matches(line).count() == round).then_some(()));
        }
        before.get_or_insert_with(|| machine.pid1_descriptors());
    }
    assert!(!machine.console().contains("lines lost"), "{}", machine.console());
    machine.wait("no descriptor more", |m| (Some(m.pid1_descriptors()) <= before).then_some(()));
}

/// I1: a console that is stopped with ^S holds up nobody, and gets what it missed: up to a bound,
/// and then how much that was.
#[test]
fn i1_a_console_that_is_stopped_gets_what_it_missed_later() {
    let long = "x".repeat(100);
    let talker = |n: usize| {
        format!("[service.talker{n}-{long}]\ncommand = \"/programs/idle\"\nstart = \"manual\"\n")
    };
    let machine = Machine::boot(&(0..100).map(talker).collect::<String>());
    machine.booted();
    let shown = |machine: &Machine| machine.console().matches("x is up").count();
    machine.stop_console(true);
    machine.order(&["restart", "talker*"]);
    assert_eq!(shown(&machine), 0);
    machine.stop_console(false);
    machine.wait("what was missed", |m| (shown(m) == 100).then_some(()));
    machine.stop_console(true);
    for _ in 0..6 {
        machine.order(&["restart", "talker*"]);
    }
    machine.stop_console(false);
    // The first that has room tells how many had none.
    machine.order(&["restart", &format!("talker0-{long}")]);
    machine.wait("what had no room", |m| {
        let console = m.console();
        let (before, _) = console.split_once(" lines lost on this console")?;
        let (_, lost) = before.rsplit_once("finit: ")?;
        let lost: usize = lost.parse().expect("a number");
        (shown(m) + lost == 701).then_some(())
    });
}

/// L3: whoever made the machine has mounted them, with their own options.
#[test]
fn l3_what_is_mounted_already_is_left_alone() {
    let machine = Plan::new().file("/run/before", "").boot("# nothing\n");
    machine.booted();
    let table = machine.sh("cat /proc/self/mountinfo").text;
    for place in ["/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/run"] {
        let mounts = table.lines().filter(|line| line.split(' ').nth(4) == Some(place));
        assert_eq!(mounts.count(), 1, "{place}\n{table}");
    }
    assert!(machine.exists("/run/before"));
}

/// I6: with one, ^C would be a SIGINT to PID 1, which restarts the machine. Nobody else takes the
/// console, so that any open(2) of PID 1 could make it its own.
#[test]
fn i6_pid_1_has_no_terminal() {
    let machine =
        Machine::boot("[service.m]\ncommand = \"/bin/echo so it is\"\nlog = \"console\"\n");
    machine.booted();
    machine.until_shown("so it is");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", machine.pid)).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    // State, parent, group, session, terminal; proc_pid_stat(5).
    assert_eq!(fields.split_whitespace().nth(4), Some("0"), "{stat}");
}

/// Whoever sits at the machine: what the file has for repairs is no reason to let nobody in, and
/// who has the console leaves it, or the two would hang each other up for ever.
#[test]
fn the_rescue_login_of_the_keyboard_comes_or_says_why_not() {
    let machine = Machine::boot(
        "[service.ear]\ncommand = \"/programs/serve\"\ninetd = \"22\"\ntargets = [\"default\", \"rescue\"]\n\
         [service.getty]\ncommand = \"/programs/idle\"\ntty = \"console\"\n\
         [target.emergency]\nwants = \"getty\"\n",
    );
    let pid = machine.main_pid("getty");
    machine.order(&["hold", "rescue-shell"]);
    machine.signal_pid1(libc::SIGWINCH);
    machine.until_shown("rescue-shell is held");
    assert_eq!(machine.main_pid("getty"), pid);
    machine.order(&["unhold", "rescue-shell"]);
    machine.signal_pid1(libc::SIGWINCH);
    let shell = machine.main_pid("rescue-shell");
    machine.until("getty", "stopped");
    assert_eq!(
        (machine.main_pid("rescue-shell"), &machine.status("rescue-shell")["restarts"]),
        (shell, &0.into())
    );
    let back = "to go back: finitctl stop rescue-shell; finitctl start getty";
    machine.until_shown(back);
}

/// What a file has in a target for repairs is often no login: that is the one thing they are for.
#[test]
fn the_words_for_repairs_lead_to_a_shell_whatever_the_file_has_there() {
    let file = "[service.ear]\ncommand = \"/programs/serve\"\ninetd = \"22\"\n\
                targets = [\"default\", \"rescue\"]\n[target.emergency]\n";
    let own = include_str!("../../config/examples/rescue.toml");
    for (word, file, shell) in [
        ("single", file, "rescue-shell"),
        ("emergency", file, "rescue-shell"),
        ("emergency", own, "rescue-shell"),
        ("single", own, "repair-shell"),
    ] {
        let machine = Plan::new().told(&[word]).boot(file);
        machine.until(shell, "up");
    }
}
