//! When something is due by the calendar: texts to schedules, schedules to seconds since 1970.
//!
//! Pure: no clock, no file, no zone of the machine. Who asks says what time it is and brings the
//! bytes of the zone's file.
//!
//! * [`schedule`](Schedule): the whole key `schedule`, and the words that it may be written in.
//! * `oncalendar`, `cron`: the two notations for times of the calendar; `component` is what
//!   both are made of, `words` cuts texts, [`Mistake`] says what is wrong with them.
//! * [`spec`](CalendarSpec): what both notations become; `next` finds the times.
//! * [`zone`](Zone), `rule`: local time, from tzfile(5). [`civil`](Civil): dates as numbers.

mod civil;
mod component;
mod cron;
mod mistake;
mod next;
mod oncalendar;
mod rule;
mod schedule;
mod spec;
mod words;
mod zone;

pub use civil::{Civil, DAY};
pub use mistake::Mistake;
pub use schedule::Schedule;
pub use spec::CalendarSpec;
pub use zone::{BadZone, Moments, Zone};
