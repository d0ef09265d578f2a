//! A server that is a thread, a client that is a process, and reports to send.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use finit::proto::frame::{Answer, decode, encode_answer};
use finit::proto::{
    Chapter, JobEvent, MachineReport, Outcome, Reply, Request, ServiceReport, StateWord,
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_finitctl");

/// A folder of its own for each test, gone at its end.
pub struct Folder(pub PathBuf);

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub fn folder() -> Folder {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("finitctl-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    Folder(folder)
}

/// A thread that listens as PID 1 would, and remembers what it was asked.
pub struct Server {
    pub folder: Folder,
    pub lines: Receiver<String>,
}

impl Server {
    /// Sends what the function makes of each line; none closes the connection.
    pub fn raw(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
        let folder = folder();
        let listener = UnixListener::bind(folder.join("initctl")).unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                for line in reader.lines().map_while(Result::ok) {
                    drop(sender.send(line.clone()));
                    let Some(text) = answer(&line) else { break };
                    drop(stream.write_all(text.as_bytes()));
                }
            }
        });
        Self { folder, lines }
    }

    /// Sends those answers in the spelling of the request.
    pub fn new(answers: impl Fn(&Request) -> Vec<Answer> + Send + 'static) -> Self {
        Self::raw(move |line| {
            let (spelling, answers) = match decode(line) {
                Ok(call) => (call.spelling, answers(&call.request)),
                Err((spelling, refusal)) => (spelling, vec![Answer::Refused(refusal)]),
            };
            Some(answers.iter().map(|answer| encode_answer(&spelling, answer)).collect())
        })
    }

    pub fn always(answer: Answer) -> Self {
        Self::new(move |_| vec![answer.clone()])
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_as("finitctl", words)
    }

    pub fn run_as(&self, name: &str, words: &[&str]) -> Ran {
        Ran::of(&mut command(&self.folder, name, words))
    }

    pub fn requests(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }
}

/// The program under that name, with the socket of that folder.
pub fn command(folder: &Path, name: &str, words: &[&str]) -> Command {
    let program = folder.join(name);
    if !program.exists() {
        symlink(PROGRAM, &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("FINIT_SOCKET", folder.join("initctl"));
    command
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("ended by a signal");
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

pub fn service(name: &str, state: StateWord) -> ServiceReport {
    ServiceReport {
        name: name.to_owned(),
        kind: "service".to_owned(),
        state,
        since_ms: 180_000,
        pid: matches!(state, StateWord::Up).then_some(412),
        restarts: 0,
        reason: String::new(),
        held: false,
        frozen: None,
        connections: None,
        timer: None,
        cgroup: None,
        own_user: None,
        detail: None,
    }
}

pub fn chapter(name: &str, state: StateWord) -> Chapter {
    let (name, reason) = (name.to_owned(), String::new());
    Chapter { name, state, since_ms: 180_000, pid: None, reason, because: Vec::new() }
}

pub const NGINX: &str = "exec /usr/sbin/nginx: No such file or directory (ENOENT)";

pub fn machine() -> MachineReport {
    let web = ServiceReport {
        reason: NGINX.to_owned(),
        restarts: 3,
        ..service("web", StateWord::Failed)
    };
    let step = |name, state| ServiceReport { kind: "step".to_owned(), ..service(name, state) };
    MachineReport {
        scheduled: None,
        phase: "running".to_owned(),
        target: "default".to_owned(),
        version: "0.1.0".to_owned(),
        uptime_ms: 7_800_000,
        boot_ms: Some(2310),
        warnings: vec!["/etc/finit.toml has errors; the last good copy runs".to_owned()],
        services: vec![
            service("sshd", StateWord::Up),
            web,
            service("ftp", StateWord::Stopped),
            step("fsck", StateWord::Done),
            step("swap", StateWord::Failed),
        ],
    }
}

pub fn job(also: &[&str], notes: &[&str]) -> Answer {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Answer::Reply(Reply::Job { job: 7, also: owned(also), notes: owned(notes) })
}

pub fn event(service: &str, message: &str, outcome: Option<Outcome>) -> Answer {
    let (service, message) = (service.to_owned(), message.to_owned());
    Answer::Event(JobEvent { job: 7, service, message, outcome })
}

pub fn done() -> Answer {
    Answer::Reply(Reply::Done { message: "done".to_owned() })
}
