//! Times at which tasks run. The engine knows moments and no calendar: when a time of the
//! calendar comes, the driver tells, and tells again when somebody sets the clock.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::NodeId;
use super::node::{Asked, Node};
use super::state::{DownWhy, State};
use super::view::millis;
use super::{Cause, Effect, Engine, Level};
use crate::calendar::Schedule;
use crate::config::spec::SocketMode;
use crate::facts::Moment;
use crate::proto::TimerReport;

/// The boot steps after which the machine knows the time: one sets the clock, the other mounts
/// where the zones are.
const TELL_TIME: [&str; 2] = ["clock", "mount-local"];

/// When a task runs next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    /// What it follows.
    schedule: Rc<Schedule>,
    /// Since when.
    since: Moment,
    /// When it was due the last time.
    last: Option<Moment>,
    /// From when on a time of the calendar is the next one, in seconds since 1970.
    base: Option<i64>,
    /// When the next time of the calendar comes.
    calendar: Option<Moment>,
    /// Why no time of the calendar comes any more.
    #[serde(default)]
    pub never: Option<String>,
    /// When it runs next.
    pub due: Option<Moment>,
}

/// After what a time of the calendar is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// After now; where times are caught up, after its last run, whenever that was.
    Arming,
    /// After now, which is one.
    Run,
    /// After that, in seconds since 1970, or now while that is yet to come; the answer keeps it.
    Base(i64),
}

impl Timetable {
    /// Whether the calendar still has to answer.
    fn is_asked(&self) -> bool {
        !self.schedule.at.is_empty() && self.base.is_none()
    }

    /// The first of all that can make it due.
    fn first(&self, began: Moment) -> Option<Moment> {
        let schedule = &self.schedule;
        let every = schedule.every.map(|every| self.last.unwrap_or(self.since).after(every));
        let once = |from: Moment, wait: Option<Duration>| {
            wait.filter(|_| self.last.is_none()).map(|wait| from.after(wait))
        };
        let boot = once(began, schedule.after_boot);
        let enable = once(self.since, schedule.after_enable);
        [every, boot, enable].into_iter().fold(self.calendar, Moment::first)
    }
}

impl Engine {
    /// Whether times make a node run.
    fn is_timed(&self, node: &Node) -> bool {
        node.timed && !node.removed && !self.phase.is_down() && !node.is_off()
    }

    /// Brings the timetable of a node up to date with its definition.
    pub(super) fn refresh_timetable(&mut self, id: NodeId) {
        let Some(node) = self.node(id).filter(|node| node.timed || node.timetable.is_some()) else {
            return;
        };
        let schedule = node.living_spec().and_then(|spec| spec.schedule.clone());
        let schedule = schedule.filter(|_| self.is_timed(node));
        if node.timetable.as_ref().map(|table| &table.schedule) == schedule.as_ref() {
            return;
        }
        let since = self.now;
        let table = schedule.map(|schedule| {
            let (last, base, calendar, never, due) = (None, None, None, None, None);
            Box::new(Timetable { schedule, since, last, base, calendar, never, due })
        });
        self.change(id, |node| node.timetable = table);
        self.find_next(id, After::Arming);
    }

    /// Whether the machine knows what time it is, and in which zone: before, each time of the
    /// calendar would be one that was missed.
    fn knows_time(&self) -> bool {
        TELL_TIME.iter().all(|step| {
            let node = self.names.get(*step).and_then(|id| self.node(*id));
            node.is_none_or(|node| matches!(node.state, State::Done(_) | State::Failed(_)))
        })
    }

    /// A boot step is over: the machine may know the time by now.
    pub(super) fn ask_times_after(&mut self, step: NodeId) {
        if TELL_TIME.contains(&self.name(step)) {
            for id in self.ids() {
                self.ask_times_again(id);
            }
        }
    }

    /// An answer that was not there yet comes to nobody any more: it is asked for again.
    pub(super) fn ask_times_again(&mut self, id: NodeId) {
        let table = self.node(id).and_then(|node| node.timetable.as_ref());
        if table.is_some_and(|table| table.is_asked()) {
            self.find_next(id, After::Arming);
        }
    }

    /// Finds out when it is due next.
    fn find_next(&mut self, id: NodeId, after: After) {
        self.set_due(id);
        let Some(table) = self.node(id).and_then(|node| node.timetable.as_ref()) else { return };
        let schedule = Rc::clone(&table.schedule);
        let too_early = table.is_asked() && !self.knows_time();
        if !schedule.at.is_empty() && !too_early {
            self.emit(Effect::AskCalendar { node: id, schedule, after });
        }
    }

    fn set_due(&mut self, id: NodeId) {
        let began = self.began;
        let Some(table) = self.node(id).and_then(|node| node.timetable.as_ref()) else { return };
        let (first, jitter) = (table.first(began), table.schedule.jitter);
        let most = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
        let late = Duration::from_micros(self.random.below(most.saturating_add(1)));
        let due = first.map(|first| first.after(late));
        self.change(id, |node| node.timetable.as_mut().map(|table| table.due = due));
    }

    /// The calendar has an answer.
    pub(super) fn on_calendar(&mut self, id: NodeId, base: i64, at: Result<Moment, String>) {
        let Some(table) = self.node_mut(id).and_then(|node| node.timetable.as_mut()) else {
            return;
        };
        table.base = Some(base);
        let news = at.as_ref().err().filter(|_| table.last.is_none()).cloned();
        let news = news.filter(|why| table.never.as_ref() != Some(why));
        (table.calendar, table.never) = match at {
            Ok(at) => (Some(at), None),
            Err(why) => (None, Some(why)),
        };
        self.set_due(id);
        let due = self.node(id).and_then(|node| node.timetable.as_ref()?.due);
        if let (Some(why), None) = (news, due) {
            let name = self.name(id).to_owned();
            self.tell(Level::Trouble, format!("{name} is never due: {why}"));
        }
    }

    /// The clock on the wall was set, or the machine has slept: times come sooner or later.
    pub(super) fn on_clock_set(&mut self) {
        for id in self.ids() {
            let base = |node: &Node| node.timetable.as_ref().and_then(|table| table.base);
            if let Some(base) = self.node(id).and_then(base) {
                self.find_next(id, After::Base(base));
            }
        }
    }

    /// What a task follows, if times make it run.
    pub fn schedule_of(&self, id: NodeId) -> Option<Rc<Schedule>> {
        self.node(id)?.timetable.as_ref().map(|table| Rc::clone(&table.schedule))
    }

    /// Whether there are times that are meant in the zone of the machine. Of one that goes down
    /// nobody waits for another.
    pub fn follows_zone(&self) -> bool {
        let is_meant = |node: &Node| {
            let schedule = node.timetable.as_ref().map(|table| &table.schedule);
            schedule.is_some_and(|schedule| !schedule.at.is_empty() && schedule.zone.is_none())
        };
        !self.phase.is_down() && self.nodes.iter().any(is_meant)
    }

    /// The times of a task, for a report; none for what has none.
    pub(super) fn timer_report(&self, node: &Node) -> Option<Box<TimerReport>> {
        node.living_spec()?.schedule.as_ref()?;
        let due = node.timetable.as_ref().and_then(|table| table.due);
        let over = !node.state.is_under_way();
        let last = node.ran.map(|began| millis(self.now.since(began)));
        Some(Box::new(TimerReport {
            next_ms: due.map(|due| millis(due.since(self.now))),
            never: if due.is_none() { self.no_time(node) } else { String::new() },
            last_ms: last,
            result: last.filter(|_| over).and(node.last_exit.as_ref()).map(ToString::to_string),
        }))
    }

    /// Why no time makes that task run.
    pub(super) fn no_time(&self, node: &Node) -> String {
        let table = node.timetable.as_ref();
        if self.phase.is_down() {
            return format!("the machine is {}", self.phase);
        }
        if let Some(why) = self.not_asked(node) {
            return why;
        }
        match table.and_then(|table| table.never.as_ref()) {
            _ if node.is_off() => "its times are off until it is started".to_owned(),
            Some(why) => format!("never due: {why}"),
            None if table.is_some_and(|table| table.is_asked()) => "not known yet".to_owned(),
            None => "no time left".to_owned(),
        }
    }

    /// Why neither times nor paths start a node, if it is not for the machine as it is.
    pub(super) fn not_asked(&self, node: &Node) -> Option<String> {
        let spec = node.coming_spec()?;
        if !spec.enabled {
            return Some("not enabled".to_owned());
        }
        let is_member = spec.targets.contains(&self.target);
        (!is_member).then(|| format!("not of the target {}", self.target))
    }

    /// Its time has come.
    pub(super) fn on_due(&mut self, id: NodeId) {
        let now = self.now;
        self.because(Cause::Timer("its schedule".into()));
        self.change(id, |node| {
            if let Some(table) = &mut node.timetable {
                (table.last, table.calendar, table.due) = (Some(now), None, None);
            }
        });
        self.find_next(id, After::Run);
        let Some(node) = self.node(id) else { return };
        let name = node.name.clone();
        if let Some(held) = node.held_words(now, true) {
            self.tell(Level::Progress, format!("{name} is due and {held}: this time is left out"));
            return;
        }
        if let Some(by) = node.displaced {
            let text =
                format!("{name} is due and makes way for {}: it runs after it", self.name(by));
            self.tell(Level::Progress, text);
            self.change(id, |node| node.asked = Some(Asked::Up));
            return;
        }
        if matches!(node.state, State::Listening)
            && self.socket_mode(id) == Some(SocketMode::Listen)
        {
            // As if somebody had connected.
            self.stir(id);
            return;
        }
        let rests = match &node.state {
            State::Down(_) | State::Done(_) | State::Skipped(_) => true,
            State::Failed(_) => node.hung.is_none(),
            State::Waiting { .. }
            | State::Awaiting { .. }
            | State::Listening
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Cleaning { .. } => false,
        };
        if !rests {
            let word = super::view::word(&node.state).word();
            let text = format!("{name} is due again and still {word}: this time is left out");
            self.tell(Level::Progress, text);
            return;
        }
        let _told = self.run_now(id, "it is due");
    }

    /// Has a node run that rests, as if a person asked for it. False, and told, if it may not.
    pub(super) fn run_now(&mut self, id: NodeId, why: &str) -> bool {
        let older = self.node(id).is_some_and(Node::waits_to_be_followed);
        let made = match older {
            true => self.make_way(&[id]),
            false => self.by_the_newest(&[id], |engine| engine.make_way(&[id])),
        };
        match made {
            Ok(away) if away.is_empty() => {}
            Ok(away) => {
                let text = format!("{}: {why}, and {}", self.name(id), away.join("; "));
                self.tell(Level::Progress, text);
            }
            Err(refusal) => {
                let text = format!("{}: {why}, but {}", self.name(id), refusal.message);
                self.tell(Level::Trouble, text);
                return false;
            }
        }
        let wish = self.cause.clone();
        self.forget_monitored(id);
        if let Some(node) = self.node_mut(id) {
            node.asked = Some(Asked::Up);
            node.restarting = node.state.is_active();
            if !node.restarting {
                // Its last end is another story, even if it is of the same moment.
                node.cause = wish.clone();
            }
            node.wish = wish;
        }
        self.refresh_wanted(id);
        self.touch(id);
        true
    }

    /// A run that its time or a path had asked for is over: nobody asks for it before the next.
    pub(super) fn wait_for_next(&mut self, id: NodeId) {
        let Some(node) = self.node_mut(id).filter(|node| node.comes_again()) else { return };
        let over = matches!(
            node.state,
            State::Down(DownWhy::Ended) | State::Failed(_) | State::Skipped(_)
        );
        if let Some(watching) = node.watching.as_mut().filter(|_| over) {
            watching.end_run();
        }
        if over && node.asked == Some(Asked::Up) {
            node.asked = None;
            let why = node.cause.clone();
            self.with_cause(why, |engine| engine.refresh_wanted(id));
            self.touch(id);
        }
    }
}
