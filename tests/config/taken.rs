//! Two services on one address: told where they would meet, and silent where they never do.

use crate::{read, said};

/// What is said of two services that say this.
fn both(a: &str, b: &str) -> String {
    said(&format!("[service.a]\ncommand = '/a'\n{a}\n[service.b]\ncommand = '/b'\n{b}\n"))
}

#[test]
fn two_services_on_one_address_are_warned_of_and_stay() {
    for (a, b) in [
        ("'80'", "'80'"),
        ("'80'", "'tcp:127.0.0.1:80'"),
        ("'[::1]:80'", "'80'"),
        ("'0.0.0.0:80'", "'127.0.0.1:80'"),
        ("'0.0.0.0:80'", "'[::]:80'"),
        ("'/run/x'", "'unix-dgram:/run/x'"),
        ("'@x'", "['@y', '@x']"),
        ("{ on = '80', reuseport = true }", "'80'"),
        ("{ on = '80', device = 'eth0' }", "'80'"),
    ] {
        let (a, b) = (format!("listen = {a}"), format!("listen = {b}"));
        let text = both(&a, &b);
        assert!(text.starts_with("warning: `") && text.contains("` is taken"), "{a} {b}\n{text}");
        assert!(text.contains("`a` listens there") && !text.contains("error"), "{text}");
    }
    let loaded = read(
        "[service.a]\ncommand = '/a'\ninstances = ['x', 'y', 'z']\ninetd = '80'\nlimits.core = 'never'\n",
    );
    assert_eq!((loaded.diagnostics.len(), loaded.spec.services.len()), (1, 3));
    assert!(!loaded.is_broken() && loaded.errors().is_empty());
}

#[test]
fn those_that_never_meet_may_have_one_address() {
    let apart = [
        ("'80'", "'81'"),
        ("'80'", "'udp:80'"),
        ("'[::1]:80'", "'127.0.0.1:80'"),
        ("'127.0.0.2:80'", "'127.0.0.1:80'"),
        ("{ on = '80', v6only = true }", "'0.0.0.0:80'"),
        ("{ on = '80', reuseport = true }", "{ on = '80', reuseport = true }"),
        ("{ on = '80', device = 'eth0' }", "{ on = '80', device = 'eth1' }"),
        ("'@x'", "'unix-dgram:@x'"),
    ];
    for (a, b) in apart {
        assert_eq!(both(&format!("listen = {a}"), &format!("listen = {b}")), "", "{a} {b}");
    }
    for more in [
        "conflicts = 'a'",
        "enabled = false",
        "start = 'manual'",
        "targets = 'rescue'",
        "only-if.exists = '/b'",
    ] {
        assert_eq!(both("listen = '80'", &format!("listen = '80'\n{more}")), "", "{more}");
    }
    assert_eq!(both("listen = '80'\nconflicts = 'c'", "listen = '80'\nalias = 'c'"), "");
}

/// Each start would hang the other up; where one excludes the other, or may not come, none does.
#[test]
fn one_terminal_is_for_those_that_never_meet() {
    let tty = "tty = 'tty1'";
    let is_taken =
        |more: &str| both(tty, &format!("{tty}\n{more}")).contains("error: the terminal");
    for more in ["", "needs = 'a'", "alias = 'x'"] {
        assert!(is_taken(more), "{more}");
    }
    for more in [
        "conflicts = 'a'",
        "only-if.kernel-arg = 'kiosk'",
        "start = 'manual'",
        "targets = 'rescue'",
        "enabled = false",
    ] {
        assert_eq!(both(tty, &format!("{tty}\n{more}")), "", "{more}");
    }
    assert_eq!(both(&format!("{tty}\nconflicts = 'b'"), tty), "");
    // The third meets the second one.
    let third = format!("[service.c]\ncommand = '/c'\n{tty}\nconflicts = 'a'\n");
    let two = both(tty, &format!("{tty}\nconflicts = 'a'\n{third}"));
    assert!(two.contains("`b` has it"), "{two}");
}

/// One that is also called so is meant by `stop`, and whoever provides it by `needs`.
#[test]
fn what_one_is_also_called_nobody_else_provides() {
    let (alias, provides) = ("alias = 'mail'", "provides = 'mail'");
    for (a, b) in [(alias, provides), (provides, alias)] {
        let told = both(a, b);
        assert!(told.contains("error: `mail` names two things"), "{told}");
        assert!(told.contains("`a` takes it here") && told.matches("error").count() == 1, "{told}");
    }
    assert_eq!(both(provides, provides), "");
}

/// A warning never makes a file a broken one, not even with more of them than are kept.
#[test]
fn any_number_of_warnings_is_no_error() {
    let instances: Vec<String> = (0..1000).map(|number| format!("'{number}'")).collect();
    let instances = instances.join(", ");
    let one = |name: usize| format!("[service.a{name}]\ncommand = '/a'\nlisten = '80'\n");
    let text: String = (0..1000).map(one).collect();
    let text =
        format!("{text}[service.b]\ncommand = '/b'\nlisten='80'\ninstances = [{instances}]\n");
    let loaded = read(&text);
    assert!(loaded.diagnostics.len() > 100 && !loaded.is_broken());
    assert_eq!(loaded.spec.services.len(), 2000);
}

#[test]
fn records_that_would_take_each_others_place_are_told() {
    let getty = |name: &str, rest: &str| format!("[service.{name}]\ncommand = '/g'\n{rest}");
    let two = [getty("a", "utmp = 'x'\n"), getty("b", "tty = 'tty2'\nutmp = 'x'\n")].concat();
    let told = said(&two);
    assert!(told.contains("warning: the utmp record `x` is taken"), "{told}");
    assert!(told.contains("`a` has it"), "{told}");
    let told = said(&getty("a", "instances = ['1', '2']\ntty = 'tty%i'\nutmp = 'x'\n"));
    assert!(told.contains("each instance wants one of its own"), "{told}");
    for fine in [
        getty("a", "instances = ['1', '2']\ntty = 'tty%i'\nutmp = true\n"),
        two.replace("'x'\n[", "'y'\n["),
        two.replace("tty = 'tty2'", "start = 'manual'"),
    ] {
        assert_eq!(said(&fine), "", "{fine}");
    }
}
