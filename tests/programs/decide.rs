//! What a decision costs: the engine alone, without a process, a socket or a clock, at 100, 1,000
//! and 10,000 services that need three others each; and what it costs to read the file that
//! defines so many. `tests/bench decide` prints it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a benchmark may fail, and prints"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use finit::config::{self, Source};
use finit::engine::{
    Access, Effect, Ended, Engine, Event, Group, NodeId, Peer, RunId, Ticket, What,
};
use finit::facts::{Exit, Moment, Pid, SignalNumber};
use finit::proto::Request;

#[allow(dead_code, reason = "written for the tests of the engine, which use all of it")]
#[path = "../engine/build.rs"]
mod build;

/// Crashes and requests of each measurement.
const EVENTS: u32 = 100_000;

/// Definitions that are read of each file.
const READ: u32 = 100_000;

/// An engine, and the time that was spent in it.
struct Bench {
    engine: Engine,
    now: Moment,
    spent: Duration,
    events: u32,
    last_pid: i32,
    /// The running main process of each node.
    runs: Vec<Option<RunId>>,
    queue: VecDeque<Event>,
}

impl Bench {
    fn of(count: u32) -> Self {
        let parts = (0..count).map(|number| {
            let part = build::service(&format!("s{number}")).delay(Duration::ZERO, Duration::ZERO);
            let below = [2, 3, 5].map(|by| number / by).into_iter().filter(|below| *below < number);
            below.fold(part, |part, below| part.needs(&format!("s{below}")))
        });
        let spec = Rc::new(build::machine(parts));
        let now = Moment(1_000_000);
        let engine = Engine::new(spec, "default", Vec::new(), 7, now);
        let (spent, events, last_pid) = (Duration::ZERO, 0, 100);
        Self { engine, now, spent, events, last_pid, runs: Vec::new(), queue: VecDeque::new() }
    }

    /// One event, and all that the driver would answer.
    fn turn(&mut self, event: Event) {
        self.queue.push_back(event);
        while let Some(event) = self.queue.pop_front() {
            let began = Instant::now();
            self.engine.handle(self.now, event);
            let effects: Vec<Effect> = std::iter::from_fn(|| self.engine.next_effect()).collect();
            self.spent += began.elapsed();
            self.events += 1;
            for effect in effects {
                self.answer(effect);
            }
        }
    }

    fn answer(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(order) if order.what == What::Main => {
                let run = order.run;
                self.last_pid += 1;
                self.queue.push_back(Event::Spawned {
                    run,
                    result: Ok(Pid::new(self.last_pid).unwrap()),
                });
                self.queue.push_back(Event::Executed { run });
                let place = usize::try_from(run.node.number()).unwrap();
                if self.runs.len() <= place {
                    self.runs.resize(place + 1, None);
                }
                self.runs[place] = Some(run);
            }
            Effect::RunStep { run, .. } => {
                self.queue.push_back(Event::StepEnded { run, result: Ok(None) });
            }
            other => drop(black_box(other)),
        }
    }

    /// Events a second since the last question, and microseconds for one.
    fn rate(&mut self, what: &str, count: u32) {
        let seconds = std::mem::take(&mut self.spent).as_secs_f64();
        let events = f64::from(std::mem::take(&mut self.events));
        let (rate, micros) = (events / seconds, seconds * 1e6 / events);
        println!("{count:>7} services  {what:<28}{rate:>12.0} events/s{micros:>9.2} us each");
    }
}

/// A file of so many plain services is read again and again.
fn read(count: u32) {
    let one = |number| {
        format!(
            "[service.s{number}]\ncommand = \"/bin/svc {number}\"\n\
             restart = {{ when = \"always\", delay = \"0s\" }}\nlog = \"none\"\n"
        )
    };
    let text: String = (0..count).map(one).collect();
    let sources = [Source::new("finit.toml", text)];
    let times = READ / count;
    let began = Instant::now();
    for _ in 0..times {
        let loaded = black_box(config::parse(&sources));
        assert_eq!(loaded.spec.services.len(), usize::try_from(count).unwrap(), "all are read");
    }
    let micros = began.elapsed().as_secs_f64() * 1e6 / f64::from(times * count);
    let rate = 1e6 / micros;
    let what = "a definition is read";
    println!("{count:>7} services  {what:<28}{rate:>12.0} a second{micros:>9.2} us each");
}

fn main() {
    for count in [100, 1_000, 10_000] {
        read(count);
        let mut bench = Bench::of(count);
        bench.turn(Event::Began);
        let up = bench.runs.iter().flatten().count();
        assert_eq!(up, usize::try_from(count).unwrap(), "all are up");
        bench.rate("the boot", count);

        let running: Vec<NodeId> = bench.runs.iter().flatten().map(|run| run.node).collect();
        for number in 0..EVENTS {
            bench.now = bench.now.after(Duration::from_millis(1));
            let pick = usize::try_from(number.wrapping_mul(2_654_435_761) % count).unwrap();
            let run = bench.runs[usize::try_from(running[pick].number()).unwrap()].unwrap();
            let exit = Exit::Signal { number: SignalNumber::KILL, core: false };
            bench.turn(Event::Exited { run, ended: Ended::Exit(exit), group: Group::Empty });
        }
        bench.rate("a crash and its replacement", count);

        for number in 0..EVENTS {
            let peer =
                Peer { uid: 0, pid: 7, command: "finitctl".to_owned(), access: Access::Everything };
            let request = Request::Status { name: format!("s{}", number % count) };
            bench.turn(Event::Requested {
                ticket: Ticket(number.into()),
                peer,
                request,
                waits: None,
            });
        }
        bench.rate("a status", count);
    }
}
