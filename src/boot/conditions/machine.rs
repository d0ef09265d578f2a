//! Conditions about the machine: what finit may do on it, its power, its processors, and how it
//! was booted.

use std::path::Path;

use super::super::conf;
use super::{Eyes, FIRST_BOOT, Sight, paths};
use crate::config::spec::comparison;
use crate::facts::capability;
use crate::os::{fds, proc};

/// The longest kernel command line.
const COMMAND_LINE_MAX: usize = 4096;
/// The most power supplies that are looked at.
const SUPPLIES: usize = 64;

/// A small file of the kernel, without the end of its line.
fn word(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&fds::read_head(path, 4096).ok()?).into_owned();
    Some(text.trim().to_owned())
}

impl Eyes {
    /// What /proc/PID/status says behind that word.
    fn status(&self, process: &str, key: &str) -> Result<String, String> {
        let path = self.path(&format!("/proc/{process}/status"));
        let text = conf::read(&path).ok_or_else(|| format!("/proc/{process}/status is no file"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let value = line.ok_or_else(|| format!("/proc/{process}/status has no {key}"))?;
        Ok(value.trim().to_owned())
    }

    pub(super) fn capability(&self, name: &str) -> Sight {
        let number = capability::number(name).ok_or_else(|| format!("{name} is no capability"))?;
        let bounding = self.status("1", "CapBnd")?;
        let bounding = u64::from_str_radix(&bounding, 16).map_err(|error| error.to_string())?;
        let may = bounding >> number & 1 == 1;
        let fact = if may { "PID 1 may have it" } else { "PID 1 may not have it" };
        Ok((may, fact.to_owned()))
    }

    /// Mains that are plugged in, or no battery that empties: without either nothing speaks
    /// against mains.
    pub(super) fn ac_power(&self, value: &str) -> Sight {
        let folder = std::fs::read_dir(self.path("/sys/class/power_supply"));
        let supplies: Vec<_> =
            folder.into_iter().flatten().flatten().take(SUPPLIES).map(|e| e.path()).collect();
        let is = |path: &Path, file: &str, wanted: &str| {
            word(&path.join(file)).is_some_and(|found| found == wanted)
        };
        let mains = supplies.iter().any(|path| {
            (is(path, "type", "Mains") || is(path, "type", "USB")) && is(path, "online", "1")
        });
        // The battery of a mouse is none of the machine.
        let empties = supplies.iter().any(|path| {
            is(path, "type", "Battery")
                && is(path, "status", "Discharging")
                && !is(path, "scope", "Device")
        });
        let plugged = mains || !empties;
        let fact = if plugged { "it runs on mains power" } else { "it runs on its battery" };
        Ok((plugged == (value == "yes"), fact.to_owned()))
    }

    pub(super) fn kernel_arg(&self, wanted: &str) -> Sight {
        let line = fds::read_head(&self.path("/proc/cmdline"), COMMAND_LINE_MAX);
        let words = proc::split_words(&line.map_err(|errno| format!("/proc/cmdline: {errno}"))?);
        let is_it = |word: &String| match wanted.contains('=') {
            true => word == wanted,
            false => word.split('=').next() == Some(wanted),
        };
        let found = words.iter().find(|word| is_it(word));
        let none = "the kernel command line has no such word";
        let fact =
            found.map_or(none.to_owned(), |word| format!("the kernel command line has {word}"));
        Ok((found.is_some(), fact))
    }

    /// Those that PID 1, and so this child of it, may run on.
    pub(super) fn cpus(&self, value: &str) -> Sight {
        let (sign, wanted) =
            comparison(value).ok_or_else(|| format!("{value} compares nothing"))?;
        let list = self.status("self", "Cpus_allowed_list")?;
        let count = count(&list).ok_or_else(|| format!("{list} is no list of processors"))?;
        Ok((sign.holds(count, wanted), format!("there are {count}")))
    }

    pub(super) fn first_boot(&self, value: &str) -> Sight {
        let first = paths::is_there(&self.path(FIRST_BOOT));
        let fact = if first { "it is the first boot" } else { "this machine has run before" };
        Ok((first == (value == "yes"), fact.to_owned()))
    }
}

/// How many numbers "0-3,8" has.
fn count(list: &str) -> Option<u32> {
    list.split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}
