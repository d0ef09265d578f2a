//! What must be done: orders, in the imperative. An effect carries all that the driver needs,
//! so that the driver never decides.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::id::{ConnectionId, NodeId, RunId, Ticket};
use super::timetable::After;
use super::told::Variable;
use crate::calendar::Schedule;

use crate::config::spec::{Address, CommandLine, Conditions, ServiceSpec, Watched};
use crate::facts::SignalNumber;
use crate::proto::{JobEvent, Power, Refusal, Reply};

/// An order for the driver.
#[derive(Debug)]
pub enum Effect {
    /// Start a program. The driver answers at once with `Event::Spawned`.
    Spawn(Box<Spawn>),
    /// Carry out a boot step; its end is told with `Event::StepEnded`.
    RunStep {
        /// The run to name then.
        run: RunId,
        /// Which step.
        step: &'static str,
    },
    /// Have somebody look at what must hold; the answer is `Event::Checked`. Looking may take
    /// for ever.
    Check {
        /// The run to name then.
        run: RunId,
        /// What must hold.
        conditions: Rc<Conditions>,
    },
    /// Have somebody read the files of variables of a service, which its programs get from then
    /// on; the answer is `Event::Checked`. Reading may take for ever.
    ReadVariables {
        /// The run to name then.
        run: RunId,
        /// Whose.
        service: Rc<ServiceSpec>,
    },
    /// Have somebody look out for a path; once it is there, the answer is `Event::Arrived`.
    Await {
        /// The run to name then.
        run: RunId,
        /// The path.
        path: String,
    },
    /// Have somebody watch paths: `Event::Sighted` tells of each change, and what they are like as
    /// soon as that is known. Looking may take for ever.
    WatchPaths {
        /// The run to name then.
        run: RunId,
        /// Which, and for what.
        paths: Rc<[Watched]>,
        /// What they were like before; what is otherwise by now is a change, too.
        marks: Vec<u64>,
    },
    /// Have whoever watches say what holds by now, if anything does.
    LookAtPaths {
        /// Who.
        run: RunId,
    },
    /// That answer of `Check`, `ReadVariables`, `Await` or `WatchPaths` is no longer wanted.
    Dismiss {
        /// Which.
        run: RunId,
    },
    /// Send a signal to processes of a node.
    Signal {
        /// Whose.
        node: NodeId,
        /// To whom.
        aim: Aim,
        /// Which.
        signal: SignalNumber,
    },
    /// Have all in the group of a node stand still, or go on: `Event::Froze` tells when they do.
    Freeze {
        /// The order to name then; its node is whose.
        order: RunId,
        /// Whether they are to stand still.
        on: bool,
    },
    /// Tell `Event::Emptied` when nobody is left in the group of this node; at once if so.
    WatchEmpty {
        /// Whose.
        node: NodeId,
    },
    /// Bind the sockets of a node. The driver answers at once with `Event::Bound`.
    Bind {
        /// Whose.
        node: NodeId,
        /// Which.
        spec: Rc<ServiceSpec>,
    },
    /// Let go of the sockets of a node.
    Unbind {
        /// What of them is to be gone from the file system.
        files: Vec<Address>,
        /// Whose.
        node: NodeId,
    },
    /// Tell of connections to the sockets of a node.
    Watch {
        /// Whose.
        node: NodeId,
    },
    /// Tell no longer; the kernel keeps them waiting.
    Unwatch {
        /// Whose.
        node: NodeId,
    },
    /// Close a connection.
    Drop {
        /// Which.
        connection: ConnectionId,
    },
    /// Find the next time of a calendar; the driver answers with `Event::Calendar`.
    AskCalendar {
        /// For this task.
        node: NodeId,
        /// Which calendar.
        schedule: Rc<Schedule>,
        /// The next time after what.
        after: After,
    },
    /// Let go of the descriptors that a node had kept for its next start.
    Unkeep {
        /// Whose.
        node: NodeId,
    },
    /// A node has ended: its own user, which only this one had, is nobody's now.
    DismissUser {
        /// Whose.
        node: NodeId,
    },
    /// What the processes of a node say goes where another definition says, which they all have
    /// the descriptors for.
    Redirect {
        /// Whose.
        node: NodeId,
        /// The definition.
        service: Rc<ServiceSpec>,
    },
    /// A node is gone for good: forget its pipe and its group.
    Forget {
        /// Which.
        node: NodeId,
    },
    /// Answer a client.
    Reply {
        /// Whom.
        ticket: Ticket,
        /// With what.
        result: Result<Reply, Refusal>,
    },
    /// Send the news of a job to those who follow it, and keep them for those who come late. The
    /// reply with the number of a job is always before its news.
    Publish(JobEvent),
    /// Tell the person at the console.
    Tell {
        /// How important it is.
        level: Level,
        /// One line.
        text: String,
    },
    /// Tell everybody: the person at the console, and whoever is logged in.
    Announce(String),
    /// Keep everybody but root from logging in, and this is why; or let them in again.
    Logins(Option<String>),
    /// The file on trial stays: what ran before it need not be kept any longer.
    Keep,
    /// Nobody confirmed the file on trial: come back at once with `Event::Loaded` and what ran
    /// before it.
    GoBack,
    /// The services are down: go on with the rest of the shutdown.
    Finish(Power),
}

/// How important a line at the console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only with `finit.debug`.
    Detail,
    /// Not with `quiet`.
    Progress,
    /// Always.
    Trouble,
}

/// A program to start.
#[derive(Debug)]
pub struct Spawn {
    /// Its run.
    pub run: RunId,
    /// For this service.
    pub service: Rc<ServiceSpec>,
    /// What of it.
    pub what: What,
    /// Its words; none for finit itself, which looks.
    pub command: CommandLine,
    /// Another user than the service's own (hooks).
    pub user: Option<String>,
    /// Variables beside those of its definition: its main process, how it ended, why it starts.
    pub told: Vec<Variable>,
}

/// Which program of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The main one, or a step of a task: with terminal and sockets.
    Main,
    /// The one that serves a connection on its stdin and stdout.
    Connection(ConnectionId),
    /// One beside it.
    Hook,
    /// finit itself, which waits until the service is up: as root, in none of its folders.
    Probe,
    /// The same, which looks once whether it is healthy.
    Health,
}

/// Who gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aim {
    /// The process of that run.
    Run(RunId),
    /// Everybody in the group of the node.
    Group,
}
