//! The first moments of PID 1: enough of a world for the loop to begin.

use std::collections::{BTreeSet, VecDeque};
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
use super::handover::{self, Handover};
use super::logs::Logs;
use super::looks::Looks;
use super::reaper::Reaper;
use super::records::Records;
use super::searches::{Searches, Wish};
use super::signals::Signals;
use super::site::Sites;
use super::tools::Hand;
use super::watch::Watch;
use super::watcher::Watchers;
use crate::boot::{Context, Place, initramfs};
use crate::config::spec::FIND_INSTANCES;
use crate::config::steps::EMERGENCY;
use crate::engine::{Engine, Level};
use crate::facts::{Errno, Moment};
use crate::os::{capability, early, host, mount, proc, reboot, time};

/// What PID 1 was started with.
#[derive(Debug, Default)]
pub struct Start {
    /// Its words, without its name.
    pub words: Vec<String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
}

/// The option with a path after it.
const CONFIG: &str = "--config";
/// Descriptors that PID 1 may have open.
const DESCRIPTORS: u64 = 1 << 19;
/// Questions that may come in one burst before clients have to wait.
const CALLS: usize = 64;
/// The same for what tasks report.
const FACTS: usize = 64;

/// Runs the machine. Returns only when not even a loop could be made, with the reason.
pub fn run(mut start: Start) -> String {
    let began = time::now();
    let handover = match handover::take(&mut start.words) {
        Ok(handover) => handover,
        Err(why) => return format!("the finit before has left nothing that is understood: {why}"),
    };
    // A machine without /proc tells neither its command line nor its place.
    let proc = Path::new("/proc");
    if !mount::is_mount_point(proc) {
        // Told again, and louder, by the step that mounts the rest.
        let _later = mount::mount("proc", proc, "proc", "nosuid,noexec,nodev");
    }
    if handover.is_none() {
        // Without a console the descriptors stay what they are.
        let _none = early::open_console();
    }
    // Refused only where a filter forbids to ask; then nobody can change anything about it.
    let _refused = capability::inherit_nothing();
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
        Err(error) => return error.to_string(),
    };
    let driver = runtime.block_on(async {
        match handover {
            None => Driver::boot(start, words, place, began),
            Some(handover) => Driver::resume(start, words, place, handover),
        }
    });
    // A container may be started on a mount, which would be busy as long as we stand there.
    let _none = std::env::set_current_dir("/");
    match driver {
        Ok(driver) => driver.outlive(&runtime),
        Err(errno) => errno.to_string(),
    }
}

/// What the kernel command line says on a machine; in a container it is the host's, and only
/// the words of finit itself count.
fn words(place: Place, start: &Start) -> Vec<String> {
    match place {
        Place::Machine => all_words(proc::boot_words(), &start.words),
        Place::Container => start.words.clone(),
    }
}

/// The words of the kernel command line and, after them, the own ones. Those that the kernel has
/// handed on from there are not new, and no later than the rest of it.
fn all_words(kernel: Vec<String>, own: &[String]) -> Vec<String> {
    let mut words = kernel.clone();
    let mut own = own.iter();
    while let Some(word) = own.next() {
        if word == CONFIG {
            words.push(word.clone());
            words.extend(own.next().cloned());
        } else if !kernel.contains(word) {
            words.push(word.clone());
        }
    }
    words
}

/// The file to read: `finit.config=PATH`, or `--config PATH`, from the folder that PID 1 was
/// started in, for it does not stay there.
fn file(words: &[String]) -> PathBuf {
    let option = words.iter().position(|word| word == CONFIG);
    let option = option.and_then(|at| words.get(at.checked_add(1)?));
    let word = words.iter().rev().find_map(|word| word.strip_prefix("finit.config="));
    let path = PathBuf::from(option.map(String::as_str).or(word).unwrap_or(FILE));
    std::path::absolute(&path).unwrap_or(path)
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

fn context(engine: &Engine, words: Vec<String>, place: Place) -> Context {
    Context { boot: engine.spec().boot.clone(), words, place, root: PathBuf::from("/") }
}

impl Driver {
    /// One that is to bring the machine up.
    fn boot(start: Start, words: Vec<String>, place: Place, began: Moment) -> Result<Self, Errno> {
        let mut console = Console::new(level(&words));
        let Booted { configuration, spec, warnings } = Configuration::boot(&file(&words));
        let target = target(&words).to_owned();
        for warning in &warnings {
            console.tell(Level::Trouble, warning);
        }
        let mut seed = [0; 8];
        // Any bytes will do: they only spread restarts.
        host::random(&mut seed);
        let seed = u64::from_ne_bytes(seed);
        let engine = Engine::new(Rc::new(spec), &target, warnings, seed, began);
        let context = context(&engine, words, place);
        if place == Place::Machine {
            initramfs::forget(&context);
        }
        Self::new(start, engine, configuration, context, console, raise_descriptors())
    }

    /// One that goes on where another finit has left off.
    fn resume(
        start: Start,
        words: Vec<String>,
        place: Place,
        handover: Handover,
    ) -> Result<Self, Errno> {
        let console = Console::new(level(&words));
        let Handover { engine, configuration, descriptors, held, unfinished, panics, written } =
            handover;
        let (configuration, spec) = configuration.resume();
        let followed = configuration.is_followed();
        let engine = Engine::recall(Rc::new(spec), followed, engine, time::now());
        let context = context(&engine, words, place);
        let mut driver = Self::new(start, engine, configuration, context, console, descriptors)?;
        driver.panics = panics;
        driver.take_up(held, written);
        let engine = &driver.engine;
        let was_looking = engine.runs().iter().any(|run| engine.name(run.node) == FIND_INSTANCES);
        if let Some(unfinished) = unfinished {
            driver.make_up(unfinished);
        }
        let is_skipped =
            driver.context.boot.skips(FIND_INSTANCES) || driver.engine.target() == EMERGENCY;
        let mut templates = driver.engine.spec().templates.iter();
        let is_unknown = templates.any(|template| !template.listed);
        // Who was about to look went with the finit before.
        if !is_skipped && was_looking {
            driver.search_for(Wish::Interrupted);
        } else if !is_skipped && is_unknown {
            driver.search_for(Wish::Unknown);
        }
        Ok(driver)
    }

    fn new(
        start: Start,
        engine: Engine,
        configuration: Configuration,
        context: Context,
        console: Console,
        descriptors: Option<(u64, u64)>,
    ) -> Result<Self, Errno> {
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
            unwatched: BTreeSet::new(),
            groups: Groups::default(),
            logs: Logs::default(),
            looks: Looks::default(),
            records: Records::default(),
            searches: Searches::default(),
            watchers: Watchers::default(),
            board: Board::default(),
            wall: None,
            uncaught: Vec::new(),
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
            control_path: None,
            control_rest: None,
            way_back: None,
            descriptors,
            blind: false,
            successor: None,
            clients: Default::default(),
            listener: None,
            own_words: start.words,
            environment: start.environment,
            more_children: false,
            reaped: VecDeque::new(),
            panics: Vec::new(),
            begun: None,
            trimmed: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_ask_for_a_target() {
        for (line, expected) in [
            ("", "default"),
            ("ro quiet console=ttyS0", "default"),
            ("single", "rescue"),
            ("s", "rescue"),
            ("S", "rescue"),
            ("1", "rescue"),
            ("rescue", "rescue"),
            ("emergency", "emergency"),
            ("-b", "emergency"),
            ("finit.target=lean", "lean"),
            // The last one counts, as for all words of the kernel.
            ("single finit.target=lean", "lean"),
            ("finit.target=lean emergency", "emergency"),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(target(&words), expected, "{line}");
        }
    }

    /// The kernel hands on what it does not know itself, but nothing with a point in it.
    #[test]
    fn what_the_kernel_hands_on_is_no_later_word() {
        let split = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (kernel, own, expected) in [
            ("single finit.target=lean", "single", "lean"),
            ("finit.target=lean single", "single", "rescue"),
            ("ro finit.target=lean", "single", "rescue"),
            ("ro", "emergency", "emergency"),
            ("", "single", "rescue"),
        ] {
            let words = all_words(split(kernel), &split(own));
            assert_eq!(target(&words), expected, "{kernel} / {own}");
        }
        let words = all_words(split("ro /a -- --config /a"), &split("--config /a s"));
        assert_eq!(words, split("ro /a -- --config /a --config /a s"));
    }

    #[test]
    fn words_that_ask_for_silence_or_more() {
        for (line, expected) in [
            ("ro console=ttyS0", Level::Progress),
            ("ro quiet console=ttyS0", Level::Trouble),
            ("finit.debug", Level::Detail),
            ("quiet finit.debug", Level::Detail),
            ("unquiet quiet=1 finit.debugging", Level::Progress),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(level(&words), expected, "{line}");
        }
    }

    #[test]
    fn words_that_name_a_file() {
        let here = std::env::current_dir().unwrap_or_default();
        for (line, expected) in [
            ("quiet", FILE),
            ("finit.config=/a finit.config=/b", "/b"),
            ("finit.config=/a --config /c", "/c"),
            ("--config", FILE),
            ("--config c", here.join("c").to_str().unwrap_or_default()),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(file(&words), Path::new(expected), "{line}");
        }
    }
}
