//! Files on trial, in a world without files: it keeps what ran before, as the driver does.

use std::rc::Rc;
use std::time::Duration;

use finit::config::spec::SystemSpec;
use finit::engine::{Cause, Event, Extent};
use finit::facts::Moment;

use crate::fates::Fates;
use crate::world::World;

/// What ran before a trial.
#[derive(Debug)]
pub struct Before {
    spec: Rc<SystemSpec>,
    /// When the machine is to go back to it.
    due: Moment,
}

impl<F: Fates> World<F> {
    /// The file was read again, and is on trial for so long.
    pub fn try_out(&mut self, spec: SystemSpec, time: Duration) -> u64 {
        let due = self.now.after(time);
        self.before = Some(Before { spec: Rc::clone(self.engine.spec()), due });
        self.load(spec, Extent::Trial(time))
    }

    /// Nobody confirmed it.
    pub fn go_back(&mut self) {
        let now = self.now;
        let Some(Before { spec, due }) = self.before.take() else {
            return self.complain("it goes back, and nothing was on trial".to_owned());
        };
        if now < due {
            self.complain(format!("it goes back at {now:?} and not at {due:?}"));
        }
        let (extent, cause) = (Extent::Back, Cause::Timer("nobody confirmed the file".into()));
        let kept = Rc::clone(&spec);
        self.hand_over(Event::Loaded { spec, extent, cause, ticket: None });
        if let Some(oracle) = &mut self.oracle {
            oracle.let_go(&self.engine);
        }
        if *self.engine.spec() != kept {
            self.complain("it goes back to something else".to_owned());
        }
    }

    /// A trial ends by itself, unless the machine goes down before.
    pub fn trial_at_rest(&mut self) {
        if self.before.is_some() && self.finished.is_empty() {
            self.complain("a trial never ends".to_owned());
        }
    }

    /// Something is wrong.
    pub fn complain(&mut self, what: String) {
        if let Some(oracle) = &mut self.oracle {
            oracle.check(false, || what);
        }
    }
}
