//! One service in full.

use std::borrow::Cow;

use super::cgroup::Usage;
use super::output::Style;
use super::{advice, overview, text};
use crate::proto::report::Detail;
use crate::proto::{ServiceReport, StateWord};

/// Everything known about a service, its state first.
pub fn render(service: &ServiceReport, usage: Usage, log: &[String], style: Style) -> String {
    let mut page = headline(service, style);
    page.push('\n');
    let mut field = |name: &str, value: Cow<'_, str>| {
        if !value.is_empty() {
            page.push_str(&format!("  {name:<12}{value}\n"));
        }
    };
    let detail = service.detail.as_ref();
    if let Some(detail) = detail {
        field("description", text::clean(&detail.description));
        field("command", text::clean(&detail.command));
        field("because", text::clean(&detail.cause));
    }
    if service.state != StateWord::Up {
        field("since", text::age(service.since_ms).into());
        field("pid", service.pid.map(|pid| pid.to_string()).unwrap_or_default().into());
    }
    if let Some(number) = service.own_user {
        field("user", format!("{number} (its own while it runs)").into());
    }
    field(
        "last end",
        detail.and_then(|d| d.last_exit.as_deref()).map(text::clean).unwrap_or_default(),
    );
    field("memory", usage.memory.map(text::size).unwrap_or_default().into());
    field("cpu", usage.cpu.map(text::span).unwrap_or_default().into());
    field("restarts", service.restarts.to_string().into());
    if let Some(count) = service.connections {
        field("connections", count.to_string().into());
    }
    if let Some(detail) = detail {
        rest(service, detail, &mut field);
    }
    for line in log {
        page.push_str("    ");
        page.push_str(&text::clean(line));
        page.push('\n');
    }
    page
}

fn rest(service: &ServiceReport, detail: &Detail, field: &mut impl FnMut(&str, Cow<'_, str>)) {
    let states = |list: &[(String, StateWord)]| {
        let each =
            list.iter().map(|(name, state)| format!("{} ({})", text::clean(name), state.word()));
        each.collect::<Vec<_>>().join(", ")
    };
    let names = |list: &[String]| text::clean(&list.join(", ")).into_owned();
    field("sockets", names(&detail.sockets).into());
    field("watches", names(&detail.watches).into());
    field("needs", states(&detail.needs).into());
    field("after", states(&detail.after).into());
    field("needed by", names(&detail.needed_by).into());
    if !detail.enabled && matches!(service.kind.as_str(), "service" | "task") {
        field("at boot", "not started (enabled = false)".into());
    }
    if detail.changed {
        let name = text::clean(&service.name);
        field(
            "note",
            format!("the file has changed since it was started; run: finitctl restart {name}")
                .into(),
        );
    }
    match detail.strays {
        0 => {}
        1 => field("strays", "1 process lives on after its main one".into()),
        many => field("strays", format!("{many} processes live on after its main one").into()),
    }
    field("log", detail.log.as_deref().map(text::clean).unwrap_or_default());
    field("stderr", detail.log_stderr.as_deref().map(text::clean).unwrap_or_default());
}

/// "sshd: up since 3 min (pid 412)", "web: failed: why; what to do".
pub fn headline(service: &ServiceReport, style: Style) -> String {
    let name = text::clean(&service.name);
    let state = style.paint(overview::paint(service.state), service.state.word());
    let frozen = if service.frozen.is_some() { " (frozen)" } else { "" };
    let mut line = format!("{name}: {state}{frozen}");
    if service.state == StateWord::Up {
        line.push_str(&format!(" since {}", text::age(service.since_ms)));
        if let Some(pid) = service.pid {
            line.push_str(&format!(" (pid {pid})"));
        }
    }
    let reason = text::clean(&service.reason);
    let reason = advice::bare(service.state, &reason);
    if !reason.is_empty() {
        line.push_str(&format!(": {reason}"));
    }
    let advice = advice::for_service(service);
    if !advice.is_empty() {
        line.push_str(&format!("; {}", text::clean(&advice)));
    }
    line
}
