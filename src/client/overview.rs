//! The one screen: the machine in a few lines, then its services in a table.

use std::time::Duration;

use super::output::{Paint, Style};
use super::{cgroup, table, text};
use crate::os::time;
use crate::proto::{MachineReport, ScheduledReport, ServiceReport, StateWord};

/// Which entries are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Services and tasks, and of the rest what failed.
    Usual,
    /// Boot steps, milestones and targets too.
    All,
}

const HEADINGS: [&str; 7] = ["NAME", "STATE", "SINCE", "PID", "MEMORY", "RESTARTS", "REASON"];

/// The machine and its services.
pub fn render(machine: &MachineReport, scope: Scope, style: Style) -> String {
    let shown: Vec<&ServiceReport> =
        machine.services.iter().filter(|entry| is_shown(entry, machine, scope)).collect();
    let mut screen = header(machine, &shown, style);
    if !shown.is_empty() {
        screen.push('\n');
        screen.push_str(&table(&shown, style));
    }
    screen
}

/// Whether an entry belongs on the screen: a template does where no instance stands for it.
pub fn is_shown(entry: &ServiceReport, machine: &MachineReport, scope: Scope) -> bool {
    let is_instance = |one: &ServiceReport| {
        one.name.strip_prefix(&entry.name).is_some_and(|rest| rest.starts_with('@'))
    };
    let is_usual = match entry.kind.as_str() {
        "service" | "task" => true,
        "template" => !machine.services.iter().any(is_instance),
        _ => false,
    };
    is_usual || scope == Scope::All || entry.state == StateWord::Failed
}

fn header(machine: &MachineReport, shown: &[&ServiceReport], style: Style) -> String {
    let phase = text::clean(&machine.phase).into_owned();
    let paint = if phase == "running" { Paint::Green } else { Paint::Yellow };
    let mut lines = format!(
        "finit {}: {}, target {}, up since {}",
        text::clean(&machine.version),
        style.paint(paint, &phase),
        text::clean(&machine.target),
        text::age(machine.uptime_ms),
    );
    if let Some(boot) = machine.boot_ms {
        lines.push_str(&format!(", booted in {}", text::span(Duration::from_millis(boot))));
    }
    lines.push('\n');
    if let Some(scheduled) = &machine.scheduled {
        lines.push_str(&style.paint(Paint::Yellow, &to_come(scheduled)));
        lines.push('\n');
    }
    for warning in &machine.warnings {
        // An excerpt of a file keeps its lines.
        for (number, line) in warning.lines().enumerate() {
            let mark = if number == 0 { "warning: " } else { "  " };
            let line = format!("{mark}{}", text::clean(line));
            lines.push_str(&style.paint(Paint::Yellow, &line));
            lines.push('\n');
        }
    }
    let failed: Vec<_> = shown
        .iter()
        .filter(|entry| entry.state == StateWord::Failed)
        .map(|entry| text::clean(&entry.name))
        .collect();
    if !failed.is_empty() {
        let failed = format!("failed: {}", failed.join(", "));
        lines.push_str(&style.paint(Paint::Red, &failed));
        lines.push('\n');
    }
    lines
}

/// "power off at 22:00:00 (in 4 min), asked for by …: message".
pub fn to_come(scheduled: &ScheduledReport) -> String {
    let (now, nanoseconds) = time::wall();
    let wait = i64::try_from(scheduled.in_ms / 1000).unwrap_or(i64::MAX);
    // The rest of both may be one second more: 23:59 is not told as 23:58:59.
    let rest = (scheduled.in_ms % 1000).saturating_add(u64::from(nanoseconds) / 1_000_000);
    let at = now.saturating_add(wait).saturating_add(i64::from(rest >= 1000));
    let at = time::local(at);
    let at = at.map_or_else(String::new, |at| {
        let clock = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
        match wait {
            ..86_400 => format!(" at {clock}"),
            _ => format!(" at {}-{:02}-{:02} {clock}", at.year, at.month, at.day),
        }
    });
    let message = if scheduled.message.is_empty() { "" } else { ": " };
    format!(
        "{}{at} (in {}), asked for by {}{message}{}",
        scheduled.how,
        text::age(scheduled.in_ms),
        text::clean(&scheduled.by),
        text::clean(&scheduled.message),
    )
}

/// A table of services, one line each: what does not fit is cut from the reason.
pub fn table(services: &[&ServiceReport], style: Style) -> String {
    let rows = services.iter().map(|service| cells(service)).collect();
    let mut lines = table::lines(HEADINGS, &["PID", "MEMORY", "RESTARTS"], rows, style);
    for (line, service) in lines.iter_mut().skip(1).zip(services) {
        *line = coloured(line, service, style);
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn cells(service: &ServiceReport) -> [String; 7] {
    let memory = service.cgroup.as_deref().and_then(cgroup::memory);
    let mut reason = text::clean(&service.reason).into_owned();
    if let (Some(count @ 1..), true) = (service.connections, reason.is_empty()) {
        reason = format!("{count} connection{}", if count == 1 { "" } else { "s" });
    }
    [
        text::clean(&service.name).into_owned(),
        state(service),
        text::age(service.since_ms),
        service.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        memory.map(text::size).unwrap_or_default(),
        if service.restarts == 0 { String::new() } else { service.restarts.to_string() },
        reason,
    ]
}

/// Its state, and whether it is frozen in it.
fn state(service: &ServiceReport) -> String {
    let frozen = if service.frozen.is_some() { " (frozen)" } else { "" };
    format!("{}{frozen}", service.state.word())
}

/// The line with the word of its state in colour: the first word behind the name.
fn coloured(line: &str, service: &ServiceReport, style: Style) -> String {
    let name = text::clean(&service.name);
    let Some((name, rest)) = line.split_at_checked(name.len()) else { return line.to_owned() };
    let word = service.state.word();
    let rest = rest.replacen(word, &style.paint(paint(service.state), word), 1);
    format!("{name}{rest}")
}

/// The colour of a state.
pub fn paint(state: StateWord) -> Paint {
    match state {
        StateWord::Up | StateWord::Done | StateWord::Listening => Paint::Green,
        StateWord::Failed => Paint::Red,
        StateWord::Waiting | StateWord::Starting | StateWord::Stopping | StateWord::Restarting => {
            Paint::Yellow
        }
        StateWord::Stopped | StateWord::Skipped => Paint::Faint,
    }
}
