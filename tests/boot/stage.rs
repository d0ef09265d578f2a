//! The stage: a folder that stands for `/`, programs that are a script, time that is a number.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use finit::boot::{Context, Done, Finished, Place, Report, RunError, Tools, steps};
use finit::config::spec::BootSpec;
use finit::facts::{Errno, Exit, SpawnError, Stage};

/// What a program does when it is run.
#[derive(Clone)]
pub enum Act {
    Exits(u8, &'static str),
    Missing,
    Hangs,
}

pub struct Stand {
    acts: Vec<(&'static str, Act)>,
    log: Sender<String>,
    clock: AtomicU64,
    running: AtomicUsize,
    pub most_at_once: AtomicUsize,
    /// Microseconds at which the last child of PID 1 is gone.
    pub alone_at: AtomicU64,
    /// 1 once the machine is down: nothing happens any more.
    pub down: AtomicUsize,
    /// Called with each command at its end.
    effect: Box<dyn Fn(&str) + Send + Sync>,
}

/// The fake of the driver.
#[derive(Clone)]
pub struct Fake(pub Arc<Stand>);

impl Fake {
    pub fn new(acts: &[(&'static str, Act)]) -> (Self, Receiver<String>) {
        Self::with_effect(acts, |_| {})
    }

    pub fn with_effect(
        acts: &[(&'static str, Act)],
        effect: impl Fn(&str) + Send + Sync + 'static,
    ) -> (Self, Receiver<String>) {
        let (log, lines) = channel();
        let stand = Stand {
            acts: acts.to_vec(),
            log,
            clock: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            alone_at: AtomicU64::new(0),
            down: AtomicUsize::new(0),
            effect: Box::new(effect),
        };
        (Self(Arc::new(stand)), lines)
    }

    pub fn note(&self, line: String) {
        if self.0.down.load(Ordering::Relaxed) == 0 {
            self.0.log.send(line).unwrap();
        }
    }

    pub fn pass(&self, time: Duration) {
        self.0.clock.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    pub fn time(&self) -> u64 {
        self.0.clock.load(Ordering::Relaxed)
    }

    pub fn seconds(&self) -> u64 {
        self.time() / 1_000_000
    }
}

impl Tools for Fake {
    async fn run(&self, program: &[&str], deadline: Duration) -> Result<Finished, RunError> {
        let line = program.join(" ");
        self.note(line.clone());
        let now = self.0.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.most_at_once.fetch_max(now, Ordering::Relaxed);
        let act = self.0.acts.iter().find(|(known, _)| line.contains(known));
        let act = act.map_or(Act::Exits(0, ""), |(_, act)| act.clone());
        // Everybody else is done before one that hangs.
        for _ in 0..if matches!(act, Act::Hangs) { 100 } else { 1 } {
            yield_once().await;
        }
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        (self.0.effect)(&line);
        let is_played = self.0.acts.iter().any(|(known, _)| line.contains(known));
        if let ["/proc/self/exe", word @ ("--write-settings" | "--make-device-nodes"), about] =
            program
            && !is_played
        {
            return Ok(be_helper(word, about));
        }
        match act {
            Act::Exits(code, output) => {
                Ok(Finished { exit: Exit::Code(code), output: output.to_owned() })
            }
            Act::Missing => Err(RunError::Spawn(SpawnError {
                stage: Stage::Exec,
                errno: Errno(libc::ENOENT),
                subject: program[0].to_owned(),
            })),
            Act::Hangs => {
                self.pass(deadline);
                Err(RunError::TooLate(deadline))
            }
        }
    }

    fn say(&self, line: &str) {
        self.note(format!("say: {line}"));
    }

    async fn pause(&self, time: Duration) {
        self.pass(time);
    }

    async fn everyone_gone(&self, deadline: Duration) -> bool {
        let gone_at = self.0.alone_at.load(Ordering::Relaxed);
        if self.time() + deadline.as_micros() as u64 >= gone_at {
            self.0.clock.fetch_max(gone_at, Ordering::Relaxed);
            return true;
        }
        self.pass(deadline);
        false
    }
}

/// What a helper is told has the folder that stands for `/` in it, so that it can be itself.
fn be_helper(word: &str, about: &str) -> Finished {
    let mut helper = Command::new(env!("CARGO_BIN_EXE_finit"));
    let ended = helper.args([word, about]).output().unwrap();
    let exit = Exit::Code(ended.status.code().unwrap() as u8);
    Finished { exit, output: String::from_utf8(ended.stdout).unwrap() }
}

async fn yield_once() {
    let mut first = true;
    poll_fn(|_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Polls until it is done: nothing here waits for anything real.
pub fn block<T>(future: impl Future<Output = T> + Send) -> T {
    let mut future = pin!(future);
    for _ in 0..100_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("waits for ever")
}

/// A folder that stands for `/`.
pub struct Root(pub PathBuf);

impl Root {
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("finit-boot-{}-{number}", std::process::id());
        let root = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(root.0.join("etc")).unwrap();
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub fn context(&self) -> Context {
        Context {
            boot: BootSpec::default(),
            words: Vec::new(),
            place: Place::Machine,
            root: self.0.clone(),
        }
    }

    pub fn with_words(&self, words: &[&str]) -> Context {
        Context { words: words.iter().map(|w| (*w).to_owned()).collect(), ..self.context() }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Plays one step: its report and what was run and said.
pub fn play(step: &str, context: &Context, acts: &[(&'static str, Act)]) -> (Report, Vec<String>) {
    let (tools, lines) = Fake::new(acts);
    let report = block(steps::run(step, context, &tools));
    (report, lines.try_iter().collect())
}

pub fn worked() -> Report {
    Ok(Done::Worked)
}
