//! Users that exist only while their service runs.

use std::collections::BTreeSet;

use crate::machine::{Machine, Plan};
use crate::talk::Line;

/// The numbers that there are for it.
const NUMBERS: std::ops::RangeInclusive<u64> = 61_184..=65_519;

/// The number of the own user of a service that is up, as its status says.
fn own(machine: &Machine, service: &str) -> u64 {
    let number = machine.until(service, "up")["own_user"].as_u64();
    number.unwrap_or_else(|| panic!("{service} has none: {}", machine.status(service)))
}

/// Who runs as the main process of a service: user and group.
fn runs_as(machine: &Machine, service: &str) -> (u64, u64) {
    let said =
        machine.sh(&format!("grep -E '^[UG]id:' /proc/{}/status", machine.main_pid(service)));
    let numbers: Vec<u64> =
        said.text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [u, u1, u2, u3, g, g1, g2, g3] = numbers[..] else { panic!("{said:?}") };
    assert_eq!(([u; 3], [g; 3]), ([u1, u2, u3], [g1, g2, g3]));
    (u, g)
}

#[test]
fn each_service_and_instance_has_a_user_of_its_own_and_the_same_at_each_start() {
    let machine = Machine::boot(
        r#"
        [defaults]
        dynamic-user = true
        start = "manual"
        [service.m]
        command = "/programs/mirror /out/m"
        before-start = "/bin/sh -c 'id -u >/out/hook'"
        capabilities = "net-bind-service"
        [service.more]
        command = "/programs/idle"
        groups = ["media"]
        [service.many]
        command = "/programs/idle"
        instances = ["x", "y", "z"]
        [service.who]
        command = "/usr/bin/id -u"
        inetd = "/run/who"
        "#,
    );
    machine.order(&["start", "m", "more", "many", "who"]);
    let number = own(&machine, "m");
    let facts = machine.appears("/out/m").replace('\t', " ");
    for fact in [
        format!("Uid: {number} {number} {number} {number}\n"),
        format!("Gid: {number} {number} {number} {number}\n"),
        format!("Groups: {number} \n"),
        "CapAmb: 0000000000000400\n".to_owned(),
        "NoNewPrivs: 1\n".to_owned(),
        "env HOME=/\nenv USER=m\nenv LOGNAME=m\nenv SHELL=/usr/sbin/nologin\n".to_owned(),
    ] {
        assert!(facts.contains(&fact), "{fact} is not in\n{facts}");
    }
    assert_eq!(machine.read("/out/hook").trim(), number.to_string());
    let said = machine.order(&["status", "m"]);
    assert!(said.contains(&format!("{number} (its own while it runs)")), "{said}");

    let names = ["m", "more", "many@x", "many@y", "many@z"];
    let numbers = names.map(|name| own(&machine, name));
    assert_eq!(names.map(|name| runs_as(&machine, name)), numbers.map(|number| (number, number)));
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 5, "{numbers:?}");
    assert!(numbers.iter().all(|number| NUMBERS.contains(number)), "{numbers:?}");
    let groups = machine.sh(&format!("grep Groups /proc/{}/status", machine.main_pid("more")));
    assert_eq!(groups.text.split_whitespace().collect::<Vec<_>>(), ["Groups:", "2001"]);

    machine.until("who", "listening");
    let greeted = Line::to(&machine.path("/run/who")).unwrap().hear().unwrap();
    assert_eq!(machine.status("who")["own_user"].to_string(), greeted.trim());

    machine.order(&["restart", "m"]);
    assert_eq!(own(&machine, "m"), number);
    machine.sh(&format!("kill -9 {}", machine.main_pid("many@y")));
    machine.wait("another process", |m| (m.status("many@y")["restarts"] == 1).then_some(()));
    machine.order(&["stop", "m", "more", "many"]);
    assert!(machine.status("m").get("own_user").is_none(), "{}", machine.status("m"));
    // In another order each has its own again.
    for name in ["many@z", "many@y", "many@x", "more", "m"] {
        machine.order(&["start", name]);
    }
    assert_eq!(names.map(|name| own(&machine, name)), numbers);
}

#[test]
fn a_service_that_becomes_anothers_has_no_number_any_more() {
    let file = |who: &str| format!("[service.m]\ncommand = \"/programs/idle\"\n{who}\n");
    let machine = Machine::boot(&file("dynamic-user = true"));
    machine.booted();
    assert!(NUMBERS.contains(&own(&machine, "m")));
    machine.write("/etc/finit.toml", &file("user = \"web\""));
    let said = machine.order(&["plan"]);
    assert!(said.contains("changed: user, dynamic-user"), "{said}");
    machine.order(&["apply"]);
    assert_eq!(runs_as(&machine, "m"), (1234, 1234));
    assert!(machine.status("m").get("own_user").is_none(), "{}", machine.status("m"));
}

/// The names are of two pairs that lead to one number each.
#[test]
fn of_two_services_with_one_number_the_other_has_the_next() {
    let machine = Machine::boot(
        r#"
        [defaults]
        command = "/programs/idle"
        dynamic-user = true
        start = "manual"
        [task.beta9]
        command = "/bin/true"
        remain = true
        [service.gamma4]
        [service.beta8]
        [service.gamma5]
        "#,
    );
    // It is done and has no processes, but it is still there.
    machine.order(&["start", "beta9", "gamma4"]);
    assert_eq!(machine.until("beta9", "done")["own_user"], 62_026);
    assert_eq!(own(&machine, "gamma4"), 62_027);

    machine.order(&["start", "beta8"]);
    assert_eq!(own(&machine, "beta8"), 62_157);
    machine.order(&["stop", "beta8"]);
    machine.order(&["start", "gamma5"]);
    assert_eq!(own(&machine, "gamma5"), 62_157);
    machine.order(&["start", "beta8"]);
    assert_eq!((own(&machine, "beta8"), own(&machine, "gamma5")), (62_158, 62_157));
}

#[test]
fn a_number_that_somebody_else_has_by_now_is_not_taken() {
    let machine = Machine::boot(
        r#"
        [service.m]
        command = "/programs/idle"
        dynamic-user = true
        start = "manual"
        reload = "/bin/sh -c 'id -u >/out/reloaded'"
        "#,
    );
    machine.order(&["start", "m"]);
    let first = own(&machine, "m");
    machine.order(&["stop", "m"]);
    let text = |path: &str| machine.read(path);
    let (passwd, group) = (text("/etc/passwd"), text("/etc/group"));
    machine.write("/etc/passwd", &format!("{passwd}newcomer:x:{first}:7::/:/bin/sh\n"));
    machine.order(&["start", "m"]);
    let second = own(&machine, "m");
    // While it runs it stays who it is, whatever the files say.
    machine.write("/etc/group", &format!("{group}newcomers:x:{second}:\n"));
    machine.order(&["reload", "m"]);
    assert_eq!(machine.appears("/out/reloaded").trim(), second.to_string());
    machine.order(&["restart", "m"]);
    let third = own(&machine, "m");
    assert_eq!(runs_as(&machine, "m"), (third, third));
    machine.order(&["stop", "m"]);

    let become_it = format!(
        "import os, signal; os.setresuid({third}, {third}, {third}); \
         open('/out/there', 'w'); signal.pause()"
    );
    let mut stranger = machine.begin(&["/usr/bin/python3", "-c", &become_it]);
    machine.appears("/out/there");
    machine.order(&["start", "m"]);
    let fourth = own(&machine, "m");
    assert_eq!(BTreeSet::from([first, second, third, fourth]).len(), 4);
    machine.order(&["stop", "m"]);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn without_a_free_number_the_start_fails_and_says_so() {
    let line = |number: u64| format!("user{number}:x:{number}:{number}::/:/bin/sh\n");
    let passwd = include_str!("passwd").to_owned() + &NUMBERS.map(line).collect::<String>();
    let machine = Plan::new().file("/etc/passwd", &passwd).boot(
        "[service.m]\ncommand = \"/programs/idle\"\ndynamic-user = true\nrestart = \"never\"\n",
    );
    machine.until("m", "failed");
    let said = machine.ctl(&["status", "m"]).text;
    let what = "user of its own (dynamic-user): none of 61184 to 65519 is free";
    for words in [what, "EUSERS", "stop another that has one"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Nobody has any where there is no such file.
    machine.forget("/etc/passwd");
    machine.order(&["start", "m"]);
    assert!(NUMBERS.contains(&own(&machine, "m")));
}

#[test]
fn an_upgrade_keeps_the_number_and_gives_it_to_nobody_else() {
    let names: Vec<String> = (0..200).map(|number| format!("\"{number}\"")).collect();
    let machine = Machine::boot(&format!(
        "[service.m]\ncommand = \"/programs/idle\"\ndynamic-user = true\ninstances = [{}]\n\
         start = \"manual\"\n",
        names.join(", ")
    ));
    machine.booted();
    let starts = |range: std::ops::Range<u32>| {
        let names: Vec<String> = range.map(|number| format!("m@{number}")).collect();
        let names = names.iter().map(String::as_str);
        machine.order(&["start"].into_iter().chain(names).collect::<Vec<_>>());
    };
    let all = |range: std::ops::Range<u32>| -> Vec<u64> {
        range.map(|number| own(&machine, &format!("m@{number}"))).collect()
    };
    starts(0..100);
    let before = all(0..100);
    machine.hang_up();
    machine.order(&["upgrade"]);
    assert_eq!(all(0..100), before);
    starts(100..200);
    let after = all(0..200);
    assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(runs_as(&machine, "m@7"), (before[7], before[7]));
}

#[test]
fn what_it_leaves_in_the_memory_of_the_machine_goes_when_it_has_ended() {
    let other = r#"
        [service.other]
        script = """
        ipcmk -M 4096 -S 1 -Q -p 0600 && touch /out/other
        exec /programs/idle
        """
        user = "web"
        "#;
    let file = format!(
        "{other}{}",
        other.replace("other", "m").replace("user = \"web\"", "dynamic-user = true")
    );
    let machine = Machine::boot(&file);
    machine.booted();
    machine.appears("/out/m");
    machine.appears("/out/other");
    let number = own(&machine, "m").to_string();
    let count = |user: &str| {
        let text = machine.sh("cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg").text;
        let of_user = |line: &&str| line.split_whitespace().any(|word| word == user);
        text.lines().filter(of_user).count()
    };
    assert_eq!((count(&number), count("1234")), (3, 3));
    machine.order(&["stop", "m", "other"]);
    machine.wait("what it left to go", |_| (count(&number) == 0).then_some(()));
    assert_eq!(count("1234"), 3);

    // Whoever gets a number finds nothing of those who had it before.
    machine.write("/etc/finit.toml", other);
    machine.order(&["apply"]);
    let made = machine.sh(&format!("setpriv --reuid {number} --clear-groups ipcmk -M 4096"));
    assert_eq!((made.code, count(&number)), (0, 1), "{made:?}");
    machine.forget("/out/m");
    machine.write("/etc/finit.toml", &file);
    machine.order(&["apply"]);
    machine.appears("/out/m");
    assert_eq!(own(&machine, "m").to_string(), number);
    machine.wait("the former to go", |_| (count(&number) == 3).then_some(()));
}
