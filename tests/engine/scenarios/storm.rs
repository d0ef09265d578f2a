//! Many services that end and come back at once: a bound for the whole machine.

use crate::build::{millis, secs, service};
use crate::rig::Rig;

/// Fifty that never last, and how often all of them were started together.
fn fifty(rest: Vec<crate::build::Part>) -> (Rig, impl Fn(&Rig) -> usize) {
    let names: Vec<String> = (0..50).map(|number| format!("bad-{number}")).collect();
    let bad = names.iter().map(|name| service(name).delay(secs(0), secs(0)));
    let rig = Rig::booted_but(bad.chain(rest).collect::<Vec<_>>(), |rig| {
        for name in &names {
            rig.ends(name, secs(0), 1);
        }
    });
    let starts = move |rig: &Rig| names.iter().map(|name| rig.starts(name)).sum();
    (rig, starts)
}

/// The numbers before those words at the console.
fn left_out(rig: &Rig, words: &str) -> Vec<usize> {
    let lines = rig.world.said.iter().filter_map(|(_, line)| line.split_once(words));
    lines.map(|(count, _)| count.parse().unwrap()).collect()
}

#[test]
fn many_that_die_at_once_share_what_one_may_take() {
    let (mut rig, starts) = fifty(vec![]);
    rig.pass(secs(5));
    let before = starts(&rig);
    rig.pass(secs(10));
    let rate = (starts(&rig) - before) / 10;
    assert!((150..=210).contains(&rate), "{rate} starts a second");
}

#[test]
fn in_a_storm_a_start_that_a_person_asks_for_is_not_delayed() {
    let (mut rig, _) = fifty(vec![service("web").manual(), service("gone")]);
    rig.pass(secs(10));
    rig.start("web");
    assert_eq!(rig.state("web"), "up");
    rig.restart("web");
    assert_eq!((rig.state("web"), rig.starts("web")), ("up", 2));
    // And a service that has a delay of its own waits little longer than that.
    rig.crashes("gone");
    rig.pass(millis(500));
    assert_eq!(rig.starts("gone"), 2);
}

#[test]
fn a_fault_that_takes_many_along_once_delays_none_of_them() {
    let names: Vec<String> = (0..400).map(|number| format!("web-{number}")).collect();
    let mut rig = Rig::booted(names.iter().map(|name| service(name).delay(secs(0), secs(0))));
    for name in &names {
        rig.crashes(name);
        assert_eq!(rig.state(name), "up");
    }
}

#[test]
fn lines_that_say_the_same_of_many_are_bounded_and_the_rest_is_counted() {
    let (mut rig, starts) = fifty(vec![]);
    rig.pass(secs(10));
    let lines = rig.said("starting it again");
    assert!((100..=20 * 11).contains(&lines), "{lines}");
    // Nothing is lost from the count, though the storm ends.
    for number in 0..50 {
        rig.mends(&format!("bad-{number}"));
    }
    rig.pass(secs(10));
    let counted: usize = left_out(&rig, " more restarts within").iter().sum();
    assert_eq!(rig.said("starting it again") + counted, starts(&rig) - 50);

    let names: Vec<String> = (0..60).map(|number| format!("web-{number}")).collect();
    let mut rig = Rig::booted(names.iter().map(|name| service(name).restart_never()));
    for name in &names {
        rig.crashes(name);
    }
    rig.pass(secs(2));
    assert_eq!(rig.said(" failed: "), 20);
    assert_eq!(left_out(&rig, " more failures within"), [40]);
}

/// The turn of a finit that is late may begin with what happened, and not with the time.
#[test]
fn lines_that_were_left_out_are_counted_though_the_next_one_comes_first() {
    let names: Vec<String> = (0..61).map(|number| format!("web-{number}")).collect();
    let mut rig = Rig::booted(names.iter().map(|name| service(name).restart_never()));
    for name in &names[..60] {
        rig.crashes(name);
    }
    rig.world.now = rig.world.now.after(secs(2));
    rig.crashes(&names[60]);
    assert_eq!(left_out(&rig, " more failures within"), [40]);
    assert_eq!(rig.said(" failed: "), 21);
}
