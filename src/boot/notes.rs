//! What one step has found and a later one goes by, in the memory of the machine: both may be run
//! again by hand, and another finit may be there by then.

use std::path::PathBuf;

use super::{Context, conf};
use crate::os;

const FOLDER: &str = "/run/finitd";

/// Notes these lines under a name, in place of those before.
pub(super) fn write<'a>(name: &str, lines: impl Iterator<Item = &'a str>, context: &Context) {
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let file = path(name, context);
    // Without a /run, where nothing can be noted, there are greater worries.
    let _lost = match text.is_empty() {
        true => std::fs::remove_file(&file).map_err(Into::into),
        false => std::fs::create_dir_all(context.path(FOLDER))
            .map_err(Into::into)
            .and_then(|()| os::fds::create_file(&file, text.as_bytes(), 0o644)),
    };
}

/// The lines that were noted last.
pub(super) fn read(name: &str, context: &Context) -> Vec<String> {
    let text = conf::read(&path(name, context)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn path(name: &str, context: &Context) -> PathBuf {
    context.path(FOLDER).join(name)
}
