//! The tables that describe the machine itself: boot, shutdown, control, log, targets.

use std::path::PathBuf;

use super::super::check::Said;
use super::super::percent::Percent;
use super::super::raw::{Table, Value};
use super::super::report::{Problem, Report, quoted};
use super::super::spec::{
    BootSpec, ControlSpec, Devices, LogSpec, PowerKey, STEPS, ShutdownSpec, TargetSpec,
};
use super::super::{keys, values};
use super::output;
use super::section::{Section, check_keys};
use super::service::alternatives;

/// Longest host name in bytes, `__NEW_UTS_LEN` of uname(2).
const HOSTNAME_MAX: usize = 64;

/// Longest path of the control socket: it is made under another name, and both fit into an address
/// of 107 bytes; unix(7).
const SOCKET_LONGEST: usize = 100;

fn nobody() -> Percent {
    Percent { name: "finit".to_owned(), instance: None }
}

fn open<'t, 'r, 'a>(
    table: &'t Table,
    kind: &'static str,
    percent: &'t Percent,
    report: &'r mut Report<'a>,
) -> Section<'t, 'r, 'a> {
    check_keys(table, kind, &format_args!("[{kind}]"), report);
    Section::open(table, kind, percent, report)
}

pub(super) fn boot(table: &Table, report: &mut Report<'_>) -> BootSpec {
    let percent = nobody();
    let s = &mut open(table, "boot", &percent, report);
    let devices = [("udev", Devices::Udev), ("mdev", Devices::Mdev), ("none", Devices::None)];
    let plain = |text: &str| Ok(text.to_owned());
    BootSpec {
        hostname: s.get("hostname", hostname),
        fstab: s.flag("fstab").unwrap_or(true),
        devices: s.word("devices", &devices).unwrap_or(Devices::Udev),
        modules: s.list("modules", plain).unwrap_or_default(),
        tmpfiles: s.flag("tmpfiles").unwrap_or(true),
        clock: s.flag("clock").unwrap_or(true),
        random_seed: s.flag("random-seed").unwrap_or(true),
        keymap: s.text("keymap"),
        sysctl: sysctl(s),
        skip: s.list("skip", step).unwrap_or_default(),
    }
}

/// A name for sethostname(2), made as hostname(7) says. Some machines have a `_` in theirs.
fn hostname(text: &str) -> Result<String, Problem> {
    let wrong = |hint: &str| Problem::new(format!("{} is no host name", quoted(text))).hint(hint);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.is_empty() {
        return Err(wrong("it is empty; leave it out to have the one of /etc/hostname"));
    }
    if let Some((start, c)) = text.char_indices().find(|(_, c)| !fits(*c)) {
        let place = start..start.saturating_add(c.len_utf8());
        return Err(wrong("letters, digits, `-` and `.` can stand in it").at(place));
    }
    if text.len() > HOSTNAME_MAX {
        return Err(wrong("it is longer than 64 bytes, the most that Linux takes"));
    }
    if text.split('.').any(|part| !(1..=63).contains(&part.len())) {
        return Err(wrong("its parts, with a `.` between them, have 1 to 63 letters"));
    }
    if text.split('.').any(|part| part.starts_with('-') || part.ends_with('-')) {
        return Err(wrong("no part of it begins or ends with `-`"));
    }
    Ok(text.to_owned())
}

fn step(text: &str) -> Result<String, Problem> {
    if STEPS.contains(&text) {
        return Ok(text.to_owned());
    }
    let problem = Problem::new(format!("{} is no boot step", quoted(text)));
    Err(match keys::nearest(text, STEPS) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(format!("one of {}", STEPS.join(", "))),
    })
}

fn sysctl(s: &mut Section<'_, '_, '_>) -> Vec<(String, String)> {
    let Some(table) = s.table("sysctl") else { return Vec::new() };
    let mut settings = Vec::new();
    for entry in &table.entries {
        let value = match &entry.node.value {
            Value::Integer(number) => Some(number.to_string()),
            // `net.ipv4.ip_forward = 1` without quotes around its name is a table in TOML.
            Value::Table(_) => {
                let problem = Problem::new("the name of a setting stands in quotes")
                    .hint("write \"net.ipv4.ip_forward\" = 1");
                s.report.error(entry.at, problem);
                None
            }
            // The kernel has percent signs of its own: "core.%i" is a thread's, core(5).
            _ => s.raw("sysctl", &entry.node).map(str::to_owned),
        };
        settings.extend(value.map(|value| (entry.key.clone(), value)));
    }
    settings
}

pub(super) fn shutdown(table: &Table, report: &mut Report<'_>) -> ShutdownSpec {
    let percent = nobody();
    let s = &mut open(table, "shutdown", &percent, report);
    let spec = ShutdownSpec::default();
    let keys = [
        ("reboot", PowerKey::Reboot),
        ("poweroff", PowerKey::Poweroff),
        ("ignore", PowerKey::Ignore),
    ];
    ShutdownSpec {
        timeout: s.duration("timeout").unwrap_or(spec.timeout),
        term_wait: s.duration("term-wait").unwrap_or(spec.term_wait),
        kill_wait: s.duration("kill-wait").unwrap_or(spec.kill_wait),
        ctrl_alt_del: s.word("ctrl-alt-del", &keys).unwrap_or(spec.ctrl_alt_del),
    }
}

pub(super) fn control(table: &Table, report: &mut Report<'_>) -> ControlSpec {
    let percent = nobody();
    let s = &mut open(table, "control", &percent, report);
    let socket =
        s.get("socket", |text| values::absolute_within(text, SOCKET_LONGEST)).map(PathBuf::from);
    ControlSpec {
        power_group: s.get("power-group", values::user),
        socket: socket.unwrap_or(ControlSpec::default().socket),
    }
}

pub(super) fn log(table: &Table, report: &mut Report<'_>) -> LogSpec {
    let percent = nobody();
    let s = &mut open(table, "log", &percent, report);
    let spec = LogSpec::default();
    let directory = s
        .get("directory", |text| values::absolute_within(text, output::FOLDER_LONGEST))
        .map(PathBuf::from);
    LogSpec {
        directory: directory.unwrap_or(spec.directory),
        max_size: s.get("max-size", output::log_max).unwrap_or(spec.max_size),
        keep: s.integer("keep", 0, 1000).unwrap_or(spec.keep),
    }
}

/// A target, and the names that it speaks of.
pub(super) fn target(
    name: &str,
    table: &Table,
    report: &mut Report<'_>,
) -> (TargetSpec, Vec<Said>) {
    let percent = nobody();
    check_keys(table, "target", &format!("[target.{name}]"), report);
    let s = &mut Section::open(table, "target", &percent, report);
    let mut said = s.said("wants", values::name).unwrap_or_default();
    let wants = said.iter().map(|(name, _)| name.clone()).collect();
    let needs = s.said("needs", alternatives).unwrap_or_default();
    for (names, at) in &needs {
        said.extend(names.iter().map(|name| (name.clone(), *at)));
    }
    let needs = needs.into_iter().map(|(names, _)| names).collect();
    (TargetSpec { name: name.to_owned(), wants, needs }, said)
}
