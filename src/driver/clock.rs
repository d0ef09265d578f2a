//! The one timer: it sleeps until the engine's next deadline. Deadlines are derived from
//! states, so there is nothing to cancel and nothing to forget.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::facts::Moment;
use crate::os::time;

/// The timer.
#[derive(Debug, Default)]
pub struct Clock {
    sleep: Option<(Moment, Pin<Box<Sleep>>)>,
}

impl Clock {
    /// Sets it to that moment, or off.
    pub fn set(&mut self, deadline: Option<Moment>) {
        let Some(deadline) = deadline else {
            self.sleep = None;
            return;
        };
        if self.sleep.as_ref().is_some_and(|(set, _)| *set == deadline) {
            return;
        }
        let at = Instant::now().checked_add(deadline.since(time::now()));
        self.sleep = at.map(|at| (deadline, Box::pin(sleep_until(at))));
    }

    /// Whether its moment has come. The clock is asked before the timer: a timer may report
    /// late, when tokio's budget for this turn is spent.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((deadline, sleep)) = &mut self.sleep else { return Poll::Pending };
        if time::now() >= *deadline || sleep.as_mut().poll(cx).is_ready() {
            self.sleep = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
