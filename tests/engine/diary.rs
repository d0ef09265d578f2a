//! What happened, in lines: kept for a person when asked for, and always in a hash, so that two
//! lives can be compared.

use finit::engine::{Effect, Engine, Event};
use finit::facts::Moment;

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
        let text = match event {
            Event::Loaded { extent, .. } => format!("loaded {extent:?}"),
            Event::Requested { peer, request, .. } => format!("asked by {}: {request:?}", peer.uid),
            Event::Spawned { run, result } => format!("spawned {run} {result:?}"),
            Event::Executed { run } => format!("executed {run} of {}", name(run.node)),
            Event::Exited { run, ended, group } => {
                format!("exited {run} of {}: {ended:?} {group:?}", name(run.node))
            }
            Event::StepEnded { run, result } => format!("step {} {result:?}", name(run.node)),
            other => format!("{other:?}"),
        };
        self.note(format!("{:>10.3} > {text}", now.0 as f64 / 1e6));
    }

    pub fn effect(&mut self, engine: &Engine, effect: &Effect) {
        let text = match effect {
            Effect::Spawn(order) => {
                format!("spawn {} {:?} for {}", order.run, order.what, order.service.name)
            }
            Effect::Bind { node, .. } => format!("bind {}", engine.name(*node)),
            Effect::Signal { node, aim, signal } => {
                format!("signal {signal} to {aim:?} of {}", engine.name(*node))
            }
            Effect::Tell { level, text } => format!("tell {level:?}: {text}"),
            Effect::Reply { ticket, result } => match result {
                Ok(finit::proto::Reply::Machine(machine)) => format!("reply {}", machine.phase),
                other => format!("reply {} {other:?}", ticket.0),
            },
            other => format!("{other:?}"),
        };
        self.note(format!("           < {text}"));
    }

    /// One line.
    pub fn note(&mut self, line: String) {
        self.count += 1;
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }
}
