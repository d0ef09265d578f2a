//! TF, SD: what holds for each way in which a service says that it is up.

use finit::config::spec::{Probe, Ready};
use finit::engine::{Extent, Level};
use finit::proto::Outcome;

use crate::build::{Part, hook, machine, millis, secs, service};
use crate::fates::Program;
use crate::rig::Rig;

type Form = fn(Part) -> Part;

/// Every way, by its name: by its own word, by a line, by its pid file, and by what others see.
const FORMS: [(&str, Form); 7] = [
    ("notify", Part::notifies),
    ("fd", |part| part.ready(Ready::Descriptor(3))),
    ("forked", Part::forks),
    ("tcp", Part::accepts),
    ("file", |part| part.ready(Ready::Found(Probe::File("/run/p".into())))),
    ("dbus", |part| part.ready(Ready::Found(Probe::Bus("org.p".to_owned())))),
    ("command", |part| part.ready_by("/bin/ask", millis(100))),
];

/// How long it takes in each of these machines until it can be told that `p` is up.
fn slow(rig: &mut Rig, form: &str) {
    if form != "forked" {
        rig.program("p", Program { tells: Some(secs(2)), ..Program::daemon() });
    }
    rig.ends("p?", secs(2), 0);
    rig.ends("/bin/ask", secs(2), 0);
}

/// It starts now, takes its time, and whoever needs it waits for that.
fn comes_up(rig: &mut Rig, starts: usize, when: &str) {
    rig.pass(millis(1_900));
    assert_eq!((rig.state("p"), rig.state("q")), ("starting", "waiting"), "{when}");
    rig.pass(millis(100));
    assert_eq!((rig.state("p"), rig.state("q")), ("up", "up"), "{when}");
    assert_eq!(rig.starts("p"), starts, "{when}");
}

/// Nothing happens to it, nor to whom needs it.
fn stays_up(rig: &mut Rig, starts: usize, when: &str) {
    let found = (rig.state("p"), rig.state("q"), rig.starts("p"));
    assert_eq!(found, ("up", "up", starts), "{when}");
}

#[test]
fn tf11_each_run_has_to_be_ready_anew_and_what_is_no_new_run_has_not() {
    for (name, form) in FORMS {
        let when = |what: &str| format!("ready = {name}, {what}");
        let p = || form(service("p").reloads_by_signal("HUP"));
        let parts = || [p(), service("q").needs("p")];
        let mut rig = Rig::booted_but(parts(), |rig| slow(rig, name));
        comes_up(&mut rig, 1, &when("at the boot"));

        rig.reload("p").expect("it reloads");
        stays_up(&mut rig, 1, &when("reloaded"));
        for extent in [Extent::Definitions, Extent::Everything] {
            assert_eq!(rig.load(machine(parts()), extent), "nothing changed");
            stays_up(&mut rig, 1, &when("the file read again"));
        }
        rig.world.anew();
        stays_up(&mut rig, 1, &when("finit executed anew"));

        // Those that need it outlive what is repaired; that it is ready is to be said again.
        rig.crashes("p");
        rig.pass(millis(100));
        rig.pass(millis(1_900));
        let found = (rig.state("p"), rig.state("q"), rig.starts("p"));
        assert_eq!(found, ("starting", "up", 2), "{}", when("killed"));
        rig.pass(millis(100));
        stays_up(&mut rig, 2, &when("killed and repaired"));

        rig.restart("p");
        comes_up(&mut rig, 3, &when("restarted"));
        // No reload and no upgrade in the middle of it counts for it.
        rig.restart("p");
        rig.pass(secs(1));
        let _early = rig.reload("p");
        rig.apply(parts());
        rig.world.anew();
        rig.pass(millis(900));
        assert_eq!(rig.state("p"), "starting", "{}", when("reloaded while it starts"));
        rig.pass(millis(100));
        stays_up(&mut rig, 4, &when("reloaded while it starts"));

        rig.stop("p");
        assert_eq!((rig.state("p"), rig.state("q")), ("stopped", "waiting"));
        assert_eq!(rig.status("p").pid, None, "{}", when("stopped"));
        rig.start("p");
        comes_up(&mut rig, 5, &when("started after a stop"));

        rig.apply([p().stop_timeout(None).runs("/opt/p"), service("q").needs("p")]);
        comes_up(&mut rig, 6, &when("another definition"));
        assert!(!rig.world.said.iter().any(|(level, _)| *level == Level::Trouble));
    }
}

#[test]
fn tf17_what_comes_after_a_start_waits_until_it_is_ready() {
    for (name, form) in FORMS {
        let part = form(service("p")).after_start(hook("/bin/note"));
        let mut rig = Rig::booted_but([part, service("q").needs("p")], |rig| {
            slow(rig, name);
            rig.ends("/bin/note", millis(0), 0);
        });
        let notes = |rig: &Rig| rig.started().iter().filter(|word| **word == "/bin/note").count();
        for lap in 0..3 {
            rig.pass(millis(1_900));
            assert_eq!((rig.state("p"), notes(&rig)), ("starting", lap), "{name}");
            rig.pass(millis(100));
            assert_eq!((rig.state("p"), notes(&rig)), ("up", lap + 1), "{name}");
            rig.pass(secs(60));
            assert_eq!(notes(&rig), lap + 1, "{name}: once a start");
            rig.restart("p");
        }
    }
}

#[test]
fn tf6_a_dependent_waits_stops_and_restarts_with_what_it_needs_however_that_is_ready() {
    for (name, form) in FORMS {
        let p = form(service("p").restart_never());
        let mut rig = Rig::booted_but([p, service("q").needs("p")], |rig| slow(rig, name));
        comes_up(&mut rig, 1, name);
        rig.stop("p");
        rig.pass(secs(3600));
        assert_eq!((rig.state("q"), rig.starts("q")), ("waiting", 1), "{name}");
        rig.start("p");
        comes_up(&mut rig, 2, name);
        rig.restart("p");
        assert_ne!(rig.state("q"), "up", "{name}");
        comes_up(&mut rig, 3, name);
        assert_eq!(rig.starts("q"), 3, "{name}");
        // It does not come back by itself, and nobody goes round in circles about it.
        rig.crashes("p");
        rig.pass(secs(3600));
        let found = (rig.state("p"), rig.state("q"), rig.starts("q"));
        assert_eq!(found, ("failed", "waiting", 3), "{name}");
    }
}

/// Four links, each ready in another way.
#[test]
fn tf15_the_stop_of_the_root_of_a_mixed_chain_leaves_its_end_waiting() {
    let parts = [
        service("a").notifies(),
        service("b").forks().needs("a"),
        service("c").ready(Ready::Descriptor(3)).needs("b"),
        service("d").needs("c"),
    ];
    let mut rig = Rig::booted(parts);
    let states = |rig: &mut Rig| ["a", "b", "c", "d"].map(|name| rig.state(name));
    assert_eq!(states(&mut rig), ["up"; 4]);
    let job = rig.stop("a");
    assert_eq!(rig.outcome(job), Some(Outcome::Done));
    assert_eq!(rig.stopped(), ["d", "c", "b", "a"]);
    rig.pass(secs(3600));
    assert_eq!(states(&mut rig), ["stopped", "waiting", "waiting", "waiting"]);
    assert_eq!(["a", "b", "c", "d"].map(|name| rig.starts(name)), [1; 4], "nothing restarts");
    rig.start("a");
    assert_eq!(states(&mut rig), ["up"; 4]);
}

/// What is ready in any way, and a task, hooks and sockets between them.
#[test]
fn tf33_a_reload_of_the_same_file_keeps_every_process_of_a_mixed_graph() {
    let parts = || {
        let mut parts = vec![
            service("a"),
            crate::build::task("b").needs("a"),
            service("c").needs("b").listens(80).at_boot(),
            service("d").wants("c").before_start(hook("/sbin/prepare")),
            service("e").bound_to("d").after("c").after_start(hook("/sbin/greet")),
            service("inetd").inetd(23),
        ];
        for (place, (name, form)) in FORMS.into_iter().enumerate() {
            let need = ["a", "b", "c", "d", "e"][place % 5];
            parts.push(form(service(name).needs(need)));
            parts.push(service(&format!("on-{name}")).needs(name));
        }
        parts
    };
    let mut rig = Rig::booted_but(parts(), |rig| {
        for name in ["b", "/sbin/prepare", "/sbin/greet", "/bin/ask"] {
            rig.ends(name, millis(1), 0);
        }
    });
    rig.pass(secs(10));
    let running = |part: &Part| !["b", "inetd"].contains(&part.0.name.as_str());
    let names: Vec<String> = parts().into_iter().filter(running).map(|part| part.0.name).collect();
    let pids = |rig: &mut Rig| -> Vec<_> {
        names.iter().map(|name| (rig.state(name), rig.status(name).pid)).collect()
    };
    let before = pids(&mut rig);
    assert!(before.iter().all(|(state, pid)| *state == "up" && pid.is_some()), "{before:?}");
    let (started, signals) = (rig.world.started.len(), rig.world.signals.len());
    for extent in [Extent::Definitions, Extent::Everything] {
        assert_eq!(rig.load(machine(parts()), extent), "nothing changed");
        rig.pass(secs(60));
    }
    assert_eq!(pids(&mut rig), before);
    assert_eq!((rig.world.started.len(), rig.world.signals.len()), (started, signals));
}
