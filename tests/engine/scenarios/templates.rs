//! A template is the umbrella of its instances.

use finit::config::spec::{
    FIND_INSTANCES, LeftOut, Look, RestartWhen, Search, Start, SystemSpec, TemplateSpec,
};
use finit::engine::Extent;
use finit::proto::{Code, Outcome, Reply, Request};

use crate::build::{Part, machine, secs, service};
use crate::fates::Program;
use crate::rig::Rig;
use crate::scenarios::why::why;

fn getty(names: &[&str]) -> Vec<Part> {
    let one = |name: &&str| service(&format!("getty@{name}")).instance_of("getty");
    names.iter().map(one).collect()
}

#[test]
fn to_stop_and_start_the_umbrella_is_to_stop_and_start_its_instances() {
    let mut rig = Rig::booted(getty(&["tty1", "tty2"]));
    assert_eq!((rig.state("getty@tty1"), rig.state("getty")), ("up", "up"));
    let job = rig.stop("getty");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("getty@tty1"), rig.state("getty@tty2")), ("stopped", "stopped"));
    let job = rig.start("getty");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!((rig.state("getty@tty1"), rig.state("getty@tty2")), ("up", "up"));
    rig.stop("getty@tty1");
    assert_eq!((rig.state("getty@tty1"), rig.state("getty@tty2")), ("stopped", "up"));
}

#[test]
fn to_reset_the_umbrella_is_to_reset_its_instances() {
    let parts = getty(&["tty1", "tty2", "tty3"]).into_iter().map(|part| part.burst(1, secs(60)));
    let mut rig = Rig::booted(parts);
    let fail = |rig: &mut Rig, name: &str| {
        rig.ends(name, secs(0), 1);
        rig.crashes(name);
        rig.pass(secs(10));
        assert_eq!(rig.state(name), "failed");
        rig.mends(name);
    };
    fail(&mut rig, "getty@tty2");
    fail(&mut rig, "getty@tty3");
    let reset = || Request::Reset { name: "getty".into() };
    rig.ask(Request::Hold { name: "getty@tty3".into() }).unwrap();
    assert_eq!(rig.ask(reset()).unwrap_err().code, Code::Held);
    assert_eq!(rig.state("getty@tty2"), "failed", "all or none");
    rig.ask(Request::Unhold { name: "getty@tty3".into() }).unwrap();
    let Ok(Reply::Done { message }) = rig.ask(reset()) else { panic!("not reset") };
    let again = "the target wants it, so it starts again";
    assert_eq!(message, format!("getty@tty2: cleared; {again}; getty@tty3: cleared; {again}"));
    assert_eq!((rig.state("getty@tty2"), rig.state("getty@tty3")), ("up", "up"));
    assert_eq!((rig.state("getty"), rig.starts("getty@tty1")), ("up", 1));
    let Ok(Reply::Done { message }) = rig.ask(reset()) else { panic!("not reset") };
    assert_eq!(message, "getty: cleared");
}

/// It speaks with the voice of the worst of its instances.
#[test]
fn an_umbrella_tells_what_its_instances_are_and_why() {
    let parts = getty(&["tty1", "tty2"]).into_iter().map(Part::restart_never);
    let mut rig = Rig::booted(parts);
    rig.pass(secs(100));
    rig.exits("getty@tty2", 3);
    rig.pass(secs(5));
    let whole = "getty failed: 1 of 2 up; getty@tty2 failed: exited with status 3";
    let told = why(&mut rig, "getty");
    let exit = "  its process exited with status 3";
    assert_eq!(told, [whole, exit, "getty@tty2 failed: exited with status 3", exit]);
    let Ok(Reply::Why(chapters)) = rig.ask(Request::Why { name: "getty".into() }) else {
        panic!("no story")
    };
    assert_eq!(chapters[0].since_ms, 5_000);
    let signal = Request::Signal { name: "getty".into(), signal: "HUP".into() };
    let refusal = rig.ask(signal).unwrap_err();
    let state = "failed: 1 of 2 up; getty@tty2 failed: exited with status 3";
    assert_eq!(refusal.message, format!("getty has no main process: {state}"));
    rig.ends("getty@tty2", secs(0), 4);
    let job = rig.start("getty");
    rig.pass(secs(1));
    let news: Vec<String> =
        rig.news(job).iter().map(|news| format!("{}: {}", news.service, news.message)).collect();
    assert!(news.iter().all(|text| !text.starts_with("getty:")), "{news:?}");
    assert!(news.iter().any(|text| text == "getty@tty1: up (pid 101)"), "{news:?}");
    // One that is up tells of itself.
    assert_eq!(why(&mut Rig::booted(getty(&["tty1"])), "getty"), ["getty up", "  the boot"]);
}

#[test]
fn an_umbrella_orders_its_instances_though_nobody_opened_it() {
    let mut parts = getty(&["tty1"]);
    parts.insert(0, service("last").after("getty"));
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("getty@tty1", Program { executes: Some(secs(2)), ..Program::daemon() });
    });
    assert_eq!(rig.state("last"), "waiting");
    rig.pass(secs(2));
    assert_eq!(rig.state("last"), "up");
}

#[test]
fn an_instance_that_is_gone_from_the_file_is_no_part_of_it_any_more() {
    let mut rig = Rig::booted(getty(&["tty1", "tty2"]));
    assert_eq!(rig.apply(getty(&["tty1"])), "0 added, 0 changed, 1 removed");
    let job = rig.restart("getty");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(rig.label("getty@tty2"), "unknown");
}

#[test]
fn a_service_may_become_a_template() {
    let mut rig = Rig::booted([service("getty")]);
    rig.apply(getty(&["tty1"]));
    assert_eq!(rig.stopped(), ["getty"]);
    assert_eq!(rig.status("getty").kind, "template");
    assert_eq!(rig.state("getty@tty1"), "up");
    rig.apply([service("getty")]);
    assert_eq!((rig.status("getty").kind.as_str(), rig.state("getty")), ("service", "up"));
    assert_eq!(rig.label("getty@tty1"), "unknown");
}

#[test]
fn an_umbrella_is_what_its_instances_are() {
    let mut parts = getty(&["tty1", "tty2", "tty3"]);
    for part in &mut parts {
        std::rc::Rc::make_mut(&mut part.0.restart).when = RestartWhen::Never;
    }
    parts[2].0.enabled = false;
    let mut rig = Rig::booted_but(parts, |rig| {
        rig.program("getty@tty2", Program { executes: Some(secs(2)), ..Program::daemon() });
    });
    let shown = |rig: &mut Rig| (rig.state("getty"), rig.reason("getty"));
    assert_eq!(shown(&mut rig), ("starting", "1 of 3 up".to_owned()));
    rig.pass(secs(2));
    assert_eq!(shown(&mut rig), ("up", "2 of 3 up".to_owned()), "the third is not enabled");
    rig.start("getty@tty3");
    assert_eq!(shown(&mut rig), ("up", String::new()));
    rig.crashes("getty@tty1");
    let why = "2 of 3 up; getty@tty1 failed: killed by SIGKILL".to_owned();
    assert_eq!(shown(&mut rig), ("failed", why));
    rig.stop("getty");
    assert_eq!(shown(&mut rig), ("stopped", String::new()));
}

#[test]
fn a_mere_look_at_a_service_that_becomes_a_template_leaves_it_alone() {
    let mut rig = Rig::booted([service("getty")]);
    rig.look_at(getty(&["tty1"]));
    assert!(rig.stopped().is_empty());
    assert_eq!(rig.state("getty"), "up");
    rig.apply(getty(&["tty1"]));
    assert_eq!(rig.stopped(), ["getty"]);
    assert_eq!(rig.state("getty@tty1"), "up");
}

/// A machine with a template of which these were found, or nobody has looked.
fn with_found(found: Option<&[&str]>) -> SystemSpec {
    let of = |name: &&str| service(&format!("db@{name}")).instance_of("db").after(FIND_INSTANCES);
    let instances = found.unwrap_or_default().iter().map(of);
    let template = TemplateSpec {
        name: "db".to_owned(),
        search: None,
        enabled: true,
        listed: found.is_some(),
        remark: found.is_none().then(|| "not yet".to_owned()),
    };
    let others = [service("app").needs("db"), service("other")];
    SystemSpec { templates: vec![template], ..machine(instances.chain(others)) }
}

#[test]
fn a_template_waits_until_its_instances_are_found_and_is_up_with_none() {
    let mut rig = Rig::cold(with_found(None), "default");
    rig.step(FIND_INSTANCES, Some((secs(5), Ok(None))));
    rig.boot();
    let states = |rig: &mut Rig| ["db", "app", "other"].map(|name| rig.state(name));
    assert_eq!(states(&mut rig), ["waiting", "waiting", "up"]);
    assert!(rig.reason("db").ends_with("; not yet"), "{}", rig.reason("db"));
    // What is found is taken in just before the step ends.
    rig.pass(secs(4));
    assert_eq!(
        rig.load(with_found(Some(&["a"])), Extent::Everything),
        "1 added, 0 changed, 0 removed"
    );
    assert_eq!(states(&mut rig), ["waiting", "waiting", "up"]);
    rig.pass(secs(1));
    assert_eq!((rig.state("db@a"), states(&mut rig)), ("up", ["up"; 3]));

    let apps = rig.status("app").pid;
    rig.load(with_found(Some(&["b"])), Extent::Everything);
    assert_eq!((rig.label("db@a"), rig.state("db@b")), ("unknown", "up"));
    rig.load(with_found(Some(&[])), Extent::Everything);
    assert_eq!((rig.label("db@b"), states(&mut rig)), ("unknown", ["up"; 3]));
    assert_eq!(rig.status("app").pid, apps);
    rig.load(machine([service("other")]), Extent::Everything);
    assert_eq!(rig.label("db"), "unknown");
}

/// What a mere start finds is a matter of what is started.
#[test]
fn a_mere_look_that_does_not_find_an_instance_stops_neither_it_nor_who_needs_it() {
    let template = |found: &str| TemplateSpec {
        name: "db".to_owned(),
        search: None,
        enabled: true,
        listed: true,
        remark: found.is_empty().then(|| "no instance was found".to_owned()),
    };
    let with = |found: &str, left_out: &[&str]| {
        let of = |name: &str| service(&format!("db@{name}")).instance_of("db").provides("sql");
        let instances = found.split_whitespace().map(of);
        let others = [service("app").needs("db@a"), service("web").needs("sql")];
        let left_out = left_out.iter().map(|name| LeftOut {
            name: (*name).to_owned(),
            mistake: "no instance of db stands for it".to_owned(),
        });
        SystemSpec {
            templates: vec![template(found)],
            left_out: left_out.collect(),
            ..machine(instances.chain(others))
        }
    };
    let mut rig = Rig::cold(with("a", &[]), "default");
    rig.boot();
    rig.load(with("b", &["db@a"]), Extent::Definitions);
    rig.load(with("", &["db@a", "sql"]), Extent::Definitions);
    assert_eq!(rig.stopped(), Vec::<String>::new());
    let job = rig.restart("web");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(["db@a", "app", "web"].map(|name| rig.state(name)), ["up"; 3]);
    rig.load(with("", &["db@a", "sql"]), Extent::Everything);
    assert_eq!(["db@a", "sql"].map(|name| rig.state(name)), ["failed"; 2]);
    assert_eq!(["app", "web"].map(|name| rig.state(name)), ["waiting"; 2]);
}

/// Somebody has edited the file and started something while the boot was looking.
#[test]
fn what_the_boot_finds_starts_though_the_file_was_only_looked_at_meanwhile() {
    let template = |name: &str, listed: bool| TemplateSpec {
        name: name.to_owned(),
        search: (name == "db").then(|| Search {
            look: Look::Glob { pattern: "/db/*".to_owned(), name: "$1".to_owned() },
            timeout: secs(9),
        }),
        enabled: name == "db",
        listed,
        remark: None,
    };
    let others = || [service("app").needs("db@a"), service("web").needs("sql"), service("other")];
    let awaiting = |more: &str| SystemSpec {
        templates: ["db", "db@a", "sql"].map(|name| template(name, false)).to_vec(),
        ..machine(others().into_iter().chain(more.split_whitespace().map(service)))
    };
    let found = |more: &str| {
        let instance = service("db@a").instance_of("db").provides("sql").after(FIND_INSTANCES);
        let more = more.split_whitespace().map(service);
        let parts = others().into_iter().chain([instance]).chain(more);
        SystemSpec { templates: vec![template("db", true)], ..machine(parts) }
    };
    for edited in ["", "new"] {
        let mut rig = Rig::cold(awaiting(""), "default");
        rig.step(FIND_INSTANCES, Some((secs(5), Ok(None))));
        rig.program("db@a", Program { executes: Some(secs(2)), ..Program::daemon() });
        rig.boot();
        rig.pass(secs(4));
        rig.load(awaiting(edited), Extent::Definitions);
        rig.world.find(found(edited));
        let states = |rig: &mut Rig| ["db@a", "app", "web"].map(|name| rig.state(name));
        assert_eq!(states(&mut rig), ["waiting"; 3]);
        rig.pass(secs(2));
        assert_eq!(states(&mut rig), ["starting", "waiting", "waiting"]);
        rig.pass(secs(1));
        assert_eq!((states(&mut rig), rig.state("other")), (["up"; 3], "up"));
        if !edited.is_empty() {
            assert_eq!(rig.state("new"), "stopped");
        }
    }
}

/// Somebody has edited the file and started one of them, before all file systems were there.
#[test]
fn what_an_early_start_has_found_the_boot_starts_too() {
    let search = Search {
        look: Look::Glob { pattern: "/db/*".to_owned(), name: "$1".to_owned() },
        timeout: secs(9),
    };
    let with = |found: &str| {
        let template = TemplateSpec {
            name: "db".to_owned(),
            search: Some(search.clone()),
            enabled: true,
            listed: !found.is_empty(),
            remark: None,
        };
        let of = |name: &str| {
            let one = service(&format!("db@{name}")).instance_of("db").after(FIND_INSTANCES);
            if name == "manual" { one.manual() } else { one }
        };
        let instances = found.split_whitespace().map(of);
        let new = (!found.is_empty()).then(|| service("new"));
        SystemSpec { templates: vec![template], ..machine(instances.chain(new)) }
    };
    let mut rig = Rig::cold(with(""), "default");
    rig.step(FIND_INSTANCES, Some((secs(5), Ok(None))));
    rig.boot();
    rig.load(with("a b c manual"), Extent::Definitions);
    rig.start("db@a");
    rig.stop("db@c");
    rig.world.find(with("a b c d manual"));
    rig.pass(secs(5));
    let names = ["db@a", "db@b", "db@c", "db@d", "db@manual", "new"];
    let states = ["up", "up", "stopped", "up", "stopped", "stopped"];
    assert_eq!(names.map(|name| rig.state(name)), states);
    // What it has brought up it keeps, whatever the file says by now.
    let mut edited = with("a b d manual");
    for one in &mut edited.services {
        std::rc::Rc::make_mut(one).start = Start::Manual;
    }
    rig.world.find(edited);
    assert_eq!(names.map(|name| rig.state(name)), states);
    assert_eq!(rig.starts("db@b"), 1);
}

/// Somebody has looked too early.
#[test]
fn what_was_left_out_makes_way_for_what_provides_it() {
    let left_out = |names: &[&str]| -> Vec<LeftOut> {
        let of = |name: &&str| LeftOut { name: (*name).to_owned(), mistake: "lost".to_owned() };
        names.iter().map(of).collect()
    };
    for extent in [Extent::Definitions, Extent::Everything] {
        let web = || service("web").needs("sql");
        let spec = SystemSpec { left_out: left_out(&["sql"]), ..machine([web()]) };
        let mut rig = Rig::cold(spec, "default");
        rig.boot();
        assert_eq!((rig.state("sql"), rig.state("web")), ("failed", "waiting"));
        rig.load(machine([web(), service("db").provides("sql")]), extent);
        assert_eq!((rig.state("db"), rig.state("web")), ("up", "up"), "{extent:?}");
    }
}
