//! A shutdown at a time to come: one at most. Another one takes its place, one that is wanted at
//! once goes first, and until it begins it can be cancelled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::why::Why;
use super::{Effect, Engine, Level};
use crate::facts::Moment;
use crate::proto::{Code, Power, Refusal, Reply, ScheduledReport};

/// Time left at which everybody is told again, the longest first.
const WARNINGS: [Duration; 6] =
    [minutes(60), minutes(30), minutes(15), minutes(10), CLOSING, minutes(1)];
/// Time left at which nobody but root can log in any more.
const CLOSING: Duration = minutes(5);
/// Most characters of a message.
const MESSAGE: usize = 300;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// What is to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scheduled {
    how: Power,
    at: Moment,
    /// When there is something to say or to do next.
    next: Moment,
    /// Who wants it.
    cause: Why,
    message: String,
    audience: Audience,
}

/// Who hears of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// The console and whoever is logged in.
    Everybody,
    /// The console alone.
    Console,
}

impl Scheduled {
    /// When something happens by itself.
    pub fn deadline(&self) -> Moment {
        self.next
    }

    /// What it is, in words.
    fn words(&self, now: Moment) -> String {
        let when = match self.at.since(now).as_secs_f32() {
            ..0.5 => "now".to_owned(),
            _ => format!("in {}", span(self.at.since(now))),
        };
        let message = if self.message.is_empty() { "" } else { ": " };
        format!("{} {when}, asked for by {}{message}{}", self.how, self.cause, self.message)
    }
}

impl Engine {
    /// Takes a shutdown on for later, or begins with it when there is no time to wait.
    pub(super) fn schedule(
        &mut self,
        how: Power,
        wait: Duration,
        message: &str,
        audience: Audience,
    ) -> Result<Reply, Refusal> {
        self.may_go_down()?;
        let (at, cause) = (self.now.after(wait), self.cause.clone());
        let message = one_line(message);
        let new = Scheduled { how, at, next: self.now, cause, message, audience };
        let mut answer = new.words(self.now);
        if let Some(old) = self.scheduled.replace(new) {
            answer.push_str(&format!("; instead of {}", old.words(self.now)));
            if wait > CLOSING {
                self.emit(Effect::Logins(None));
            }
        }
        self.on_scheduled();
        Ok(Reply::Done { message: answer })
    }

    /// Drops the shutdown that is to come.
    pub(super) fn cancel(&mut self, message: &str, audience: Audience) -> Result<Reply, Refusal> {
        if self.phase.is_down() {
            let message = format!("the machine is {}: what has begun goes on", self.phase);
            return Err(Refusal::new(Code::ShuttingDown, message));
        }
        let Some(old) = self.scheduled.take() else {
            return Ok(Reply::Done { message: "no shutdown is scheduled".to_owned() });
        };
        let mut text = format!("cancelled by {}: {}", self.cause, old.words(self.now));
        if !message.is_empty() {
            text.push_str(&format!("; {}", one_line(message)));
        }
        self.announce(text.clone(), audience);
        self.emit(Effect::Logins(None));
        Ok(Reply::Done { message: text })
    }

    /// What is due of it: a warning, no more logins, or the shutdown itself.
    pub(super) fn on_scheduled(&mut self) {
        let now = self.now;
        let Some(scheduled) = self.scheduled.as_mut().filter(|one| one.next <= now) else { return };
        let (left, how) = (scheduled.at.since(now), scheduled.how);
        let text = format!("the machine goes down: {}", scheduled.words(now));
        let (cause, audience) = (scheduled.cause.clone(), scheduled.audience);
        let warning = WARNINGS.into_iter().find(|warning| *warning < left);
        scheduled.next = now.after(left.saturating_sub(warning.unwrap_or_default()));
        self.announce(text.clone(), audience);
        if left.is_zero() {
            self.cause = cause;
            self.power(how);
        } else if left <= CLOSING {
            self.emit(Effect::Logins(Some(harmless(&text))));
        }
    }

    fn announce(&mut self, text: String, audience: Audience) {
        // The name of the program that asked is in it, and that program chose it.
        let text = harmless(&text);
        match audience {
            Audience::Everybody => self.emit(Effect::Announce(text)),
            Audience::Console => self.tell(Level::Trouble, text),
        }
    }

    /// For a status.
    pub(super) fn scheduled_report(&self, known: bool) -> Option<ScheduledReport> {
        let scheduled = self.scheduled.as_ref()?;
        let left = scheduled.at.since(self.now).as_millis();
        Some(ScheduledReport {
            how: scheduled.how,
            in_ms: u64::try_from(left).unwrap_or(u64::MAX),
            by: scheduled.cause.who(known),
            message: scheduled.message.clone(),
        })
    }
}

/// Words of a person as one short line.
fn one_line(text: &str) -> String {
    let short: String = text.trim().chars().take(MESSAGE).collect();
    harmless(&short)
}

/// One line that a terminal shows and does not obey.
fn harmless(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// "40 s", "5 min", "2 h 10 min".
pub(super) fn span(time: Duration) -> String {
    let seconds = time.saturating_add(Duration::from_millis(500)).as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (seconds, minutes % 60) {
        (..60, _) => format!("{seconds} s"),
        (..3600, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        (_, rest) => format!("{hours} h {rest} min"),
    }
}
