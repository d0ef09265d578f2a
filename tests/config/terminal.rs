//! What services read from, and what the records of their terminals are called.

use finit::config::spec::Stdin;

use crate::{said, service, services};

const RUN: &str = "[service.x]\ncommand = '/x'\n";

#[test]
fn what_a_service_reads_from() {
    let stdin = |lines: &str| service(&format!("{RUN}{lines}")).exec.stdin.clone();
    assert_eq!(stdin(""), Stdin::Usual);
    assert_eq!(stdin("stdin = 'null'\n"), Stdin::Usual);
    assert_eq!(stdin("stdin = 'tty'\ntty = 'tty1'\n"), Stdin::Usual);
    assert_eq!(stdin("stdin = 'file:/a b'\n"), Stdin::File("/a b".into()));
    assert_eq!(stdin("stdin = 'socket'\nlisten = 'udp:69'\n"), Stdin::Socket);
    // One for all is not for those that read from what they have.
    let all = services(
        "[defaults]\nstdin = 'file:/d'\n[service.a]\ncommand = '/a'\n\
         [service.b]\ncommand = '/b'\ntty = 'tty1'\n[service.c]\ncommand = '/c'\ninetd = '7'\n",
    );
    let all: Vec<_> = all.iter().map(|spec| &spec.exec.stdin).collect();
    assert_eq!(all, [&Stdin::File("/d".into()), &Stdin::Usual, &Stdin::Usual]);
    assert_eq!(said("[defaults]\nstdin = 'fil:/d'\n").matches("error").count(), 1);
}

#[test]
fn a_record_in_utmp_is_named_as_agetty_names_it() {
    let utmp = |lines: &str| service(&format!("{RUN}{lines}")).exec.utmp.clone();
    for (tty, id) in [
        ("tty1", "1"),
        ("tty63", "63"),
        ("ttyS0", "tyS0"),
        ("ttyUSB10", "SB10"),
        ("console", "sole"),
        ("hvc0", "hvc0"),
        ("pts/3", "ts/3"),
        ("tty", "tty"),
        ("ttyäö", "äö"),
    ] {
        let lines = format!("tty = '{tty}'\nutmp = true\n");
        assert_eq!(utmp(&lines).as_deref(), Some(id), "{tty}");
    }
    assert_eq!(utmp("tty = 'tty1'\nutmp = 'x'\n").as_deref(), Some("x"));
    assert_eq!(utmp("utmp = 'tty9'\n").as_deref(), Some("tty9"));
    assert_eq!(utmp("tty = 'tty1'\nutmp = false\n"), None);
    assert_eq!(utmp("tty = 'tty1'\n"), None);
    // One for all is for those that have a terminal.
    let all = services(
        "[defaults]\nutmp = true\n[service.a]\ncommand = '/a'\n\
         [service.b]\ncommand = '/b'\ntty = 'tty1'\n[service.c]\ncommand = '/c'\ninetd = '7'\n",
    );
    let all: Vec<_> = all.iter().map(|spec| spec.exec.utmp.as_deref()).collect();
    assert_eq!(all, [None, Some("1"), None]);
    assert_eq!(said("[defaults]\nutmp = 'too long'\n").matches("error").count(), 1);
}
