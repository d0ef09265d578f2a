//! Services and tasks.

use std::path::PathBuf;
use std::time::Duration;

use super::super::percent::Percent;
use super::super::raw::{Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::{
    CommandLine, Dependencies, ExecSpec, Hooks, Kind, Line, LogTarget, Missing, OkExit, Ready,
    RestartSpec, RestartWhen, ServiceSpec, Stage, Start, StopScope, StopSpec,
};
use super::super::values;
use super::commands::{command, hooks, one_hook, reload, script};
use super::section::{Section, one_of};
use super::sockets::sockets;
use crate::facts::SignalNumber;

/// How long a service may take to start without another word.
const START: Duration = Duration::from_secs(60);
/// How long it has to stop.
const STOP: Duration = Duration::from_secs(10);

/// Who is being read.
pub(super) struct Subject<'a> {
    pub kind: Kind,
    pub name: String,
    pub template: Option<String>,
    pub instance: Option<String>,
    /// Its table, over the defaults.
    pub table: &'a Table,
    /// Where it is defined.
    pub at: Place,
}

/// Reads one service or task. What is wrong with it is in the report.
pub(super) fn service(subject: Subject<'_>, report: &mut Report<'_>) -> Option<ServiceSpec> {
    let Subject { kind, name, template, instance, table, at } = subject;
    let word = if kind == Kind::Service { "service" } else { "task" };
    let label = format!("[{word}.{}]", template.as_ref().unwrap_or(&name));
    let line = Line(report.line(at));
    let percent = Percent { name: name.clone(), instance };
    let s = &mut Section::open(table, "service", &label, &percent, report);
    let commands = commands(s, kind, &label, at);
    let sockets = sockets(s);
    let start = s.word(
        "start",
        &[("boot", Start::Boot), ("demand", Start::Demand), ("manual", Start::Manual)],
    );
    if let (Some(Start::Demand), None, Some(place)) = (start, &sockets, s.place("start")) {
        let problem = Problem::new("`start = \"demand\"` needs `listen` or `inetd`");
        s.report.error(place, problem);
    }
    let by_default = if sockets.is_some() { Start::Demand } else { Start::Boot };
    let wanted_by = s.list("wanted-by", values::name);
    let targets = s.list("targets", values::name);
    // Wanted by others and by no target: only they bring it up.
    let targets = match (targets, &wanted_by) {
        (Some(targets), _) => targets,
        (None, Some(_)) => Vec::new(),
        (None, None) => vec!["default".to_owned()],
    };
    Some(ServiceSpec {
        kind,
        template,
        description: s.text("description").unwrap_or_default(),
        alias: s.list("alias", values::name).unwrap_or_default(),
        enabled: s.flag("enabled").unwrap_or(true),
        start: start.unwrap_or(by_default),
        stage: s
            .word("stage", &[("main", Stage::Main), ("early", Stage::Early)])
            .unwrap_or(Stage::Main),
        targets,
        hooks: Hooks {
            before_start: hooks(s, "before-start"),
            after_start: hooks(s, "after-start"),
            after_stop: hooks(s, "after-stop"),
            reload: reload(s),
        },
        ready: ready(s, kind),
        start_timeout: s
            .patience("start-timeout")
            // A task takes as long as its work does.
            .unwrap_or((kind == Kind::Service).then_some(START)),
        dependencies: dependencies(s),
        restart: restart(s, kind),
        ok_exit: ok_exit(s),
        remain: s.flag("remain").unwrap_or(true),
        stop: stop(s),
        exec: exec(s, commands?),
        sockets,
        line,
        name,
    })
}

fn commands(
    s: &mut Section<'_, '_, '_>,
    kind: Kind,
    label: &str,
    at: Place,
) -> Option<Vec<CommandLine>> {
    let given: Vec<&'static str> =
        ["command", "script", "steps"].into_iter().filter(|key| s.entry(key).is_some()).collect();
    match given.as_slice() {
        ["command"] => {
            let node = &s.entry("command")?.node;
            command(s, "command", node).map(|command| vec![command])
        }
        ["script"] => {
            let node = &s.entry("script")?.node;
            let Value::String(text) = &node.value else {
                s.wrong("script", node);
                return None;
            };
            Some(vec![script(s.fill_script(text))])
        }
        ["steps"] => {
            let entry = s.entry("steps")?;
            let Value::Array(items) = &entry.node.value else {
                s.wrong("steps", &entry.node);
                return None;
            };
            if kind == Kind::Service {
                let problem = Problem::new("`steps` is for tasks").hint("use `before-start`");
                s.report.error(entry.at, problem);
            }
            items.iter().map(|item| command(s, "steps", item)).collect()
        }
        // A mistyped `command` is told already.
        [] if s.has_unknown() => None,
        [] => {
            let problem =
                Problem::new(format!("{label} says nothing to run")).hint("add `command`");
            s.report.error(at, problem);
            None
        }
        [first, rest @ ..] => {
            let second = rest.first().unwrap_or(first);
            let message = format!("`{first}` and `{second}` exclude each other");
            let place = s.entry(second).map_or(at, |entry| entry.at);
            s.report.error(place, Problem::new(message));
            None
        }
    }
}

fn exec(s: &mut Section<'_, '_, '_>, commands: Vec<CommandLine>) -> ExecSpec {
    let user = s.text("user");
    let (user, mut group) =
        match user.as_deref().map(|text| text.split_once(':').unwrap_or((text, ""))) {
            None => (None, None),
            Some((user, group)) => {
                let checked = |s: &mut Section<'_, '_, '_>, text: &str| match values::user(text) {
                    Ok(name) => Some(name),
                    Err(problem) => {
                        if let Some(place) = s.place("user") {
                            s.report.error(place, problem);
                        }
                        None
                    }
                };
                let user = checked(s, user);
                (user, if group.is_empty() { None } else { checked(s, group) })
            }
        };
    if let Some(named) = s.get("group", values::user) {
        group = Some(named);
    }
    let is_root = user.as_deref().is_none_or(|user| user == "root" || user == "0");
    ExecSpec {
        commands,
        no_new_privileges: !is_root,
        user,
        group,
        groups: s.list("groups", values::user),
        umask: s.get("umask", values::mode).unwrap_or(0o022),
        cwd: s.get("cwd", values::absolute),
        root: s.get("root", values::absolute),
        env: env(s),
        env_files: s
            .list("env-file", |text| {
                let (path, missing) = match text.strip_prefix('-') {
                    Some(path) => (path, Missing::Allowed),
                    None => (text, Missing::Error),
                };
                Ok((PathBuf::from(values::absolute(path)?), missing))
            })
            .unwrap_or_default(),
        env_pass: s.list("env-pass", values::variable).unwrap_or_default(),
        env_unset: s.list("env-unset", values::variable).unwrap_or_default(),
        limits: limits(s),
        nice: s.integer("nice", -20, 19),
        oom_score: s.integer("oom-score", -1000, 1000),
        tty: s.get("tty", values::terminal),
        log: s.get("log", log).unwrap_or(LogTarget::Files),
    }
}

fn log(text: &str) -> Result<LogTarget, Problem> {
    if let Some(path) = text.strip_prefix("file:") {
        return Ok(LogTarget::File(PathBuf::from(values::absolute(path)?)));
    }
    let words: [(&str, usize); 5] =
        [("files", 0), ("kmsg", 1), ("console", 2), ("none", 3), ("syslog", 4)];
    Ok(match one_of("log", text, &words)? {
        0 => LogTarget::Files,
        1 => LogTarget::Kmsg,
        2 => LogTarget::Console,
        3 => LogTarget::None,
        _ => LogTarget::Syslog,
    })
}

fn env(s: &mut Section<'_, '_, '_>) -> Vec<(String, String)> {
    let Some(table) = s.table("env") else { return Vec::new() };
    let mut variables = Vec::new();
    for entry in &table.entries {
        if let Err(problem) = values::variable(&entry.key) {
            s.report.error(entry.at, problem);
        }
        let value = match &entry.node.value {
            Value::Integer(number) => Some(number.to_string()),
            _ => s.string("env", &entry.node),
        };
        variables.extend(value.map(|value| (entry.key.clone(), value)));
    }
    variables
}

fn limits(s: &mut Section<'_, '_, '_>) -> Vec<(u32, u64, u64)> {
    let Some(table) = s.table("limits") else { return Vec::new() };
    let mut limits = Vec::new();
    for entry in &table.entries {
        let Some(number) = values::limit_number(&entry.key) else {
            let problem = Problem::new(format!("{} is no limit", quoted(&entry.key)));
            let near = super::super::keys::nearest(&entry.key, values::limit_names());
            s.report.error(
                entry.at,
                match near {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem,
                },
            );
            continue;
        };
        let pair = match &entry.node.value {
            Value::Integer(value) => match values::limit(&entry.key, &value.to_string()) {
                Ok(pair) => Some(pair),
                Err(problem) => {
                    s.report.error(entry.node.at, problem);
                    None
                }
            },
            _ => s.read("limits", &entry.node, |text| values::limit(&entry.key, text)),
        };
        limits.extend(pair.map(|(soft, hard)| (number, soft, hard)));
    }
    limits
}

fn ready(s: &mut Section<'_, '_, '_>, kind: Kind) -> Ready {
    let by_default = if kind == Kind::Task { Ready::Exit } else { Ready::Exec };
    let known = s.get("ready", |text| match text {
        "exec" => Ok(Ready::Exec),
        "exit" => Ok(Ready::Exit),
        _ => Err(Problem::new(format!("{} is no readiness of this version", quoted(text)))
            .hint("\"exec\" or \"exit\"; notify, fd, forked, dbus, tcp, unix and file come later")),
    });
    if let (Some(Ready::Exit), Kind::Service, Some(place)) = (&known, kind, s.place("ready")) {
        let problem =
            Problem::new("a service that is up once it ended is a task").hint("make it a [task]");
        s.report.error(place, problem);
    }
    known.unwrap_or(by_default)
}

fn dependencies(s: &mut Section<'_, '_, '_>) -> Dependencies {
    let needs = s.list("needs", |text| {
        text.split('|').map(|name| values::name(name.trim())).collect::<Result<Vec<_>, _>>()
    });
    Dependencies {
        needs: needs.unwrap_or_default(),
        wants: s.list("wants", values::name).unwrap_or_default(),
        after: s.list("after", values::name).unwrap_or_default(),
        before: s.list("before", values::name).unwrap_or_default(),
        provides: s.list("provides", values::name).unwrap_or_default(),
    }
}

const WHEN: [(&str, RestartWhen); 5] = [
    ("always", RestartWhen::Always),
    ("on-failure", RestartWhen::OnFailure),
    ("on-crash", RestartWhen::OnCrash),
    ("on-success", RestartWhen::OnSuccess),
    ("never", RestartWhen::Never),
];

fn restart(s: &mut Section<'_, '_, '_>, kind: Kind) -> RestartSpec {
    let by_default = if kind == Kind::Service { RestartWhen::Always } else { RestartWhen::Never };
    let mut spec = RestartSpec {
        when: by_default,
        delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(30),
        reset: Duration::from_secs(30),
        burst: None,
        within: Duration::from_secs(60),
    };
    let Some(entry) = s.entry("restart") else { return spec };
    let Value::Table(table) = &entry.node.value else {
        spec.when = s.word("restart", &WHEN).unwrap_or(by_default);
        return spec;
    };
    let mut inner = s.inner(table, "service.restart", "`restart`");
    spec.when = inner.word("when", &WHEN).unwrap_or(by_default);
    spec.delay = inner.duration("delay").unwrap_or(spec.delay);
    spec.max_delay = inner.duration("max-delay").unwrap_or(spec.max_delay).max(spec.delay);
    spec.reset = inner.duration("reset").unwrap_or(spec.reset);
    spec.burst = inner.integer("burst", 1, i128::from(u32::MAX));
    if let (Some(place), None) = (inner.place("within"), spec.burst) {
        inner.report.error(place, Problem::new("`within` needs `burst`"));
    }
    spec.within = inner.duration("within").unwrap_or(spec.within);
    spec
}

fn ok_exit(s: &mut Section<'_, '_, '_>) -> OkExit {
    let nothing = OkExit::Listed { codes: Vec::new(), signals: Vec::new() };
    let Some(entry) = s.entry("ok-exit") else { return nothing };
    let items = match &entry.node.value {
        Value::String(text) if text == "any" => return OkExit::Any,
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let (mut codes, mut signals) = (Vec::new(), Vec::new());
    for item in items {
        match &item.value {
            Value::Integer(code) => match u8::try_from(*code) {
                Ok(code) => codes.push(code),
                Err(_) => s.report.error(item.at, Problem::new("an exit status is from 0 to 255")),
            },
            _ => signals.extend(s.read("ok-exit", item, values::signal)),
        }
    }
    OkExit::Listed { codes, signals }
}

fn stop(s: &mut Section<'_, '_, '_>) -> StopSpec {
    let mut spec = StopSpec {
        signal: SignalNumber::TERM,
        timeout: Some(STOP),
        scope: StopScope::Cgroup,
        command: None,
        kill: true,
        hup: false,
    };
    let Some(table) = s.table("stop") else { return spec };
    let mut inner = s.inner(table, "service.stop", "`stop`");
    spec.signal = inner.get("signal", values::signal).unwrap_or(spec.signal);
    spec.timeout = inner.patience("timeout").unwrap_or(spec.timeout);
    let scopes = [
        ("cgroup", StopScope::Cgroup),
        ("main", StopScope::Main),
        ("mixed", StopScope::Mixed),
        ("none", StopScope::None),
    ];
    spec.scope = inner.word("scope", &scopes).unwrap_or(spec.scope);
    spec.command = one_hook(&mut inner, "command");
    spec.kill = inner.flag("kill").unwrap_or(true);
    spec.hup = inner.flag("hup").unwrap_or(false);
    spec
}
