//! The table of keys, key by key.

use finit::config::keys::{self, Key, TABLES};
use finit::config::{explain, suggest};

use crate::{read, said};

/// A file in which that key has that value, and the line that it stands on.
fn file(key: &Key, value: &str) -> (String, usize) {
    let name = key.name;
    let is_task = matches!(name, "steps" | "remain" | "schedule");
    let head = if is_task { "[task.x]\n" } else { "[service.x]\n" };
    let runs = matches!(name, "command" | "script" | "steps");
    let run = if runs && key.table == "service" { "" } else { "command = \"/bin/true\"\n" };
    let more = match name {
        "pidfile" => "ready = \"forked\"\n",
        "capabilities" => "user = \"nobody\"\n",
        "notify-from" => "ready = \"notify\"\n",
        "utmp" => "tty = \"tty1\"\n",
        "log-tag" => "log = \"syslog\"\n",
        "reload-with" => "reload = \"HUP\"\n",
        "inetd-max" | "inetd-max-per-source" | "inetd-rate" => "inetd = \"22\"\n",
        _ => "",
    };
    let before = match key.table {
        "service" => format!("{head}{run}{more}"),
        "service.stop" | "service.restart" => {
            let more = match name {
                "burst" => "restart.within = \"1m\"\n",
                "within" => "restart.burst = 1\n",
                "also" => "restart.when = \"on-failure\"\n",
                _ => "",
            };
            let inner = key.table.strip_prefix("service.").unwrap();
            return at_end(&format!("{head}{run}{more}"), &format!("{inner}.{name} = {value}"));
        }
        "service.only-if" => {
            let line = format!("only-if.{name} = {value}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.hook" => {
            let run = if name == "run" { "" } else { "run = \"/bin/true\", " };
            let line = format!("before-start = {{ {run}{name} = {value} }}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.socket" => {
            let on = match name {
                "on" => "",
                "mode" | "user" | "group" | "unlink" => "on = \"/run/x\", ",
                _ => "on = \"80\", ",
            };
            let line = format!("listen = {{ {on}{name} = {value} }}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.ready" => {
            let run = if name == "command" { "" } else { "command = \"/bin/true\", " };
            let line = format!("ready = {{ {run}{name} = {value} }}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.health" => {
            let check = if matches!(name, "every" | "timeout" | "failures") {
                "tcp = \"80\", "
            } else {
                ""
            };
            let line = format!("health = {{ {check}{name} = {value} }}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.schedule" => {
            let at = if matches!(name, "jitter" | "catch-up" | "zone") {
                "at = \"daily\", "
            } else {
                ""
            };
            let line = format!("schedule = {{ {at}{name} = {value} }}");
            return at_end("[task.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.watch" => {
            let line = format!("watch.{name} = {value}");
            return at_end("[task.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "service.instances" => {
            let glob = match name {
                "name" => "glob = \"/etc/*/*\", ",
                "timeout" => "glob = \"/etc/*\", ",
                _ => "",
            };
            let line = format!("instances = {{ {glob}{name} = {value} }}");
            return at_end("[service.x]\ncommand = \"/bin/true\"\n", &line);
        }
        "target" => "[target.x]\n".to_owned(),
        table => format!("[{table}]\n"),
    };
    at_end(&before, &format!("{name} = {value}"))
}

fn at_end(before: &str, line: &str) -> (String, usize) {
    let number = before.lines().count() + 1;
    // Names that the examples speak of.
    let others =
        "[service.sshd]\ncommand = \"/bin/true\"\n[service.cron]\ncommand = \"/bin/true\"\n";
    (format!("{before}{line}\n{others}"), number)
}

#[test]
fn the_example_of_each_key_is_good() {
    for key in keys::all().filter(|key| key.is_supported()) {
        let (text, _) = file(key, key.example);
        assert_eq!(said(&text), "", "{text}");
    }
}

/// A key whose value nobody looks at would take a date without a word.
#[test]
fn every_key_is_read() {
    for key in keys::all().filter(|key| key.is_supported()) {
        let (text, line) = file(key, "1979-05-27");
        let loaded = read(&text);
        assert!(
            loaded.diagnostics.iter().any(|d| d.is_error() && d.line == line),
            "{text}\n{}",
            said(&text)
        );
    }
}

#[test]
fn keys_of_later_versions_are_refused_by_name() {
    for key in keys::all().filter(|key| !key.is_supported()) {
        let (text, line) = file(key, "true");
        let loaded = read(&text);
        let told = loaded.diagnostics.iter().find(|d| d.line == line);
        let message = &told.unwrap_or_else(|| panic!("{text}")).message;
        assert!(message.contains("not supported by this version"), "{text}\n{message}");
        assert!(message.contains(key.name), "{message}");
    }
}

/// All slips of one finger: a letter too few, one too many, two exchanged, one wrong.
fn slips(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    let mut slips = Vec::new();
    for place in 0..chars.len() {
        let mut fewer = chars.clone();
        fewer.remove(place);
        slips.push(fewer);
        let mut more = chars.clone();
        more.insert(place, 'q');
        slips.push(more);
        let mut wrong = chars.clone();
        wrong[place] = 'q';
        slips.push(wrong);
        if place > 0 {
            let mut swapped = chars.clone();
            swapped.swap(place - 1, place);
            slips.push(swapped);
        }
    }
    slips.into_iter().map(String::from_iter).filter(|slip| !slip.is_empty()).collect()
}

#[test]
fn every_slip_in_a_key_is_an_error_with_a_suggestion() {
    for key in keys::all().filter(|key| key.is_supported()) {
        for slip in slips(key.name) {
            if keys::find(key.table, &slip).is_some() {
                continue;
            }
            let wrong = Key { name: Box::leak(slip.clone().into_boxed_str()), ..*key };
            let (text, line) = file(&wrong, key.example);
            let text = text.replace(&format!(".{slip} ="), &format!(".\"{slip}\" ="));
            let loaded = read(&text);
            // A slip may leave nothing of what the table is for, which is said too.
            let mut told: Vec<_> = loaded.diagnostics.iter().collect();
            told.retain(|d| d.line == line && d.is_error());
            told.sort_by_key(|d| !d.message.starts_with("unknown"));
            let told = told.first();
            let Some(told) = told else { panic!("{text}\n{}", said(&text)) };
            // Some slips are as near to another key: then one of the two is named.
            let hint = told.hint.as_deref().unwrap_or_default();
            let named = hint.strip_prefix("did you mean `").and_then(|h| h.strip_suffix("`?"));
            let Some(named) = named else { panic!("{text}\n{told}") };
            let is_same = named == key.name;
            let one = [named, key.name].map(|n| suggest(&slip, [n]).is_some());
            assert!(is_same || one == [true, true], "{slip}: {named}");
        }
    }
}

#[test]
fn every_slip_in_a_table_is_an_error_with_a_suggestion() {
    for table in TABLES {
        for slip in slips(table).into_iter().filter(|slip| !TABLES.contains(&slip.as_str())) {
            let said = said(&format!("[{slip}.x]\ncommand = \"/bin/true\"\n"));
            assert!(said.contains("unknown table"), "{slip}\n{said}");
            assert!(said.contains("did you mean `"), "{slip}\n{said}");
        }
    }
}

#[test]
fn every_key_is_explained() {
    for key in keys::all() {
        let page = explain(&key.path()).unwrap_or_else(|| panic!("{}", key.path()));
        assert!(page.contains(key.help), "{page}");
        assert!(page.starts_with(&key.path()), "{page}");
    }
    assert_eq!(explain("no-such-key"), None);
    assert!(explain("signal").is_some_and(|page| page.starts_with("stop.signal")));
    assert!(explain("service.user").is_some_and(|page| page.starts_with("user")));
    assert_eq!(explain("no-such.key"), None);
    assert_eq!(explain("stop.no-such-key"), None);
    assert_eq!(explain("user.timeout"), None);
}

#[test]
fn a_key_is_explained_wherever_it_stands() {
    for (path, title, help) in [
        ("inetd.on", "inetd.on", "Where: a port"),
        ("after-stop.timeout", "after-stop.timeout", "How long it may take."),
        ("reload.run", "reload.run", "written as `command` is"),
        ("only-if-command.may-fail", "only-if-command.may-fail", "overlooked"),
        ("stop.command.user", "stop.command.user", "Who runs it."),
        ("ready.command.timeout", "ready.command.timeout", "How long it may take."),
        ("health.command.run", "health.command.run", "written as `command` is"),
        ("assert.not-exists", "assert.not-exists", "something by that name"),
        ("service.stop.timeout", "stop.timeout", "until SIGKILL"),
        ("service.web.stop.timeout", "stop.timeout", "until SIGKILL"),
        ("task.backup.schedule.at", "schedule.at", "calendar"),
        ("override.service.web.user", "user", "runs"),
        ("defaults.restart.delay", "restart.delay", "doubles"),
        ("target.desktop.wants", "target.wants", "started with this target"),
        ("limits.core", "limits", "setrlimit"),
        ("service.web.env.LANG", "env", "environment"),
        ("boot.sysctl.vm.swappiness", "boot.sysctl", "Kernel settings"),
        ("log.directory", "log.directory", "older"),
    ] {
        let page = explain(path).unwrap_or_else(|| panic!("{path}"));
        assert!(page.starts_with(&format!("{title}\n")) && page.contains(help), "{path}\n{page}");
    }
}

#[test]
fn no_key_is_there_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for key in keys::all() {
        assert!(seen.insert((key.table, key.name)), "{} {}", key.table, key.name);
    }
}
