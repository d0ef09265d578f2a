//! `check` and `explain`: what needs the file or the table of keys, and no running finit.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::connect::{Connection, Failure, PATIENCE};
use super::{Form, Session, Status, unexpected};
use crate::calendar::{DAY, Schedule, Zone};
use crate::config::spec::{Kind, Look, ServiceSpec, SystemSpec};
use crate::config::{self, Diagnostic};
use crate::os::time;
use crate::os::users::Accounts;
use crate::proto::{Reply, Request};

/// Where time zones are.
const ZONES: &str = "/usr/share/zoneinfo";

/// The target of a boot without another word.
const DEFAULT: &str = "default";

/// The file that describes the machine, without another word.
pub const FILE: &str = "/etc/finit.toml";

/// The words behind `check`.
pub fn check_arguments(command: Command) -> Command {
    let help = "The file to check; without it the one that the running finit reads";
    command.arg(Arg::new("file").value_name("FILE").value_parser(value_parser!(PathBuf)).help(help))
}

/// The words behind `explain`.
pub fn explain_arguments(command: Command) -> Command {
    let help = "A key of the file: needs, stop.signal, boot.fstab";
    command.arg(Arg::new("key").value_name("KEY").required(true).help(help))
}

/// The file that describes this machine: the one that the running finit reads, or where none runs
/// the usual one.
///
/// # Errors
/// One that runs and does not say it: another file would be a guess.
pub fn file(session: &Session) -> Result<PathBuf, Failure> {
    let patience = session.patience.unwrap_or(PATIENCE);
    let hello = Connection::open(&session.socket, patience)
        .and_then(|mut connection| connection.ask(&Request::Hello));
    match hello {
        Ok(Reply::Hello { config: Some(config), .. }) => Ok(config.into()),
        // One of a version before this question reads that.
        Ok(Reply::Hello { config: None, .. }) | Err(Failure::NoConnection { .. }) => {
            Ok(FILE.into())
        }
        Ok(other) => Err(unexpected(&other)),
        Err(failure) => Err(failure),
    }
}

/// `finitctl check`: all mistakes at once, or what the file holds.
///
/// # Errors
/// Mistakes in the file are its result, and no error; which file it is may be unknown.
pub fn check(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let path = match matches.get_one::<PathBuf>("file") {
        Some(file) => file.clone(),
        None => file(session)?,
    };
    let found = examine(&path);
    let file = path.display();
    if session.form == Form::Text {
        found.said.iter().for_each(|said| session.output.warn(said));
    }
    let counts = format!("{}, {}", count(found.services, "service"), count(found.tasks, "task"));
    if session.form == Form::Json {
        session.output.json(&serde_json::json!({
            "file": file.to_string(), "services": found.services, "tasks": found.tasks,
            "errors": found.errors, "diagnostics": found.said,
        }));
    } else if found.errors == 0 {
        session.output.line(&format!("{file}: {counts}: no errors"));
    } else {
        session.output.warn(&format!("{file}: {}", count(found.errors, "error")));
    }
    Ok(if found.errors == 0 { Status::Done } else { Status::Failed })
}

/// `finitctl explain`.
///
/// # Errors
/// No such key.
pub fn explain(session: &mut Session, matches: &ArgMatches) -> Result<Status, Failure> {
    let key = matches.get_one::<String>("key").map_or("", String::as_str);
    let Some(page) = config::explain(key) else {
        return Err(Failure::Usage(format!("no key is called `{key}`")));
    };
    match session.form {
        Form::Json => session.output.json(&serde_json::json!({"key": key, "text": page})),
        Form::Text => page.lines().for_each(|line| session.output.line(line)),
    }
    Ok(Status::Done)
}

/// What a file holds, and what there is to say about it.
struct Found {
    services: usize,
    tasks: usize,
    errors: usize,
    said: Vec<String>,
}

fn examine(path: &Path) -> Found {
    match whole_of(path) {
        Some((whole, own)) => examine_part(&whole, &own),
        None => examine_whole(path),
    }
}

/// The file that a drop-in belongs to, and how that file knows it; none for what is no drop-in.
fn whole_of(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let path = std::path::absolute(path).ok()?;
    let folder = path.parent()?;
    let whole = is_drop_in_folder(folder).then(|| folder.with_extension(""))?;
    if !is_read(&path) || !path.exists() || !whole.is_file() {
        return None;
    }
    Some((whole, path))
}

/// Whether a drop-in of that name is read.
fn is_read(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension() == Some(OsStr::new("toml"))
}

/// That a file lies among drop-ins and is none, if it is so.
fn unread(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let lost = path.parent().is_some_and(is_drop_in_folder) && !is_read(&path) && path.exists();
    let why = "it is not read: of this folder what ends with .toml and begins with no dot is";
    lost.then(|| format!("{}: {why}", path.display()))
}

/// A drop-in within what it is a part of: it may speak of all that is defined there.
fn examine_part(whole: &Path, own: &Path) -> Found {
    let (found, _) = look_for_instances(&config::load(whole, &config::Disk).spec);
    let config::Loaded { spec, diagnostics, .. } =
        config::load_with(whole, &config::Disk, |_| found);
    let alone = config::load(own, &config::Disk).spec;
    let names: BTreeSet<&String> = (alone.services.iter().map(|service| &service.name))
        .chain(alone.left_out.iter().map(|one| &one.name))
        .chain(alone.templates.iter().map(|template| &template.name))
        .collect();
    let is_own = |service: &ServiceSpec| {
        service.template.iter().chain([&service.name]).any(|name| names.contains(name))
    };
    let services = || spec.services.iter().map(Rc::as_ref).filter(|service| is_own(service));
    let of_kind = |kind| services().filter(|service| service.kind == kind).count();
    let said: Vec<&Diagnostic> = diagnostics
        .iter()
        .filter(|said| said.path == own || said.labels.iter().any(|label| label.path == own))
        .collect();
    Found {
        services: of_kind(Kind::Service),
        tasks: of_kind(Kind::Task),
        errors: said.iter().filter(|said| said.is_error()).count(),
        said: said
            .into_iter()
            .map(ToString::to_string)
            .chain(services().filter_map(never).map(|said| format!("warning: {said}")))
            .collect(),
    }
}

fn examine_whole(path: &Path) -> Found {
    let (found, unsaid) = look_for_instances(&config::load(path, &config::Disk).spec);
    let config::Loaded { spec, diagnostics, .. } =
        config::load_with(path, &config::Disk, |_| found);
    let of_kind = |kind| spec.services.iter().filter(|service| service.kind == kind).count();
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let never = spec.services.iter().filter_map(|service| never(service));
    let power = spec.control.power_group.as_deref().filter(|name| is_unknown(name));
    let power = power.map(|name| {
        format!("control.power-group: there is no group `{name}` in /etc/group of this machine")
    });
    // One file of many has its own subject; and what is left out may be a login.
    let is_whole = errors == 0 && !path.parent().is_some_and(is_drop_in_folder);
    let login = (is_whole && !has_login(&spec)).then(|| {
        "no service of the target default has a `tty`: nobody can log in on the console".to_owned()
    });
    let warnings = unread(path)
        .into_iter()
        .chain(unsaid)
        .chain(never)
        .chain(power)
        .chain(login)
        .map(|said| format!("warning: {said}"));
    Found {
        services: of_kind(Kind::Service),
        tasks: of_kind(Kind::Task),
        errors,
        said: diagnostics.iter().map(ToString::to_string).chain(warnings).collect(),
    }
}

/// That a service is never due, if it is so.
fn never(service: &ServiceSpec) -> Option<String> {
    let why = never_due(service.schedule.as_deref()?)?;
    Some(format!("{} is never due: {why}", service.name))
}

/// Looks for the instances of templates as PID 1 would, but for those that only a command knows:
/// a check runs none. The answer says which these are.
fn look_for_instances(spec: &SystemSpec) -> (config::Found, Vec<String>) {
    let mut found = config::Found::default();
    let mut unsaid = Vec::new();
    for template in &spec.templates {
        let Some(search) = &template.search else { continue };
        match &search.look {
            Look::Glob { pattern, name } => {
                let looked = config::paths(pattern, name);
                if let Err(why) = &looked {
                    unsaid.push(format!("the instances of {}: {why}", template.name));
                }
                found.learn(&template.name, search, &looked);
            }
            Look::Command(_) => unsaid.push(format!(
                "the instances of {} are what a command prints, and a check does not run it",
                template.name
            )),
        }
    }
    (found, unsaid)
}

fn is_drop_in_folder(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "d")
}

/// Whether something is on a terminal once the machine is up.
fn has_login(spec: &SystemSpec) -> bool {
    let default = spec.targets.iter().find(|target| target.name == DEFAULT);
    let names =
        default.iter().flat_map(|target| target.wants.iter().chain(target.needs.iter().flatten()));
    let named: Vec<&String> = names.collect();
    spec.services.iter().any(|service| {
        let ServiceSpec { name, template, targets, .. } = &**service;
        let is_member = targets.is_empty()
            || targets.iter().any(|target| target == DEFAULT)
            || template.iter().chain([name]).any(|name| named.contains(&name));
        service.enabled && service.exec.tty.is_some() && is_member
    })
}

/// Why no time of that schedule ever comes, as far as this machine knows its zone.
fn never_due(schedule: &Schedule) -> Option<String> {
    let zone = match schedule.zone.as_deref() {
        None | Some("UTC") => Zone::utc(),
        Some(name) => {
            let bytes = std::fs::read(Path::new(ZONES).join(name)).ok();
            match bytes.and_then(|bytes| Zone::parse(&bytes).ok()) {
                Some(zone) => zone,
                None => return Some(format!("no time zone {name}")),
            }
        }
    };
    let others = [schedule.every, schedule.after_boot, schedule.after_enable];
    let (now, _) = time::wall();
    // A time of today that is over in one zone may be to come in another.
    let is_over = || schedule.next_at(now.saturating_sub(DAY), &zone).is_none();
    (others.iter().all(Option::is_none) && is_over()).then(|| "no time left".to_owned())
}

/// Whether this machine knows no such group.
fn is_unknown(group: &str) -> bool {
    Accounts::load().is_ok_and(|accounts| accounts.group(group).is_none())
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
