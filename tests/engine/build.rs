//! Definitions that read like a sentence: `service("web").needs("db").restart_never()`.

use std::rc::Rc;
use std::time::Duration;

use finit::calendar::Schedule;
use finit::config::spec::{
    Address, CommandLine, Condition, Conditions, Dependencies, ExecSpec, Exits, Health, Hook, Kind,
    Line, LogTarget, Missing, NotifyFrom, OkExit, OwnLog, Piece, Probe, Readiness, Ready,
    ReloadAction, RestartSpec, RestartWhen, ServiceSpec, SocketMode, SocketSpec, SocketsSpec,
    Stage, Start, Stdin, StopScope, StopSpec, SystemSpec, TargetSpec, Test, Trigger, Watched,
};
use finit::facts::SignalNumber;
use finit::facts::capability::Capabilities;

/// A service, a task or a target that is being described.
#[derive(Debug, Clone)]
pub struct Part(pub ServiceSpec);

/// A command line of plain words.
pub fn command(text: &str) -> CommandLine {
    let words = text.split(' ').map(|word| Box::from([Piece::Text(word.to_owned())])).collect();
    CommandLine { words }
}

/// A hook that must not fail and has no time of its own.
pub fn hook(text: &str) -> Hook {
    Hook { command: command(text), may_fail: false, user: None, timeout: None }
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A daemon with the defaults of the file format.
pub fn service(name: &str) -> Part {
    Part(ServiceSpec {
        name: name.to_owned(),
        kind: Kind::Service,
        template: None,
        description: String::new(),
        alias: Vec::new(),
        enabled: true,
        start: Start::Boot,
        stage: Stage::Main,
        targets: Rc::new(vec!["default".to_owned()]),
        schedule: None,
        watch: None,
        commands: vec![command(&format!("/sbin/{name}"))],
        exec: Rc::new(exec()),
        hooks: Rc::default(),
        conditions: None,
        ready: Rc::new(Readiness {
            when: Ready::Exec,
            notify_from: NotifyFrom::Main,
            watchdog: None,
            health: None,
        }),
        start_timeout: Some(secs(60)),
        dependencies: Rc::default(),
        restart: Rc::new(RestartSpec {
            when: RestartWhen::Always,
            delay: millis(100),
            max_delay: secs(30),
            reset: secs(30),
            burst: None,
            within: secs(60),
            except: Exits::default(),
            also: Exits::default(),
        }),
        ok_exit: Rc::new(OkExit::Listed(Exits::default())),
        remain: true,
        stop: Rc::new(StopSpec {
            signal: SignalNumber::TERM,
            timeout: Some(secs(10)),
            scope: StopScope::Cgroup,
            command: None,
            kill: true,
            hup: false,
        }),
        sockets: None,
        line: Line::default(),
    })
}

/// A task with the defaults of the file format.
pub fn task(name: &str) -> Part {
    let mut part = service(name);
    part.0.kind = Kind::Task;
    Rc::make_mut(&mut part.0.ready).when = Ready::Exit;
    Rc::make_mut(&mut part.0.restart).when = RestartWhen::Never;
    part
}

fn exec() -> ExecSpec {
    ExecSpec {
        user: None,
        dynamic_user: false,
        group: None,
        groups: None,
        capabilities: Capabilities::NONE,
        umask: 0o022,
        cwd: None,
        root: None,
        env: Vec::new(),
        env_files: Vec::new(),
        env_pass: Vec::new(),
        env_unset: Vec::new(),
        limits: Vec::new(),
        nice: None,
        oom_score: None,
        tty: None,
        stdin: Stdin::Usual,
        utmp: None,
        log: LogTarget::Files,
        own_log: None,
        no_new_privileges: false,
    }
}

fn exists(path: &str) -> Condition {
    Condition { test: Test::Exists, value: path.to_owned(), not: false, any: false }
}

fn socket(port: u16) -> SocketSpec {
    SocketSpec {
        address: Address::TcpPort(port),
        name: None,
        mode: None,
        user: None,
        group: None,
        backlog: None,
        unlink: true,
        v6only: None,
        freebind: false,
        reuseport: false,
        keepalive: false,
        nodelay: false,
        nonblocking: false,
        device: None,
    }
}

impl Part {
    fn with(mut self, change: impl FnOnce(&mut ServiceSpec)) -> Self {
        change(&mut self.0);
        self
    }

    /// `"a|b"` is either.
    fn tied(self, change: impl FnOnce(&mut Dependencies)) -> Self {
        self.with(|spec| change(Rc::make_mut(&mut spec.dependencies)))
    }

    pub fn ready(mut self, when: Ready) -> Self {
        Rc::make_mut(&mut self.0.ready).when = when;
        self
    }

    /// Runs at those times, and is not there in between.
    pub fn on_schedule(mut self, schedule: Schedule) -> Self {
        self.0.schedule = Some(Rc::new(schedule));
        self.0.start = Start::Schedule;
        self.0.remain = false;
        self
    }

    /// Started by what is seen of a path.
    pub fn watches(mut self, trigger: Trigger, path: &str) -> Self {
        let one = Watched { trigger, path: path.to_owned() };
        let before = self.0.watch.iter().flat_map(|paths| paths.iter().cloned());
        self.0.watch = Some(before.chain([one]).collect());
        self.0.start = Start::Demand;
        self.0.remain = false;
        self
    }

    /// Says its lines there.
    pub fn logs_to(mut self, log: LogTarget, own: OwnLog) -> Self {
        let exec = Rc::make_mut(&mut self.0.exec);
        exec.log = log;
        exec.own_log = (own != OwnLog::default()).then(|| Box::new(own));
        self
    }

    /// Up once it says so.
    pub fn notifies(self) -> Self {
        self.ready(Ready::Notify)
    }

    /// Up once the daemon that it leaves behind is known.
    pub fn forks(self) -> Self {
        self.ready(Ready::Found(Probe::Forked("/run/app.pid".into())))
    }

    /// Up once somebody accepts its connections.
    pub fn accepts(self) -> Self {
        self.ready(Ready::Found(Probe::Accepts(Address::TcpPort(80))))
    }

    /// Up once this command ends well.
    pub fn ready_by(self, text: &str, every: Duration) -> Self {
        self.ready(Ready::Found(Probe::Command(Box::new(hook(text)), every)))
    }

    pub fn watchdog(mut self, time: Duration) -> Self {
        Rc::make_mut(&mut self.0.ready).watchdog = Some(time);
        self
    }

    pub fn health(mut self, health: Health) -> Self {
        Rc::make_mut(&mut self.0.ready).health = Some(Box::new(health));
        self
    }

    pub fn needs(self, names: &str) -> Self {
        let need = names.split('|').map(str::to_owned).collect();
        self.tied(|on| on.needs.push(need))
    }

    pub fn wants(self, name: &str) -> Self {
        self.tied(|on| on.wants.push(name.to_owned()))
    }

    pub fn after(self, name: &str) -> Self {
        self.tied(|on| on.after.push(name.to_owned()))
    }

    pub fn before(self, name: &str) -> Self {
        self.tied(|on| on.before.push(name.to_owned()))
    }

    pub fn provides(self, name: &str) -> Self {
        self.tied(|on| on.provides.push(name.to_owned()))
    }

    pub fn bound_to(self, name: &str) -> Self {
        self.tied(|on| on.bound_to.push(name.to_owned()))
    }

    pub fn part_of(self, name: &str) -> Self {
        self.tied(|on| on.part_of.push(name.to_owned()))
    }

    pub fn conflicts(self, name: &str) -> Self {
        self.tied(|on| on.conflicts.push(name.to_owned()))
    }

    pub fn on_failure(self, name: &str) -> Self {
        self.tied(|on| on.on_failure.push(name.to_owned()))
    }

    pub fn reload_with(self, name: &str) -> Self {
        self.tied(|on| on.reload_with.push(name.to_owned()))
    }

    pub fn alias(self, name: &str) -> Self {
        self.with(|spec| spec.alias.push(name.to_owned()))
    }

    pub fn instance_of(self, template: &str) -> Self {
        self.with(|spec| spec.template = Some(template.to_owned()))
    }

    pub fn in_target(self, target: &str) -> Self {
        self.with(|spec| spec.targets = Rc::new(vec![target.to_owned()]))
    }

    pub fn manual(self) -> Self {
        self.with(|spec| spec.start = Start::Manual)
    }

    pub fn disabled(self) -> Self {
        self.with(|spec| spec.enabled = false)
    }

    pub fn early(self) -> Self {
        self.with(|spec| spec.stage = Stage::Early)
    }

    pub fn runs(self, text: &str) -> Self {
        self.with(|spec| spec.commands = vec![command(text)])
    }

    pub fn then_runs(self, text: &str) -> Self {
        self.with(|spec| spec.commands.push(command(text)))
    }

    pub fn forgets(self) -> Self {
        self.with(|spec| spec.remain = false)
    }

    pub fn ok_exit_any(self) -> Self {
        self.with(|spec| spec.ok_exit = Rc::new(OkExit::Any))
    }

    pub fn restart(self, when: RestartWhen) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.restart).when = when)
    }

    pub fn restart_never(self) -> Self {
        self.restart(RestartWhen::Never)
    }

    pub fn delay(self, first: Duration, longest: Duration) -> Self {
        self.with(|spec| {
            Rc::make_mut(&mut spec.restart).delay = first;
            Rc::make_mut(&mut spec.restart).max_delay = longest;
        })
    }

    pub fn burst(self, burst: u32, within: Duration) -> Self {
        self.with(|spec| {
            Rc::make_mut(&mut spec.restart).burst = Some(burst);
            Rc::make_mut(&mut spec.restart).within = within;
        })
    }

    pub fn start_timeout(self, timeout: Option<Duration>) -> Self {
        self.with(|spec| spec.start_timeout = timeout)
    }

    pub fn stop_timeout(self, timeout: Option<Duration>) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.stop).timeout = timeout)
    }

    pub fn stop_scope(self, scope: StopScope) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.stop).scope = scope)
    }

    pub fn stop_command(self, text: &str) -> Self {
        self.stops_by(hook(text))
    }

    pub fn stops_by(self, hook: Hook) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.stop).command = Some(hook))
    }

    pub fn hung_up(self) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.stop).hup = true)
    }

    pub fn never_killed(self) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.stop).kill = false)
    }

    pub fn before_start(self, hook: Hook) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.hooks).before_start.push(hook))
    }

    pub fn after_start(self, hook: Hook) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.hooks).after_start.push(hook))
    }

    pub fn after_stop(self, hook: Hook) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.hooks).after_stop.push(hook))
    }

    pub fn reloads_by_signal(self, name: &str) -> Self {
        let signal = SignalNumber::parse(name).expect("a signal");
        self.with(|spec| Rc::make_mut(&mut spec.hooks).reload.push(ReloadAction::Signal(signal)))
    }

    pub fn reloads_by(self, hook: Hook) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.hooks).reload.push(ReloadAction::Run(hook)))
    }

    fn requires(self, change: impl FnOnce(&mut Conditions)) -> Self {
        self.with(|spec| change(Rc::make_mut(spec.conditions.get_or_insert_default())))
    }

    /// Something is to be looked at; what is seen is a matter of fate.
    pub fn only_if(self, path: &str) -> Self {
        self.requires(|conditions| conditions.only_if.push(exists(path)))
    }

    pub fn asserts(self, path: &str) -> Self {
        self.requires(|conditions| conditions.assert.push(exists(path)))
    }

    pub fn needs_path(self, path: &str) -> Self {
        self.requires(|conditions| conditions.paths.push(path.to_owned()))
    }

    pub fn reads(self, path: &str) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.exec).stdin = Stdin::File(path.into()))
    }

    pub fn utmp(self, id: &str) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.exec).utmp = Some(id.to_owned()))
    }

    pub fn env_file(self, path: &str) -> Self {
        self.with(|spec| {
            Rc::make_mut(&mut spec.exec).env_files.push((path.into(), Missing::Error));
        })
    }

    pub fn own_user(self) -> Self {
        self.with(|spec| Rc::make_mut(&mut spec.exec).dynamic_user = true)
    }

    pub fn capability(self, number: u8) -> Self {
        self.with(|spec| {
            Rc::make_mut(&mut spec.exec).capabilities = Capabilities::from_iter([number]);
        })
    }

    pub fn only_if_command(self, hook: Hook) -> Self {
        self.requires(|conditions| conditions.commands.push(hook))
    }

    fn sockets(self, mode: SocketMode, port: u16) -> Self {
        self.with(|spec| {
            spec.start = Start::Demand;
            spec.sockets = Some(Box::new(SocketsSpec {
                mode,
                sockets: vec![socket(port)],
                max: 64,
                max_per_source: None,
                rate: None,
            }));
        })
    }

    pub fn listens(self, port: u16) -> Self {
        self.sockets(SocketMode::Listen, port)
    }

    pub fn at_boot(self) -> Self {
        self.with(|spec| spec.start = Start::Boot)
    }

    pub fn inetd(self, port: u16) -> Self {
        self.sockets(SocketMode::Inetd, port)
    }

    fn limits(self, change: impl FnOnce(&mut SocketsSpec)) -> Self {
        self.with(|spec| change(spec.sockets.as_mut().expect("sockets first")))
    }

    pub fn at_most(self, max: u32) -> Self {
        self.limits(|sockets| sockets.max = max)
    }

    pub fn at_most_per_source(self, max: u32) -> Self {
        self.limits(|sockets| sockets.max_per_source = Some(max))
    }

    pub fn rate(self, most: u32, period: Duration) -> Self {
        self.limits(|sockets| sockets.rate = Some((most, period)))
    }
}

/// A machine with these services; the target `default` is always there.
pub fn machine(parts: impl IntoIterator<Item = Part>) -> SystemSpec {
    SystemSpec {
        services: parts.into_iter().map(|part| Rc::new(part.0)).collect(),
        ..SystemSpec::default()
    }
}

/// The same with further targets, each with what it wants.
pub fn with_targets(mut spec: SystemSpec, targets: &[(&str, &[&str])]) -> SystemSpec {
    for (name, wants) in targets {
        spec.targets.push(Rc::new(TargetSpec {
            name: (*name).to_owned(),
            wants: wants.iter().map(|want| (*want).to_owned()).collect(),
            needs: Vec::new(),
        }));
    }
    spec
}
