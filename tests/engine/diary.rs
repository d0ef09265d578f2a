//! What happened, in lines: kept for a person when asked for, and always in a hash, so that two
//! lives can be compared.

use std::fmt::{self, Write};

use finit::engine::{Effect, Engine, Event};
use finit::facts::Moment;
use finit::proto::Reply;

/// The lines of one life.
#[derive(Debug)]
pub struct Diary {
    /// Of all lines so far.
    pub hash: u64,
    /// Events and effects so far.
    pub count: u64,
    /// The lines themselves, while somebody wants them.
    pub lines: Option<Vec<String>>,
}

impl Default for Diary {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, count: 0, lines: None }
    }
}

impl Diary {
    pub fn event(&mut self, engine: &Engine, now: Moment, event: &Event) {
        let name = |node| engine.name(node);
        let at = now.0 as f64 / 1e6;
        match event {
            Event::Loaded { extent, .. } => {
                self.note(format_args!("{at:>10.3} > loaded {extent:?}"));
            }
            Event::Requested { peer, request, .. } => {
                self.note(format_args!("{at:>10.3} > asked by {}: {request:?}", peer.uid));
            }
            Event::Spawned { run, result } => {
                self.note(format_args!("{at:>10.3} > spawned {run} {result:?}"));
            }
            Event::Executed { run } => {
                self.note(format_args!("{at:>10.3} > executed {run} of {}", name(run.node)));
            }
            Event::Exited { run, ended, group } => {
                let name = name(run.node);
                self.note(format_args!("{at:>10.3} > exited {run} of {name}: {ended:?} {group:?}"));
            }
            Event::StepEnded { run, result } => {
                self.note(format_args!("{at:>10.3} > step {} {result:?}", name(run.node)));
            }
            other => self.note(format_args!("{at:>10.3} > {other:?}")),
        }
    }

    pub fn effect(&mut self, engine: &Engine, effect: &Effect) {
        match effect {
            Effect::Spawn(order) => {
                let (run, what, name) = (order.run, order.what, &order.service.name);
                self.note(format_args!("           < spawn {run} {what:?} for {name}"));
            }
            Effect::ReadVariables { run, service } => {
                self.note(format_args!("           < read variables {run} for {}", service.name));
            }
            Effect::Bind { node, .. } => {
                self.note(format_args!("           < bind {}", engine.name(*node)));
            }
            Effect::Signal { node, aim, signal } => {
                let name = engine.name(*node);
                self.note(format_args!("           < signal {signal} to {aim:?} of {name}"));
            }
            Effect::Tell { level, text } => {
                self.note(format_args!("           < tell {level:?}: {text}"));
            }
            Effect::Reply { result: Ok(Reply::Machine(machine)), .. } => {
                self.note(format_args!("           < reply {}", machine.phase));
            }
            Effect::Reply { ticket, result } => {
                self.note(format_args!("           < reply {} {result:?}", ticket.0));
            }
            other => self.note(format_args!("           < {other:?}")),
        }
    }

    /// One line.
    fn note(&mut self, line: fmt::Arguments<'_>) {
        self.count += 1;
        // Straight into the hash: nearly always nobody wants the text.
        self.write_fmt(line).expect("a line has words for everything");
        if let Some(lines) = &mut self.lines {
            lines.push(line.to_string());
        }
    }
}

impl Write for Diary {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}
