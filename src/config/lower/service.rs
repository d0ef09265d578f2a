//! Services and tasks.

use std::fmt::Display;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::super::check::{Draft, Edge, Origin, Relation, Said};
use super::super::percent::Percent;
use super::super::raw::{Table, Value};
use super::super::report::{Place, Problem, Report, quoted};
use super::super::spec::{
    CommandLine, Dependencies, ExecSpec, Hooks, Kind, Line, Missing, ServiceSpec, SocketMode,
    SocketsSpec, Stage, Start,
};
use super::super::values;
use super::commands::{command, hooks, reload, script};
use super::conditions::conditions;
use super::identity::{Identity, identity};
use super::idle;
use super::lifecycle::{ok_exit, restart, stop};
use super::output::output;
use super::ready::readiness;
use super::schedule::schedule;
use super::section::Section;
use super::sockets::{check_inetd, sockets};
use super::terminal::{stdin, utmp};
use super::watch::watch;

/// How long a service may take to start without another word.
const START: Duration = Duration::from_secs(60);
/// Most bytes of a script; execve(2) takes no argument longer than 128 KiB.
const SCRIPT_MAX: usize = 120 * 1024;

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

/// Reads one service or task as far as it is right; what is wrong with it is in the report.
pub(super) fn service(subject: Subject<'_>, report: &mut Report<'_>) -> Draft {
    let Subject { kind, name, template, instance, table, at } = subject;
    let word = if kind == Kind::Service { "service" } else { "task" };
    let line = Line(report.line(at));
    let percent = Percent { name, instance };
    let s = &mut Section::open(table, "service", &percent, report);
    let label = format_args!("[{word}.{}]", template.as_ref().unwrap_or(&percent.name));
    let commands = commands(s, kind, &label, at);
    let sockets = sockets(s);
    if sockets.as_ref().is_some_and(|sockets| sockets.mode == SocketMode::Inetd) {
        check_inetd(s, commands.as_deref());
    }
    let before = s.report.errors();
    let start = s.word(
        "start",
        &[
            ("boot", Start::Boot),
            ("demand", Start::Demand),
            ("manual", Start::Manual),
            ("schedule", Start::Schedule),
        ],
    );
    let enabled = s.flag("enabled").unwrap_or(true);
    let stage = s.word("stage", &[("main", Stage::Main), ("early", Stage::Early)]);
    let wanted_by = s.said("wanted-by", values::name);
    let targets = s.said("targets", values::name);
    let vague = s.report.errors() > before;
    let schedule = schedule(s, kind, sockets.as_ref());
    let watch = watch(s, sockets.as_ref());
    if let (Some(Start::Schedule), None, Some(place)) = (start, &schedule, s.place("start")) {
        s.report.error(place, Problem::new("`start = \"schedule\"` needs `schedule`"));
    }
    let nothing_asks = sockets.is_none() && watch.is_none();
    if let (Some(Start::Demand), true, Some(place)) = (start, nothing_asks, s.place("start")) {
        let problem = Problem::new("`start = \"demand\"` needs `listen`, `inetd` or `watch`");
        s.report.error(place, problem);
    }
    let by_default = match &schedule {
        _ if !nothing_asks => Start::Demand,
        Some(_) => Start::Schedule,
        None => Start::Boot,
    };
    // Wanted by others and by no target: only they bring it up. See `apply_wanted_by`.
    let targets = match (targets, &wanted_by) {
        (Some(targets), _) => targets,
        (None, Some(_)) => Vec::new(),
        (None, None) => vec![("default".to_owned(), at)],
    };
    let alias = s.said("alias", values::name).unwrap_or_default();
    let (dependencies, edges, mut takes) = dependencies(s);
    takes.extend(alias.iter().cloned());
    check_remain(s, kind);
    idle::warn(s, kind);
    // Read for its mistakes alone: the manuals of a service are for the reader of the file.
    s.list("docs", |text| Ok(text.to_owned()));
    let spec = ServiceSpec {
        kind,
        template,
        description: s.text("description").unwrap_or_default(),
        alias: names(&alias),
        enabled,
        start: start.unwrap_or(by_default),
        stage: stage.unwrap_or(Stage::Main),
        targets: Rc::new(names(&targets)),
        hooks: Rc::new(Hooks {
            before_start: hooks(s, "before-start"),
            after_start: hooks(s, "after-start"),
            after_stop: hooks(s, "after-stop"),
            reload: reload(s),
        }),
        conditions: conditions(s),
        ready: Rc::new(readiness(s, kind, sockets.as_ref())),
        start_timeout: s
            .get("start-timeout", start_timeout)
            // A task takes as long as its work does.
            .unwrap_or((kind == Kind::Service).then_some(START)),
        dependencies: Rc::new(dependencies),
        restart: Rc::new(restart(s, kind)),
        ok_exit: Rc::new(ok_exit(s)),
        // What runs again and again is there while it runs.
        remain: s.flag("remain").unwrap_or(schedule.is_none() && watch.is_none()),
        schedule,
        watch,
        stop: Rc::new(stop(s)),
        exec: Rc::new(exec(s, sockets.as_ref())),
        sockets: sockets.map(Box::new),
        line,
        // Without commands it is none, which is told, and everything else about it too.
        commands: commands.unwrap_or_default(),
        name: percent.name,
    };
    let (mistake, wanted_by) = (None, wanted_by.unwrap_or_default());
    let origin = Origin::Written;
    Draft { spec, origin, mistake, vague, at, edges, wanted_by, targets, takes }
}

fn check_remain(s: &mut Section<'_, '_, '_>, kind: Kind) {
    if let (Kind::Service, Some(place)) = (kind, s.place("remain")) {
        let problem = Problem::new("`remain` is for tasks").hint("a service that ended is down");
        s.report.error(place, problem);
    }
}

fn names(said: &[Said]) -> Vec<String> {
    said.iter().map(|(name, _)| name.clone()).collect()
}

fn commands(
    s: &mut Section<'_, '_, '_>,
    kind: Kind,
    label: &dyn Display,
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
            let text = s.raw("script", node)?;
            if text.trim().is_empty() {
                s.report.error(node.at, Problem::new("a script cannot be empty"));
            }
            if text.len() > SCRIPT_MAX {
                let problem = Problem::new("the script is longer than execve(2) takes");
                s.report.error(node.at, problem.hint("put it into a file and run that"));
            }
            Some(vec![script(&s.fill_script(text))])
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
            if items.is_empty() {
                s.report.error(entry.at, Problem::new("a task needs at least one step"));
            }
            let steps: Vec<_> = items.iter().map(|item| command(s, "steps", item)).collect();
            steps.into_iter().collect()
        }
        // A mistyped `command` is told already.
        [] if s.is_mistyped(&["command", "script", "steps"]) => None,
        [] => {
            let problem =
                Problem::new(format!("{label} says nothing to run")).hint("add `command`");
            s.report.error(at, problem);
            None
        }
        [first, rest @ ..] => {
            let second = rest.first().unwrap_or(first);
            let message = format!("`{first}` and `{second}` exclude each other");
            let place = |key: &str| s.entry(key).map_or(at, |entry| entry.at);
            let label = (place(first), "the other one".to_owned());
            let (place, problem) = (place(second), Problem::new(message).hint("remove one"));
            s.report.error_with(place, problem, &[label]);
            None
        }
    }
}

fn exec(s: &mut Section<'_, '_, '_>, sockets: Option<&SocketsSpec>) -> ExecSpec {
    let Identity { user, dynamic_user, group, groups, capabilities, is_root } = identity(s);
    let tty = s.get("tty", values::terminal);
    let (log, own_log) = output(s);
    ExecSpec {
        no_new_privileges: !is_root,
        user,
        dynamic_user,
        group,
        groups,
        capabilities,
        umask: s.get("umask", umask).unwrap_or(0o022),
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
        stdin: stdin(s, sockets),
        utmp: utmp(s, tty.as_deref(), sockets),
        tty,
        log,
        own_log,
    }
}

/// How long a start may take: some time.
fn start_timeout(text: &str) -> Result<Option<Duration>, Problem> {
    match values::patience(text)? {
        Some(Duration::ZERO) => Err(Problem::new("nothing starts in no time at all")
            .hint("\"never\" gives it as long as it takes")),
        patience => Ok(patience),
    }
}

/// A umask: a mode without the bits that it cannot take away.
fn umask(text: &str) -> Result<u32, Problem> {
    let mode = values::mode(text)?;
    let wrong = || Problem::new(format!("{} is no umask", quoted(text)));
    (mode <= 0o777).then_some(mode).ok_or_else(|| wrong().hint("it is at most \"777\""))
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
            Value::String(_) => s.string("env", &entry.node),
            _ => {
                s.must_be(&format!("env.{}", entry.key), "a string or an integer", &entry.node);
                None
            }
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
            Value::String(_) => {
                s.read("limits", &entry.node, |text| values::limit(&entry.key, text))
            }
            _ => {
                let kind = values::limit_kind(&entry.key);
                s.must_be(&format!("limits.{}", entry.key), kind, &entry.node);
                None
            }
        };
        limits.extend(pair.map(|(soft, hard)| (number, soft, hard)));
    }
    limits
}

/// What it stands on, once as it is kept and once with places; and the names it provides.
fn dependencies(s: &mut Section<'_, '_, '_>) -> (Dependencies, Vec<Edge>, Vec<Said>) {
    let mut edges = Vec::new();
    let needs = s.said("needs", alternatives).unwrap_or_default();
    for (either, at) in &needs {
        let edge = |to: &String| Edge { relation: Relation::Needs, to: to.clone(), at: *at };
        edges.extend(either.iter().map(edge));
    }
    let mut plain = |key: &str, relation: Relation| {
        let said = s.said(key, values::name).unwrap_or_default();
        edges.extend(said.iter().map(|(to, at)| Edge { relation, to: to.clone(), at: *at }));
        names(&said)
    };
    let wants = plain("wants", Relation::Wants);
    let after = plain("after", Relation::After);
    let before = plain("before", Relation::Before);
    let bound_to = plain("bound-to", Relation::BoundTo);
    let part_of = plain("part-of", Relation::PartOf);
    let conflicts = plain("conflicts", Relation::Conflicts);
    let on_failure = plain("on-failure", Relation::OnFailure);
    let reload_with = plain("reload-with", Relation::ReloadWith);
    let takes = s.said("provides", values::name).unwrap_or_default();
    let dependencies = Dependencies {
        needs: needs.into_iter().map(|(either, _)| either).collect(),
        wants,
        after,
        before,
        provides: names(&takes),
        bound_to,
        part_of,
        conflicts,
        on_failure,
        reload_with,
    };
    (dependencies, edges, takes)
}

/// `"a|b"`: either of them.
pub(super) fn alternatives(text: &str) -> Result<Vec<String>, Problem> {
    text.split('|').map(|name| values::name(name.trim())).collect()
}
