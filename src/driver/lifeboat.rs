//! When finit itself fails: PID 1 does not end, since that would end the machine. The services
//! run on without a supervisor, orphans are reaped, and whoever sits at the console gets a
//! shell to save what there is; `reboot -f` works. Who asks finitctl is told so.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::control;
use crate::facts::Pid;
use crate::os::spawn::{Launch, Plan};
use crate::os::{closing, fault, fds, kmsg::Kmsg, proc, reboot, socket, spawn, tty, wait};
use crate::proto::{Code, Refusal};

/// Time between two looks at the children, in milliseconds: there is no loop any more that
/// signals could wake.
const LOOK: u16 = 500;

/// The level of the kernel's log for what is about finit itself; syslog(2).
const CRITICAL: u8 = 2;

/// What a person is to do.
const ADVICE: &str = "save what there is, then `reboot -f`; Ctrl-Alt-Del restarts at once";

/// What gives a person control, the best first.
const LOGINS: [&[&str]; 3] = [&["/sbin/sulogin"], &["/bin/sulogin"], &["/bin/sh"]];

/// Has panics told in the kernel's log too: what std shows at the console is soon gone.
pub fn tell_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(ring) = Kmsg::open() {
            // Then the console has to do.
            let _lost = ring.line(CRITICAL, panic.to_string().as_bytes());
        }
        told(panic);
    }));
}

/// Why there is no other way but the lifeboat, if these words of PID 1 say so.
pub fn fault(words: &[String]) -> Option<String> {
    let [word, signal] = words else { return None };
    (word.as_bytes() == fault::WORD.to_bytes()).then(|| format!("{signal}, which is a bug"))
}

/// Lives on, for ever.
pub fn lifeboat(why: &str) -> ! {
    // Nobody hears the key any more, and it must not be without effect.
    let _none = reboot::release_ctrl_alt_del();
    let failed = format!("finit has failed: {why}. Services run on unsupervised");
    let text = format!("{failed}: {ADVICE}.");
    if let Ok(ring) = Kmsg::open() {
        // There is nobody left to tell that this failed.
        let _lost = ring.line(CRITICAL, text.as_bytes());
    }
    let callers = Callers::new(Refusal::new(Code::FinitFailed, failed).hint(ADVICE));
    let mut at_console = Some(format!("\r\n{text}\r\n"));
    let mut login: Option<Pid> = None;
    let mut ended = true;
    loop {
        while let Some(dead) = wait::next() {
            ended = true;
            closing::ended(dead.pid);
            if Some(dead.pid) == login {
                login = None;
            }
        }
        if ended && login.is_none() && !is_in_use() {
            login = LOGINS.iter().find_map(|argv| start(argv));
        }
        // The login has hung the console up, and with that threw away what nobody had read yet.
        if let Some(text) = at_console.take() {
            let _lost = fds::write_file(&console(), text.as_bytes());
        }
        // Whoever has the console was started by us, and so comes to us when it ends.
        ended = false;
        callers.wait();
    }
}

/// Whoever speaks to finit, or tries to: nobody is to wait for what never comes.
struct Callers {
    listeners: Vec<OwnedFd>,
    /// What each is told.
    words: String,
}

impl Callers {
    /// Has those leave who are here.
    fn new(refusal: Refusal) -> Self {
        let words = control::to_unheard(refusal);
        let (listeners, clients) = socket::find_control();
        for client in clients {
            socket::dismiss(client.as_fd(), words.as_bytes());
        }
        Self { listeners, words }
    }

    /// Waits for another one. A signal or a client may end it early: then the children are looked
    /// at earlier.
    fn wait(&self) {
        // Each may bring what takes for ever to close.
        let open = if closing::are_many() { &[] } else { self.listeners.as_slice() };
        let fds = open.iter().map(OwnedFd::as_fd);
        let mut polled: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let came = nix::poll::poll(&mut polled, LOOK).is_ok_and(|count| count > 0);
        if came && !self.turn_away() {
            // One who cannot be taken in waits.
            let _early = nix::poll::poll(&mut [], LOOK);
        }
    }

    /// Tells the next one; whether there was any.
    fn turn_away(&self) -> bool {
        let accepted = |listener: &OwnedFd| socket::accept(listener.as_fd()).ok().flatten();
        let next = self.listeners.iter().find_map(accepted);
        if let Some((client, _)) = &next {
            socket::dismiss(client.as_fd(), self.words.as_bytes());
            control::leave(client.as_fd());
        }
        next.is_some()
    }
}

/// Whether somebody has the console already, as a person who is logged in there.
fn is_in_use() -> bool {
    let console = tty::open(&console()).and_then(|console| tty::number(console.as_fd()));
    console.is_ok_and(|number| proc::processes().iter().any(|other| other.terminal == number))
}

/// The console, or what is in its place where it does not open.
fn console() -> PathBuf {
    let is_machine = proc::pid_namespace_is_initial();
    let instead =
        is_machine.then(tty::instead_of_console).and_then(|names| names.into_iter().next());
    Path::new("/dev").join(instead.as_deref().unwrap_or("console"))
}

fn start(words: &[&str]) -> Option<Pid> {
    let program = words.first()?;
    if !Path::new(program).exists() {
        return None;
    }
    let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let env: [(&[u8], &[u8]); 3] =
        [(b"PATH", super::environment::PATH.as_bytes()), (b"TERM", b"vt220"), (b"HOME", b"/root")];
    let console = console();
    let tty = Some(console.as_os_str().as_encoded_bytes());
    let launch = Launch { argv: &argv, env: &env, tty, ..Launch::default() };
    let spawned = spawn::spawn(Plan::new(&launch).ok()?).ok()?;
    let pid = spawned.pid;
    // Its end is the exec: the login has its console by then. One that hangs is not waited for.
    let _late = nix::poll::poll(
        &mut [PollFd::new(spawned.status.as_fd(), PollFlags::POLLIN)],
        PollTimeout::from(4 * LOOK),
    );
    // Kept for ever: this is the end of the line, and the child may still use it.
    Box::leak(Box::new(spawned));
    Some(pid)
}
