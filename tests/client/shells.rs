//! What shells and readers get of the commands.

use std::fs;
use std::process::Command;

use finit::proto::frame::Answer;
use finit::proto::{Reply, ServiceReport, StateWord};

use super::fake::*;

fn script(shell: &str) -> String {
    let ran = Server::raw(|_| None).run(&["completions", shell]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.out
}

/// What bash completes behind these words.
fn completed(server: &Server, line: &str) -> Vec<String> {
    let file = server.folder.join("completions");
    fs::write(&file, script("bash")).unwrap();
    let folder = server.folder.display();
    // As readline takes a line apart.
    let words = line.replace('@', " @ ");
    let mut words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    if line.ends_with(' ') {
        words.push("");
    }
    let list: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = words.split_last().unwrap();
    let program = format!(
        "PATH={folder}:$PATH; . {}; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; \
         COMP_POINT=${{#COMP_LINE}}; _finitctl_words finitctl '{last}' '{}'; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        list.join(" "),
        words.len() - 1,
        before.last().unwrap(),
    );
    let usual = command(&server.folder, "finitctl", &[]);
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-uc", &program])
        .envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(&mut bash);
    assert_eq!(ran.err, "", "{line}");
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_the_names_of_services() {
    let mut report = machine();
    report.services.push(service("getty@tty1", StateWord::Up));
    report.services.push(service("getty@tty2", StateWord::Up));
    let target =
        ServiceReport { kind: "target".to_owned(), ..service("rescue", StateWord::Stopped) };
    report.services.push(target);
    let server = Server::always(Answer::Reply(Reply::Machine(Box::new(report))));
    let completed = |line: &str| completed(&server, line);
    assert_eq!(completed("finitctl sta"), ["status", "start"]);
    assert_eq!(completed("finitctl start s"), ["sshd", "swap"]);
    assert_eq!(completed("finitctl --timeout 3s st"), ["status", "start", "stop"]);
    assert_eq!(completed("finitctl stop web ft"), ["ftp"]);
    assert_eq!(completed("finitctl stop --ge"), ["--gentle"]);
    assert_eq!(completed("finitctl restart getty@"), ["tty1", "tty2"]);
    assert_eq!(
        completed("finitctl why "),
        ["sshd", "web", "ftp", "swap", "getty@tty1", "getty@tty2"]
    );
    assert_eq!(completed("finitctl target r"), ["rescue"]);
    assert_eq!(completed("finitctl completions z"), ["zsh"]);
}

#[test]
fn zsh_and_fish_ask_for_names_too() {
    let zsh = script("zsh");
    assert!(zsh.starts_with("#compdef finitctl\n"), "{zsh}");
    let asks = zsh.matches(":_finitctl_names'").count();
    assert!(asks >= 15, "{asks}\n{zsh}");
    assert!(zsh.contains("finitctl list --timeout 2s --all"), "{zsh}");
    let fish = script("fish");
    assert!(fish.contains("seen_subcommand_from status why tree logs start stop"), "{fish}");
    for shell in ["elvish", "sh", ""] {
        assert_eq!(Server::raw(|_| None).run(&["completions", shell]).code, 2);
    }
}

#[test]
fn the_manual_has_a_page_for_all_and_one_for_each_command() {
    let run = |words: &[&str]| Server::raw(|_| None).run(words);
    let page = run(&["man"]);
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    assert!(
        page.out.contains(".TH finitctl 8") && page.out.contains("finitctl\\-start(8)"),
        "{}",
        page.out
    );
    let page = run(&["man", "stop"]).out;
    assert!(page.contains(".TH finitctl-stop 8") && page.contains("\\-\\-gentle"), "{page}");
    assert!(page.contains("With \\-\\-gentle nobody goes"), "{page}");
    let ran = run(&["man", "stopp"]);
    assert_eq!((ran.code, ran.err.as_str()), (2, "finitctl: `stopp` is no command\n"));
}
