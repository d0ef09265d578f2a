//! From an order of the engine to a process: who it runs as, what it is told, which
//! descriptors it gets.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::Driver;
use super::console::Console;
use super::environment::{Environment, PATH};
use crate::boot;
use crate::config;
use crate::config::spec::{
    Address, ExecSpec, Outlet, ServiceSpec, SocketMode, SocketSpec, Stdin, Stream,
};
use crate::engine::{NodeId, RunId, Spawn, What};
use crate::facts::capability::Capabilities;
use crate::facts::{Errno, Pid, SpawnError, Stage};
use crate::os::cgroup::Group;
use crate::os::fds;
use crate::os::spawn::{self, Identity, Launch, Plan, Spawned};
use crate::os::users::{Accounts, User};
use crate::probe;

use super::groups::Way;
use super::reaper::Owner;
use super::site::Site;
use super::watch::Token;

/// What clone3 says of a group that is no longer there.
const GONE: [Errno; 2] = [Errno(libc::ENOENT), Errno(libc::ENODEV)];
/// What it says of one that hands controllers to groups in it, or is threaded: the service has
/// made it so for itself.
const CLOSED: [Errno; 2] = [Errno(libc::EBUSY), Errno(libc::EOPNOTSUPP)];

impl Driver {
    /// Starts a program. The pid is registered before anything else can happen.
    pub(super) fn launch(&mut self, order: &Spawn) -> Result<Pid, SpawnError> {
        let connection = match order.what {
            What::Connection(id) => {
                let connection = self.connections.remove(&id);
                Some(connection.ok_or_else(|| internal(libc::ENOTCONN))?)
            }
            What::Probe | What::Health => return self.launch_probe(order),
            What::Main | What::Hook => None,
        };
        let answer = self.launch_program(order, connection.as_ref());
        let site = self.sites.of(order.run.node);
        match (answer, site) {
            (Err(SpawnError { stage: Stage::Cgroup, errno, .. }), Some(site))
                if site.group.as_ref().is_some_and(|group| is_of_no_use(group, errno)) =>
            {
                // Made anew.
                site.group = None;
                self.launch_program(order, connection.as_ref())
            }
            (answer, _) => answer,
        }
    }

    fn launch_program(
        &mut self,
        order: &Spawn,
        connection: Option<&OwnedFd>,
    ) -> Result<Pid, SpawnError> {
        let node = order.run.node;
        let spec = &order.service;
        let exec = &spec.exec;
        let (user, identity) = self.identity(order)?;
        // What a service may do is for its own user, and not for another that a hook runs as.
        let (capabilities, no_new_privileges) = match &order.user {
            None => (exec.capabilities, exec.no_new_privileges),
            Some(_) => (Capabilities::NONE, identity.as_ref().is_some_and(|who| who.uid != 0)),
        };
        let line = match order.what {
            What::Main => {
                self.prepare_notify(node, spec)?;
                self.prepare_line(order.run, spec)?
            }
            What::Connection(_) | What::Hook | What::Probe | What::Health => None,
        };
        let environment = self.surroundings(order, user.as_ref());
        let words = config::expand(&order.command, |name| environment.get(name).map(str::to_owned));
        let argv: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
        let path = environment.get("PATH").unwrap_or(PATH);
        let tty = (order.what == What::Main).then(|| self.terminal(node, spec)).flatten();
        let input = match (&order.what, &exec.stdin) {
            (What::Main, Stdin::File(path)) => Some(path.as_os_str().as_bytes()),
            _ => None,
        };
        self.prepare_group(node, &spec.name)?;
        self.prepare_output(node, spec)?;
        let limits = self.limits(&exec.limits);
        let outlets = [exec.outlet(Stream::Output), exec.outlet(Stream::Errors)];
        let console = outlets.contains(&Outlet::Console).then(Console::for_service).flatten();

        if order.what == What::Main {
            self.fit_kept(node, &order.service);
        }
        let site = self.sites.of(node).ok_or_else(|| internal(libc::ENOMEM))?;
        let outlet = |outlet, stream| -> Option<BorrowedFd<'_>> {
            match outlet {
                Outlet::Lines => site.output(stream),
                Outlet::Console => console.as_ref().map(OwnedFd::as_fd),
                Outlet::Nothing => None,
            }
        };
        let [stdout, stderr] = outlets;
        let output = outlet(stdout, Stream::Output);
        let errors = match exec.has_own_errors() {
            true => outlet(stderr, Stream::Errors),
            false if stderr == stdout => output,
            false => outlet(stderr, Stream::Output),
        };
        let (passed, names) = handed(site, order);
        let env = environment.pairs();
        let root = exec.root.as_ref().map(String::as_bytes);
        let accepted = connection.map(OwnedFd::as_fd);
        let (socket, answers) = own_socket(site, order);
        let plan = Plan::new(&Launch {
            argv: &argv,
            path: path.as_bytes(),
            env: &env,
            stdin: accepted.or(socket),
            input,
            stdout: accepted.or(socket.filter(|_| answers)).or(output),
            stderr: errors,
            blocking_stdio: accepted.is_some(),
            passed: &passed,
            passed_names: names.as_bytes(),
            line: line.as_ref().map(|(number, fd)| (*number, fd.as_fd())),
            cgroup: site.group.as_ref().map(AsFd::as_fd),
            moves_in: site.group.is_some() && site.way != Way::Born,
            tty: tty.as_ref().map(String::as_bytes),
            root,
            cwd: exec.cwd.as_deref().unwrap_or("/").as_bytes(),
            identity,
            capabilities,
            umask: exec.umask,
            limits: &limits,
            nice: exec.nice,
            oom_score: exec.oom_score,
            no_new_privileges,
            ..Launch::default()
        })?;
        let spawned = spawn::spawn(plan)?;
        let pid = self.take_in(order.run, spawned);
        if order.what == What::Main {
            self.note_begin(order.run, pid, exec);
        }
        Ok(pid)
    }

    /// Who a program runs as: its user for HOME and the like, and the ids.
    fn identity(&mut self, order: &Spawn) -> Result<(Option<User>, Option<Identity>), SpawnError> {
        let (node, exec) = (order.run.node, &order.service.exec);
        if !exec.dynamic_user {
            self.forget_own_user(node);
        } else if order.user.is_none() {
            let (user, identity) = self.own_identity(node, &order.service)?;
            return Ok((Some(user), Some(identity)));
        }
        identity(exec, order.user.as_deref())
    }

    /// The variables of a program.
    fn surroundings<'a>(&self, order: &'a Spawn, user: Option<&'a User>) -> Environment<'a> {
        let spec = &order.service;
        let site = self.sites.get(order.run.node).filter(|_| !spec.exec.env_files.is_empty());
        let files = site.map_or(&[][..], |site| &site.rare().variables);
        let mut environment = Environment::make(&spec.exec, user, &self.environment, files);
        for (name, value) in &order.told {
            environment.set(*name, value);
        }
        self.tell_how_to_notify(&mut environment, order.run.node, spec);
        environment
    }

    /// Where a service can tell of itself, and how often it has to; sd_notify(3).
    fn tell_how_to_notify(
        &self,
        environment: &mut Environment<'_>,
        node: NodeId,
        spec: &ServiceSpec,
    ) {
        let listens = spec.ready.listens();
        let Some(socket) = listens.then(|| self.notify_socket(node, spec)).flatten() else {
            return;
        };
        environment.set("NOTIFY_SOCKET", socket.display().to_string());
        if let Some(time) = spec.ready.watchdog {
            environment.set("WATCHDOG_USEC", time.as_micros().to_string());
        }
    }

    /// A process of a run is there.
    fn take_in(&mut self, run: RunId, spawned: Spawned) -> Pid {
        let pid = spawned.pid;
        if let Some(site) = self.sites.of(run.node) {
            site.runs.insert(run.generation, pid);
        }
        self.reaper.adopt(spawned, Owner::Run(run));
        if let Some(status) = self.reaper.status(pid) {
            // Not watched, its exit tells the same later.
            let _late = self.watch.readable(status, Token::Status(run));
        }
        pid
    }

    /// Starts finit itself to find out when a service is up, or whether it is healthy. It is a
    /// process of the service, so that it goes with it, but not as its user nor in its root: it
    /// has to find finit.
    fn launch_probe(&mut self, order: &Spawn) -> Result<Pid, SpawnError> {
        let node = order.run.node;
        let ready = &order.service.ready;
        let (word, about) = match order.what {
            What::Health => (probe::CHECK, serde_json::to_vec(&ready.health)),
            _ => (probe::WORD, serde_json::to_vec(&ready.when)),
        };
        let argv = [boot::MYSELF.into(), word.into(), about.unwrap_or_default()];
        let mut environment = Environment::default();
        self.tell_how_to_notify(&mut environment, node, &order.service);
        let env = environment.pairs();
        let limits = self.limits(&[]);
        let site = self.sites.of(node).ok_or_else(|| internal(libc::ENOMEM))?;
        let output = site.output(Stream::Output).or_else(|| site.output(Stream::Errors));
        let plan = Plan::new(&Launch {
            argv: &argv,
            env: &env,
            stdout: output,
            stderr: output,
            cgroup: site.group.as_ref().map(AsFd::as_fd),
            moves_in: site.group.is_some() && site.way != Way::Born,
            limits: &limits,
            ..Launch::default()
        })?;
        let spawned = spawn::spawn(plan)?;
        Ok(self.take_in(order.run, spawned))
    }

    /// The control group of a service, from the first of its processes on.
    fn prepare_group(&mut self, node: NodeId, name: &str) -> Result<(), SpawnError> {
        let Some(site) = self.sites.of(node) else { return Ok(()) };
        if site.group.is_some() && site.way != Way::Unsure {
            return Ok(());
        }
        let made = self.groups.make_anew(node, name).map_err(|errno| SpawnError {
            stage: Stage::Cgroup,
            errno,
            subject: name.to_owned(),
        })?;
        let Some((group, way)) = made else { return Ok(()) };
        site.group = Some(group);
        if site.way != Way::Moves {
            site.way = way;
        }
        Ok(())
    }
}

/// Whether nothing is born in a group any more of which clone3 says that, and nobody is in it.
fn is_of_no_use(group: &Group, errno: Errno) -> bool {
    // Of one that somebody took away the descriptor leads nowhere.
    GONE.contains(&errno) || CLOSED.contains(&errno) && group.populated() == Ok(false)
}

/// Those that there are.
pub(super) fn accounts() -> Result<Accounts, SpawnError> {
    let fail = |errno| SpawnError { stage: Stage::User, errno, subject: "/etc/passwd".to_owned() };
    Accounts::load().map_err(fail)
}

/// There is no user or group of that name.
pub(super) fn unknown(name: &str) -> SpawnError {
    let subject = format!("`{name}` in /etc/passwd or /etc/group");
    SpawnError { stage: Stage::User, errno: Errno(libc::ENOENT), subject }
}

/// Who a program runs as whose user the file, or a hook, names. Unknown is an error, never root. Another user than that of
/// the service has groups of its own: those of the service may be as good as root.
fn identity(
    exec: &ExecSpec,
    other: Option<&str>,
) -> Result<(Option<User>, Option<Identity>), SpawnError> {
    let user = other.or(exec.user.as_deref());
    let own = Some(exec).filter(|_| other.is_none());
    let own_group = own.and_then(|exec| exec.group.as_ref());
    let own_groups = own.and_then(|exec| exec.groups.as_ref());
    if user.is_none() && own_group.is_none() && own_groups.is_none() {
        return Ok((None, None));
    }
    let accounts = accounts()?;
    let user = user.map(|name| accounts.user(name).ok_or_else(|| unknown(name))).transpose()?;
    let group = |name: &String| group_number(&accounts, name);
    let uid = user.as_ref().map_or(0, |user| user.uid);
    let gid = match own_group {
        Some(name) => group(name)?,
        None => user.as_ref().map_or(0, |user| user.gid),
    };
    let groups = match (own_groups, &user) {
        (Some(names), _) => names.iter().map(group).collect::<Result<_, _>>()?,
        (None, Some(user)) => accounts.supplementary(&user.name, gid),
        (None, None) => Vec::new(),
    };
    Ok((user, Some(Identity { uid, gid, groups })))
}

/// The number of a group.
pub(super) fn group_number(accounts: &Accounts, name: &str) -> Result<u32, SpawnError> {
    accounts.group(name).map(|group| group.gid).ok_or_else(|| unknown(name))
}

/// What a main process is handed: its sockets, then what is kept for it; and LISTEN_FDNAMES. One
/// that reads from its socket is handed nothing beside it, as with systemd.
fn handed<'a>(site: &'a Site, order: &Spawn) -> (Vec<BorrowedFd<'a>>, String) {
    if order.what != What::Main {
        return (Vec::new(), String::new());
    }
    let spec = &order.service;
    let (mut passed, mut names) = (Vec::new(), Vec::new());
    if let Some(sockets) = spec.sockets.as_ref().filter(|s| s.mode == SocketMode::Listen) {
        for (socket, spec) in site.sockets.iter().zip(&sockets.sockets) {
            // The last run may have set it otherwise; there is no error for what is open.
            let _set = fds::set_nonblocking(socket.as_fd(), spec.nonblocking);
            passed.push(socket.as_fd());
        }
        names.extend(sockets.sockets.iter().map(|socket| socket_name(&spec.name, socket)));
    }
    if spec.exec.stdin == Stdin::Socket {
        return (Vec::new(), String::new());
    }
    for kept in &site.rare().kept {
        passed.push(kept.fd.as_fd());
        names.push(Cow::from(&kept.name));
    }
    (passed, names.join(":"))
}

/// The one socket that a main process reads from, if it does, and whether it answers there, too.
fn own_socket<'a>(site: &'a Site, order: &Spawn) -> (Option<BorrowedFd<'a>>, bool) {
    let reads = order.what == What::Main && order.service.exec.stdin == Stdin::Socket;
    let spec = order.service.sockets.iter().flat_map(|sockets| &sockets.sockets).next();
    let one_way = spec.is_none_or(|socket| matches!(socket.address, Address::Fifo(_)));
    (site.sockets.first().filter(|_| reads).map(AsFd::as_fd), !one_way)
}

/// A socket without a name of its own carries that of the service, without the colon that stands
/// between names.
fn socket_name<'a>(service: &'a str, socket: &'a SocketSpec) -> Cow<'a, str> {
    match socket.name.as_deref() {
        Some(name) => name.into(),
        None if service.contains(':') => service.replace(':', "_").into(),
        None => service.into(),
    }
}

fn internal(errno: i32) -> SpawnError {
    SpawnError::at(Stage::Clone, Errno(errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::cgroup::Tree;

    /// As podman does with `--cgroups=split`, and whoever makes his group a threaded one.
    #[test]
    fn a_group_that_hands_controllers_on_is_made_anew_once_it_is_empty() {
        let base = std::env::temp_dir().join(format!("finit-launch-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let (group, _) = Tree::open(&base, "finit").unwrap().make_anew("podman").unwrap();
        let events = base.join("finit").join(group.folder()).join("cgroup.events");
        let useless = |errno, lives: u8| {
            std::fs::write(&events, format!("populated {lives}\n")).unwrap();
            is_of_no_use(&group, Errno(errno))
        };
        assert!(useless(libc::EBUSY, 0) && useless(libc::EOPNOTSUPP, 0));
        assert!(!useless(libc::EBUSY, 1) && !useless(libc::EOPNOTSUPP, 1));
        assert!(useless(libc::ENOENT, 1) && useless(libc::ENODEV, 1));
        assert!(!useless(libc::EAGAIN, 0));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
