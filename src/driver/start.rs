//! The first moments of PID 1: enough of a world for the loop to begin.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

use super::Driver;
use super::board::Board;
use super::clock::Clock;
use super::configuration::{Booted, Configuration, FILE};
use super::console::Console;
use super::groups::Groups;
use super::logs::Logs;
use super::reaper::Reaper;
use super::signals::Signals;
use super::site::Sites;
use super::tools::Hand;
use super::watch::Watch;
use crate::boot::{Context, Place};
use crate::config::spec::STEPS;
use crate::engine::{Engine, Level};
use crate::facts::Errno;
use crate::os::{early, host, mount, proc, reboot, time};

/// What PID 1 was started with.
#[derive(Debug, Default)]
pub struct Start {
    /// Its words.
    pub words: Vec<String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
}

/// Descriptors that PID 1 may have open.
const DESCRIPTORS: u64 = 1 << 19;
/// Questions that may come in one burst before clients have to wait.
const CALLS: usize = 64;
/// The same for what tasks report.
const FACTS: usize = 64;

/// Runs the machine. Returns only when not even a loop could be made, with the reason.
pub fn run(start: Start) -> Errno {
    let began = time::now();
    // A machine without /proc tells neither its command line nor its place.
    let proc = Path::new("/proc");
    if !mount::is_mount_point(proc) {
        // Told again, and louder, by the step that mounts the rest.
        let _later = mount::mount("proc", proc, "proc", "nosuid,noexec,nodev");
    }
    // Without a console the descriptors stay what they are.
    let _none = early::open_console();
    let place = if proc::pid_namespace_is_initial() { Place::Machine } else { Place::Container };
    if place == Place::Machine {
        // Refused only where there is no such key.
        let _none = reboot::catch_ctrl_alt_del();
        reboot::catch_kbrequest();
    }
    let words = words(place, &start);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_io_events_per_tick(64)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return error.into(),
    };
    runtime.block_on(async {
        match Driver::new(start, words, place, began) {
            Ok(driver) => driver.live().await,
            Err(errno) => errno,
        }
    })
}

/// What the kernel command line says on a machine; in a container it is the host's, and only
/// the words of finit itself count.
fn words(place: Place, start: &Start) -> Vec<String> {
    let mut words = match place {
        Place::Machine => proc::boot_words(),
        Place::Container => Vec::new(),
    };
    words.extend(start.words.iter().cloned());
    words
}

/// The file to read: `finit.config=PATH`, or `--config PATH`.
fn file(words: &[String]) -> PathBuf {
    let option = words.iter().position(|word| word == "--config");
    let option = option.and_then(|at| words.get(at.checked_add(1)?));
    let word = words.iter().rev().find_map(|word| word.strip_prefix("finit.config="));
    PathBuf::from(option.map(String::as_str).or(word).unwrap_or(FILE))
}

/// The target that the words ask for.
fn target(words: &[String]) -> &str {
    words
        .iter()
        .rev()
        .find_map(|word| match word.as_str() {
            "single" | "s" | "S" | "1" | "rescue" => Some("rescue"),
            "emergency" | "-b" => Some("emergency"),
            word => word.strip_prefix("finit.target="),
        })
        .unwrap_or("default")
}

/// Raises the limit of open descriptors: a thousand services with a log pipe each are two
/// thousand. The answer is what the kernel had given, for everybody that PID 1 starts.
fn raise_descriptors() -> Option<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let most = hard.max(DESCRIPTORS);
    // Without the right to raise it, as far as it goes without.
    if setrlimit(Resource::RLIMIT_NOFILE, most, most).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok()?;
    }
    Some((soft, hard))
}

/// The least that is shown on the console.
fn level(words: &[String]) -> Level {
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    if has("finit.debug") {
        Level::Detail
    } else if has("quiet") {
        Level::Trouble
    } else {
        Level::Progress
    }
}

impl Driver {
    fn new(
        start: Start,
        words: Vec<String>,
        place: Place,
        began: crate::facts::Moment,
    ) -> Result<Self, Errno> {
        let mut console = Console::new(level(&words));
        let Booted { configuration, mut spec, warnings } = Configuration::boot(&file(&words));
        let target = target(&words).to_owned();
        if target == "emergency" {
            // Nothing that could be the reason for the emergency.
            let kept = ["mount-virtual", "cgroups", "console"];
            let rest = STEPS.iter().filter(|step| !kept.contains(step));
            spec.boot.skip.extend(rest.map(|step| (*step).to_owned()));
        }
        for warning in &warnings {
            console.tell(Level::Trouble, warning);
        }
        let context = Context { boot: spec.boot.clone(), words, place, root: PathBuf::from("/") };
        let mut seed = [0; 8];
        // Any bytes will do: they only spread restarts.
        host::random(&mut seed);
        let seed = u64::from_ne_bytes(seed);
        let engine = Engine::new(Rc::new(spec), &target, warnings, seed, began);
        let (hand, asks) = Hand::new();
        let (facts, reports) = mpsc::channel(FACTS);
        let (callers, calls) = mpsc::channel(CALLS);
        Ok(Self {
            engine,
            configuration,
            context,
            console,
            signals: Signals::new()?,
            clock: Clock::default(),
            watch: Watch::new()?,
            tokens: Vec::new(),
            reaper: Reaper::default(),
            sites: Sites::default(),
            groups: Groups::default(),
            logs: Logs::default(),
            board: Board::default(),
            connections: Default::default(),
            last_connection: 0,
            tickets: Default::default(),
            last_ticket: 0,
            alone: Vec::new(),
            hand,
            asks,
            facts,
            reports,
            calls,
            callers,
            control: None,
            descriptors: raise_descriptors(),
            environment: start.environment,
            more_children: false,
            trimmed: false,
        })
    }
}
