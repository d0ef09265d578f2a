//! What services print, from their pipe to where it is to go; named in `tests/catalogue.toml`.

use crate::machine::Machine;

/// A service that prints a line on each stream whenever it starts.
pub fn speaker(name: &str, rest: &str) -> String {
    format!(
        "[service.{name}]\n\
         command = \"/bin/sh -c 'echo {name} out; echo {name} err >&2; exec /programs/idle'\"\n{rest}"
    )
}

/// Waits until `finitctl logs` shows so many lines of a service.
pub fn lines(machine: &Machine, name: &str, count: usize) -> Vec<String> {
    machine.wait(&format!("{count} lines of {name}"), |m| {
        let said = m.order(&["logs", "-n", "100", name]);
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn ni1400_logs_the_lines_of_a_service_are_kept_over_its_restarts() {
    let machine = Machine::boot(&speaker("web", ""));
    assert_eq!(lines(&machine, "web", 2).len(), 2);
    for _ in 0..3 {
        machine.order(&["restart", "web"]);
    }
    let all = lines(&machine, "web", 8);
    let of = |word: &str| all.iter().filter(|line| line.ends_with(word)).count();
    assert_eq!((all.len(), of("web out"), of("web err")), (8, 4, 4), "{all:?}");
}

#[test]
fn ni1401_logs_multiple_each_service_has_its_own_lines() {
    let machine = Machine::boot(&[speaker("web", ""), speaker("db", "")].concat());
    for (name, other) in [("web", "db"), ("db", "web")] {
        let all = lines(&machine, name, 2);
        assert!(all.iter().all(|line| !line.contains(&format!("{other} "))), "{all:?}");
    }
    let both = machine.order(&["logs", "-n", "100", "web", "db"]);
    assert_eq!(both.lines().count(), 4, "{both}");
}

#[test]
fn ni1402_log_reconfigure_the_lines_go_where_the_new_file_says() {
    let machine = Machine::boot(&speaker("web", ""));
    lines(&machine, "web", 2);
    machine.write("/etc/finit.toml", &speaker("web", "log = \"file:/out/web.log\"\n"));
    let pid = machine.main_pid("web");
    machine.order(&["apply"]);
    assert_eq!(machine.main_pid("web"), pid);
    machine.order(&["restart", "web"]);
    machine.wait("both lines in the other file", |m| {
        let text = m.read("/out/web.log");
        (text.contains("web out") && text.contains("web err")).then_some(())
    });
    machine.write("/etc/finit.toml", &speaker("web", "log = \"none\"\n"));
    let before = machine.read("/out/web.log");
    machine.order(&["apply"]);
    machine.until("web", "up");
    let output = machine.sh(&format!("readlink /proc/{}/fd/1", machine.main_pid("web"))).text;
    assert_eq!((output.trim(), machine.read("/out/web.log")), ("/dev/null", before));
}

#[test]
fn ho_output_redirection_both_streams_go_to_a_file_to_the_console_or_nowhere() {
    let toml = [
        speaker("file", "log = \"file:/out/file.log\"\n"),
        speaker("screen", "log = \"console\"\n"),
        speaker("silent", "log = \"none\"\n"),
    ];
    let machine = Machine::boot(&toml.concat());
    machine.wait("the lines of the first", |m| {
        let text = m.read("/out/file.log");
        (text.contains("file out") && text.contains("file err")).then_some(())
    });
    machine.wait("the lines of the second", |m| {
        let text = m.console();
        (text.contains("screen out") && text.contains("screen err")).then_some(())
    });
    let output = machine.sh(&format!("readlink /proc/{}/fd/1", machine.main_pid("silent")));
    assert_eq!(output.text.trim(), "/dev/null");
    assert!(!machine.console().contains("silent out"), "{}", machine.console());
}
