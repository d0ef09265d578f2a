//! The work of settling grows with the machine and not with its square: looks at nodes are
//! counted, not time.

use finit::proto::{Power, Request};

use crate::build::{Part, machine, service};
use crate::rig::Rig;

/// Looks that a node may take to come up, go down, come up again and go down for good, on average:
/// each step of it takes two looks, and two at each of its neighbours.
const LOOKS: u64 = 120;

/// Each needs the one before.
fn chain(count: u64) -> Vec<Part> {
    (0..count)
        .map(|number| {
            let part = service(&format!("s{number}"));
            if number == 0 { part } else { part.needs(&format!("s{}", number - 1)) }
        })
        .collect()
}

/// All need one.
fn star(count: u64) -> Vec<Part> {
    (0..count)
        .map(|number| {
            let part = service(&format!("s{number}"));
            if number == 0 { part } else { part.needs("s0") }
        })
        .collect()
}

/// Each needs, wants or comes after ten of those before it, near and far.
fn dense(count: u64) -> Vec<Part> {
    let below = |number: u64| {
        [1, 2, 3, 5, 8]
            .into_iter()
            .flat_map(move |by| [number.checked_sub(by), Some(number / (by + 1))])
    };
    let part = |number| {
        let others = below(number).flatten().filter(|other| *other < number).enumerate();
        others.fold(service(&format!("s{number}")), |part, (place, other)| {
            let other = format!("s{other}");
            match place % 5 {
                0 | 2 => part.needs(&other),
                1 => part.wants(&other),
                _ => part.after(&other),
            }
        })
    };
    (0..count).map(part).collect()
}

fn life(shape: &str, count: u64, parts: Vec<Part>) -> u64 {
    let mut rig = Rig::cold(machine(parts), "default");
    // It looks at everything after each step, which is the square.
    rig.world.oracle = None;
    rig.world.diary.lines = None;
    let began = std::time::Instant::now();
    rig.boot();
    let last = format!("s{}", count - 1);
    assert_eq!(rig.label(&last), "up");
    rig.stop("s0");
    assert_eq!(rig.label(&last), "waiting");
    rig.start("s0");
    assert_eq!(rig.label(&last), "up");
    rig.power(Power::Halt).expect("it goes down");
    assert_eq!(rig.finished(), Some(Power::Halt));
    let (took, events) = (began.elapsed().as_secs_f64(), rig.world.diary.count as f64);
    assert_eq!(rig.said("BUG"), 0);
    let looks = rig.world.engine.looks() / count;
    println!("{shape} of {count}: {looks} looks a node, {:.0} events/s", events / took);
    rig.world.engine.audit().expect("the accounts are right");
    looks
}

#[test]
fn settles_in_linear_work() {
    for count in [100, 1_000, 10_000] {
        assert!(life("chain", count, chain(count)) < LOOKS);
        assert!(life("star", count, star(count)) < LOOKS);
    }
    let [small, large] = [1_000, 10_000].map(|count| life("dense", count, dense(count)));
    assert!(large < 10 * LOOKS && large <= small + small / 4, "{small} looks a node, then {large}");
}

/// Looks that a node takes to be restarted with all others, after they were edited.
fn edited(count: u64) -> u64 {
    let edit = |part: Part, number: u64| part.runs(&format!("/opt/s{number}"));
    let mut rig = Rig::cold(machine(star(count)), "default");
    rig.world.oracle = None;
    rig.world.diary.lines = None;
    rig.boot();
    rig.look_at(star(count).into_iter().zip(0..).map(|(part, number)| edit(part, number)));
    let before = rig.world.engine.looks();
    let names = (0..count).map(|number| format!("s{number}")).collect();
    rig.ask(Request::Restart { names }).expect("they are restarted");
    assert!((0..count).all(|number| rig.starts(&format!("s{number}")) == 2));
    (rig.world.engine.looks() - before) / count
}

/// What all of them stand on is made anew once, and not once for each.
#[test]
fn edited_services_are_restarted_in_linear_work() {
    let [small, large] = [200, 800].map(edited);
    assert!(large <= small + small / 4, "{small} looks a node, then {large}");
}
