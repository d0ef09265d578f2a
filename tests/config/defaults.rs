//! What `[defaults]` and overrides say does not get in the way of what is laid over them.

use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::{NotifyFrom, Probe, Ready, RestartWhen, ServiceSpec, SocketMode};

use crate::{read, said, services};

/// The services below those defaults.
fn below(defaults: &str, rest: &str) -> Vec<Rc<ServiceSpec>> {
    services(&format!("[defaults]\n{defaults}\n{rest}"))
}

/// A service, and what an override says of it.
fn overridden(service: &str, above: &str) -> Rc<ServiceSpec> {
    let text = format!("[service.a]\ncommand = '/a'\n{service}\n[override.service.a]\n{above}\n");
    Rc::clone(&services(&text)[0])
}

#[test]
fn nobody_speaks_of_itself_because_of_the_defaults() {
    let all = below(
        "on-failure = 'tell'\nneeds = ['db', 'log|db']\nwanted-by = 'group'",
        "[service.a]\ncommand = '/a'\n[service.log]\ncommand = '/l'\nneeds = []\n\
         [service.db]\ncommand = '/d'\n[task.tell]\ncommand = '/t %i'\ninstances = ['x']\n\
         needs = []\n[task.group]\ncommand = '/g'\nneeds = []\n",
    );
    let of = |name: &str| {
        let found = all.iter().find(|service| service.name == name).expect(name);
        (found.dependencies.on_failure.join(" "), found.dependencies.needs.len())
    };
    assert_eq!(of("a"), ("tell".to_owned(), 2));
    assert_eq!(of("db"), ("tell".to_owned(), 0));
    assert_eq!(of("tell@x"), (String::new(), 0));
}

/// By whatever name: what it provides, and what it is also called.
#[test]
fn nobody_waits_for_itself_by_another_name() {
    for (defaults, says) in [
        ("after = 'log'", "provides = 'log'"),
        ("after = ['zebra', 'login']", "provides = ['utmp', 'login']"),
        ("after = 'dbx'", "alias = 'dbx'"),
    ] {
        let rest = format!(
            "[service.own]\ncommand = '/o'\n{says}\n[service.web]\ncommand = '/w'\n\
             [service.zebra]\ncommand = '/z'\nafter = []\n"
        );
        let all = below(defaults, &rest);
        let [own, web] = [&all[0], &all[1]].map(|one| one.dependencies.after.len());
        assert_eq!(own + 1, web, "{defaults}");
    }
    let all = below(
        "needs = 'dbx | cache'",
        "[service.db]\ncommand = '/d'\nalias = 'dbx'\n[service.web]\ncommand = '/w'\n\
         [service.cache]\ncommand = '/c'\nneeds = []\n",
    );
    let needs = all.iter().map(|one| one.dependencies.needs.len());
    assert_eq!(needs.collect::<Vec<_>>(), [0, 1, 0]);
}

/// The word is one key of the table: whoever says the one loses nothing of the other.
#[test]
fn a_word_and_a_table_for_restart_are_laid_over_each_other() {
    let of = |service: &ServiceSpec| {
        let restart = &service.restart;
        (restart.when, restart.delay, restart.burst)
    };
    let (word, table) = ("restart = 'on-failure'", "restart = { delay = '5s', burst = 3 }");
    let both = (RestartWhen::OnFailure, Duration::from_secs(5), Some(3));
    assert_eq!(of(&overridden(word, table)), both);
    assert_eq!(of(&overridden(table, word)), both);
    for (defaults, own) in [(word, table), (table, word)] {
        assert_eq!(of(&below(defaults, &format!("[service.a]\ncommand = '/a'\n{own}\n"))[0]), both);
    }
    let always = overridden(word, "restart = { when = 'always' }");
    assert_eq!(always.restart.when, RestartWhen::Always);
    let wrong = format!("[defaults]\n{table}\n[service.a]\ncommand = '/a'\nrestart = 'alway'\n");
    assert!(said(&wrong).contains("did you mean \"always\"?"), "{}", said(&wrong));
}

/// DI11: what does nothing is told where it is said of somebody, and not where it is said for all
/// or was of use until something else was laid over it.
#[test]
fn who_decides_otherwise_is_told_of_no_setting_that_was_said_for_others() {
    let table = "restart = { when = 'never', delay = '5s', burst = 3, except = 3 }\n\
                 stop = { scope = 'none', signal = 'INT' }\nreload-with = 'db'\n";
    let also = "restart = { also = 3, delay = '5s' }\n";
    let a = "[service.a]\ncommand = '/a'\n";
    let db = "[service.db]\ncommand = '/d'\n";
    for defaults in [table, also] {
        let text = format!(
            "[defaults]\n{defaults}{db}{a}[service.b]\ncommand = '/b'\nreload = 'HUP'\n\
             restart.when = 'on-crash'\nstop.scope = 'main'\n"
        );
        assert_eq!(said(&text), "");
        let b = Rc::clone(&services(&text)[2]);
        assert_eq!(
            (b.restart.delay, b.restart.when),
            (Duration::from_secs(5), RestartWhen::OnCrash)
        );
    }
    let own = |lines: &str| said(&format!("[defaults]\n{table}{db}{a}{lines}"));
    assert!(own("restart.burst = 2\n").starts_with("warning: `restart.burst` does nothing"));
    assert!(own("stop.signal = 'HUP'\n").starts_with("warning: `stop.signal` does nothing"));
    assert!(own("reload-with = 'db'\n").starts_with("warning: `reload-with` does nothing"));
    assert!(own("restart.within = '1m'\n").contains("warning: `restart.within` does nothing"));
    assert_eq!(own("").matches("warning").count(), 0);

    let over = |below: &str, above: &str| {
        said(&format!("{db}{a}{below}\n[override.service.a]\n{above}\n"))
    };
    let burst = "restart = { when = 'on-failure', burst = 3, also = 0 }\nstop.signal = 'INT'\n";
    for above in
        ["restart = 'always'", "restart = { when = 'never', also = [] }", "stop.scope = 'none'"]
    {
        assert_eq!(over(burst, above), "", "{above}");
    }
    // What is idle below an override that decides nothing is no better by it.
    assert!(over(table.lines().next().unwrap(), "nice = 5").contains("`restart.burst` does"));
    assert!(over("", "restart = { when = 'never', burst = 3 }").contains("`restart.burst` does"));
    // A mistake in what would do nothing is one.
    let text = format!("[defaults]\nrestart = {{ when = 'never', burst = 'x' }}\n{db}");
    assert!(said(&text).contains("`burst` must be an integer"), "{}", said(&text));
}

/// A task takes as long as its work does.
#[test]
fn the_time_that_services_have_to_start_ends_no_task() {
    let all = below(
        "start-timeout = '30s'",
        "[service.a]\ncommand = '/a'\n[task.b]\ncommand = '/b'\nschedule = 'daily'\n\
         [task.c]\ncommand = '/c'\nstart-timeout = '1h'\n",
    );
    let times = all.iter().map(|one| one.start_timeout.map(|time| time.as_secs()));
    assert_eq!(times.collect::<Vec<_>>(), [Some(30), None, Some(3600)]);
}

#[test]
fn a_group_and_a_pair_of_user_and_group_displace_each_other() {
    let who = |service: &ServiceSpec| (service.exec.user.clone(), service.exec.group.clone());
    let is = |user: &str, group: &str| (Some(user.to_owned()), Some(group.to_owned()));
    let all = below(
        "group = 'adm'",
        "[service.a]\ncommand = '/a'\nuser = 'u:g'\n[service.b]\ncommand = '/b'\nuser = 'u'\n",
    );
    assert_eq!((who(&all[0]), who(&all[1])), (is("u", "g"), is("u", "adm")));
    let all = below("user = 'u:g'", "[service.a]\ncommand = '/a'\ngroup = 'adm'\n");
    assert_eq!(who(&all[0]), is("u", "adm"));
    assert_eq!(who(&overridden("group = 'adm'", "user = 'u:g'")), is("u", "g"));
    assert_eq!(who(&overridden("user = 'u:g'", "group = 'adm'")), is("u", "adm"));
    let both = "[service.a]\ncommand = '/a'\nuser = 'u:g'\ngroup = 'h'\n";
    assert!(said(both).contains("the group is said twice"), "{}", said(both));
}

#[test]
fn what_is_about_one_way_to_be_up_makes_way_for_another() {
    let all = below(
        "notify-from = 'any'\npidfile = '/run/%n.pid'",
        "[service.a]\ncommand = '/a'\nready = 'exec'\n\
         [service.b]\ncommand = '/b'\nready = 'notify'\n[service.c]\ncommand = '/c'\n\
         [service.d]\ncommand = '/d'\nready = 'forked'\nwatchdog = '1m'\n",
    );
    let from: Vec<NotifyFrom> = all.iter().map(|one| one.ready.notify_from).collect();
    let [main, any] = [NotifyFrom::Main, NotifyFrom::Any];
    assert_eq!(from, [main, any, main, any]);
    assert_eq!(all[3].ready.when, Ready::Found(Probe::Forked("/run/d.pid".into())));
    let forked = "ready = 'forked'\npidfile = '/run/a.pid'";
    assert_eq!(overridden(forked, "ready = 'notify'").ready.when, Ready::Notify);
    assert!(overridden(forked, "start-timeout = '1s'").ready.when.pidfile().is_some());
    let telling = "ready = 'notify'\nnotify-from = 'any'";
    assert_eq!(overridden(telling, "ready = 'exec'").ready.notify_from, main);
    assert_eq!(overridden(telling, "watchdog = '1m'").ready.notify_from, any);
    // Of what stands beside it, it is said still.
    let beside = "[service.a]\ncommand = '/a'\nready = 'exec'\nnotify-from = 'any'\n";
    assert!(said(beside).contains("`notify-from` needs"), "{}", said(beside));
}

#[test]
fn a_service_that_accepts_itself_leaves_nothing_of_inetd() {
    let inetd = "inetd = '22'\ninetd-max = 3\ninetd-rate = '5/1s'";
    let service = overridden(inetd, "listen = '22'");
    assert_eq!(service.sockets.as_ref().expect("sockets").mode, SocketMode::Listen);
}

/// What is said of all is no mistake of those of whom it says nothing.
#[test]
fn what_says_nothing_of_one_that_accepts_is_no_default_of_it() {
    let idle = "after-start = '/x'\nok-exit = 3\nschedule = 'daily'\nwatchdog = '1m'\n\
                stop = { command = '/x', timeout = '3s' }\n";
    for kind in ["service", "task"] {
        let text = format!("[defaults]\n{idle}[{kind}.a]\ncommand = '/a'\ninetd = '22'\n");
        assert_eq!(said(&text), "", "{text}");
        let stop = Rc::clone(&read(&text).spec.services[0].stop);
        assert_eq!((stop.command.clone(), stop.timeout), (None, Some(Duration::from_secs(3))));
    }
    let said_here = "[service.a]\ncommand = '/a'\ninetd = '22'\nstop.command = '/x'\n";
    assert!(said(said_here).contains("`stop.command` does nothing with `inetd`"));
    for good in [
        format!("inetd-max = 3\n{idle}"),
        format!("inetd = '22'\n{idle}"),
        "start = 'schedule'\nschedule = 'daily'\n".to_owned(),
    ] {
        assert_eq!(said(&format!("[defaults]\n{good}")), "", "{good}");
    }
    let wrong = said("[defaults]\ninetd-max = 3\nschedule = 'dayly'\n");
    assert_eq!(wrong.matches("error").count(), 1, "{wrong}");
}

#[test]
fn defaults_for_terminals_and_descriptors_are_good_alone() {
    let all =
        below("tty = 'tty9'\nready = 'fd:3'\nenabled = false", "[service.a]\ncommand = '/a'\n");
    assert_eq!(all[0].exec.tty.as_deref(), Some("tty9"));
    assert_eq!(all[0].ready.when, Ready::Descriptor(3));
    assert_eq!(said("[defaults]\ninetd-max = 3\nstart = 'demand'\n"), "");
    assert_eq!(said("[defaults]\ninetd-max = 0\n").matches("error").count(), 1);
}
