//! Kernel settings below /proc/sys: sysctl.d(5), /etc/sysctl.conf and `boot.sysctl`, written
//! without another program. The order is sysctl.d's: files by name, later lines win, explicit names
//! win over patterns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::program::Printable;
use super::{Context, Done, Place, Report, Tools, conf, devices, notes};
use crate::facts::Errno;

pub(super) mod writer;

/// Most settings that one pattern may stand for: an interface has about fifty.
const MOST_MATCHES: usize = 4096;

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    /// Name of its file below /proc/sys, maybe a pattern.
    path: String,
    /// What is written; none to keep the name out of patterns.
    value: Option<String>,
    failure: Failure,
}

/// What becomes of a setting that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Told.
    Told,
    /// Told, unless the kernel has no such setting: files are shared by many kernels.
    ToldIfKnown,
    /// Overlooked, as a leading `-` asks.
    Overlooked,
}

/// Note of the settings that were there to be made.
const MADE: &str = "settings";

/// What is written: the name below /proc/sys, the value, and what becomes of a failure.
type Resolved = (String, String, Failure);

/// Makes the settings.
pub(super) async fn sysctl(context: &Context, tools: &impl Tools) -> Report {
    let mut troubles = Vec::new();
    let settings = collect(context, &mut troubles);
    let base = context.path("/proc/sys");
    let mut resolved = resolve(&base, &settings);
    if devices_come(context) {
        let there = resolved.iter().filter(|(path, _, _)| base.join(path).exists());
        notes::write(MADE, there.map(|(path, _, _)| path.as_str()), context);
        resolved.retain(|(path, _, _)| !is_of_device(path) || base.join(path).exists());
    }
    match make(&base, &resolved, context, tools).await {
        None => return Ok(Done::Skipped("/proc/sys is read-only")),
        Some(more) => troubles.extend(more),
    }
    if troubles.is_empty() { Ok(Done::Worked) } else { Err(troubles.join("; ")) }
}

/// Makes those that were not there before the devices were, such as a network interface's whose
/// driver is a module; the others may have been changed since.
pub(super) async fn sysctl_of_devices(context: &Context, tools: &impl Tools) {
    let made: BTreeSet<String> = notes::read(MADE, context).into_iter().collect();
    if made.is_empty() || !devices_come(context) {
        // They are made later, all of them, or not at all.
        return;
    }
    let base = context.path("/proc/sys");
    let mut resolved = resolve(&base, &collect(context, &mut Vec::new()));
    resolved.retain(|(path, _, _)| {
        !made.contains(path) && (is_of_device(path) || base.join(path).exists())
    });
    for trouble in make(&base, &resolved, context, tools).await.unwrap_or_default() {
        tools.say(&format!("sysctl: {trouble}"));
    }
}

/// Whether both steps run, this one and the one that finds the devices, and that has somebody who
/// looks for them.
fn devices_come(context: &Context) -> bool {
    let is_skipped = context.boot.skips("devices") || context.boot.skips("sysctl");
    context.place == Place::Machine && !is_skipped && devices::are_looked_for(context)
}

/// Whether it is a setting of one network interface, which is there with its device.
fn is_of_device(path: &str) -> bool {
    path.starts_with("net/") && (path.contains("/conf/") || path.contains("/neigh/"))
}

/// Has them written, and tells what went wrong; none where a container may write nothing.
async fn make(
    base: &Path,
    resolved: &[Resolved],
    context: &Context,
    tools: &impl Tools,
) -> Option<Vec<String>> {
    // With its line end: the kernel takes some words, as printk_devkmsg's, only so.
    let write = |(path, value, _): &Resolved| (base.join(path), format!("{value}\n"));
    let writes: Vec<(PathBuf, String)> = resolved.iter().map(write).collect();
    let failed = match writer::order(&writes, tools).await {
        Ok(failed) => failed,
        Err(why) => return Some(vec![why]),
    };
    let mut troubles = Vec::new();
    for (place, error) in failed {
        let Some((path, _, failure)) = resolved.get(place) else { continue };
        match (error, failure) {
            (Errno(libc::EROFS), _) if context.place == Place::Container => return None,
            (_, Failure::Overlooked) | (Errno(libc::ENOENT), Failure::ToldIfKnown) => {}
            // Most of them belong to the machine around it.
            (Errno(libc::EACCES | libc::EPERM), _) if context.place == Place::Container => {}
            _ => troubles.push(format!("{}: {error}", Printable(path))),
        }
    }
    Some(troubles)
}

/// Whether /etc/sysctl.conf has its place among the files of sysctl.d.
fn has_link(context: &Context) -> bool {
    context.path("/etc/sysctl.d/99-sysctl.conf").symlink_metadata().is_ok()
}

/// All settings in the order of their weight.
fn collect(context: &Context, troubles: &mut Vec<String>) -> Vec<Setting> {
    let mut settings = if context.place == Place::Machine { own(context) } else { Vec::new() };
    let mut files = conf::drop_ins(context, "sysctl.d");
    // Debian links to it from there, which gives it another place, or with /dev/null none.
    if !has_link(context) {
        files.push(context.path("/etc/sysctl.conf"));
    }
    for file in files {
        let Some(text) = conf::read(&file) else { continue };
        for line in conf::lines(&text) {
            match parse(line) {
                Some(setting) => settings.push(setting),
                None => troubles.push(format!("{}: {:?}?", file.display(), shortened(line))),
            }
        }
    }
    for (name, value) in &context.boot.sysctl {
        match path_of(name) {
            Some(path) => {
                let value = Some(value.clone());
                settings.push(Setting { path, value, failure: Failure::Told });
            }
            None => troubles.push(format!("boot.sysctl: {name:?} is no setting")),
        }
    }
    settings
}

/// What finit itself wants, unless somebody says otherwise: a machine whose PID 1 is lost comes
/// back by itself, and the kernel does not drop lines from the boot (printk_devkmsg is fixed
/// where the kernel command line has it, so that the kernel refuses this one then).
fn own(context: &Context) -> Vec<Setting> {
    let own = |path: &str, value: &str| Setting {
        path: path.to_owned(),
        value: Some(value.to_owned()),
        failure: Failure::Overlooked,
    };
    let mut settings = vec![own("kernel/printk_devkmsg", "on")];
    if context.value("panic").is_none() {
        settings.push(own("kernel/panic", "10"));
    }
    settings
}

/// `name = value`, with a `-` in front where a failure is to be overlooked; `-name` alone keeps
/// a name out of the patterns.
fn parse(line: &str) -> Option<Setting> {
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
        None => (line, None),
    };
    let (name, failure) = match name.strip_prefix('-') {
        Some(name) => (name.trim(), Failure::Overlooked),
        None if value.is_none() => return None,
        None => (name, Failure::ToldIfKnown),
    };
    Some(Setting { path: path_of(name)?, value, failure })
}

/// `net.ipv4.conf.eth0/100.forwarding` and `net/ipv4/conf/eth0.100/forwarding` are the same:
/// the first of the two marks is the one that separates.
fn path_of(name: &str) -> Option<String> {
    let path: String = match name.chars().find(|mark| matches!(mark, '.' | '/')) {
        Some('.') => name.chars().map(swapped).collect(),
        _ => name.to_owned(),
    };
    let safe = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.split('/').all(safe).then_some(path)
}

fn swapped(mark: char) -> char {
    match mark {
        '.' => '/',
        '/' => '.',
        other => other,
    }
}

/// What is written, in order. A name that is given in full is out of reach of all patterns,
/// before and after it; of several values for it the last one counts.
fn resolve(base: &Path, settings: &[Setting]) -> Vec<Resolved> {
    let is_pattern = |setting: &Setting| setting.path.contains(['*', '?']);
    let explicit: BTreeSet<&str> =
        settings.iter().filter(|s| !is_pattern(s)).map(|s| s.path.as_str()).collect();
    let mut writes: Vec<Resolved> = Vec::new();
    for setting in settings {
        let Some(value) = &setting.value else { continue };
        let paths = if is_pattern(setting) {
            let mut found = expand(base, &setting.path);
            found.retain(|path| !explicit.contains(path.as_str()));
            found
        } else {
            vec![setting.path.clone()]
        };
        for path in paths {
            writes.retain(|(earlier, _, _)| *earlier != path);
            writes.push((path, value.clone(), setting.failure));
        }
    }
    writes
}

/// The settings that a pattern stands for, in the order of their names.
fn expand(base: &Path, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for folder in &found {
            next.extend(
                children(base.join(folder), part)
                    .into_iter()
                    .map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") }),
            );
        }
        next.truncate(MOST_MATCHES);
        found = next;
    }
    found.retain(|path| base.join(path).is_file());
    found
}

fn children(folder: PathBuf, part: &str) -> Vec<String> {
    if !part.contains(['*', '?']) {
        return vec![part.to_owned()];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_MATCHES);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names: BTreeSet<String> = names.filter(|name| fits(part, name)).collect();
    names.into_iter().collect()
}

/// Whether a name fits a pattern of `*` and `?`: a star that fitted too little is tried again
/// one character further on.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (before, mut ahead) = (name.clone(), name.clone());
        match (pattern.next(), ahead.next()) {
            (Some('*'), _) => retry = Some((pattern.clone(), before)),
            (None, None) => return true,
            (Some('?'), Some(_)) => name = ahead,
            (Some(wanted), Some(found)) if wanted == found => name = ahead,
            _ => {
                let Some((after_star, mut start)) = retry.take() else { return false };
                if start.next().is_none() {
                    return false;
                }
                (pattern, name) = (after_star.clone(), start.clone());
                retry = Some((after_star, start));
            }
        }
    }
}

fn shortened(line: &str) -> String {
    line.chars().take(60).collect()
}

#[cfg(test)]
mod tests;
