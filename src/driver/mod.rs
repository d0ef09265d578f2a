//! The driver: perceives and acts. The only room that names tokio.
//!
//! One thread, one loop. A turn of it: wait until anything happens, tell the engine, carry out
//! what it orders, set the one timer, wait again. The order in which sources are asked is the
//! policy of who goes first: exits of processes, then signals, timers, descriptors, what tasks
//! report, and clients last.

mod act;
mod announce;
mod board;
mod clock;
mod configuration;
mod console;
mod control;
mod environment;
mod foreign;
mod groups;
mod handover;
mod lastgood;
mod launch;
mod lifeboat;
mod logs;
mod looks;
mod notify;
mod orders;
mod origin;
mod outputs;
mod own_user;
mod reaper;
mod records;
mod searches;
mod signals;
mod site;
mod sockets;
mod start;
mod store;
mod survive;
mod terminals;
mod timetable;
mod tools;
mod watch;
mod watcher;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::resource::Resource;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::boot;
use crate::engine::{ConnectionId, Engine, Event, Level, NodeId, RunId};
use crate::facts::Moment;
use crate::os::{memory, reboot};
use crate::proto::frame::Spelling;
use board::Board;
use clock::Clock;
use configuration::Configuration;
use console::Console;
use control::{Call, Clients};
use groups::Groups;
use handover::Successor;
use lastgood::Good;
use logs::Logs;
use looks::Looks;
use reaper::{Owner, Reaped, Reaper};
use records::Records;
use searches::{Looked, Searches};
use signals::{Asked, Signals};
use site::Sites;
use tools::{Ask, Hand};
use watch::{Token, Watch};
use watcher::Watchers;

pub use handover::{CHECK as CHECK_HANDOVER, check as check_handover};
pub use lastgood::{WORD as KEEP_CONFIG, keep as keep_config};
pub use lifeboat::{fault, lifeboat, tell_panics};
pub use start::{Start, run};
pub use timetable::{
    NOTE as NOTE_RUN, RECALL as RECALL_RUN, note as note_run, recall as recall_run,
};

/// What tasks report to the loop.
#[derive(Debug)]
enum Fact {
    /// A boot step came to its end.
    StepEnded {
        /// The run to name to the engine.
        run: RunId,
        /// Which step.
        step: &'static str,
        /// How.
        report: boot::Report,
    },
    /// What a node waits for is worth another look.
    Arrived(RunId),
    /// Nobody watches the paths of a node any more.
    Blinded(RunId),
    /// Accepting on the sockets of this node may go on.
    Rested(NodeId),
    /// A service that said too much at once is heard again.
    Quieted(NodeId),
    /// The console may take more by now.
    ConsoleRested,
    /// Another log writer may be started.
    WriterRested,
    /// The control socket may be tried again.
    ControlRested,
    /// When a task ran the last time, in seconds since 1970.
    Recalled(NodeId, Option<i64>),
    /// A main process that is another's child has ended, and its parent has had some time to ask
    /// how; so many looks are left.
    Outlived(RunId, u8),
    /// An order to freeze or to thaw, of which nobody tells, is to be looked at again after that
    /// wait.
    Untold(RunId, Duration),
    /// Instances of templates were looked for.
    Searched(Vec<Looked>),
    /// Whether the program that is to take over understands what it would get.
    Checked(Result<(), String>),
    /// A panic took away what finit was about beside the loop.
    Panicked(Box<dyn Any + Send>),
}

/// Everything that wakes the loop.
enum Wake {
    Children,
    Asked(Asked),
    Elapsed,
    Ready(Vec<Token>),
    Fact(Fact),
    Ask(Ask),
    Call(Call),
}

/// A client that waits for an answer: how it asked, where to, and what else to tell it.
type Waiting = (Spelling, mpsc::Sender<String>, Vec<String>);

/// PID 1 outside the engine.
struct Driver {
    engine: Engine,
    configuration: Configuration,
    context: boot::Context,
    console: Console,
    signals: Signals,
    clock: Clock,
    watch: Watch,
    /// Tokens that came at an unfit moment.
    tokens: Vec<Token>,
    reaper: Reaper,
    sites: Sites,
    /// Whose emptiness is awaited and told by nobody: it is looked at after each reaping.
    unwatched: BTreeSet<NodeId>,
    groups: Groups,
    logs: Logs,
    looks: Looks,
    records: Records,
    searches: Searches,
    watchers: Watchers,
    board: Board,
    /// Tells when somebody sets the clock.
    wall: Option<OwnedFd>,
    /// Tasks whose last run is asked for once its note can be read.
    uncaught: Vec<NodeId>,
    connections: BTreeMap<ConnectionId, OwnedFd>,
    last_connection: u64,
    tickets: BTreeMap<u64, Waiting>,
    last_ticket: u64,
    /// Who waits until no child is left.
    alone: Vec<oneshot::Sender<()>>,
    hand: Hand,
    asks: mpsc::Receiver<Ask>,
    facts: mpsc::Sender<Fact>,
    reports: mpsc::Receiver<Fact>,
    calls: mpsc::Receiver<Call>,
    callers: mpsc::Sender<Call>,
    /// The task that accepts clients.
    control: Option<JoinHandle<()>>,
    /// Where it listens.
    control_path: Option<PathBuf>,
    /// When that is tried again: it could not be made, or not where it is to be by now.
    control_rest: Option<JoinHandle<()>>,
    /// Who is to have the console at the request of the keyboard, and the words that tell how to
    /// undo that.
    way_back: Option<(NodeId, String)>,
    /// Soft and hard limit of descriptors as the kernel gave them, for what PID 1 starts.
    descriptors: Option<(u64, u64)>,
    /// The kernel has no descriptors for processes, and a person was told.
    blind: bool,
    /// Who is to take over.
    successor: Option<Successor>,
    /// Those that are there.
    clients: Clients,
    /// The listener of that task, for the next finit.
    listener: Option<OwnedFd>,
    /// PID 1's own words, for the next finit.
    own_words: Vec<String>,
    /// PID 1's own environment, for `env-pass`.
    environment: Vec<(String, String)>,
    /// There may be more children to reap than the last turn took.
    more_children: bool,
    /// Those whose owners are yet to be told.
    reaped: VecDeque<Reaped>,
    /// When finit met a bug of its own lately.
    panics: Vec<Moment>,
    /// The run whose program is being started.
    begun: Option<RunId>,
    /// Memory that the boot, or reading the file since, needed is given back.
    trimmed: bool,
}

impl Driver {
    /// The loop.
    async fn live(&mut self) -> ! {
        self.watch_wall();
        self.sweep();
        self.turn(Event::Began);
        loop {
            self.clock.set(self.engine.next_deadline());
            self.console.await_room(&self.watch);
            let wake = poll_fn(|cx| self.poll(cx)).await;
            match wake {
                Wake::Children => self.sweep(),
                Wake::Asked(asked) => self.on_asked(asked),
                Wake::Elapsed => self.turn(Event::Elapsed),
                Wake::Ready(tokens) => {
                    for token in tokens {
                        self.on_token(token);
                    }
                }
                Wake::Fact(fact) => self.on_fact(fact),
                Wake::Ask(ask) => self.on_ask(ask),
                Wake::Call(call) => self.on_call(call),
            }
            for token in std::mem::take(&mut self.tokens) {
                self.on_token(token);
            }
            if self.engine.is_running() {
                self.tidy_up();
            }
        }
    }

    /// What is done once the boot is over, and again whenever the file was read since.
    fn tidy_up(&mut self) {
        if self.context.place != boot::Place::Container
            && let Some(good) = self.configuration.take_unkept()
        {
            self.keep_configuration(&good);
            // Its text was there twice for that.
            self.trimmed = false;
        }
        if !std::mem::replace(&mut self.trimmed, true) {
            self.sites.shrink();
            memory::trim();
        }
    }

    /// The first source that has something, in the order of their importance.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if self.signals.poll_child(cx).is_ready() || std::mem::take(&mut self.more_children) {
            return Poll::Ready(Wake::Children);
        }
        if let Some(asked) = self.signals.asked() {
            return Poll::Ready(Wake::Asked(asked));
        }
        if self.clock.poll(cx).is_ready() {
            return Poll::Ready(Wake::Elapsed);
        }
        if let Poll::Ready(tokens) = self.watch.poll(cx) {
            return Poll::Ready(Wake::Ready(tokens));
        }
        if let Poll::Ready(Some(fact)) = self.reports.poll_recv(cx) {
            return Poll::Ready(Wake::Fact(fact));
        }
        if let Poll::Ready(Some(ask)) = self.asks.poll_recv(cx) {
            return Poll::Ready(Wake::Ask(ask));
        }
        if let Poll::Ready(Some(call)) = self.calls.poll_recv(cx) {
            return Poll::Ready(Wake::Call(call));
        }
        Poll::Pending
    }

    /// Reaps what has ended, tells its owners and does what follows.
    fn sweep(&mut self) {
        self.reap();
        self.work();
        self.review_sessions();
        if !self.more_children && !self.alone.is_empty() && !crate::os::wait::has_children() {
            for tell in self.alone.drain(..) {
                // Its step gave up waiting.
                let _gone = tell.send(());
            }
        }
    }

    /// Reaps what has ended and tells its owners.
    fn reap(&mut self) {
        let (reaped, more) = self.reaper.sweep();
        self.more_children = more;
        self.reaped.extend(reaped);
        while let Some(dead) = self.reaped.pop_front() {
            match dead.owner {
                Owner::Run(run) => self.on_run_ended(run, dead.pid, dead.ended, dead.was_born),
                Owner::Look(run) => self.on_look_ended(run, dead.pid, dead.ended),
                Owner::Records(node) => self.on_recorded(node),
                Owner::Watcher(run) => self.on_watcher_ended(run, dead.pid, &dead.ended),
                Owner::Future(tell) => {
                    // Nobody waits any more: the step gave up on it.
                    let _gone = tell.send(dead.ended);
                }
                Owner::LogWriter => self.on_writer_ended(dead.pid, &dead.ended.to_string()),
            }
        }
    }

    fn on_fact(&mut self, fact: Fact) {
        match fact {
            Fact::StepEnded { run, step, report } => self.on_step_ended(run, step, report),
            Fact::Checked(answer) => self.on_checked(answer),
            Fact::Panicked(panic) => std::panic::resume_unwind(panic),
            Fact::Searched(looked) => self.on_searched(&looked),
            Fact::Quieted(node) => self.on_notify(node),
            Fact::ConsoleRested => self.console.rested(),
            Fact::WriterRested => self.on_writer_rested(),
            Fact::ControlRested => self.on_control_rested(),
            Fact::Recalled(node, at) => self.on_recalled(node, at),
            Fact::Outlived(run, looks) => self.on_foreign(run, looks),
            Fact::Untold(order, waited) => self.on_untold(order, waited),
            Fact::Arrived(run) => self.turn(Event::Arrived { run }),
            Fact::Blinded(run) => self.on_blinded(run),
            Fact::Rested(node) => {
                if self.engine.is_watched(node) {
                    self.watch_sockets(node, true);
                }
            }
        }
    }

    /// A step has ended: what the driver itself waited for is there now.
    fn on_step_ended(&mut self, run: RunId, step: &'static str, report: boot::Report) {
        match step {
            "mount-virtual" => {
                self.console.open();
                if self.context.place == boot::Place::Machine {
                    // Before it there was no /dev, maybe.
                    reboot::catch_kbrequest();
                }
                if self.control.is_none() {
                    self.open_control();
                }
            }
            "cgroups" => self.open_groups(),
            // A later step may still mount over it; the writer keeps lines until it works.
            "mount-local" => {
                self.logs_writable();
                self.recall_runs();
                self.watch_zone();
            }
            _ => {}
        }
        let result = report.map(|done| match done {
            boot::Done::Worked => None,
            boot::Done::Skipped(why) => Some(why),
        });
        self.turn(Event::StepEnded { run, result });
    }

    fn open_groups(&mut self) {
        let controllers: &[&str] = match self.context.place {
            boot::Place::Machine => &["cpu", "memory", "pids"],
            boot::Place::Container => &[],
        };
        match self.groups.open(&self.watch, controllers) {
            Ok(true) => {}
            Ok(false) => {
                let text = "no cgroup2: services are told apart by their sessions";
                self.console.tell(Level::Detail, text);
            }
            Err(errno) => self.console.tell(Level::Trouble, &format!("control groups: {errno}")),
        }
    }

    /// Has a child keep a copy of the file that the machine runs with.
    fn keep_configuration(&self, good: &Good) {
        // Without the copy a broken file costs the next boot its services, no more.
        let Ok(handed) = good.hand_on() else { return };
        let hand = self.hand.clone();
        tokio::spawn(async move {
            let path = format!("/proc/1/fd/{}", handed.as_raw_fd());
            let program = [boot::MYSELF, lastgood::WORD, &path];
            let _lost = boot::Tools::run(&hand, &program, Duration::from_secs(60)).await;
        });
    }

    /// The limits that a child starts with, and after them those of its definition.
    fn limits(&self, own: &[(u32, u64, u64)]) -> Vec<(u32, u64, u64)> {
        let given =
            self.descriptors.map(|(soft, hard)| (Resource::RLIMIT_NOFILE as u32, soft, hard));
        given.into_iter().chain(own.iter().copied()).collect()
    }

    /// A fact that comes back after a while, unless what is answered is aborted before.
    fn later(&self, wait: Duration, fact: Fact) -> JoinHandle<()> {
        let facts = self.facts.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // The loop never ends before its facts do.
            let _end = facts.send(fact).await;
        })
    }
}
