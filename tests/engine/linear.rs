//! The work of settling grows with the machine and not with its square. Not time is counted but
//! looks at nodes, and how often nodes are visited for them and for all else: who goes through all
//! nodes at each look, or along half of them, takes no more looks.

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

/// What a machine of so many cost.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// Looks a node.
    looks: u64,
    /// Visits a node.
    visits: u64,
}

impl Work {
    fn of(rig: &Rig, count: u64) -> Self {
        let engine = &rig.world.engine;
        Self { looks: engine.looks() / count, visits: engine.visits() / count }
    }

    /// Whether a machine that is larger than this one has cost no more for each of its nodes, but
    /// for what chance has to do with it.
    fn bears(self, larger: Self) -> bool {
        let within = |small: u64, large: u64| large <= small + small / 4;
        within(self.looks, larger.looks) && within(self.visits, larger.visits)
    }
}

fn life(shape: &str, count: u64, parts: Vec<Part>) -> Work {
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
    let work = Work::of(&rig, count);
    println!("{shape} of {count}: {work:?} a node, {:.0} events/s", events / took);
    rig.world.engine.audit().expect("the accounts are right");
    work
}

#[test]
fn settles_in_linear_work() {
    type Shape = (&'static str, fn(u64) -> Vec<Part>, u64);
    let shapes: [Shape; 3] =
        [("chain", chain, LOOKS), ("star", star, LOOKS), ("dense", dense, 10 * LOOKS)];
    for (shape, parts, most) in shapes {
        assert!(life(shape, 100, parts(100)).looks < most);
        let [small, large] = [1_000, 10_000].map(|count| life(shape, count, parts(count)));
        assert!(large.looks < most && small.bears(large), "{shape}: {small:?}, then {large:?}");
    }
}

/// The same where they go down in the order in which they are told, against it and in none: with
/// what all of them come after.
#[test]
fn what_goes_last_does_not_pass_over_those_that_have_gone() {
    let down = |count: u64, forwards: bool| {
        let part = |number: u64| {
            let part = service(&format!("s{number}")).after("base");
            match (number, forwards) {
                (0, _) => part,
                (_, true) => part.before(&format!("s{}", number - 1)),
                (_, false) => part.after(&format!("s{}", number - 1)),
            }
        };
        let mut rig = Rig::cold(machine((0..count).map(part).chain([service("base")])), "default");
        rig.world.oracle = None;
        rig.world.diary.lines = None;
        rig.boot();
        rig.power(Power::Halt).expect("it goes down");
        assert_eq!(rig.finished(), Some(Power::Halt));
        Work::of(&rig, count)
    };
    for forwards in [true, false] {
        let [small, large] = [500, 4_000].map(|count| down(count, forwards));
        assert!(small.bears(large), "{forwards}: {small:?}, then {large:?}");
    }
}

/// What it costs to restart all of them after they were edited.
fn edited(count: u64) -> Work {
    let edit = |part: Part, number: u64| part.runs(&format!("/opt/s{number}"));
    let mut rig = Rig::cold(machine(star(count)), "default");
    rig.world.oracle = None;
    rig.world.diary.lines = None;
    rig.boot();
    rig.look_at(star(count).into_iter().zip(0..).map(|(part, number)| edit(part, number)));
    let before = Work::of(&rig, count);
    let names = (0..count).map(|number| format!("s{number}")).collect();
    rig.ask(Request::Restart { names }).expect("they are restarted");
    assert!((0..count).all(|number| rig.starts(&format!("s{number}")) == 2));
    let now = Work::of(&rig, count);
    Work { looks: now.looks - before.looks, visits: now.visits - before.visits }
}

/// What all of them stand on is made anew once, and not once for each.
#[test]
fn edited_services_are_restarted_in_linear_work() {
    let [small, large] = [200, 800].map(edited);
    assert!(small.bears(large), "{small:?}, then {large:?}");
}
