//! How `web` gets into each state.

use std::rc::Rc;

use finit::config::spec::RestartWhen;
use finit::engine::{DownWhy, NodeId, Rung, StartStep, State, Then};
use finit::proto::Request;

use crate::build::{Part, hook, machine, millis, secs, service, task, with_targets};
use crate::fates::Program;
use crate::rig::Rig;

/// A machine with `web` in that state.
pub fn situation(state: &str) -> Rig {
    situation_of(state, Form::Signal)
}

/// How it is reloaded.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Signal,
    Command,
    List,
    /// By a signal, and it says when it is done.
    Told,
}

impl Form {
    fn of(self, part: Part) -> Part {
        match self {
            Self::Signal | Self::Told => part.reloads_by_signal("HUP"),
            Self::Command => part.reloads_by(hook("/reload")),
            Self::List => part.reloads_by(hook("/reload")).reloads_by_signal("HUP"),
        }
    }
}

/// The same with that form of a reload.
pub fn situation_of(state: &str, form: Form) -> Rig {
    let web = form.of(service("web").delay(secs(5), secs(5)));
    let web = if matches!(form, Form::Told) { web.notifies() } else { web };
    let job = form.of(task("web"));
    match state {
        "down" => with(web.manual(), |_| {}),
        "ended" => with(job.forgets(), |rig| rig.ends("web", millis(0), 0)),
        "done" => with(job, |rig| rig.ends("web", millis(0), 0)),
        "waiting" => after(web, |rig| {
            rig.stop("db");
        }),
        "waiting path" => with(web.needs_path("/dev/web"), |_| {}),
        "starting look" => with(web.only_if("/etc/web"), |rig| rig.look_hangs("web")),
        "skipped" => with(web.only_if("/etc/web"), |rig| rig.skips("web", "no")),
        "listening" => with(web.listens(80), |_| {}),
        "backoff" => after(web, |rig| rig.crashes("web")),
        "starting hook" => with(web.before_start(hook("/prepare")), |rig| {
            rig.stubborn("/prepare");
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "starting only-if" => with(web.only_if_command(hook("/check")), |rig| {
            rig.stubborn("/check");
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "starting adopt" => with(web.forks(), |rig| {
            rig.program("web", Program { leaves: 1, ..Program::ends(millis(0), 0) });
            rig.program("web?", Program::daemon());
        }),
        "starting" => with(web, |rig| {
            rig.program("web", Program { executes: None, ..Program::stubborn() });
        }),
        "up" => stubborn(web),
        "stopping" => {
            let mut rig = stubborn(web);
            rig.stop("web");
            rig
        }
        "starting read" => with(web.env_file("/etc/web"), |rig| {
            rig.world.fates.reads.insert("web".to_owned(), None);
        }),
        "starting after" => with(job.after_start(hook("/after")), |rig| {
            rig.ends("web", millis(0), 0);
            rig.stubborn("/after");
        }),
        "up target" => target(),
        "stopping group" => {
            let mut rig = with(web.restart_never().after_start(hook("/after")), |rig| {
                rig.stubborn("/after");
            });
            rig.crashes("web");
            rig
        }
        "stopping fail" => late(web.restart_never()),
        "stopping again" => late(web),
        "stopping command" => {
            let mut rig = with(web.stop_command("/halt"), |rig| {
                rig.stubborn("web");
                rig.stubborn("/halt");
            });
            rig.stop("web");
            rig
        }
        "up frozen" => {
            let mut rig = stubborn(web);
            rig.ask(Request::Freeze { names: vec!["web".to_owned()] }).expect("it is frozen");
            rig.now();
            rig
        }
        "stopping hard" => hung(web, 10),
        "failed hung" => hung(web, 15),
        "cleaning" => after(web.after_stop(hook("/tidy")), |rig| {
            rig.stop("web");
        }),
        "cleaning again" => after(web.after_stop(hook("/tidy")), |rig| rig.crashes("web")),
        "cleaning fail" => {
            after(web.restart_never().after_stop(hook("/tidy")), |rig| rig.crashes("web"))
        }
        "cleaning done" => with(job.after_stop(hook("/tidy")), |rig| rig.ends("web", millis(0), 0)),
        "cleaning ended" => {
            with(job.forgets().after_stop(hook("/tidy")), |rig| rig.ends("web", millis(0), 0))
        }
        "failed" => after(web.restart(RestartWhen::Never), |rig| rig.crashes("web")),
        other => panic!("no such state: {other}"),
    }
}

fn with(web: Part, change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = Rig::booted_but([service("db"), web.needs("db")], change);
    // What is started from now on runs until it is told to stop.
    if rig.label("web") != "starting" {
        rig.mends("web");
    }
    rig
}

fn after(web: Part, change: impl FnOnce(&mut Rig)) -> Rig {
    let mut rig = with(web, |_| {});
    change(&mut rig);
    rig
}

fn stubborn(web: Part) -> Rig {
    with(web, |rig| rig.stubborn("web"))
}

fn hung(web: Part, seconds: u64) -> Rig {
    let mut rig = with(web, |rig| rig.hangs_in_the_kernel("web", secs(900)));
    rig.stop("web");
    rig.pass(secs(seconds));
    rig
}

/// It is not up in time, and ignores SIGTERM.
fn late(web: Part) -> Rig {
    let mut rig = with(web.start_timeout(Some(secs(1))), |rig| {
        rig.program("web", Program { executes: None, ..Program::stubborn() });
    });
    rig.pass(secs(1));
    rig.mends("web");
    rig
}

/// No process, and two below it.
fn target() -> Rig {
    let parts = [service("db"), service("cache").manual()];
    let mut spec = with_targets(machine(parts), &[("web", &["cache"])]);
    Rc::make_mut(&mut spec.targets[0]).needs = vec![vec!["db".to_owned()]];
    let mut rig = Rig::cold(spec, "default");
    rig.boot();
    rig.start("web");
    rig
}

/// The row of a state: a new one has none, and does not compile.
pub fn row(rig: &Rig, id: NodeId) -> &'static str {
    let peek = rig.world.engine.peek(id.number()).unwrap();
    match rig.world.engine.state_of(id).unwrap() {
        State::Down(DownWhy::NeverWanted | DownWhy::Stopped) => "down",
        State::Down(DownWhy::Ended) => "ended",
        State::Waiting { .. } => "waiting",
        State::Awaiting { .. } => "waiting path",
        State::Skipped(_) => "skipped",
        State::Listening => "listening",
        State::Backoff { .. } => "backoff",
        State::Starting { step, .. } => match step {
            StartStep::Check => "starting look",
            StartStep::OnlyIf(_) => "starting only-if",
            // The answer comes in the same turn: nothing else can.
            StartStep::Bind => "none: binding",
            StartStep::Before(_) => "starting hook",
            StartStep::Main(_) => "starting",
            StartStep::Read(_) => "starting read",
            StartStep::Adopt => "starting adopt",
            StartStep::After(_) => "starting after",
        },
        State::Up { run: None } => "up target",
        State::Up { run: Some(_) } if peek.frozen => "up frozen",
        State::Up { run: Some(_) } => "up",
        State::Stopping { run: None, .. } => "stopping group",
        State::Stopping { run: Some(_), rung, then, .. } => match (rung, then) {
            (Rung::Command, _) => "stopping command",
            (Rung::Killed, _) => "stopping hard",
            (Rung::Asked, Then::Down) => "stopping",
            (Rung::Asked, Then::AgainAt(..)) => "stopping again",
            (Rung::Asked, Then::Fail(_)) => "stopping fail",
            // How it has ended well is not known before it has ended.
            (Rung::Asked, Then::Done(_) | Then::Ended) => "none: ended before its end",
            (Rung::Asked, Then::Left(_)) => "none: its process has ended long ago",
        },
        State::Cleaning { then, .. } => match then {
            Then::Down => "cleaning",
            Then::AgainAt(..) => "cleaning again",
            Then::Fail(_) => "cleaning fail",
            Then::Done(_) => "cleaning done",
            Then::Ended => "cleaning ended",
            Then::Left(_) => "none: it was tidied up then",
        },
        State::Failed(_) if peek.run.is_some() => "failed hung",
        State::Failed(_) => "failed",
        State::Done(_) => "done",
    }
}
