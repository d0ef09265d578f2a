//! The one timer: it wakes the loop at the engine's next deadline. Deadlines are derived from
//! states, so there is nothing to cancel and nothing to forget.
//!
//! It is lazy: when the deadline moves away, as it does with every start that succeeds, the
//! timer stays as it is and at worst wakes once for nothing. To set it costs more than that.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::facts::Moment;
use crate::os::time;

/// The timer.
#[derive(Debug, Default)]
pub struct Clock {
    deadline: Option<Moment>,
    sleep: Option<(Moment, Pin<Box<Sleep>>)>,
}

impl Clock {
    /// Wakes at that moment, or before it.
    pub fn set(&mut self, deadline: Option<Moment>) {
        self.deadline = deadline;
        let Some(deadline) = deadline else { return };
        if self.sleep.as_ref().is_some_and(|(set, _)| *set <= deadline) {
            return;
        }
        let at = Instant::now().checked_add(deadline.since(time::now()));
        self.sleep = at.map(|at| (deadline, Box::pin(sleep_until(at))));
    }

    /// Whether the deadline has come. The clock is asked before the timer: a timer may report
    /// late, when tokio's budget for this turn is spent.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.is_some_and(|deadline| time::now() >= deadline) {
            self.deadline = None;
            return Poll::Ready(());
        }
        while let Some((_, sleep)) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Woken for nothing: the deadline has moved since it was set.
            self.sleep = None;
            self.set(self.deadline);
        }
        Poll::Pending
    }
}
